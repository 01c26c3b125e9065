/* Files through directory descriptors. Whatever a container or an archive
 * controls is opened by path_open_in_root() alone.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* openat2(2) with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS: '..' and absolute
 * links stay inside root_fd. Retries EAGAIN. O_CLOEXEC is added.
 * Returns a descriptor or a negative errno; sets no sentence. */
int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode);

/* Make path and its missing parents inside root_fd (RESOLVE_IN_ROOT at every
 * step), existing directories are fine; of a dangling link the target is made,
 * inside root_fd too. Returns an O_PATH descriptor of the
 * last one or a negative errno with a sentence. */
int path_make_dirs_in_root(int root_fd, const char *path, mode_t mode, struct error *err);

/* Open a regular file that others may exchange meanwhile, to read: anything else (a link, a device, a
 * fifo) is never opened. st is filled with what was opened. Descriptor, -ENOENT, -ELOOP (not a regular
 * file any more), or what opening gave; sets no sentence. */
struct stat;
int path_open_regular(int dir_fd, const char *name, struct stat *ret_st);

/* mkdir -p for a trusted path; 0 or a negative errno with a sentence. */
int path_make_dirs(const char *path, mode_t mode, struct error *err);

/* Open a directory, making it (mode) when missing; descriptor or -errno. A link
 * in its place is followed only if dir_fd is AT_FDCWD. */
int path_open_dir(int dir_fd, const char *name, mode_t mode, struct error *err);

/* Append the whole of a regular file to buf. -EFBIG over max_bytes.
 * O_NOFOLLOW. Missing file: -ENOENT, with a sentence as for every failure. */
int path_read_file(int dir_fd, const char *name, size_t max_bytes, struct strbuf *buf,
		   struct error *err);

/* write(2) until all is out, riding EINTR; 0 or -errno, no sentence. */
int path_write_all(int fd, const void *bytes, size_t len);
int path_pwrite_all(int fd, const void *bytes, size_t len, off_t offset);
/* pread(2) until len bytes or end of file; count or -errno. */
ssize_t path_pread_full(int fd, void *buf, size_t len, off_t offset);

/* Remove name and all below it without following a link or crossing a mount.
 * Goes on after a failing step; a missing name is success. 0 or first -errno. */
int path_remove_tree(int dir_fd, const char *name);

/* How the names of path_replace_file()'s temporary files begin: one that a crash
 * left behind may be removed. */
#define PATH_TEMP_PREFIX ".tmp-"

/* Replace a file whole: temporary file in the same directory, rename. The mode
 * is exactly mode, whatever the umask.
 * durable: fsync of file and directory before returning. 0 or -errno + sentence;
 * on failure the old content stays and no temporary file is left. */
int path_replace_file(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode,
		      bool durable, struct error *err);

/* Names of the entries but . and .., sorted by bytes. */
struct path_list {
	char **names;
	size_t count;
};
int path_list_dir(int dir_fd, struct path_list *ret, struct error *err);
void path_list_deinit(struct path_list *list);
DEFINE_AUTO_DEINIT(struct path_list, path_list_deinit);

#endif
