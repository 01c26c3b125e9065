/* Parts in order, each a text or a blob with the offset where it begins: what an offset
 * means is a binary search. Blobs are opened with the first open and closed with the last, so
 * that an archive that somebody looked at but does not read pins nothing.
 *
 * Entries are root's, of 1970: nothing in them depends on when or where.
 */
#include "graph/image_tar.h"

#include "base/path.h"
#include "graph/describe.h"
#include "graph/store.h"
#include "graph/tar_out.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define TAR_BLOCK 512
#define NAME_SIZE (DIGEST_SIZE + 16)
#define BLOBS "blobs/sha256/"
#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"

struct part {
	uint64_t start, len;
	char *text;               /* NULL: a blob */
	char digest[DIGEST_SIZE]; /* of the blob */
	int fd;                   /* -1: not open */
};

struct image_tar {
	struct graph *graph;
	struct part *parts;
	size_t count;
	uint64_t size;
	pthread_mutex_t lock; /* guards the next, and the opening and closing of descriptors */
	unsigned opens;
};

void image_tar_free(struct image_tar *tar)
{
	if (!tar)
		return;
	for (size_t i = 0; i < tar->count; i++) {
		free(tar->parts[i].text);
		if (tar->parts[i].fd >= 0)
			close(tar->parts[i].fd);
	}
	free(tar->parts);
	pthread_mutex_destroy(&tar->lock);
	free(tar);
}

uint64_t image_tar_get_size(const struct image_tar *tar)
{
	return tar->size;
}

/* --- parts ------------------------------------------------------------------------------- */

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an archive");
}

static int add_part(struct image_tar *tar, struct part part, struct error *err)
{
	struct part *grown = reallocarray(tar->parts, tar->count + 1, sizeof(*grown));

	if (!grown) {
		free(part.text);
		return no_memory(err);
	}
	tar->parts = grown;
	part.start = tar->size;
	part.fd = -1;
	tar->size += part.len;
	grown[tar->count++] = part;
	return 0;
}

/* The text is taken, in every case. */
static int add_text(struct image_tar *tar, struct strbuf *text, struct error *err)
{
	struct part part = { .len = text->len };

	if (text->len == 0)
		return 0;
	part.text = strbuf_steal(text);
	return part.text ? add_part(tar, part, err) : no_memory(err);
}

static void pad(struct strbuf *text, uint64_t len)
{
	static const char zeros[TAR_BLOCK];

	strbuf_append(text, zeros, (size_t)((TAR_BLOCK - len % TAR_BLOCK) % TAR_BLOCK));
}

static int append_header(struct strbuf *text, const char *name, mode_t mode, uint64_t len,
			 struct error *err)
{
	struct tar_entry entry = {
		.path = name,
		.st = { .st_mode = mode, .st_nlink = 1, .st_size = (off_t)len },
	};

	return tar_out_render_header(&entry, text, err);
}

static int add_file(struct image_tar *tar, const char *name, const struct strbuf *content,
		    struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int ret = append_header(&text, name, S_IFREG | 0644, content->len, err);

	if (ret < 0)
		return ret;
	strbuf_append(&text, strbuf_get_str(content), content->len);
	pad(&text, content->len);
	ret = strbuf_check(&text, err);
	return ret < 0 ? ret : add_text(tar, &text, err);
}

static bool has_blob(const struct image_tar *tar, const char *digest)
{
	for (size_t i = 0; i < tar->count; i++)
		if (!tar->parts[i].text && strcmp(tar->parts[i].digest, digest) == 0)
			return true;
	return false;
}

static int get_blob_size(const struct graph *graph, const char *digest, uint64_t *ret,
			 struct error *err)
{
	struct stat st;

