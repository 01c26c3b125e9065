/* pause and unpause, and the pause that a signal ends.
 *
 * The kernel holds the truth: a container is paused when its group is frozen, and
 * an engine that takes over asks for that before it believes state.json. The state is
 * published after the deed and stored after the event, so that what a killed
 * engine has not come to is found by comparing these three.
 *
 * A stop and a kill take no turn, so one can come while a pause is being made. Each
 * marks what it wants and then looks at the state; a pause publishes the state and
 * then looks for the mark: one of them sees the other.
 *
 * A hold is a pause of the engine's own, for the length of a copy. A file in the container's
 * RUN directory, made before the processes are stopped and removed after they go on,
 * tells the next engine that nobody else wants it. Any end of the pause is the end of
 * the hold too.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#define FREEZE_TIMEOUT_MS 5000
#define HOLD_FILE "hold" /* the number of the run */

/* Publish the state if the run is still going on in the other one. False: it is not. */
static bool change_state(struct container *c, uint64_t run, enum container_state from,
			 enum container_state to)
{
	struct container_view *view = container_edit(c);
	bool fits = view->run == run && view->state == from && !c->ending;

	if (fits) {
		view->state = to;
		view->changed_ns = clock_now_ns();
		if (to == CONTAINER_RUNNING)
			c->holds = 0;
		container_wake_locked(c);
	}
	container_swap(c, view);
	if (fits)
		container_notify(c);
	return fits;
}

static void tell(struct container *c, const char *action)
{
	container_emit(c, action, NULL, NULL);
	store_save_state(c);
}

static void forget_hold(struct container *c)
{
	auto_fd int dir_fd = store_open_run_dir(c, false, NULL);

	if (dir_fd >= 0)
		unlinkat(dir_fd, HOLD_FILE, 0);
}

/* Thaw, then say so. */
static int lift(struct container *c, uint64_t run, struct error *err)
{
	int ret = cgroup_thaw(c->engine->cgroups, c->id, FREEZE_TIMEOUT_MS, err);

	if (ret == 0)
		forget_hold(c);
	if (ret == 0 && change_state(c, run, CONTAINER_PAUSED, CONTAINER_RUNNING))
		tell(c, "unpause");
	return ret;
}

void pause_lift(struct container *c, uint64_t run)
{
	struct error err = ERROR_INIT;
	bool paused;

	pthread_mutex_lock(&c->lock);
	paused = c->view->run == run && c->view->state == CONTAINER_PAUSED;
	pthread_mutex_unlock(&c->lock);
	if (paused && lift(c, run, &err) < 0)
		log_warn("container %s: %s", c->short_id, err.msg);
}

/* --- the verbs -------------------------------------------------------------- */

static int refuse_state(const struct container_view *view, struct error *err)
{
	if (!container_view_is_live(view))
		return error_set(err, ESRCH, "container '%s' is not running", view->name);
	return error_set(err, EBUSY, "container '%s' is %s", view->name,
			 view->state == CONTAINER_PAUSED ? "already paused" : "not paused");
}

/* Did an engine that died begin this very command on this run? */
static bool was_begun(const struct ticket *ticket, const struct container *c, uint64_t run)
{
	uint64_t noted;

	return ticket_find_run(ticket, c, &noted) && noted == run;
}

static bool is_being_ended(struct container *c)
{
	bool ended;

	pthread_mutex_lock(&c->lock);
	ended = c->stop_asked;
	pthread_mutex_unlock(&c->lock);
	return ended;
}

static int pause_in_turn(struct container *c, struct ticket *ticket, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error cause = ERROR_INIT;
	int ret = container_check(c, false, err);

	if (ret < 0)
		return ret;
	if (view->state == CONTAINER_PAUSED && was_begun(ticket, c, view->run))
		return 0;
	if (view->state != CONTAINER_RUNNING)
		return refuse_state(view, err);
	ticket_note_run(ticket, c, view->run);
	ret = cgroup_freeze(c->engine->cgroups, c->id, FREEZE_TIMEOUT_MS, &cause);
	if (ret < 0 && ret != -ENOENT && ret != -ENODEV)
		return error_set(err, -ret, "container '%s': %s", view->name, cause.msg);
	if (ret < 0 || !change_state(c, view->run, CONTAINER_RUNNING, CONTAINER_PAUSED)) {
		cgroup_thaw(c->engine->cgroups, c->id, FREEZE_TIMEOUT_MS, NULL);
		return error_set(err, ESRCH, "container '%s' has ended", view->name);
	}
	tell(c, "pause");
	/* Also one that another stop has thawed meanwhile. */
	if (is_being_ended(c) || !cgroup_is_frozen(c->engine->cgroups, c->id))
		pause_lift(c, view->run);
	return 0;
}

static int unpause_in_turn(struct container *c, struct ticket *ticket, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error cause = ERROR_INIT;
	int ret = container_check(c, false, err);

	if (ret < 0)
		return ret;
	if (view->state == CONTAINER_RUNNING && was_begun(ticket, c, view->run))
		return 0;
	if (view->state != CONTAINER_PAUSED)
		return refuse_state(view, err);
	ticket_note_run(ticket, c, view->run);
	ret = lift(c, view->run, &cause);
	return ret < 0 ? error_set(err, -ret, "container '%s': %s", view->name, cause.msg) : 0;
}

