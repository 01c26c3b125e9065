/* Another container's root file system, had while our own turn is taken.
 *
 * To mount it takes that one's turn, and two containers that bind each other's root
 * would wait for each other for ever. So a worker takes it, and we wait for the
 * worker only so long.
 */
#include "runtime/volume/volume_private.h"

#include "base/clock.h"

#include <limits.h>
#include <time.h>

#define WAIT_S 5

/* Shared by the one who waits and the worker; the last one frees it. */
struct exposure {
	pthread_mutex_t lock;
	pthread_cond_t finished;
	struct container *container;
	unsigned refs;
	bool done;
	int ret;
	struct error err;
	char path[PATH_MAX];
};

static void release(struct exposure *e)
{
	bool last;

	pthread_mutex_lock(&e->lock);
	last = --e->refs == 0;
	pthread_mutex_unlock(&e->lock);
	if (!last)
		return;
	pthread_cond_destroy(&e->finished);
	pthread_mutex_destroy(&e->lock);
	container_unref(e->container);
	free(e);
}

static void expose(void *arg)
{
	struct exposure *e = arg;
	int ret = container_expose_rootfs(e->container, e->path, sizeof(e->path), &e->err);

	pthread_mutex_lock(&e->lock);
	e->ret = ret;
	e->done = true;
	pthread_cond_broadcast(&e->finished);
	pthread_mutex_unlock(&e->lock);
	release(e);
}

static struct exposure *begin(struct container *c)
{
	struct exposure *e = calloc(1, sizeof(*e));
	pthread_condattr_t attr;

	if (!e)
		return NULL;
	pthread_mutex_init(&e->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&e->finished, &attr);
	pthread_condattr_destroy(&attr);
	e->container = container_ref(c);
	e->refs = 2;
	if (workers_submit(c->engine->workers, expose, e) == 0)
		return e;
	e->refs = 1;
	release(e);
	return NULL;
}

int volume_find_rootfs(struct container *c, char *ret_path, size_t size, struct error *err)
{
	struct timespec until;
	struct exposure *e;
	int ret;

	if (container_find_rootfs(c, ret_path, size) == 0)
		return 0;
	e = begin(c);
	if (!e)
		return error_set(err, ENOMEM, "no memory for a root file system");
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += WAIT_S;
	pthread_mutex_lock(&e->lock);
	while (!e->done && pthread_cond_timedwait(&e->finished, &e->lock, &until) == 0)
		;
	if (!e->done)
		ret = error_set(err, EBUSY, "container %s is busy with another command",
				c->short_id);
	else if (e->ret < 0)
		ret = error_set(err, e->err.code, "%s", e->err.msg);
	else
		ret = snprintf(ret_path, size, "%s", e->path) < 0 ? -EIO : 0;
	pthread_mutex_unlock(&e->lock);
	release(e);
	return ret;
}
