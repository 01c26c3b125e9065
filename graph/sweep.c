/* What is no longer needed goes in two steps: a rename into tmp/, which is quick
 * and takes it out of sight, and the removal by the reaper, which may take long (a
 * layer is a hundred thousand inodes). A crash between the two is nothing: the
 * next open empties tmp/ and puts away what no image names.
 */
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"
#include "base/random.h"
#include "graph/batch_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- what is needed ---------------------------------------------------------------- */

static int compare_digests(const void *a, const void *b)
{
	return memcmp(a, b, DIGEST_SIZE);
}

static bool has_digest(char (*list)[DIGEST_SIZE], size_t count, const char *digest)
{
	char key[DIGEST_SIZE];

	if (!count || !num_is_hex(digest, DIGEST_SIZE - 1))
		return false;
	memcpy(key, digest, DIGEST_SIZE);
	return bsearch(key, list, count, DIGEST_SIZE, compare_digests);
}

bool needed_has_blob(const struct needed *needed, const char *digest)
{
	return has_digest(needed->blobs, needed->blob_count, digest);
}

bool needed_has_layer(const struct needed *needed, const char *diff_id)
{
	return has_digest(needed->layers, needed->layer_count, diff_id);
}

void needed_deinit(struct needed *needed)
{
	free(needed->blobs);
	free(needed->layers);
	*needed = (struct needed){ .blobs = NULL };
}

static size_t count_damaged(json_t *images, const char *key)
{
	size_t i, count = 0;
	json_t *entry;
	json_array_foreach(images, i, entry)
		count += json_array_size(json_get_array(entry, key));
	return count;
}

static size_t add_damaged(json_t *images, const char *key, char (*list)[DIGEST_SIZE], size_t count)
{
	size_t i, k;
	json_t *entry, *value;

	json_array_foreach(images, i, entry) {
		json_array_foreach(json_get_array(entry, key), k, value) {
			const char *digest = json_string_value(value);
			if (digest && num_is_hex(digest, DIGEST_SIZE - 1))
				memcpy(list[count++], digest, DIGEST_SIZE);
		}
	}
	return count;
}

static int allocate_needed(const struct graph *graph, const struct graph_snapshot *snapshot,
			   struct needed *needed)
{
	size_t blobs = count_damaged(graph->damaged_images, "blobs");
	size_t layers = count_damaged(graph->damaged_images, "layers");
	size_t kept = 0;

	for (size_t i = 0; i < snapshot->image_count; i++) {
		blobs += stored_image_of(snapshot->images[i])->blob_count;
		layers += snapshot->images[i]->layer_count;
	}
	for (const struct batch *batch = graph->batches; batch; batch = batch->next)
		kept += batch->kept.count;
	blobs += kept;
	layers += kept;
	needed->blobs = calloc(blobs + 1, DIGEST_SIZE);
	needed->layers = calloc(layers + 1, DIGEST_SIZE);
	return needed->blobs && needed->layers ? 0 : -ENOMEM;
}

int needed_collect(const struct graph *graph, const struct graph_snapshot *snapshot,
		   struct needed *ret)
{
	*ret = (struct needed){ .blobs = NULL };
	if (allocate_needed(graph, snapshot, ret) < 0) {
		needed_deinit(ret);
		return -ENOMEM;
	}
	ret->blob_count = add_damaged(graph->damaged_images, "blobs", ret->blobs, 0);
	ret->layer_count = add_damaged(graph->damaged_images, "layers", ret->layers, 0);
	for (size_t i = 0; i < snapshot->image_count; i++) {
		const struct image *image = snapshot->images[i];
		const struct stored_image *stored = stored_image_of(image);
		memcpy(ret->blobs[ret->blob_count], stored->blobs,
		       stored->blob_count * DIGEST_SIZE);
		ret->blob_count += stored->blob_count;
		memcpy(ret->layers[ret->layer_count], image->diff_ids,
		       image->layer_count * DIGEST_SIZE);
		ret->layer_count += image->layer_count;
	}
	/* A digest tells blobs from layers by itself. */
	for (const struct batch *batch = graph->batches; batch; batch = batch->next) {
		for (size_t i = 0; i < batch->kept.count; i++) {
			memcpy(ret->blobs[ret->blob_count++], batch->kept.items[i].digest,
			       DIGEST_SIZE);
			memcpy(ret->layers[ret->layer_count++], batch->kept.items[i].digest,
			       DIGEST_SIZE);
		}
	}
	qsort(ret->blobs, ret->blob_count, DIGEST_SIZE, compare_digests);
	qsort(ret->layers, ret->layer_count, DIGEST_SIZE, compare_digests);
	return 0;
}

/* --- the reaper --------------------------------------------------------------------- */

struct removal {
	int tmp_fd; /* borrowed: closed after the reaper */
	char name[];
};

