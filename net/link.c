/* What is said of interfaces over netlink. Source: rtnetlink(7), linux/if_link.h,
 * linux/veth.h; Linux's veth.c and br_netlink.c for what they take.
 *
 * A peer in another namespace cannot be made up at once (ENOTCONN): it is raised with its
 * addresses later. Addresses of IPv6 skip the check for duplicates, which takes a second
 * and knows nothing that we do not.
 */
#include "net/link.h"

#include <linux/if_addr.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/attr.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <string.h>

#define DEFAULT_MTU 1500U

DEFINE_AUTO(struct rtnl_link *, rtnl_link_put);
DEFINE_AUTO(struct nl_cache *, nl_cache_free);

/* --- attributes ------------------------------------------------------------------- */

static void put_u32(struct netlink_batch *batch, struct nl_msg *message, int type, uint32_t value)
{
	if (message)
		netlink_check(batch, nla_put_u32(message, type, value));
}

static void put_text(struct netlink_batch *batch, struct nl_msg *message, int type,
		     const char *text)
{
	if (message)
		netlink_check(batch, nla_put_string(message, type, text));
}

static void put_bytes(struct netlink_batch *batch, struct nl_msg *message, int type,
		      const void *bytes, int len)
{
	if (message)
		netlink_check(batch, nla_put(message, type, len, bytes));
}

static struct nlattr *open_nest(struct netlink_batch *batch, struct nl_msg *message, int type)
{
	struct nlattr *nest = message ? nla_nest_start(message, type) : NULL;

	if (!nest)
		batch->failed = true;
	return nest;
}

static void close_nest(struct nl_msg *message, struct nlattr *nest)
{
	if (nest)
		nla_nest_end(message, nest);
}

static struct nl_msg *add_link(struct netlink_batch *batch, int flags, const struct ifinfomsg *info,
			       const char *what)
{
	return netlink_add(batch, RTM_NEWLINK, flags, info, sizeof(*info), what);
}

static struct nl_msg *raise_link(struct netlink_batch *batch, int index, const char *what)
{
	struct ifinfomsg info = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	return add_link(batch, 0, &info, what);
}

static void add_address(struct netlink_batch *batch, int index,
			const struct network_addresses *addresses, bool is_v6, const char *what)
{
	struct ifaddrmsg header = {
		.ifa_family = is_v6 ? AF_INET6 : AF_INET,
		.ifa_prefixlen = (uint8_t)(is_v6 ? addresses->prefix6_len : addresses->prefix_len),
		.ifa_flags = is_v6 ? IFA_F_NODAD : 0,
		.ifa_index = (unsigned)index,
	};
	const void *bytes =
		is_v6 ? (const void *)&addresses->address6 : (const void *)&addresses->address;
	int len = is_v6 ? (int)sizeof(struct in6_addr) : (int)sizeof(struct in_addr);
	struct nl_msg *message = netlink_add(batch, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &header,
					     sizeof(header), what);

	put_bytes(batch, message, IFA_LOCAL, bytes, len);
	put_bytes(batch, message, IFA_ADDRESS, bytes, len);
	netlink_allow(batch, EEXIST);
}

static void add_default_route(struct netlink_batch *batch, int index,
			      const struct network_addresses *gateways, bool is_v6,
			      const char *what)
{
	struct rtmsg header = {
		.rtm_family = is_v6 ? AF_INET6 : AF_INET,
		.rtm_table = RT_TABLE_MAIN,
		.rtm_protocol = RTPROT_STATIC,
		.rtm_scope = RT_SCOPE_UNIVERSE,
		.rtm_type = RTN_UNICAST,
	};
	struct nl_msg *message =
		netlink_add(batch, RTM_NEWROUTE, NLM_F_CREATE, &header, sizeof(header), what);

	if (is_v6)
		put_bytes(batch, message, RTA_GATEWAY, &gateways->address6,
			  (int)sizeof(gateways->address6));
	else
		put_bytes(batch, message, RTA_GATEWAY, &gateways->address,
			  (int)sizeof(gateways->address));
	put_u32(batch, message, RTA_OIF, (uint32_t)index);
}

