/* Work with a registry on a thread of its own, while those who asked for it wait and show how far it is.
 * Private to graph/.
 */
#ifndef GRAPH_REGISTRY_REGISTRY_TRANSFER_H
#define GRAPH_REGISTRY_REGISTRY_TRANSFER_H

#include "graph/registry/registry.h"
#include "graph/registry/registry_progress.h"

#include <pthread.h>
#include <stdatomic.h>

struct transfer {
	struct progress *progress;
	atomic_bool stop; /* nobody waits any more, or a part has failed: the work is to end */
	int (*run)(void *arg, struct error *err);
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	bool is_done;
	struct error err;
};

/* run: the work; it looks at stop. */
int transfer_init(struct transfer *transfer, int (*run)(void *arg, struct error *err), void *arg,
		  struct error *err);
/* After transfer_end(), or when it was not started; also of a zeroed one. */
void transfer_deinit(struct transfer *transfer);
int transfer_start(struct transfer *transfer, struct error *err);
/* Wait until it is done, and show it meanwhile: its result, or -EINTR when watch says so (it goes on). */
int transfer_wait(struct transfer *transfer, const struct registry_watch *watch, struct error *err);
bool transfer_is_done(struct transfer *transfer);
/* Stop it and wait for its thread. */
void transfer_end(struct transfer *transfer);
/* For is_cancelled of a session; arg is the transfer. */
bool transfer_is_stopped(void *arg);

#endif
