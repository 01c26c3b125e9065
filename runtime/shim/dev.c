/* /dev: device nodes, the links that programs expect, the terminal, and what
 * becomes descriptors 0, 1 and 2.
 *
 * Nothing of the host's /dev is ever handed in: whoever holds an open /dev/null
 * of the host can change that node's mode.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"

#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEV_NULL makedev(1, 3)

static const struct {
	const char *target, *name;
} links[] = {
	{ "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" },
	{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
	{ "/proc/kcore", "core" },       { "pts/ptmx", "ptmx" },
};

/* True when the plan makes a file system on /dev: only then it is ours to fill. */
static bool has_dev(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->header->mounts.count; i++)
		if (plan->mounts[i].fstype &&
		    strcmp(plan_get_str(plan, plan->mounts[i].target), "/dev") == 0)
			return true;
	return false;
}

static int make_device(const struct plan_header *header, int dev_fd,
		       const struct plan_device *device, const char *path)
{
	const char *name = strrchr(path, '/');
	char dir[PATH_MAX];
	int parent = dev_fd;
	if (name) {
		size_t len = (size_t)(name - path);
		if (len >= sizeof(dir))
			return -ENAMETOOLONG;
		memcpy(dir, path, len);
		dir[len] = '\0';
		parent = root_open_made(dev_fd, dir, false);
		if (parent < 0)
			return parent;
	}
	name = name ? name + 1 : path;
	if (mknodat(parent, name, device->mode, makedev(device->major, device->minor)) < 0 &&
	    errno != EEXIST)
		return -errno;
	if ((device->uid || device->gid) &&
	    fchownat(parent, name, header->uid_base + device->uid, header->gid_base + device->gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (parent != dev_fd)
		close(parent);
	return 0;
}

int dev_fill(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	bool own = has_dev(plan);
	if (plan->header->devices.count == 0 && !own)
		return 0;
	int dev_fd = root_open_made(box->root_fd, "/dev", false);
	if (dev_fd < 0)
		return error_set_sys(err, -dev_fd, "cannot open '/dev'");
	for (uint32_t i = 0; i < plan->header->devices.count; i++) {
		const char *path = plan_get_str(plan, plan->devices[i].path);
		int r = make_device(plan->header, dev_fd, &plan->devices[i], path);
		if (r < 0)
			return error_set_sys(err, -r, "cannot make the device '/dev/%s'", path);
	}
	for (size_t i = 0; own && i < sizeof(links) / sizeof(links[0]); i++)
		if (symlinkat(links[i].target, dev_fd, links[i].name) < 0 && errno != EEXIST)
			return error_set_sys(err, errno, "cannot make the link '/dev/%s'",
					     links[i].name);
	close(dev_fd);
	return 0;
}

/* Both ends go to the shim: its slave keeps the master from reporting an end
 * while the container happens to have no terminal open. */
static int send_terminal(int channel, int master, int slave)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = { 0 };
	char byte = 'T';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	int fds[2] = { master, slave };
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
	return sendmsg(channel, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int bind_console(int root_fd, int slave)
{
	int target = root_open_made(root_fd, "/dev/console", true);
	int fd = kernel_open_tree(slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	if (target < 0) {
		errno = -target;
		return -1;
	}
	if (fd < 0 || kernel_attach(fd, target) < 0)
		return -1;
	close(fd);
	close(target);
	return 0;
}

static int set_up_terminal(const struct plan *plan, int master, int slave)
{
	struct winsize size = {
		.ws_row = (unsigned short)plan->header->tty_rows,
		.ws_col = (unsigned short)plan->header->tty_cols,
	};
	if (ioctl(master, TIOCSWINSZ, &size) < 0)
		return -1;
	if (!plan_forks(plan) && ioctl(slave, TIOCSCTTY, 0) < 0)
		return -1;
	if (plan->header->uid &&
	    fchown(slave, plan->header->uid_base + plan->header->uid, (gid_t)-1) < 0)
		return -1;
	return 0;
}

int dev_open_terminal(const struct sandbox *box, struct error *err)
{
	int unlock = 0;
	int master = kernel_open_in(box->root_fd, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0);
	if (master < 0)
		return error_set_sys(err, errno, "cannot open '/dev/pts/ptmx' for a terminal");
	int slave = ioctl(master, TIOCSPTLCK, &unlock) < 0
			    ? -1
			    : ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		return error_set_sys(err, errno, "cannot open a terminal");
	if (set_up_terminal(box->plan, master, slave) < 0)
		return error_set_sys(err, errno, "cannot set up the terminal");
	if (!plan_has(box->plan, PLAN_JOIN) && bind_console(box->root_fd, slave) < 0)
		return error_set_sys(err, errno, "cannot make '/dev/console'");
	if (send_terminal(box->channel, master, slave) < 0)
		return error_set_sys(err, errno, "cannot hand the terminal over");
	for (int fd = 0; fd < 3; fd++)
		if (dup2(slave, fd) < 0)
			return error_set_sys(err, errno, "cannot set descriptor %d", fd);
	return 0;
}

int dev_open_null(int root_fd)
{
	struct stat st;
	int ends[2];
	int fd = kernel_open_in(root_fd, "/dev/null", O_PATH, 0);
	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && st.st_rdev == DEV_NULL) {
		close(fd);
		return kernel_open_in(root_fd, "/dev/null", O_RDWR | O_NOCTTY, 0);
	}
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	close(ends[1]);
	return ends[0];
}

int dev_set_stdio(const struct sandbox *box, struct error *err)
{
	for (int fd = 0; fd < 3; fd++) {
		int from = box->stdio[fd] >= 0 ? box->stdio[fd] : dev_open_null(box->root_fd);
		if (from < 0 || dup2(from, fd) < 0)
			return error_set_sys(err, errno, "cannot set descriptor %d", fd);
		close(from);
	}
	return 0;
}
