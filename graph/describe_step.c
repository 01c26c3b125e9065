/* An image's config with one step more, and its layers as a new manifest names them. */
#include "base/clock.h"
#include "graph/describe.h"

#include <stdio.h>
#include <string.h>

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an image config");
}

/* Takes value. */
static int set(json_t *object, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(object, key, value) < 0 ? no_memory(err) : 0;
}

/* What a user writes may be no text. NULL stays out. */
static int set_text(json_t *object, const char *key, const char *text, struct error *err)
{
	json_t *value = text ? json_string(text) : NULL;

	if (!text)
		return 0;
	return value ? set(object, key, value, err)
		     : error_set(err, EINVAL, "'%s' is not UTF-8 text", text);
}

/* Each layer has a step in the history, or readers cannot tell which are whose: for an image that
 * came without them, some that say nothing. */
static int fill_history(json_t *history, size_t layer_count, struct error *err)
{
	size_t count = 0, i;
	json_t *entry;

	json_array_foreach(history, i, entry)
		count += !json_get_bool(entry, "empty_layer", false);
	for (; count < layer_count; count++)
		if (json_array_append_new(history, json_object()) < 0)
			return no_memory(err);
	return 0;
}

static int add_history(json_t *config, const struct describe_step *step, const char *created,
		       struct error *err)
{
	json_t *history = json_get_array(config, "history");
	auto_json json_t *entry = json_object();
	int r = 0;

	if (!history) {
		history = json_array();
		r = set(config, "history", history, err);
	}
	if (r == 0)
		r = fill_history(history, step->layer_count, err);
	if (r == 0)
		r = set(entry, "created", json_string(created), err);
	if (r == 0)
		r = set_text(entry, "created_by", step->created_by, err);
	if (r == 0)
		r = set_text(entry, "author", step->author, err);
	if (r == 0)
		r = set_text(entry, "comment", step->comment, err);
	if (r == 0 && !step->layer)
		r = set(entry, "empty_layer", json_true(), err);
	if (r < 0)
		return r;
	return json_array_append(history, entry) < 0 ? no_memory(err) : 0;
}

static int add_diff_id(json_t *config, const struct batch_layer *layer, struct error *err)
{
	json_t *list = json_get_array(json_get_object(config, "rootfs"), "diff_ids");
	char text[DIGEST_SIZE + 8];

	snprintf(text, sizeof(text), "sha256:%s", layer->diff_id);
	/* That the list is there was checked when the image came. */
	return json_array_append_new(list, json_string(text)) < 0 ? no_memory(err) : 0;
}

int describe_step(const json_t *base, const struct describe_step *step, json_t **ret,
		  struct error *err)
{
	auto_json json_t *nothing = json_object();
	auto_json json_t *config = nothing ? json_merge_patch(base, nothing) : NULL;
	char created[CLOCK_TEXT_SIZE];
	int r;

	if (!config)
		return no_memory(err);
	clock_render(step->now_ns, created);
	json_object_del(config, "author");
	r = set(config, "created", json_string(created), err);
	if (r == 0)
		r = set_text(config, "author", step->author, err);
	if (r == 0 && step->config)
		r = set(config, "config", json_incref((json_t *)(uintptr_t)step->config), err);
	if (r == 0 && step->layer)
		r = add_diff_id(config, step->layer, err);
	if (r == 0)
		r = add_history(config, step, created, err);
	if (r < 0)
		return r;
	/* Docker's notes on the container that the image before was made of. */
	json_object_del(config, "container");
	json_object_del(config, "container_config");
	*ret = steal_ptr(&config);
	return 0;
}

/* A manifest is of one family of types: those of Docker's have the same meaning. */
static const char *get_media_type(const char *type)
{
	static const char *const pairs[][2] = {
		{ "application/vnd.docker.image.rootfs.diff.tar.gzip", MEDIA_LAYER "+gzip" },
		{ "application/vnd.docker.image.rootfs.diff.tar.zstd", MEDIA_LAYER "+zstd" },
		{ "application/vnd.docker.image.rootfs.diff.tar", MEDIA_LAYER },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (strcmp(type, pairs[i][0]) == 0)
			return pairs[i][1];
	return type;
}

json_t *describe_layers(const json_t *manifest)
{
	auto_json json_t *layers = json_array();
	const json_t *layer;
	size_t i;

	if (!layers)
		return NULL;
	json_array_foreach(json_get_array(manifest, "layers"), i, layer) {
		json_t *made = json_pack("{s:s, s:s, s:I}", "mediaType",
					 get_media_type(json_get_str(layer, "mediaType", "")),
					 "digest", json_get_str(layer, "digest", ""), "size",
					 (json_int_t)json_get_int(layer, "size", 0));

		if (!made || json_array_append_new(layers, made) < 0)
			return NULL;
	}
	return steal_ptr(&layers);
}
