/* Opening and closing files. Only regular files are ever opened: pipes, sockets and devices the kernel opens
 * itself, for a node that says it is one. A file is opened through its node's descriptor, so nothing that
 * happens to names meanwhile leads elsewhere.
 */
#include "fs/volfs/volfs_private.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

/* What the kernel in front of us has seen to, and O_DIRECT: our buffers are not aligned as it wants. */
#define NOT_OURS (O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW | O_DIRECT | O_NONBLOCK)

int volfs_reopen(struct volfs *volfs, uint64_t number, int flags)
{
	const struct volfs_node *node = volfs_find_node(volfs, number);
	char path[VOLFS_PROC_SIZE];
	int fd;

	if (!node || !S_ISREG(node->mode))
		return -ESTALE;
	volfs_make_path(volfs_get_fd(node->ref), path);
	fd = open(path, (flags & ~NOT_OURS) | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* --- open ------------------------------------------------------------------------- */

static void answer_open(struct volfs_request *r, uint64_t fh)
{
	/* The opener was killed meanwhile: no RELEASE will come. */
	if (volfs_reply_open(r->req, r->volfs, fh) == -ENOENT)
		volfs_remove_file(r->volfs, fh);
	volfs_end_request(r);
}

static void run_open(struct volfs_request *r)
{
	uint64_t fh = r->resent ? volfs_find_opened(r->volfs, r->number) : UINT64_MAX;
	int fd, result = 0;

	if (fh == UINT64_MAX) {
		fd = volfs_reopen(r->volfs, r->ino, r->fi.flags);
		result = fd < 0 ? fd
				: volfs_add_file(r->volfs, r->ino, r->number, fd, r->fi.flags, &fh);
		if (result == 0 && r->kills_bits)
			volfs_kill_bits(fd);
	}
	/* A former engine may have come only so far. */
	if (result == 0)
		volfs_pass_file(r->volfs, fh);
	if (result < 0)
		volfs_answer(r, result);
	else
		answer_open(r, fh);
}

static void submit_with_file(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi,
			     void (*run)(struct volfs_request *r))
{
	struct volfs_request *r = volfs_new_request(req, ino, run);

	if (!r)
		return;
	r->fi = *fi;
	volfs_submit(r);
}

void volfs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct fuse_open_in *in = channel_get_request_body();
	struct volfs_request *r = volfs_new_request(req, ino, run_open);

	if (!r)
		return;
	r->fi = *fi;
	r->kills_bits = in->open_flags & FUSE_OPEN_KILL_SUIDGID;
	volfs_submit(r);
}

/* --- create ------------------------------------------------------------------------- */

/* What the container put there just now may be anything: it is opened as a node, if it is a file. */
static int open_existing(struct volfs_request *r, const struct volfs_node *dir, uint64_t *ret_node)
{
	struct stat st;
	int result = volfs_look_up_at(r->volfs, volfs_get_fd(dir->ref), r->name, dir->volume, 0,
				      ret_node, &st);
	int fd;

	if (result < 0)
		return result == -ENOENT ? -ESTALE : result;
	fd = volfs_reopen(r->volfs, *ret_node, r->fi.flags);
	if (fd < 0)
		volfs_forget_node(r->volfs, *ret_node, 1);
	return fd;
}

static bool is_new(const struct volfs_request *r, int dir_fd)
{
	struct stat st;

	return fstatat(dir_fd, r->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec >= r->deed->began_ns;
}

static int make_file(struct volfs_request *r, int dir_fd)
{
	int flags = (r->fi.flags & ~NOT_OURS) | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, fd;

	volfs_become_caller(r->req);
	fd = openat(dir_fd, r->name, flags, r->mode & 07777);
	fd = fd < 0 ? -errno : fd;
	volfs_become_root();
	return fd;
}

/* Make it, or open it; a descriptor and its node. -ESTALE has the kernel look again. */
static int open_new(struct volfs_request *r, uint64_t *ret_node)
{
	const struct volfs_node *dir = volfs_find_node(r->volfs, r->ino);
	bool resumed = r->deed->noted, is_exclusive = r->fi.flags & O_EXCL;
	int dir_fd, fd, result;
	struct stat st;

	if (!dir)
		return -ESTALE;
	dir_fd = volfs_get_fd(dir->ref);
	__atomic_store_n(&r->deed->noted, 1, __ATOMIC_SEQ_CST);
	fd = make_file(r, dir_fd);
	if (fd == -EEXIST && (!is_exclusive || (resumed && is_new(r, dir_fd))))
		return open_existing(r, dir, ret_node);
	if (fd < 0)
		return fd;
	result = volfs_look_up_open(r->volfs, fd, dir->volume, ret_node, &st);
	if (result < 0)
		close(fd);
	return result < 0 ? result : fd;
}

static void answer_create(struct volfs_request *r)
{
	struct fuse_entry_param entry;
	struct stat st;
	int result = r->deed->result;

	if (result == 0)
		result = volfs_stat_node(r->volfs, r->deed->node, &st);
	if (result < 0) {
		volfs_answer(r, result);
		return;
	}
	volfs_fill_entry(r->volfs, r->deed->node, &st, &entry);
	if (volfs_reply_create(r->req, r->volfs, &entry, r->deed->file) == -ENOENT) {
		volfs_remove_file(r->volfs, r->deed->file);
		volfs_forget_node(r->volfs, r->deed->node, 1);
	}
	volfs_end_request(r);
}

static void run_create(struct volfs_request *r)
{
	uint64_t node = 0, fh = 0;
	int fd, result = 0;

	if (!volfs_begin_deed(r))
		return;
	if (!r->deed->done) {
		fd = open_new(r, &node);
		result = fd < 0 ? fd
				: volfs_add_file(r->volfs, node, r->number, fd, r->fi.flags, &fh);
		if (result == 0)
			volfs_pass_file(r->volfs, fh);
		r->deed->result = result;
		r->deed->node = node;
		r->deed->file = (uint32_t)fh;
		__atomic_store_n(&r->deed->done, 1, __ATOMIC_SEQ_CST);
	}
	answer_create(r);
}

void volfs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi)
{
	struct volfs_request *r = volfs_new_named(req, parent, name, NULL, run_create);

	if (!r)
		return;
	r->fi = *fi;
	r->mode = mode;
	volfs_submit(r);
}

/* --- close ------------------------------------------------------------------------------ */

static void run_flush(struct volfs_request *r)
{
	const struct volfs_file *file = volfs_find_file(r->volfs, r->fi.fh);
	int copy = file ? dup(volfs_get_fd(file->ref)) : -1;

	volfs_answer(r, copy >= 0 && close(copy) < 0 ? -errno : 0);
}

/* Of kernels that do not know FOPEN_NOFLUSH (before 5.16). */
void volfs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	submit_with_file(req, ino, fi, run_flush);
}

