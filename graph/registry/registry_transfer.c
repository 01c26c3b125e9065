/* Transfers: a thread that works, and threads that wait for it. Ten times a second those look whether their
 * callers have gone and whether there is something new to show.
 */
#include "graph/registry/registry_transfer.h"

#include "base/clock.h"
#include "base/worker.h"

#include <string.h>
#include <time.h>

#define LOOK_EVERY_NS 100000000L
#define SECOND_NS 1000000000L

int transfer_init(struct transfer *transfer, int (*run)(void *arg, struct error *err), void *arg,
		  struct error *err)
{
	pthread_condattr_t attr;

	*transfer = (struct transfer){ .run = run, .arg = arg };
	transfer->progress = progress_new();
	if (!transfer->progress)
		return error_set(err, ENOMEM, "out of memory for a transfer");
	pthread_mutex_init(&transfer->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&transfer->changed, &attr);
	pthread_condattr_destroy(&attr);
	return 0;
}

void transfer_deinit(struct transfer *transfer)
{
	if (!transfer->progress)
		return;
	pthread_cond_destroy(&transfer->changed);
	pthread_mutex_destroy(&transfer->lock);
	progress_free(transfer->progress);
}

static void *run_thread(void *arg)
{
	struct transfer *transfer = arg;
	struct error err = ERROR_INIT;

	transfer->run(transfer->arg, &err);
	pthread_mutex_lock(&transfer->lock);
	transfer->err = err;
	transfer->is_done = true;
	pthread_cond_broadcast(&transfer->changed);
	pthread_mutex_unlock(&transfer->lock);
	return NULL;
}

int transfer_start(struct transfer *transfer, struct error *err)
{
	int r = worker_start_thread(&transfer->thread, run_thread, transfer);

	return r < 0 ? error_set_sys(err, -r, "cannot start a thread for a transfer") : 0;
}

bool transfer_is_done(struct transfer *transfer)
{
	bool done;

	pthread_mutex_lock(&transfer->lock);
	done = transfer->is_done;
	pthread_mutex_unlock(&transfer->lock);
	return done;
}

/* Show what has changed since. */
static void show(struct transfer *transfer, const struct registry_watch *watch,
		 struct strbuf *shown)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;

	if (!watch->show)
		return;
	progress_render(transfer->progress, &lines);
	if (lines.oom || strcmp(strbuf_get_str(&lines), strbuf_get_str(shown)) == 0)
		return;
	strbuf_reset(shown);
	strbuf_append(shown, lines.data, lines.len);
	watch->show(watch->arg, shown);
}

static void nap(struct transfer *transfer)
{
	int64_t until_ns = clock_monotonic_ns() + LOOK_EVERY_NS;
	struct timespec until = { .tv_sec = until_ns / SECOND_NS, .tv_nsec = until_ns % SECOND_NS };

	pthread_mutex_lock(&transfer->lock);
	if (!transfer->is_done)
		pthread_cond_timedwait(&transfer->changed, &transfer->lock, &until);
	pthread_mutex_unlock(&transfer->lock);
}

int transfer_wait(struct transfer *transfer, const struct registry_watch *watch, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf shown = STRBUF_INIT;

	while (!transfer_is_done(transfer)) {
		if (watch->is_cancelled && watch->is_cancelled(watch->arg))
			return error_set(err, EINTR, "interrupted");
		show(transfer, watch, &shown);
		nap(transfer);
	}
	if (transfer->err.code && err)
		*err = transfer->err;
	return -transfer->err.code;
}

void transfer_end(struct transfer *transfer)
{
	atomic_store(&transfer->stop, true);
	pthread_join(transfer->thread, NULL);
}

bool transfer_is_stopped(void *arg)
{
	return atomic_load(&((struct transfer *)arg)->stop);
}
