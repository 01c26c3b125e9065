/* The end of a container's groups, and what can be asked of them: killing,
 * removing and listing.
 *
 * Nothing here trusts that a group is whole: each function takes any half-made
 * state, and a missing group is an empty one. A pid read from a group can be
 * another process's a moment later, so single signals go through a pidfd that was
 * opened before the pid was seen in the group once more.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/clock.h"
#include "base/path.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

/* How long a removal waits for killed processes to be gone. */
#define REMOVE_WAIT_NS 2000000000
/* What cannot be waited for (a group that is empty but still busy) is tried
 * again after this. */
#define RETRY_MS 1
/* Pidfds held at once. */
#define KILL_BATCH 64
#define DEPTH_MAX 64

static int write_text(int group_fd, const char *file, const char *text)
{
	auto_fd int fd = openat(group_fd, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : path_write_all(fd, text, strlen(text));
}

static void kill_batch(int group_fd, const pid_t *pids, size_t count)
{
	AUTO(cgroup_pids_deinit) struct cgroup_pids still = { 0 };
	int fds[KILL_BATCH];

	for (size_t i = 0; i < count; i++)
		fds[i] = (int)syscall(SYS_pidfd_open, pids[i], 0);
	cgroup_pids_read(group_fd, &still);
	for (size_t i = 0; i < count; i++) {
		if (fds[i] < 0)
			continue;
		if (cgroup_pids_has(&still, pids[i]))
			syscall(SYS_pidfd_send_signal, fds[i], SIGKILL, NULL, 0);
		close(fds[i]);
	}
}

/* SIGKILL to each process below a group, one by one. */
static int kill_listed(int group_fd)
{
	AUTO(cgroup_pids_deinit) struct cgroup_pids pids = { 0 };
	int ret = cgroup_pids_read(group_fd, &pids);

	for (size_t i = 0; ret == 0 && i < pids.count; i += KILL_BATCH)
		kill_batch(group_fd, pids.pids + i,
			   pids.count - i < KILL_BATCH ? pids.count - i : KILL_BATCH);
	return ret;
}

/* Frozen, nobody can fork away from the signals; the thaw lets them die. */
static int kill_v1(int group_fd)
{
	int ret;

	write_text(group_fd, "freezer.state", "FROZEN");
	ret = kill_listed(group_fd);
	write_text(group_fd, "freezer.state", "THAWED");
	return ret;
}

int cgroup_kill(struct cgroup_host *host, const char *id, struct error *err)
{
	int tree = cgroup_host_main_tree(host), ret;
	auto_fd int group_fd = cgroup_open_group(host, tree, id);

	if (group_fd == -ENOENT)
		return 0;
	if (group_fd < 0)
		return error_set_sys(err, -group_fd, "cannot open the control group '%s'", id);
	if (tree != CGROUP_TREE_V2)
		ret = kill_v1(group_fd);
	else if (host->has_kill)
		ret = write_text(group_fd, "cgroup.kill", "1");
	else
		ret = kill_listed(group_fd);
	if (ret < 0 && ret != -ENODEV) /* ENODEV: removed meanwhile */
		return error_set_sys(err, -ret, "cannot kill the control group '%s'", id);
	return 0;
}

static int left_ms(int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_monotonic_ns();

	return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

/* Sleep until version 2 says that nobody is in the group, or the deadline. */
static void wait_unpopulated(int group_fd, int64_t deadline_ns)
{
	auto_fd int fd = openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };

	/* The file is read before each poll: that is what arms it. */
	while (fd >= 0 && left_ms(deadline_ns) > 0) {
		char text[128];
		ssize_t n = path_pread_full(fd, text, sizeof(text) - 1, 0);

		if (n <= 0)
			return;
		text[n] = '\0';
		if (strstr(text, "populated 0"))
			return;
		poll(&poll_fd, 1, left_ms(deadline_ns));
	}
}

/* Sleep until some process of the group is gone, or the deadline. */
static void wait_one(int group_fd, int64_t deadline_ns)
{
	AUTO(cgroup_pids_deinit) struct cgroup_pids pids = { 0 };
	auto_fd int fd = -1;
	struct pollfd poll_fd = { .events = POLLIN };

	cgroup_pids_read(group_fd, &pids);
	if (pids.count > 0)
		fd = (int)syscall(SYS_pidfd_open, pids.pids[0], 0);
	poll_fd.fd = fd;
	poll(&poll_fd, 1, fd < 0 ? RETRY_MS : left_ms(deadline_ns));
}

struct removal {
	int depth;
};

/* rmdir of a group after that of all groups below it. */
static int remove_below(void *arg, int group_fd, const char *name)
{
	struct removal *removal = arg;

	if (unlinkat(group_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (removal->depth < DEPTH_MAX) {
		auto_fd int fd =
			openat(group_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0) {
			removal->depth++;
			cgroup_each_child(fd, remove_below, removal);
			removal->depth--;
		}
	}
	if (unlinkat(group_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	return removal->depth == 0 ? -errno : 0;
}

static int remove_in_tree(const struct cgroup_host *host, int tree, const char *id,
			  int64_t deadline_ns)
{
	for (;;) {
		struct removal removal = { 0 };
		int ret = remove_below(&removal, host->trees[tree].parent_fd, id);
		auto_fd int group_fd = -1;

		if (ret != -EBUSY)
			return ret;
		group_fd = cgroup_open_group(host, tree, id);
		if (group_fd < 0)
			return group_fd == -ENOENT ? 0 : group_fd;
		if (left_ms(deadline_ns) == 0)
			return ret;
		kill_listed(group_fd);
		wait_one(group_fd, deadline_ns);
	}
}

int cgroup_remove(struct cgroup_host *host, const char *id, struct error *err)
{
	int64_t deadline_ns = clock_monotonic_ns() + REMOVE_WAIT_NS;
	int main_tree = cgroup_host_main_tree(host), first = 0, ret;
	auto_fd int leaf_fd = cgroup_open_group(host, CGROUP_TREE_V2, id);

	cgroup_kill(host, id, NULL);
	if (leaf_fd >= 0)
		wait_unpopulated(leaf_fd, deadline_ns);
	for (int tree = 0; tree < CGROUP_TREE_COUNT; tree++) {
		ret = 0;
		if (tree != main_tree && host->trees[tree].parent_fd >= 0)
			ret = remove_in_tree(host, tree, id, deadline_ns);
		if (ret < 0 && first == 0)
			first = ret;
	}
	/* Last, so that while one of the others is left cgroup_update() and kill still work. */
	ret = remove_in_tree(host, main_tree, id, deadline_ns);
	if (ret < 0 && first == 0)
		first = ret;
	if (first < 0)
		return error_set_sys(err, -first, "cannot remove the control group '%s'", id);
	return 0;
}

ssize_t cgroup_list_pids(struct cgroup_host *host, const char *id, pid_t **ret, struct error *err)
{
	AUTO(cgroup_pids_deinit) struct cgroup_pids pids = { 0 };
	auto_fd int group_fd = cgroup_open_group(host, cgroup_host_main_tree(host), id);

	if (group_fd < 0)
		return error_set_sys(err, -group_fd, "no control group '%s'", id);
	if (cgroup_pids_read(group_fd, &pids) < 0)
		return error_set(err, ENOMEM, "no memory for the processes of '%s'", id);
	*ret = steal_ptr(&pids.pids);
	return (ssize_t)pids.count;
}

struct names {
	char **list; /* NULL-terminated */
	size_t count;
};

static int add_name(void *arg, int group_fd, const char *name)
{
	struct names *names = arg;
	char **grown, *copy;

	(void)group_fd;
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->list[i], name) == 0)
			return 0;
	grown = reallocarray(names->list, names->count + 2, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	names->list = grown;
	names->list[names->count] = NULL;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	names->list[names->count++] = copy;
	names->list[names->count] = NULL;
	return 0;
}

static void names_deinit(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}
DEFINE_AUTO_DEINIT(struct names, names_deinit);

int cgroup_list(struct cgroup_host *host, char ***ret, struct error *err)
{
	AUTO(names_deinit) struct names names = { calloc(1, sizeof(char *)), 0 };
	int result = names.list ? 0 : -ENOMEM;

	for (size_t i = 0; result == 0 && i < CGROUP_TREE_COUNT; i++)
		if (host->trees[i].parent_fd >= 0)
			result = cgroup_each_child(host->trees[i].parent_fd, add_name, &names);
	if (result < 0)
		return error_set_sys(err, -result, "cannot list the control groups");
	*ret = steal_ptr(&names.list);
	names.count = 0;
	return 0;
}