static void run_release(struct volfs_request *r)
{
	const struct volfs_file *file = volfs_find_file(r->volfs, r->fi.fh);

	/* Sent again, it may have been done: the slot can be another file's by now. */
	if (file && file->node == r->ino)
		volfs_remove_file(r->volfs, r->fi.fh);
	volfs_answer(r, 0);
}

void volfs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	submit_with_file(req, ino, fi, run_release);
}

/* --- directories: opened here, read in fs/volfs/volfs_dir.c ------------------------------------ */

static int open_dir(const struct volfs_request *r)
{
	const struct volfs_node *node = volfs_find_node(r->volfs, r->ino);
	int fd;

	if (!node)
		return -ESTALE;
	fd = openat(volfs_get_fd(node->ref), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void run_opendir(struct volfs_request *r)
{
	uint64_t fh = r->resent ? volfs_find_opened(r->volfs, r->number) : UINT64_MAX;
	int fd, result = 0;

	if (fh == UINT64_MAX) {
		fd = open_dir(r);
		result = fd < 0 ? fd
				: volfs_add_file(r->volfs, r->ino, r->number, fd, O_DIRECTORY, &fh);
	}
	if (result < 0) {
		volfs_answer(r, result);
		return;
	}
	r->fi.fh = fh;
	if (fuse_reply_open(r->req, &r->fi) == -ENOENT)
		volfs_remove_file(r->volfs, fh);
	volfs_end_request(r);
}

void volfs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	submit_with_file(req, ino, fi, run_opendir);
}