static int do_in_turn(struct container *c, struct ticket *ticket,
		      int (*verb)(struct container *, struct ticket *, struct error *),
		      struct error *err)
{
	struct turn turn;
	int ret = container_take_turn(c, &turn, ticket, err);

	if (ret == 0) {
		ret = verb(c, ticket, err);
		container_leave_turn(c, &turn);
	}
	return ret;
}

int container_pause(struct container *c, struct ticket *ticket, struct error *err)
{
	return do_in_turn(c, ticket, pause_in_turn, err);
}

int container_unpause(struct container *c, struct ticket *ticket, struct error *err)
{
	return do_in_turn(c, ticket, unpause_in_turn, err);
}

/* --- holds ------------------------------------------------------------------ */

static int note_hold(struct container *c, uint64_t run, struct error *err)
{
	auto_fd int dir_fd = store_open_run_dir(c, false, err);
	char text[24];
	int len = snprintf(text, sizeof(text), "%" PRIu64, run);

	if (dir_fd < 0)
		return dir_fd;
	return path_replace_file(dir_fd, HOLD_FILE, text, (size_t)len, 0600, false, err);
}

/* Of that run? */
static bool find_hold(struct container *c, uint64_t run)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_fd int dir_fd = store_open_run_dir(c, false, NULL);
	uint64_t noted;

	return dir_fd >= 0 && path_read_file(dir_fd, HOLD_FILE, 64, &text, NULL) == 0 &&
	       num_parse_u64(strbuf_get_str(&text), 0, UINT64_MAX, &noted) == 0 && noted == run;
}

/* A new one of so many holders, or one more of the one that there is; its serial number, 0: there is none. */
static uint64_t count_hold(struct container *c, uint64_t run, bool is_new)
{
	uint64_t serial = 0;

	pthread_mutex_lock(&c->lock);
	if (is_new) {
		c->holds = 0;
		c->hold_run = run;
		c->hold_serial++;
	}
	if (is_new || (c->holds > 0 && c->hold_run == run)) {
		c->holds++;
		serial = c->hold_serial;
	}
	pthread_mutex_unlock(&c->lock);
	return serial;
}

/* Was it the last of those who need this pause, and is it going on? */
static bool discount_hold(struct container *c, uint64_t serial)
{
	bool is_last = false;

	pthread_mutex_lock(&c->lock);
	if (c->hold_serial == serial && c->holds > 0)
		is_last = --c->holds == 0 && c->view->state == CONTAINER_PAUSED &&
			  c->view->run == c->hold_run;
	pthread_mutex_unlock(&c->lock);
	return is_last;
}

int pause_hold(struct container *c, uint64_t *ret, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct ticket ticket;
	uint64_t serial;
	int r;

	*ret = 0;
	if (view->state == CONTAINER_PAUSED)
		*ret = count_hold(c, view->run, false);
	if (view->state != CONTAINER_RUNNING)
		return 0;
	r = note_hold(c, view->run, err);
	if (r < 0)
		return r;
	serial = count_hold(c, view->run, true);
	ticket_init(&ticket, 0, false);
	r = pause_in_turn(c, &ticket, err);
	ticket_deinit(&ticket);
	if (r == 0) {
		*ret = serial;
		return 0;
	}
	discount_hold(c, serial);
	forget_hold(c);
	if (r == -ESRCH) { /* it has ended meanwhile */
		error_clear(err);
		return 0;
	}
	return r;
}

void pause_release(struct container *c, uint64_t hold)
{
	struct error err = ERROR_INIT;
	struct ticket ticket;
	struct turn turn;

	if (!hold)
		return;
	ticket_init(&ticket, 0, false);
	if (container_take_turn(c, &turn, &ticket, NULL) == 0) {
		AUTO(container_view_unref) struct container_view *view = container_get_view(c);

		if (discount_hold(c, hold) && lift(c, view->run, &err) < 0)
			log_warn("container %s: %s", c->short_id, err.msg);
		container_leave_turn(c, &turn);
	}
	ticket_deinit(&ticket);
}

/* --- after an engine's death ------------------------------------------------ */

/* Was the pause told last, or its end? Nothing told since the start is neither. */
static bool was_told_paused(const struct container *c)
{
	static const char *const actions[] = { "start", "pause", "unpause", NULL };

	return events_find_last(c->engine->events, c->id, actions) == 1;
}

void pause_recover(struct container *c, uint64_t run, bool was_paused)
{
	bool paused = cgroup_is_frozen(c->engine->cgroups, c->id);

	if (find_hold(c, run)) {
		if (paused && cgroup_thaw(c->engine->cgroups, c->id, FREEZE_TIMEOUT_MS, NULL) == 0)
			paused = false;
		forget_hold(c);
	}
	if (paused)
		change_state(c, run, CONTAINER_RUNNING, CONTAINER_PAUSED);
	else
		change_state(c, run, CONTAINER_PAUSED, CONTAINER_RUNNING);
	if (paused != was_paused) {
		if (was_told_paused(c) != paused)
			container_emit(c, paused ? "pause" : "unpause", NULL, NULL);
		store_save_state(c);
	}
	/* The signal is out, and waits. */
	if (paused && is_being_ended(c))
		pause_lift(c, run);
}
