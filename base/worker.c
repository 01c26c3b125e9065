/* Threads that may wait: see worker.h.
 *
 * A job is queued first; then, unless a thread is idle for each queued job, one
 * more is made, outside the lock. A thread without work for IDLE_S ends.
 * Threads are joined, not detached, so that none is still running its last
 * instructions when workers_free() returns: each one that ends leaves its
 * handle and joins the one that left before it.
 *
 * Everything in struct workers but max and create is guarded by lock.
 */
#include "base/worker.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

/* Long enough that a busy minute makes its threads once, short enough that a
 * burst of waiting jobs does not keep its stacks. */
#define IDLE_S 10

struct job {
	struct job *next;
	uint64_t serial;
	void (*fn)(void *arg);
	void *arg;
};

typedef int (*create_fn)(void *arg, pthread_t *ret, void *(*run)(void *), void *run_arg);

struct workers {
	create_fn create; /* constant, as its argument */
	void *create_arg;
	pthread_mutex_t lock;
	pthread_cond_t work;  /* a job was queued, or ending was set */
	pthread_cond_t empty; /* the last thread is ending */
	struct job *first, **last;
	size_t queued;
	uint64_t next_serial;
	unsigned max;
	unsigned threads; /* all, those being made included */
	unsigned free;    /* idle or being made: will look at the queue */
	bool ending;
	bool has_ended;
	pthread_t ended; /* the last thread that ended, not joined yet */
};

static int create_here(void *arg, pthread_t *ret, void *(*run)(void *), void *run_arg)
{
	(void)arg;
	return -pthread_create(ret, NULL, run, run_arg);
}

struct workers *workers_new(unsigned max)
{
	return workers_new_from(max, create_here, NULL);
}

struct workers *workers_new_from(unsigned max, create_fn create, void *arg)
{
	struct workers *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;

	if (!w)
		return NULL;
	w->create = create;
	w->create_arg = arg;
	w->max = max > 0 ? max : 1;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->empty, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->work, &attr);
	pthread_condattr_destroy(&attr);
	return w;
}

static struct job *take_job_locked(struct workers *w)
{
	struct job *job = w->first;

	if (!job)
		return NULL;
	w->first = job->next;
	if (!w->first)
		w->last = &w->first;
	w->queued--;
	return job;
}

/* Wait for a job; NULL when the thread shall end. */
static struct job *wait_job_locked(struct workers *w)
{
	struct timespec until;
	int r = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	while (!w->first && !w->ending && r == 0)
		r = pthread_cond_timedwait(&w->work, &w->lock, &until);
	return take_job_locked(w);
}

/* Say that this thread ends; true and the handle when another one did before
 * and is to be joined. */
static bool leave_locked(struct workers *w, pthread_t *ret_before)
{
	bool join = w->has_ended;

	if (join)
		*ret_before = w->ended;
	w->ended = pthread_self();
	w->has_ended = true;
	w->free--;
	if (--w->threads == 0)
		pthread_cond_signal(&w->empty);
	return join;
}

static void *run_jobs(void *arg)
{
	struct workers *w = arg;
	struct job *job;
	pthread_t before;
	bool join;

	pthread_mutex_lock(&w->lock);
	while ((job = wait_job_locked(w))) {
		w->free--;
		pthread_mutex_unlock(&w->lock);
		job->fn(job->arg);
		free(job);
		pthread_mutex_lock(&w->lock);
		w->free++;
	}
	join = leave_locked(w, &before);
	pthread_mutex_unlock(&w->lock);
	if (join)
		pthread_join(before, NULL);
	return NULL;
}

/* Signals belong to the one thread that reads them from a descriptor. */
static int make_thread(struct workers *w)
{
	sigset_t all, old;
	pthread_t thread;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = w->create(w->create_arg, &thread, run_jobs, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

int worker_start_thread(pthread_t *ret, void *(*run)(void *arg), void *arg)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(ret, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

/* Take the job with this number out of the queue again; NULL when a thread has
 * it. By number: the address may be another job's by now. */
static struct job *withdraw_job_locked(struct workers *w, uint64_t serial)
{
	struct job **at = &w->first;

	while (*at && (*at)->serial != serial)
		at = &(*at)->next;
	if (*at) {
		struct job *job = *at;

		*at = job->next;
		if (!*at)
			w->last = at;
		w->queued--;
		return job;
	}
	return NULL;
}

int workers_submit(struct workers *w, void (*fn)(void *arg), void *arg)
{
	struct job *job = calloc(1, sizeof(*job));
	uint64_t serial;
	bool grow;
	int r;

	if (!job)
		return -ENOMEM;
	job->fn = fn;
	job->arg = arg;

	pthread_mutex_lock(&w->lock);
	serial = job->serial = w->next_serial++;
	*w->last = job;
	w->last = &job->next;
	w->queued++;
	grow = w->free < w->queued && w->threads < w->max;
	if (grow) {
		w->threads++;
		w->free++;
	}
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	if (!grow)
		return 0;

	r = make_thread(w);
	if (r == 0)
		return 0;
	pthread_mutex_lock(&w->lock);
	w->threads--;
	w->free--;
	job = withdraw_job_locked(w, serial);
	pthread_mutex_unlock(&w->lock);
	if (!job)
		return 0;
	free(job);
	return r;
}

static void join_all(struct workers *w)
{
	pthread_t last;
	bool join;

	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_broadcast(&w->work);
	while (w->threads > 0)
		pthread_cond_wait(&w->empty, &w->lock);
	last = w->ended;
	join = w->has_ended;
	pthread_mutex_unlock(&w->lock);
	if (join)
		pthread_join(last, NULL);
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	join_all(w);
	pthread_cond_destroy(&w->work);
	pthread_cond_destroy(&w->empty);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
