/* The images of a batch become images of the store: all is synced while it is still
 * in tmp/, then renamed to its places, then refs.json names it. So a listed image is
 * whole after a power cut, and what is not listed is swept.
 *
 * One syncfs() stands for an fsync of each of the layers' files: a hundred thousand
 * of those take minutes. It is done before the turn, so that other changes do not
 * wait for it.
 */
#include "graph/batch_private.h"
#include "graph/implied.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* --- what is to be published ---------------------------------------------------------------- */

/* All that the image names is in the batch or the store, and stays. */
static int check_parts(struct batch *batch, struct image *image, struct error *err)
{
	const struct stored_image *stored = stored_image_of(image);

	image->size_bytes = 0;
	for (size_t i = 0; i < image->layer_count; i++) {
		if (!batch_has_layer(batch, image->diff_ids[i], &image->layer_sizes[i]))
			return error_set(err, EINVAL, "the image has no layer sha256:%s",
					 image->diff_ids[i]);
		image->size_bytes += image->layer_sizes[i];
	}
	for (size_t i = 0; i < stored->blob_count; i++)
		if (!batch_has_blob(batch, stored->blobs[i]))
			return error_set(err, EINVAL, "the image has no blob sha256:%s",
					 stored->blobs[i]);
	return 0;
}

static int take_image(struct batch *batch, struct image *image, struct error *err)
{
	struct image **grown =
		reallocarray(batch->images, batch->image_count + 1, sizeof(*batch->images));

	if (!grown)
		return error_set(err, ENOMEM, "out of memory for new images");
	batch->images = grown;
	batch->images[batch->image_count++] = image_ref(image);
	return 0;
}

int batch_add_image(struct batch *batch, const char *config_digest, const char *manifest_digest,
		    size_t *ret, char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf manifest = STRBUF_INIT;
	struct image *image AUTO(image_unref) = NULL;
	int r = batch_read_text(batch, config_digest, &config, err);

	if (r == 0)
		r = batch_read_text(batch, manifest_digest, &manifest, err);
	if (r == 0)
		r = stored_image_new(strbuf_get_str(&config), config.len, strbuf_get_str(&manifest),
				     manifest.len, &image, err);
	if (r == 0)
		r = check_parts(batch, image, err);
	if (r == 0)
		r = implied_fill(batch, image, err);
	if (r == 0)
		r = take_image(batch, image, err);
	if (r < 0)
		return r;
	image->arrived_ns = clock_now_ns();
	if (ret)
		*ret = batch->image_count - 1;
	memcpy(ret_id, image->id, GRAPH_ID_SIZE);
	return 0;
}

int batch_add_tag(struct batch *batch, size_t image, const char *name, struct error *err)
{
	struct batch_tag *grown =
		reallocarray(batch->tags, batch->tag_count + 1, sizeof(*batch->tags));
	char *copy = strdup(name);

	if (grown)
		batch->tags = grown;
	if (!grown || !copy) {
		free(copy);
		return error_set(err, ENOMEM, "out of memory for tag '%s'", name);
	}
	batch->tags[batch->tag_count++] = (struct batch_tag){ .name = copy, .image = image };
	return 0;
}

/* --- into the store -------------------------------------------------------------------------- */

/* Of what is there under that digest already ours is the same; what is not in the batch is
 * there. */
static int place(const struct batch *batch, const char *kind, int dir_fd, const char *digest,
		 struct error *err)
{
	char name[BATCH_NAME_SIZE];

	snprintf(name, sizeof(name), "%s-%s", kind, digest);
	if (renameat2(batch->dir_fd, name, dir_fd, digest, RENAME_NOREPLACE) == 0 ||
	    errno == EEXIST || errno == ENOENT)
		return 0;
	return error_set_sys(err, errno, "cannot move %s %s to its place", kind, digest);
}

/* Only what the images need: an archive may hold more. */
static int place_image(const struct batch *batch, const struct image *image, struct error *err)
{
	const struct stored_image *stored = stored_image_of(image);
	const struct graph *graph = batch->graph;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < image->layer_count; i++)
		ret = place(batch, BATCH_LAYER, graph->layers_fd, image->diff_ids[i], err);
	for (size_t i = 0; ret == 0 && i < stored->blob_count; i++)
		ret = place(batch, BATCH_BLOB, graph->blobs_fd, stored->blobs[i], err);
	return ret;
}

