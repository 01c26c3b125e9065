/* The bridge network of one engine: what a container gets of it is a network namespace with
 * eth0 on the bridge, and a lease of addresses.
 *
 * Nothing is made before the first container asks, and with the last one gone the bridge
 * goes too (when it was made here). What a container has lives in its namespace, which its
 * processes hold: it outlives the engine, whose successor is told of the leases again.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/cleanup.h"
#include "base/error.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct network;

struct network_options {
	int run_fd;           /* RUN: what lives as long as the boot; borrowed until the close */
	const char *bridge;   /* its name, at most 15 bytes */
	const char *subnet;   /* CIDR; NULL: the bridge's, or one that overlaps nothing */
	const char *instance; /* hex digits that tell this engine's interfaces from others' */
	bool isolated;        /* containers do not reach each other, but for network_set_links() */
};

/* Addresses of one interface. */
struct network_addresses {
	struct in_addr address;
	unsigned prefix_len;
	struct in6_addr address6;
	unsigned prefix6_len; /* 0: no IPv6 */
};

struct network_lease {
	char link[IFNAMSIZ]; /* the host's end */
	uint8_t mac[6];      /* of eth0 */
	struct network_addresses addresses;
	struct network_addresses gateways;
};

/* -EINVAL: the subnet or the name of the bridge is bad. Makes nothing. */
int network_open(const struct network_options *options, struct network **ret, struct error *err);
/* What lives lives on. Without any lease the bridge goes. */
void network_close(struct network *network);
DEFINE_AUTO(struct network *, network_close);

/* A namespace with lo and eth0 up, and its lease; the descriptor is the caller's, and with
 * its last holder the namespace and all in it goes. Blocks: a millisecond when none is
 * ready. -ENOSPC: no address is left; what the kernel says. */
int network_join(struct network *network, struct network_lease *ret, int *ret_ns_fd,
		 struct error *err);
/* The same in two steps, for a namespace that somebody else makes in between: the lease, and a
 * pair into that namespace (ns_fd, borrowed), which has only lo yet. What fails gives nothing
 * back: network_leave() does, and the namespace's end. */
int network_reserve(struct network *network, struct network_lease *ret, struct error *err);
int network_connect(struct network *network, const struct network_lease *lease, int ns_fd,
		    struct error *err);
/* The addresses are free again. The namespace goes by itself. */
void network_leave(struct network *network, const struct network_lease *lease);
/* A lease that a former engine gave, to a container that still lives. -EADDRINUSE, or what
 * setting the bridge up gives. */
int network_adopt(struct network *network, const struct network_lease *lease, struct error *err);
/* All that live have been adopted, and these are their links: delete the other interfaces
 * of this instance, and the bridge when nobody is left. */
int network_sweep(struct network *network, const char *const *links, size_t count,
		  struct error *err);

/* A namespace with nothing but lo, which is up. The descriptor is the caller's. */
int network_make_empty(struct network *network, int *ret_ns_fd, struct error *err);

/* --- published ports --------------------------------------------------------------- */

/* A port of the host that leads to one of a container. */
struct network_port {
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	bool is_v6;
	struct in6_addr host; /* IPv4: the first four bytes; all zero: any address of the host */
	uint16_t host_port;
	uint16_t container_port;
};

/* What is asked for: one port of the container. */
struct network_wish {
	uint8_t protocol;
	bool on_all; /* any address of the host, in both families; else as in network_port: */
	bool is_v6;
	struct in6_addr host;
	uint16_t first_port, last_port; /* the first free one of these; 0: any of 49153 to 65535 */
	uint16_t container_port;
};

struct network_publication {
	const char *id;    /* 64 digits */
	const char *owner; /* what sentences call it: the container's name */
	const struct network_lease *lease;
	const struct network_wish *wishes;
	size_t count;
	/* What it had last time: taken again for an automatic port, if it is free. */
	const struct network_port *preferred;
	size_t preferred_count;
};

/* All wishes or none: *ret is a heap array of what was got (a wish on all addresses gives one
 * for each family). -EADDRINUSE: "host port 8080/tcp is taken by container 'web'", or "by
 * another program". -ENOSPC: no automatic port is left. */
int network_publish(struct network *network, const struct network_publication *publication,
		    struct network_port **ret, size_t *ret_count, struct error *err);
/* They are free when it returns. Safe to repeat. */
void network_withdraw(struct network *network, const char *id);
/* It is called otherwise from now on. */
void network_rename(struct network *network, const char *id, const char *owner);
/* What a former engine published, and still is. For all that live before the first
 * network_adopt(), so that the packet rules are replaced by the same ones at once; then
 * network_sweep() ends what nobody has adopted. */
int network_adopt_ports(struct network *network, const struct network_publication *publication,
			const struct network_port *has, size_t count, struct error *err);

/* --- links ------------------------------------------------------------------------- */

/* What one container may ask another one for. */
struct network_link {
	struct network_addresses client, target;
	uint8_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t port;    /* of the target */
};

/* On an isolated network: these are open from now on, and no others. Also before there is a
 * bridge. */
int network_set_links(struct network *network, const struct network_link *links, size_t count,
		      struct error *err);

/* What is known of the bridge; address 0.0.0.0 while there is none. */
struct network_facts {
	const char *bridge;
	struct network_addresses gateways;
	size_t leases;
};
void network_get_facts(struct network *network, struct network_facts *ret);

#endif
