/* Open files: what each class does lies in fs/files.h; here is only who is asked.
 */
#include "fs/ops.h"

#include "fs/files.h"
#include "fs/names.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

static int refuse_access(struct fs *fs, uint64_t node, const char *what, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;

	tree_describe(fs, node, &path);
	return error_set(err, EACCES, "'%s' is %s", strbuf_get_str(&path), what);
}

static int check_access(struct fs *fs, uint64_t node, int flags, struct error *err)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	int access = flags & O_ACCMODE;

	if (!row)
		return error_set(err, ESTALE, "this file is known no more");
	/* The kernel lets root past the mode. */
	if (access != O_RDONLY && !(row->mode & 0200))
		return refuse_access(fs, node, "read-only", err);
	if (access != O_WRONLY && !(row->mode & 0400))
		return refuse_access(fs, node, "write-only", err);
	if (row->class == FILE_IMPORT)
		return error_set(err, EBUSY, "the image is being written by another");
	return 0;
}

static int prepare(struct handle *handle, struct error *err)
{
	switch (handle->row->class) {
	case FILE_STREAM: {
		int r = stream_open(handle, err);

		if (r == 0 && tree_get_role(handle->row->kind) == NODE_C_ATTACH)
			stdinfile_open(handle);
		return r;
	}
	case FILE_STDIN: {
		AUTO(container_view_unref) struct container_view *view = NULL;

		if (!handle->container)
			return error_set(err, ENOENT, "the container has been removed");
		view = container_get_view(handle->container);
		handle->head->run = view->run;
		stdinfile_open(handle);
		return 0;
	}
	case FILE_ARCHIVE:
		return archivefile_open(handle, err);
	default:
		return 0;
	}
}

/* attach and stdin without a file position: else reading and writing one descriptor at once is a deadlock
 * on the position's lock. libfuse 3.14 has no field for FOPEN_STREAM. */
static int reply_stream(fuse_req_t req, struct handle *handle)
{
	struct fuse_open_out out = { .fh = handle_get_fh(handle),
				     .open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM };

	return fuse_reply_buf(req, (const char *)&out, sizeof(out));
}

static int reply_open(fuse_req_t req, struct handle *handle)
{
	struct fuse_file_info fi = {
		.fh = handle_get_fh(handle),
		.direct_io = 1,
		/* Who asks for a place in it is refused by the kernel: ESPIPE. */
		.nonseekable = handle->row->class == FILE_EXPORT
	};
	enum node_kind kind = tree_get_role(handle->row->kind);

	if (kind == NODE_C_ATTACH || kind == NODE_C_STDIN)
		return reply_stream(req, handle);
	return fuse_reply_open(req, &fi);
}

static void end_handle(struct handle *handle)
{
	if (handle->row->class == FILE_STDIN || tree_get_role(handle->row->kind) == NODE_C_ATTACH)
		stdinfile_release(handle);
	if (handle->row->class == FILE_STREAM || handle->row->class == FILE_LOG)
		stream_release(handle);
	if (handle->row->class == FILE_IMPORT)
		importfile_release(handle);
	if (handle->row->class == FILE_EXPORT)
		exportfile_release(handle);
	/* The kernel keeps a name that was in use when its directory was invalidated until it wants the
	 * memory; the log of a removed container must not lie on the disk that long. */
	if (handle->row->class == FILE_LOG && handle->container &&
	    container_is_removed(handle->container))
		nodes_forget(handle->fs->nodes, handle->head->node);
	handle_release(handle);
}

void ops_answer_open(fuse_req_t req, struct handle *handle)
{
	/* The opener was killed meanwhile: no RELEASE will come. */
	if (reply_open(req, handle) == -ENOENT)
		end_handle(handle);
}

/* A former engine opened it, but its answer did not arrive. */
static struct handle *find_opened(struct fs *fs)
{
	return channel_is_resent() ? handle_find_opened(fs, channel_get_unique()) : NULL;
}

