/* What the machine has of control groups, and the parents of all our groups.
 *
 * The hierarchies are found once in /proc/self/mountinfo. In each one that we
 * may use the parent containerfs/<instance> is made at once, so that everything
 * in struct cgroup_host is fixed from then on and needs no lock; a parent that
 * somebody removed is made anew behind the same descriptor. A controller
 * is version 2's when its root offers it and it can be handed down to our
 * parent (a controller bound to a version 1 hierarchy is offered nowhere
 * else); otherwise version 1's, if that is mounted.
 *
 * Leaves of single containers are left to cgroup.c and cgroup_end.c.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TOP "containerfs"
#define MOUNTINFO_MAX (16 << 20)

const char *const cgroup_controller_names[CGROUP_CONTROLLER_COUNT] = {
	[CGROUP_MEMORY] = "memory", [CGROUP_CPU] = "cpu",         [CGROUP_PIDS] = "pids",
	[CGROUP_CPUSET] = "cpuset", [CGROUP_DEVICES] = "devices", [CGROUP_FREEZER] = "freezer",
};

/* Is word one of the words of list, split at sep? */
static bool list_has(const char *list, const char *word, const char *sep)
{
	size_t len = strlen(word);

	while (*list) {
		size_t n = strcspn(list, sep);

		if (n == len && memcmp(list, word, n) == 0)
			return true;
		list += n;
		list += strspn(list, sep);
	}
	return false;
}

/* mountinfo writes blank, tab, newline and backslash as \ooo. */
static void unescape(const char *text, char *ret, size_t size)
{
	size_t n = 0;

	while (*text && n + 1 < size) {
		char digits[4] = { 0 };
		uint64_t byte;

		if (*text == '\\' && strlen(text) > 3) {
			memcpy(digits, text + 1, 3);
			if (num_parse_base(digits, 8, 255, &byte) == 0) {
				ret[n++] = (char)byte;
				text += 4;
				continue;
			}
		}
		ret[n++] = *text++;
	}
	ret[n] = '\0';
}

/* "36 35 98:0 ROOT TARGET OPTIONS [FIELDS...] - TYPE SOURCE SUPEROPTIONS" */
static void parse_mount(char *line, struct cgroup_mounts *mounts)
{
	char *words[6], *type, *super, *save = NULL;
	char *tail = strstr(line, " - ");

	if (!tail)
		return;
	*tail = '\0';
	for (size_t i = 0; i < 6; i++) {
		words[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!words[i])
			return;
	}
	type = strtok_r(tail + 3, " ", &save);
	if (!type || !strtok_r(NULL, " ", &save) || strcmp(words[3], "/") != 0)
		return;
	super = strtok_r(NULL, " ", &save);
	if (strcmp(type, "cgroup2") == 0 && !mounts->paths[CGROUP_TREE_V2][0])
		unescape(words[4], mounts->paths[CGROUP_TREE_V2], PATH_MAX);
	if (strcmp(type, "cgroup") != 0 || !super)
		return;
	for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (!mounts->paths[i][0] && list_has(super, cgroup_controller_names[i], ","))
			unescape(words[4], mounts->paths[i], PATH_MAX);
}

void cgroup_mounts_parse(const char *text, struct cgroup_mounts *ret)
{
	memset(ret, 0, sizeof(*ret));
	while (*text) {
		size_t len = strcspn(text, "\n");
		auto_free char *line = strndup(text, len);

		if (line)
			parse_mount(line, ret);
		text += len;
		text += *text == '\n';
	}
}

/* Make or open one directory; another engine's sweep may remove it in between. */
static int make_dir(int dir_fd, const char *name)
{
	int fd = -1;

	for (int tries = 0; fd < 0 && tries < 8; tries++) {
		if (mkdirat(dir_fd, name, 0755) < 0 && errno != EEXIST)
			return -errno;
		fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 && errno != ENOENT)
			return -errno;
	}
	return fd < 0 ? -ENOENT : fd;
}

