/* One queue, one thread. A name that cannot be queued for want of memory times out by itself.
 */
#include "fs/invalidate.h"

#include "base/cleanup.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct item {
	struct item *next;
	uint64_t dir;
	char name[];
};

struct invalidator {
	struct channel *channel;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t work, done;
	struct item *first, **last;
	uint64_t queued, told; /* counts */
	bool stop;
	pthread_t thread;
};

static void *run(void *arg)
{
	struct invalidator *inv = arg;

	pthread_mutex_lock(&inv->lock);
	while (!inv->stop) {
		struct item *item = inv->first;

		if (!item) {
			pthread_cond_wait(&inv->work, &inv->lock);
			continue;
		}
		inv->first = item->next;
		if (!inv->first)
			inv->last = &inv->first;
		pthread_mutex_unlock(&inv->lock);
		/* -ENOENT: the kernel does not keep it. */
		fuse_lowlevel_notify_inval_entry(channel_get_session(inv->channel), item->dir,
						 item->name, strlen(item->name));
		free(item);
		pthread_mutex_lock(&inv->lock);
		inv->told++;
		pthread_cond_broadcast(&inv->done);
	}
	pthread_cond_broadcast(&inv->done);
	pthread_mutex_unlock(&inv->lock);
	return NULL;
}

struct invalidator *invalidator_new(struct channel *channel)
{
	struct invalidator *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return NULL;
	inv->channel = channel;
	inv->last = &inv->first;
	pthread_mutex_init(&inv->lock, NULL);
	pthread_cond_init(&inv->work, NULL);
	pthread_cond_init(&inv->done, NULL);
	if (pthread_create(&inv->thread, NULL, run, inv) != 0) {
		free(inv);
		return NULL;
	}
	return inv;
}

void invalidator_free(struct invalidator *inv)
{
	if (!inv)
		return;
	pthread_mutex_lock(&inv->lock);
	inv->stop = true;
	pthread_cond_signal(&inv->work);
	pthread_mutex_unlock(&inv->lock);
	pthread_join(inv->thread, NULL);
	while (inv->first) {
		struct item *item = inv->first;

		inv->first = item->next;
		free(item);
	}
	pthread_mutex_destroy(&inv->lock);
	pthread_cond_destroy(&inv->work);
	pthread_cond_destroy(&inv->done);
	free(inv);
}

void invalidate_entry(struct invalidator *inv, uint64_t dir, const char *name)
{
	size_t len = strlen(name) + 1;
	struct item *item = malloc(sizeof(*item) + len);

	if (!item)
		return;
	item->next = NULL;
	item->dir = dir;
	memcpy(item->name, name, len);
	pthread_mutex_lock(&inv->lock);
	*inv->last = item;
	inv->last = &item->next;
	inv->queued++;
	pthread_cond_signal(&inv->work);
	pthread_mutex_unlock(&inv->lock);
}

void invalidate_wait(struct invalidator *inv)
{
	uint64_t until;

	pthread_mutex_lock(&inv->lock);
	until = inv->queued;
	while (inv->told < until && !inv->stop)
		pthread_cond_wait(&inv->done, &inv->lock);
	pthread_mutex_unlock(&inv->lock);
}
