/* The OOM killer's work in a container's groups: asked for, and waited for.
 *
 * Version 2 counts kills in memory.events, a file that poll(2) knows; version 1 in
 * memory.oom_control, beside which an eventfd can be registered.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>

bool cgroup_was_oom(struct cgroup_host *host, const char *id)
{
	int tree = cgroup_host_find_tree(host, CGROUP_MEMORY);
	auto_fd int group_fd = cgroup_open_group(host, tree, id);

	if (group_fd < 0)
		return false;
	return cgroup_read_key(group_fd,
			       tree == CGROUP_TREE_V2 ? "memory.events" : "memory.oom_control",
			       "oom_kill") > 0;
}

/* Source: the kernel's cgroup-v1/memory.rst, section 10. */
static int watch_v1(int group_fd)
{
	auto_fd int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	auto_fd int oom_fd = openat(group_fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	auto_fd int control_fd = openat(group_fd, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
	char text[32];
	int ret;

	if (event_fd < 0 || oom_fd < 0 || control_fd < 0)
		return -errno;
	snprintf(text, sizeof(text), "%d %d", event_fd, oom_fd);
	ret = path_write_all(control_fd, text, strlen(text));
	return ret < 0 ? ret : steal_fd(&event_fd);
}

int cgroup_watch_oom(struct cgroup_host *host, const char *id, bool *ret_is_priority)
{
	int tree = cgroup_host_find_tree(host, CGROUP_MEMORY);
	auto_fd int group_fd = cgroup_open_group(host, tree, id);
	int fd;

	if (group_fd < 0)
		return group_fd;
	*ret_is_priority = tree == CGROUP_TREE_V2;
	if (!*ret_is_priority)
		return watch_v1(group_fd);
	fd = openat(group_fd, "memory.events", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool cgroup_take_oom(int watch_fd, bool is_priority)
{
	char text[512];
	eventfd_t count;
	const char *at;
	ssize_t n;

	if (!is_priority)
		return eventfd_read(watch_fd, &count) == 0;
	/* Also what arms the next poll. */
	n = path_pread_full(watch_fd, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, "oom_kill ");
	return at && strncmp(at, "oom_kill 0\n", 11) != 0;
}