/* --- finding ------------------------------------------------------------------------ */

static int find_link(struct netlink *netlink, const char *name, struct rtnl_link **ret,
		     struct error *err)
{
	int r = rtnl_link_get_kernel(netlink_get_sock(netlink), 0, name, ret);

	if (r == -NLE_NODEV || r == -NLE_OBJ_NOTFOUND)
		return error_set(err, ENOENT, "no interface '%s'", name);
	if (r < 0)
		return error_set(err, EIO, "cannot look for interface '%s': %s", name,
				 nl_geterror(r));
	return 0;
}

static int check_is_bridge(struct rtnl_link *link, const char *name, struct error *err)
{
	const char *type = rtnl_link_get_type(link);

	if (type && strcmp(type, "bridge") == 0)
		return 0;
	return error_set(err, EEXIST, "interface '%s' is no bridge; use another name", name);
}

int link_find_bridge(struct netlink *netlink, const char *name, struct in_addr *ret_address,
		     unsigned *ret_prefix_len, struct error *err)
{
	struct rtnl_link *link AUTO(rtnl_link_put) = NULL;
	struct nl_cache *cache AUTO(nl_cache_free) = NULL;
	int r = find_link(netlink, name, &link, err);

	if (r == 0)
		r = check_is_bridge(link, name, err);
	if (r < 0)
		return r;
	r = rtnl_addr_alloc_cache(netlink_get_sock(netlink), &cache);
	if (r < 0)
		return error_set(err, EIO, "cannot list addresses: %s", nl_geterror(r));
	for (struct nl_object *at = nl_cache_get_first(cache); at; at = nl_cache_get_next(at)) {
		struct rtnl_addr *address = (struct rtnl_addr *)at;
		struct nl_addr *local = rtnl_addr_get_local(address);

		if (rtnl_addr_get_ifindex(address) != rtnl_link_get_ifindex(link) ||
		    rtnl_addr_get_family(address) != AF_INET || !local)
			continue;
		memcpy(ret_address, nl_addr_get_binary_addr(local), sizeof(*ret_address));
		*ret_prefix_len = (unsigned)rtnl_addr_get_prefixlen(address);
		return 0;
	}
	return error_set(err, ENOENT, "bridge '%s' has no IPv4 address", name);
}

int link_find_eth0(struct netlink *inside, int *ret_index, struct error *err)
{
	struct rtnl_link *link AUTO(rtnl_link_put) = NULL;
	int r = find_link(inside, "eth0", &link, err);

	if (r == 0)
		*ret_index = rtnl_link_get_ifindex(link);
	return r;
}

int link_list(struct netlink *netlink, const char *prefix, void (*fn)(void *arg, const char *name),
	      void *arg, struct error *err)
{
	struct nl_cache *cache AUTO(nl_cache_free) = NULL;
	int r = rtnl_link_alloc_cache(netlink_get_sock(netlink), AF_UNSPEC, &cache);

	if (r < 0)
		return error_set(err, EIO, "cannot list interfaces: %s", nl_geterror(r));
	for (struct nl_object *at = nl_cache_get_first(cache); at; at = nl_cache_get_next(at)) {
		const char *name = rtnl_link_get_name((struct rtnl_link *)at);

		if (name && strncmp(name, prefix, strlen(prefix)) == 0)
			fn(arg, name);
	}
	return 0;
}

bool link_has_alias(struct netlink *netlink, const char *name, const char *alias)
{
	struct rtnl_link *link AUTO(rtnl_link_put) = NULL;
	const char *has;

	if (find_link(netlink, name, &link, NULL) < 0)
		return false;
	has = rtnl_link_get_ifalias(link);
	return has && strcmp(has, alias) == 0;
}

