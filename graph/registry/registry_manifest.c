/* Manifests and indexes. What kind a text is its content tells, not the header that came with it: the digest
 * covers the one and not the other.
 *
 * Sources: OCI image-spec manifest.md and image-index.md; distribution, manifest-v2-2.md.
 */
#include "graph/registry/registry_manifest.h"

#include "base/num.h"
#include "graph/describe.h"

#include <string.h>

#define LAYERS_MAX 4096
#define DOCKER_LIST "application/vnd.docker.distribution.manifest.list.v2+json"
#define BLOB_MAX (1LL << 40)

void manifest_deinit(struct manifest *manifest)
{
	free(manifest->layers);
	json_decref(manifest->index);
	*manifest = (struct manifest){ .is_index = false };
}

/* --- blobs ------------------------------------------------------------------------------------ */

static int take_blob(const json_t *descriptor, const char *what, struct manifest_blob *ret,
		     struct error *err)
{
	const char *digest = json_get_str(descriptor, "digest", "");
	int64_t size = json_get_int(descriptor, "size", -1);

	if (strncmp(digest, "sha256:", 7) != 0 || !num_is_hex(digest + 7, DIGEST_SIZE - 1))
		return error_set(err, EINVAL, "its %s has no sha256 digest", what);
	if (size < 0 || size > BLOB_MAX)
		return error_set(err, EINVAL, "its %s has no sensible size", what);
	memcpy(ret->digest, digest + 7, DIGEST_SIZE);
	ret->size = (uint64_t)size;
	return 0;
}

static bool begins_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

static int check_layer_type(const json_t *descriptor, struct error *err)
{
	const char *type = json_get_str(descriptor, "mediaType", "");

	if (begins_with(type, "application/vnd.docker.image.rootfs.foreign.diff.tar") ||
	    begins_with(type, "application/vnd.oci.image.layer.nondistributable.v1.tar"))
		return error_set(err, ENOTSUP,
				 "it has a foreign layer, which registries do not keep");
	if (begins_with(type, "application/vnd.docker.image.rootfs.diff.tar") ||
	    (begins_with(type, "application/vnd.oci.image.layer.v1.tar") &&
	     !strstr(type, "encrypted")))
		return 0;
	return error_set(err, ENOTSUP, "it has a layer of the unknown type '%.100s'", type);
}

/* --- manifests ------------------------------------------------------------------------------------ */

static int take_layers(const json_t *layers, struct manifest *manifest, struct error *err)
{
	size_t count = json_array_size(layers);
	int ret = 0;

	if (!json_is_array(layers) || count > LAYERS_MAX)
		return error_set(err, EINVAL, "its manifest has no sensible list of layers");
	manifest->layers = calloc(count + 1, sizeof(*manifest->layers));
	if (!manifest->layers)
		return error_set(err, ENOMEM, "out of memory for a manifest");
	for (size_t i = 0; ret == 0 && i < count; i++) {
		ret = take_blob(json_array_get(layers, i), "layer", &manifest->layers[i], err);
		if (ret == 0)
			ret = check_layer_type(json_array_get(layers, i), err);
	}
	manifest->layer_count = count;
	return ret;
}

static int take_manifest(const json_t *object, struct manifest *manifest, struct error *err)
{
	const json_t *config = json_get_object(object, "config");
	const char *type = json_get_str(config, "mediaType", "");
	int ret;

	if (!config)
		return error_set(err, EINVAL, "its manifest names no config");
	if (strcmp(type, "application/vnd.docker.container.image.v1+json") != 0 &&
	    strcmp(type, MEDIA_CONFIG) != 0)
		return error_set(err, ENOTSUP, "it is no image but '%.100s'", type);
	ret = take_blob(config, "config", &manifest->config, err);
	return ret < 0 ? ret : take_layers(json_object_get(object, "layers"), manifest, err);
}

/* One text that means two things would be an image here and another one elsewhere: what it is must agree with the
 * type that it gives itself, and with nothing else that it has. Source: OCI image-spec, CVE-2021-41190. */
static int check_kind(const json_t *object, bool is_index, struct error *err)
{
	const char *type = json_get_str(object, "mediaType", "");
	bool says_index = strcmp(type, "application/vnd.oci.image.index.v1+json") == 0 ||
			  strcmp(type, DOCKER_LIST) == 0;

	if (is_index && (json_object_get(object, "config") || json_object_get(object, "layers")))
		return error_set(err, EINVAL, "its manifest is an index as well");
	if (*type && says_index != is_index)
		return error_set(err, EINVAL, "its manifest says to be '%.100s' and is none", type);
	return 0;
}

int manifest_parse(const char *text, size_t len, struct manifest *ret, struct error *err)
{
	AUTO(manifest_deinit) struct manifest manifest = { .is_index = false };
	json_t *object auto_json = NULL;
	int r = json_parse_text(text, len, &object, err);

	if (r < 0)
		return error_wrap(err, r, "its manifest");
	if (json_get_int(object, "schemaVersion", 0) == 1)
		return error_set(
			err, ENOTSUP,
			"its manifest has Docker's schema 1, which is given up everywhere; "
			"push it anew with a newer tool");
	if (json_get_int(object, "schemaVersion", 0) != 2)
		return error_set(err, EINVAL, "its manifest is none");
	manifest.is_index = json_get_array(object, "manifests") != NULL;
	r = check_kind(object, manifest.is_index, err);
	if (r == 0 && manifest.is_index)
		manifest.index = json_incref(object);
	else if (r == 0)
		r = take_manifest(object, &manifest, err);
	if (r < 0)
		return r;
	*ret = manifest;
	manifest = (struct manifest){ .is_index = false };
	return 0;
}

/* --- indexes ----------------------------------------------------------------------------------------- */

static void append_platform(const json_t *entry, struct strbuf *out)
{
	const json_t *platform = json_get_object(entry, "platform");
	const char *os = json_get_str(platform, "os", "");

	if (!*os || strcmp(os, "unknown") == 0 || out->len > 200)
		return;
	if (out->len)
		strbuf_append_char(out, ' ');
	platform_render_described(platform, out);
}

int manifest_choose(const struct manifest *index, const struct platform *platform,
		    struct manifest_blob *ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf others = STRBUF_INIT;
	const json_t *list = json_get_array(index->index, "manifests");
	char text[PLATFORM_TEXT_SIZE];
	const json_t *best = NULL;
	int best_rate = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		int rated = platform_rate(platform, json_get_object(entry, "platform"));

		append_platform(entry, &others);
		if (rated > best_rate) {
			best = entry;
			best_rate = rated;
		}
	}
	if (!best)
		return error_set(err, ENOENT, "it has no image for %s; there is: %s",
				 platform_get_text(platform, text), strbuf_get_str(&others));
	return take_blob(best, "index", ret, err);
}
