/* rm: one rename makes the container not exist; everything else after it is
 * sweeping up, done again by the start-up sweep if we die in the middle.
 *
 * What is quick is done before the answer (the mount is detached, RUN is clean,
 * the name is free); the upper directory is a reaper's. Who holds the directory
 * or the object goes on reading: a log to its end, the exit code of a wait.
 */
#include "runtime/volume/volume_private.h"

#include "base/log.h"

#include <signal.h>

static void empty_trash(void *arg)
{
	struct container *c = arg;

	rootfs_let_go(c->engine->rootfs, c->id, &c->root_fd);
	store_empty_trash(c);
}

static void mark_removed(struct container *c)
{
	pthread_mutex_lock(&c->lock);
	c->removed = c->is_trashed = true;
	container_wake_locked(c);
	pthread_cond_broadcast(&c->saved);
	pthread_mutex_unlock(&c->lock);
}

int remove_in_turn(struct container *c, bool volumes, struct error *err)
{
	struct engine *engine = c->engine;
	struct error late = ERROR_INIT;
	int ret;

	exit_settle_old_shim(c, true, NULL);
	store_copy_state(c);
	ret = volume_mark_removal(c, volumes, err);
	if (ret == 0)
		ret = store_trash(c, err);
	if (ret < 0)
		return ret;
	mark_removed(c);
	userns_table_drop(engine->userns, c->id);
	/* Of a damaged one nobody knows whether it ran. */
	if (cgroup_remove(engine->cgroups, c->id, &late) < 0)
		log_warn("container %s: %s", c->short_id, late.msg);
	network_release(c);
	error_clear(&late);
	if (rootfs_hide(engine->rootfs, c->id, &late) < 0)
		log_warn("container %s: %s", c->short_id, late.msg);
	image_note_exposed(c, false);
	exec_remove_all(c);
	store_remove_run_dir(c);
	removed_keep(c);
	table_remove(&engine->table, c);
	volume_remove_marked(c);
	container_notify(c);
	container_emit(c, "destroy", NULL, NULL);
	engine_submit(c, empty_trash);
	return 0;
}

struct standing {
	uint64_t run; /* going on; 0: none */
	bool busy;    /* runs, or is about to */
};

static struct standing look(struct container *c)
{
	struct standing standing;

	pthread_mutex_lock(&c->lock);
	standing.run = container_view_is_live(c->view) ? c->view->run : 0;
	standing.busy = standing.run || c->starting || c->restarting ||
			c->view->state == CONTAINER_RESTARTING;
	pthread_mutex_unlock(&c->lock);
	return standing;
}

static int refuse_busy(struct container *c, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	return error_set(err, EBUSY, "container '%s' is %s; stop it or use rm -f", view->name,
			 view->state == CONTAINER_RESTARTING ? "restarting" : "running");
}

static int end_run(struct container *c, struct ticket *ticket, struct error *err)
{
	struct standing standing;
	int ret;

	pthread_mutex_lock(&c->lock);
	ret = container_sleep_locked(c, ticket, container_has_launched, 0);
	pthread_mutex_unlock(&c->lock);
	if (ret < 0)
		return error_set(err, EINTR, "interrupted before it began");
	standing = look(c);
	return standing.run ? kill_run(c, ticket, standing.run, err) : 0;
}

/* --rm: it goes when it has ended. */
static bool goes_by_itself(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	return json_get_bool(json_object_get(view->effective, "HostConfig"), "AutoRemove", false);
}

/* One attempt. *ret_again: with force, it was started between the kill and our turn. */
static int try_remove(struct container *c, struct ticket *ticket, bool force, bool volumes,
		      bool *ret_again, struct error *err)
{
	struct turn turn;
	int ret = force ? end_run(c, ticket, err) : 0;

	*ret_again = false;
	if (ret == 0)
		ret = container_take_turn(c, &turn, ticket, err);
	if (ret < 0)
		return ret;
	if (container_is_removed(c)) /* meanwhile: by another rm, or as it was meant to */
		ret = force || goes_by_itself(c) ? 0 : container_check(c, true, err);
	else if (force && look(c).run)
		*ret_again = true;
	else if (!force && look(c).busy)
		ret = refuse_busy(c, err);
	else
		ret = remove_in_turn(c, volumes, err);
	container_leave_turn(c, &turn);
	return ret;
}

int container_remove(struct container *c, struct ticket *ticket, bool force, bool volumes,
		     struct error *err)
{
	bool again = true;
	int ret;

	if (ticket->resumed && container_is_removed(c))
		return 0;
	/* Who is told that there is none may use the name: one that is being removed is waited for. */
	ret = container_is_removed(c) ? 0 : container_check(c, true, err);
	/* Before the queue, so that rmdir is answered at once. */
	if (ret == 0 && !force && look(c).busy)
		ret = refuse_busy(c, err);
	while (ret == 0 && again)
		ret = try_remove(c, ticket, force, volumes, &again, err);
	return ret;
}

void remove_automatically(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error err = ERROR_INIT;
	struct ticket ticket;
	struct turn turn;

	if (c->exec) {
		exec_after_end(c);
		return;
	}
	if (!goes_by_itself(c) || container_is_removed(c))
		return;
	ticket_init(&ticket, 0, false);
	if (container_take_turn(c, &turn, &ticket, &err) == 0) {
		if (!look(c).busy && view->run && !container_is_removed(c) &&
		    remove_in_turn(c, true, &err) < 0)
			log_warn("container %s: %s", c->short_id, err.msg);
		container_leave_turn(c, &turn);
	}
	ticket_deinit(&ticket);
}
