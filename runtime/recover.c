/* What an engine does first: read ROOT and RUN, find the shims, know everything
 * again, and sweep away what a dead engine left half made.
 *
 * state.json tells what the dead engine knew, the shim what is true. They can
 * differ in the windows between intent, act and result:
 *
 *   "starting": N, the shim answers    the launch had succeeded: it runs
 *   "starting": N, exit.json of run N  it ran and has ended
 *   "starting": N, neither             it is taken back, as if never asked for
 *   running, the shim answers          it runs
 *   running, exit.json of that run     it ended while nobody looked
 *   running, neither                   the shim was killed
 *   running, of another boot           the machine was restarted
 *
 * A container whose files cannot be read is listed all the same, as damaged.
 * What belongs to no container (cgroups, RUN directories, mounts, leftovers of
 * creates and removals) goes.
 */
#include "runtime/volume/volume_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"
#include "runtime/log/logview.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_KILLED 137
/* A thread that was about to tell may have been overtaken by others for so long. */
#define TELL_WITHIN_NS INT64_C(2000000000)

/* --- config.json and meta.json ---------------------------------------------- */

static int load_meta(struct container *c, int dir_fd, struct error *err)
{
	struct container_view *view = c->view;
	auto_json json_t *meta = NULL;
	const char *name;
	int ret = json_read_file(dir_fd, "meta.json", &meta, err);

	if (ret < 0)
		return ret;
	if (strcmp(json_get_str(meta, "id", ""), c->id) != 0)
		return error_set(err, EIO, "meta.json does not belong to this container");
	view->created_ns = view->changed_ns = json_get_int(meta, "created_ns", 0);
	c->log_defaults = json_incref(json_get_object(meta, "log"));
	name = json_get_str(meta, "name", NULL);
	if (name) {
		ret = error_wrap(err, config_check_name(name, err), "meta.json");
		if (ret < 0)
			return ret;
		snprintf(view->name, sizeof(view->name), "%s", name);
		view->has_name = true;
	}
	if (num_is_hex(json_get_str(meta, "image_id", ""), 64)) {
		memcpy(view->image_id, json_get_str(meta, "image_id", ""), 65);
		c->image_name = strdup(json_get_str(meta, "image", ""));
	}
	return 0;
}

static int load_config(struct container *c, int dir_fd, struct error *err)
{
	struct container_view *view = c->view;
	auto_json json_t *stored = NULL, *asked = NULL, *effective = NULL;
	AUTO(image_unref) struct image *image = NULL;
	int ret = json_read_file(dir_fd, "config.json", &stored, err);

	if (ret < 0)
		return ret;
	if (!json_is_object(stored))
		return error_set(err, EIO, "config.json is not an object");
	ret = error_wrap(err, config_apply(NULL, stored, false, &asked, err), "config.json");
	if (ret < 0)
		return ret;
	if (*view->image_id)
		image = graph_find_image(c->engine->graph, view->image_id, NULL);
	ret = effective_of(c, image, asked, &effective, err);
	if (ret < 0)
		return ret;
	json_decref(view->config);
	json_decref(view->effective);
	view->config = steal_ptr(&asked);
	view->effective = steal_ptr(&effective);
	return 0;
}

static void set_damaged(struct container *c, const struct error *cause)
{
	c->view->damaged = true;
	c->view->state = CONTAINER_EXITED;
	container_view_set_error(c->view, cause->msg);
}

/* Nobody sees the container yet: its view is filled in place. */
static void load(struct container *c)
{
	struct error err = ERROR_INIT;
	int dir_fd;

	c->view->config = json_object();
	c->view->effective = json_object();
	dir_fd = container_get_dir_fd(c);
	if (dir_fd < 0) {
		error_set_sys(&err, errno, "cannot open the directory of container %s",
			      c->short_id);
		set_damaged(c, &err);
		return;
	}
	if (userns_table_load(c->engine->userns, c->id, dir_fd, &c->view->ids, &err) < 0 ||
	    load_meta(c, dir_fd, &err) < 0 || load_config(c, dir_fd, &err) < 0 ||
	    volume_load_list(c->view, dir_fd, &err) < 0)
		set_damaged(c, &err);
}

/* --- state.json ------------------------------------------------------------- */

struct found {
	bool is_live; /* was running, or paused */
	bool this_boot;
	uint64_t starting; /* a launch was under way */
	int64_t deadline_ns;
};

static enum container_state parse_state(const char *text)
{
	for (enum container_state s = CONTAINER_CREATED; s <= CONTAINER_EXITED; s++)
		if (!strcmp(text, container_state_get_name(s)))
			return s;
	return CONTAINER_EXITED;
}