/* The interface of the first default route; 0: none. */
static int find_uplink(struct netlink *netlink)
{
	struct nl_cache *cache AUTO(nl_cache_free) = NULL;

	if (rtnl_route_alloc_cache(netlink_get_sock(netlink), AF_INET, 0, &cache) < 0)
		return 0;
	for (struct nl_object *at = nl_cache_get_first(cache); at; at = nl_cache_get_next(at)) {
		struct rtnl_route *route = (struct rtnl_route *)at;
		struct nl_addr *target = rtnl_route_get_dst(route);

		if (rtnl_route_get_table(route) == RT_TABLE_MAIN && target &&
		    nl_addr_get_prefixlen(target) == 0 && rtnl_route_get_nnexthops(route) > 0)
			return rtnl_route_nh_get_ifindex(rtnl_route_nexthop_n(route, 0));
	}
	return 0;
}

unsigned link_get_uplink_mtu(struct netlink *netlink)
{
	struct rtnl_link *link AUTO(rtnl_link_put) = NULL;
	int index = find_uplink(netlink);
	unsigned mtu;

	if (index == 0 || rtnl_link_get_kernel(netlink_get_sock(netlink), index, NULL, &link) < 0)
		return DEFAULT_MTU;
	mtu = rtnl_link_get_mtu(link);
	return mtu ? mtu : DEFAULT_MTU;
}

/* --- the bridge ----------------------------------------------------------------------- */

static int make_bridge(struct netlink *netlink, const struct link_bridge *bridge, struct error *err)
{
	struct netlink_batch batch = { .count = 0 };
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct nl_msg *message =
		add_link(&batch, NLM_F_CREATE | NLM_F_EXCL, &info, "make the bridge");
	struct nlattr *nest;

	put_text(&batch, message, IFLA_IFNAME, bridge->name);
	put_u32(&batch, message, IFLA_MTU, bridge->mtu);
	nest = open_nest(&batch, message, IFLA_LINKINFO);
	put_text(&batch, message, IFLA_INFO_KIND, "bridge");
	close_nest(message, nest);
	netlink_allow(&batch, EEXIST); /* in the meantime */
	/* Not taken from a request that makes an interface. */
	message = add_link(&batch, 0, &info, "mark the bridge");
	put_text(&batch, message, IFLA_IFNAME, bridge->name);
	put_text(&batch, message, IFLA_IFALIAS, bridge->alias);
	return netlink_send(netlink, &batch, err);
}

/* Neighbours are asked for from a link-local address, and the one that the kernel makes is
 * checked for duplicates first: fe80::1, as Docker's bridge has it, is usable at once. */
static int raise_bridge(struct netlink *netlink, int index, const struct link_bridge *bridge,
			struct error *err)
{
	static const struct network_addresses link_local = {
		.address6.s6_addr = { 0xfe, 0x80, [15] = 1 }, .prefix6_len = 64
	};
	struct netlink_batch batch = { .count = 0 };

	add_address(&batch, index, &bridge->addresses, false, "give the bridge its address");
	raise_link(&batch, index, "raise the bridge");
	if (bridge->addresses.prefix6_len > 0) {
		add_address(&batch, index, &bridge->addresses, true,
			    "give the bridge its IPv6 address");
		add_address(&batch, index, &link_local, true,
			    "give the bridge its link-local address");
	}
	return netlink_send(netlink, &batch, err);
}

int link_ensure_bridge(struct netlink *netlink, const struct link_bridge *bridge, int *ret_index,
		       bool *ret_made, struct error *err)
{
	struct rtnl_link *link AUTO(rtnl_link_put) = NULL;
	struct error missing = ERROR_INIT;
	int r = find_link(netlink, bridge->name, &link, &missing);

	*ret_made = r == -ENOENT;
	if (r == -ENOENT) {
		r = make_bridge(netlink, bridge, err);
		if (r == 0)
			r = find_link(netlink, bridge->name, &link, err);
	} else if (r < 0) {
		return error_set(err, missing.code, "%s", missing.msg);
	}
	if (r == 0)
		r = check_is_bridge(link, bridge->name, err);
	if (r < 0)
		return r;
	*ret_index = rtnl_link_get_ifindex(link);
	return raise_bridge(netlink, *ret_index, bridge, err);
}

/* --- pairs ------------------------------------------------------------------------------ */

