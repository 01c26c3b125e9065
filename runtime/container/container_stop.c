/* stop and kill. They take no turn: they overtake what waits, and only let a
 * launch under way come to its end first.
 *
 * A stop is written down (state.json: that it was asked for, and when the KILL
 * is due) before the signal goes out, and the event loop keeps the deadline; so
 * it goes on when its caller has been interrupted, and when the engine has been
 * replaced. A signal carries its request's number, by which the shim knows one
 * that it has sent already.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>

#define NS_PER_S INT64_C(1000000000)
#define TIMEOUT_DEFAULT_S 10
#define TIMEOUT_MAX_S (INT64_C(10) * 365 * 24 * 3600) /* so that nanoseconds do not overflow */
#define SIGNAL_MAX 64

static void emit_kill(struct container *c, int signo)
{
	char text[12];

	snprintf(text, sizeof(text), "%d", signo);
	container_emit(c, "kill", "signal", text);
}

/* --- the means -------------------------------------------------------------- */

static int send_signal(struct container *c, uint64_t run, uint64_t number, int signo,
		       struct error *err)
{
	struct shim *shim = link_enter(c, run);
	int ret;

	if (!shim)
		return error_set(err, ESRCH, "container %s has ended", c->short_id);
	ret = shim_signal(shim, number, signo, err);
	if (ret == -ETIMEDOUT && signo == SIGKILL)
		link_kill_shim(shim); /* stuck: nothing else would tell of the end */
	link_leave(c);
	return ret;
}

void kill_everything(struct container *c, uint64_t run)
{
	struct error err = ERROR_INIT;
	/* Of an exec only its process: what that has left behind is the container's. */
	int ret = c->exec ? 0 : cgroup_kill(c->engine->cgroups, c->id, &err);

	if (ret < 0 && ret != -ENOENT) /* it was just ending by itself */
		log_warn("container %s: %s", c->short_id, err.msg);
	send_signal(c, run, 0, SIGKILL, NULL);
}

static int wait_ended(struct container *c, struct ticket *ticket, uint64_t run, const char *goes_on,
		      struct error *err)
{
	int ret;

	pthread_mutex_lock(&c->lock);
	ret = container_sleep_locked(c, ticket, container_run_has_ended, run);
	pthread_mutex_unlock(&c->lock);
	return ret < 0 ? error_set(err, EINTR, "interrupted; %s", goes_on) : 0;
}

int kill_run(struct container *c, struct ticket *ticket, uint64_t run, struct error *err)
{
	policy_note_end(c);
	emit_kill(c, SIGKILL);
	kill_everything(c, run);
	return wait_ended(c, ticket, run, "the kill was sent", err);
}

/* --- stop ------------------------------------------------------------------- */

int stop_check(int signo, int64_t timeout_s, struct error *err)
{
	if (timeout_s < -1)
		return error_set(err, EINVAL, "the time must not be negative");
	if (signo < 0 || signo > SIGNAL_MAX)
		return error_set(err, EINVAL, "there is no signal %d", signo);
	return 0;
}

static int decide_stop(struct container *c, int *inout_signo, int64_t *inout_timeout_s,
		       struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	AUTO(config_deinit) struct config config = { .stop_signal = SIGTERM };
	int ret = config_decode(view->effective, false, &config, err);

	if (ret < 0)
		return ret;
	if (*inout_signo == 0)
		*inout_signo = config.stop_signal;
	if (*inout_timeout_s < 0)
		*inout_timeout_s = config.stop_timeout_s;
	if (*inout_timeout_s < 0)
		*inout_timeout_s = TIMEOUT_DEFAULT_S;
	if (*inout_timeout_s > TIMEOUT_MAX_S)
		*inout_timeout_s = TIMEOUT_MAX_S;
	return 0;
}

