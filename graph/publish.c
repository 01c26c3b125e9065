/* From an unpacked import to an image: its config and manifest are made, all is
 * synced while it is still in tmp/, then renamed to its places, then refs.json
 * names it. So a listed image is whole after a power cut, and what is not listed
 * is swept.
 *
 * One syncfs() stands for an fsync of each of the layer's files: a hundred
 * thousand of those take minutes. It is done before the turn, so that other
 * changes do not wait for it.
 */
#include "graph/import.h"

#include "base/clock.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar"

/* --- config and manifest ------------------------------------------------------------------- */

/* Go's names for processors, which image configs use. */
static const char *get_architecture(const struct utsname *host)
{
	static const struct {
		const char *machine;
		const char *name;
	} table[] = {
		{ "x86_64", "amd64" }, { "aarch64", "arm64" }, { "armv7l", "arm" },
		{ "armv6l", "arm" },   { "i686", "386" },      { "i386", "386" },
	};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(host->machine, table[i].machine) == 0)
			return table[i].name;
	return host->machine;
}

/* The digest of the uncompressed bytes; without compression, of the bytes. */
static const char *get_diff_id(const struct import *import)
{
	return *import->result.diff_id ? import->result.diff_id : import->blob_digest;
}

static int render_config(const struct import *import, const char *message, int64_t now_ns,
			 struct strbuf *out, struct error *err)
{
	struct utsname host;
	char created[CLOCK_TEXT_SIZE];
	json_t *comment auto_json = json_string(message ? message : "Imported from -");

	if (!comment)
		return error_set(err, EINVAL, "the message is not UTF-8 text");
	if (uname(&host) < 0)
		return error_set_sys(err, errno, "cannot tell the machine's architecture");
	clock_render(now_ns, created);
	json_t *config auto_json =
		json_pack("{s:s, s:s, s:s, s:{}, s:{s:s, s:[s+]}, s:[{s:s, s:O}]}", "architecture",
			  get_architecture(&host), "os", "linux", "created", created, "config",
			  "rootfs", "type", "layers", "diff_ids", "sha256:", get_diff_id(import),
			  "history", "created", created, "comment", comment);
	if (!config)
		return error_set(err, ENOMEM, "out of memory for an image config");
	return json_render(config, 0, out, err);
}

static int render_manifest(const struct import *import, const struct strbuf *config,
			   struct strbuf *out, struct error *err)
{
	char config_digest[DIGEST_SIZE], media[80];
	const char *compression = import->result.compression;

	int ret = digest_compute(strbuf_get_str(config), config->len, config_digest, err);
	if (ret < 0)
		return ret;
	/* OCI knows +gzip and +zstd; the others are told the same way. */
	snprintf(media, sizeof(media), MEDIA_LAYER "%s%s", *compression ? "+" : "", compression);
	json_t *manifest auto_json =
		json_pack("{s:i, s:s, s:{s:s, s:s+, s:I}, s:[{s:s, s:s+, s:I}]}", "schemaVersion",
			  2, "mediaType", MEDIA_MANIFEST, "config", "mediaType", MEDIA_CONFIG,
			  "digest", "sha256:", config_digest, "size", (json_int_t)config->len,
			  "layers", "mediaType", media, "digest", "sha256:", import->blob_digest,
			  "size", (json_int_t)import->offset);
	if (!manifest)
		return error_set(err, ENOMEM, "out of memory for an image manifest");
	return json_render(manifest, 0, out, err);
}

static int write_text(const struct import *import, const char *name, const struct strbuf *text,
		      struct error *err)
{
	return path_replace_file(import->dir_fd, name, strbuf_get_str(text), text->len, 0600, false,
				 err);
}

static int make_image(const struct import *import, const char *message, struct image **ret,
		      struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf manifest = STRBUF_INIT;
	struct image *image AUTO(image_unref) = NULL;
	int64_t now_ns = clock_now_ns();

	int r = render_config(import, message, now_ns, &config, err);
	if (r == 0)
		r = render_manifest(import, &config, &manifest, err);
	if (r == 0)
		r = stored_image_new(strbuf_get_str(&config), config.len, strbuf_get_str(&manifest),
				     manifest.len, &image, err);
	if (r == 0)
		r = write_text(import, IMPORT_CONFIG, &config, err);
	if (r == 0)
		r = write_text(import, IMPORT_MANIFEST, &manifest, err);
	if (r < 0)
		return r;
	image->size_bytes = import->result.size_bytes;
	image->arrived_ns = now_ns;
	*ret = steal_ptr(&image);
	return 0;
}

/* --- into the store -------------------------------------------------------------------------- */

/* What is there under that digest is the same thing. */
static int place(const struct import *import, const char *name, int dir_fd, const char *digest,
		 struct error *err)
{
	if (renameat2(import->dir_fd, name, dir_fd, digest, RENAME_NOREPLACE) < 0 &&
	    errno != EEXIST)
		return error_set_sys(err, errno, "cannot move the import's %s to its place", name);
	return 0;
}

static int place_all(const struct import *import, const struct image *image, struct error *err)
{
	const struct graph *graph = import->graph;
	const struct stored_image *stored = stored_image_of(image);

	int ret = place(import, IMPORT_LAYER, graph->layers_fd, image->diff_ids[0], err);
	if (ret == 0)
		ret = place(import, IMPORT_BLOB, graph->blobs_fd, import->blob_digest, err);
	if (ret == 0)
		ret = place(import, IMPORT_CONFIG, graph->blobs_fd, image->id, err);
	if (ret == 0)
		ret = place(import, IMPORT_MANIFEST, graph->blobs_fd, stored->manifest_digest, err);
	if (ret == 0 && (fsync(graph->layers_fd) < 0 || fsync(graph->blobs_fd) < 0))
		ret = error_set_sys(err, errno, "cannot make the image durable");
	return ret;
}

static int publish_locked(struct import *import, struct image *image, bool replace,
			  struct error *err)
{
	struct graph *graph = import->graph;
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = snapshot_dup(graph->snapshot);

	if (!next)
		return error_set(err, ENOMEM, "out of memory for the list of images");
	if (*import->name && !replace && snapshot_find_tag(next, import->name))
		return error_set(err, EEXIST,
				 "tag '%s' is taken; import under another name and rename it",
				 import->name);
	snapshot_add_image(next, image);
	int ret = 0;
	if (*import->name)
		ret = snapshot_set_tag(next, import->name, image, image->arrived_ns, err);
	if (ret < 0)
		return ret;
	refs_drop_damaged_tag(graph, import->name);
	ret = place_all(import, image, err);
	if (ret == 0)
		ret = graph_publish_locked(graph, steal_ptr(&next), err);
	if (ret < 0)
		sweep_image(graph, graph->snapshot, image);
	return ret;
}

int import_publish(struct import *import, bool replace, const char *message,
		   char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	struct graph *graph = import->graph;
	struct image *image AUTO(image_unref) = NULL;

	int ret = make_image(import, message, &image, err);
	if (ret < 0)
		return ret;
	/* Also reports what could not be written back: a full disk behind delayed
	 * allocation. */
	if (syncfs(import->dir_fd) < 0)
		return error_set_sys(err, errno, "cannot make the image durable");
	graph_lock(graph);
	ret = publish_locked(import, image, replace, err);
	graph_unlock(graph);
	if (ret < 0)
		return ret;
	memcpy(ret_id, image->id, GRAPH_ID_SIZE);
	graph_report(graph, "import", image->id, import->name);
	if (*import->name)
		graph_report(graph, "tag", image->id, import->name);
	return 0;
}
