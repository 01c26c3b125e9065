/* The connection to a container's shim, and what goes through it: signals,
 * stdin, the terminal's size.
 *
 * struct shim is not thread-safe, so shim_lock is held over each round trip.
 * The event loop must not wait for that: it only tries, and leaves a mark when
 * it failed, which whoever holds the connection looks at after letting go. A
 * round trip may have read events on the way; so each link_leave() takes what
 * there is before the socket is watched again.
 */
#include "runtime/engine_private.h"

#include "base/log.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/syscall.h>

/* A shim that closed the socket is normally on its way out. */
#define CLOSING_MS 1000

struct news {
	bool exited, closed, stdin_changed;
};

static struct news drain_locked(struct container *c)
{
	struct news news = { .closed = c->shim_closed };

	while (!news.closed) {
		struct shim_event event = shim_read_event(c->shim);

		if (event.type == SHIM_NONE)
			break;
		if (event.type == SHIM_EXITED) {
			c->shim_exited = news.exited = true;
			c->exit_code = event.exit_code;
			c->finished_ns = event.finished_ns;
		} else if (event.type == SHIM_CLOSED) {
			c->shim_closed = news.closed = true;
			return news;
		} else {
			news.stdin_changed = true;
		}
	}
	news.closed = false; /* not news */
	return news;
}

void link_attach(struct container *c, uint64_t run, struct shim *shim)
{
	pthread_mutex_lock(&c->shim_lock);
	c->shim = shim;
	c->shim_run = run;
	c->shim_exited = c->shim_closed = false;
	pthread_mutex_unlock(&c->shim_lock);
}

void link_watch(struct container *c)
{
	pthread_mutex_lock(&c->shim_lock);
	if (c->shim)
		monitor_watch(c->engine->monitor, c->key, c->shim_run, shim_get_fd(c->shim),
			      shim_get_pidfd(c->shim));
	pthread_mutex_unlock(&c->shim_lock);
}

struct shim *link_enter(struct container *c, uint64_t run)
{
	pthread_mutex_lock(&c->shim_lock);
	if (c->shim && c->shim_run == run)
		return c->shim;
	pthread_mutex_unlock(&c->shim_lock);
	return NULL;
}

bool link_wait_gone(const struct shim *shim, int timeout_ms)
{
	struct pollfd pollfd = { .fd = shim_get_pidfd(shim), .events = POLLIN };
	int ret;

	do
		ret = poll(&pollfd, 1, timeout_ms);
	while (ret < 0 && errno == EINTR);
	return ret > 0;
}

void link_kill_shim(const struct shim *shim)
{
	syscall(SYS_pidfd_send_signal, shim_get_pidfd(shim), SIGKILL, NULL, 0);
}

/* The socket was closed without an exit having been told. If the shim lives, the
 * connection is made again; if not, its pidfd has woken the event loop. */
static void reconnect(void *arg)
{
	struct container *c = arg;
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct shim *old = link_enter(c, view->run), *fresh = NULL;
	auto_fd int run_dir_fd = -1;
	struct launch_result result;
	struct error err = ERROR_INIT;

	if (old && !link_wait_gone(old, CLOSING_MS)) {
		run_dir_fd = store_open_run_dir(c, false, &err);
		if (run_dir_fd >= 0 && shim_connect(run_dir_fd, &fresh, &result, &err) == 0) {
			monitor_unwatch(c->engine->monitor, shim_get_fd(old), shim_get_pidfd(old));
			shim_free(old);
			c->shim = fresh;
			c->shim_closed = false;
			monitor_watch(c->engine->monitor, c->key, c->shim_run, shim_get_fd(fresh),
				      shim_get_pidfd(fresh));
		} else {
			log_warn("container %s: its shim answers no more: %s", c->short_id,
				 err.msg);
			link_kill_shim(old);
		}
	}
	if (old)
		link_leave(c);
}

void link_leave(struct container *c)
{
	struct news news = drain_locked(c);
	bool exited = c->shim_exited;
	uint64_t run = c->shim_run;

	if (!c->shim_closed)
		monitor_rearm(c->engine->monitor, c->key, run, shim_get_fd(c->shim));
	pthread_mutex_unlock(&c->shim_lock);
	if (news.stdin_changed)
		container_notify(c);
	if (news.exited)
		exit_schedule(c, run);
	else if (news.closed && !exited)
		engine_submit(c, reconnect);
	if (atomic_exchange(&c->shim_pending, false))
		link_on_event(c, run);
}

void link_on_event(struct container *c, uint64_t run)
{
	if (pthread_mutex_trylock(&c->shim_lock) != 0) {
		atomic_store(&c->shim_pending, true);
		/* Whoever held it may have looked for the mark just before. */
		if (pthread_mutex_trylock(&c->shim_lock) != 0)
			return;
		atomic_store(&c->shim_pending, false);
	}
	if (c->shim && c->shim_run == run)
		link_leave(c);
	else
		pthread_mutex_unlock(&c->shim_lock);
}

void link_on_gone(struct container *c, uint64_t run)
{
	exit_schedule(c, run);
}

