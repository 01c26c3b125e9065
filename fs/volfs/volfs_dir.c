/* Listings: positions are the file system's own, so that a listing half read goes on after an engine's death,
 * and one that changes meanwhile behaves as it does there. Names come without attributes: the kernel may not
 * keep them here, so it would ask again for each.
 */
#include "fs/volfs/volfs_private.h"

#include <dirent.h>
#include <sys/syscall.h>

/* As getdents64(2) gives them. */
struct raw_entry {
	uint64_t ino;
	int64_t next;
	uint16_t len;
	uint8_t type;
	char name[];
};

static size_t add(struct volfs_request *r, char *buf, size_t room, const struct raw_entry *raw)
{
	struct fuse_entry_param entry = { .ino = 0 };

	entry.attr.st_ino = raw->ino;
	entry.attr.st_mode = (mode_t)DTTOIF(raw->type);
	return r->flags ? fuse_add_direntry_plus(r->req, buf, room, raw->name, &entry, raw->next)
			: fuse_add_direntry(r->req, buf, room, raw->name, &entry.attr, raw->next);
}

/* What does not fit any more is read again next time, from where it begins. */
static size_t fill(struct volfs_request *r, const char *raw, size_t raw_len, char *buf)
{
	size_t done = 0;

	for (size_t at = 0; at < raw_len;) {
		const struct raw_entry *entry = (const struct raw_entry *)(const void *)(raw + at);
		size_t used = add(r, buf + done, r->size - done, entry);

		if (used > r->size - done)
			break;
		done += used;
		at += entry->len;
	}
	return done;
}

static void run_readdir(struct volfs_request *r)
{
	const struct volfs_file *file = volfs_find_file(r->volfs, r->fi.fh);
	char *raw = volfs_get_buffer(2 * r->size);
	long len;

	if (!file || !raw) {
		volfs_answer(r, file ? -ENOMEM : -EBADF);
		return;
	}
	if (lseek(volfs_get_fd(file->ref), r->offset, SEEK_SET) < 0) {
		volfs_answer(r, -errno);
		return;
	}
	len = syscall(SYS_getdents64, volfs_get_fd(file->ref), raw, r->size);
	if (len < 0)
		volfs_answer(r, -errno);
	else
		volfs_answer_bytes(r, raw + r->size,
				   (ssize_t)fill(r, raw, (size_t)len, raw + r->size));
}

static void list(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		 const struct fuse_file_info *fi, bool plus)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_readdir);

	if (!r)
		return;
	r->fi = *fi;
	r->size = size;
	r->offset = offset;
	r->flags = plus;
	volfs_submit(r);
}

void volfs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		   struct fuse_file_info *fi)
{
	list(req, ino, size, offset, fi, false);
}

void volfs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		       struct fuse_file_info *fi)
{
	list(req, ino, size, offset, fi, true);
}
