/* Manifests and indexes of a registry, and names of images as directions to one. */
#include "base/num.h"
#include "graph/registry/registry_manifest.h"
#include "graph/registry/registry_name.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void try_manifest(const char *text, size_t size)
{
	struct manifest manifest = { .is_index = false };
	struct error err = ERROR_INIT;
	struct platform platform;
	struct manifest_blob blob;

	if (manifest_parse(text, size, &manifest, &err) < 0) {
		must(err.code && *err.msg);
		return;
	}
	if (manifest.is_index) {
		must(platform_parse("linux/arm/v7", &platform, NULL) == 0);
		if (manifest_choose(&manifest, &platform, &blob, &err) == 0)
			must(num_is_hex(blob.digest, DIGEST_SIZE - 1));
		else
			must(err.code && *err.msg);
	}
	for (size_t i = 0; i < manifest.layer_count; i++)
		must(num_is_hex(manifest.layers[i].digest, DIGEST_SIZE - 1));
	manifest_deinit(&manifest);
}

static void try_name(const char *text)
{
	struct registry_name name;
	struct error err = ERROR_INIT;

	if (registry_name_parse(text, "docker.io", &name, &err) == 0) {
		must(*name.host && *name.registry && *name.repository);
		must(!strchr(name.host, '/') && !strstr(name.repository, ".."));
		must((*name.tag != '\0') != (*name.digest != '\0'));
		must((*name.listed != '\0') == (*name.tag != '\0'));
	} else {
		must(err.code && *err.msg);
	}
	error_clear(&err);
	if (registry_name_parse_host(text, "docker.io", &name, &err) == 0)
		must(*name.host && !strchr(name.host, '/') && !strchr(name.host, '@'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	try_manifest(text, size);
	try_name(text);
	free(text);
	return 0;
}