static int enable_controller(int dir_fd, const char *name)
{
	auto_fd int fd = openat(dir_fd, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
	char text[32];
	int len = snprintf(text, sizeof(text), "+%s", name);

	if (fd < 0)
		return -errno;
	return path_write_all(fd, text, (size_t)len);
}

/* Hand the controllers of version 2 down to our parent's children. */
static void enable_v2(struct cgroup_host *host, int top_fd)
{
	const struct cgroup_tree *tree = &host->trees[CGROUP_TREE_V2];
	char offered[256];

	cgroup_read_file(tree->root_fd, "cgroup.controllers", offered, sizeof(offered));
	for (size_t i = CGROUP_MEMORY; i <= CGROUP_CPUSET; i++) {
		const char *name = cgroup_controller_names[i];

		host->on_v2[i] = list_has(offered, name, " \n") &&
				 enable_controller(tree->root_fd, name) == 0 &&
				 enable_controller(top_fd, name) == 0 &&
				 enable_controller(tree->parent_fd, name) == 0;
	}
}

/* A group of version 1's cpuset takes no process before it has processors and memory: ours get all that there
 * is, and so do those below by themselves. */
static int fill_cpuset(int from_fd, int group_fd)
{
	static const char *const files[] = { "cpuset.cpus", "cpuset.mems",
					     "cgroup.clone_children" };
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < 3; i++) {
		auto_fd int fd = openat(group_fd, files[i], O_WRONLY | O_CLOEXEC);
		char text[CPULIST_TEXT_MAX + 1] = "1";

		if (i < 2)
			cgroup_read_file(from_fd, files[i], text, sizeof(text));
		ret = fd < 0 ? -errno : path_write_all(fd, text, strlen(text));
	}
	return ret;
}

/* Both directories, made or opened; another engine's sweep may remove the upper one in between. The lower
 * one's descriptor or -errno. */
static int make_dirs(const struct cgroup_host *host, int tree, int *ret_top_fd)
{
	int fd = -ENOENT, ret;

	for (int tries = 0; fd == -ENOENT && tries < 8; tries++) {
		auto_fd int top_fd = make_dir(host->trees[tree].root_fd, TOP);

		if (top_fd < 0)
			return top_fd;
		fd = make_dir(top_fd, host->instance);
		if (fd >= 0)
			*ret_top_fd = steal_fd(&top_fd);
	}
	if (fd < 0 || tree != CGROUP_CPUSET)
		return fd;
	ret = fill_cpuset(host->trees[tree].root_fd, *ret_top_fd);
	if (ret == 0)
		ret = fill_cpuset(*ret_top_fd, fd);
	if (ret < 0)
		close(fd);
	return ret < 0 ? ret : fd;
}

static int make_parent(struct cgroup_host *host, int tree, const char *path, struct error *err)
{
	auto_fd int top_fd = -1;
	int fd = make_dirs(host, tree, &top_fd);

	if (fd < 0)
		return error_set_sys(err, -fd, "cannot make the control group '%s/%s/%s'", path,
				     TOP, host->instance);
	host->trees[tree].parent_fd = fd;
	if (tree == CGROUP_TREE_V2)
		enable_v2(host, top_fd);
	return 0;
}

int cgroup_host_remake_parent(const struct cgroup_host *host, int tree)
{
	auto_fd int top_fd = -1;
	auto_fd int fd = make_dirs(host, tree, &top_fd);
	int ret = fd < 0 ? fd : 0;

	for (size_t i = 0; ret == 0 && tree == CGROUP_TREE_V2 && i < CGROUP_CONTROLLER_COUNT; i++) {
		if (!host->on_v2[i])
			continue;
		ret = enable_controller(top_fd, cgroup_controller_names[i]);
		if (ret == 0)
			ret = enable_controller(fd, cgroup_controller_names[i]);
	}
	if (ret < 0)
		return ret;
	return dup3(fd, host->trees[tree].parent_fd, O_CLOEXEC) < 0 ? -errno : 0;
}

/* Version 2 first: what it has need not be looked for in version 1. The freezer
 * of version 1 is only needed without version 2, its devices without BPF. */
static bool is_wanted(const struct cgroup_host *host, int tree)
{
	if (host->trees[tree].root_fd < 0)
		return false;
	if (tree == CGROUP_TREE_V2)
		return true;
	if (tree == CGROUP_FREEZER)
		return host->trees[CGROUP_TREE_V2].parent_fd < 0;
	if (tree == CGROUP_DEVICES)
		return host->device_bpf < 0;
	return !host->on_v2[tree];
}

static int make_parents(struct cgroup_host *host, const struct cgroup_mounts *mounts,
			struct error *err)
{
	for (int tree = CGROUP_TREE_COUNT - 1; tree >= 0; tree--) {
		int ret;

		if (!is_wanted(host, tree))
			continue;
		ret = make_parent(host, tree, mounts->paths[tree], err);
		if (ret < 0)
			return ret;
		if (tree == CGROUP_TREE_V2)
			host->device_bpf = cgroup_bpf_load_devices(NULL, 0);
	}
	return 0;
}

static void probe_features(struct cgroup_host *host)
{
	int memory = cgroup_host_find_tree(host, CGROUP_MEMORY);

	if (memory >= 0)
		host->has_swap = faccessat(host->trees[memory].parent_fd,
					   memory == CGROUP_TREE_V2 ? "memory.swap.max"
								    : "memory.memsw.limit_in_bytes",
					   F_OK, 0) == 0;
	if (host->trees[CGROUP_TREE_V2].parent_fd >= 0)
		host->has_kill = faccessat(host->trees[CGROUP_TREE_V2].parent_fd, "cgroup.kill",
					   F_OK, 0) == 0;
}

