/* What makes, moves and removes names. The system call is done once: before it, a record says what the names
 * meant (struct volfs_deed). A later engine that gets the request again finds it done, or compares: a name that
 * is gone was removed by us, one that has come, since we began, was made by us. Only a process that made or
 * removed the very same name in that instant, from inside a container, would be taken for us.
 */
#include "fs/volfs/volfs_private.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

bool volfs_begin_deed(struct volfs_request *r)
{
	r->deed = volfs_get_deed(r->volfs, r->number, r->resent, &r->deed_slot);
	if (!r->deed)
		volfs_answer(r, -ENFILE);
	return r->deed != NULL;
}

/* The deed is about to be done; was it begun by an engine that died? */
static bool note_begin(struct volfs_request *r)
{
	bool resumed = r->deed->noted;

	__atomic_store_n(&r->deed->noted, 1, __ATOMIC_SEQ_CST);
	return resumed;
}

static int note_end(struct volfs_request *r, int result, uint64_t node)
{
	r->deed->result = result;
	r->deed->node = node;
	__atomic_store_n(&r->deed->done, 1, __ATOMIC_SEQ_CST);
	return result;
}

static int get_dirs(struct volfs_request *r, int *ret_dir, int *ret_new_dir)
{
	const struct volfs_node *dir = volfs_find_node(r->volfs, r->ino);
	const struct volfs_node *new_dir = volfs_find_node(r->volfs, r->new_ino);

	if (!dir || !new_dir)
		return -ESTALE;
	/* Volumes are apart, as file systems are. */
	if (dir->volume != new_dir->volume)
		return -EXDEV;
	*ret_dir = volfs_get_fd(dir->ref);
	*ret_new_dir = volfs_get_fd(new_dir->ref);
	return 0;
}

static bool is_inode(int dir_fd, const char *name, uint64_t dev, uint64_t ino)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == dev &&
	       st.st_ino == ino;
}

/* --- making ------------------------------------------------------------------------- */

static bool was_made_since(int dir_fd, const char *name, mode_t type, int64_t began_ns)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (st.st_mode & S_IFMT) == type &&
	       (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec >= began_ns;
}

static int make_here(struct volfs_request *r, int dir_fd)
{
	int failed;

	volfs_become_caller(r->req);
	switch (r->mode & S_IFMT) {
	case S_IFDIR:
		failed = mkdirat(dir_fd, r->name, r->mode & 07777);
		break;
	case S_IFLNK:
		failed = symlinkat(r->new_name, dir_fd, r->name);
		break;
	default:
		failed = mknodat(dir_fd, r->name, r->mode, r->device);
		break;
	}
	failed = failed < 0 ? errno : 0;
	volfs_become_root();
	return -failed;
}

/* What was made by a former engine, or has just been. */
static void answer_made(struct volfs_request *r)
{
	struct stat st;
	int result = r->deed->result;

	if (result == 0)
		result = volfs_stat_node(r->volfs, r->deed->node, &st);
	volfs_answer_entry(r, r->deed->node, &st, result);
}

static void end_made(struct volfs_request *r, const struct volfs_node *dir, int result)
{
	uint64_t node = 0;
	struct stat st;

	if (result == 0)
		result = volfs_look_up_at(r->volfs, volfs_get_fd(dir->ref), r->name, dir->volume, 0,
					  &node, &st);
	note_end(r, result, node);
	answer_made(r);
}

static void run_make(struct volfs_request *r)
{
	const struct volfs_node *dir = volfs_find_node(r->volfs, r->ino);
	bool resumed;
	int result, dir_fd;

	if (!volfs_begin_deed(r))
		return;
	if (r->deed->done || !dir) {
		if (!r->deed->done)
			note_end(r, -ESTALE, 0);
		answer_made(r);
		return;
	}
	dir_fd = volfs_get_fd(dir->ref);
	resumed = note_begin(r);
	result = make_here(r, dir_fd);
	if (result == -EEXIST && resumed &&
	    was_made_since(dir_fd, r->name, r->mode & S_IFMT, r->deed->began_ns))
		result = 0;
	end_made(r, dir, result);
}

