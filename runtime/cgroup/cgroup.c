/* Making and changing the groups of one container.
 *
 * A container is in as few groups as do its work: version 2's leaf always (kill,
 * freeze, events, device program, CLONE_INTO_CGROUP), and on a machine whose
 * controllers are bound to version 1 the memory group (accounting and OOM), and
 * pids and cpu only when they limit something. What was left out is made, and the
 * processes moved there, when cgroup_update() first asks for it.
 *
 * The version 1 groups are joined through `tasks`, not cgroup.procs: a single
 * thread that writes "0" there moves itself without the kernel's process-wide
 * lock, whose taking waits for an RCU grace period (52 us against 5.6 ms for
 * three hierarchies after a pause).
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Processes may fork while they are moved; each pass takes along what the last
 * one missed. Only a fork bomb needs more. */
#define MOVE_PASSES 32

int cgroup_open_group(const struct cgroup_host *host, int tree, const char *id)
{
	int fd;

	if (tree < 0 || host->trees[tree].parent_fd < 0)
		return -ENOENT;
	fd = openat(host->trees[tree].parent_fd, id,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int check_id(const char *id, struct error *err)
{
	size_t len = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789-");

	if (len == 0 || id[len] != '\0' || len > NAME_MAX)
		return error_set(err, EINVAL, "'%s' cannot name a control group", id);
	return 0;
}

/* An empty group left by a crash is taken away first: its limits and its count of
 * OOM kills are the last run's. Descriptor or -errno. */
static int make_group(const struct cgroup_host *host, int tree, const char *id, struct error *err)
{
	int parent_fd = host->trees[tree].parent_fd, ret;

	if (mkdirat(parent_fd, id, 0755) < 0) {
		/* Who tidies up may remove our parent while it is empty. */
		if (errno == ENOENT || errno == ENODEV) {
			ret = cgroup_host_remake_parent(host, tree);
			if (ret < 0)
				return error_set_sys(
					err, -ret, "the parent of control group '%s' is gone", id);
		} else if (errno == EEXIST && unlinkat(parent_fd, id, AT_REMOVEDIR) < 0)
			return error_set_sys(err, errno, "control group '%s' is there already", id);
		if (mkdirat(parent_fd, id, 0755) < 0)
			return error_set_sys(err, errno, "cannot make the control group '%s'", id);
	}
	ret = cgroup_open_group(host, tree, id);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot open the control group '%s'", id);
	return ret;
}

/* Which groups a new container needs besides the main one. */
static bool is_needed(const struct cgroup_host *host, int tree, const struct cgroup_limits *limits,
		      const struct cgroup_setting *settings, int count)
{
	if (tree == cgroup_host_main_tree(host))
		return true;
	if (host->trees[tree].parent_fd < 0)
		return false;
	if (tree == CGROUP_MEMORY)
		return true;
	if (tree == CGROUP_DEVICES)
		return !limits->all_devices;
	for (int i = 0; i < count; i++)
		if ((int)settings[i].controller == tree && !settings[i].is_default)
			return true;
	return false;
}

static int apply_new(const struct cgroup_host *host, int tree, int group_fd,
		     const struct cgroup_setting *settings, int count, struct error *err)
{
	int ret = 0;

	for (int i = 0; ret == 0 && i < count; i++)
		if (!settings[i].is_default &&
		    cgroup_host_find_tree(host, settings[i].controller) == tree)
			ret = cgroup_setting_write(group_fd, &settings[i], err);
	return ret;
}

static int allow_devices(const struct cgroup_host *host, int tree, int group_fd,
			 const struct cgroup_limits *limits, struct error *err)
{
	auto_fd int own_fd = -1;
	int ret = 0;

	if (tree == CGROUP_DEVICES)
		return cgroup_v1_allow_devices(group_fd, limits->devices, limits->device_count,
					       err);
	if (tree != CGROUP_TREE_V2 || host->device_bpf < 0)
		return 0;
	/* Those that want no more share one program. */
	if (limits->device_count > 0)
		ret = own_fd = cgroup_bpf_load_devices(limits->devices, limits->device_count);
	if (ret >= 0)
		ret = cgroup_bpf_attach(own_fd >= 0 ? own_fd : host->device_bpf, group_fd);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot attach the device list");
	return 0;
}

/* Keep what a process needs to join a group; group_fd is taken over. */
static int keep_group(int tree, const char *id, int *group_fd, struct cgroup *cgroup,
		      struct error *err)
{
	int fd;

	if (tree == CGROUP_TREE_V2) {
		cgroup->leaf_fd = steal_fd(group_fd);
		return 0;
	}
	fd = openat(*group_fd, "tasks", O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open the tasks of control group '%s'", id);
	cgroup->procs_fds[cgroup->procs_count++] = fd;
	return 0;
}

/* Make one group, limit it, and keep what a process needs to join it. */
static int create_in_tree(const struct cgroup_host *host, int tree, const char *id,
			  const struct cgroup_limits *limits, const struct cgroup_setting *settings,
			  int count, struct cgroup *cgroup, struct error *err)
{
	auto_fd int group_fd = make_group(host, tree, id, err);
	int ret;

	if (group_fd < 0)
		return group_fd;
	ret = apply_new(host, tree, group_fd, settings, count, err);
	if (ret == 0 && !limits->all_devices)
		ret = allow_devices(host, tree, group_fd, limits, err);
	return ret < 0 ? ret : keep_group(tree, id, &group_fd, cgroup, err);
}

int cgroup_create(struct cgroup_host *host, const char *id, const struct cgroup_limits *limits,
		  struct cgroup *ret, struct error *err)
{
	struct cgroup_setting settings[CGROUP_SETTINGS_MAX];
	struct cgroup cgroup = CGROUP_INIT;
	int result = check_id(id, err), main_tree = cgroup_host_main_tree(host), count;

	if (result < 0)
		return result;
	count = cgroup_settings_make(host, limits, UINT64_MAX, settings, err);
	if (count < 0)
		return count;
	/* The main group first: if it is busy the id is somebody's, and nothing of it is touched. */
	result = create_in_tree(host, main_tree, id, limits, settings, count, &cgroup, err);
	if (result == -EBUSY || result == -EEXIST)
		return result;
	for (int tree = 0; result == 0 && tree < CGROUP_TREE_COUNT; tree++)
		if (tree != main_tree && is_needed(host, tree, limits, settings, count))
			result = create_in_tree(host, tree, id, limits, settings, count, &cgroup,
						err);
	if (result < 0) {
		cgroup_deinit(&cgroup);
		cgroup_remove(host, id, NULL);
		return result;
	}
	*ret = cgroup;
	return 0;
}

int cgroup_open(struct cgroup_host *host, const char *id, struct cgroup *ret, struct error *err)
{
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;
	int result = check_id(id, err), main_tree = cgroup_host_main_tree(host);

	for (int tree = 0; result == 0 && tree < CGROUP_TREE_COUNT; tree++) {
		auto_fd int group_fd = cgroup_open_group(host, tree, id);

		if (group_fd >= 0)
			result = keep_group(tree, id, &group_fd, &cgroup, err);
		else if (tree == main_tree || group_fd != -ENOENT)
			result = error_set_sys(err, -group_fd, "cannot open the control group '%s'",
					       id);
	}
	if (result < 0)
		return result;
	*ret = cgroup;
	cgroup = (struct cgroup)CGROUP_INIT;
	return 0;
}

void cgroup_deinit(struct cgroup *cgroup)
{
	cleanup_fd(&cgroup->leaf_fd);
	for (size_t i = 0; i < cgroup->procs_count; i++)
		cleanup_fd(&cgroup->procs_fds[i]);
	*cgroup = (struct cgroup)CGROUP_INIT;
}

/* Write a pid into a group's cgroup.procs; one that has ended is fine. */
static int move_pid(int procs_fd, pid_t pid)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%d", (int)pid);
	int ret = path_write_all(procs_fd, text, (size_t)len);

	return ret == -ESRCH ? 0 : ret;
}

/* Bring all processes of the main group into another one; what they fork
 * meanwhile is born where its parent is, so a pass that moves nothing ends it. */
static int move_all(int main_fd, int group_fd)
{
	auto_fd int procs_fd = openat(group_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (procs_fd < 0)
		return -errno;
	for (int pass = 0; pass < MOVE_PASSES; pass++) {
		AUTO(cgroup_pids_deinit) struct cgroup_pids have = { 0 };
		AUTO(cgroup_pids_deinit) struct cgroup_pids all = { 0 };
		int ret = cgroup_pids_read(group_fd, &have);
		bool moved = false;

		if (ret == 0)
			ret = cgroup_pids_read(main_fd, &all);
		for (size_t i = 0; ret == 0 && i < all.count; i++) {
			if (cgroup_pids_has(&have, all.pids[i]))
				continue;
			ret = move_pid(procs_fd, all.pids[i]);
			moved = true;
		}
		if (ret < 0 || !moved)
			return ret;
	}
	return -EAGAIN;
}

/* An update on its way: what has been changed, for the way back. */
struct update {
	const struct cgroup_host *host;
	const char *id;
	int main_fd;
	int group_fds[CGROUP_TREE_COUNT]; /* -1: not open */
	bool is_fresh[CGROUP_TREE_COUNT]; /* made by this update */
	struct cgroup_setting old[CGROUP_SETTINGS_MAX];
	int old_count;
};

static void update_deinit(struct update *update)
{
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++)
		cleanup_fd(&update->group_fds[i]);
	cleanup_fd(&update->main_fd);
}
DEFINE_AUTO_DEINIT(struct update, update_deinit);

static void undo(struct update *update)
{
	while (update->old_count > 0) {
		const struct cgroup_setting *old = &update->old[--update->old_count];
		int tree = cgroup_host_find_tree(update->host, old->controller);

		cgroup_setting_write(update->group_fds[tree], old, NULL);
	}
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++) {
		if (!update->is_fresh[i])
			continue;
		move_all(update->group_fds[i], update->host->trees[i].root_fd);
		unlinkat(update->host->trees[i].parent_fd, update->id, AT_REMOVEDIR);
	}
}

static int change(struct update *update, const struct cgroup_setting *setting, struct error *err)
{
	int tree = cgroup_host_find_tree(update->host, setting->controller), ret;
	int *group_fd = &update->group_fds[tree];
	struct cgroup_setting *old;

	if (*group_fd < 0)
		*group_fd = cgroup_open_group(update->host, tree, update->id);
	if (*group_fd == -ENOENT) {
		if (setting->is_default)
			return 0;
		*group_fd = make_group(update->host, tree, update->id, err);
		if (*group_fd < 0)
			return *group_fd;
		update->is_fresh[tree] = true;
	}
	if (*group_fd < 0)
		return error_set_sys(err, -*group_fd, "cannot open the control group '%s'",
				     update->id);
	old = &update->old[update->old_count];
	*old = *setting;
	cgroup_read_file(*group_fd, setting->file, old->value, sizeof(old->value));
	ret = cgroup_setting_check(*group_fd, setting, err);
	if (ret == 0)
		ret = cgroup_setting_write(*group_fd, setting, err);
	if (ret == 0)
		update->old_count++;
	return ret;
}

static int move_fresh(struct update *update, struct error *err)
{
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++) {
		int ret = update->is_fresh[i] ? move_all(update->main_fd, update->group_fds[i]) : 0;

		if (ret < 0)
			return error_set_sys(err, -ret,
					     "cannot move the processes into control group '%s/%s'",
					     cgroup_controller_names[i], update->id);
	}
	return 0;
}

