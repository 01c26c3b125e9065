/* Network namespaces in stock, each with its pair of interfaces on the bridge: making one
 * takes a millisecond and sometimes ten, taking one nothing. Private to net/.
 */
#ifndef NET_NAMESPACE_H
#define NET_NAMESPACE_H

#include "net/netlink.h"
#include "net/network.h"

struct namespaces;

/* One that is not in use. */
struct namespace
{
	int fd;
	struct netlink *inside; /* a socket in it */
	int eth0_index;         /* 0: it has only lo */
	char link[IFNAMSIZ];    /* the host's end, "" for none */
};
void namespace_deinit(struct namespace *namespace); /* lets it go; also a zeroed one with fd -1 */
DEFINE_AUTO_DEINIT(struct namespace, namespace_deinit);

/* prefix: what the host's ends of pairs are called, with 8 digits behind. */
int namespaces_new(const char *prefix, struct namespaces **ret, struct error *err);
void namespaces_free(struct namespaces *namespaces);
DEFINE_AUTO(struct namespaces *, namespaces_free);

/* Where pairs are made from now on; 0: nowhere, and what is in stock is let go. */
void namespaces_set_bridge(struct namespaces *namespaces, int bridge_index, unsigned mtu);
/* From the stock, or made now. -ENETDOWN: there is no bridge. */
int namespaces_take(struct namespaces *namespaces, struct namespace *ret, struct error *err);
/* A name for a pair's end that nobody has. */
void namespaces_name_link(const struct namespaces *namespaces, char ret[IFNAMSIZ]);
/* One that somebody else made, which has only lo yet, gets a pair whose end here is called
 * link. ns_fd: borrowed. */
int namespaces_fit(struct namespaces *namespaces, int ns_fd, const char *link,
		   struct namespace *ret, struct error *err);
/* Without a pair. */
int namespaces_make_empty(struct namespaces *namespaces, struct namespace *ret, struct error *err);

#endif
