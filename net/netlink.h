/* Requests to the kernel's routing netlink: messages are built with libnl's nlmsg_* and
 * nla_*, and sent several at a time, since a round trip costs more than a message.
 * Private to net/.
 */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include "base/cleanup.h"
#include "base/error.h"

#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stddef.h>

/* A socket of the network namespace that the thread was in when it was opened. Not
 * thread-safe. */
struct netlink;

int netlink_open(struct netlink **ret, struct error *err);
void netlink_close(struct netlink *netlink);
DEFINE_AUTO(struct netlink *, netlink_close);

/* For libnl's own dumps (rtnl_link_alloc_cache() and the like). */
struct nl_sock *netlink_get_sock(struct netlink *netlink);

#define NETLINK_BATCH_MAX 12

struct netlink_batch {
	struct nl_msg *messages[NETLINK_BATCH_MAX];
	const char *what[NETLINK_BATCH_MAX]; /* "cannot WHAT: ..." */
	int fine[NETLINK_BATCH_MAX];         /* an errno that is success (EEXIST), or 0 */
	size_t count;
	bool failed; /* a message did not fit or no memory was left */
};

/* Begin a request of RTM_* type; flags besides NLM_F_REQUEST and NLM_F_ACK. The header that
 * the type wants (struct ifinfomsg, ...) is appended. NULL: no memory, noted. what: borrowed
 * text, "make the bridge". */
struct nl_msg *netlink_add(struct netlink_batch *batch, int type, int flags, const void *header,
			   size_t header_len, const char *what);
/* Note the result of a nla_put*(). */
void netlink_check(struct netlink_batch *batch, int ret);
/* The last request may fail with that errno. */
void netlink_allow(struct netlink_batch *batch, int code);

/* Send all, wait for all answers, empty the batch. 0, or the first failure's errno with a
 * sentence that has the kernel's own words where it gives some. What comes behind a failed
 * request was tried all the same: the caller undoes. */
int netlink_send(struct netlink *netlink, struct netlink_batch *batch, struct error *err);

#endif