static uint64_t get_count(const json_t *state, const char *key)
{
	int64_t value = json_get_int(state, key, 0);

	return value > 0 ? (uint64_t)value : 0;
}

static int get_small(const json_t *state, const char *key)
{
	int64_t value = json_get_int(state, key, 0);

	return value >= 0 && value <= INT_MAX ? (int)value : 0;
}

static void apply_state(struct container *c, const json_t *state, struct found *found)
{
	struct container_view *view = c->view;

	view->state = parse_state(json_get_str(state, "state", ""));
	view->run = get_count(state, "run");
	view->pid = get_small(state, "pid");
	view->exit_code = get_small(state, "exit_code");
	view->oom_killed = json_get_bool(state, "oom_killed", false);
	container_view_set_error(view, json_get_str(state, "error", ""));
	view->started_ns = json_get_int(state, "started_ns", 0);
	view->finished_ns = json_get_int(state, "finished_ns", 0);
	view->changed_ns = json_get_int(state, "changed_ns", view->created_ns);
	view->restarts = get_count(state, "restarts");
	c->exit_codes[view->run % EXIT_CODES_KEPT] = view->exit_code;
	c->start_code = get_small(state, "start_code");
	c->stop_asked = json_get_bool(state, "stop_asked", false);
	c->stopped_by_user = json_get_bool(state, "stopped_by_user", false);
	c->policy_start = json_get_bool(state, "policy_start", false);
	c->restart_due_ns = json_get_int(state, "restart_due_ns", 0);
	c->restart_delay_ns = json_get_int(state, "restart_delay_ns", 0);
	network_load(c, state);
	found->is_live = container_view_is_live(view);
	found->starting = get_count(state, "starting");
	found->deadline_ns = json_get_int(state, "stop_deadline_ns", 0);
	found->this_boot = !strcmp(json_get_str(state, "boot", ""), c->engine->boot_id);
}

/* RUN's is newer; ROOT's copy is for what RUN has lost. */
static void load_state(struct container *c, struct found *found)
{
	struct error err = ERROR_INIT;
	auto_fd int run_dir_fd = store_open_run_dir(c, false, NULL);
	auto_json json_t *state = NULL;
	int ret = -ENOENT;

	if (run_dir_fd >= 0)
		ret = json_read_file(run_dir_fd, "state.json", &state, NULL);
	if (ret < 0)
		ret = json_read_file(container_get_dir_fd(c), "state.json", &state, &err);
	if (ret == 0)
		apply_state(c, state, found);
	else if (ret != -ENOENT)
		set_damaged(c, &err);
}

void recover_state(struct container *c)
{
	struct found found = { .is_live = false };

	load(c);
	if (!c->view->damaged)
		load_state(c, &found);
}

/* --- events ----------------------------------------------------------------- */

enum told recover_find_told(const struct container *c)
{
	static const char *const actions[] = {
		"create", "start", "die", "stop", "destroy", NULL,
	};
	int last = events_find_last(c->engine->events, c->id, actions);

	return (enum told)(last + 1);
}

static bool is_recent(const struct container *c, int64_t time_ns)
{
	return time_ns > events_get_time_ns(c->engine->events) - TELL_WITHIN_NS;
}

/* The create, if the last thing that the dead engine did was to make it. */
static void tell_create(struct container *c)
{
	const struct container_view *view = c->view;

	if (view->state == CONTAINER_CREATED && view->run == 0 && is_recent(c, view->created_ns) &&
	    recover_find_told(c) == TOLD_NOTHING)
		container_emit(c, "create", NULL, NULL);
}

