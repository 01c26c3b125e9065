/* Execs: how they end and go.
 *
 * An exec's directory first gets a name that is none (".trash-..."): from then on
 * it does not exist, and the next engine finishes what this one did not.
 */
#include "runtime/exec/exec.h"

#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* A shim whose process has ended writes a few lines and goes. */
#define SHIM_END_MS 2000
#define ORPHAN_NS INT64_C(2000000000)
/* Who is at writing into it can make one removal fall short. */
#define REMOVE_TRIES 5

static void mark_removed(struct container *c)
{
	pthread_mutex_lock(&c->lock);
	c->removed = true;
	container_wake_locked(c);
	pthread_cond_broadcast(&c->saved);
	while (c->saving)
		pthread_cond_wait(&c->saved, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

static void remove_dir(struct container *c)
{
	auto_fd int run_dir_fd = store_open_run_dir(c->exec->parent, false, NULL);
	auto_fd int execs_fd = run_dir_fd < 0 ? -1 : path_open_dir(run_dir_fd, "exec", 0700, NULL);
	char trash[24];
	int ret = -EAGAIN;

	snprintf(trash, sizeof(trash), ".trash-%s", c->short_id);
	if (execs_fd < 0 || renameat(execs_fd, c->short_id, execs_fd, trash) < 0)
		return; /* its container's went */
	for (int i = 0; ret < 0 && i < REMOVE_TRIES; i++)
		ret = path_remove_tree(execs_fd, trash);
	if (ret < 0)
		log_warn("cannot remove exec %s: %s", c->short_id, strerrordesc_np(-ret));
}

void exec_remove_in_turn(struct container *c)
{
	exit_settle_old_shim(c, true, NULL);
	mark_removed(c);
	exec_drop(c);
	remove_dir(c);
	table_remove(&c->engine->table, c);
	container_notify(c);
}

/* The run that is going on, 0: none. */
static uint64_t find_run(struct container *c)
{
	uint64_t run;

	pthread_mutex_lock(&c->lock);
	run = container_view_is_live(c->view) || c->ending ? c->view->run : 0;
	pthread_mutex_unlock(&c->lock);
	return run;
}

static int end_run(struct container *c, struct ticket *ticket, struct error *err)
{
	AUTO(container_view_unref)
	struct container_view *view = container_get_view(c->exec->parent);
	uint64_t run = find_run(c);

	if (!run)
		return 0;
	/* In a frozen group nothing ends. */
	if (view->state == CONTAINER_PAUSED)
		return error_set(err, EBUSY, "container '%s' is paused; unpause it", view->name);
	return kill_run(c, ticket, run, err);
}

int exec_remove(struct container *c, struct ticket *ticket, struct error *err)
{
	struct turn turn;
	bool again = true;
	int ret = 0;

	while (ret == 0 && again) {
		ret = end_run(c, ticket, err);
		if (ret == 0)
			ret = container_take_turn(c, &turn, ticket, err);
		if (ret < 0)
			break;
		again = find_run(c) != 0; /* it was started between the kill and our turn */
		if (!again && !container_is_removed(c))
			exec_remove_in_turn(c);
		container_leave_turn(c, &turn);
	}
	return ret;
}

/* --- what nobody sees ------------------------------------------------------------- */

static void remove_unseen(void *arg)
{
	struct container *c = arg;
	struct error err = ERROR_INIT;
	struct ticket ticket;
	uint64_t run = find_run(c);

	if (run) { /* nobody waits for it: its end brings us back here */
		kill_everything(c, run);
		return;
	}
	ticket_init(&ticket, 0, false);
	if (exec_remove(c, &ticket, &err) < 0)
		log_warn("exec %s: %s", c->short_id, err.msg);
	ticket_deinit(&ticket);
}

static bool is_unseen(const struct container *c)
{
	return *c->exec->name == '\0' && !atomic_load(&c->exec->claimed);
}

void exec_on_deadline(struct container *c)
{
	if (is_unseen(c) && (!c->exec->detached || !find_run(c)))
		engine_submit(c, remove_unseen);
}

/* By another thread, for this one may hold what a removal waits for. What was ended because its
 * command was interrupted goes now; a command's that the engine's death left behind may still be
 * asked for, which the recovery has set a deadline for. */
void exec_after_end(struct container *c)
{
	if (is_unseen(c) && c->exec->detached)
		engine_submit(c, remove_unseen);
	else if (is_unseen(c) && atomic_load(&c->engine->is_open))
		monitor_set_deadline(c->engine->monitor, c->key, 0,
				     clock_monotonic_ns() + ORPHAN_NS);
}

/* --- with the container ------------------------------------------------------------ */

/* All, also those that are not listed: references. */
static struct container **copy_all(struct container *parent, size_t *ret_count)
{
	struct container **all;

	pthread_mutex_lock(&parent->lock);
	all = calloc(parent->exec_count + 1, sizeof(struct container *));
	*ret_count = all ? parent->exec_count : 0;
	for (size_t i = 0; i < *ret_count; i++)
		all[i] = container_ref(parent->execs[i]);
	pthread_mutex_unlock(&parent->lock);
	return all;
}

/* Its process was reaped before process 1 could be: what is left is its shim's last steps. */
static void end_one(struct container *c)
{
	struct shim *shim;
	uint64_t run;
	bool ours;

	pthread_mutex_lock(&c->lock);
	run = c->view->run;
	ours = container_view_is_live(c->view) && !c->finishing;
	if (ours)
		c->ending = c->finishing = true;
	pthread_mutex_unlock(&c->lock);
	if (!ours)
		return;
	shim = link_enter(c, run);
	if (shim) {
		if (!link_wait_gone(shim, SHIM_END_MS))
			log_warn("the shim of exec %s lingers", c->short_id);
		link_leave(c);
	}
	exit_finish(c, run);
}

void exec_end_all(struct container *parent)
{
	size_t count;
	struct container **all = copy_all(parent, &count);

	for (size_t i = 0; i < count; i++) {
		end_one(all[i]);
		container_unref(all[i]);
	}
	free(all);
}

void exec_remove_all(struct container *parent)
{
	size_t count;
	struct container **all = copy_all(parent, &count);

	for (size_t i = 0; i < count; i++) {
		exec_remove_in_turn(all[i]);
		container_unref(all[i]);
	}
	free(all);
}
