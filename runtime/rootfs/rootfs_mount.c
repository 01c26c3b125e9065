/* The calls of the mount API with our way of reporting failure.
 *
 * Source: fsopen(2), fsconfig(2), fsmount(2), open_tree(2), move_mount(2),
 * mount_setattr(2); declared by glibc from 2.36 on.
 */
#include "runtime/rootfs/rootfs_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int result(int ret)
{
	return ret < 0 ? -errno : ret;
}

int mount_fsopen(const char *type)
{
	return result(fsopen(type, FSOPEN_CLOEXEC));
}

int mount_fsconfig(int fs_fd, unsigned command, const char *key, const char *value)
{
	return result(fsconfig(fs_fd, command, key, value, 0));
}

int mount_fsmount(int fs_fd)
{
	return result(fsmount(fs_fd, FSMOUNT_CLOEXEC, 0));
}

int mount_open_tree(int dir_fd, const char *path, bool clone)
{
	unsigned flags = OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;

	return result(open_tree(dir_fd, path, flags | (clone ? OPEN_TREE_CLONE : 0)));
}

int mount_clone_dir(int dir_fd)
{
	return result(open_tree(dir_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
}

int mount_move(int from_fd, int to_dir_fd, const char *to)
{
	return result(move_mount(from_fd, "", to_dir_fd, to, MOVE_MOUNT_F_EMPTY_PATH));
}

int mount_set_attr(int fd, uint64_t set, uint64_t clear, uint64_t propagation)
{
	struct mount_attr attr = {
		.attr_set = set,
		.attr_clr = clear,
		.propagation = propagation,
	};

	return result(mount_setattr(fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)));
}

bool mount_is_root(const char *path)
{
	struct statx stx;

	return statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &stx) ==
		       0 &&
	       (stx.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}
