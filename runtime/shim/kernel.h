/* System calls that musl does not wrap (or not with what Linux 6.1 offers), as
 * thin functions: they return as the kernel does, -1 and errno.
 */
#ifndef RUNTIME_SHIM_KERNEL_H
#define RUNTIME_SHIM_KERNEL_H

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_MS_PRIVATE (1UL << 18)
#define KERNEL_MS_SLAVE (1UL << 19)
#define KERNEL_MS_SHARED (1UL << 20)
#define KERNEL_PROC_MAGIC 0x9fa0
#define KERNEL_MS_REC 16384UL
#define KERNEL_MNT_DETACH 2
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* Open inside root whatever links lie on the way. Magic links (/proc/self/fd/7
 * as a working directory) would lead out. */
static inline int kernel_open_in(int root_fd, const char *path, uint64_t flags, uint64_t mode)
{
	struct open_how how = {
		.flags = flags | O_CLOEXEC,
		.mode = mode,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;
	do /* EAGAIN: a rename somewhere met a '..' of ours */
		fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
	while (fd < 0 && errno == EAGAIN);
	return fd;
}

static inline int kernel_open_tree(int dir_fd, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir_fd, path, flags | OPEN_TREE_CLOEXEC);
}

/* Attach the mount of a descriptor on what another descriptor names. */
static inline int kernel_attach(int mount_fd, int target_fd)
{
	return (int)syscall(SYS_move_mount, mount_fd, "", target_fd, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int kernel_mount_setattr(int fd, const char *path, unsigned flags, uint64_t set,
				       uint64_t propagation)
{
	struct mount_attr attr = { .attr_set = set, .propagation = propagation };
	return (int)syscall(SYS_mount_setattr, fd, path, flags, &attr, sizeof(attr));
}

static inline int kernel_mount(const char *source, const char *target, const char *fstype,
			       unsigned long flags, const char *data)
{
	return (int)syscall(SYS_mount, source, target, fstype, flags, data);
}

static inline int kernel_umount(const char *target, int flags)
{
	return (int)syscall(SYS_umount2, target, flags);
}

static inline int kernel_pivot_root(const char *new_root, const char *put_old)
{
	return (int)syscall(SYS_pivot_root, new_root, put_old);
}

static inline int kernel_close_range(unsigned first, unsigned last, unsigned flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

#endif
