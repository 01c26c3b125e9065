/* The end of a run: on a worker, once, whoever noticed it first.
 *
 * The order is what users rely on. The shim announces the end when the log is
 * whole and exit.json is written; then the cgroup is asked and removed, then the
 * shim is waited for (volumes and devices are free when it has gone), and only then
 * is the state `exited` published. It can be read from then on; but who waits for
 * the end is woken, and the next command gets its turn, after the events, so that
 * whoever was answered finds them there and in order. What AutoRemove asks for comes
 * then. Last goes the root's overlay, which waits for a disk: a start that is earlier
 * sees to it itself.
 *
 * A shim that is gone without an exit record was killed. Nobody keeps the
 * container's pipes or its log any more, so it is ended, and says so.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "runtime/log/logview.h"

#include <stdio.h>

#define EXIT_KILLED 137 /* 128 + SIGKILL */

/* How long a shim that has announced the end may take to go. One that stays has
 * output that does not fit on a full disk: it keeps it, and the end is told. */
#define SHIM_LINGER_MS 2000
#define SHIM_KILL_MS 5000

struct ending {
	uint64_t run;
	bool told, oom, had_neighbours;
	int code;
	int64_t finished_ns;
	struct shim *shim; /* still at work, or NULL */
};

static bool read_record(struct container *c, struct ending *ending)
{
	auto_fd int run_dir_fd = store_open_run_dir(c, false, NULL);
	struct exit_record record;

	if (run_dir_fd < 0 || exit_record_read(run_dir_fd, &record, NULL) < 0 ||
	    record.run != ending->run)
		return false;
	ending->code = record.exit_code;
	ending->finished_ns = record.finished_ns;
	return true;
}

/* End what the shim held, and see that the log's last bytes can be read. */
static void end_orphans(struct container *c, struct ending *ending)
{
	struct error err = ERROR_INIT;
	int ret = c->exec ? 0 : cgroup_kill(c->engine->cgroups, c->id, &err);

	ending->code = EXIT_KILLED;
	ending->finished_ns = clock_now_ns();
	if (ret < 0 && ret != -ENOENT)
		log_warn("container %s: %s", c->short_id, err.msg);
}

static void repair_log(struct container *c, const struct ending *ending)
{
	int dir_fd = container_get_dir_fd(c);
	struct error err = ERROR_INIT;

	if (dir_fd >= 0 &&
	    logview_repair(dir_fd, (unsigned)ending->run, ending->finished_ns, &err) < 0)
		log_warn("log of container %s: %s", c->short_id, err.msg);
}

static void wait_for_shim(struct ending *ending)
{
	if (!ending->shim || !link_wait_gone(ending->shim, SHIM_LINGER_MS))
		return;
	shim_free(ending->shim);
	ending->shim = NULL;
}

static void collect(struct container *c, struct ending *ending)
{
	struct cgroup_host *cgroups = c->engine->cgroups;
	struct error err = ERROR_INIT;

	ending->shim = link_detach(c, &ending->told, &ending->code, &ending->finished_ns);
	if (!ending->told)
		ending->told = read_record(c, ending);
	if (!ending->told)
		end_orphans(c, ending);
	oom_unwatch(c);
	ending->oom = !c->exec && cgroup_was_oom(cgroups, c->id);
	if (!c->exec && cgroup_remove(cgroups, c->id, &err) < 0)
		log_warn("container %s: %s", c->short_id, err.msg);
	if (!c->exec)
		exec_end_all(c);
	wait_for_shim(ending);
	if (!c->exec)
		ending->had_neighbours = network_release(c);
	if (!ending->told)
		repair_log(c, ending);
}

