/* Several blobs at once, each on a thread with a connection of its own. Private to graph/. */
#ifndef GRAPH_REGISTRY_REGISTRY_LANES_H
#define GRAPH_REGISTRY_REGISTRY_LANES_H

#include "graph/registry/registry_session.h"

#include <stdatomic.h>

/* Do work() for 0 to count - 1, a few at a time, in order of their beginning. The first failure is the
 * result; *stop is set then, which the session's is_cancelled should look at. */
int lanes_run(struct session *session, size_t count,
	      int (*work)(void *arg, struct http *http, size_t index, struct error *err), void *arg,
	      atomic_bool *stop, struct error *err);

/* Is it worth trying again? Broken connections, and servers that say they are ill; status 0: ret alone counts. */
bool lanes_may_retry(int ret, int status);
/* Before the next try, longer each time. -EINTR when cancelled. */
int lanes_back_off(const struct session *session, unsigned failures,
		   const struct http_answer *answer, struct error *err);
#define LANES_TRIES_MAX 4 /* in a row without one byte */

#endif
