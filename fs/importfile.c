/* Files created under images/: what is written becomes an image when its writer closes.
 *
 * The FLUSH that judges comes from the process that wrote last. One before data means nothing (shells
 * close the descriptor that they duplicated), unless it is the creator's and nobody has the file
 * open any more: that was an empty archive. Who closes without having written leaves nothing.
 * An import lives in the engine only: a later one answers EIO and the store's sweep removes the rest.
 */
#include "fs/files.h"

#include "fs/importfile.h"
#include "fs/names.h"
#include "fs/ops.h"

#include <stdlib.h>
#include <string.h>

struct pending {
	char *path;
	struct pending *next;
};

struct imports {
	pthread_mutex_t lock; /* guards the list */
	struct pending *first;
};

struct imports *imports_new(void)
{
	struct imports *imports = calloc(1, sizeof(*imports));

	if (imports)
		pthread_mutex_init(&imports->lock, NULL);
	return imports;
}

void imports_free(struct imports *imports)
{
	if (!imports)
		return;
	while (imports->first) {
		struct pending *pending = imports->first;

		imports->first = pending->next;
		free(pending->path);
		free(pending);
	}
	pthread_mutex_destroy(&imports->lock);
	free(imports);
}

static struct pending **find_locked(struct imports *imports, const char *path)
{
	struct pending **at;

	for (at = &imports->first; *at && strcmp((*at)->path, path) != 0; at = &(*at)->next)
		;
	return at;
}

bool imports_has(struct imports *imports, const char *path)
{
	bool found;

	pthread_mutex_lock(&imports->lock);
	found = *find_locked(imports, path) != NULL;
	pthread_mutex_unlock(&imports->lock);
	return found;
}

/* -EEXIST when the name is being written by another. */
static int imports_add(struct imports *imports, const char *path)
{
	struct pending *pending = calloc(1, sizeof(*pending));
	int r = 0;

	if (pending)
		pending->path = strdup(path);
	if (!pending || !pending->path) {
		free(pending);
		return -ENOMEM;
	}
	pthread_mutex_lock(&imports->lock);
	if (*find_locked(imports, path)) {
		r = -EEXIST;
	} else {
		pending->next = imports->first;
		imports->first = pending;
	}
	pthread_mutex_unlock(&imports->lock);
	if (r < 0) {
		free(pending->path);
		free(pending);
	}
	return r;
}

static void imports_remove(struct imports *imports, const char *path)
{
	struct pending **at, *pending;

	pthread_mutex_lock(&imports->lock);
	at = find_locked(imports, path);
	pending = *at;
	if (pending)
		*at = pending->next;
	pthread_mutex_unlock(&imports->lock);
	if (pending)
		free(pending->path);
	free(pending);
}

/* --- create ------------------------------------------------------------------ */

static bool is_taken(struct fs *fs, const char *name)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);

	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (strcmp(snapshot->tags[i].name, name) == 0)
			return true;
	}
	return false;
}

static int begin(struct work *work, struct handle *handle, const char *path)
{
	char name[GRAPH_NAME_SIZE];
	int r = graph_parse_name(path, name, &work->err);

	if (r < 0)
		return r;
	if (is_taken(work->fs, name))
		return error_set(&work->err, EEXIST,
				 "the tag '%s' is taken: import under a new name and mv -T it",
				 name);
	r = imports_add(work->fs->imports, path);
	if (r < 0)
		return error_set(&work->err, -r, "the image '%s' is being written by another",
				 name);
	r = handle_save_import_path(handle, path);
	r = r == 0 ? graph_import_begin(work->fs->graph, name, &handle->import, &work->err)
		   : error_set(&work->err, ENOMEM, "no memory for an import");
	if (r < 0)
		imports_remove(work->fs->imports, path);
	return r;
}

static void answer_create(struct work *work, int result)
{
	struct fuse_file_info fi = { .direct_io = 1 };
	struct fuse_entry_param entry = { 0 };
	int r;

	(void)result;
	if (!work->handle) {
		fuse_reply_err(work->req, EIO);
		return;
	}
	r = ops_fill_entry(work->fs, work->handle->head->node, &work->caller, &entry, NULL);
	fi.fh = handle_get_fh(work->handle);
	if (r < 0)
		fuse_reply_err(work->req, EIO);
	else
		r = fuse_reply_create(work->req, &entry, &fi);
	/* Nobody has it open: no RELEASE will come. */
	if (r < 0) {
		importfile_release(work->handle);
		handle_release(work->handle);
	}
}

/* What a former engine opened for this request is not written by anybody. */
static void forget_begun(struct work *work)
{
	AUTO(handle_unref) struct handle *handle = handle_find_opened(work->fs, work->number);

	if (handle)
		handle_release(handle);
}

static void run_create(struct work *work)
{
	char path[GRAPH_NAME_SIZE];
	uint64_t node;
	int r = names_make_path(work->fs, work->parent, work->name, path);

	if (r < 0) {
		error_set_sys(&work->err, -r, "cannot make '%s' here", work->name);
	} else if (work->ticket.resumed) {
		forget_begun(work);
		r = error_set(&work->err, EIO, "the import of '%s' was cut off", work->name);
	} else {
		node = nodes_number(work->fs->nodes,
				    node_make(NODE_IMPORT, node_hash_name(path), 0));
		r = handle_new(work->fs, node, (unsigned)work->offset, &work->caller, &work->handle,
			       &work->err);
		if (r == 0)
			r = begin(work, work->handle, path);
		if (r == 0)
			work->handle->import_tid = work->caller.tid;
		if (r == 0)
			handle_publish(handle_ref(work->handle), work->number);
		else if (work->handle)
			work->handle->released = true;
	}
	if (r < 0)
		error_wrap(&work->err, r, "import");
	work_done(work, r);
}