static void put_peer(struct netlink_batch *batch, struct nl_msg *message, int ns_fd, unsigned mtu)
{
	struct nlattr *info = open_nest(batch, message, IFLA_LINKINFO);
	struct nlattr *data, *peer;
	struct ifinfomsg header = { .ifi_family = AF_UNSPEC };

	put_text(batch, message, IFLA_INFO_KIND, "veth");
	data = open_nest(batch, message, IFLA_INFO_DATA);
	peer = open_nest(batch, message, VETH_INFO_PEER);
	if (message)
		netlink_check(batch, nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO));
	put_text(batch, message, IFLA_IFNAME, "eth0");
	put_u32(batch, message, IFLA_NET_NS_FD, (uint32_t)ns_fd);
	put_u32(batch, message, IFLA_MTU, mtu);
	close_nest(message, peer);
	close_nest(message, data);
	close_nest(message, info);
}

/* A container that asks the host for its own published port gets its frame back by the port
 * of the bridge that it came in by, which a bridge refuses unless told. */
static void allow_hairpin(struct netlink_batch *batch, const char *name)
{
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct nl_msg *message = add_link(batch, 0, &info, "set up the bridge's port");
	struct nlattr *nest, *data;

	put_text(batch, message, IFLA_IFNAME, name);
	nest = open_nest(batch, message, IFLA_LINKINFO);
	put_text(batch, message, IFLA_INFO_SLAVE_KIND, "bridge");
	data = open_nest(batch, message, IFLA_INFO_SLAVE_DATA);
	if (message)
		netlink_check(batch, nla_put_u8(message, IFLA_BRPORT_MODE, 1));
	close_nest(message, data);
	close_nest(message, nest);
}

int link_make_pair(struct netlink *netlink, const char *name, int bridge_index, int ns_fd,
		   unsigned mtu, struct error *err)
{
	struct netlink_batch batch = { .count = 0 };
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC,
				  .ifi_flags = IFF_UP,
				  .ifi_change = IFF_UP };
	struct nl_msg *message = add_link(&batch, NLM_F_CREATE | NLM_F_EXCL, &info,
					  "make a pair of virtual Ethernet devices");

	put_text(&batch, message, IFLA_IFNAME, name);
	put_u32(&batch, message, IFLA_MTU, mtu);
	put_u32(&batch, message, IFLA_MASTER, (uint32_t)bridge_index);
	put_peer(&batch, message, ns_fd, mtu);
	allow_hairpin(&batch, name);
	return netlink_send(netlink, &batch, err);
}

int link_raise_lo(struct netlink *inside, struct error *err)
{
	struct netlink_batch batch = { .count = 0 };

	raise_link(&batch, 1, "raise lo"); /* LOOPBACK_IFINDEX in every namespace */
	return netlink_send(inside, &batch, err);
}

int link_configure(struct netlink *inside, int eth0_index,
		   const struct network_addresses *addresses,
		   const struct network_addresses *gateways, const uint8_t mac[6],
		   struct error *err)
{
	struct netlink_batch batch = { .count = 0 };
	struct nl_msg *message;

	raise_link(&batch, 1, "raise lo");
	message = raise_link(&batch, eth0_index, "raise eth0");
	put_bytes(&batch, message, IFLA_ADDRESS, mac, 6);
	add_address(&batch, eth0_index, addresses, false, "give eth0 its address");
	add_default_route(&batch, eth0_index, gateways, false, "set the default route");
	if (addresses->prefix6_len > 0) {
		add_address(&batch, eth0_index, addresses, true, "give eth0 its IPv6 address");
		add_default_route(&batch, eth0_index, gateways, true, "set the IPv6 default route");
	}
	return netlink_send(inside, &batch, err);
}

int link_delete(struct netlink *netlink, const char *name, struct error *err)
{
	struct netlink_batch batch = { .count = 0 };
	struct ifinfomsg info = { .ifi_family = AF_UNSPEC };
	struct nl_msg *message =
		netlink_add(&batch, RTM_DELLINK, 0, &info, sizeof(info), "delete an interface");

	put_text(&batch, message, IFLA_IFNAME, name);
	netlink_allow(&batch, ENODEV);
	return netlink_send(netlink, &batch, err);
}
