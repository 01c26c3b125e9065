/* Making the slim mount namespace: see slimns.h.
 *
 * A thread may have a mount namespace (and root and working directory) of its
 * own: one does the work, keeps a descriptor of what it made, and ends. Nothing
 * is seen by the other threads, and no process is forked.
 */
#include "runtime/slimns.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Any directory that is surely there: it is covered in the copy only. */
#define STAGE "/proc"
#define OLD_MS_REC 16384UL
#define OLD_MS_PRIVATE (1UL << 18)
#define OLD_MNT_DETACH 2

struct job {
	struct error *err;
	int result;
};

/* The tmpfs, not attached anywhere, with its one directory. */
static int make_tmpfs(struct error *err)
{
	auto_fd int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	if (fs < 0 || syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "mode", "0755", 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "size", "65536", 0) < 0 ||
	    syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return error_set_sys(err, errno, "cannot make a tmpfs for the shims");
	auto_fd int fd = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
				      MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (fd < 0 || mkdirat(fd, "root", 0700) < 0)
		return error_set_sys(err, errno, "cannot make a tmpfs for the shims");
	return steal_fd(&fd);
}

/* Make the tmpfs the root, and drop all else. Where the root is the initial
 * ramfs, which cannot be pivoted away, it is covered. */
static int replace_root(int tmpfs_fd, struct error *err)
{
	if (syscall(SYS_mount, NULL, "/", NULL, OLD_MS_REC | OLD_MS_PRIVATE, NULL) < 0)
		return error_set_sys(err, errno, "cannot make a private mount tree");
	if (syscall(SYS_move_mount, tmpfs_fd, "", AT_FDCWD, STAGE, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    chdir(STAGE) < 0)
		return error_set_sys(err, errno, "cannot attach the shims' tmpfs");
	if (syscall(SYS_pivot_root, ".", ".") == 0) {
		if (syscall(SYS_umount2, ".", OLD_MNT_DETACH) < 0)
			return error_set_sys(err, errno, "cannot detach the host's mounts");
		return 0;
	}
	if (errno != EINVAL ||
	    syscall(SYS_move_mount, tmpfs_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set_sys(err, errno, "cannot change into the shims' tmpfs");
	return 0;
}

static int make_namespace(struct error *err)
{
	if (unshare(CLONE_FS | CLONE_NEWNS) < 0)
		return error_set_sys(err, errno, "cannot make a mount namespace for the shims");
	auto_fd int ns_fd = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (ns_fd < 0)
		return error_set_sys(err, errno, "cannot open the shims' mount namespace");
	auto_fd int tmpfs_fd = make_tmpfs(err);
	if (tmpfs_fd < 0)
		return tmpfs_fd;
	int r = replace_root(tmpfs_fd, err);
	return r < 0 ? r : steal_fd(&ns_fd);
}

static void *run_job(void *arg)
{
	struct job *job = arg;
	job->result = make_namespace(job->err);
	return NULL;
}

int slimns_open(struct error *err)
{
	struct job job = { .err = err };
	pthread_t thread;
	int code = pthread_create(&thread, NULL, run_job, &job);
	if (code != 0)
		return error_set_sys(err, code, "cannot start a thread for the shims' namespace");
	pthread_join(thread, NULL);
	return job.result;
}
