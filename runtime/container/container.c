/* One container as an object: its published view, its sleepers, its turns.
 *
 * A view is immutable once published; changing one means copying it under
 * c->lock and swapping the pointer, which also wakes who sleeps on the
 * container. A turn is a place in a queue and not a lock: it is held across
 * forks and disk writes, while c->lock is held for a few instructions only.
 * Verbs that wait for a process to end do so without a turn, so that a stuck
 * container blocks neither its `rename` nor the listing above it.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"

#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>

static const char *const state_names[] = { "created", "running", "paused", "restarting", "exited" };

const char *container_state_get_name(enum container_state state)
{
	return state_names[state];
}

/* --- views ------------------------------------------------------------------ */

struct container_view *container_view_ref(struct container_view *view)
{
	atomic_fetch_add_explicit(&view->refs, 1, memory_order_relaxed);
	return view;
}

void container_view_unref(struct container_view *view)
{
	if (!view || atomic_fetch_sub_explicit(&view->refs, 1, memory_order_acq_rel) != 1)
		return;
	json_decref(view->config);
	json_decref(view->effective);
	json_decref(view->network);
	json_decref(view->mounts);
	free(view);
}

bool container_view_is_live(const struct container_view *view)
{
	return view->state == CONTAINER_RUNNING || view->state == CONTAINER_PAUSED;
}

struct container_view *container_get_view(struct container *c)
{
	struct container_view *view;

	pthread_mutex_lock(&c->lock);
	view = container_view_ref(c->view);
	pthread_mutex_unlock(&c->lock);
	return view;
}

/* The end of a run must be published whatever else is wrong, so this cannot fail:
 * it waits for memory, which somebody's end will give back. */
static struct container_view *new_view(void)
{
	struct container_view *view;

	while (!(view = calloc(1, sizeof(*view))))
		sched_yield();
	atomic_init(&view->refs, 1);
	return view;
}

struct container_view *container_edit(struct container *c)
{
	/* All behind the counter, which others may be changing. */
	const size_t from = offsetof(struct container_view, id);
	struct container_view *view = new_view();

	pthread_mutex_lock(&c->lock);
	memcpy((char *)view + from, (const char *)c->view + from, sizeof(*view) - from);
	json_incref(view->config);
	json_incref(view->effective);
	json_incref(view->network);
	json_incref(view->mounts);
	return view;
}

void container_swap(struct container *c, struct container_view *view)
{
	struct container_view *old = c->view;

	c->view = view;
	pthread_mutex_unlock(&c->lock);
	container_view_unref(old);
}

void container_publish(struct container *c, struct container_view *view)
{
	container_wake_locked(c);
	container_swap(c, view);
	container_notify(c);
}

void container_notify(struct container *c)
{
	struct engine *engine = c->engine;

	if (engine->on_change && atomic_load(&engine->is_open))
		engine->on_change(engine->arg, c->key);
}

/* --- the object ------------------------------------------------------------- */

static bool parse_key(const char *id, uint64_t *ret)
{
	char digits[10];

	memcpy(digits, id, 9);
	digits[9] = '\0';
	return num_parse_base(digits, 16, UINT64_MAX, ret) == 0;
}

struct container *container_new(struct engine *engine, const char *id)
{
	struct container *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->view = new_view();
	atomic_init(&c->refs, 1);
	atomic_init(&c->dir_fd, -1);
	atomic_init(&c->root_fd, -1);
	c->oom_fd = -1;
	c->engine = engine_ref(engine);
	memcpy(c->id, id, sizeof(c->id));
	memcpy(c->short_id, id, SHORT_ID_SIZE - 1);
	parse_key(id, &c->key);
	memcpy(c->view->id, id, sizeof(c->view->id));
	memcpy(c->view->name, c->short_id, SHORT_ID_SIZE);
	c->view->key = c->key;
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->shim_lock, NULL);
	pthread_cond_init(&c->saved, NULL);
	return c;
}

struct container *container_ref(struct container *c)
{
	atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
	return c;
}

