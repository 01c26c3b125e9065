/* Bytes of open files. A write at a place can be done twice without harm; one that appends cannot, and notes
 * how long the file was: a later engine looks whether the bytes are there.
 */
#include "fs/volfs/volfs_private.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>

/* A copy that takes long holds up who wants to kill it. */
#define COPY_MAX (64U << 20)

static int get_fd(struct volfs_request *r, const struct fuse_file_info *fi)
{
	const struct volfs_file *file = volfs_find_file(r->volfs, fi->fh);

	return file ? volfs_get_fd(file->ref) : -EBADF;
}

/* --- reading ------------------------------------------------------------------------ */

static void run_read(struct volfs_request *r)
{
	int fd = get_fd(r, &r->fi);
	char *bytes = volfs_get_buffer(r->size);
	ssize_t len;

	if (fd < 0 || !bytes) {
		volfs_answer(r, fd < 0 ? fd : -ENOMEM);
		return;
	}
	len = pread(fd, bytes, r->size, r->offset);
	volfs_answer_bytes(r, bytes, len < 0 ? -errno : len);
}

void volfs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_read);

	if (!r)
		return;
	r->fi = *fi;
	r->size = size;
	r->offset = offset;
	volfs_submit(r);
}

/* --- writing ------------------------------------------------------------------------- */

/* All of it, unless the disk is full. Count or -errno. */
static ssize_t write_at(int fd, const char *bytes, size_t len, off_t offset)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pwrite(fd, bytes + done, len - done, offset + (off_t)done);

		if (n <= 0 && done > 0)
			break;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* How many of the bytes an engine that died had appended behind `end`. */
static size_t count_appended(struct volfs_request *r, int fd, off_t end)
{
	char *there = volfs_get_buffer(r->size);
	auto_fd int reader = volfs_reopen(r->volfs, r->ino, O_RDONLY);
	ssize_t len = there && reader >= 0 ? pread(reader, there, r->size, end) : 0;

	(void)fd;
	return len > 0 && memcmp(there, r->bytes, (size_t)len) == 0 ? (size_t)len : 0;
}

static ssize_t append(struct volfs_request *r, int fd)
{
	size_t before = 0;
	struct stat st;
	ssize_t done;

	if (r->deed->noted) {
		before = count_appended(r, fd, (off_t)r->deed->ino);
	} else {
		if (fstat(fd, &st) < 0)
			return -errno;
		r->deed->ino = (uint64_t)st.st_size;
		__atomic_store_n(&r->deed->noted, 1, __ATOMIC_SEQ_CST);
	}
	/* The descriptor appends by itself. */
	done = write_at(fd, r->bytes + before, r->size - before, 0);
	return done < 0 && before == 0 ? done : (ssize_t)before + (done < 0 ? 0 : done);
}

static void run_append(struct volfs_request *r)
{
	int fd = get_fd(r, &r->fi);

	if (!volfs_begin_deed(r))
		return;
	if (fd >= 0 && r->kills_bits)
		volfs_kill_bits(fd);
	if (!r->deed->done) {
		r->deed->result = (int32_t)(fd < 0 ? fd : append(r, fd));
		__atomic_store_n(&r->deed->done, 1, __ATOMIC_SEQ_CST);
	}
	volfs_answer_count(r, r->deed->result);
}

/* Pages that a mapping changed: any open file may carry them, and they have a place of their own. */
static void run_write_page(struct volfs_request *r)
{
	auto_fd int fd = volfs_reopen(r->volfs, r->ino, O_WRONLY);

	volfs_answer_count(r, fd < 0 ? fd : write_at(fd, r->bytes, r->size, r->offset));
}

static void run_write(struct volfs_request *r)
{
	const struct volfs_file *file = volfs_find_file(r->volfs, r->fi.fh);

	if (r->fi.writepage && (!file || file->flags & O_APPEND)) {
		run_write_page(r);
		return;
	}
	if (file && file->flags & O_APPEND) {
		run_append(r);
		return;
	}
	if (file && r->kills_bits)
		volfs_kill_bits(volfs_get_fd(file->ref));
	volfs_answer_count(r, file ? write_at(volfs_get_fd(file->ref), r->bytes, r->size, r->offset)
				   : -EBADF);
}

void volfs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
		 struct fuse_file_info *fi)
{
	const struct fuse_write_in *in = channel_get_request_body();
	struct volfs_request *r = volfs_new_request(req, ino, run_write);

	if (!r)
		return;
	r->fi = *fi;
	r->kills_bits = in->write_flags & FUSE_WRITE_KILL_SUIDGID;
	r->size = size;
	r->offset = offset;
	if (volfs_keep_bytes(r, buf, size))
		volfs_submit(r);
	else
		volfs_answer(r, -ENOMEM);
}

/* --- the rest ------------------------------------------------------------------------- */

static void run_fsync(struct volfs_request *r)
{
	int fd = get_fd(r, &r->fi);

	if (fd >= 0 && (r->flags ? fdatasync(fd) : fsync(fd)) < 0)
		fd = -errno;
	volfs_answer(r, fd < 0 ? fd : 0);
}

void volfs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_fsync);

	if (!r)
		return;
	r->fi = *fi;
	r->flags = datasync != 0;
	volfs_submit(r);
}

static void run_fallocate(struct volfs_request *r)
{
	int fd = get_fd(r, &r->fi);

	if (fd >= 0 && fallocate(fd, (int)r->flags, r->offset, (off_t)r->size) < 0)
		fd = -errno;
	volfs_answer(r, fd < 0 ? fd : 0);
}

void volfs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
		     struct fuse_file_info *fi)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_fallocate);

	if (!r)
		return;
	r->fi = *fi;
	r->flags = (unsigned)mode;
	r->offset = offset;
	r->size = (size_t)length;
	volfs_submit(r);
}

static void run_lseek(struct volfs_request *r)
{
	int fd = get_fd(r, &r->fi);
	off_t at = fd < 0 ? -1 : lseek(fd, r->offset, (int)r->flags);

	if (at < 0) {
		volfs_answer(r, fd < 0 ? fd : -errno);
		return;
	}
	fuse_reply_lseek(r->req, at);
	volfs_end_request(r);
}

void volfs_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence,
		 struct fuse_file_info *fi)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_lseek);

	if (!r)
		return;
	r->fi = *fi;
	r->offset = offset;
	r->flags = (unsigned)whence;
	volfs_submit(r);
}

static void run_copy(struct volfs_request *r)
{
	int in = get_fd(r, &r->fi), out = get_fd(r, &r->out);
	ssize_t len;

	if (in < 0 || out < 0) {
		volfs_answer(r, -EBADF);
		return;
	}
	len = copy_file_range(in, &r->offset, out, &r->out_offset,
			      r->size < COPY_MAX ? r->size : COPY_MAX, r->flags);
	volfs_answer_count(r, len < 0 ? -errno : len);
}

void volfs_copy_file_range(fuse_req_t req, fuse_ino_t ino_in, off_t offset_in,
			   struct fuse_file_info *fi_in, fuse_ino_t ino_out, off_t offset_out,
			   struct fuse_file_info *fi_out, size_t len, int flags)
{
	struct volfs_request *r = volfs_new_request(req, ino_in, run_copy);

	if (!r)
		return;
	r->new_ino = ino_out;
	r->fi = *fi_in;
	r->out = *fi_out;
	r->offset = offset_in;
	r->out_offset = offset_out;
	r->size = len;
	r->flags = (unsigned)flags;
	volfs_submit(r);
}
