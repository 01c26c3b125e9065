/* The place in the mount table: what is there, mounting, taking away.
 *
 * mount(2) is called directly, with the FUSE descriptor in our hands: the holder keeps it.
 */
#ifndef FS_MOUNTPOINT_H
#define FS_MOUNTPOINT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define MOUNTPOINT_FSTYPE "fuse.containerfs"

struct mountpoint {
	int fuse_fd;         /* -1: none */
	uint64_t connection; /* its number in /sys/fs/fuse/connections: the device is 0:that */
};
/* clang-format off */
#define MOUNTPOINT_INIT { .fuse_fd = -1, .connection = 0 }
/* clang-format on */

/* The absolute path without links, '.' and '..'. What does not exist yet, and a
 * dead mount at the end, are kept as written. *ret is the caller's. -errno with
 * a sentence. */
int mountpoint_resolve_path(const char *path, char **ret, struct error *err);
/* Is path, resolved, the directory or below it? */
bool mountpoint_is_within(const char *path, const char *dir);

/* Make mnt (resolved) ready: dead mounts of ours (ENOTCONN), also several on
 * each other, are detached. -EBUSY when a live one is there, -ENOTCONN another
 * kind of dead mount, -ENOTDIR, -ENOENT. */
int mountpoint_clear(const char *mnt, struct error *err);
/* Mount on mnt with allow_other and default_permissions, nosuid and nodev.
 *
 * source  what the mount table shows first
 * gid     what the kernel takes for the root directory's group until the first GETATTR
 *
 * -ENOENT/-ENODEV no FUSE in the kernel, -EPERM. */
int mountpoint_mount(const char *mnt, const char *source, gid_t gid, struct mountpoint *ret,
		     struct error *err);
/* Is that mount anywhere in the mount table of this process? */
bool mountpoint_is_mounted(const struct mountpoint *mount);
/* End the connection: who waits on it gets ECONNABORTED, the mount is dead.
 * Closes the descriptor; an engine must have ended before. Safe to repeat. */
void mountpoint_abort(struct mountpoint *mount);
/* End the connection and detach the mount with what is mounted in it, also when
 * it is in use; it must be the topmost at mnt. An engine must have ended
 * before. Safe to repeat. 0 or -EBUSY (another mount lies over it; it stays) or
 * -errno with a sentence. */
int mountpoint_detach(const struct mountpoint *mount, const char *mnt, struct error *err);

/* One line of /proc/PID/mountinfo. Source: proc_pid_mountinfo(5). */
struct mountinfo {
	uint64_t dev_major, dev_minor;
	char *mnt; /* unescaped; as the other strings within the line given */
	char *fstype;
	char *source;
};
/* Takes the line apart in place. 0 or -EINVAL. */
int mountinfo_parse(char *line, struct mountinfo *ret);

#endif
