/* Interfaces: the bridge, and pairs of virtual Ethernet devices between it and a network
 * namespace. Private to net/.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include "net/netlink.h"
#include "net/network.h"

struct link_bridge {
	const char *name;
	struct network_addresses addresses;
	unsigned mtu;
	const char *alias; /* tells whose it is, when it is made here */
};

/* The bridge's index: found, or made. One of that name that is there must be a bridge
 * (-EEXIST) and gets what it lacks of the addresses. *ret_made: it was not there. */
int link_ensure_bridge(struct netlink *netlink, const struct link_bridge *bridge, int *ret_index,
		       bool *ret_made, struct error *err);
/* The IPv4 address that an existing bridge has: -ENOENT when there is no such interface or
 * it has none, -EEXIST when it is no bridge. */
int link_find_bridge(struct netlink *netlink, const char *name, struct in_addr *ret_address,
		     unsigned *ret_prefix_len, struct error *err);

/* A pair: `name` here, up and on the bridge (frames may leave by the port that they came in
 * by), and eth0, down, in the namespace. One request, and the kernel does all of it or
 * nothing. */
int link_make_pair(struct netlink *netlink, const char *name, int bridge_index, int ns_fd,
		   unsigned mtu, struct error *err);

/* By a socket of the namespace: where eth0 is. */
int link_find_eth0(struct netlink *inside, int *ret_index, struct error *err);
/* By a socket of the namespace: lo and eth0 up, with address, hardware address (6 bytes) and
 * default routes. gateways as in addresses; at most one round trip. */
int link_configure(struct netlink *inside, int eth0_index,
		   const struct network_addresses *addresses,
		   const struct network_addresses *gateways, const uint8_t mac[6],
		   struct error *err);
/* By a socket of the namespace: lo up. */
int link_raise_lo(struct netlink *inside, struct error *err);

/* Delete it by its name; one that is not there is fine. Slow (20-35 ms): for a reaper. */
int link_delete(struct netlink *netlink, const char *name, struct error *err);
/* Call fn for each interface whose name begins with prefix. */
int link_list(struct netlink *netlink, const char *prefix, void (*fn)(void *arg, const char *name),
	      void *arg, struct error *err);
/* The MTU of the interface of the IPv4 default route; 1500 when there is none. */
unsigned link_get_uplink_mtu(struct netlink *netlink);
/* Does an interface of that name carry this alias? */
bool link_has_alias(struct netlink *netlink, const char *name, const char *alias);

#endif