static bool publish(struct container *c, const struct ending *ending)
{
	struct container_view *view = container_edit(c);
	bool stop_asked = c->stop_asked;

	view->pid = 0;
	network_show_locked(c, view, false);
	view->exit_code = ending->code;
	view->oom_killed = view->oom_killed || ending->oom;
	view->finished_ns = ending->finished_ns;
	view->changed_ns = clock_now_ns();
	container_view_set_error(view, ending->told ? ""
				       : c->exec    ? "the shim was killed, and the process with it"
						    : "the shim was killed, and the container "
						      "was ended with it");
	c->exit_codes[ending->run % EXIT_CODES_KEPT] = ending->code;
	view->state = policy_decide_locked(c, view);
	c->stop_asked = false;
	c->stop_deadline_ns = 0;
	c->old_shim = ending->shim;
	container_swap(c, view);
	return stop_asked;
}

static void emit_end(struct container *c, const struct ending *ending, bool stop_asked)
{
	char text[12];
	/* An engine that was killed may have told. */
	enum told told = atomic_load(&c->engine->is_open) ? TOLD_START : recover_find_told(c);

	if (ending->oom && told < TOLD_DIE)
		oom_tell(c);
	snprintf(text, sizeof(text), "%d", ending->code);
	if (told < TOLD_DIE)
		container_emit(c, "die", "exitCode", text);
	if (stop_asked && told < TOLD_STOP)
		container_emit(c, "stop", NULL, NULL);
}

static void wake_all(struct container *c)
{
	pthread_mutex_lock(&c->lock);
	c->ending = false;
	container_wake_locked(c);
	pthread_mutex_unlock(&c->lock);
	container_notify(c);
}

void exit_finish(struct container *c, uint64_t run)
{
	struct ending ending = { .run = run };
	bool stop_asked;

	collect(c, &ending);
	stop_asked = publish(c, &ending);
	if (ending.had_neighbours)
		network_names_refresh(c->engine);
	emit_end(c, &ending, stop_asked);
	store_save_state(c);
	wake_all(c);
	policy_arm(c);
	remove_automatically(c);
	rootfs_let_go(c->engine->rootfs, c->id, &c->root_fd);
}

static void exit_job(void *arg)
{
	struct container *c = arg;
	AUTO(container_view_unref) struct container_view *view = NULL;
	bool ours;

	/* Of an exec the end of its container may be faster to see to it. */
	pthread_mutex_lock(&c->lock);
	view = container_view_ref(c->view);
	ours = !c->exec || !c->finishing;
	c->finishing = true;
	pthread_mutex_unlock(&c->lock);
	if (ours)
		exit_finish(c, view->run);
}

void exit_schedule(struct container *c, uint64_t run)
{
	bool first;

	pthread_mutex_lock(&c->lock);
	first = !c->ending && !container_run_has_ended(c, run);
	c->ending = c->ending || first;
	pthread_mutex_unlock(&c->lock);
	if (first)
		engine_submit(c, exit_job);
}

int exit_settle_old_shim(struct container *c, bool force, struct error *err)
{
	struct shim *shim;
	bool gone;

	pthread_mutex_lock(&c->lock);
	shim = c->old_shim;
	c->old_shim = NULL;
	pthread_mutex_unlock(&c->lock);
	if (!shim)
		return 0;
	if (force)
		link_kill_shim(shim);
	gone = link_wait_gone(shim, force ? SHIM_KILL_MS : 0);
	if (gone || force) {
		shim_free(shim);
		return 0;
	}
	pthread_mutex_lock(&c->lock);
	c->old_shim = shim;
	pthread_mutex_unlock(&c->lock);
	return error_set(err, ENOSPC,
			 "the last output of container %s does not fit on the disk yet; make room",
			 c->short_id);
}

bool container_get_exit(struct container *c, uint64_t run, int *ret_code)
{
	bool ended;

	pthread_mutex_lock(&c->lock);
	ended = c->removed || container_run_has_ended(c, run);
	/* Removed before it ever ran: there is no code. */
	if (ended)
		*ret_code = run <= c->view->run ? c->exit_codes[run % EXIT_CODES_KEPT] : 0;
	pthread_mutex_unlock(&c->lock);
	return ended;
}
