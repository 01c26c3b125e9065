/* refs.json: the one file that says what the store holds. Replaced whole and
 * durably at each change; what it does not name is rubbish.
 *
 *     {"version": 1,
 *      "images": [{"id", "manifest", "blobs": [...], "layers": [...], "sizes": [...],
 *                  "arrived"}],
 *      "tags": [{"name", "image", "set"}],
 *      "folders": ["team"]}
 *
 * Digests are bare digits, times nanoseconds. Among the tags is also what registries call images ("a@sha256:..."). An image repeats its blobs and layers,
 * so that the sweep knows what a damaged one still owns. Entries whose image
 * cannot be read (and their tags) are kept aside and written back as they are.
 */
#include "base/log.h"
#include "base/num.h"
#include "graph/name.h"
#include "graph/store.h"

#include <string.h>

#define REFS_NAME "refs.json"
#define REFS_VERSION 1

/* --- writing --------------------------------------------------------------------- */

static json_t *render_digests(char (*digests)[DIGEST_SIZE], size_t count)
{
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, json_string(digests[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *render_sizes(const struct image *image)
{
	json_t *list = json_array();

	for (size_t i = 0; i < image->layer_count; i++)
		if (json_array_append_new(list, json_integer(image->layer_sizes[i])) < 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

static json_t *render_image(const struct image *image)
{
	const struct stored_image *stored = stored_image_of(image);
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:I}", "id", image->id, "manifest",
			 stored->manifest_digest, "blobs",
			 render_digests(stored->blobs, stored->blob_count), "layers",
			 render_digests(image->diff_ids, image->layer_count), "sizes",
			 render_sizes(image), "arrived", (json_int_t)image->arrived_ns);
}

static json_t *render_tag(const struct tag *tag)
{
	return json_pack("{s:s, s:s, s:I}", "name", tag->name, "image", tag->image->id, "set",
			 (json_int_t)tag->set_ns);
}

int refs_write(const struct graph *graph, const struct graph_snapshot *snapshot, struct error *err)
{
	json_t *images auto_json = json_copy(graph->damaged_images);
	json_t *tags auto_json = json_copy(graph->damaged_tags);
	json_t *folders auto_json = json_array();
	int failed = 0;

	for (size_t i = 0; i < snapshot->image_count; i++)
		failed |= json_array_append_new(images, render_image(snapshot->images[i]));
	for (size_t i = 0; i < snapshot->tag_count; i++)
		failed |= json_array_append_new(tags, render_tag(&snapshot->tags[i]));
	for (size_t i = 0; i < snapshot->digest_count; i++)
		failed |= json_array_append_new(tags, render_tag(&snapshot->digests[i]));
	for (size_t i = 0; i < snapshot->folder_count; i++)
		failed |= json_array_append_new(folders, json_string(snapshot->folders[i]));
	json_t *refs auto_json = json_pack("{s:i, s:O, s:O, s:O}", "version", REFS_VERSION,
					   "images", images, "tags", tags, "folders", folders);
	if (failed || !refs)
		return error_set(err, ENOMEM, "out of memory for the list of images");
	return json_replace_file(graph->dir_fd, REFS_NAME, refs, 0600, true, err);
}

/* --- what is damaged --------------------------------------------------------------- */

static bool drop_entry(json_t *list, const char *key, const char *value)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		if (strcmp(json_get_str(json_array_get(list, i), key, ""), value) == 0) {
			json_array_remove(list, i);
			return true;
		}
	}
	return false;
}

bool refs_drop_damaged_image(struct graph *graph, const char *id)
{
	return drop_entry(graph->damaged_images, "id", id);
}

bool refs_drop_damaged_tag(struct graph *graph, const char *name)
{
	return drop_entry(graph->damaged_tags, "name", name);
}

static int keep_damaged(json_t *list, json_t *entry, struct error *err)
{
	return json_array_append(list, entry) < 0 ? error_set(err, ENOMEM, "out of memory") : 0;
}

/* --- reading ----------------------------------------------------------------------- */

static void read_sizes(json_t *entry, struct image *image)
{
	json_t *list = json_get_array(entry, "sizes");

	for (size_t i = 0; i < image->layer_count; i++) {
		image->layer_sizes[i] = json_integer_value(json_array_get(list, i));
		image->size_bytes += image->layer_sizes[i];
	}
}

static int read_image(struct graph *graph, json_t *entry, struct graph_snapshot *snapshot,
		      struct error *err)
{
	const char *id = json_get_str(entry, "id", "");
	const char *manifest = json_get_str(entry, "manifest", "");
	struct image *image AUTO(image_unref) = NULL;

	if (!num_is_hex(id, DIGEST_SIZE - 1) || !num_is_hex(manifest, DIGEST_SIZE - 1))
		return error_set(err, EINVAL, "an entry without id or manifest");
	if (snapshot_find_id(snapshot, id))
		return error_set(err, EINVAL, "image %s is listed twice", id);
	int ret = stored_image_read(graph, id, manifest, &image, err);
	if (ret < 0)
		return ret;
	read_sizes(entry, image);
	image->arrived_ns = json_get_int(entry, "arrived", 0);
	snapshot_add_image(snapshot, image);
	return 0;
}

/* Damaged images are kept aside; only running out of memory is a failure here. */
static int read_images(struct graph *graph, json_t *list, struct graph_snapshot *snapshot,
		       struct error *err)
{
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry) {
		struct error reason = ERROR_INIT;
		int ret = read_image(graph, entry, snapshot, &reason);
		if (ret == -ENOMEM) {
			if (err)
				*err = reason;
			return ret;
		}
		if (ret == 0)
			continue;
		log_warn("image %s is damaged and not listed: %s",
			 json_get_str(entry, "id", "without an id"), reason.msg);
		ret = keep_damaged(graph->damaged_images, entry, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int read_tags(struct graph *graph, json_t *list, struct graph_snapshot *snapshot,
		     struct error *err)
{
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry) {
		char name[GRAPH_NAME_SIZE];
		const char *text = json_get_str(entry, "name", "");
		struct image *image = snapshot_find_id(snapshot, json_get_str(entry, "image", ""));
		struct error reason = ERROR_INIT;

		int ret = graph_parse_reference(text, name, &reason);
		if (ret == 0 && !image)
			ret = error_set(&reason, ENOENT, "its image is not there");
		if (ret == 0)
			ret = snapshot_set_tag(snapshot, name, image, json_get_int(entry, "set", 0),
					       &reason);
		if (ret == 0)
			continue;
		log_warn("image tag '%s' is not listed: %s", text, reason.msg);
		ret = keep_damaged(graph->damaged_tags, entry, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static void read_folders(json_t *list, struct graph_snapshot *snapshot)
{
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry) {
		const char *path = json_string_value(entry);
		/* One that is bad, or implied by a tag by now, holds nothing to be lost. */
		if (path && name_check_folder(path, NULL) == 0)
			snapshot_add_folder(snapshot, path, NULL);
	}
}

static int check_refs(const json_t *refs, struct error *err)
{
	if (!json_is_object(refs) || json_get_int(refs, "version", 0) != REFS_VERSION ||
	    !json_get_array(refs, "images") || !json_get_array(refs, "tags") ||
	    !json_get_array(refs, "folders"))
		return error_set(err, EINVAL, "not a list of images of version %d", REFS_VERSION);
	return 0;
}

static int read_refs(struct graph *graph, const json_t *refs, struct graph_snapshot **ret,
		     struct error *err)
{
	json_t *images = json_get_array(refs, "images");
	json_t *tags = json_get_array(refs, "tags");
	json_t *folders = json_get_array(refs, "folders");
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = snapshot_new(
		json_array_size(images), json_array_size(tags), json_array_size(folders));

	if (!snapshot)
		return error_set(err, ENOMEM, "out of memory for the list of images");
	int r = read_images(graph, images, snapshot, err);
	if (r == 0)
		r = read_tags(graph, tags, snapshot, err);
	if (r < 0)
		return r;
	read_folders(folders, snapshot);
	*ret = steal_ptr(&snapshot);
	return 0;
}

int refs_read(struct graph *graph, struct graph_snapshot **ret, struct error *err)
{
	json_t *refs auto_json = NULL;
	struct error reason = ERROR_INIT;

	int r = json_read_file(graph->dir_fd, REFS_NAME, &refs, &reason);
	if (r == -ENOENT) {
		*ret = snapshot_new(0, 0, 0);
		return *ret ? 0 : error_set(err, ENOMEM, "out of memory for the list of images");
	}
	if (r == 0)
		r = check_refs(refs, &reason);
	if (r < 0)
		return error_set(err, reason.code,
				 "images/" REFS_NAME
				 " is damaged (%s); put a good copy in its place, "
				 "or move all of images/ away to begin anew",
				 reason.msg);
	return read_refs(graph, refs, ret, err);
}