struct shim *link_detach(struct container *c, bool *ret_exited, int *ret_code,
			 int64_t *ret_finished_ns)
{
	struct shim *shim;

	pthread_mutex_lock(&c->shim_lock);
	shim = c->shim;
	c->shim = NULL;
	if (shim)
		monitor_unwatch(c->engine->monitor, shim_get_fd(shim), shim_get_pidfd(shim));
	*ret_exited = shim && c->shim_exited;
	*ret_code = c->exit_code;
	*ret_finished_ns = c->finished_ns;
	pthread_mutex_unlock(&c->shim_lock);
	return shim;
}

/* --- what users send -------------------------------------------------------- */

static int refuse_stopped(const struct container_view *view, struct error *err)
{
	return error_set(err, ESRCH, "container '%s' is not running", view->name);
}

/* Does it run, with an input that somebody may write to? */
static int check_stdin(const struct container_view *view, struct error *err)
{
	if (!container_view_is_live(view))
		return refuse_stopped(view, err);
	if (!json_get_bool(view->effective, "OpenStdin", false))
		return error_set(err, EPIPE, "container '%s' has no stdin; set OpenStdin",
				 view->name);
	return 0;
}

/* What the shim said, of that container. */
static int refuse_input(const struct container_view *view, int code, const struct error *cause,
			struct error *err)
{
	if (code == EPIPE)
		return error_set(err, EPIPE, "stdin of container '%s' is closed", view->name);
	return error_set(err, code, "container '%s': %s", view->name, cause->msg);
}

static ssize_t write_stdin(struct container *c, uint64_t number, const void *bytes, size_t len,
			   struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error cause = ERROR_INIT;
	struct shim *shim;
	ssize_t ret = check_stdin(view, err);

	if (ret < 0)
		return ret;
	shim = link_enter(c, view->run);
	if (!shim)
		return error_set(err, EPIPE, "container '%s' has ended", view->name);
	ret = shim_stdin(shim, number, bytes, len, &cause);
	link_leave(c);
	if (ret == -ESRCH)
		return error_set(err, EPIPE, "container '%s' has ended", view->name);
	return ret < 0 ? refuse_input(view, (int)-ret, &cause, err) : ret;
}

ssize_t container_write_stdin(struct container *c, uint64_t number, const void *bytes, size_t len,
			      struct error *err)
{
	ssize_t ret = write_stdin(c, number, bytes, len, err);

	error_wrap(err, ret < 0 ? (int)ret : 0, "stdin");
	return ret;
}

static int close_stdin(struct container *c, uint64_t number, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error cause = ERROR_INIT;
	struct shim *shim;
	int ret = check_stdin(view, err);

	if (ret < 0)
		return ret;
	shim = link_enter(c, view->run);
	if (!shim)
		return 0; /* it ends: its input is closed */
	ret = shim_close_stdin(shim, number, &cause);
	link_leave(c);
	return ret < 0 ? refuse_input(view, -ret, &cause, err) : 0;
}

int container_close_stdin(struct container *c, struct ticket *ticket, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	uint64_t noted;

	/* An engine that was killed has closed it, and the program has ended for that. */
	if (ticket_find_run(ticket, c, &noted) &&
	    (noted != view->run || !container_view_is_live(view)))
		return 0;
	if (container_view_is_live(view))
		ticket_note_run(ticket, c, view->run);
	return close_stdin(c, ticket->number, err);
}

static int resize(struct container *c, uint64_t number, unsigned rows, unsigned cols,
		  struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct shim *shim;
	int ret;

	if (!container_view_is_live(view))
		return refuse_stopped(view, err);
	if (!json_get_bool(view->effective, "Tty", false))
		return error_set(err, ENOTTY, "container '%s' has no terminal", view->name);
	shim = link_enter(c, view->run);
	if (!shim)
		return refuse_stopped(view, err);
	ret = shim_resize(shim, number, rows, cols, err);
	link_leave(c);
	return ret;
}

int container_resize(struct container *c, struct ticket *ticket, unsigned rows, unsigned cols,
		     struct error *err)
{
	int ret = resize(c, ticket->number, rows, cols, err);
	char height[12], width[12];
	const char *const size[] = { "height", height, "width", width, NULL };

	if (ret < 0)
		return ret;
	snprintf(height, sizeof(height), "%u", rows);
	snprintf(width, sizeof(width), "%u", cols);
	container_emit_pairs(c, "resize", size);
	return 0;
}

/* --- who has stdin open ----------------------------------------------------- */

void container_open_stdin(struct container *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->stdin_run != c->view->run) {
		c->stdin_run = c->view->run;
		c->stdin_writers = 0;
	}
	c->stdin_writers++;
	pthread_mutex_unlock(&c->lock);
}

void container_release_stdin(struct container *c, uint64_t run)
{
	struct error err = ERROR_INIT;
	bool last = false;

	pthread_mutex_lock(&c->lock);
	if (c->stdin_run == run && c->stdin_writers > 0)
		last = --c->stdin_writers == 0 && c->view->run == run &&
		       container_view_is_live(c->view) &&
		       json_get_bool(c->view->effective, "StdinOnce", false);
	pthread_mutex_unlock(&c->lock);
	if (last && close_stdin(c, 0, &err) < 0 && err.code != ESRCH)
		log_warn("cannot close stdin of container %s: %s", c->short_id, err.msg);
}
