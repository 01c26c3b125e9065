/* MNT/volumes/NAME: the volumes' own directories, passed through as a whole POSIX file system.
 *
 * What the kernel knows of a file is its node number, an index into a table of O_PATH descriptors. What
 * touches a disk runs on threads of its own, so that a volume that hangs holds up nothing else. These
 * threads have a descriptor table of their own, and share it with a process that does nothing, the
 * keeper: when the engine is killed, the descriptors are all still there, and the next one fetches them
 * (docs/volumes.md). So an open file that was removed, a working directory, a listing half read go on.
 */
#ifndef FS_VOLFS_VOLFS_H
#define FS_VOLFS_VOLFS_H

#include "fs/channel.h"
#include "fs/node.h"
#include "fs/server.h"

struct fs;
struct volfs;
struct work;

/* Make the keeper and the thread that makes threads. To be called by the engine before it opens anything
 * of its own: what is open now, and only that, is open in the other table too, but for ready_fd. */
int volfs_start(const struct server_memory *memory, int ready_fd, struct volfs **ret,
		struct error *err);
/* Fetch what former engines had. Before the first request. */
int volfs_take_over(struct volfs *volfs, struct fs *fs, struct error *err);
/* The mount has gone. Ends the threads and the keeper. */
void volfs_free(struct volfs *volfs);
/* End all keepers: called by the holder, whose children they are, when engine and mount are gone. */
void volfs_end_keepers(int memory_fd);

/* Is it a file or directory in a volume, or a volume's own directory? */
static inline bool volfs_has_node(uint64_t node)
{
	return node_get_kind(node) == NODE_INSIDE;
}

/* Answer a request with the entry of a volume; to volumes/ they are what fs/ops.h says.
 * record  of the request, to be ended after the answer (work_give_record()); SLOTS_NONE */
void volfs_lookup_volume(fuse_req_t req, const char *name, uint32_t record);

/* libfuse's handlers, for nodes of which volfs_has_node() is true. */
void volfs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void volfs_forget(struct volfs *volfs, size_t count, const struct fuse_forget_data *forgets);
void volfs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void volfs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		   struct fuse_file_info *fi);
void volfs_readlink(fuse_req_t req, fuse_ino_t ino);
void volfs_statfs(fuse_req_t req, fuse_ino_t ino);
void volfs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void volfs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		    size_t size, int flags);
void volfs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void volfs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);

void volfs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void volfs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void volfs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void volfs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name);
void volfs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void volfs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void volfs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		  const char *new_name, unsigned flags);

void volfs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		  struct fuse_file_info *fi);
void volfs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void volfs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi);
void volfs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
		 struct fuse_file_info *fi);
void volfs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void volfs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void volfs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void volfs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		     struct fuse_file_info *fi);
void volfs_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
		 struct fuse_file_info *fi);
void volfs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in,
			   struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t offset_out,
			   struct fuse_file_info *fi_out, size_t len, int flags);

void volfs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void volfs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void volfs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi);

#endif