int ops_make_handle(struct fs *fs, uint64_t node, unsigned flags, const struct caller *caller,
		    uint64_t number, struct handle **ret, struct error *err)
{
	AUTO(handle_unref) struct handle *handle = NULL;
	int r = handle_new(fs, node, flags, caller, &handle, err);

	if (r == 0) {
		r = prepare(handle, err);
		if (r < 0)
			handle->released = true;
	}
	if (r < 0)
		return r;
	handle_publish(handle_ref(handle), number);
	*ret = steal_ptr(&handle);
	return 0;
}

void ops_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	AUTO(handle_unref) struct handle *handle = find_opened(fs);
	struct error err = ERROR_INIT;
	struct caller caller;
	int r = handle ? 0 : check_access(fs, ino, fi->flags, &err);

	if (!handle && r == 0 && nodes_need_worker(fs->nodes, ino)) {
		reportfile_open(req, ino, fi->flags);
		return;
	}
	fs_read_caller(req, &caller);
	if (!handle && r == 0)
		r = ops_make_handle(fs, ino, (unsigned)fi->flags, &caller, channel_get_unique(),
				    &handle, &err);
	if (r < 0)
		fs_reply_error(req, &err);
	else
		ops_answer_open(req, handle);
}

static void refuse_unknown(fuse_req_t req, fuse_ino_t ino, const struct fuse_file_info *fi)
{
	struct error err = ERROR_INIT;

	error_set(&err, EIO, "bug: open file %llu of node %llx is not known",
		  (unsigned long long)fi->fh, (unsigned long long)ino);
	fs_reply_error(req, &err);
}

static void read_text(fuse_req_t req, struct handle *handle, size_t size, off_t offset)
{
	AUTO(node_text_unref) struct node_text *text = handle_get_text(handle);
	auto_free char *buf = malloc(size ? size : 1);

	if (!text || !buf) {
		fuse_reply_err(req, buf ? EIO : ENOMEM);
		return;
	}
	fuse_reply_buf(req, buf, node_text_read(text, (uint64_t)offset, buf, size));
}

static void read_log(fuse_req_t req, struct handle *handle, size_t size, off_t offset)
{
	auto_free char *buf = malloc(size ? size : 1);
	struct error err = ERROR_INIT;
	ssize_t got;

	if (!buf || !handle->text || !handle->text->log) {
		fuse_reply_err(req, buf ? EIO : ENOMEM);
		return;
	}
	pthread_mutex_lock(&handle->lock);
	got = logreader_read(&handle->head->reader, handle->text->log, (uint64_t)offset, UINT64_MAX,
			     buf, size, &err);
	if (got >= 0)
		handle->head->cursor = (uint64_t)offset + (uint64_t)got;
	node_text_extend(handle->text, logreader_get_shift(&handle->head->reader));
	pthread_mutex_unlock(&handle->lock);
	if (got < 0) {
		fs_reply_error(req, &err);
		return;
	}
	fuse_reply_buf(req, buf, (size_t)got);
}

void ops_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);

	(void)ino;
	if (!handle) {
		refuse_unknown(req, ino, fi);
		return;
	}
	switch (handle->row->class) {
	case FILE_TEXT:
	case FILE_REPORT:
	case FILE_CTL:
	case FILE_CONFIG:
		read_text(req, handle, size, offset);
		break;
	case FILE_LOG:
		read_log(req, handle, size, offset);
		break;
	case FILE_ARCHIVE:
		archivefile_read(req, handle, size, (uint64_t)offset);
		break;
	case FILE_EXPORT:
		exportfile_read(req, handle, size, (uint64_t)offset, fi->flags & O_NONBLOCK);
		break;
	case FILE_STREAM:
		stream_read(req, handle, size, (uint64_t)offset, fi->flags & O_NONBLOCK);
		break;
	default:
		fuse_reply_err(req, EACCES);
		break;
	}
}

