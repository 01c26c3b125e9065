/* Names and attributes. Directories and links are kept by the kernel for OPS_KEEP_S; every other file is a new
 * node for each lookup (fs/nodes.h), whose name is not kept at all. Nor is an image's by its digest, or that
 * of a folder of tags: they go with the last tag, whose unlink cannot wait until the kernel has been told of
 * another directory's name. Nor is a tag's: when one is renamed, the kernel gives the new name the node of the
 * old one, and could be told only after the rename has been answered.
 */
#include "fs/ops.h"

#include "fs/files.h"
#include "fs/names.h"
#include "fs/nodes.h"
#include "fs/templink.h"

#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

void ops_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_write = 1U << 20;
	/* One request at a time could not be told from another when it is sent again in parts. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_WRITEBACK_CACHE);
	/* In volumes the kernel, who knows the caller's groups, takes set-id bits away at writes. */
	conn->want &= ~(unsigned)FUSE_CAP_HANDLE_KILLPRIV;
	if (conn->capable & FUSE_CAP_READDIRPLUS)
		conn->want |= FUSE_CAP_READDIRPLUS;
}

static bool is_looked_up_always(const struct tree_row *row)
{
	return row->kind == NODE_IMAGE || row->kind == NODE_FOLDER || row->kind == NODE_TAG;
}

static bool is_kept(const struct tree_row *row)
{
	return row->class == FILE_DIR ||
	       (row->class == FILE_LINK && row->kind != NODE_C_ROOT && row->kind != NODE_TEMP_LINK);
}

/* Texts that nobody can change are as they were at lookup for good. */
static double get_attr_timeout(const struct tree_row *row)
{
	if (is_kept(row))
		return OPS_KEEP_S;
	return row->class == FILE_TEXT || (row->class == FILE_REPORT && !tree_is_lazy(row)) ? 3600.0
											    : 0.0;
}

int ops_fill_entry(struct fs *fs, uint64_t node, const struct caller *caller,
		   struct fuse_entry_param *ret, struct error *err)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	struct fuse_entry_param entry = { 0 };
	int r;

	if (!row)
		return -ESTALE;
	r = nodes_stat(fs, node, caller, &entry.attr, err);
	if (r < 0)
		return r;
	entry.ino = node;
	entry.generation = 1;
	entry.attr_timeout = get_attr_timeout(row);
	entry.entry_timeout = is_kept(row) && !is_looked_up_always(row) ? OPS_KEEP_S : 0.0;
	*ret = entry;
	return 0;
}

int ops_look_up(struct fs *fs, uint64_t parent, const char *name, const struct caller *caller,
		struct fuse_entry_param *ret, struct error *err)
{
	struct tree_entry found;
	const struct tree_row *row;
	uint64_t node;
	int r = tree_find(fs, parent, name, &found);

	if (r < 0)
		return r;
	node = found.node;
	row = tree_get_row(found.kind);
	if (!tree_is_lazy(row) && (row->render || row->class == FILE_LOG))
		r = nodes_look_up(fs, found.node, caller, &node, err);
	else if (tree_is_lazy(row) || row->class == FILE_STREAM || row->class == FILE_EXPORT ||
		 row->class == FILE_STDIN || row->class == FILE_IMPORT)
		node = nodes_number(fs->nodes, found.node);
	if (r == 0)
		r = ops_fill_entry(fs, node, caller, ret, err);
	/* A node that the kernel is not given is not forgotten by it either. */
	if (r < 0 && node != found.node)
		nodes_forget(fs->nodes, node);
	return r;
}

void ops_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fs *fs = fs_of(req);
	struct fuse_entry_param entry;
	struct error err = ERROR_INIT;
	struct caller caller;
	const struct tree_row *row = tree_find_child(node_get_kind(parent), name);
	int r;

	if (row &&
	    (row->class == FILE_EXPORT || (row->class == FILE_REPORT && !tree_is_lazy(row)))) {
		reportfile_look_up(req, parent, name);
		return;
	}
	fs_read_caller(req, &caller);
	r = ops_look_up(fs, parent, name, &caller, &entry, &err);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_entry(req, &entry) == -ENOENT)
		nodes_forget(fs->nodes, entry.ino);
	else
		nodes_drop_if_removed(fs->nodes, entry.ino);
}

void ops_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
	(void)nlookup;
	nodes_forget(fs_of(req)->nodes, ino);
	fuse_reply_none(req);
}

void ops_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		nodes_forget(fs_of(req)->nodes, forgets[i].ino);
	fuse_reply_none(req);
}

void ops_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct fs *fs = fs_of(req);
	const struct tree_row *row = tree_get_row(node_get_kind(ino));
	struct error err = ERROR_INIT;
	struct caller caller;
	struct stat st;
	int r;

	(void)fi;
	if (row && (row->class == FILE_EXPORT ||
		    (!tree_is_lazy(row) && nodes_need_worker(fs->nodes, ino)))) {
		reportfile_stat(req, ino);
		return;
	}
	fs_read_caller(req, &caller);
	r = nodes_stat(fs, ino, &caller, &st, &err);
	if (r < 0 || !row)
		fuse_reply_err(req, r < 0 ? -r : ESTALE);
	else
		fuse_reply_attr(req, &st, get_attr_timeout(row));
}

