/* index.json of an OCI image layout: descriptors of manifests or of further indexes, one
 * for each platform. Every blob that a descriptor names must have its size; that it has its
 * digest was seen when it came.
 */
#include "graph/archive/archive_private.h"

#include "base/num.h"
#include "graph/describe.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_FULL "io.containerd.image.name"
#define NAME_REF "org.opencontainers.image.ref.name"
#define KIND "vnd.docker.reference.type"

struct reader {
	struct batch *batch;
	const struct platform *platform;
	struct archive_images *images;
	bool is_asked; /* somebody wants this platform and no other */
};

/* The digits, with the blob there and of the size that is told. */
static int check_descriptor(struct batch *batch, const json_t *descriptor, const char *what,
			    char ret_digest[DIGEST_SIZE], struct error *err)
{
	const char *digest = json_get_str(descriptor, "digest", "");
	int64_t size = json_get_int(descriptor, "size", -1);
	struct stat st;

	if (strncmp(digest, "sha256:", 7) != 0 || !num_is_hex(digest + 7, DIGEST_SIZE - 1))
		return error_set(err, EINVAL, "%s: '%s' is no sha256 digest", what, digest);
	if (!batch_has_blob(batch, digest + 7))
		return error_set(err, EINVAL, "%s: the archive has no blob %s", what, digest);
	auto_fd int fd = batch_open_blob(batch, digest + 7, err);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "blob %s", digest);
	if (st.st_size != size)
		return error_set(err, EBADMSG,
				 "%s: blob %s has %lld bytes where %lld were expected", what,
				 digest, (long long)st.st_size, (long long)size);
	memcpy(ret_digest, digest + 7, DIGEST_SIZE);
	return 0;
}

static int read_json(struct batch *batch, const char *digest, json_t **ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int r = batch_read_text(batch, digest, &text, err);

	if (r < 0)
		return r;
	r = json_parse_text(strbuf_get_str(&text), text.len, ret, err);
	return error_wrap(err, r, "blob sha256:%s", digest);
}

/* --- choosing --------------------------------------------------------------------------- */

/* How well; what says nothing of a platform suits all. */
static int rate(const struct reader *reader, const json_t *descriptor)
{
	const json_t *platform = json_get_object(descriptor, "platform");

	return platform ? platform_rate(reader->platform, platform) : 1;
}

/* What is told about an image beside it: by whom it was made, of what. */
static bool is_attestation(const json_t *descriptor)
{
	return json_object_get(json_get_object(descriptor, "annotations"), KIND) != NULL;
}

/* --- names -------------------------------------------------------------------------------- */

/* A bare word is a tag, of nobody knows what. */
static int take_name(struct archive_image *image, const json_t *descriptor, struct error *err)
{
	const json_t *annotations = json_get_object(descriptor, "annotations");
	const char *name = json_get_str(annotations, NAME_FULL, NULL);

	if (!name)
		name = json_get_str(annotations, NAME_REF, NULL);
	if (!name || !strpbrk(name, ":/"))
		return 0;
	return archive_image_add_name(image, name, err);
}

/* --- manifests ------------------------------------------------------------------------------ */

static int take_manifest(struct reader *reader, const char *digest, const json_t *manifest,
			 const json_t *outer, struct error *err)
{
	json_t *layers = json_get_array(manifest, "layers");
	struct archive_image *image;
	char config[DIGEST_SIZE];
	bool is_new;
	size_t i;
	json_t *layer;
	int ret = check_descriptor(reader->batch, json_get_object(manifest, "config"),
				   "the config of a manifest", config, err);

	if (ret == 0)
		ret = archive_images_get(reader->images, config, &image, &is_new, err);
	if (ret < 0)
		return ret;
	if (is_new) {
		memcpy(image->manifest, digest, DIGEST_SIZE);
		ret = archive_image_set_layers(image, json_array_size(layers), err);
		json_array_foreach(layers, i, layer) {
			if (ret == 0)
				ret = check_descriptor(reader->batch, layer,
						       "a layer of a manifest", image->layers[i],
						       err);
		}
	}
	return ret < 0 ? ret : take_name(image, outer, err);
}

/* The one of an index's list that suits best. */
static const json_t *choose(const struct reader *reader, const json_t *list)
{
	const json_t *best = NULL;
	int best_rate = 0;
	size_t i;
	json_t *entry;

	json_array_foreach(list, i, entry) {
		int rated = is_attestation(entry) ? 0 : rate(reader, entry);

		if (rated > best_rate) {
			best = entry;
			best_rate = rated;
		}
	}
	return best;
}

/* outer: the descriptor in index.json, which has the names. */
static int take_descriptor(struct reader *reader, const json_t *descriptor, const json_t *outer,
			   int depth, struct error *err)
{
	json_t *content auto_json = NULL;
	const json_t *chosen;
	char digest[DIGEST_SIZE], text[PLATFORM_TEXT_SIZE];
	int ret = check_descriptor(reader->batch, descriptor, "an index", digest, err);

	if (ret == 0)
		ret = read_json(reader->batch, digest, &content, err);
	if (ret < 0)
		return ret;
	if (!json_get_array(content, "manifests"))
		return take_manifest(reader, digest, content, outer, err);
	if (depth == ARCHIVE_INDEX_DEPTH_MAX)
		return error_set(err, EINVAL, "indexes in indexes, more than %d deep", depth);
	chosen = choose(reader, json_get_array(content, "manifests"));
	if (!chosen)
		return error_set(err, reader->is_asked ? ENOENT : EINVAL,
				 "index sha256:%s: no image for %s", digest,
				 platform_get_text(reader->platform, text));
	return take_descriptor(reader, chosen, outer, depth + 1, err);
}

/* Images of other machines beside one of ours are the same image; alone they are wanted. */
int archive_read_oci(struct batch *batch, const struct sorter *sorter,
		     const struct platform *platform, bool is_asked, struct archive_images *images,
		     struct error *err)
{
	struct reader reader = {
		.batch = batch, .platform = platform, .is_asked = is_asked, .images = images
	};
	json_t *index auto_json = NULL;
	size_t i;
	json_t *entry;
	int ret = sorter_read_json(sorter, "index.json", &index, err);

	if (ret < 0)
		return ret;
	json_t *list = json_get_array(index, "manifests");
	bool any = choose(&reader, list) == NULL;
	json_array_foreach(list, i, entry) {
		if (is_attestation(entry) || !(any || rate(&reader, entry) > 0))
			continue;
		ret = take_descriptor(&reader, entry, entry, 0, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}
