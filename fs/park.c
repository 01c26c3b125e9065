/* A list of parked requests and a set of keys to wake. The waker takes one request at a time out of the
 * lock (busy), tries it, and drops it when it was answered. An interrupt that does not count yet (a
 * stop, a tracer) is looked at again every 50 ms, for the kernel sends only one for each request.
 */
#include "fs/park.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define RECHECK_NS (50 * INT64_C(1000000))
/* Logs that grow without a pause keep keys coming: between two looks at them this many requests are tried. */
#define TRIES_MAX 1024

struct park {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t work;  /* for the waker; CLOCK_MONOTONIC */
	pthread_cond_t idle;  /* a request is no longer busy */
	struct parked *first;
	uint64_t *keys; /* woken, not seen to */
	size_t key_count, key_cap;
	bool all_keys;      /* there was no memory to note a key: wake everybody */
	bool again;         /* some request is woken or interrupted */
	int64_t recheck_ns; /* when interrupts that did not count are looked at again; 0: none */
	bool stop;
	pthread_t thread;
	void (*on_wake)(void *arg, uint64_t key);
	void *arg;
};

static void note_key_locked(struct park *park, uint64_t key)
{
	for (size_t i = 0; i < park->key_count; i++) {
		if (park->keys[i] == key)
			return;
	}
	if (park->key_count == park->key_cap) {
		size_t cap = park->key_cap ? park->key_cap * 2 : 16;
		uint64_t *keys = realloc(park->keys, cap * sizeof(*keys));

		if (!keys) {
			park->all_keys = true;
			return;
		}
		park->keys = keys;
		park->key_cap = cap;
	}
	park->keys[park->key_count++] = key;
}

/* Mark the parked that watch one of the keys. */
static void mark_woken_locked(struct park *park, const uint64_t *keys, size_t count, bool all)
{
	for (struct parked *p = park->first; p; p = p->next) {
		for (size_t i = 0; i < count && !p->woken; i++)
			p->woken = p->key == keys[i];
		p->woken |= all;
	}
	park->again = true;
}

static void unlink_locked(struct park *park, struct parked *p)
{
	if (p->prev)
		p->prev->next = p->next;
	else
		park->first = p->next;
	if (p->next)
		p->next->prev = p->prev;
}

/* One request that wants trying, made busy; NULL when there is none. */
static struct parked *take_locked(struct park *park)
{
	for (struct parked *p = park->first; p; p = p->next) {
		if (p->busy || !(p->woken || (p->interrupted && !p->resting)))
			continue;
		p->busy = true;
		p->woken = false;
		return p;
	}
	return NULL;
}

static void try_one_locked(struct park *park, struct parked *p)
{
	bool interrupted = p->interrupted;
	bool counts, answered;

	pthread_mutex_unlock(&park->lock);
	counts = interrupted && caller_has_signal(p->tid, p->signals);
	answered = p->try(p, counts);
	pthread_mutex_lock(&park->lock);
	p->busy = false;
	if (answered) {
		unlink_locked(park, p);
	} else if (counts) {
		p->interrupted = false; /* told once; a command under way ends by itself */
	} else if (interrupted) {
		p->resting = true;
		if (!park->recheck_ns)
			park->recheck_ns = clock_monotonic_ns() + RECHECK_NS;
	}
	pthread_cond_broadcast(&park->idle);
	if (answered) {
		pthread_mutex_unlock(&park->lock);
		p->drop(p);
		pthread_mutex_lock(&park->lock);
	}
}

static void recheck_signals_locked(struct park *park)
{
	park->recheck_ns = 0;
	for (struct parked *p = park->first; p; p = p->next) {
		park->again |= p->resting;
		p->resting = false;
	}
}

static void wait_for_work_locked(struct park *park)
{
	struct timespec until;

	if (!park->recheck_ns) {
		pthread_cond_wait(&park->work, &park->lock);
		return;
	}
	until.tv_sec = park->recheck_ns / 1000000000;
	until.tv_nsec = park->recheck_ns % 1000000000;
	pthread_cond_timedwait(&park->work, &park->lock, &until);
}

