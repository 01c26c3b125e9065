/* start and restart.
 *
 * A start is a transaction: looked up first, then the intent (state.json says
 * which run is about to be launched), then the deed, then the result. Whatever
 * fails before the program was executed is taken back, and the container is what
 * it was; only a program that is missing or cannot run counts as a run, one that
 * has ended with 127 or 126.
 *
 * A restart waits for the end of the old run without a turn, so that nothing
 * queues behind a slow stop; that one is under way (c->restarting) is what keeps
 * a start or rm out until it has launched.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "graph/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define EXIT_CANNOT_EXECUTE 126
#define EXIT_NOT_FOUND 127

void ticket_note_run(struct ticket *ticket, const struct container *c, uint64_t run)
{
	ticket_note(ticket, "%s %" PRIu64, c->id, run);
}

bool ticket_find_run(const struct ticket *ticket, const struct container *c, uint64_t *ret)
{
	size_t len = strlen(c->id);

	return ticket->resumed && !strncmp(ticket->note, c->id, len) && ticket->note[len] == ' ' &&
	       num_parse_u64(ticket->note + len + 1, 0, UINT64_MAX, ret) == 0;
}

/* Did an earlier engine carry this start out? Then its outcome. */
bool start_find_outcome(struct container *c, struct ticket *ticket, int *ret, struct error *err)
{
	uint64_t run;
	bool done, failed;

	*ret = 0;
	if (!ticket->resumed)
		return false;
	if (container_is_removed(c))
		return true; /* made, run and removed by itself */
	if (!ticket_find_run(ticket, c, &run))
		return false;
	pthread_mutex_lock(&c->lock);
	done = c->view->run >= run;
	failed = c->view->run == run && c->start_code;
	if (failed)
		*ret = error_set(err, c->start_code, "%s", c->view->error);
	pthread_mutex_unlock(&c->lock);
	return done;
}

/* run 0: no launch is under way any more. */
void start_set_starting(struct container *c, uint64_t run)
{
	pthread_mutex_lock(&c->lock);
	c->starting = run;
	c->policy_start = false;
	container_wake_locked(c);
	pthread_mutex_unlock(&c->lock);
	store_save_state(c);
}

/* The same for a restart by policy, unless it was ended by hand meanwhile. */
static bool set_starting_by_policy(struct container *c, uint64_t run)
{
	bool wanted;

	pthread_mutex_lock(&c->lock);
	wanted = c->view->state == CONTAINER_RESTARTING && !c->stopped_by_user;
	c->policy_start = wanted;
	c->starting = wanted ? run : 0;
	pthread_mutex_unlock(&c->lock);
	if (wanted)
		store_save_state(c);
	return wanted;
}

/* The run that was launched: one more of the policy's, or the first of a new count. */
static void count_run_locked(struct container *c, struct container_view *view, uint64_t run)
{
	view->run = run;
	view->restarts = c->policy_start ? view->restarts + 1 : 0;
	if (!c->policy_start)
		c->restart_delay_ns = 0;
	c->restart_due_ns = 0;
	c->starting = 0;
}

/* --- the three outcomes ----------------------------------------------------- */

void start_finish_running(struct container *c, json_t *effective, uint64_t run,
			  const struct launch_result *result, struct shim *shim)
{
	struct container_view *view;

	link_attach(c, run, shim);
	view = container_edit(c);
	view->state = CONTAINER_RUNNING;
	count_run_locked(c, view, run);
	view->pid = result->pid;
	view->exit_code = 0;
	view->oom_killed = false;
	view->error[0] = '\0';
	view->started_ns = view->changed_ns = clock_now_ns();
	json_decref(view->effective);
	view->effective = json_incref(effective);
	network_show_locked(c, view, true);
	c->start_code = 0;
	c->finishing = false;
	c->ending = c->stop_asked = c->stopped_by_user = c->policy_start = false;
	c->stop_deadline_ns = 0;
	container_publish(c, view);
	/* First the event: what an engine that is killed here has not stored, the next one
	 * finds out again, and looks whether it was told. */
	container_emit(c, "start", NULL, NULL);
	store_save_state(c);
	link_watch(c);
	oom_watch(c);
	network_tell_neighbours(c);
}

void start_finish_without_program(struct container *c, json_t *effective, uint64_t run,
				  const struct error *cause)
{
	int code = cause->code == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_EXECUTE;
	struct container_view *view;
	char text[12];

	view = container_edit(c);
	count_run_locked(c, view, run);
	view->pid = 0;
	view->exit_code = code;
	view->oom_killed = false;
	container_view_set_error(view, cause->msg);
	view->started_ns = 0;
	view->finished_ns = view->changed_ns = clock_now_ns();
	json_decref(view->effective);
	view->effective = json_incref(effective);
	/* A start that somebody asked for has failed, which he was told. */
	view->state = c->policy_start ? policy_decide_locked(c, view) : CONTAINER_EXITED;
	c->policy_start = false;
	c->start_code = cause->code;
	c->exit_codes[run % EXIT_CODES_KEPT] = code;
	container_publish(c, view);
	store_save_state(c);
	snprintf(text, sizeof(text), "%d", code);
	container_emit(c, "die", "exitCode", text);
}

static void finish_without_program(struct container *c, struct ticket *ticket,
				   struct start_plan *plan, uint64_t run, const struct error *cause)
{
	bool auto_remove = start_plan_is_auto_remove(plan);
	struct error err = ERROR_INIT;

	/* Gone without a trace, it would pass for one that ran and removed itself. First of all, for who
	 * finds it ended removes it. */
	if (auto_remove)
		ticket_note(ticket, "%s failed %d %.100s", c->id, cause->code, cause->msg);
	start_finish_without_program(c, start_plan_get_effective(plan), run, cause);
	if (auto_remove && remove_in_turn(c, true, &err) < 0)
		log_warn("container %s: %s", c->short_id, err.msg);
}

