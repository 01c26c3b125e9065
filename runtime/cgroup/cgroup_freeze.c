/* Freezing all processes of a container, and letting them go on.
 *
 * Version 2's leaf does it wherever there is one, also on a hybrid machine: it
 * holds every process, says by an event when all of them stand still, and lets
 * SIGKILL through. Version 1's freezer says nothing by itself: its state is
 * looked at until it is reached.
 *
 * Nothing is remembered here: what is frozen is what the kernel says.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/clock.h"
#include "base/path.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* Between two looks at version 1's freezer. */
#define LOOK_AGAIN_MS 1

static int left_ms(int64_t deadline_ns)
{
	int64_t left = deadline_ns - clock_monotonic_ns();

	return left <= 0 ? 0 : (int)(left / 1000000) + 1;
}

/* 0, or -ETIMEDOUT. */
static int wait_v2(int group_fd, const char *wanted, int64_t deadline_ns)
{
	auto_fd int fd = openat(group_fd, "cgroup.events", O_RDONLY | O_CLOEXEC);
	struct pollfd poll_fd = { .fd = fd, .events = POLLPRI };

	if (fd < 0)
		return -errno;
	for (;;) {
		char text[128];
		ssize_t n = path_pread_full(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return (int)n;
		text[n] = '\0';
		if (strstr(text, wanted))
			return 0;
		if (left_ms(deadline_ns) == 0)
			return -ETIMEDOUT;
		/* The read above is what arms it. */
		poll(&poll_fd, 1, left_ms(deadline_ns));
	}
}

static int wait_v1(int group_fd, const char *wanted, int64_t deadline_ns)
{
	for (;;) {
		char text[32];

		cgroup_read_file(group_fd, "freezer.state", text, sizeof(text));
		if (strcmp(text, wanted) == 0)
			return 0;
		if (left_ms(deadline_ns) == 0)
			return -ETIMEDOUT;
		poll(NULL, 0, LOOK_AGAIN_MS);
	}
}

static int write_text(int group_fd, const char *file, const char *text)
{
	auto_fd int fd = openat(group_fd, file, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : path_write_all(fd, text, strlen(text));
}

/* Say what is wanted, and wait until it is so. */
static int set_frozen(int tree, int group_fd, bool frozen, int64_t deadline_ns)
{
	bool is_v2 = tree == CGROUP_TREE_V2;
	int ret;

	if (is_v2)
		ret = write_text(group_fd, "cgroup.freeze", frozen ? "1" : "0");
	else
		ret = write_text(group_fd, "freezer.state", frozen ? "FROZEN" : "THAWED");
	if (ret < 0)
		return ret;
	if (is_v2)
		return wait_v2(group_fd, frozen ? "frozen 1" : "frozen 0", deadline_ns);
	return wait_v1(group_fd, frozen ? "FROZEN" : "THAWED", deadline_ns);
}

int cgroup_freeze(struct cgroup_host *host, const char *id, unsigned timeout_ms, struct error *err)
{
	int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
	int tree = cgroup_host_main_tree(host), ret;
	auto_fd int group_fd = cgroup_open_group(host, tree, id);

	if (group_fd < 0)
		return error_set_sys(err, -group_fd, "no control group '%s'", id);
	ret = set_frozen(tree, group_fd, true, deadline_ns);
	if (ret == 0)
		return 0;
	/* Whoever did stand still goes on. */
	set_frozen(tree, group_fd, false, deadline_ns);
	if (ret == -ETIMEDOUT)
		return error_set(err, ETIMEDOUT,
				 "a process did not stand still within %u s; it waits for the disk "
				 "or a file system",
				 timeout_ms / 1000);
	return error_set_sys(err, -ret, "cannot freeze the control group '%s'", id);
}

int cgroup_thaw(struct cgroup_host *host, const char *id, unsigned timeout_ms, struct error *err)
{
	int64_t deadline_ns = clock_monotonic_ns() + (int64_t)timeout_ms * 1000000;
	int tree = cgroup_host_main_tree(host), ret;
	auto_fd int group_fd = cgroup_open_group(host, tree, id);

	if (group_fd == -ENOENT)
		return 0;
	if (group_fd < 0)
		return error_set_sys(err, -group_fd, "cannot open the control group '%s'", id);
	ret = set_frozen(tree, group_fd, false, deadline_ns);
	if (ret < 0 && ret != -ENODEV) /* ENODEV: removed meanwhile */
		return error_set_sys(err, -ret, "cannot thaw the control group '%s'", id);
	return 0;
}

bool cgroup_is_frozen(struct cgroup_host *host, const char *id)
{
	int tree = cgroup_host_main_tree(host);
	auto_fd int group_fd = cgroup_open_group(host, tree, id);
	bool is_v2 = tree == CGROUP_TREE_V2;
	char text[32] = "";

	if (group_fd < 0)
		return false;
	cgroup_read_file(group_fd, is_v2 ? "cgroup.freeze" : "freezer.self_freezing", text,
			 sizeof(text));
	return strcmp(text, "1") == 0;
}
