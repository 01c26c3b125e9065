/* Listings. A directory's names are taken once, when its reading begins, so that one listing is one
 * picture and a position in it means the same at every read. The picture lies with the open file and
 * outlives the engine: records of a node number and a name, a position being an offset into them.
 */
#include "fs/ops.h"

#include "fs/tree.h"

#include <string.h>

static bool add_record(void *arg, const char *name, uint64_t node)
{
	struct strbuf *picture = arg;

	strbuf_append(picture, &node, sizeof(node));
	strbuf_append(picture, name, strlen(name) + 1);
	return !picture->oom;
}

static int take_picture(struct handle *handle, struct error *err)
{
	uint64_t dir = handle->head->node;
	int r;

	strbuf_reset(&handle->reply);
	add_record(&handle->reply, ".", dir);
	add_record(&handle->reply, "..", FUSE_ROOT_ID);
	r = tree_list(handle->fs, dir, add_record, &handle->reply, err);
	if (r == 0)
		r = strbuf_check(&handle->reply, err);
	if (r == 0)
		handle_save(handle);
	return r;
}

static void answer_opendir(fuse_req_t req, struct handle *handle, struct fuse_file_info *fi)
{
	fi->fh = handle_get_fh(handle);
	if (fuse_reply_open(req, fi) == -ENOENT)
		handle_release(handle);
}

void ops_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	AUTO(handle_unref) struct handle *handle = NULL;
	struct error err = ERROR_INIT;
	struct caller caller;
	struct stat st;

	if (channel_is_resent())
		handle = handle_find_opened(fs, channel_get_unique());
	if (handle) {
		answer_opendir(req, handle, fi);
		return;
	}
	fs_read_caller(req, &caller);
	if (tree_stat(fs, ino, &st) < 0) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	if (handle_new(fs, ino, (unsigned)fi->flags, &caller, &handle, &err) < 0) {
		fs_reply_error(req, &err);
		return;
	}
	handle_publish(handle_ref(handle), channel_get_unique());
	answer_opendir(req, handle, fi);
}

/* What ls -l asks of a directory or link comes along with its name; a file's text is made only when it is
 * looked up by itself, which node number 0 tells the kernel. */
static size_t add_plus(fuse_req_t req, struct handle *handle, char *buf, size_t room,
		       const char *name, uint64_t node, off_t next)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	struct fuse_entry_param entry = { 0 };
	struct caller nobody = { 0 };

	if (row && (row->class == FILE_DIR || row->class == FILE_LINK) && name[0] != '.' &&
	    ops_fill_entry(handle->fs, node, &nobody, &entry, NULL) == 0)
		return fuse_add_direntry_plus(req, buf, room, name, &entry, next);
	entry.attr.st_ino = node_get_ino(node);
	entry.attr.st_mode = row ? row->mode : 0;
	return fuse_add_direntry_plus(req, buf, room, name, &entry, next);
}

static size_t add_plain(fuse_req_t req, char *buf, size_t room, const char *name, uint64_t node,
			off_t next)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	struct stat st = { .st_ino = node_get_ino(node), .st_mode = row ? row->mode : 0 };

	return fuse_add_direntry(req, buf, room, name, &st, next);
}

static size_t fill(fuse_req_t req, struct handle *handle, char *buf, size_t size, off_t offset,
		   bool plus)
{
	const struct strbuf *picture = &handle->reply;
	size_t at = (size_t)offset, done = 0;

	while (at + sizeof(uint64_t) < picture->len) {
		const char *name = picture->data + at + sizeof(uint64_t);
		size_t next = at + sizeof(uint64_t) + strlen(name) + 1;
		uint64_t node;
		size_t used;

		memcpy(&node, picture->data + at, sizeof(node));
		used = plus ? add_plus(req, handle, buf + done, size - done, name, node,
				       (off_t)next)
			    : add_plain(req, buf + done, size - done, name, node, (off_t)next);
		if (used > size - done)
			break;
		done += used;
		at = next;
	}
	return done;
}

static void list(fuse_req_t req, size_t size, off_t offset, struct fuse_file_info *fi, bool plus)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);
	auto_free char *buf = malloc(size ? size : 1);
	struct error err = ERROR_INIT;

	if (!handle || !buf) {
		fuse_reply_err(req, handle ? ENOMEM : EBADF);
		return;
	}
	if (offset == 0 && take_picture(handle, &err) < 0) {
		fs_reply_error(req, &err);
		return;
	}
	fuse_reply_buf(req, buf, fill(req, handle, buf, size, offset, plus));
}

void ops_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		 struct fuse_file_info *fi)
{
	(void)ino;
	list(req, size, offset, fi, false);
}

void ops_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		     struct fuse_file_info *fi)
{
	(void)ino;
	list(req, size, offset, fi, true);
}

void ops_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);

	if (handle && handle->head->node == ino)
		handle_release(handle);
	fuse_reply_err(req, 0);
}
