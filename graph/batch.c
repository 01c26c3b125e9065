/* A batch's directory, its blobs, and what it holds on to in the store.
 *
 * Two lists tell what the batch has made (blobs, layers), guarded by the batch's
 * lock; a third what it found in the store, guarded by the graph's turn like all
 * that a removal looks at. Finished files are called after their digests, so that
 * two threads that make the same one end with one.
 */
#include "graph/batch_private.h"

#include "base/path.h"
#include "base/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- lists of digests --------------------------------------------------------------- */

const struct batch_item *batch_items_find(const struct batch_items *items, const char *digest)
{
	for (size_t i = 0; i < items->count; i++)
		if (strcmp(items->items[i].digest, digest) == 0)
			return &items->items[i];
	return NULL;
}

bool batch_items_add(struct batch_items *items, const char *digest, int64_t size_bytes)
{
	struct batch_item *grown;

	if (batch_items_find(items, digest))
		return true;
	grown = reallocarray(items->items, items->count + 1, sizeof(*grown));
	if (!grown)
		return false;
	items->items = grown;
	snprintf(grown[items->count].digest, DIGEST_SIZE, "%s", digest);
	grown[items->count++].size_bytes = size_bytes;
	return true;
}

/* --- the batch ------------------------------------------------------------------------ */

static void leave_graph(struct batch *batch)
{
	struct graph *graph = batch->graph;

	graph_lock(graph);
	for (struct batch **at = &graph->batches; *at; at = &(*at)->next) {
		if (*at == batch) {
			*at = batch->next;
			break;
		}
	}
	graph_unlock(graph);
}

void batch_free(struct batch *batch)
{
	if (!batch)
		return;
	leave_graph(batch);
	if (*batch->tmp_name) {
		if (batch->published)
			sweep_tmp(batch->graph, batch->tmp_name);
		else
			path_remove_tree(batch->graph->tmp_fd, batch->tmp_name);
	}
	if (batch->dir_fd >= 0)
		close(batch->dir_fd);
	for (size_t i = 0; i < batch->image_count; i++)
		image_unref(batch->images[i]);
	for (size_t i = 0; i < batch->tag_count; i++)
		free(batch->tags[i].name);
	free(batch->images);
	free(batch->tags);
	free(batch->blobs.items);
	free(batch->layers.items);
	free(batch->kept.items);
	pthread_mutex_destroy(&batch->lock);
	free(batch);
}

void batch_set_cancel(struct batch *batch, bool (*is_cancelled)(void *arg), void *arg)
{
	batch->is_cancelled = is_cancelled;
	batch->arg = arg;
}

static int make_dir(struct batch *batch, struct error *err)
{
	int tmp_fd = batch->graph->tmp_fd;
	char name[DIGEST_SIZE];

	random_id(name);
	if (mkdirat(tmp_fd, name, 0700) < 0)
		return error_set_sys(err, errno, "cannot make a directory for new images");
	memcpy(batch->tmp_name, name, sizeof(name));
	batch->dir_fd = path_open_dir(tmp_fd, name, 0700, err);
	return batch->dir_fd < 0 ? batch->dir_fd : 0;
}

int batch_new(struct graph *graph, struct batch **ret, struct error *err)
{
	struct batch *batch AUTO(batch_free) = NULL;
	struct batch *made = calloc(1, sizeof(*made));
	int r;

	if (!made)
		return error_set(err, ENOMEM, "out of memory for new images");
	made->graph = graph;
	made->dir_fd = -1;
	pthread_mutex_init(&made->lock, NULL);
	atomic_init(&made->serial, 0);
	graph_lock(graph);
	made->next = graph->batches;
	graph->batches = made;
	graph_unlock(graph);
	batch = made;
	r = make_dir(batch, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&batch);
	return 0;
}

void batch_make_name(struct batch *batch, char *ret, size_t size)
{
	snprintf(ret, size, "new-%u", atomic_fetch_add(&batch->serial, 1));
}

