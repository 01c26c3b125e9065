/* Manifests and indexes. What kind a text is its content tells, not the header that came with it: the digest
 * covers the one and not the other.
 *
 * Sources: OCI image-spec manifest.md and image-index.md; distribution, manifest-v2-2.md.
 */
#include "graph/registry_manifest.h"

#include "base/num.h"
#include "graph/describe.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define LAYERS_MAX 4096
#define BLOB_MAX (1LL << 40)

void manifest_deinit(struct manifest *manifest)
{
	free(manifest->layers);
	json_decref(manifest->index);
	*manifest = (struct manifest){ .is_index = false };
}

/* --- platforms ------------------------------------------------------------------------------- */

static void set_own_variant(struct platform *platform)
{
	struct utsname host;

	/* Go's names: armv7l is arm/v7. */
	if (uname(&host) == 0 && strcmp(platform->architecture, "arm") == 0 &&
	    strncmp(host.machine, "armv", 4) == 0)
		snprintf(platform->variant, sizeof(platform->variant), "v%c", host.machine[4]);
}

static bool copy_part(const char *at, size_t len, char *ret, size_t size)
{
	if (len == 0 || len >= size)
		return false;
	memcpy(ret, at, len);
	ret[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (!((ret[i] >= 'a' && ret[i] <= 'z') || (ret[i] >= '0' && ret[i] <= '9') ||
		      ret[i] == '_' || ret[i] == '-' || ret[i] == '.'))
			return false;
	return true;
}

int platform_parse(const char *text, struct platform *ret, struct error *err)
{
	struct platform platform = { .os = "linux" };
	const char *arch = text ? strchr(text, '/') : NULL;
	const char *variant = arch ? strchr(arch + 1, '/') : NULL;
	bool ok = true;

	if (!text) {
		snprintf(platform.architecture, sizeof(platform.architecture), "%s",
			 describe_architecture());
		set_own_variant(&platform);
	} else if (!arch) {
		ok = copy_part(text, strlen(text), platform.architecture,
			       sizeof(platform.architecture));
	} else {
		ok = copy_part(text, (size_t)(arch - text), platform.os, sizeof(platform.os)) &&
		     copy_part(arch + 1, variant ? (size_t)(variant - arch - 1) : strlen(arch + 1),
			       platform.architecture, sizeof(platform.architecture)) &&
		     (!variant || copy_part(variant + 1, strlen(variant + 1), platform.variant,
					    sizeof(platform.variant)));
	}
	if (!ok)
		return error_set(err, EINVAL, "'%s' is not a platform; OS/ARCH[/VARIANT]", text);
	*ret = platform;
	return 0;
}

/* How well one that is described so serves: 0 not at all. */
static int rate(const struct platform *platform, const json_t *described)
{
	const char *variant = json_get_str(described, "variant", "");

	if (strcmp(json_get_str(described, "os", ""), platform->os) != 0 ||
	    strcmp(json_get_str(described, "architecture", ""), platform->architecture) != 0)
		return 0;
	if (strcmp(variant, platform->variant) == 0)
		return 10;
	/* arm64 has always been v8, and x86's levels build upon the plain one. */
	if (!*variant || (!*platform->variant && strcmp(variant, "v8") == 0))
		return 9;
	/* An ARM of version 7 runs what is for 6 and 5, the nearer the better. */
	if (strcmp(platform->architecture, "arm") == 0 && variant[0] == 'v' && variant[1] &&
	    !variant[2] && platform->variant[0] == 'v' && variant[1] < platform->variant[1] &&
	    variant[1] >= '5')
		return variant[1] - '5' + 1;
	return 0;
}

bool platform_fits(const struct platform *platform, const json_t *config)
{
	return rate(platform, config) > 0;
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
	if (manifest.is_index)
		manifest.index = json_incref(object);
	else
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
	const char *variant = json_get_str(platform, "variant", "");

	if (!*os || strcmp(os, "unknown") == 0 || out->len > 200)
		return;
	strbuf_appendf(out, "%s%.20s/%.20s%s%.20s", out->len ? " " : "", os,
		       json_get_str(platform, "architecture", "?"), *variant ? "/" : "", variant);
}

int manifest_choose(const struct manifest *index, const struct platform *platform,
		    struct manifest_blob *ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf others = STRBUF_INIT;
	const json_t *list = json_get_array(index->index, "manifests");
	const json_t *best = NULL;
	int best_rate = 0;

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);
		int rated = rate(platform, json_get_object(entry, "platform"));

		append_platform(entry, &others);
		if (rated > best_rate) {
			best = entry;
			best_rate = rated;
		}
	}
	if (!best)
		return error_set(err, ENOENT, "it has no image for %s/%s%s%s; there is: %s",
				 platform->os, platform->architecture,
				 *platform->variant ? "/" : "", platform->variant,
				 strbuf_get_str(&others));
	return take_blob(best, "index", ret, err);
}