/* What was held for the run before is the same overlay, or was let go. */
static void hold_root(struct container *c, int fd)
{
	int before = atomic_exchange(&c->root_fd, fd);

	if (before >= 0)
		close(before);
}

/* Most programs in no known format are another machine's. */
static void explain_format(struct container *c, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	AUTO(image_unref)
	struct image *image =
		*view->image_id ? graph_find_image(c->engine->graph, view->image_id, NULL) : NULL;
	struct error why = ERROR_INIT, plain = *err;

	if (!image || platform_check(NULL, image->config, &why) != -ENOENT)
		return;
	error_clear(err);
	error_set(err, plain.code, "%s; the image says that %s", plain.msg, why.msg);
}

static int launch(struct container *c, struct ticket *ticket, struct start_plan *plan, uint64_t run,
		  struct error *err)
{
	struct error cause = ERROR_INIT;
	struct launch_result result;
	bool program_failed = false;
	struct shim *shim = NULL;
	int ret = start_plan_make(plan, run, &cause);

	if (ret == 0)
		ret = launch_start(c->engine->launcher, start_plan_get_spec(plan), &result,
				   &program_failed, &shim, &cause);
	if (ret == 0) {
		hold_root(c, start_plan_steal_root(plan));
		start_finish_running(c, start_plan_get_effective(plan), run, &result, shim);
		return 0;
	}
	start_plan_undo(plan);
	if (program_failed && cause.code == ENOEXEC)
		explain_format(c, &cause);
	if (program_failed)
		finish_without_program(c, ticket, plan, run, &cause);
	else
		start_set_starting(c, 0);
	return error_set(err, cause.code, "%s", cause.msg);
}

/* --- the verbs -------------------------------------------------------------- */

static int refuse_running(const struct container_view *view, struct error *err)
{
	return error_set(err, EBUSY, "container '%s' is already running", view->name);
}

static int start_run(struct container *c, struct ticket *ticket, bool by_policy, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	AUTO(start_plan_free) struct start_plan *plan = NULL;
	uint64_t run = view->run + 1;
	int ret = container_check(c, false, err);

	if (ret < 0)
		return ret;
	if (container_view_is_live(view))
		return refuse_running(view, err);
	ret = exit_settle_old_shim(c, false, err);
	if (ret == 0)
		ret = start_plan_new(c, &plan, err);
	if (ret < 0)
		return ret;
	ticket_note_run(ticket, c, run);
	ret = start_plan_join(plan, err);
	if (ret < 0)
		return ret;
	if (!by_policy) {
		start_set_starting(c, run);
	} else if (!set_starting_by_policy(c, run)) {
		network_release(c);
		return error_set(err, ECANCELED, "it was ended by hand");
	}
	return launch(c, ticket, plan, run, err);
}

int start_in_turn(struct container *c, struct ticket *ticket, struct error *err)
{
	return start_run(c, ticket, false, err);
}

int start_by_policy(struct container *c, struct ticket *ticket, struct error *err)
{
	return start_run(c, ticket, true, err);
}

static int start(struct container *c, struct ticket *ticket, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = NULL;
	struct turn turn;
	bool restarting;
	int ret;

	if (start_find_outcome(c, ticket, &ret, err))
		return ret;
	ret = container_take_turn(c, &turn, ticket, err);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&c->lock);
	restarting = c->restarting > 0;
	view = container_view_ref(c->view);
	pthread_mutex_unlock(&c->lock);
	ret = restarting ? refuse_running(view, err) : start_in_turn(c, ticket, err);
	container_leave_turn(c, &turn);
	return ret;
}

int container_start(struct container *c, struct ticket *ticket, struct error *err)
{
	return start(c, ticket, err);
}

/* Stop the run that is going on, if any, then launch the next. */
static int restart(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		   struct error *err)
{
	struct turn turn;
	uint64_t run;
	bool live;
	int ret;

	pthread_mutex_lock(&c->lock);
	ret = container_sleep_locked(c, ticket, container_has_launched, 0);
	run = c->view->run;
	live = container_view_is_live(c->view);
	pthread_mutex_unlock(&c->lock);
	if (ret < 0)
		return error_set(err, EINTR, "interrupted before it began");
	ticket_note_run(ticket, c, run + 1);
	if (live)
		ret = stop_run(c, ticket, run, signo, timeout_s, err);
	if (ret == 0)
		ret = container_take_turn(c, &turn, ticket, err);
	if (ret < 0)
		return ret;
	pthread_mutex_lock(&c->lock);
	live = container_view_is_live(c->view); /* another restart was faster */
	pthread_mutex_unlock(&c->lock);
	if (!live)
		ret = start_in_turn(c, ticket, err);
	container_leave_turn(c, &turn);
	return ret;
}

static void change_restarting(struct container *c, bool begin)
{
	pthread_mutex_lock(&c->lock);
	c->restarting = begin ? c->restarting + 1 : c->restarting - 1;
	container_wake_locked(c);
	pthread_mutex_unlock(&c->lock);
}

int container_restart(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		      struct error *err)
{
	int ret = stop_check(signo, timeout_s, err);

	if (ret < 0)
		return ret;
	if (start_find_outcome(c, ticket, &ret, err))
		return ret;
	ret = container_check(c, false, err);
	if (ret < 0)
		return ret;
	change_restarting(c, true);
	ret = restart(c, ticket, signo, timeout_s, err);
	change_restarting(c, false);
	if (ret < 0)
		remove_automatically(c);
	return ret;
}