static void make(fuse_req_t req, fuse_ino_t parent, const char *name, const char *target,
		 mode_t mode, dev_t device)
{
	struct volfs_request *r = volfs_new_named(req, parent, name, target, run_make);

	if (!r)
		return;
	r->mode = mode;
	r->device = device;
	volfs_submit(r);
}

void volfs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	make(req, parent, name, NULL, (mode & 07777) | S_IFDIR, 0);
}

void volfs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	make(req, parent, name, NULL, mode & S_IFMT ? mode : mode | S_IFREG, device);
}

void volfs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	make(req, parent, name, target, S_IFLNK | 0777, 0);
}

/* --- another name for a file ------------------------------------------------------------ */

static void run_link(struct volfs_request *r)
{
	int fd = -1, dir_fd = -1, result;
	const struct volfs_node *file = volfs_find_node(r->volfs, r->ino);

	if (!volfs_begin_deed(r))
		return;
	if (r->deed->done) {
		answer_made(r);
		return;
	}
	result = get_dirs(r, &fd, &dir_fd);
	if (result == 0) {
		bool resumed = note_begin(r);

		result = linkat(fd, "", dir_fd, r->name, AT_EMPTY_PATH) < 0 ? -errno : 0;
		if (result == -EEXIST && resumed && is_inode(dir_fd, r->name, file->dev, file->ino))
			result = 0;
	}
	end_made(r, volfs_find_node(r->volfs, r->new_ino), result);
}

void volfs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	struct volfs_request *r = volfs_new_named(req, ino, new_name, NULL, run_link);

	if (!r)
		return;
	r->new_ino = new_parent;
	volfs_submit(r);
}

/* --- removing ---------------------------------------------------------------------------- */

/* flags: AT_REMOVEDIR or 0. */
static int remove_name(struct volfs_request *r, int dir_fd)
{
	struct stat st;

	if (fstatat(dir_fd, r->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return r->deed->noted ? 0 : -errno;
	/* What has that name now came after us. */
	if (r->deed->noted && (r->deed->dev != st.st_dev || r->deed->ino != st.st_ino))
		return 0;
	r->deed->dev = st.st_dev;
	r->deed->ino = st.st_ino;
	note_begin(r);
	return unlinkat(dir_fd, r->name, (int)r->flags) < 0 ? -errno : 0;
}

static void run_remove(struct volfs_request *r)
{
	int dir_fd = volfs_get_node_fd(r->volfs, r->ino);

	if (!volfs_begin_deed(r))
		return;
	if (!r->deed->done)
		note_end(r, dir_fd < 0 ? dir_fd : remove_name(r, dir_fd), 0);
	volfs_answer(r, r->deed->result);
}

static void remove_at(fuse_req_t req, fuse_ino_t parent, const char *name, int flags)
{
	struct volfs_request *r = volfs_new_named(req, parent, name, NULL, run_remove);

	if (!r)
		return;
	r->flags = (unsigned)flags;
	volfs_submit(r);
}

void volfs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_at(req, parent, name, 0);
}

void volfs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	remove_at(req, parent, name, AT_REMOVEDIR);
}

/* --- moving --------------------------------------------------------------------------------- */

static int move_name(struct volfs_request *r)
{
	int dir_fd = -1, new_dir_fd = -1, result = get_dirs(r, &dir_fd, &new_dir_fd);
	struct stat st;

	if (result < 0)
		return result;
	if (r->deed->noted && is_inode(new_dir_fd, r->new_name, r->deed->dev, r->deed->ino))
		return 0;
	if (fstatat(dir_fd, r->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	r->deed->dev = st.st_dev;
	r->deed->ino = st.st_ino;
	note_begin(r);
	return renameat2(dir_fd, r->name, new_dir_fd, r->new_name, r->flags) < 0 ? -errno : 0;
}

static void run_rename(struct volfs_request *r)
{
	if (!volfs_begin_deed(r))
		return;
	if (!r->deed->done)
		note_end(r, move_name(r), 0);
	volfs_answer(r, r->deed->result);
}

void volfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		  const char *new_name, unsigned flags)
{
	struct volfs_request *r = volfs_new_named(req, parent, name, new_name, run_rename);

	if (!r)
		return;
	r->new_ino = new_parent;
	r->flags = flags;
	volfs_submit(r);
}
