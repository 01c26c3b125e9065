/* The table of handlers. Each request goes by its node: what lies in a volume is passed through (fs/volfs/volfs.h),
 * all else is the tree's (fs/ops.h). What is missing here is answered ENOSYS by libfuse, which the kernel
 * takes as "never ask again": locks, which it keeps itself then, and ioctls.
 */
#include "fs/ops.h"

#include "fs/slots.h"
#include "fs/volfs/volfs.h"

#include <poll.h>
#include <unistd.h>

static void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	if (volfs_has_node(parent))
		volfs_lookup(req, parent, name);
	else if (node_get_kind(parent) == NODE_VOLUMES)
		volfs_lookup_volume(req, name, SLOTS_NONE);
	else
		ops_lookup(req, parent, name);
}

static void forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	struct fuse_forget_data item = { ino, nlookup };

	if (volfs_has_node(ino))
		volfs_forget(fs_of(req)->volfs, 1, &item);
	ops_forget(req, ino, nlookup);
}

static void forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	volfs_forget(fs_of(req)->volfs, count, forgets);
	ops_forget_multi(req, count, forgets);
}

static void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_getattr : ops_getattr)(req, ino, fi);
}

static void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		    struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_setattr : ops_setattr)(req, ino, attr, to_set, fi);
}

static void readlink_(fuse_req_t req, fuse_ino_t ino)
{
	(volfs_has_node(ino) ? volfs_readlink : ops_readlink)(req, ino);
}

static void statfs_(fuse_req_t req, fuse_ino_t ino)
{
	(volfs_has_node(ino) ? volfs_statfs : ops_statfs)(req, ino);
}

static void opendir_(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_opendir : ops_opendir)(req, ino, fi);
}

static void readdir_(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_readdir : ops_readdir)(req, ino, size, offset, fi);
}

static void readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
			struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_readdirplus : ops_readdirplus)(req, ino, size, offset, fi);
}

static void releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_release : ops_releasedir)(req, ino, fi);
}

static void open_(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_open : ops_open)(req, ino, fi);
}

static void read_(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		  struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_read : ops_read)(req, ino, size, offset, fi);
}

static void write_(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_write : ops_write)(req, ino, buf, size, offset, fi);
}

static void flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_flush : ops_flush)(req, ino, fi);
}

static void release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_release : ops_release)(req, ino, fi);
}

static void fsync_(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_fsync : ops_fsync)(req, ino, datasync, fi);
}

/* A regular file is always ready. */
static void poll_(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		  struct fuse_pollhandle *poll_handle)
{
	if (!volfs_has_node(ino)) {
		ops_poll(req, ino, fi, poll_handle);
		return;
	}
	if (poll_handle)
		fuse_pollhandle_destroy(poll_handle);
	fuse_reply_poll(req, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM);
}

static void mkdir_(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	(volfs_has_node(parent) ? volfs_mkdir : ops_mkdir)(req, parent, name, mode);
}

static void rmdir_(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(volfs_has_node(parent) ? volfs_rmdir : ops_rmdir)(req, parent, name);
}

static void unlink_(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(volfs_has_node(parent) ? volfs_unlink : ops_unlink)(req, parent, name);
}

static void symlink_(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(volfs_has_node(parent) ? volfs_symlink : ops_symlink)(req, target, parent, name);
}

static void rename_(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		    const char *new_name, unsigned int flags)
{
	bool inside = volfs_has_node(parent) && volfs_has_node(new_parent);

	(inside ? volfs_rename : ops_rename)(req, parent, name, new_parent, new_name, flags);
}

static void link_(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	bool inside = volfs_has_node(ino) && volfs_has_node(new_parent);

	(inside ? volfs_link : ops_link)(req, ino, new_parent, new_name);
}

static void mknod_(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(volfs_has_node(parent) ? volfs_mknod : ops_mknod)(req, parent, name, mode, device);
}

static void create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		   struct fuse_file_info *fi)
{
	(volfs_has_node(parent) ? volfs_create : ops_create)(req, parent, name, mode, fi);
}

/* --- what there is in volumes only ---------------------------------------------------- */

static void getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	if (volfs_has_node(ino))
		volfs_getxattr(req, ino, name, size);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

static void setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		     size_t size, int flags)
{
	if (volfs_has_node(ino))
		volfs_setxattr(req, ino, name, value, size, flags);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

static void listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	if (volfs_has_node(ino))
		volfs_listxattr(req, ino, size);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

static void removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	if (volfs_has_node(ino))
		volfs_removexattr(req, ino, name);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

static void fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(volfs_has_node(ino) ? volfs_fsync : ops_fsync)(req, ino, datasync, fi);
}

static void fallocate_(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		       struct fuse_file_info *fi)
{
	if (volfs_has_node(ino))
		volfs_fallocate(req, ino, mode, offset, length, fi);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

static void lseek_(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
		   struct fuse_file_info *fi)
{
	if (volfs_has_node(ino))
		volfs_lseek(req, ino, offset, whence, fi);
	else
		ops_lseek(req, ino, offset, whence, fi);
}

/* EOPNOTSUPP has the kernel copy by reading and writing. */
static void copy_file_range_(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in,
			     struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t offset_out,
			     struct fuse_file_info *fi_out, size_t len, int flags)
{
	if (volfs_has_node(ino_in) && volfs_has_node(ino_out))
		volfs_copy_file_range(req, ino_in, offset_in, fi_in, ino_out, offset_out, fi_out,
				      len, flags);
	else
		fuse_reply_err(req, EOPNOTSUPP);
}

const struct fuse_lowlevel_ops ops_table = {
	.init = ops_init,
	.lookup = lookup,
	.forget = forget,
	.forget_multi = forget_multi,
	.getattr = getattr,
	.setattr = setattr,
	.readlink = readlink_,
	.statfs = statfs_,
	.opendir = opendir_,
	.readdir = readdir_,
	.readdirplus = readdirplus,
	.releasedir = releasedir,
	.open = open_,
	.read = read_,
	.write = write_,
	.flush = flush,
	.release = release,
	.fsync = fsync_,
	.poll = poll_,
	.mkdir = mkdir_,
	.rmdir = rmdir_,
	.unlink = unlink_,
	.symlink = symlink_,
	.rename = rename_,
	.link = link_,
	.mknod = mknod_,
	.create = create,
	.getxattr = getxattr,
	.setxattr = setxattr,
	.listxattr = listxattr,
	.removexattr = removexattr,
	.fsyncdir = fsyncdir,
	.fallocate = fallocate_,
	.lseek = lseek_,
	.copy_file_range = copy_file_range_,
};