/* Each event bears the name: a rename after the last one was not told. */
static void tell_rename(struct container *c)
{
	auto_json json_t *event = NULL;
	auto_free char *line = NULL;
	const char *name;
	struct stat st;

	if (fstatat(container_get_dir_fd(c), "meta.json", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !is_recent(c, st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec))
		return;
	line = events_dup_last(c->engine->events, c->id);
	if (!line || json_parse_text(line, strlen(line), &event, NULL) < 0)
		return;
	name = json_get_str(json_get_object(json_get_object(event, "Actor"), "Attributes"), "name",
			    c->view->name);
	if (strcmp(name, c->view->name) != 0)
		container_emit(c, "rename", "oldName", name);
}

static void tell_start(struct container *c)
{
	if (recover_find_told(c) != TOLD_START)
		container_emit(c, "start", NULL, NULL);
}

/* --- settling: what is true now --------------------------------------------- */

/* Of a launch that an engine died in: see count_run_locked() in container_start.c. */
static void count_found_run_locked(struct container *c, struct container_view *view)
{
	view->restarts = c->policy_start ? view->restarts + 1 : 0;
	if (!c->policy_start)
		c->restart_delay_ns = 0;
	c->restart_due_ns = 0;
	c->policy_start = c->stopped_by_user = false;
}

static void settle_running(struct container *c, const struct found *found, uint64_t run,
			   struct shim *shim, const struct launch_result *result)
{
	struct container_view *view;
	bool was_paused;

	link_attach(c, run, shim);
	view = container_edit(c);
	if (found->starting) {
		view->state = CONTAINER_RUNNING;
		view->run = run;
		view->exit_code = 0;
		view->oom_killed = false;
		view->error[0] = '\0';
		view->started_ns = view->changed_ns = clock_now_ns();
		count_found_run_locked(c, view);
		c->start_code = 0;
		c->stop_asked = false;
	}
	was_paused = view->state == CONTAINER_PAUSED;
	view->pid = result->pid;
	network_show_locked(c, view, true);
	c->stop_deadline_ns = found->starting ? 0 : found->deadline_ns;
	container_publish(c, view);
	if (found->starting) {
		tell_start(c);
		store_save_state(c);
	}
	pause_recover(c, run, was_paused);
	link_watch(c);
	oom_watch(c);
	if (c->stop_deadline_ns)
		monitor_set_deadline(c->engine->monitor, c->key, run, c->stop_deadline_ns);
}

/* The run is over; exit_finish() finds out how. */
static void settle_ended(struct container *c, const struct found *found, uint64_t run,
			 struct shim *shim)
{
	struct container_view *view = container_edit(c);

	view->state = CONTAINER_RUNNING;
	view->run = run;
	view->exit_code = 0;
	if (found->starting) {
		view->started_ns = clock_now_ns();
		view->oom_killed = false;
		count_found_run_locked(c, view);
	}
	c->ending = true;
	container_publish(c, view);
	if (shim)
		link_attach(c, run, shim);
	if (found->starting) {
		tell_start(c);
		store_save_state(c);
	}
	exit_finish(c, run);
}

static void settle_rebooted(struct container *c)
{
	struct container_view *view = container_edit(c);
	struct error err = ERROR_INIT;

	view->state = CONTAINER_EXITED;
	view->pid = 0;
	view->exit_code = EXIT_KILLED;
	view->finished_ns = view->changed_ns = clock_now_ns();
	container_view_set_error(view, "the machine was restarted while it ran");
	c->exit_codes[view->run % EXIT_CODES_KEPT] = EXIT_KILLED;
	c->stop_asked = false;
	container_publish(c, view);
	network_release(c);
	if (logview_repair(container_get_dir_fd(c), (unsigned)view->run, clock_now_ns(), &err) < 0)
		log_warn("log of container %s: %s", c->short_id, err.msg);
	store_save_state(c);
	container_emit(c, "die", "exitCode", "137");
	remove_automatically(c);
}

/* Nothing of the launch counts. Its cgroup goes first, which a shim still at work
 * on it cannot get over, then the directory that it would write to. */
static void settle_not_started(struct container *c)
{
	struct error err = ERROR_INIT;

	/* A shim that begins an exec looks itself whether its engine is there. */
	if (!c->exec && cgroup_remove(c->engine->cgroups, c->id, &err) < 0)
		log_warn("container %s: %s", c->short_id, err.msg);
	c->policy_start = false;
	network_release(c);
	if (!c->exec)
		store_remove_run_dir(c);
	store_save_state(c);
}

static bool has_record(int run_dir_fd, uint64_t run)
{
	struct exit_record record;

	return exit_record_read(run_dir_fd, &record, NULL) == 0 && record.run == run;
}

static void settle(struct container *c, const struct found *found)
{
	uint64_t run = found->starting ? found->starting : c->view->run;
	auto_fd int run_dir_fd = store_open_run_dir(c, false, NULL);
	struct launch_result result = { .pid = 0 };
	struct shim *shim = NULL;

	if (c->view->damaged || !found->this_boot) {
		if (found->is_live && !c->view->damaged)
			settle_rebooted(c);
		if (!c->view->damaged)
			policy_decide_at_boot(c);
		return;
	}
	if (run_dir_fd >= 0)
		shim_connect(run_dir_fd, &shim, &result, NULL);
	if (!found->is_live && !found->starting)
		c->old_shim = shim; /* its log did not fit on the disk */
	else if (run_dir_fd >= 0 && has_record(run_dir_fd, run))
		settle_ended(c, found, run, shim);
	else if (shim)
		settle_running(c, found, run, shim, &result);
	else if (found->starting)
		settle_not_started(c);
	else
		settle_ended(c, found, run, NULL);
}

void recover_exec(struct container *c)
{
	struct found found = { .is_live = false };

	load_state(c, &found);
	settle(c, &found);
}

/* --- one container ---------------------------------------------------------- */

/* A name that is taken (somebody copied a directory) is no reason not to be seen. */
static int enter_table(struct container *c)
{
	struct engine *engine = c->engine;
	struct error err = ERROR_INIT;
	int ret = table_reserve(&engine->table, c, c->view->has_name ? c->view->name : NULL, &err);

	if (ret == -EEXIST) {
		error_wrap(&err, ret, "meta.json");
		set_damaged(c, &err);
		c->view->has_name = false;
		memcpy(c->view->name, c->short_id, sizeof(c->short_id));
		ret = table_reserve(&engine->table, c, NULL, NULL);
	}
	if (ret == 0)
		table_show(&engine->table, c);
	return ret;
}

static int recover_one(struct engine *engine, const char *id, struct error *err)
{
	AUTO(container_unref) struct container *c = container_new(engine, id);
	struct found found = { .is_live = false };
	int ret;

	if (!c)
		return error_set(err, ENOMEM, "no memory for container %.12s", id);
	load(c);
	if (!c->view->damaged)
		load_state(c, &found);
	else
		network_load_damaged(c);
	ret = enter_table(c);
	if (ret == -EALREADY) {
		log_warn("%s/containers/%s: another id begins with the same digits; not shown",
			 engine->root, id);
		return 0;
	}
	if (ret < 0)
		return error_set(err, -ret, "no memory for container %.12s", id);
	if (!c->view->damaged && !found.starting)
		tell_create(c);
	if (!c->view->damaged)
		tell_rename(c);
	settle(c, &found);
	exec_recover_all(c);
	/* The dead engine may not have come to it. */
	if (!found.is_live && !found.starting && !c->view->damaged)
		remove_automatically(c);
	return 0;
}

/* --- sweeping --------------------------------------------------------------- */

/* Of a damaged one nobody knows: it may run, and nothing but rm ends it. */
static bool may_be_live(struct engine *engine, const char *id)
{
	AUTO(container_unref) struct container *c = engine_find(engine, id);
	AUTO(container_view_unref) struct container_view *view = c ? container_get_view(c) : NULL;

	return view && (view->damaged || container_view_is_live(view));
}

static void sweep_cgroups(struct engine *engine)
{
	struct error err = ERROR_INIT;
	char **ids = NULL;

	if (cgroup_list(engine->cgroups, &ids, &err) < 0) {
		log_warn("cannot look for leftover cgroups: %s", err.msg);
		return;
	}
	for (char **id = ids; *id; id++) {
		error_clear(&err);
		if (!may_be_live(engine, *id) && cgroup_remove(engine->cgroups, *id, &err) < 0)
			log_warn("leftover cgroup %s: %s", *id, err.msg);
		free(*id);
	}
	free(ids);
}

static void sweep_run_dirs(struct engine *engine)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	struct error err = ERROR_INIT;

	if (path_list_dir(engine->run_fd, &list, &err) < 0) {
		log_warn("cannot look for leftovers in %s: %s", engine->run, err.msg);
		return;
	}
	for (size_t i = 0; i < list.count; i++) {
		AUTO(container_unref) struct container *c = NULL;

		if (!num_is_hex(list.names[i], 12))
			continue;
		c = engine_find(engine, list.names[i]);
		if (!c && path_remove_tree(engine->run_fd, list.names[i]) < 0)
			log_warn("cannot remove %s/%s", engine->run, list.names[i]);
	}
}

