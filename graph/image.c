/* Images as objects: made whole from the text of their config and manifest, never
 * changed afterwards, freed with the last reference. An image made from the
 * store's files has been checked: each blob has the digest it is named by, each
 * layer its directory. (The content of blobs of layers is not read here.)
 */
#include "base/clock.h"
#include "base/num.h"
#include "base/path.h"
#include "graph/store.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DIGEST_PREFIX "sha256:"

struct image *image_ref(struct image *image)
{
	atomic_fetch_add_explicit(&image->refs, 1, memory_order_relaxed);
	return image;
}

const char *image_get_manifest_digest(const struct image *image)
{
	return stored_image_of(image)->manifest_digest;
}

void image_unref(struct image *image)
{
	if (!image || atomic_fetch_sub_explicit(&image->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct stored_image *stored = (struct stored_image *)image;
	json_decref(image->config);
	json_decref(image->manifest);
	free(image->config_text);
	free(image->manifest_text);
	free(image->diff_ids);
	free(image->layer_sizes);
	free(stored->blobs);
	free(stored);
}

/* "sha256:" and 64 digits. */
static int copy_digest(const char *text, char ret[DIGEST_SIZE], const char *what, struct error *err)
{
	size_t skip = strlen(DIGEST_PREFIX);

	if (!text || strncmp(text, DIGEST_PREFIX, skip) != 0 ||
	    !num_is_hex(text + skip, DIGEST_SIZE - 1))
		return error_set(err, EINVAL, "%s: '%s' is no sha256 digest", what,
				 text ? text : "");
	memcpy(ret, text + skip, DIGEST_SIZE);
	return 0;
}

static int take_diff_ids(struct image *image, struct error *err)
{
	json_t *list = json_get_array(json_get_object(image->config, "rootfs"), "diff_ids");

	if (!list)
		return error_set(err, EINVAL, "image config: no list rootfs.diff_ids");
	size_t count = json_array_size(list);
	image->diff_ids = calloc(count + 1, sizeof(*image->diff_ids));
	image->layer_sizes = calloc(count + 1, sizeof(*image->layer_sizes));
	if (!image->diff_ids || !image->layer_sizes)
		return error_set(err, ENOMEM, "out of memory for an image");
	for (size_t i = 0; i < count; i++) {
		int ret = copy_digest(json_string_value(json_array_get(list, i)),
				      image->diff_ids[i], "image config", err);
		if (ret < 0)
			return ret;
	}
	image->layer_count = count;
	return 0;
}

static int take_blobs(struct stored_image *stored, struct error *err)
{
	const struct image *image = &stored->image;
	json_t *layers = json_get_array(image->manifest, "layers");
	size_t count = json_array_size(layers);
	char config[DIGEST_SIZE];

	int ret = copy_digest(
		json_get_str(json_get_object(image->manifest, "config"), "digest", NULL), config,
		"image manifest", err);
	if (ret < 0)
		return ret;
	if (strcmp(config, image->id) != 0)
		return error_set(err, EINVAL, "image manifest: it belongs to another config");
	if (!layers || count != image->layer_count)
		return error_set(err, EINVAL, "image manifest: %zu layers where the config has %zu",
				 count, image->layer_count);
	stored->blobs = calloc(count + 2, sizeof(*stored->blobs));
	if (!stored->blobs)
		return error_set(err, ENOMEM, "out of memory for an image");
	for (size_t i = 0; i < count; i++) {
		ret = copy_digest(json_get_str(json_array_get(layers, i), "digest", NULL),
				  stored->blobs[i], "image manifest", err);
		if (ret < 0)
			return ret;
	}
	memcpy(stored->blobs[count], image->id, DIGEST_SIZE);
	memcpy(stored->blobs[count + 1], stored->manifest_digest, DIGEST_SIZE);
	stored->blob_count = count + 2;
	return 0;
}

/* Heap, with a NUL behind; NULL: no memory. */
static char *copy_text(const char *text, size_t len, struct error *err)
{
	char *copy = malloc(len + 1);

	if (!copy) {
		error_set(err, ENOMEM, "out of memory for an image");
		return NULL;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

static int parse_config(struct image *image, const char *config, size_t config_len,
			struct error *err)
{
	image->config_text = copy_text(config, config_len, err);
	if (!image->config_text)
		return -ENOMEM;
	image->config_len = config_len;
	int ret = digest_compute(config, config_len, image->id, err);
	if (ret < 0)
		return ret;
	ret = json_parse_text(config, config_len, &image->config, err);
	if (ret < 0)
		return error_wrap(err, ret, "image config");
	/* A config without a time, or with nonsense, is still an image. */
	const char *created = json_get_str(image->config, "created", NULL);
	if (created)
		clock_parse(created, &image->created_ns);
	return take_diff_ids(image, err);
}

int stored_image_new(const char *config, size_t config_len, const char *manifest,
		     size_t manifest_len, struct image **ret, struct error *err)
{
	struct stored_image *stored = calloc(1, sizeof(*stored));
	if (!stored)
		return error_set(err, ENOMEM, "out of memory for an image");
	struct image *image AUTO(image_unref) = &stored->image;
	atomic_init(&image->refs, 1);
	atomic_init(&stored->archive_bytes, 0);

	int r = parse_config(image, config, config_len, err);
	if (r < 0)
		return r;
	image->manifest_text = copy_text(manifest, manifest_len, err);
	if (!image->manifest_text)
		return -ENOMEM;
	image->manifest_len = manifest_len;
	r = digest_compute(manifest, manifest_len, stored->manifest_digest, err);
	if (r < 0)
		return r;
	r = json_parse_text(manifest, manifest_len, &image->manifest, err);
	if (r < 0)
		return error_wrap(err, r, "image manifest");
	r = take_blobs(stored, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&image);
	return 0;
}

static int read_blob(const struct graph *graph, const char *digest, struct strbuf *text,
		     struct error *err)
{
	char found[DIGEST_SIZE];

	int ret = path_read_file(graph->blobs_fd, digest, BLOB_TEXT_MAX, text, err);
	if (ret == 0)
		ret = digest_compute(strbuf_get_str(text), text->len, found, err);
	if (ret == 0 && strcmp(found, digest) != 0)
		ret = error_set(err, EBADMSG, "its digest does not match");
	return error_wrap(err, ret, "blob %s", digest);
}

static int check_files(const struct graph *graph, const struct stored_image *stored,
		       struct error *err)
{
	const struct image *image = &stored->image;
	struct stat st;

	for (size_t i = 0; i < image->layer_count; i++)
		if (fstatat(graph->layers_fd, image->diff_ids[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_sys(err, errno, "layer %s", image->diff_ids[i]);
	for (size_t i = 0; i < stored->blob_count; i++)
		if (fstatat(graph->blobs_fd, stored->blobs[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_sys(err, errno, "blob %s", stored->blobs[i]);
	return 0;
}

int stored_image_read(const struct graph *graph, const char *id, const char *manifest_digest,
		      struct image **ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf manifest = STRBUF_INIT;
	struct image *image AUTO(image_unref) = NULL;

	int r = read_blob(graph, id, &config, err);
	if (r == 0)
		r = read_blob(graph, manifest_digest, &manifest, err);
	if (r == 0)
		r = stored_image_new(strbuf_get_str(&config), config.len, strbuf_get_str(&manifest),
				     manifest.len, &image, err);
	if (r == 0)
		r = check_files(graph, stored_image_of(image), err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&image);
	return 0;
}