static int check_instance(const char *instance, struct error *err)
{
	size_t len = strspn(instance, "abcdefghijklmnopqrstuvwxyz0123456789");

	if (len == 0 || instance[len] != '\0' || len > 64)
		return error_set(err, EINVAL, "'%s' cannot name a control group", instance);
	return 0;
}

static struct cgroup_host *alloc_host(const char *instance)
{
	AUTO(cgroup_host_free) struct cgroup_host *host = calloc(1, sizeof(*host));

	if (!host)
		return NULL;
	host->device_bpf = -1;
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++)
		host->trees[i] = (struct cgroup_tree){ -1, -1 };
	host->instance = strdup(instance);
	return host->instance ? steal_ptr(&host) : NULL;
}

static void open_roots(struct cgroup_host *host, const struct cgroup_mounts *mounts)
{
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++)
		if (mounts->paths[i][0])
			host->trees[i].root_fd =
				open(mounts->paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_host_new(const char *instance, struct cgroup_host **ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int result = path_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, err);

	if (result < 0)
		return result;
	return cgroup_host_new_from(instance, strbuf_get_str(&text), ret, err);
}

int cgroup_host_new_from(const char *instance, const char *mountinfo, struct cgroup_host **ret,
			 struct error *err)
{
	AUTO(cgroup_host_free) struct cgroup_host *host = NULL;
	auto_free struct cgroup_mounts *mounts = calloc(1, sizeof(*mounts));
	int result = check_instance(instance, err);

	if (result < 0)
		return result;
	host = alloc_host(instance);
	if (!host || !mounts)
		return error_set(err, ENOMEM, "no memory for the control groups");
	cgroup_mounts_parse(mountinfo, mounts);
	open_roots(host, mounts);
	result = make_parents(host, mounts, err);
	if (result == 0 && cgroup_host_main_tree(host) < 0)
		result =
			error_set(err, ENOTSUP,
				  "no control groups are mounted; mount cgroup2 on /sys/fs/cgroup");
	if (result < 0) {
		cgroup_host_sweep(host);
		return result;
	}
	probe_features(host);
	*ret = steal_ptr(&host);
	return 0;
}

void cgroup_host_free(struct cgroup_host *host)
{
	if (!host)
		return;
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++) {
		cleanup_fd(&host->trees[i].root_fd);
		cleanup_fd(&host->trees[i].parent_fd);
	}
	cleanup_fd(&host->device_bpf);
	free(host->instance);
	free(host);
}

const char *cgroup_host_get_mode(const struct cgroup_host *host)
{
	bool v1 = false;

	for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		v1 |= host->trees[i].root_fd >= 0;
	if (host->trees[CGROUP_TREE_V2].root_fd < 0)
		return "v1";
	return v1 ? "hybrid" : "v2";
}

bool cgroup_host_has(const struct cgroup_host *host, const char *controller)
{
	if (strcmp(controller, "swap") == 0)
		return host->has_swap;
	if (strcmp(controller, "devices") == 0 && host->device_bpf >= 0)
		return true;
	if (strcmp(controller, "freezer") == 0 && host->trees[CGROUP_TREE_V2].parent_fd >= 0)
		return true;
	for (size_t i = 0; i < CGROUP_CONTROLLER_COUNT; i++)
		if (strcmp(controller, cgroup_controller_names[i]) == 0)
			return cgroup_host_find_tree(host, (enum cgroup_controller)i) >= 0;
	return false;
}

int cgroup_host_find_tree(const struct cgroup_host *host, enum cgroup_controller controller)
{
	if (host->on_v2[controller])
		return CGROUP_TREE_V2;
	return host->trees[controller].parent_fd >= 0 ? (int)controller : -1;
}

int cgroup_host_main_tree(const struct cgroup_host *host)
{
	if (host->trees[CGROUP_TREE_V2].parent_fd >= 0)
		return CGROUP_TREE_V2;
	return host->trees[CGROUP_FREEZER].parent_fd >= 0 ? CGROUP_FREEZER : -1;
}

void cgroup_host_sweep(struct cgroup_host *host)
{
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++) {
		auto_fd int top_fd = -1;

		if (host->trees[i].parent_fd < 0)
			continue;
		top_fd = openat(host->trees[i].root_fd, TOP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (top_fd >= 0 && unlinkat(top_fd, host->instance, AT_REMOVEDIR) == 0)
			unlinkat(host->trees[i].root_fd, TOP, AT_REMOVEDIR);
	}
}
