/* The bytes of an import, as a file is written: in order, with holes, perhaps with a
 * truncate at the end. They become the one layer of an image (graph/batch.h), or the images
 * that they are an archive of (graph/archive/archive.h).
 */
#include "graph/archive/archive.h"
#include "graph/change/change_config.h"
#include "graph/describe.h"
#include "graph/store.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define ZERO_STEP (1U << 20)

struct import {
	struct batch *batch;
	struct sorter *sorter;
	struct intake *intake;
	bool is_load;
	uint64_t bytes_max;
	char name[GRAPH_NAME_SIZE]; /* the tag, "" for none */
	const char *message;        /* what the user said; NULL: nothing */
	json_t *config;             /* what changes made of an empty one; NULL: there were none */
	struct platform platform;
	const char *load_platform; /* what the user wants of an archive of images; NULL: nothing */
	struct error failure;      /* each later call repeats it */
};

DEFINE_AUTO(struct import *, graph_import_abort);

void graph_import_abort(struct import *import)
{
	if (!import)
		return;
	intake_abort(import->intake);
	sorter_free(import->sorter);
	json_decref(import->config);
	batch_free(import->batch);
	free(import);
}

static int begin(struct graph *graph, const char *name, bool is_load, struct import **ret,
		 struct error *err)
{
	struct import *import AUTO(graph_import_abort) = calloc(1, sizeof(*import));
	int r = 0;

	if (!import)
		return error_set(err, ENOMEM, "out of memory for an import");
	import->is_load = is_load;
	import->bytes_max = (uint64_t)graph->limits.bytes;
	if (name)
		r = graph_parse_name(name, import->name, err);
	if (r == 0)
		r = platform_parse(NULL, &import->platform, err);
	if (r == 0)
		r = batch_new(graph, &import->batch, err);
	if (r < 0)
		return r;
	import->sorter = sorter_new(import->batch, is_load ? SORT_IMAGES : SORT_ANY);
	if (!import->sorter)
		return error_set(err, ENOMEM, "out of memory for an import");
	r = intake_begin_sorted(import->batch, import->sorter, &import->intake, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&import);
	return 0;
}

int graph_import_begin(struct graph *graph, const char *name, struct import **ret,
		       struct error *err)
{
	return begin(graph, name, false, ret, err);
}

int graph_load_begin(struct graph *graph, const char *platform, struct import **ret,
		     struct error *err)
{
	struct import *import AUTO(graph_import_abort) = NULL;
	struct platform parsed;
	int r = platform_parse(platform, &parsed, err);

	if (r == 0)
		r = begin(graph, NULL, true, &import, err);
	if (r < 0)
		return r;
	import->load_platform = platform;
	*ret = steal_ptr(&import);
	return 0;
}

int graph_import_describe(struct import *import, const struct import_text *text, struct error *err)
{
	struct platform platform;
	int ret = platform_parse(text->platform, &platform, err);

	if (ret == 0 && text->changes)
		ret = change_config(NULL, text->changes, &import->config, err);
	if (ret < 0)
		return ret;
	import->platform = platform;
	import->message = text->message;
	if (text->message || text->changes || text->platform)
		sorter_set_want(import->sorter, SORT_ROOTFS);
	return 0;
}

void graph_import_set_cancel(struct import *import, bool (*is_cancelled)(void *arg), void *arg)
{
	batch_set_cancel(import->batch, is_cancelled, arg);
}

/* --- bytes ------------------------------------------------------------------------------- */

static int repeat(const struct error *from, struct error *err)
{
	if (err)
		*err = *from;
	return -from->code;
}

