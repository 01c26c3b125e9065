/* The ranges that a new network must not overlap. Private to net/. */
#ifndef NET_TAKEN_H
#define NET_TAKEN_H

#include "net/netlink.h"
#include "net/subnet.h"

struct taken {
	struct subnet *ranges; /* heap */
	size_t count;
};

/* Where this host's IPv4 routes and addresses lead, and its resolvers are. */
int taken_collect(struct netlink *netlink, struct taken *ret, struct error *err);
/* Is that range in the way of a network that this host has? -EADDRINUSE: it is one that the host
 * is in, or holds one that it has a route to. A way to a larger range is none: the smaller one
 * goes before it. */
int taken_check(struct netlink *netlink, const struct subnet *wished, struct error *err);
void taken_deinit(struct taken *taken);
DEFINE_AUTO_DEINIT(struct taken, taken_deinit);

#endif