/* The earliest of several stops' deadlines counts. False: the run has ended. */
static bool set_deadline(struct container *c, uint64_t run, int64_t when_ns, bool resumed)
{
	bool live;

	pthread_mutex_lock(&c->lock);
	live = !container_run_has_ended(c, run);
	c->stopped_by_user = c->stopped_by_user || live;
	if (live && !(resumed && c->stop_deadline_ns)) {
		c->stop_asked = true;
		if (!c->stop_deadline_ns || when_ns < c->stop_deadline_ns)
			c->stop_deadline_ns = when_ns;
		when_ns = c->stop_deadline_ns;
	}
	pthread_mutex_unlock(&c->lock);
	return live;
}

int stop_run(struct container *c, struct ticket *ticket, uint64_t run, int signo, int64_t timeout_s,
	     struct error *err)
{
	struct error cause = ERROR_INIT;
	int64_t when_ns;
	int ret = decide_stop(c, &signo, &timeout_s, err);

	if (ret < 0)
		return ret;
	when_ns = clock_monotonic_ns() + timeout_s * NS_PER_S;
	if (!set_deadline(c, run, when_ns, ticket->resumed))
		return 0;
	store_save_state(c);
	if (!ticket->resumed)
		emit_kill(c, signo);
	ret = send_signal(c, run, ticket->number, signo, &cause);
	if (ret < 0 && ret != -ESRCH)
		log_warn("stop of container %s: %s; it will be killed", c->short_id, cause.msg);
	pause_lift(c, run);
	monitor_set_deadline(c->engine->monitor, c->key, run, when_ns);
	return wait_ended(c, ticket, run, "the stop goes on", err);
}

static void kill_at_deadline(void *arg)
{
	struct container *c = arg;
	uint64_t run;
	bool due;

	pthread_mutex_lock(&c->lock);
	run = c->view->run;
	due = container_view_is_live(c->view) && c->stop_deadline_ns &&
	      c->stop_deadline_ns <= clock_monotonic_ns();
	pthread_mutex_unlock(&c->lock);
	if (!due)
		return;
	emit_kill(c, SIGKILL);
	kill_everything(c, run);
}

void stop_on_deadline(struct container *c, uint64_t run)
{
	bool ended;

	if (c->exec) {
		exec_on_deadline(c);
		return;
	}
	pthread_mutex_lock(&c->lock);
	ended = container_run_has_ended(c, run);
	pthread_mutex_unlock(&c->lock);
	if (!ended)
		engine_submit(c, kill_at_deadline);
}

/* What runs now; 0: nothing. Waits for a launch, and with settle for a restart. */
static int find_run(struct container *c, struct ticket *ticket, bool settle, uint64_t *ret_run,
		    bool *ret_restarting, struct error *err)
{
	int ret;

	pthread_mutex_lock(&c->lock);
	ret = container_sleep_locked(c, ticket,
				     settle ? container_has_settled : container_has_launched, 0);
	*ret_run = container_view_is_live(c->view) || c->ending ? c->view->run : 0;
	*ret_restarting = c->restarting > 0;
	pthread_mutex_unlock(&c->lock);
	return ret < 0 ? error_set(err, EINTR, "interrupted before it began") : 0;
}

/* So that the next engine, which finds nothing to end, knows that it was done. The mark first: else it
 * might launch before it hears of the command. */
static void note_last_run(struct container *c, struct ticket *ticket)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	policy_note_end(c);
	ticket_note_run(ticket, c, view->run);
}

/* The same, but the pause before a policy's restart is ended too. *ret_cancelled: there was one. */
static int find_run_or_cancel(struct container *c, struct ticket *ticket, uint64_t *ret_run,
			      bool *ret_restarting, bool *ret_cancelled, struct error *err)
{
	int ret;

	*ret_cancelled = false;
	do {
		ret = find_run(c, ticket, false, ret_run, ret_restarting, err);
		if (ret == 0 && !*ret_run && policy_is_pending(c)) {
			note_last_run(c, ticket);
			*ret_cancelled = policy_cancel(c);
		}
		/* Else it has just begun to launch, which is waited for. */
	} while (ret == 0 && !*ret_run && !*ret_cancelled && policy_is_pending(c));
	return ret;
}

