/* What a container is on disk.
 *
 *   ROOT/containers/<id>/config.json   what was asked for
 *   ROOT/containers/<id>/meta.json     id, name, creation, the image it is made from
 *   RUN/<12 digits>/state.json         what was observed; a copy of it in ROOT, a
 *                                      second late, is for the time after a reboot
 *
 * A container comes into being by the rename of .new-<id> to <id> and ceases to
 * be by the rename of <id> to .trash-<id>: a crash leaves one of these, which the
 * start-up sweep removes, and never half a container. What state.json says and
 * who may write when is in the comments below; recover.c reads it all.
 */
#include "runtime/volume/volume_private.h"

#include "base/log.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NEW_PREFIX ".new-"
#define TRASH_PREFIX ".trash-"
#define ENTRY_SIZE (sizeof(TRASH_PREFIX) + 64)

/* Who writes into a trashed directory at that moment (a state copied late) can
 * make one removal fall short. */
#define TRASH_TRIES 5

bool store_is_trash(const char *entry)
{
	return !strncmp(entry, TRASH_PREFIX, strlen(TRASH_PREFIX));
}

const char *store_get_trash_id(const char *entry)
{
	return entry + strlen(TRASH_PREFIX);
}

bool store_is_leftover(const char *entry)
{
	return !strncmp(entry, NEW_PREFIX, strlen(NEW_PREFIX)) || store_is_trash(entry);
}

/* --- config.json and meta.json ---------------------------------------------- */

static json_t *render_meta(const struct container_view *view, const char *image_name,
			   json_t *log_defaults, const char *name)
{
	json_t *meta = json_object();

	json_object_set_new(meta, "id", json_string(view->id));
	json_object_set_new(meta, "name",
			    name             ? json_string(name)
			    : view->has_name ? json_string(view->name)
					     : json_null());
	json_object_set_new(meta, "created_ns", json_integer(view->created_ns));
	json_object_set_new(meta, "image_id", json_string(view->image_id));
	json_object_set_new(meta, "image", json_string(image_name ? image_name : ""));
	if (log_defaults)
		json_object_set(meta, "log", log_defaults);
	return meta;
}

static int write_meta(struct container *c, int dir_fd, const char *name, bool durable,
		      struct error *err)
{
	auto_json json_t *meta = NULL;

	pthread_mutex_lock(&c->lock);
	meta = render_meta(c->view, c->image_name, c->log_defaults, name);
	pthread_mutex_unlock(&c->lock);
	if (!meta)
		return error_set(err, ENOMEM, "no memory for meta.json");
	return json_replace_file(dir_fd, "meta.json", meta, 0600, durable, err);
}

/* Sync as told to: a name or config that was answered must outlive a power cut, as
 * the container's own creation does. */
int store_write_meta(struct container *c, const char *name, struct error *err)
{
	return write_meta(c, container_get_dir_fd(c), name, true, err);
}

int store_write_config(struct container *c, const json_t *asked, bool durable, struct error *err)
{
	return json_replace_file(container_get_dir_fd(c), "config.json", asked, 0600, durable, err);
}

static int fill_new(struct container *c, const char *entry, bool durable, struct error *err)
{
	int fd = path_open_dir(c->engine->containers_fd, entry, 0700, err);
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int ret;

	if (fd < 0)
		return fd;
	/* The descriptor stays good over the rename. */
	atomic_store(&c->dir_fd, fd);
	ret = json_replace_file(fd, "config.json", view->config, 0600, durable, err);
	if (ret == 0)
		ret = volume_write_list(fd, view->mounts, durable, err);
	if (ret < 0)
		return ret;
	return write_meta(c, fd, NULL, durable, err);
}

int store_make(struct container *c, bool durable, struct error *err)
{
	int containers_fd = c->engine->containers_fd;
	char entry[ENTRY_SIZE];
	int ret;

	snprintf(entry, sizeof(entry), NEW_PREFIX "%s", c->id);
	ret = fill_new(c, entry, durable, err);
	if (ret == 0 && renameat(containers_fd, entry, containers_fd, c->id) < 0)
		ret = error_set_sys(err, errno, "cannot create container %s", c->short_id);
	if (ret == 0 && durable && fsync(containers_fd) < 0) {
		ret = error_set_sys(err, errno, "cannot store container %s", c->short_id);
		path_remove_tree(containers_fd, c->id);
	}
	if (ret < 0)
		path_remove_tree(containers_fd, entry);
	return ret;
}