int batch_take(struct batch *batch, const char *name, const char *kind, const char *digest,
	       int64_t size_bytes, struct error *err)
{
	bool is_layer = strcmp(kind, BATCH_LAYER) == 0;
	char to[BATCH_NAME_SIZE];
	bool added;

	snprintf(to, sizeof(to), "%s-%s", kind, digest);
	/* One that is there already has the same content. */
	if (renameat2(batch->dir_fd, name, batch->dir_fd, to, RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		return error_set_sys(err, errno, "cannot name a new %s", kind);
	pthread_mutex_lock(&batch->lock);
	added = batch_items_add(is_layer ? &batch->layers : &batch->blobs, digest, size_bytes);
	pthread_mutex_unlock(&batch->lock);
	return added ? 0 : error_set(err, ENOMEM, "out of memory for new images");
}

int batch_check_digest(const char *what, const char *want, const char *got, struct error *err)
{
	if (!want || strcmp(want, got) == 0)
		return 0;
	return error_set(err, EBADMSG, "%s has the digest sha256:%s where sha256:%s was expected",
			 what, got, want);
}

/* --- blobs ------------------------------------------------------------------------------ */

int blob_begin(struct batch *batch, struct blob *ret, struct error *err)
{
	*ret = (struct blob){ .batch = batch, .fd = -1 };
	batch_make_name(batch, ret->name, sizeof(ret->name));
	ret->digest = digest_new();
	if (!ret->digest)
		return error_set(err, ENOMEM, "out of memory for a blob");
	ret->fd = openat(batch->dir_fd, ret->name,
			 O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return ret->fd < 0 ? error_set_sys(err, errno, "cannot make a file for a blob") : 0;
}

static void hash_zeros(struct digest *digest, size_t len)
{
	static const char zeros[4096];

	for (size_t step; len; len -= step) {
		step = len < sizeof(zeros) ? len : sizeof(zeros);
		digest_update(digest, zeros, step);
	}
}

int blob_write(struct blob *blob, const void *bytes, size_t len, struct error *err)
{
	int ret = 0;

	if (bytes)
		ret = path_pwrite_all(blob->fd, bytes, len, (off_t)blob->size);
	else if (ftruncate(blob->fd, (off_t)(blob->size + len)) < 0)
		ret = -errno;
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot store the archive");
	if (bytes)
		digest_update(blob->digest, bytes, len);
	else
		hash_zeros(blob->digest, len);
	blob->size += len;
	return 0;
}

int blob_finish(struct blob *blob, const char *want, char ret_digest[DIGEST_SIZE],
		struct error *err)
{
	int ret = digest_finish(blob->digest, ret_digest, err);

	if (ret == 0)
		ret = batch_check_digest("a blob", want, ret_digest, err);
	if (ret == 0)
		ret = batch_take(blob->batch, blob->name, BATCH_BLOB, ret_digest,
				 (int64_t)blob->size, err);
	return ret;
}

void blob_deinit(struct blob *blob)
{
	if (blob->fd >= 0 && blob->batch) {
		close(blob->fd);
		unlinkat(blob->batch->dir_fd, blob->name, 0); /* ENOENT: it has its digest's name */
	}
	digest_free(blob->digest);
	*blob = (struct blob){ .fd = -1 };
}

int batch_put_text(struct batch *batch, const void *text, size_t len, char ret_digest[DIGEST_SIZE],
		   struct error *err)
{
	AUTO(blob_deinit) struct blob blob = { .fd = -1 };
	int ret = blob_begin(batch, &blob, err);

	if (ret == 0)
		ret = blob_write(&blob, text, len, err);
	if (ret == 0)
		ret = blob_finish(&blob, NULL, ret_digest, err);
	return ret;
}

/* --- what is there ------------------------------------------------------------------------ */

static bool has_made(struct batch *batch, const struct batch_items *items, const char *digest,
		     int64_t *ret_size_bytes)
{
	const struct batch_item *item;

	pthread_mutex_lock(&batch->lock);
	item = batch_items_find(items, digest);
	if (item && ret_size_bytes)
		*ret_size_bytes = item->size_bytes;
	pthread_mutex_unlock(&batch->lock);
	return item != NULL;
}

/* Removal goes by the list of what is needed, under the turn: what is there and on our
 * list stays. */
static bool keep(struct batch *batch, int dir_fd, const char *digest)
{
	struct stat st;
	bool kept;

	graph_lock(batch->graph);
	kept = fstatat(dir_fd, digest, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       batch_items_add(&batch->kept, digest, 0);
	graph_unlock(batch->graph);
	return kept;
}

bool batch_has_blob(struct batch *batch, const char *digest)
{
	return has_made(batch, &batch->blobs, digest, NULL) ||
	       keep(batch, batch->graph->blobs_fd, digest);
}

/* The directory that has it, and its name there. */
static int locate_blob(struct batch *batch, const char *digest, char name[BATCH_NAME_SIZE])
{
	bool is_ours = has_made(batch, &batch->blobs, digest, NULL);

	snprintf(name, BATCH_NAME_SIZE, "%s%s", is_ours ? BATCH_BLOB "-" : "", digest);
	return is_ours ? batch->dir_fd : batch->graph->blobs_fd;
}

int batch_read_text(struct batch *batch, const char *digest, struct strbuf *text, struct error *err)
{
	char name[BATCH_NAME_SIZE];
	int dir_fd = locate_blob(batch, digest, name);

	return error_wrap(err, path_read_file(dir_fd, name, BLOB_TEXT_MAX, text, err),
			  "blob sha256:%s", digest);
}

int batch_open_blob(struct batch *batch, const char *digest, struct error *err)
{
	char name[BATCH_NAME_SIZE];
	int dir_fd = locate_blob(batch, digest, name);
	int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? error_set_sys(err, errno, "no blob sha256:%s", digest) : fd;
}

/* An image of the store that has the layer knows its size. */
static bool find_layer_size(struct graph *graph, const char *diff_id, int64_t *ret_size_bytes)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = graph_get_snapshot(graph);

	for (size_t i = 0; i < snapshot->image_count; i++) {
		const struct image *image = snapshot->images[i];

		for (size_t k = 0; k < image->layer_count; k++) {
			if (strcmp(image->diff_ids[k], diff_id) != 0)
				continue;
			*ret_size_bytes = image->layer_sizes[k];
			return true;
		}
	}
	return false;
}

bool batch_has_layer(struct batch *batch, const char *diff_id, int64_t *ret_size_bytes)
{
	int64_t size_bytes;

	if (has_made(batch, &batch->layers, diff_id, ret_size_bytes))
		return true;
	/* A directory that no image names is about to be swept. */
	if (!keep(batch, batch->graph->layers_fd, diff_id) ||
	    !find_layer_size(batch->graph, diff_id, &size_bytes))
		return false;
	if (ret_size_bytes)
		*ret_size_bytes = size_bytes;
	return true;
}