/* One that the store had before stays with its own manifest and blobs. */
static int place_all(const struct batch *batch, const struct graph_snapshot *next,
		     struct error *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < batch->image_count; i++)
		if (snapshot_find_id(next, batch->images[i]->id) == batch->images[i])
			ret = place_image(batch, batch->images[i], err);
	if (ret == 0 && batch->image_count > 0 &&
	    (fsync(batch->graph->layers_fd) < 0 || fsync(batch->graph->blobs_fd) < 0))
		ret = error_set_sys(err, errno, "cannot make the image durable");
	return ret;
}

/* One that the store has already stays the object that it is. */
static struct image *add_image(struct graph_snapshot *next, struct image *image)
{
	struct image *known = snapshot_find_id(next, image->id);

	if (known)
		return known;
	snapshot_add_image(next, image);
	return image;
}

static int fill_snapshot(struct batch *batch, bool replace, struct graph_snapshot *next,
			 struct error *err)
{
	for (size_t i = 0; i < batch->image_count; i++)
		add_image(next, batch->images[i]);
	for (size_t i = 0; i < batch->tag_count; i++) {
		const struct batch_tag *tag = &batch->tags[i];
		struct image *image = add_image(next, batch->images[tag->image]);
		int ret;

		if (!replace && snapshot_find_tag(next, tag->name))
			return error_set(
				err, EEXIST,
				"tag '%s' is taken; import under another name and rename it",
				tag->name);
		ret = snapshot_set_tag(next, tag->name, image,
				       batch->images[tag->image]->arrived_ns, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int publish_locked(struct batch *batch, bool replace, struct error *err)
{
	struct graph *graph = batch->graph;
	struct graph_snapshot *next AUTO(graph_snapshot_unref) =
		snapshot_dup(graph->snapshot, batch->image_count, batch->tag_count);
	int ret;

	if (!next)
		return error_set(err, ENOMEM, "out of memory for the list of images");
	ret = fill_snapshot(batch, replace, next, err);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < batch->tag_count; i++)
		refs_drop_damaged_tag(graph, batch->tags[i].name);
	ret = place_all(batch, next, err);
	if (ret == 0)
		ret = graph_publish_locked(graph, steal_ptr(&next), err);
	return ret;
}

/* What was moved to its place and is not needed, back to where it came from: on a full disk there
 * is no room for anything new. */
static void take_back(struct batch *batch)
{
	for (size_t i = 0; i < batch->image_count; i++)
		if (sweep_image_into(batch->graph, batch->graph->snapshot, batch->images[i],
				     batch->dir_fd) < 0)
			log_warn("cannot remove the files of image %s now; the next start does",
				 batch->images[i]->id);
}

static bool is_tag(const struct batch_tag *tag)
{
	return !strchr(tag->name, '@');
}

static void report(struct batch *batch, const char *action)
{
	for (size_t i = 0; i < batch->image_count; i++) {
		const char *name = "";

		for (size_t k = batch->tag_count; k-- > 0;)
			if (batch->tags[k].image == i && is_tag(&batch->tags[k]))
				name = batch->tags[k].name;
		graph_report(batch->graph, action, batch->images[i]->id, name);
	}
	for (size_t k = 0; k < batch->tag_count; k++)
		if (is_tag(&batch->tags[k]))
			graph_report(batch->graph, "tag", batch->images[batch->tags[k].image]->id,
				     batch->tags[k].name);
}

int batch_publish(struct batch *batch, bool replace, const char *action, struct error *err)
{
	int ret;

	/* Also reports what could not be written back: a full disk behind delayed
	 * allocation. */
	if (syncfs(batch->dir_fd) < 0)
		return error_set_sys(err, errno, "cannot make the image durable");
	graph_lock(batch->graph);
	ret = publish_locked(batch, replace, err);
	if (ret < 0)
		take_back(batch);
	graph_unlock(batch->graph);
	if (ret < 0)
		return ret;
	batch->published = true;
	report(batch, action);
	return 0;
}
