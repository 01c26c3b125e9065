/* Restarts by policy: the state `restarting`, the timer behind it, and who ends it.
 *
 * `restarting` is a state like `exited`, with a time at which it ends by a launch. It is
 * entered where the end of a run is published, in the same step, so that nobody
 * sees a container stopped that is not; the monitor's thread keeps the time, and a
 * worker launches with the container's turn taken. Whoever ends the container by
 * hand marks it (stopped_by_user) before acting, and the launch looks for the mark, so a
 * stop and a launch that meet end with a container that is stopped.
 *
 * All of it is in state.json: an engine that takes over goes on with the pause, and one that
 * comes after the machine was started again decides what runs.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/restart_policy.h"

static int64_t get_ran_ns(const struct container_view *view)
{
	return view->started_ns ? view->finished_ns - view->started_ns : 0;
}

/* The next launch is due after the next pause. */
static void set_due_locked(struct container *c, int64_t ran_ns)
{
	c->restart_delay_ns = restart_policy_next_delay(c->restart_delay_ns, ran_ns);
	c->restart_due_ns = clock_monotonic_ns() + c->restart_delay_ns;
}

enum container_state policy_decide_locked(struct container *c, const struct container_view *view)
{
	struct restart_policy policy = restart_policy_get(view->effective);

	c->restart_due_ns = 0;
	if (c->exec || c->restarting || c->stopped_by_user ||
	    !restart_policy_wants(&policy, view->exit_code, view->restarts))
		return CONTAINER_EXITED;
	set_due_locked(c, get_ran_ns(view));
	return CONTAINER_RESTARTING;
}

void policy_arm(struct container *c)
{
	uint64_t run;
	int64_t due_ns;

	pthread_mutex_lock(&c->lock);
	run = c->view->run;
	due_ns = c->view->state == CONTAINER_RESTARTING ? c->restart_due_ns : 0;
	pthread_mutex_unlock(&c->lock);
	/* While recovering, what the sweeps take for a leftover must not come to be. */
	if (due_ns && atomic_load(&c->engine->is_open))
		monitor_set_deadline(c->engine->monitor, c->key, run, due_ns);
}

static bool is_given_up(struct container *c)
{
	bool given_up;

	pthread_mutex_lock(&c->lock);
	given_up = c->view->state == CONTAINER_RESTARTING && c->stopped_by_user;
	pthread_mutex_unlock(&c->lock);
	return given_up;
}

void policy_arm_all(struct engine *engine)
{
	struct container **all;
	size_t count;

	if (table_copy(&engine->table, &all, &count) < 0) {
		log_warn("no memory to look for containers that are to be restarted");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		/* Somebody ended it, and the engine died before it was done. */
		if (is_given_up(all[i]))
			policy_cancel(all[i]);
		policy_arm(all[i]);
		container_unref(all[i]);
	}
	free(all);
}

/* --- the launch ------------------------------------------------------------- */

static bool is_due(struct container *c)
{
	bool due;

	pthread_mutex_lock(&c->lock);
	due = c->view->state == CONTAINER_RESTARTING && !c->stopped_by_user && !c->removed &&
	      c->restart_due_ns && c->restart_due_ns <= clock_monotonic_ns();
	pthread_mutex_unlock(&c->lock);
	return due;
}

/* Not even launched: a longer pause, and status says why. One whose program is missing has run,
 * and came by policy_decide_locked() already. */
static void put_off(struct container *c, uint64_t run, const struct error *cause)
{
	struct container_view *view = container_edit(c);
	bool pending = view->state == CONTAINER_RESTARTING && view->run == run;

	if (pending) {
		set_due_locked(c, 0);
		container_view_set_error(view, cause->msg);
	}
	container_publish(c, view);
	if (pending)
		store_save_state(c);
}

static void launch(struct container *c, struct ticket *ticket)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error cause = ERROR_INIT;

	if (start_by_policy(c, ticket, &cause) < 0)
		put_off(c, view->run, &cause);
	policy_arm(c);
}