/* What memory + swap may be now; version 1's order of writing depends on it. */
static uint64_t read_memsw(const struct cgroup_host *host, const char *id)
{
	auto_fd int fd = cgroup_open_group(host, CGROUP_MEMORY, id);
	char text[32] = "";
	uint64_t value;

	if (fd >= 0)
		cgroup_read_file(fd, "memory.memsw.limit_in_bytes", text, sizeof(text));
	return num_parse_u64(text, 0, UINT64_MAX, &value) == 0 ? value : UINT64_MAX;
}

int cgroup_update(struct cgroup_host *host, const char *id, const struct cgroup_limits *limits,
		  struct error *err)
{
	AUTO(update_deinit) struct update update = { .host = host, .id = id, .main_fd = -1 };
	struct cgroup_setting settings[CGROUP_SETTINGS_MAX];
	int ret = check_id(id, err), count;

	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++)
		update.group_fds[i] = -1;
	if (ret < 0)
		return ret;
	update.main_fd = cgroup_open_group(host, cgroup_host_main_tree(host), id);
	if (update.main_fd < 0)
		return error_set_sys(err, -update.main_fd, "no control group '%s'", id);
	count = cgroup_settings_make(host, limits, read_memsw(host, id), settings, err);
	if (count < 0)
		return count;
	for (int i = 0; ret == 0 && i < count; i++)
		ret = change(&update, &settings[i], err);
	if (ret == 0)
		ret = move_fresh(&update, err);
	if (ret < 0)
		undo(&update);
	return ret;
}