static bool keep_rootfs(void *arg, const char *id)
{
	struct engine *engine = arg;
	AUTO(container_unref) struct container *c = engine_find(engine, id);
	AUTO(image_unref) struct image *image = graph_find_image(engine->graph, id, NULL);

	if (c)
		image_note_exposed(c, true);
	return c || image;
}

int recover_all(struct engine *engine, struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	struct error late = ERROR_INIT;
	int ret = path_list_dir(engine->containers_fd, &list, err);

	for (size_t i = 0; ret == 0 && i < list.count; i++) {
		const char *entry = list.names[i];

		if (num_is_hex(entry, 64))
			ret = recover_one(engine, entry, err);
		else if (store_is_trash(entry))
			removed_recover(engine, entry);
		else if (store_is_leftover(entry))
			store_sweep(engine, entry);
		else
			log_warn("%s/containers/%s is none of ours; left alone", engine->root,
				 entry);
	}
	if (ret < 0)
		return ret;
	/* Now that all who may use a volume are known. */
	removed_finish_volumes(engine);
	sweep_cgroups(engine);
	network_recover(engine);
	sweep_run_dirs(engine);
	if (rootfs_sweep(engine->rootfs, keep_rootfs, engine, &late) < 0)
		log_warn("cannot look for leftover mounts: %s", late.msg);
	return 0;
}
