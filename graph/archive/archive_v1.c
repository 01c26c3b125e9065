/* What docker save wrote before Docker 1.10: a directory for each layer, called by 64 digits that are no
 * digest, with the layer (layer.tar) and an image's description (json) that names the image below it as
 * its parent; `repositories` has the names. A description becomes a configuration of today with
 * the layers and the history of the whole chain.
 *
 * Images are those that have a name, and those that are nobody's parent.
 */
#include "graph/archive/archive_private.h"

#include "base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_LEN (DIGEST_SIZE - 1)

/* One directory. */
struct v1 {
	char id[DIGEST_SIZE];
	char layer[DIGEST_SIZE]; /* the digest of its layer.tar */
	json_t *json;
	bool is_parent;
	struct v1 *parent; /* NULL: none */
};

struct v1_list {
	struct v1 *items; /* sorted by id */
	size_t count;
};

static void v1_list_deinit(struct v1_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		json_decref(list->items[i].json);
	free(list->items);
}
DEFINE_AUTO_DEINIT(struct v1_list, v1_list_deinit);

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an archive of images");
}

/* --- the directories ------------------------------------------------------------------------ */

/* "ID/json"? */
static bool is_description(const char *path)
{
	return strlen(path) == ID_LEN + strlen("/json") && strcmp(path + ID_LEN, "/json") == 0;
}

static const char *find_layer(const struct sorter *sorter, const char *id)
{
	char path[DIGEST_SIZE + 16];

	snprintf(path, sizeof(path), "%.*s/layer.tar", ID_LEN, id);
	return sorter_find(sorter, path);
}

static int add_directory(const struct sorter *sorter, const char *path, struct v1_list *list,
			 struct error *err)
{
	struct v1 *grown = reallocarray(list->items, list->count + 1, sizeof(*grown)), *item;
	const char *layer = find_layer(sorter, path);

	if (!grown)
		return no_memory(err);
	list->items = grown;
	item = &grown[list->count];
	*item = (struct v1){ .json = NULL };
	memcpy(item->id, path, ID_LEN);
	if (!layer)
		return error_set(err, EINVAL, "image '%.12s' of the archive has no layer.tar",
				 item->id);
	memcpy(item->layer, layer, DIGEST_SIZE);
	list->count++;
	return sorter_read_json(sorter, path, &item->json, err);
}

static struct v1 *find_id(const struct v1_list *list, const char *id)
{
	size_t low = 0, high = list->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(list->items[middle].id, id);

		if (order == 0)
			return &list->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int find_parents(struct v1_list *list, struct error *err)
{
	for (size_t i = 0; i < list->count; i++) {
		struct v1 *item = &list->items[i];
		const char *parent = json_get_str(item->json, "parent", "");

		if (!*parent)
			continue;
		item->parent = find_id(list, parent);
		if (!item->parent)
			return error_set(
				err, EINVAL,
				"the archive has no image '%.12s', on which '%.12s' is built",
				parent, item->id);
		item->parent->is_parent = true;
	}
	return 0;
}

static int read_directories(const struct sorter *sorter, struct v1_list *list, struct error *err)
{
	const char *path;
	int ret = 0;

	/* The sorter has them sorted; of two of one name it finds the last. */
	for (size_t i = 0; ret == 0 && (path = sorter_get_path(sorter, i)); i++)
		if (is_description(path) &&
		    (list->count == 0 ||
		     memcmp(list->items[list->count - 1].id, path, ID_LEN) != 0))
			ret = add_directory(sorter, path, list, err);
	return ret < 0 ? ret : find_parents(list, err);
}

/* --- a configuration -------------------------------------------------------------------------- */

/* From the lowest layer on. -EINVAL: too many, or a circle. */
static int list_chain(struct v1 *top, struct v1 *chain[ARCHIVE_LAYERS_MAX], size_t *ret_count,
		      struct error *err)
{
	size_t count = 0, at;