static void restart_job(void *arg)
{
	struct container *c = arg;
	struct ticket ticket;
	struct turn turn;

	ticket_init(&ticket, 0, false);
	if (container_take_turn(c, &turn, &ticket, NULL) == 0) {
		if (is_due(c))
			launch(c, &ticket);
		container_leave_turn(c, &turn);
	}
	ticket_deinit(&ticket);
}

void policy_on_deadline(struct container *c, uint64_t run)
{
	bool same;

	pthread_mutex_lock(&c->lock);
	same = c->view->run == run && c->view->state == CONTAINER_RESTARTING;
	pthread_mutex_unlock(&c->lock);
	if (same)
		engine_submit(c, restart_job);
}

/* --- who ends it ------------------------------------------------------------ */

void policy_note_end(struct container *c)
{
	struct restart_policy policy;
	bool news;

	pthread_mutex_lock(&c->lock);
	news = !c->stopped_by_user;
	c->stopped_by_user = true;
	policy = restart_policy_get(c->view->effective);
	pthread_mutex_unlock(&c->lock);
	/* Without a policy the end's own record is soon enough. */
	if (news && !c->exec && policy.kind != RESTART_NO)
		store_save_state(c);
}

/* From `restarting` to `exited`; those who wait are woken by the caller. */
static bool give_up(struct container *c, bool by_user)
{
	struct container_view *view = container_edit(c);
	struct restart_policy policy = restart_policy_get(view->effective);
	bool pending = view->state == CONTAINER_RESTARTING && !c->starting;

	if (!by_user)
		pending =
			pending && !restart_policy_wants(&policy, view->exit_code, view->restarts);
	if (pending) {
		view->state = CONTAINER_EXITED;
		view->changed_ns = clock_now_ns();
		c->restart_due_ns = 0;
		c->stop_asked = false;
		c->stopped_by_user = c->stopped_by_user || by_user;
	}
	container_swap(c, view);
	return pending;
}

static void tell_end(struct container *c)
{
	store_save_state(c);
	pthread_mutex_lock(&c->lock);
	container_wake_locked(c);
	pthread_mutex_unlock(&c->lock);
	container_notify(c);
}

bool policy_cancel(struct container *c)
{
	if (!give_up(c, true))
		return false;
	container_emit(c, "stop", NULL, NULL);
	tell_end(c);
	return true;
}

void policy_reconsider(struct container *c)
{
	if (give_up(c, false))
		tell_end(c);
}

bool policy_is_pending(struct container *c)
{
	bool pending;

	pthread_mutex_lock(&c->lock);
	pending = c->view->state == CONTAINER_RESTARTING;
	pthread_mutex_unlock(&c->lock);
	return pending;
}

/* --- after the machine was started again ------------------------------------ */

void policy_decide_at_boot(struct container *c)
{
	struct container_view *view = container_edit(c);
	struct restart_policy policy = restart_policy_get(view->effective);
	bool wanted = view->state != CONTAINER_CREATED &&
		      restart_policy_wants_at_boot(&policy, c->stopped_by_user);
	bool changed = wanted || view->state == CONTAINER_RESTARTING;

	c->restart_delay_ns = c->restart_due_ns = 0;
	if (wanted)
		c->restart_due_ns = clock_monotonic_ns();
	if (changed) {
		view->state = wanted ? CONTAINER_RESTARTING : CONTAINER_EXITED;
		c->stopped_by_user = c->stopped_by_user && !wanted;
	}
	container_publish(c, view);
	if (changed)
		store_save_state(c);
}

/* --- the runs that belong together ------------------------------------------ */

bool container_get_last_exit(struct container *c, uint64_t *inout_run, int *ret_code)
{
	const struct container_view *view;
	bool ended;

	pthread_mutex_lock(&c->lock);
	view = c->view;
	/* Each restart by the policy is one run more. */
	if (*inout_run < view->run && *inout_run + view->restarts >= view->run)
		*inout_run = view->run;
	ended = c->removed || (container_run_has_ended(c, *inout_run) &&
			       !(view->run == *inout_run && view->state == CONTAINER_RESTARTING));
	if (ended)
		*ret_code =
			*inout_run <= view->run ? c->exit_codes[*inout_run % EXIT_CODES_KEPT] : 0;
	pthread_mutex_unlock(&c->lock);
	return ended;
}