void ops_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t offset,
	       struct fuse_file_info *fi)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);
	uint64_t at = (uint64_t)offset;

	(void)ino;
	if (!handle) {
		refuse_unknown(req, ino, fi);
		return;
	}
	switch (handle->row->class) {
	case FILE_CTL:
		ctlfile_write(req, handle, buf, size, at, fi->lock_owner);
		break;
	case FILE_CONFIG:
		configfile_write(req, handle, buf, size, at, fi->lock_owner);
		break;
	case FILE_IMPORT:
		importfile_write(req, handle, buf, size, at, fi->lock_owner);
		break;
	case FILE_STDIN:
	case FILE_STREAM:
		stdinfile_write(req, handle, buf, size, fi->flags & O_NONBLOCK);
		break;
	default:
		fuse_reply_err(req, EACCES);
		break;
	}
}

/* A FLUSH is sent for each descriptor that is closed. The one that means the end of what is written comes
 * from the process that wrote last, when it has no other descriptor of the file left (shells duplicate
 * theirs for each command and close the copy) and nobody else is writing on it. */
static bool is_end_of_input(fuse_req_t req, const struct handle *handle, uint64_t owner)
{
	bool has_input = handle->head->pending_len > 0 || handle->head->written;
	/* A truncate names no owner: of an archive that is one hole its creator wrote last. */
	bool is_writer =
		handle->head->write_owner == owner ||
		(handle->head->write_owner == 0 && handle->import_tid == fuse_req_ctx(req)->pid);

	return has_input && is_writer && !atomic_load(&handle->at_work) &&
	       !caller_has_open(fuse_req_ctx(req)->pid, handle->fs->options->mnt,
				node_get_ino(handle->head->node));
}

void ops_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);

	(void)ino;
	if (handle && importfile_is_untouched(handle, fuse_req_ctx(req)->pid))
		importfile_flush_empty(req, handle, fi->lock_owner);
	else if (!handle || !is_end_of_input(req, handle, fi->lock_owner))
		fuse_reply_err(req, 0);
	else if (handle->row->class == FILE_CTL)
		ctlfile_flush(req, handle);
	else if (handle->row->class == FILE_CONFIG)
		configfile_flush(req, handle);
	else
		importfile_flush(req, handle);
}

void ops_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);

	/* Sent again, it may have been done: the slot can be another file's by now. */
	if (handle && handle->head->node == ino)
		end_handle(handle);
	fuse_reply_err(req, 0);
}

/* Everything that a write's answer promised is kept by then. */
void ops_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	(void)ino, (void)datasync, (void)fi;
	fuse_reply_err(req, 0);
}

void ops_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi)
{
	struct error err = ERROR_INIT;
	struct caller caller;
	struct stat st;
	int r;

	(void)fi;
	fs_read_caller(req, &caller);
	r = nodes_stat(fs_of(req), ino, &caller, &st, &err);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (offset < 0 || offset >= st.st_size)
		fuse_reply_err(req, ENXIO);
	else
		fuse_reply_lseek(req, whence == SEEK_HOLE ? st.st_size : offset);
}

void ops_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
	      struct fuse_pollhandle *poll_handle)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);
	bool waits;

	(void)ino;
	if (!handle) {
		if (poll_handle)
			fuse_pollhandle_destroy(poll_handle);
		fuse_reply_err(req, EIO);
		return;
	}
	waits = handle->row->class == FILE_STREAM || handle->row->class == FILE_LOG;
	if (poll_handle && waits) {
		/* Before the look, so that what comes in between wakes it. */
		pthread_mutex_lock(&handle->lock);
		handle->head->poll_kh = channel_get_poll_kh();
		handle->head->polled = 1;
		pthread_mutex_unlock(&handle->lock);
		if (handle->row->class == FILE_LOG)
			logwatch_add(handle);
	}
	if (poll_handle)
		fuse_pollhandle_destroy(poll_handle);
	fuse_reply_poll(req, !waits || stream_is_ready(handle) ? POLLIN | POLLOUT : POLLOUT);
}