	if (fstatat(graph->blobs_fd, digest, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_sys(err, errno, "cannot look at blob sha256:%s", digest);
	*ret = (uint64_t)st.st_size;
	return 0;
}

/* A blob that several layers share is there once. */
static int add_blob(struct image_tar *tar, const char *digest, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf head = STRBUF_INIT, tail = STRBUF_INIT;
	struct part part = { .text = NULL };
	char name[NAME_SIZE];
	int ret;

	if (has_blob(tar, digest))
		return 0;
	memcpy(part.digest, digest, DIGEST_SIZE);
	snprintf(name, sizeof(name), BLOBS "%s", digest);
	ret = get_blob_size(tar->graph, digest, &part.len, err);
	if (ret == 0)
		ret = append_header(&head, name, S_IFREG | 0644, part.len, err);
	if (ret == 0)
		ret = add_text(tar, &head, err);
	if (ret == 0)
		ret = add_part(tar, part, err);
	pad(&tail, part.len);
	return ret < 0 ? ret : add_text(tar, &tail, err);
}

/* --- lists ---------------------------------------------------------------------------------- */

/* "demo:1" is "docker.io/library/demo:1" to those who want it written out. A first component
 * with a dot or a colon, or localhost, is a host. Source: distribution's reference grammar. */
static void append_full_name(struct strbuf *out, const char *name)
{
	size_t first = strcspn(name, "/");
	bool has_host = name[first] && (memchr(name, '.', first) || memchr(name, ':', first) ||
					strncmp(name, "localhost/", 10) == 0);

	strbuf_append_str(out, has_host ? "" : "docker.io/");
	strbuf_append_str(out, name[first] ? "" : "library/");
	strbuf_append_str(out, name);
}

static json_t *describe_manifest_blob(const struct image *image, uint64_t size)
{
	const char *media = json_get_str(image->manifest, "mediaType", MEDIA_MANIFEST);

	return json_pack("{s:s, s:s+, s:I}", "mediaType", media, "digest",
			 "sha256:", stored_image_of(image)->manifest_digest, "size",
			 (json_int_t)size);
}

/* A descriptor with the names that different tools look for. */
static json_t *describe_named(const struct image *image, uint64_t size, const char *name)
{
	AUTO(strbuf_deinit) struct strbuf full = STRBUF_INIT;
	json_t *descriptor auto_json = describe_manifest_blob(image, size);

	append_full_name(&full, name);
	if (!descriptor ||
	    json_object_set_new(descriptor, "annotations",
				json_pack("{s:s, s:s}", "io.containerd.image.name",
					  strbuf_get_str(&full),
					  "org.opencontainers.image.ref.name", name)) < 0)
		return NULL;
	return json_incref(descriptor);
}

/* index.json: a descriptor for each tag, all of the one manifest. */
static int render_index(const struct image *image, json_t *tags, uint64_t size, struct strbuf *out,
			struct error *err)
{
	json_t *list auto_json = json_array();
	size_t i;
	json_t *tag;
	bool failed = false;

	json_array_foreach(tags, i, tag)
		failed |= json_array_append_new(
				  list, describe_named(image, size, json_string_value(tag))) < 0;
	if (json_array_size(tags) == 0)
		failed |= json_array_append_new(list, describe_manifest_blob(image, size)) < 0;
	json_t *index auto_json = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
					    MEDIA_INDEX, "manifests", list);
	if (failed || !index)
		return no_memory(err);
	return json_render(index, 0, out, err);
}

/* manifest.json, docker's. */
static int render_list(const struct image *image, json_t *tags, struct strbuf *out,
		       struct error *err)
{
	const struct stored_image *stored = stored_image_of(image);
	json_t *layers auto_json = json_array();
	bool failed = false;

	for (size_t i = 0; i < image->layer_count; i++)
		failed |= json_array_append_new(layers,
						json_sprintf(BLOBS "%s", stored->blobs[i])) < 0;
	json_t *list auto_json = json_pack("[{s:s+, s:O, s:O}]", "Config", BLOBS, image->id,
					   "RepoTags", tags, "Layers", layers);
	if (failed || !list)
		return no_memory(err);
	return json_render(list, 0, out, err);
}

static json_t *split_tags(const char *text)
{
	json_t *list auto_json = json_array();

	for (size_t len; list && *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (len > 0 && json_array_append_new(list, json_stringn(text, len)) < 0)
			return NULL;
	}
	return json_incref(list);
}

/* --- making ----------------------------------------------------------------------------------- */

static int add_lists(struct image_tar *tar, const struct image *image, const char *tags_text,
		     struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf layout = STRBUF_INIT, index = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf list = STRBUF_INIT;
	json_t *tags auto_json = split_tags(tags_text);
	uint64_t size = 0;
	int ret = get_blob_size(tar->graph, stored_image_of(image)->manifest_digest, &size, err);

	if (ret == 0 && !tags)
		ret = no_memory(err);
	strbuf_append_str(&layout, "{\"imageLayoutVersion\":\"1.0.0\"}");
	if (ret == 0)
		ret = render_index(image, tags, size, &index, err);
	if (ret == 0)
		ret = render_list(image, tags, &list, err);
	if (ret == 0)
		ret = add_file(tar, "oci-layout", &layout, err);
	if (ret == 0)
		ret = add_file(tar, "index.json", &index, err);
	if (ret == 0)
		ret = add_file(tar, "manifest.json", &list, err);
	return ret;
}

static int add_blobs(struct image_tar *tar, const struct image *image, struct error *err)
{
	const struct stored_image *stored = stored_image_of(image);
	AUTO(strbuf_deinit) struct strbuf dirs = STRBUF_INIT;
	int ret = append_header(&dirs, "blobs/", S_IFDIR | 0755, 0, err);

	if (ret == 0)
		ret = append_header(&dirs, BLOBS, S_IFDIR | 0755, 0, err);
	if (ret == 0)
		ret = add_text(tar, &dirs, err);
	/* What says how to read the rest comes first: config and manifest are the last two. */
	for (size_t i = 0; ret == 0 && i < stored->blob_count; i++) {
		size_t at = (i + stored->blob_count - 2) % stored->blob_count;

		ret = add_blob(tar, stored->blobs[at], err);
	}
	return ret;
}

static int add_end(struct image_tar *tar, struct error *err)
{
	static const char zeros[2 * TAR_BLOCK];
	AUTO(strbuf_deinit) struct strbuf end = STRBUF_INIT;

	strbuf_append(&end, zeros, sizeof(zeros));
	return add_text(tar, &end, err);
}

int image_tar_new(struct graph *graph, const struct image *image, const char *tags,
		  struct image_tar **ret, struct error *err)
{
	struct image_tar *tar AUTO(image_tar_free) = calloc(1, sizeof(*tar));
	int r;

