/* The container's root file system: the pivot, and the mounts of the plan.
 *
 * Every target is opened with openat2 inside the container's root and mounted
 * on by descriptor, so no link in an image leads a mount astray. The old mount
 * call is used for file systems, on "." after fchdir: one call instead of the
 * new interface's five, and as safe.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define LINKS_MAX 40 /* as the kernel's own limit */

/* MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC have the values of MOUNT_ATTR_*. */
#define SAME_ATTRS 15UL

int root_take(struct sandbox *box, struct error *err)
{
	int fd = box->plan->header->rootfs_fd;
	if (kernel_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, 0, KERNEL_MS_PRIVATE) < 0)
		return error_set_sys(err, errno, "cannot make the root file system private");
	if (syscall(SYS_move_mount, fd, "", AT_FDCWD, SANDBOX_ROOT, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set_sys(err, errno, "cannot attach the root file system");
	/* The old root ends up on top of the new one and is taken off again.
	 * Source: pivot_root(2), "pivot_root(".", ".")". */
	if (chdir(SANDBOX_ROOT) < 0 || kernel_pivot_root(".", ".") < 0 ||
	    kernel_umount(".", KERNEL_MNT_DETACH) < 0 || chdir("/") < 0)
		return error_set_sys(err, errno, "cannot change into the root file system");
	box->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (box->root_fd < 0)
		return error_set_sys(err, errno, "cannot open the root file system");
	return 0;
}

/* One component below a directory that is known to be there. */
static int make_component(int parent_fd, const char *name, bool is_file)
{
	if (!is_file)
		return mkdirat(parent_fd, name, 0755);
	int fd =
		openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

/* Open what is at path, whose last component is not there: make that, or learn of the
 * dangling link that stands in its place. Missing parents are made on the way. path is
 * changed for the time of the call. *ret_link is where the link's name begins, or 0. */
static int make_path(int root_fd, char *path, bool is_file, size_t *ret_link, size_t *ret_rest)
{
	int parent = kernel_open_in(root_fd, "/", O_PATH | O_DIRECTORY, 0);
	char *name = path + strspn(path, "/");
	*ret_link = 0;
	while (*name && parent >= 0) {
		char *end = strchrnul(name, '/');
		char *next = end + strspn(end, "/");
		bool last = *next == '\0';
		char kept = *end;
		*end = '\0';
		int fd = kernel_open_in(root_fd, path, O_PATH | (last ? 0 : O_DIRECTORY), 0);
		if (fd < 0 && errno == ENOENT) {
			if (make_component(parent, name, last && is_file) == 0)
				fd = kernel_open_in(root_fd, path, O_PATH, 0);
			else if (errno == EEXIST)
				*ret_link = (size_t)(name - path);
		}
		int code = errno;
		close(parent);
		errno = code;
		parent = fd;
		*end = kept;
		*ret_rest = (size_t)(end - path);
		name = next;
	}
	return parent < 0 ? -errno : parent;
}

/* Put the target of the dangling link at [link, rest) of path in its place. */
static int expand_link(int root_fd, char *path, size_t link, size_t rest)
{
	char target[PATH_MAX];
	char tail[PATH_MAX];
	size_t tail_len = strlen(path + rest);
	memcpy(tail, path + rest, tail_len + 1);
	path[rest] = '\0';
	int fd = kernel_open_in(root_fd, path, O_PATH | O_NOFOLLOW, 0);
	ssize_t len = fd < 0 ? -1 : readlinkat(fd, "", target, sizeof(target));
	int code = errno;
	close(fd);
	if (len < 0)
		return -code;
	size_t at = target[0] == '/' ? 0 : link;
	if (at + (size_t)len + tail_len >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path + at, target, (size_t)len);
	memcpy(path + at + (size_t)len, tail, tail_len + 1);
	return 0;
}

int root_open_made(int root_fd, const char *path, bool is_file)
{
	char copy[PATH_MAX];
	size_t len = strlen(path), link = 0, rest = 0;
	int fd = kernel_open_in(root_fd, path, O_PATH, 0);
	if (fd >= 0 || errno != ENOENT)
		return fd < 0 ? -errno : fd;
	if (len >= sizeof(copy))
		return -ENAMETOOLONG;
	memcpy(copy, path, len + 1);
	for (int links = 0; links < LINKS_MAX; links++) {
		fd = make_path(root_fd, copy, is_file, &link, &rest);
		if (fd >= 0 || link == 0)
			return fd;
		int r = expand_link(root_fd, copy, link, rest);
		if (r < 0)
			return r;
	}
	return -ELOOP;
}

/* Private unless asked otherwise: what is mounted in a shared one appears on the
 * host. A clone of a shared mount is shared as it comes. */
static int set_propagation(const struct plan_mount *mount)
{
	if (mount->flags & KERNEL_MS_SHARED)
		return 0;
	return kernel_mount_setattr(mount->fd, "", AT_EMPTY_PATH | AT_RECURSIVE, 0,
				    mount->flags & KERNEL_MS_SLAVE ? KERNEL_MS_SLAVE
								   : KERNEL_MS_PRIVATE);
}

/* A link in an image can lead any mount into /proc, where it would hide what is
 * looked at for security, and our masks with it. */
static int check_target(int target_fd, const char *target, bool is_file, struct error *err)
{
	struct statfs fs;
	struct stat st;
	if (fstatfs(target_fd, &fs) == 0 && fs.f_type == KERNEL_PROC_MAGIC)
		return error_set(err, EINVAL, "'%s' leads into /proc, where nothing can be mounted",
				 target);
	if (fstat(target_fd, &st) == 0 && S_ISDIR(st.st_mode) == is_file)
		return error_set(err, ENOTDIR, "cannot mount a %s on '%s', which is a %s",
				 is_file ? "file" : "directory", target,
				 is_file ? "directory" : "file");
	return 0;
}

static int mount_one(const struct plan *plan, const struct plan_mount *mount, int target_fd)
{
	const char *fstype = plan_get_str(plan, mount->fstype);
	const char *source = plan_get_str(plan, mount->source);
	if (fstype) {
		if (fchdir(target_fd) < 0)
			return -1;
		return kernel_mount(source ? source : fstype, ".", fstype, mount->flags,
				    plan_get_str(plan, mount->data));
	}
	if (set_propagation(mount) < 0 ||
	    kernel_mount_setattr(mount->fd, "",
				 AT_EMPTY_PATH | (mount->flags & KERNEL_MS_REC ? AT_RECURSIVE : 0),
				 mount->flags & SAME_ATTRS, 0) < 0)
		return -1;
	return kernel_attach(mount->fd, target_fd);
}

int root_mount_all(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	for (uint32_t i = 0; i < plan->header->mounts.count; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		const char *target = plan_get_str(plan, mount->target);
		int fd = root_open_made(box->root_fd, target, mount->is_file != 0);
		if (fd < 0)
			return error_set_sys(err, -fd, "cannot make the mount point '%s'", target);
		int r = check_target(fd, target, mount->is_file != 0, err);
		if (r < 0)
			return r;
		if (mount_one(plan, mount, fd) < 0)
			return error_set_sys(err, errno, "cannot mount '%s'", target);
		close(fd);
	}
	return 0;
}

/* Cover a directory with one empty read-only tmpfs: the first one's is made,
 * the others' are copies of that mount. */
static int mask_directory(int target_fd, int *empty_fd)
{
	int fd;
	if (*empty_fd >= 0) {
		fd = kernel_open_tree(*empty_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	} else {
		int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
		if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
		    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
			return -1;
		fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
				  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					  MOUNT_ATTR_NOEXEC);
		close(fs);
	}
	if (fd < 0 || kernel_attach(fd, target_fd) < 0)
		return -1;
	if (*empty_fd < 0)
		*empty_fd = fd;
	else
		close(fd);
	return 0;
}

static int mask_file(int root_fd, int target_fd)
{
	int null_fd = kernel_open_in(root_fd, "/dev/null", O_PATH, 0);
	int fd = null_fd < 0 ? -1 : kernel_open_tree(null_fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE);
	if (fd < 0 || kernel_attach(fd, target_fd) < 0)
		return -1;
	close(fd);
	close(null_fd);
	return 0;
}

int root_mask_paths(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	int empty_fd = -1;
	for (uint32_t i = 0; i < plan->header->masked.count; i++) {
		const char *path = plan_get_str(plan, plan->masked[i]);
		struct stat st;
		int fd = kernel_open_in(box->root_fd, path, O_PATH, 0);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue; /* not every kernel has every file */
		if (fd < 0 || fstat(fd, &st) < 0 ||
		    (S_ISDIR(st.st_mode) ? mask_directory(fd, &empty_fd)
					 : mask_file(box->root_fd, fd)) < 0)
			return error_set_sys(err, errno, "cannot mask '%s'", path);
		close(fd);
	}
	return 0;
}

int root_protect_paths(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	for (uint32_t i = 0; i < plan->header->readonly.count; i++) {
		const char *path = plan_get_str(plan, plan->readonly[i]);
		int target = kernel_open_in(box->root_fd, path, O_PATH, 0);
		if (target < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		int fd = target < 0
				 ? -1
				 : kernel_open_tree(target, "",
						    AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE);
		if (fd < 0 ||
		    kernel_mount_setattr(fd, "", AT_EMPTY_PATH | AT_RECURSIVE, MOUNT_ATTR_RDONLY,
					 0) < 0 ||
		    kernel_attach(fd, target) < 0)
			return error_set_sys(err, errno, "cannot make '%s' read-only", path);
		close(fd);
		close(target);
	}
	return 0;
}

int root_seal(struct error *err)
{
	if (kernel_mount_setattr(AT_FDCWD, "/", 0, MOUNT_ATTR_RDONLY, 0) < 0)
		return error_set_sys(err, errno, "cannot make the root file system read-only");
	return 0;
}
