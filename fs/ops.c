/* The table of handlers. What is missing here is answered ENOSYS by libfuse, which the kernel takes as
 * "never ask again": locks, extended attributes, ioctls, fallocate.
 */
#include "fs/ops.h"

const struct fuse_lowlevel_ops ops_table = {
	.init = ops_init,
	.lookup = ops_lookup,
	.forget = ops_forget,
	.forget_multi = ops_forget_multi,
	.getattr = ops_getattr,
	.setattr = ops_setattr,
	.readlink = ops_readlink,
	.statfs = ops_statfs,
	.opendir = ops_opendir,
	.readdir = ops_readdir,
	.readdirplus = ops_readdirplus,
	.releasedir = ops_releasedir,
	.open = ops_open,
	.read = ops_read,
	.write = ops_write,
	.flush = ops_flush,
	.release = ops_release,
	.fsync = ops_fsync,
	.poll = ops_poll,
	.mkdir = ops_mkdir,
	.rmdir = ops_rmdir,
	.unlink = ops_unlink,
	.symlink = ops_symlink,
	.rename = ops_rename,
	.link = ops_link,
	.mknod = ops_mknod,
	.create = ops_create,
};
