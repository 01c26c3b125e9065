/* Threads that may wait: jobs run in the order given, each on a thread of its
 * own if need be. The pool grows when no thread is idle and shrinks again.
 */
#ifndef BASE_WORKER_H
#define BASE_WORKER_H

#include "base/cleanup.h"

#include <pthread.h>

struct workers;

/* max  most threads at once (further jobs queue)
 * Returns NULL when memory ran out. Threads have all signals blocked. */
struct workers *workers_new(unsigned max);
/* The same, with threads that are not made by pthread_create() of whoever submits: create does that, wherever
 * it likes, and returns 0 or -errno. */
struct workers *workers_new_from(unsigned max,
				 int (*create)(void *arg, pthread_t *ret, void *(*run)(void *),
					       void *run_arg),
				 void *arg);
/* Waits for the jobs that were begun and those queued. */
void workers_free(struct workers *w);
DEFINE_AUTO(struct workers *, workers_free);
/* 0, or -ENOMEM/-EAGAIN when the job could not be taken (it will not run). */
int workers_submit(struct workers *w, void (*fn)(void *arg), void *arg);

/* A thread of one's own, with all signals blocked: those are for the threads that expect them.
 * The caller joins it. 0 or -errno. */
int worker_start_thread(pthread_t *ret, void *(*run)(void *arg), void *arg);

#endif
