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
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"

#define FREEZE_TIMEOUT_MS 5000

/* Publish the state if the run is still going on in the other one. False: it is not. */
static bool change_state(struct container *c, uint64_t run, enum container_state from,
			 enum container_state to)
{
	struct container_view *view = container_edit(c);
	bool fits = view->run == run && view->state == from && !c->ending;

	if (fits) {
		view->state = to;
		view->changed_ns = clock_now_ns();
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

/* Thaw, then say so. */
static int lift(struct container *c, uint64_t run, struct error *err)
{
	int ret = cgroup_thaw(c->engine->cgroups, c->id, FREEZE_TIMEOUT_MS, err);

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