static void run_removal(void *arg)
{
	struct removal *removal = arg;
	int ret = path_remove_tree(removal->tmp_fd, removal->name);
	if (ret < 0)
		log_warn("cannot remove images/tmp/%s: %s; the next start tries again",
			 removal->name, strerrordesc_np(-ret));
	free(removal);
}

void sweep_tmp(struct graph *graph, const char *name)
{
	size_t size = strlen(name) + 1;
	struct removal *removal = malloc(sizeof(*removal) + size);

	if (removal) {
		removal->tmp_fd = graph->tmp_fd;
		memcpy(removal->name, name, size);
		if (workers_submit(graph->reaper, run_removal, removal) == 0)
			return;
		free(removal);
	}
	log_warn("cannot remove images/tmp/%s now; the next start does", name);
}

/* A new directory in tmp/, for what is about to go. */
static int make_bin(struct graph *graph, char name[DIGEST_SIZE])
{
	random_id(name);
	if (mkdirat(graph->tmp_fd, name, 0700) < 0)
		return -errno;
	int fd = openat(graph->tmp_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void put_away(int dir_fd, const char *name, int bin_fd, const char *kind)
{
	char to[NAME_MAX + 16];

	snprintf(to, sizeof(to), "%s-%s", kind, name);
	if (renameat(dir_fd, name, bin_fd, to) < 0 && errno != ENOENT)
		log_warn("cannot remove %s %s of the images: %s", kind, name,
			 strerrordesc_np(errno));
}

/* --- sweeping ------------------------------------------------------------------------- */

int sweep_image_into(struct graph *graph, const struct graph_snapshot *snapshot,
		     const struct image *image, int bin_fd)
{
	const struct stored_image *stored = stored_image_of(image);
	AUTO(needed_deinit) struct needed needed = { .blobs = NULL };

	if (needed_collect(graph, snapshot, &needed) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < image->layer_count; i++)
		if (!needed_has_layer(&needed, image->diff_ids[i]))
			put_away(graph->layers_fd, image->diff_ids[i], bin_fd, "layer");
	for (size_t i = 0; i < stored->blob_count; i++)
		if (!needed_has_blob(&needed, stored->blobs[i]))
			put_away(graph->blobs_fd, stored->blobs[i], bin_fd, "blob");
	return 0;
}

void sweep_image(struct graph *graph, const struct graph_snapshot *snapshot,
		 const struct image *image)
{
	char name[DIGEST_SIZE];
	auto_fd int bin = make_bin(graph, name);

	if (bin < 0 || sweep_image_into(graph, snapshot, image, bin) < 0)
		log_warn("cannot remove the files of image %s now; the next start does", image->id);
	if (bin >= 0)
		sweep_tmp(graph, name);
}

static int sweep_dir(const struct needed *needed, int dir_fd, bool is_layers, int bin_fd,
		     struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };

	int ret = path_list_dir(dir_fd, &list, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < list.count; i++) {
		const char *name = list.names[i];
		bool is_needed =
			is_layers ? needed_has_layer(needed, name) : needed_has_blob(needed, name);
		if (!is_needed)
			put_away(dir_fd, name, bin_fd, is_layers ? "layer" : "blob");
	}
	return 0;
}

/* The temporary file of an atomic replacement that a crash cut off. */
static void sweep_temporary_files(struct graph *graph)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };

	if (path_list_dir(graph->dir_fd, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.count; i++)
		if (strncmp(list.names[i], PATH_TEMP_PREFIX, strlen(PATH_TEMP_PREFIX)) == 0)
			unlinkat(graph->dir_fd, list.names[i], 0);
}

int sweep_store(struct graph *graph, const struct graph_snapshot *snapshot, struct error *err)
{
	AUTO(path_list_deinit) struct path_list left = { .names = NULL, .count = 0 };
	AUTO(needed_deinit) struct needed needed = { .blobs = NULL };
	char name[DIGEST_SIZE];

	sweep_temporary_files(graph);
	int ret = path_list_dir(graph->tmp_fd, &left, err);
	if (ret < 0)
		return error_wrap(err, ret, "images/tmp");
	for (size_t i = 0; i < left.count; i++)
		sweep_tmp(graph, left.names[i]);
	if (needed_collect(graph, snapshot, &needed) < 0)
		return error_set(err, ENOMEM, "out of memory for the list of images");
	auto_fd int bin = make_bin(graph, name);
	if (bin < 0)
		return error_set_sys(err, -bin, "cannot make a directory in images/tmp");
	ret = sweep_dir(&needed, graph->layers_fd, true, bin, err);
	if (ret == 0)
		ret = sweep_dir(&needed, graph->blobs_fd, false, bin, err);
	sweep_tmp(graph, name);
	return ret;
}
