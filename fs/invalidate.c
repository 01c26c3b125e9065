/* One queue, one thread, which waits for the teller's process. A name that cannot be queued for want of memory
 * times out by itself. What is queued is kept until the kernel has been told: an engine that is killed leaves
 * it to the next one.
 */
#include "fs/invalidate.h"

#include "base/cleanup.h"
#include "base/strbuf.h"
#include "fs/kept.h"
#include "fs/teller.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct item {
	struct item *next;
	uint64_t number; /* in kept */
	uint64_t dir;
	char name[];
};

struct invalidator {
	struct teller *teller;
	struct kept *kept;
	invalidate_has_fn has;
	void *arg;
	pthread_mutex_t lock; /* guards all below */
	uint64_t next_number;
	pthread_cond_t work, done;
	struct item *first, **last;
	uint64_t queued, told; /* counts */
	bool stop;
	bool is_running; /* of who makes and frees it alone */
	pthread_t thread;
};

static void tell(struct invalidator *inv, const struct item *item)
{
	bool is_there = inv->has(inv->arg, item->dir, item->name);

	if (teller_tell(inv->teller, item->dir, item->name, is_there) == 0)
		kept_put(inv->kept, item->number, NULL, 0, NULL);
}

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
		tell(inv, item);
		free(item);
		pthread_mutex_lock(&inv->lock);
		inv->told++;
		pthread_cond_broadcast(&inv->done);
	}
	pthread_cond_broadcast(&inv->done);
	pthread_mutex_unlock(&inv->lock);
	return NULL;
}

static struct item *make_item(uint64_t number, uint64_t dir, const char *name)
{
	size_t len = strlen(name) + 1;
	struct item *item = malloc(sizeof(*item) + len);

	if (!item)
		return NULL;
	item->next = NULL;
	item->number = number;
	item->dir = dir;
	memcpy(item->name, name, len);
	return item;
}

static void append_locked(struct invalidator *inv, struct item *item)
{
	*inv->last = item;
	inv->last = &item->next;
	inv->queued++;
	pthread_cond_signal(&inv->work);
}

/* What a former engine did not come to. The thread does not run yet. */
static void requeue(void *arg, uint64_t number, const char *text, size_t len)
{
	struct invalidator *inv = arg;
	struct item *item;
	uint64_t dir;

	if (number >= inv->next_number)
		inv->next_number = number + 1;
	if (len <= sizeof(dir))
		return;
	memcpy(&dir, text, sizeof(dir));
	item = make_item(number, dir, text + sizeof(dir));
	if (item)
		append_locked(inv, item);
}

struct invalidator *invalidator_new(struct teller *teller, struct kept *kept, invalidate_has_fn has,
				    void *arg)
{
	struct invalidator *inv = calloc(1, sizeof(*inv));

	if (!inv)
		return NULL;
	inv->teller = teller;
	inv->last = &inv->first;
	inv->kept = kept;
	inv->has = has;
	inv->arg = arg;
	inv->next_number = KEPT_UNTOLD;
	pthread_mutex_init(&inv->lock, NULL);
	pthread_cond_init(&inv->work, NULL);
	pthread_cond_init(&inv->done, NULL);
	kept_visit(kept, KEPT_UNTOLD, requeue, inv);
	if (pthread_create(&inv->thread, NULL, run, inv) != 0) {
		free(inv);
		return NULL;
	}
	inv->is_running = true;
	return inv;
}

void invalidator_stop(struct invalidator *inv)
{
	if (!inv || !inv->is_running)
		return;
	pthread_mutex_lock(&inv->lock);
	inv->stop = true;
	pthread_cond_signal(&inv->work);
	pthread_mutex_unlock(&inv->lock);
	teller_cancel(inv->teller);
	pthread_join(inv->thread, NULL);
	inv->is_running = false;
}

void invalidator_free(struct invalidator *inv)
{
	if (!inv)
		return;
	invalidator_stop(inv);
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

static void keep(struct invalidator *inv, uint64_t number, uint64_t dir, const char *name)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	strbuf_append(&text, &dir, sizeof(dir));
	strbuf_append_str(&text, name);
	if (!text.oom)
		kept_put(inv->kept, number, text.data, text.len, NULL);
}

void invalidate_entry(struct invalidator *inv, uint64_t dir, const char *name)
{
	struct item *item;
	uint64_t number;

	pthread_mutex_lock(&inv->lock);
	number = inv->next_number++;
	pthread_mutex_unlock(&inv->lock);
	item = make_item(number, dir, name);
	if (!item)
		return;
	keep(inv, number, dir, name);
	pthread_mutex_lock(&inv->lock);
	append_locked(inv, item);
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