static void refuse_change(fuse_req_t req, fuse_ino_t ino, int code)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	struct error err = ERROR_INIT;

	tree_describe(fs_of(req), ino, &path);
	error_set(&err, code, "owner, mode, times and size of '%s' cannot be changed",
		  strbuf_get_str(&path));
	fs_reply_error(req, &err);
}

/* chmod, chown and touch of what can be written succeed and change nothing, and those of an image:
 * install(1), scp -p and Python's shutil.copy2 do them to the name that they wrote, which is a link to
 * it by then. A new size matters to an image being written only. */
void ops_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		 struct fuse_file_info *fi)
{
	const struct tree_row *row = tree_get_row(node_get_kind(ino));

	if (row && row->kind != NODE_IMAGE && (row->class == FILE_DIR || !(row->mode & 0200))) {
		refuse_change(req, ino, to_set & FUSE_SET_ATTR_SIZE ? EACCES : EPERM);
		return;
	}
	if (row && row->class == FILE_IMPORT && (to_set & FUSE_SET_ATTR_SIZE) && fi) {
		AUTO(handle_unref) struct handle *handle = handle_get(fs_of(req), fi->fh);

		if (handle) {
			importfile_truncate(req, handle, (uint64_t)attr->st_size);
			return;
		}
	}
	ops_getattr(req, ino, fi);
}

/* --- links -------------------------------------------------------------------- */

static int expose(struct work *work, char *path, size_t size)
{
	uint64_t key = node_get_key(work->parent);

	if (node_get_kind(work->parent) == NODE_I_ROOTFS) {
		AUTO(image_unref) struct image *image = names_get_image(work->fs, key);

		return image ? engine_expose_image(work->fs->engine, image, path, size, &work->err)
			     : -ENOENT;
	} else {
		AUTO(container_unref) struct container *c = engine_find_key(work->fs->engine, key);

		return c ? container_expose_rootfs(c, path, size, &work->err) : -ENOENT;
	}
}

static void answer_link(struct work *work, int result)
{
	(void)result;
	fuse_reply_readlink(work->req, work->name);
}

/* A container without an image has nothing to go to, but whoever only lists it has not failed: the link is
 * shown, and leads nowhere. The sentence is there for who followed it. */
static bool name_missing(struct work *work, char *path, size_t size)
{
	AUTO(container_view_unref)
	struct container_view *view = names_get_view(work->fs, node_get_key(work->parent));

	if (!view || node_get_kind(work->parent) != NODE_C_ROOTFS || work->err.code != ENOENT)
		return false;
	snprintf(path, size, "%s/rootfs/%s", work->fs->options->run, view->id);
	if (access(path, F_OK) == 0)
		return false;
	fs_note_error(work->fs, &work->caller, &work->err);
	return true;
}

/* The link is read so that somebody can go there: see that the file system is mounted first. */
static void run_expose(struct work *work)
{
	char path[PATH_MAX];
	int r = expose(work, path, sizeof(path));

	if (r < 0 && name_missing(work, path, sizeof(path))) {
		error_clear(&work->err);
		r = 0;
	}
	if (r == 0) {
		work->name = strdup(path);
		if (!work->name)
			r = -ENOMEM;
	}
	work_done(work, r);
}

/* Every path through the link reads it: no other thread when there is nothing to do. */
static bool answer_exposed(fuse_req_t req, fuse_ino_t ino)
{
	AUTO(container_unref)
	struct container *c = engine_find_key(fs_of(req)->engine, node_get_key(ino));
	char path[PATH_MAX];

	if (!c || container_find_rootfs(c, path, sizeof(path)) < 0)
		return false;
	fuse_reply_readlink(req, path);
	return true;
}

void ops_readlink(fuse_req_t req, fuse_ino_t ino)
{
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	enum node_kind kind = node_get_kind(ino);
	int r;

	if (kind == NODE_C_ROOTFS && answer_exposed(req, ino))
		return;
	if (kind == NODE_C_ROOTFS || kind == NODE_I_ROOTFS) {
		struct work *work = work_new(req, sizeof(*work), run_expose, answer_link);

		if (work) {
			work->parent = ino;
			work->ticket.resumed = false; /* safe to do again */
			work_start(work);
		}
		return;
	}
	r = tree_read_link(fs_of(req), ino, &target);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, strbuf_get_str(&target));
}

void ops_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st = { 0 };

	(void)ino;
	/* Of where images and containers lie: what `df MNT` is asked for. */
	if (statvfs(fs_of(req)->options->root, &st) < 0)
		st = (struct statvfs){ .f_bsize = 4096, .f_frsize = 4096 };
	st.f_namemax = NAME_MAX;
	fuse_reply_statfs(req, &st);
}