/* A restart that came first will launch again after the run that this stop ends:
 * that one is then stopped too, so that what was asked for last is what is. */
static int stop(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		struct error *err)
{
	uint64_t run, noted;
	bool restarting = false, cancelled;
	int ret = find_run_or_cancel(c, ticket, &run, &restarting, &cancelled, err);

	if (ret < 0 || (ticket_find_run(ticket, c, &noted) && noted != run))
		return ret;
	if (run) {
		ticket_note_run(ticket, c, run);
		ret = stop_run(c, ticket, run, signo, timeout_s, err);
		policy_cancel(c); /* its end had been decided about */
	}
	if (ret < 0 || !restarting)
		return ret;
	ret = find_run(c, ticket, true, &run, &restarting, err);
	if (ret == 0 && run)
		ret = stop_run(c, ticket, run, signo, timeout_s, err);
	return ret;
}

int container_stop(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		   struct error *err)
{
	int ret = stop_check(signo, timeout_s, err);

	if (ret == 0)
		ret = container_check(c, true, err);
	if (ret == 0)
		ret = stop(c, ticket, signo, timeout_s, err);
	return ret;
}

/* --- kill ------------------------------------------------------------------- */

/* Does the signal mean the container's end? */
static bool is_ending_signal(struct container *c, int signo)
{
	int64_t timeout_s = 0;
	int stop_signal = 0;

	return signo == SIGKILL ||
	       (decide_stop(c, &stop_signal, &timeout_s, NULL) == 0 && signo == stop_signal);
}

static int find_victim(struct container *c, struct ticket *ticket, int signo, uint64_t *ret_run,
		       bool *ret_cancelled, struct error *err)
{
	bool unused;

	*ret_cancelled = false;
	if (is_ending_signal(c, signo))
		return find_run_or_cancel(c, ticket, ret_run, &unused, ret_cancelled, err);
	return find_run(c, ticket, false, ret_run, &unused, err);
}

static int kill_now(struct container *c, struct ticket *ticket, uint64_t run, struct error *err)
{
	int ret = kill_run(c, ticket, run, err);

	policy_cancel(c); /* its end had been decided about */
	return ret;
}

static int kill_one(struct container *c, struct ticket *ticket, int signo, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = NULL;
	struct error cause = ERROR_INIT;
	uint64_t run, noted;
	bool cancelled, is_noted;
	int ret = find_victim(c, ticket, signo, &run, &cancelled, err);

	is_noted = ticket_find_run(ticket, c, &noted);
	if (ret < 0 || cancelled || (is_noted && noted != run))
		return ret;
	view = container_get_view(c);
	if (!run)
		return error_set(err, ESRCH, "container '%s' is not running", view->name);
	ticket_note_run(ticket, c, run);
	if (signo == SIGKILL)
		return kill_now(c, ticket, run, err);
	if (is_ending_signal(c, signo))
		policy_note_end(c);
	if (!ticket->resumed)
		emit_kill(c, signo);
	ret = send_signal(c, run, ticket->number, signo, &cause);
	if (ret == -ESRCH && is_noted)
		return 0; /* it was sent, and has ended it */
	if (ret == -ESRCH)
		return error_set(err, ESRCH, "container '%s' is not running", view->name);
	if (ret == 0)
		pause_lift(c, run);
	return ret < 0 ? error_set(err, -ret, "container '%s': %s", view->name, cause.msg) : 0;
}

int container_kill(struct container *c, struct ticket *ticket, int signo, struct error *err)
{
	int ret = 0;

	if (signo < 1 || signo > SIGNAL_MAX)
		ret = error_set(err, EINVAL, "there is no signal %d", signo);
	if (ret == 0)
		ret = container_check(c, true, err);
	if (ret == 0)
		ret = kill_one(c, ticket, signo, err);
	return ret;
}