	for (const struct v1 *item = top; item; item = item->parent)
		if (++count > ARCHIVE_LAYERS_MAX)
			return error_set(err, EINVAL,
					 "image '%.12s' of the archive has more than %d layers",
					 top->id, ARCHIVE_LAYERS_MAX);
	at = count;
	for (struct v1 *item = top; item; item = item->parent)
		chain[--at] = item;
	*ret_count = count;
	return 0;
}

/* The words of the command that made it. */
static void append_command(const json_t *json, struct strbuf *out)
{
	const json_t *words = json_get_array(json_get_object(json, "container_config"), "Cmd");
	size_t i;
	json_t *word;

	json_array_foreach(words, i, word)
		strbuf_appendf(out, "%s%s", i ? " " : "",
			       json_is_string(word) ? json_string_value(word) : "");
}

static json_t *make_step(const json_t *json)
{
	AUTO(strbuf_deinit) struct strbuf command = STRBUF_INIT;

	append_command(json, &command);
	return json_pack("{s:s*, s:s*, s:s*, s:s*}", "created", json_get_str(json, "created", NULL),
			 "author", json_get_str(json, "author", NULL), "created_by",
			 command.len ? strbuf_get_str(&command) : NULL, "comment",
			 json_get_str(json, "comment", NULL));
}

static int make_config(struct v1 *const *chain, size_t count, struct strbuf *out, struct error *err)
{
	static const char *const old[] = { "id",       "parent",    "Size", "parent_id",
					   "layer_id", "throwaway", NULL };
	json_t *config auto_json = json_copy(chain[count - 1]->json);
	json_t *diffs auto_json = json_array(), *history auto_json = json_array();
	bool ok = config && diffs && history;

	for (size_t i = 0; ok && i < count; i++)
		ok = json_array_append_new(diffs, json_pack("s+", "sha256:", chain[i]->layer)) ==
			     0 &&
		     json_array_append_new(history, make_step(chain[i]->json)) == 0;
	for (size_t i = 0; ok && old[i]; i++)
		json_object_del(config, old[i]);
	ok = ok &&
	     json_object_set_new(config, "rootfs",
				 json_pack("{s:s, s:O}", "type", "layers", "diff_ids", diffs)) ==
		     0 &&
	     json_object_set(config, "history", history) == 0;
	return ok ? json_render(config, 0, out, err) : no_memory(err);
}

/* --- images ------------------------------------------------------------------------------------- */

static int take_image(struct batch *batch, struct v1 *top, struct archive_images *images,
		      struct archive_image **ret, struct error *err)
{
	auto_free struct v1 **chain = calloc(ARCHIVE_LAYERS_MAX, sizeof(*chain));
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	char digest[DIGEST_SIZE];
	size_t count = 0;
	bool is_new;
	int r;

	if (!chain)
		return no_memory(err);
	if (!json_is_object(top->json))
		return error_set(err, EINVAL, "image '%.12s' of the archive: its json is no object",
				 top->id);
	r = list_chain(top, chain, &count, err);
	if (r == 0)
		r = make_config(chain, count, &config, err);
	if (r == 0)
		r = batch_put_text(batch, strbuf_get_str(&config), config.len, digest, err);
	if (r == 0)
		r = archive_images_get(images, digest, ret, &is_new, err);
	if (r < 0 || !is_new)
		return r;
	r = archive_image_set_layers(*ret, count, err);
	for (size_t i = 0; r == 0 && i < count; i++)
		memcpy((*ret)->layers[i], chain[i]->layer, DIGEST_SIZE);
	return r;
}

static int take_name(struct batch *batch, const struct v1_list *list, const char *repository,
		     const char *tag, const json_t *id, struct archive_images *images,
		     struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	const char *text = json_is_string(id) ? json_string_value(id) : "";
	struct archive_image *image;
	struct v1 *top = find_id(list, text);
	int r;

	if (!top)
		return error_set(err, EINVAL, "repositories: the archive has no image '%.64s'",
				 text);
	strbuf_appendf(&name, "%s:%s", repository, tag);
	r = take_image(batch, top, images, &image, err);
	return r < 0 ? r : archive_image_add_name(image, strbuf_get_str(&name), err);
}

static int take_names(struct batch *batch, const struct sorter *sorter, const struct v1_list *list,
		      struct archive_images *images, struct error *err)
{
	json_t *repositories auto_json = NULL;
	const char *repository, *tag;
	json_t *tags, *id;
	int r;

	if (!sorter_find(sorter, "repositories"))
		return 0;
	r = sorter_read_json(sorter, "repositories", &repositories, err);
	if (r < 0)
		return r;
	json_object_foreach(repositories, repository, tags) {
		json_object_foreach(tags, tag, id) {
			r = take_name(batch, list, repository, tag, id, images, err);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int archive_read_v1(struct batch *batch, const struct sorter *sorter, struct archive_images *images,
		    struct error *err)
{
	AUTO(v1_list_deinit) struct v1_list list = { .count = 0 };
	struct archive_image *image;
	int r = read_directories(sorter, &list, err);

	if (r == 0)
		r = take_names(batch, sorter, &list, images, err);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (!list.items[i].is_parent)
			r = take_image(batch, &list.items[i], images, &image, err);
	return r;
}
