/* Files that the kernel reads, writes and maps by itself (Linux 6.9, FUSE_PASSTHROUGH): as fast as the
 * directory behind the volume, and with the very pages that containers see. We are asked for names and
 * attributes only, and an engine's death is not even a pause to who reads. Without it, or where the file
 * systems below refuse, bytes come through us (fs/volfs/volfs_data.c).
 *
 * All open files of one inode are passed, or none: the kernel wants it so. Its number for the inode is kept
 * with the node; it and what is counted here outlive the engine.
 *
 * What the kernel writes for us it writes as the thread that named the file: one that may not keep set-id
 * bits, so that a write takes them away, as it does for every caller but root.
 */
#include "fs/volfs/volfs_private.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>

/* Linux 6.9 include/uapi/linux/fuse.h; Debian 12's headers are older. */
#define OPEN_PASSTHROUGH (1U << 7)

struct backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};

#define BACKING_OPEN _IOW(FUSE_DEV_IOC_MAGIC, 1, struct backing_map)
#define BACKING_CLOSE _IOW(FUSE_DEV_IOC_MAGIC, 2, uint32_t)

/* Of this thread. */
static bool set_keeps_bits(bool keeps)
{
	cap_t caps = cap_get_proc();
	cap_value_t which[] = { CAP_FSETID };
	bool done = caps &&
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, which, keeps ? CAP_SET : CAP_CLEAR) == 0 &&
		    cap_set_proc(caps) == 0;

	if (caps)
		cap_free(caps);
	return done;
}

static int name_file(struct volfs *volfs, const struct volfs_node *node)
{
	struct backing_map map = { .fd = volfs_get_fd(node->ref) };
	int number = -EPERM;

	if (set_keeps_bits(false))
		number = ioctl(volfs->fuse_fd, BACKING_OPEN, &map);
	set_keeps_bits(true);
	return number;
}

void volfs_pass_file(struct volfs *volfs, uint64_t fh)
{
	struct volfs_file *file = volfs_find_file(volfs, fh);
	struct volfs_node *node = file ? volfs_find_node(volfs, file->node) : NULL;

	if (!node || file->is_passed || !channel_can_pass_through(volfs->fs->channel))
		return;
	pthread_mutex_lock(&volfs->backing_lock);
	if (!node->backing && !node->is_plain) {
		int number = name_file(volfs, node);

		node->backing = number > 0 ? number : 0;
		node->is_plain = number <= 0;
	}
	if (node->backing) {
		node->opens++;
		file->is_passed = 1;
	}
	pthread_mutex_unlock(&volfs->backing_lock);
}

void volfs_unpass_file(struct volfs *volfs, const struct volfs_file *file)
{
	struct volfs_node *node = volfs_find_node(volfs, file->node);

	if (!node || !file->is_passed)
		return;
	pthread_mutex_lock(&volfs->backing_lock);
	if (node->opens && --node->opens == 0) {
		uint32_t number = (uint32_t)node->backing;

		node->backing = 0;
		ioctl(volfs->fuse_fd, BACKING_CLOSE, &number);
	}
	pthread_mutex_unlock(&volfs->backing_lock);
}

/* A close(2) here has nothing to report that a native one would not have: no FLUSH is needed. Nothing is kept
 * from one open to the next, for a container may write meanwhile. */
static struct fuse_open_out make_open_out(struct volfs *volfs, uint64_t fh)
{
	const struct volfs_file *file = volfs_find_file(volfs, fh);
	const struct volfs_node *node = file ? volfs_find_node(volfs, file->node) : NULL;
	struct fuse_open_out out = { .fh = fh, .open_flags = FOPEN_NOFLUSH };

	if (file && file->is_passed && node) {
		out.open_flags |= OPEN_PASSTHROUGH;
		out.padding = (uint32_t)node->backing;
	}
	return out;
}

int volfs_reply_open(fuse_req_t req, struct volfs *volfs, uint64_t fh)
{
	struct fuse_open_out out = make_open_out(volfs, fh);

	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static struct fuse_attr make_attr(const struct stat *st)
{
	return (struct fuse_attr){
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.blocks = (uint64_t)st->st_blocks,
		.atime = (uint64_t)st->st_atim.tv_sec,
		.mtime = (uint64_t)st->st_mtim.tv_sec,
		.ctime = (uint64_t)st->st_ctim.tv_sec,
		.atimensec = (uint32_t)st->st_atim.tv_nsec,
		.mtimensec = (uint32_t)st->st_mtim.tv_nsec,
		.ctimensec = (uint32_t)st->st_ctim.tv_nsec,
		.mode = st->st_mode,
		.nlink = (uint32_t)st->st_nlink,
		.uid = st->st_uid,
		.gid = st->st_gid,
		.rdev = (uint32_t)st->st_rdev,
		.blksize = (uint32_t)st->st_blksize,
	};
}

int volfs_reply_create(fuse_req_t req, struct volfs *volfs, const struct fuse_entry_param *entry,
		       uint64_t fh)
{
	struct {
		struct fuse_entry_out entry;
		struct fuse_open_out open;
	} out = {
		.entry = { .nodeid = entry->ino,
			   .generation = entry->generation,
			   .attr = make_attr(&entry->attr) },
		.open = make_open_out(volfs, fh),
	};

	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}