	if (!tar)
		return no_memory(err);
	tar->graph = graph;
	pthread_mutex_init(&tar->lock, NULL);
	r = add_lists(tar, image, tags, err);
	if (r == 0)
		r = add_blobs(tar, image, err);
	if (r == 0)
		r = add_end(tar, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&tar);
	return 0;
}

/* --- reading -------------------------------------------------------------------------------- */

static void close_blobs(struct image_tar *tar)
{
	for (size_t i = 0; i < tar->count; i++) {
		if (tar->parts[i].fd >= 0)
			close(tar->parts[i].fd);
		tar->parts[i].fd = -1;
	}
}

static int open_blobs(struct image_tar *tar, struct error *err)
{
	for (size_t i = 0; i < tar->count; i++) {
		struct part *part = &tar->parts[i];

		if (part->text)
			continue;
		part->fd = openat(tar->graph->blobs_fd, part->digest,
				  O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (part->fd < 0) {
			int code = errno;

			close_blobs(tar);
			return error_set_sys(err, code, "cannot open blob sha256:%s", part->digest);
		}
	}
	return 0;
}

int image_tar_open(struct image_tar *tar, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&tar->lock);
	if (tar->opens == 0)
		ret = open_blobs(tar, err);
	if (ret == 0)
		tar->opens++;
	pthread_mutex_unlock(&tar->lock);
	return ret;
}

void image_tar_close(struct image_tar *tar)
{
	pthread_mutex_lock(&tar->lock);
	if (--tar->opens == 0)
		close_blobs(tar);
	pthread_mutex_unlock(&tar->lock);
}

/* The part that an offset below the size lies in. */
static size_t find_part(const struct image_tar *tar, uint64_t offset)
{
	size_t low = 0, high = tar->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (tar->parts[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int read_part(const struct part *part, char *buf, size_t len, uint64_t at, struct error *err)
{
	ssize_t got;

	if (part->text) {
		memcpy(buf, part->text + at, len);
		return 0;
	}
	got = path_pread_full(part->fd, buf, len, (off_t)at);
	if (got < 0)
		return error_set_sys(err, (int)-got, "cannot read blob sha256:%s", part->digest);
	if ((size_t)got < len)
		return error_set(err, EIO, "blob sha256:%s has become shorter", part->digest);
	return 0;
}

ssize_t image_tar_read(struct image_tar *tar, void *buf, size_t len, uint64_t offset,
		       struct error *err)
{
	size_t done = 0;

	if (offset >= tar->size)
		return 0;
	if (len > tar->size - offset)
		len = (size_t)(tar->size - offset);
	for (size_t i = find_part(tar, offset); done < len; i++) {
		const struct part *part = &tar->parts[i];
		uint64_t at = offset + done - part->start;
		size_t step = len - done;
		int ret;

		if (step > part->len - at)
			step = (size_t)(part->len - at);
		ret = read_part(part, (char *)buf + done, step, at, err);
		if (ret < 0)
			return ret;
		done += step;
	}
	return (ssize_t)len;
}