static int take_zeros_to(struct import *import, uint64_t offset)
{
	uint64_t at;

	while ((at = intake_get_size(import->intake)) < offset) {
		uint64_t step = offset - at < ZERO_STEP ? offset - at : ZERO_STEP;
		int ret = intake_write(import->intake, NULL, (size_t)step, &import->failure);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int check_offset(struct import *import, uint64_t offset, uint64_t len)
{
	if (import->failure.code)
		return -import->failure.code;
	if (offset < intake_get_size(import->intake))
		return error_set(&import->failure, EINVAL,
				 "an archive must be written from front to back, once");
	if (offset > import->bytes_max || len > import->bytes_max - offset)
		return error_set(&import->failure, EINVAL, "the archive is larger than %llu bytes",
				 (unsigned long long)import->bytes_max);
	return 0;
}

int graph_import_write(struct import *import, uint64_t offset, const void *bytes, size_t len,
		       struct error *err)
{
	int ret = check_offset(import, offset, len);
	if (ret == 0)
		ret = take_zeros_to(import, offset);
	if (ret == 0 && len)
		ret = intake_write(import->intake, bytes, len, &import->failure);
	return ret < 0 ? repeat(&import->failure, err) : 0;
}

int graph_import_truncate(struct import *import, uint64_t size_bytes, struct error *err)
{
	int ret = check_offset(import, size_bytes, 0);
	if (ret == 0)
		ret = take_zeros_to(import, size_bytes);
	return ret < 0 ? repeat(&import->failure, err) : 0;
}

/* --- the end ------------------------------------------------------------------------------- */

static int describe(const struct import *import, const struct batch_layer *layer,
		    const char *message, struct strbuf *config, struct strbuf *manifest,
		    struct error *err)
{
	const struct describe_import described = { .layer = layer,
						   .comment = message,
						   .config = import->config,
						   .platform = &import->platform,
						   .now_ns = clock_now_ns() };
	json_t *layers auto_json = json_array();
	int ret = describe_import(&described, config, err);

	if (ret < 0)
		return ret;
	if (!layers || json_array_append_new(layers, describe_layer(layer)) < 0)
		return error_set(err, ENOMEM, "out of memory for an image manifest");
	return describe_manifest(config, layers, manifest, err);
}

static int add_image(struct import *import, const struct batch_layer *layer, const char *message,
		     char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf manifest = STRBUF_INIT;
	char config_digest[DIGEST_SIZE], manifest_digest[DIGEST_SIZE];
	struct batch *batch = import->batch;
	size_t image = 0;
	int ret;

	if (import->message)
		message = import->message;
	ret = describe(import, layer, message ? message : "Imported from -", &config, &manifest,
		       err);

	if (ret == 0)
		ret = batch_put_text(batch, strbuf_get_str(&config), config.len, config_digest,
				     err);
	if (ret == 0)
		ret = batch_put_text(batch, strbuf_get_str(&manifest), manifest.len,
				     manifest_digest, err);
	if (ret == 0)
		ret = batch_add_image(batch, config_digest, manifest_digest, &image, ret_id, err);
	if (ret == 0 && *import->name)
		ret = batch_add_tag(batch, image, import->name, err);
	return ret;
}

/* What the bytes were: the ids of the images, one a line. */
static int add_images(struct import *import, const char *message, struct strbuf *ids,
		      struct error *err)
{
	const char *name = import->is_load ? NULL : import->name;
	struct batch_layer layer;
	char id[GRAPH_ID_SIZE];
	bool has_images = false;
	int ret;

	if (import->failure.code)
		return repeat(&import->failure, err);
	ret = intake_finish_sorted(steal_ptr(&import->intake), &has_images, &layer, err);
	if (ret < 0)
		return ret;
	if (has_images)
		return archive_add_images(import->batch, import->sorter, name,
					  import->load_platform, ids, err);
	ret = add_image(import, &layer, message, id, err);
	if (ret == 0)
		strbuf_appendf(ids, "%s\n", id);
	return ret;
}

int graph_import_finish(struct import *import_owned, bool replace, const char *message,
			char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	struct import *import AUTO(graph_import_abort) = import_owned;
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	int ret = add_images(import, message, &ids, err);

	if (ret == 0)
		ret = strbuf_check(&ids, err);
	if (ret == 0)
		ret = batch_publish(import->batch, replace, "import", err);
	if (ret == 0)
		snprintf(ret_id, GRAPH_ID_SIZE, "%s", strbuf_get_str(&ids));
	return ret;
}

int graph_load_finish(struct import *import_owned, struct strbuf *ret_ids, struct error *err)
{
	struct import *import AUTO(graph_import_abort) = import_owned;
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	int ret = add_images(import, NULL, &ids, err);

	if (ret == 0)
		ret = strbuf_check(&ids, err);
	if (ret == 0)
		ret = batch_publish(import->batch, true, "load", err);
	if (ret == 0)
		strbuf_append(ret_ids, strbuf_get_str(&ids), ids.len);
	return ret;
}
