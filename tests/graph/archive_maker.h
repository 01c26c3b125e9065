/* Archives of images made by hand: blobs called by their digests, and what lists them. */
#ifndef TESTS_GRAPH_ARCHIVE_MAKER_H
#define TESTS_GRAPH_ARCHIVE_MAKER_H

#include "graph/digest.h"
#include "graph/graph.h"
#include "tests/graph/tar_maker.h"

/* A layer of one file, as a tar. */
static inline void make_layer(struct strbuf *layer, const char *name, const char *content)
{
	tar_file(layer, name, content);
	tar_end(layer);
}

static inline void get_digest(const struct strbuf *bytes, char ret[DIGEST_SIZE])
{
	assert_int_equal(digest_compute(strbuf_get_str(bytes), bytes->len, ret, NULL), 0);
}

static inline void tar_bytes(struct strbuf *tar, const char *name, const struct strbuf *bytes)
{
	tar_header(tar, '0', name, 0644, NULL, bytes->len);
	tar_data(tar, strbuf_get_str(bytes), bytes->len);
}

static inline void tar_blob(struct strbuf *tar, const struct strbuf *bytes)
{
	char name[DIGEST_SIZE + 16], digest[DIGEST_SIZE];

	get_digest(bytes, digest);
	snprintf(name, sizeof(name), "blobs/sha256/%s", digest);
	tar_bytes(tar, name, bytes);
}

/* A config with layers of the diff ids given; platform: members about it. */
static inline void make_config_for(struct strbuf *config, const char *platform, const char *author,
				   const char *const *diffs)
{
	strbuf_appendf(config,
		       "{\"author\":\"%s\",%s,\"os\":\"linux\","
		       "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[",
		       author, platform);
	for (size_t i = 0; diffs[i]; i++)
		strbuf_appendf(config, "%s\"sha256:%s\"", i ? "," : "", diffs[i]);
	strbuf_append_str(config, "]}}");
}

static inline void make_config(struct strbuf *config, const char *author, const char *const *diffs)
{
	make_config_for(config, "\"architecture\":\"amd64\"", author, diffs);
}

static inline void append_descriptor(struct strbuf *out, const struct strbuf *blob,
				     const char *more)
{
	char digest[DIGEST_SIZE];

	get_digest(blob, digest);
	strbuf_appendf(out, "{\"digest\":\"sha256:%s\",\"size\":%zu%s}", digest, blob->len, more);
}

static inline void make_manifest(struct strbuf *manifest, const struct strbuf *config,
				 const struct strbuf *const *layers)
{
	strbuf_append_str(manifest, "{\"schemaVersion\":2,\"config\":");
	append_descriptor(manifest, config, "");
	strbuf_append_str(manifest, ",\"layers\":[");
	for (size_t i = 0; layers[i]; i++) {
		strbuf_append_str(manifest, i ? "," : "");
		append_descriptor(manifest, layers[i], "");
	}
	strbuf_append_str(manifest, "]}");
}

static inline void tar_index(struct strbuf *tar, const struct strbuf *manifest, const char *more)
{
	AUTO(strbuf_deinit) struct strbuf index = STRBUF_INIT;

	strbuf_append_str(&index, "{\"schemaVersion\":2,\"manifests\":[");
	append_descriptor(&index, manifest, more);
	strbuf_append_str(&index, "]}");
	tar_bytes(tar, "index.json", &index);
}

/* What one image of one layer is made of. */
struct made_image {
	struct strbuf layer, config, manifest;
	char diff_id[DIGEST_SIZE], id[DIGEST_SIZE];
};

static inline void make_image_of(struct made_image *image, const char *platform, const char *author,
				 const char *content)
{
	*image = (struct made_image){ .layer = STRBUF_INIT,
				      .config = STRBUF_INIT,
				      .manifest = STRBUF_INIT };
	make_layer(&image->layer, "file", content);
	get_digest(&image->layer, image->diff_id);
	make_config_for(&image->config, platform, author,
			(const char *const[]){ image->diff_id, NULL });
	get_digest(&image->config, image->id);
	make_manifest(&image->manifest, &image->config,
		      (const struct strbuf *const[]){ &image->layer, NULL });
}

static inline void make_image(struct made_image *image, const char *author, const char *content)
{
	make_image_of(image, "\"architecture\":\"amd64\"", author, content);
}

static inline void made_image_deinit(struct made_image *image)
{
	strbuf_deinit(&image->layer);
	strbuf_deinit(&image->config);
	strbuf_deinit(&image->manifest);
}

static inline void tar_image_blobs(struct strbuf *tar, const struct made_image *image)
{
	tar_blob(tar, &image->layer);
	tar_blob(tar, &image->config);
	tar_blob(tar, &image->manifest);
}

/* One OCI archive of one image; more goes into its descriptor. */
static inline void tar_oci(struct strbuf *tar, const struct made_image *image, const char *more)
{
	tar_image_blobs(tar, image);
	tar_file(tar, "oci-layout", "{\"imageLayoutVersion\":\"1.0.0\"}");
	tar_index(tar, &image->manifest, more);
	tar_end(tar);
}

/* A load of bytes in one call; ids as they come. */
static inline int load_bytes(struct graph *graph, const struct strbuf *tar, struct strbuf *ids,
			     struct error *err)
{
	struct import *import;
	int ret = graph_load_begin(graph, NULL, &import, err);

	if (ret < 0)
		return ret;
	for (size_t at = 0; at < tar->len; at += 100000) {
		size_t part = tar->len - at < 100000 ? tar->len - at : 100000;

		ret = graph_import_write(import, at, tar->data + at, part, err);
		if (ret < 0) {
			graph_import_abort(import);
			return ret;
		}
	}
	return graph_load_finish(import, ids, err);
}

#endif