/* --- the end ---------------------------------------------------------------- */

int store_trash(struct container *c, struct error *err)
{
	int containers_fd = c->engine->containers_fd;
	char entry[ENTRY_SIZE];

	container_get_dir_fd(c); /* readers of its logs keep it */
	snprintf(entry, sizeof(entry), TRASH_PREFIX "%s", c->id);
	if (renameat(containers_fd, c->id, containers_fd, entry) < 0 && errno != ENOENT)
		return error_set_sys(err, errno, "cannot remove container %s", c->short_id);
	return 0;
}

static void remove_leftover(struct engine *engine, const char *entry)
{
	int ret = -EAGAIN;

	for (int i = 0; ret < 0 && i < TRASH_TRIES; i++)
		ret = path_remove_tree(engine->containers_fd, entry);
	if (ret < 0)
		log_warn("cannot remove %s/containers/%s: %s", engine->root, entry,
			 strerrordesc_np(-ret));
}

struct leftover {
	struct engine *engine;
	char entry[ENTRY_SIZE];
};

static void remove_job(void *arg)
{
	struct leftover *leftover = arg;

	remove_leftover(leftover->engine, leftover->entry);
	free(leftover);
}

/* A removed container can be large: a worker's. A half-made one is small, and its
 * create may be asked for again under the same id: now. */
void store_sweep(struct engine *engine, const char *entry)
{
	struct leftover *leftover = store_is_trash(entry) ? malloc(sizeof(*leftover)) : NULL;

	if (leftover) {
		leftover->engine = engine;
		snprintf(leftover->entry, sizeof(leftover->entry), "%s", entry);
		if (workers_submit(engine->workers, remove_job, leftover) == 0)
			return;
		free(leftover);
	}
	remove_leftover(engine, entry);
}

void store_empty_trash(struct container *c)
{
	int dir_fd = atomic_load(&c->dir_fd);

	if (dir_fd < 0)
		return;
	path_remove_tree(dir_fd, "upper");
	path_remove_tree(dir_fd, "work");
}

void store_drop_trash(struct container *c)
{
	char entry[ENTRY_SIZE];

	snprintf(entry, sizeof(entry), TRASH_PREFIX "%s", c->id);
	/* After the engine's end the next one's sweep does it. */
	if (c->engine->workers)
		store_sweep(c->engine, entry);
}

/* --- RUN/<12 digits> -------------------------------------------------------- */