void importfile_create(fuse_req_t req, uint64_t parent, const char *name,
		       const struct fuse_file_info *fi)
{
	struct work *work = work_new(req, sizeof(*work), run_create, answer_create);

	if (!work)
		return;
	work->parent = parent;
	work->offset = (uint64_t)(unsigned)fi->flags;
	if (work_keep_name(work, name))
		work_start(work);
}

/* --- write ------------------------------------------------------------------ */

/* Nothing is left of it, and later writes say why. */
static void give_up(struct handle *handle, const struct error *err)
{
	struct import *import;

	pthread_mutex_lock(&handle->lock);
	import = handle->import;
	handle->import = NULL;
	if (err)
		handle->import_error = *err;
	pthread_mutex_unlock(&handle->lock);
	graph_import_abort(import);
	if (handle->import_path)
		imports_remove(handle->fs->imports, handle->import_path);
}

static int refuse_dead(struct handle *handle, struct error *err)
{
	if (handle->import_error.code)
		return error_set(err, handle->import_error.code, "%s", handle->import_error.msg);
	return error_set(err, EIO, "import: it was cut off before; write it anew");
}

static void run_write(struct work *work)
{
	struct handle *handle = work->handle;
	int r;

	if (!handle->import) {
		work_done(work, refuse_dead(handle, &work->err));
		return;
	}
	r = work->data ? graph_import_write(handle->import, work->offset, work->data, work->len,
					    &work->err)
		       : graph_import_truncate(handle->import, work->offset, &work->err);
	if (r < 0) {
		error_wrap(&work->err, r, "import");
		give_up(handle, &work->err);
		work_done(work, r);
		return;
	}
	handle->head->written = 1;
	handle->head->write_owner = work->owner;
	work_done(work, work->data ? (int)work->len : 0);
}

void importfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		      uint64_t offset, uint64_t owner)
{
	work_start_file(req, handle, bytes, len, offset, owner, run_write, work_answer_write);
}

static void answer_truncate(struct work *work, int result)
{
	struct stat st;

	(void)result;
	if (nodes_stat(work->fs, work->handle->head->node, &work->caller, &st, NULL) < 0)
		fuse_reply_err(work->req, EIO);
	else
		fuse_reply_attr(work->req, &st, 0);
}

void importfile_truncate(fuse_req_t req, struct handle *handle, uint64_t size)
{
	work_start_file(req, handle, NULL, 0, size, handle->head->write_owner, run_write,
			answer_truncate);
}

/* --- close -------------------------------------------------------------------- */

/* A former engine was at the end of the import: had it come to the tag, which was free before? */
static bool was_finished(struct work *work)
{
	char name[GRAPH_NAME_SIZE];

	return work->resumed && work->handle->import_path &&
	       graph_parse_name(work->handle->import_path, name, NULL) == 0 &&
	       is_taken(work->fs, name);
}

static void run_flush(struct work *work)
{
	struct handle *handle = work->handle;
	char id[GRAPH_ID_SIZE];
	struct import *import;
	int r;

	pthread_mutex_lock(&handle->lock);
	import = handle->import;
	handle->import = NULL;
	pthread_mutex_unlock(&handle->lock);
	if (work_was_done(work)) {
		work_done(work, work->record->result);
		return;
	}
	if (!import) {
		work_done(work, was_finished(work) ? 0 : refuse_dead(handle, &work->err));
		return;
	}
	r = graph_import_finish(import, false, NULL, id, &work->err);
	if (r < 0) {
		error_wrap(&work->err, r, "import");
		handle->import_error = work->err;
	}
	imports_remove(work->fs->imports, handle->import_path);
	handle->head->written = 0;
	work_done(work, r);
}

void importfile_flush(fuse_req_t req, struct handle *handle)
{
	work_start_file(req, handle, NULL, 0, 0, handle->head->write_owner, run_flush,
			work_answer_ok);
}

/* Of a file without a byte the last close tells; RELEASE comes after close(2) has answered. */
static void run_empty_flush(struct work *work)
{
	struct handle *handle = work->handle;
	int r = 0;

	if (handle->import && !handle->head->written &&
	    !caller_is_open_anywhere(work->fs->options->mnt, node_get_ino(handle->head->node)))
		r = error_set(&work->err, EINVAL,
			      "import: the archive is empty: there are no bytes in it");
	if (r < 0)
		give_up(handle, &work->err); /* and the name is free again, before RELEASE */
	work_done(work, r);
}

bool importfile_is_untouched(struct handle *handle, pid_t tid)
{
	bool is_untouched;

	if (handle->row->class != FILE_IMPORT || handle->import_tid != tid ||
	    atomic_load(&handle->at_work))
		return false;
	pthread_mutex_lock(&handle->lock);
	is_untouched = handle->import && !handle->head->written;
	pthread_mutex_unlock(&handle->lock);
	return is_untouched;
}

void importfile_flush_empty(fuse_req_t req, struct handle *handle, uint64_t owner)
{
	work_start_file(req, handle, NULL, 0, 0, owner, run_empty_flush, work_answer_ok);
}

static void run_give_up(void *arg)
{
	struct handle *handle = arg;

	give_up(handle, NULL);
	handle_unref(handle);
}

void importfile_release(struct handle *handle)
{
	if (handle->import &&
	    workers_submit(handle->fs->workers, run_give_up, handle_ref(handle)) < 0)
		run_give_up(handle);
}