void container_unref(struct container *c)
{
	int dir_fd;

	if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
		return;
	dir_fd = atomic_load(&c->dir_fd);
	if (dir_fd >= 0)
		close(dir_fd);
	if (c->oom_fd >= 0)
		close(c->oom_fd);
	if (c->root_fd >= 0)
		close(c->root_fd);
	if (c->shim)
		shim_free(c->shim);
	if (c->old_shim)
		shim_free(c->old_shim);
	if (c->is_trashed)
		store_drop_trash(c);
	if (c->exec) {
		container_unref(c->exec->parent);
		free(c->exec->name);
		free(c->exec);
	}
	free(c->execs);
	json_decref(c->log_defaults);
	engine_unref(c->engine);
	container_view_unref(c->view);
	free(c->image_name);
	json_decref(c->network);
	json_decref(c->last_ports);
	pthread_cond_destroy(&c->saved);
	pthread_mutex_destroy(&c->shim_lock);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

bool container_is_removed(struct container *c)
{
	bool removed;

	pthread_mutex_lock(&c->lock);
	removed = c->removed;
	pthread_mutex_unlock(&c->lock);
	return removed;
}

/* Opened at the first wish: ten thousand containers that nobody looks into cost
 * no descriptors. Two threads may both open it; the second one's is closed. */
int container_get_dir_fd(struct container *c)
{
	int fd = atomic_load(&c->dir_fd), none = -1;

	if (fd >= 0 || c->exec) /* an exec's is there from the beginning */
		return fd;
	fd = openat(c->engine->containers_fd, c->id,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -1;
	if (atomic_compare_exchange_strong(&c->dir_fd, &none, fd))
		return fd;
	close(fd);
	return none;
}

/* --- sleeping --------------------------------------------------------------- */

void container_wake_locked(struct container *c)
{
	for (struct waiter *w = c->waiters; w; w = w->next) {
		pthread_mutex_lock(&w->ticket->lock);
		w->woken = true;
		pthread_cond_broadcast(&w->ticket->changed);
		pthread_mutex_unlock(&w->ticket->lock);
	}
}

static void remove_waiter_locked(struct container *c, struct waiter *waiter)
{
	struct waiter **at = &c->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
}

/* With ticket->lock held. */
static void sleep_on_ticket(struct ticket *ticket, int64_t until_ns)
{
	struct timespec until = { .tv_sec = until_ns / 1000000000,
				  .tv_nsec = until_ns % 1000000000 };

	if (until_ns)
		pthread_cond_timedwait(&ticket->changed, &ticket->lock, &until);
	else
		pthread_cond_wait(&ticket->changed, &ticket->lock);
}

int container_sleep_until_locked(struct container *c, struct ticket *ticket,
				 container_predicate *done, uint64_t arg, int64_t until_ns)
{
	struct waiter waiter = { .next = c->waiters, .ticket = ticket, .woken = false };
	bool cancelled = false, late = false;

	c->waiters = &waiter;
	while (!done(c, arg) && !cancelled && !late) {
		pthread_mutex_unlock(&c->lock);
		pthread_mutex_lock(&ticket->lock);
		while (!waiter.woken && !ticket->cancelled && !late) {
			sleep_on_ticket(ticket, until_ns);
			late = until_ns && clock_monotonic_ns() >= until_ns;
		}
		waiter.woken = false;
		cancelled = ticket->cancelled;
		pthread_mutex_unlock(&ticket->lock);
		pthread_mutex_lock(&c->lock);
	}
	remove_waiter_locked(c, &waiter);
	if (done(c, arg))
		return 0;
	return cancelled ? -EINTR : -ETIMEDOUT;
}

int container_sleep_locked(struct container *c, struct ticket *ticket, container_predicate *done,
			   uint64_t arg)
{
	return container_sleep_until_locked(c, ticket, done, arg, 0);
}

bool container_run_has_ended(const struct container *c, uint64_t run)
{
	return c->view->run > run ||
	       (c->view->run == run && !container_view_is_live(c->view) && !c->ending);
}

bool container_has_launched(const struct container *c, uint64_t unused)
{
	(void)unused;
	return !c->starting;
}

bool container_has_settled(const struct container *c, uint64_t unused)
{
	(void)unused;
	return !c->starting && !c->restarting;
}

/* --- turns ------------------------------------------------------------------ */

/* The end of a run is a turn of its own, which overtakes all others. */
static bool has_turn(const struct container *c, uint64_t turn)
{
	return (uintptr_t)c->turn_first == turn && !c->ending;
}

static void remove_turn_locked(struct container *c, struct turn *turn)
{
	struct turn *before = NULL;

	for (struct turn *t = c->turn_first; t != turn; t = t->next)
		before = t;
	if (before)
		before->next = turn->next;
	else
		c->turn_first = turn->next;
	if (c->turn_last == turn)
		c->turn_last = before;
}

int container_take_turn(struct container *c, struct turn *turn, struct ticket *ticket,
			struct error *err)
{
	int ret;

	turn->next = NULL;
	pthread_mutex_lock(&c->lock);
	if (c->turn_last)
		c->turn_last->next = turn;
	else
		c->turn_first = turn;
	c->turn_last = turn;
	ret = container_sleep_locked(c, ticket, has_turn, (uintptr_t)turn);
	if (ret < 0)
		remove_turn_locked(c, turn);
	pthread_mutex_unlock(&c->lock);
	return ret < 0 ? error_set(err, EINTR, "interrupted before it began") : 0;
}

void container_leave_turn(struct container *c, struct turn *turn)
{
	pthread_mutex_lock(&c->lock);
	remove_turn_locked(c, turn);
	container_wake_locked(c);
	pthread_mutex_unlock(&c->lock);
}

/* --- small things all verbs need -------------------------------------------- */

void container_view_set_error(struct container_view *view, const char *sentence)
{
	auto_json json_t *fits = json_string(sentence);

	snprintf(view->error, sizeof(view->error), "%s", sentence);
	for (char *at = view->error; !fits && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
}

int container_check(struct container *c, bool damaged_is_fine, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	if (container_is_removed(c))
		return error_set(err, ENOENT, "no such container: %s", view->name);
	if (view->damaged && !damaged_is_fine)
		return error_set(err, EIO, "container '%s' is damaged: %s; only rm works",
				 view->name, view->error);
	return 0;
}

void container_emit(struct container *c, const char *action, const char *key, const char *value)
{
	const char *const pairs[] = { key, value, NULL };

	container_emit_pairs(c, action, pairs);
}

void container_emit_pairs(struct container *c, const char *action, const char *const pairs[])
{
	if (c->exec) /* there are no events of execs */
		return;
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	json_t *labels = json_get_object(view->effective, "Labels");
	auto_json json_t *attributes = labels ? json_copy(labels) : json_object();

	json_object_set_new(attributes, "image",
			    json_string(json_get_str(view->config, "Image", "")));
	json_object_set_new(attributes, "name", json_string(view->name));
	for (; *pairs; pairs += 2)
		json_object_set_new(attributes, pairs[0], json_string(pairs[1]));
	events_emit(c->engine->events, "container", action, c->id, attributes);
}

/* --- wait ------------------------------------------------------------------- */

/* The run that a wait beginning now is about: the one under way, else the first. */
static bool find_awaited_run_locked(const struct container *c, uint64_t *ret)
{
	if (c->starting) {
		*ret = c->starting;
		return true;
	}
	*ret = c->view->run ? c->view->run : 1;
	return container_view_is_live(c->view) || !c->view->run || c->ending;
}

/* Has the launch of `run`, not the first, come to nothing? Then the run before it is the last. */
static bool was_not_launched(const struct container *c, uint64_t run)
{
	return !c->starting && c->view->run && c->view->run < run;
}

static bool has_ended_or_gone(const struct container *c, uint64_t run)
{
	return c->removed || was_not_launched(c, run) || container_run_has_ended(c, run);
}

int container_wait(struct container *c, struct ticket *ticket, int *ret_code, struct error *err)
{
	uint64_t run;
	int ret = 0, code;
	bool ended;

	pthread_mutex_lock(&c->lock);
	if (c->view->damaged || !find_awaited_run_locked(c, &run)) {
		*ret_code = c->view->exit_code;
		pthread_mutex_unlock(&c->lock);
		return 0;
	}
	ret = container_sleep_locked(c, ticket, has_ended_or_gone, run);
	ended = c->view->run || container_run_has_ended(c, run);
	code = container_run_has_ended(c, run) ? c->exit_codes[run % EXIT_CODES_KEPT]
					       : c->view->exit_code;
	pthread_mutex_unlock(&c->lock);
	if (ret < 0)
		return error_set(err, EINTR, "interrupted");
	if (!ended)
		return error_set(err, ENOENT, "the container was removed before it ran");
	*ret_code = code;
	return 0;
}
