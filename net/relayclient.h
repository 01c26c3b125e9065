/* Talking to the relay (net/relay/relay.h): found by its socket, or started. Private to net/.
 */
#ifndef NET_RELAYCLIENT_H
#define NET_RELAYCLIENT_H

#include "base/cleanup.h"
#include "base/error.h"
#include "net/relay/protocol.h"

#include <stdbool.h>

struct relayclient;

/* run_fd: RUN, where the socket is; borrowed for good. Starts nothing. */
int relayclient_new(int run_fd, struct relayclient **ret, struct error *err);
/* The relay runs on while it holds anything. */
void relayclient_free(struct relayclient *client);
DEFINE_AUTO(struct relayclient *, relayclient_free);

/* One request and its answer: a count, or -errno with a sentence. fd: for RELAY_OP_ADD, else
 * -1. A relay that has died is started again for an ADD; for all else it holds nothing: 0.
 * Not thread-safe. */
int64_t relayclient_ask(struct relayclient *client, const struct relay_request *request, int fd,
			struct error *err);

/* Nothing is held: a relay that runs for us alone ends, and its socket goes. */
void relayclient_rest(struct relayclient *client);

#endif
