/* Texts of an image: its config, which has the id, and its manifest, which names the
 * blobs. They are rendered once and kept as they are, byte for byte.
 */
#include "graph/describe.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

const char *describe_architecture(void)
{
	static const struct {
		const char *machine;
		const char *name;
	} table[] = {
		{ "x86_64", "amd64" },    { "aarch64", "arm64" },   { "armv7l", "arm" },
		{ "armv6l", "arm" },      { "i686", "386" },        { "i386", "386" },
		{ "riscv64", "riscv64" }, { "ppc64le", "ppc64le" }, { "s390x", "s390x" },
	};
	struct utsname host;

	if (uname(&host) < 0)
		return "";
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(host.machine, table[i].machine) == 0)
			return table[i].name;
	return "";
}

int describe_import(const struct describe_import *import, struct strbuf *out, struct error *err)
{
	const struct platform *platform = import->platform;
	char created[CLOCK_TEXT_SIZE];
	json_t *comment auto_json = json_string(import->comment);
	json_t *inner auto_json =
		import->config ? json_incref((json_t *)(uintptr_t)import->config) : json_object();

	if (!comment)
		return error_set(err, EINVAL, "the message is not UTF-8 text");
	clock_render(import->now_ns, created);
	json_t *config auto_json = json_pack(
		"{s:s, s:s*, s:s, s:s, s:O, s:{s:s, s:[s+]}, s:[{s:s, s:O}]}", "architecture",
		platform->architecture, "variant", *platform->variant ? platform->variant : NULL,
		"os", platform->os, "created", created, "config", inner, "rootfs", "type", "layers",
		"diff_ids", "sha256:", import->layer->diff_id, "history", "created", created,
		"comment", comment);
	if (!config)
		return error_set(err, ENOMEM, "out of memory for an image config");
	return json_render(config, 0, out, err);
}

json_t *describe_layer(const struct batch_layer *layer)
{
	char media[80];

	/* OCI knows +gzip and +zstd; the others are told the same way. */
	snprintf(media, sizeof(media), MEDIA_LAYER "%s%s", *layer->compression ? "+" : "",
		 layer->compression);
	return json_pack("{s:s, s:s+, s:I}", "mediaType", media, "digest", "sha256:", layer->digest,
			 "size", (json_int_t)layer->blob_size);
}

int describe_manifest(const struct strbuf *config, json_t *layers, struct strbuf *out,
		      struct error *err)
{
	char digest[DIGEST_SIZE];
	int ret = digest_compute(strbuf_get_str(config), config->len, digest, err);

	if (ret < 0)
		return ret;
	json_t *manifest auto_json =
		json_pack("{s:i, s:s, s:{s:s, s:s+, s:I}, s:O}", "schemaVersion", 2, "mediaType",
			  MEDIA_MANIFEST, "config", "mediaType", MEDIA_CONFIG, "digest",
			  "sha256:", digest, "size", (json_int_t)config->len, "layers", layers);
	if (!manifest)
		return error_set(err, ENOMEM, "out of memory for an image manifest");
	return json_render(manifest, 0, out, err);
}