int store_open_run_dir(struct container *c, bool make, struct error *err)
{
	int fd;

	if (c->exec)
		return exec_open_dir(c, err);
	if (make)
		return path_open_dir(c->engine->run_fd, c->short_id, 0700, err);
	fd = openat(c->engine->run_fd, c->short_id,
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? error_set_sys(err, errno, "cannot open %s/%s", c->engine->run, c->short_id)
		      : fd;
}

void store_remove_run_dir(struct container *c)
{
	int ret;

	/* Nobody writes a state of a removed container any more, but one may be at it. */
	pthread_mutex_lock(&c->lock);
	while (c->saving)
		pthread_cond_wait(&c->saved, &c->lock);
	pthread_mutex_unlock(&c->lock);
	ret = path_remove_tree(c->engine->run_fd, c->short_id);
	if (ret < 0)
		log_warn("cannot remove %s/%s: %s", c->engine->run, c->short_id,
			 strerrordesc_np(-ret));
}

/* --- state.json ------------------------------------------------------------- */

static json_t *render_state_locked(const struct container *c)
{
	const struct container_view *view = c->view;

	json_t *state;

	/* clang-format off */
	state = json_pack("{s:s, s:s, s:I, s:i, s:i, s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:i, s:b, s:I, s:b, s:b, s:I, s:I}",
		"boot", c->engine->boot_id,
		"state", container_state_get_name(view->state),
		"run", (json_int_t)view->run,
		"pid", (int)view->pid,
		"exit_code", view->exit_code,
		"oom_killed", (int)view->oom_killed,
		"error", view->error,
		"started_ns", (json_int_t)view->started_ns,
		"finished_ns", (json_int_t)view->finished_ns,
		"changed_ns", (json_int_t)view->changed_ns,
		"restarts", (json_int_t)view->restarts,
		/* Intent: this run was about to be launched. */
		"starting", (json_int_t)c->starting,
		"start_code", c->start_code,
		/* An engine that comes after this one still sends the KILL. */
		"stop_asked", (int)c->stop_asked,
		"stop_deadline_ns", (json_int_t)c->stop_deadline_ns,
		/* It goes on with the policy, too. */
		"stopped_by_user", (int)c->stopped_by_user,
		"policy_start", (int)c->policy_start,
		"restart_due_ns", (json_int_t)c->restart_due_ns,
		"restart_delay_ns", (json_int_t)c->restart_delay_ns);
	/* clang-format on */
	if (state && network_store_locked(c, state) < 0) {
		json_decref(state);
		state = NULL;
	}
	return state;
}

/* Write one rendering. False when there is nothing to write to. */
static void write_state(struct container *c, const json_t *state)
{
	struct error err = ERROR_INIT;
	auto_fd int run_dir_fd = store_open_run_dir(c, true, &err);
	int ret = run_dir_fd;

	if (ret >= 0)
		ret = state ? json_replace_file(run_dir_fd, "state.json", state, 0600, false, &err)
			    : error_set(&err, ENOMEM, "no memory for state.json");
	if (ret < 0)
		log_warn("the state of container %s is not stored: %s", c->short_id, err.msg);
}

/* Whoever finds nobody writing writes for all who wait: a stop's deadline and the
 * end of a run cannot overtake each other on the way to the disk. */
void store_save_state(struct container *c)
{
	uint64_t mine;

	pthread_mutex_lock(&c->lock);
	mine = ++c->save_wanted;
	while (c->save_done < mine && !c->removed) {
		auto_json json_t *state = NULL;
		uint64_t upto;

		if (c->saving) {
			pthread_cond_wait(&c->saved, &c->lock);
			continue;
		}
		c->saving = true;
		upto = c->save_wanted;
		state = render_state_locked(c);
		pthread_mutex_unlock(&c->lock);
		write_state(c, state);
		pthread_mutex_lock(&c->lock);
		c->saving = false;
		c->save_done = upto;
		pthread_cond_broadcast(&c->saved);
	}
	c->copy_wanted = true;
	pthread_mutex_unlock(&c->lock);
	if (c->exec) /* it lives as long as the boot */
		return;
	if (!atomic_exchange(&c->engine->copies_wanted, true) && c->engine->monitor)
		monitor_wake(c->engine->monitor);
}

/* --- the copies in ROOT ----------------------------------------------------- */

void store_copy_state(struct container *c)
{
	struct error err = ERROR_INIT;
	auto_json json_t *state = NULL;
	bool wanted;
	int dir_fd;

	pthread_mutex_lock(&c->lock);
	wanted = c->copy_wanted && !c->removed && !c->view->damaged;
	c->copy_wanted = false;
	if (wanted)
		state = render_state_locked(c);
	pthread_mutex_unlock(&c->lock);
	dir_fd = state ? container_get_dir_fd(c) : -1;
	if (dir_fd >= 0 && !container_is_removed(c) &&
	    json_replace_file(dir_fd, "state.json", state, 0600, false, &err) < 0)
		log_warn("the state of container %s is not copied: %s", c->short_id, err.msg);
}

void store_copy_states(struct engine *engine)
{
	struct container **all;
	size_t count;

	if (!atomic_exchange(&engine->copies_wanted, false))
		return;
	if (table_copy(&engine->table, &all, &count) < 0) {
		atomic_store(&engine->copies_wanted, true);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		store_copy_state(all[i]);
		container_unref(all[i]);
	}
	free(all);
	if (syncfs(engine->containers_fd) < 0)
		log_warn("cannot sync %s: %s", engine->root, strerrordesc_np(errno));
}