static void wake_keys_locked(struct park *park)
{
	uint64_t *keys = park->keys;
	size_t count = park->key_count;
	bool all = park->all_keys;

	park->keys = NULL;
	park->key_count = park->key_cap = 0;
	park->all_keys = false;
	pthread_mutex_unlock(&park->lock);
	for (size_t i = 0; i < count; i++)
		park->on_wake(park->arg, keys[i]);
	pthread_mutex_lock(&park->lock);
	mark_woken_locked(park, keys, count, all);
	free(keys);
}

static void *run_waker(void *arg)
{
	struct park *park = arg;
	struct parked *p;
	unsigned tries = 0;

	pthread_mutex_lock(&park->lock);
	while (!park->stop) {
		/* By the clock, not by a quiet moment: a log that grows leaves none. */
		if (park->recheck_ns && clock_monotonic_ns() >= park->recheck_ns)
			recheck_signals_locked(park);
		if ((park->key_count || park->all_keys) && (!park->again || tries >= TRIES_MAX)) {
			wake_keys_locked(park);
			tries = 0;
		} else if (park->again) {
			p = take_locked(park);
			tries++;
			if (p)
				try_one_locked(park, p);
			else
				park->again = false;
		} else {
			wait_for_work_locked(park);
		}
	}
	pthread_mutex_unlock(&park->lock);
	return NULL;
}

struct park *park_new(void (*on_wake)(void *arg, uint64_t key), void *arg)
{
	struct park *park = calloc(1, sizeof(*park));
	pthread_condattr_t monotonic;

	if (!park)
		return NULL;
	park->on_wake = on_wake;
	park->arg = arg;
	pthread_mutex_init(&park->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&park->work, &monotonic);
	pthread_cond_init(&park->idle, NULL);
	pthread_condattr_destroy(&monotonic);
	if (pthread_create(&park->thread, NULL, run_waker, park) != 0) {
		free(park);
		return NULL;
	}
	return park;
}

void park_stop(struct park *park)
{
	bool stopped;

	pthread_mutex_lock(&park->lock);
	stopped = park->stop;
	park->stop = true;
	pthread_cond_signal(&park->work);
	pthread_mutex_unlock(&park->lock);
	if (!stopped)
		pthread_join(park->thread, NULL);
}

void park_free(struct park *park)
{
	if (!park)
		return;
	park_stop(park);
	while (park->first) {
		struct parked *p = park->first;

		unlink_locked(park, p);
		/* Not answered: the kernel sends it to the next engine, or ends it with the mount. */
		fuse_reply_none(p->req);
		p->drop(p);
	}
	free(park->keys);
	pthread_mutex_destroy(&park->lock);
	pthread_cond_destroy(&park->work);
	pthread_cond_destroy(&park->idle);
	free(park);
}

/* libfuse calls this under its request's lock, maybe from within the registration. Looked for in the list, for
 * the parked may be gone when a late interrupt is delivered. */
static void on_interrupt(fuse_req_t req, void *data)
{
	struct park *park = data;
	struct parked *p;

	pthread_mutex_lock(&park->lock);
	for (p = park->first; p && p->req != req; p = p->next)
		;
	if (p) {
		p->interrupted = true;
		park->again = true;
		pthread_cond_signal(&park->work);
	}
	pthread_mutex_unlock(&park->lock);
}

void park_add(struct park *park, struct parked *p)
{
	pthread_mutex_lock(&park->lock);
	p->busy = true; /* not to be answered before the callback is registered */
	p->woken = true;
	p->interrupted = p->resting = false;
	p->prev = NULL;
	p->next = park->first;
	if (p->next)
		p->next->prev = p;
	park->first = p;
	pthread_mutex_unlock(&park->lock);

	fuse_req_interrupt_func(p->req, on_interrupt, park);

	pthread_mutex_lock(&park->lock);
	p->busy = false;
	park->again = true;
	pthread_cond_signal(&park->work);
	pthread_cond_broadcast(&park->idle);
	pthread_mutex_unlock(&park->lock);
}

void park_remove(struct park *park, struct parked *p)
{
	fuse_req_interrupt_func(p->req, NULL, NULL);
	pthread_mutex_lock(&park->lock);
	while (p->busy)
		pthread_cond_wait(&park->idle, &park->lock);
	unlink_locked(park, p);
	pthread_mutex_unlock(&park->lock);
}

void park_wake(struct park *park, uint64_t key)
{
	pthread_mutex_lock(&park->lock);
	note_key_locked(park, key);
	pthread_cond_signal(&park->work);
	pthread_mutex_unlock(&park->lock);
}
