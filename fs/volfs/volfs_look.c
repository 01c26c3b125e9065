/* Names and attributes. */
#include "fs/volfs/volfs_private.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

/* The kernel resolves these itself; from whoever else they would lead out. */
static bool is_name(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && !strchr(name, '/');
}

static void run_lookup(struct volfs_request *r)
{
	const struct volfs_node *dir = volfs_find_node(r->volfs, r->ino);
	uint64_t node = 0;
	struct stat st;
	int result = -ESTALE;

	if (!is_name(r->name))
		result = -EINVAL;
	else if (dir)
		result = volfs_look_up_at(r->volfs, volfs_get_fd(dir->ref), r->name, dir->volume, 0,
					  &node, &st);
	volfs_answer_entry(r, node, &st, result);
}

void volfs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct volfs_request *r = volfs_new_named(req, parent, name, NULL, run_lookup);

	if (r)
		volfs_submit(r);
}

static void run_getattr(struct volfs_request *r)
{
	volfs_answer_attr(r, r->ino, 0);
}

void volfs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_getattr);

	(void)fi;
	if (r)
		volfs_submit(r);
}

/* --- changing attributes ------------------------------------------------------------ */

static int set_owner(int fd, const struct stat *attr, int to_set)
{
	uid_t uid = to_set & FUSE_SET_ATTR_UID ? attr->st_uid : (uid_t)-1;
	gid_t gid = to_set & FUSE_SET_ATTR_GID ? attr->st_gid : (gid_t)-1;

	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int set_mode(int fd, mode_t mode)
{
	char path[VOLFS_PROC_SIZE];

	volfs_make_path(fd, path);
	return fchmodat(AT_FDCWD, path, mode & 07777, 0) < 0 ? -errno : 0;
}

void volfs_kill_bits(int fd)
{
	struct stat st;
	mode_t bits = S_ISUID;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	/* Without the right to execute it marks a file for mandatory locking. */
	if (st.st_mode & S_IXGRP)
		bits |= S_ISGID;
	if (st.st_mode & bits)
		fchmod(fd, st.st_mode & 07777 & ~bits);
}

static int truncate_open(const struct volfs_request *r, int fd)
{
	if (ftruncate(fd, r->attr.st_size) < 0)
		return -errno;
	if (r->kills_bits)
		volfs_kill_bits(fd);
	return 0;
}

/* Through the open file if there is one: it may be writable although its mode is not any more. */
static int set_size(struct volfs_request *r)
{
	const struct volfs_file *file = r->has_fi ? volfs_find_file(r->volfs, r->fi.fh) : NULL;
	int fd, result;

	if (file && (file->flags & O_ACCMODE) != O_RDONLY)
		return truncate_open(r, volfs_get_fd(file->ref));
	fd = volfs_reopen(r->volfs, r->ino, O_WRONLY);
	if (fd < 0)
		return fd;
	result = truncate_open(r, fd);
	close(fd);
	return result;
}

static struct timespec get_time(int to_set, int set, int now, struct timespec given)
{
	if (to_set & now)
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	if (to_set & set)
		return given;
	return (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_times(int fd, const struct stat *attr, int to_set)
{
	struct timespec times[2] = {
		get_time(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, attr->st_atim),
		get_time(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, attr->st_mtim),
	};

	return utimensat(fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
}

static void run_setattr(struct volfs_request *r)
{
	int fd = volfs_get_node_fd(r->volfs, r->ino), to_set = (int)r->flags, result = 0;

	if (fd < 0)
		result = fd;
	/* The owner first: a change of it takes set-id bits away. */
	if (result == 0 && to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
		result = set_owner(fd, &r->attr, to_set);
	if (result == 0 && to_set & FUSE_SET_ATTR_SIZE)
		result = set_size(r);
	if (result == 0 && to_set & FUSE_SET_ATTR_MODE)
		result = set_mode(fd, r->attr.st_mode);
	if (result == 0 && to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_ATIME_NOW |
				     FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
		result = set_times(fd, &r->attr, to_set);
	volfs_answer_attr(r, r->ino, result);
}

void volfs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi)
{
	const struct fuse_setattr_in *in = channel_get_request_body();
	struct volfs_request *r = volfs_new_request(req, ino, run_setattr);

	if (!r)
		return;
	r->attr = *attr;
	r->flags = (unsigned)to_set;
	r->kills_bits = in->valid & FATTR_KILL_SUIDGID;
	r->has_fi = fi != NULL;
	if (fi)
		r->fi = *fi;
	volfs_submit(r);
}

/* --- links, the file system ------------------------------------------------------------ */

static void run_readlink(struct volfs_request *r)
{
	char target[PATH_MAX + 1];
	int fd = volfs_get_node_fd(r->volfs, r->ino);
	ssize_t len = fd < 0 ? fd : readlinkat(fd, "", target, sizeof(target) - 1);

	if (len < 0) {
		volfs_answer(r, fd < 0 ? fd : -errno);
		return;
	}
	target[len] = '\0';
	fuse_reply_readlink(r->req, target);
	volfs_end_request(r);
}

void volfs_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_readlink);

	if (r)
		volfs_submit(r);
}

static void run_statfs(struct volfs_request *r)
{
	int fd = volfs_get_node_fd(r->volfs, r->ino);
	struct statvfs st;

	if (fd < 0 || fstatvfs(fd, &st) < 0) {
		volfs_answer(r, fd < 0 ? fd : -errno);
		return;
	}
	fuse_reply_statfs(r->req, &st);
	volfs_end_request(r);
}

void volfs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_statfs);

	if (r)
		volfs_submit(r);
}
