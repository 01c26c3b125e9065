/* See sort.h. The names that an archive of images may have are those of the OCI image
 * layout, of docker save (by image: ID/layer.tar, ID.json) and of what others write in its
 * place (podman: DIGEST.tar, crane: sha256:DIGEST, DIGEST.tar.gz).
 *
 * Leaves to others: what the entries mean (archive.c), unpacking (unpack.c).
 */
#include "graph/sort.h"

#include "base/num.h"
#include "graph/batch_private.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEX_LEN (DIGEST_SIZE - 1)

struct item {
	char *path;               /* without "./" in front */
	char *target;             /* of a link, a path in the archive; else NULL */
	char digest[DIGEST_SIZE]; /* of a file */
	size_t serial;            /* a later one of the same name counts */
};

struct sorter {
	struct batch *batch;
	enum sort_want want_kind;
	bool wrong;             /* what a file was called after it is not: told when it matters */
	struct error wrong_err; /* set when wrong */
	atomic_bool has_images;
	struct item *items;
	size_t count, cap;
	/* The file at hand. */
	struct blob blob;
	char path[PATH_MAX];
	const char *want; /* in path: the digits that it is called after, or NULL */
};

struct sorter *sorter_new(struct batch *batch, enum sort_want want)
{
	struct sorter *sorter = calloc(1, sizeof(*sorter));

	if (!sorter)
		return NULL;
	sorter->batch = batch;
	sorter->want_kind = want;
	sorter->blob.fd = -1;
	atomic_init(&sorter->has_images, false);
	return sorter;
}

void sorter_set_want(struct sorter *sorter, enum sort_want want)
{
	sorter->want_kind = want;
}

static void item_deinit(struct item *item)
{
	free(item->path);
	free(item->target);
}

void sorter_free(struct sorter *sorter)
{
	if (!sorter)
		return;
	blob_deinit(&sorter->blob);
	for (size_t i = 0; i < sorter->count; i++)
		item_deinit(&sorter->items[i]);
	free(sorter->items);
	free(sorter);
}

bool sorter_has_images(const struct sorter *sorter)
{
	return atomic_load(&sorter->has_images);
}

/* --- names ------------------------------------------------------------------------------ */

static bool begins_with_digits(const char *text)
{
	return strspn(text, "0123456789abcdef") == HEX_LEN;
}

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

static const char *skip_prefix(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* Another algorithm's directory is not ours to judge, but no root file system has it. */
static bool is_in_blobs(const char *path)
{
	const char *rest = skip_prefix(path, "blobs/");

	return strcmp(path, "blobs") == 0 || (rest && strncmp(rest, "sha", 3) == 0);
}

/* The digits that a file must have, because it is called after them. */
static const char *find_digits(const char *path)
{
	static const char *const behind[] = { "", ".json", ".tar", ".tar.gz", NULL };
	const char *digits = skip_prefix(path, "blobs/sha256/");

	if (digits)
		return num_is_hex(digits, HEX_LEN) ? digits : NULL;
	digits = skip_prefix(path, "sha256:");
	if (!digits)
		digits = path;
	return begins_with_digits(digits) && is_one_of(digits + HEX_LEN, behind) ? digits : NULL;
}

static bool may_be_images(const char *path, const struct unpack_item *item)
{
	static const char *const tops[] = { "oci-layout",   "index.json",  "manifest.json",
					    "repositories", "config.json", NULL };
	static const char *const below[] = { "", "/VERSION", "/json", "/layer.tar", NULL };

	if (item->is_dir && (!*path || is_in_blobs(path)))
		return true;
	if (!item->is_dir && (is_one_of(path, tops) || is_in_blobs(path) || find_digits(path)))
		return true;
	return begins_with_digits(path) && is_one_of(path + HEX_LEN, below);
}

/* "./a//b/" is "a/b". False: too long, or it leads out. */
static bool normalise(const char *text, char ret[PATH_MAX])
{
	size_t len = 0;

	while (*text) {
		size_t part = strcspn(text, "/");

		if (part == 2 && strncmp(text, "..", 2) == 0)
			return false;
		if (part > 0 && !(part == 1 && *text == '.')) {
			if (len + part + 2 > PATH_MAX)
				return false;
			if (len > 0)
				ret[len++] = '/';
			memcpy(ret + len, text, part);
			len += part;
		}
		text += part + (text[part] == '/');
	}
	ret[len] = '\0';
	return true;
}

/* Where a symbolic link at path leads to: "../b/layer.tar" at "a/layer.tar" is "b/layer.tar". */
static bool resolve_link(const char *path, const char *target, char ret[PATH_MAX])
{
	char all[PATH_MAX];
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (*target == '/')
		return false;
	memcpy(all, path, len);
	while (strncmp(target, "../", 3) == 0) {
		if (len == 0)
			return false;
		while (len > 0 && all[--len] != '/')
			;
		target += 3;
	}
	return snprintf(all + len, sizeof(all) - len, "/%s", target) < (int)(sizeof(all) - len) &&
	       normalise(all, ret);
}

/* --- entries ------------------------------------------------------------------------------ */

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an archive of images");
}

static int decide_rootfs(struct sorter *sorter, struct error *err)
{
	if (sorter->want_kind == SORT_IMAGES)
		return error_set(err, EINVAL,
				 "the archive holds a root file system and no images; import it");
	blob_deinit(&sorter->blob);
	return UNPACK_ALONE;
}

static int decide_images(struct sorter *sorter, struct error *err)
{
	if (sorter->wrong) {
		if (err)
			*err = sorter->wrong_err;
		return -sorter->wrong_err.code;
	}
	if (sorter->want_kind == SORT_ROOTFS)
		return error_set(err, EINVAL,
				 "the archive holds images, which have a message, a configuration "
				 "and a platform of their own; import it without -m, -c and "
				 "--platform");
	atomic_store(&sorter->has_images, true);
	return UNPACK_TAKEN;
}

static int get_fate(const struct sorter *sorter)
{
	return sorter_has_images(sorter) ? UNPACK_TAKEN : UNPACK_WATCHED;
}

static int add_item(struct sorter *sorter, const char *path, const char *target, const char *digest,
		    struct error *err)
{
	struct item item = { .serial = sorter->count };

	if (sorter->count == SORT_ENTRIES_MAX)
		return error_set(err, EINVAL, "more than %d entries in an archive of images",
				 SORT_ENTRIES_MAX);
	if (sorter->count == sorter->cap) {
		size_t cap = sorter->cap ? 2 * sorter->cap : 64;
		struct item *grown = reallocarray(sorter->items, cap, sizeof(*grown));

		if (!grown)
			return no_memory(err);
		sorter->items = grown;
		sorter->cap = cap;
	}
	item.path = strdup(path);
	item.target = target ? strdup(target) : NULL;
	if (!item.path || (target && !item.target)) {
		item_deinit(&item);
		return no_memory(err);
	}
	if (digest)
		memcpy(item.digest, digest, DIGEST_SIZE);
	sorter->items[sorter->count++] = item;
	return 0;
}

/* Links of one entry to another stand for it; those that lead elsewhere stand for nothing. */
static int take_link(struct sorter *sorter, const struct unpack_item *item, struct error *err)
{
	char target[PATH_MAX];
	bool usable = item->hard_link ? normalise(item->hard_link, target)
				      : resolve_link(sorter->path, item->link, target);
	int ret = usable ? add_item(sorter, sorter->path, target, NULL, err) : 0;

	return ret < 0 ? ret : get_fate(sorter);
}

static int begin_entry(void *arg, const struct unpack_item *item, struct error *err)
{
	struct sorter *sorter = arg;
	bool usable = normalise(item->path, sorter->path);
	int ret = 0;

	sorter->want = NULL;
	if (!sorter_has_images(sorter) && !(usable && may_be_images(sorter->path, item)))
		return decide_rootfs(sorter, err);
	if (!usable)
		return UNPACK_TAKEN;
	if (item->hard_link || item->link)
		return take_link(sorter, item, err);
	if (!item->is_file)
		return get_fate(sorter);
	sorter->want = find_digits(sorter->path);
	ret = blob_begin(sorter->batch, &sorter->blob, err);
	if (ret < 0)
		return ret;
	/* This name is enough, before a whole layer is written twice. */
	if (sorter->want && sorter->path != sorter->want &&
	    skip_prefix(sorter->path, "blobs/sha256/") && !sorter_has_images(sorter))
		return decide_images(sorter, err);
	return get_fate(sorter);
}

static int take_data(void *arg, const void *bytes, size_t len, int64_t offset, struct error *err)
{
	struct sorter *sorter = arg;
	int ret;

	if (sorter->blob.fd < 0)
		return get_fate(sorter);
	if ((uint64_t)offset != sorter->blob.size) {
		if (!sorter_has_images(sorter))
			return decide_rootfs(sorter, err);
		return error_set(err, EINVAL, "entry '%s': a sparse file in an archive of images",
				 sorter->path);
	}
	ret = blob_write(&sorter->blob, bytes, len, err);
	return ret < 0 ? ret : get_fate(sorter);
}

/* Is the file what it is called after? That it is not matters in an archive of images only. */
static int check_name(struct sorter *sorter, const char *digest, struct error *err)
{
	struct error local = ERROR_INIT;
	char want[DIGEST_SIZE];

	if (!sorter->want)
		return get_fate(sorter);
	snprintf(want, sizeof(want), "%s", sorter->want);
	if (batch_check_digest(sorter->path, want, digest, &local) == 0)
		return sorter_has_images(sorter) ? UNPACK_TAKEN : decide_images(sorter, err);
	/* Some call a layer after something else; its config knows. */
	if (strcmp(sorter->want + HEX_LEN, ".tar") == 0 ||
	    strcmp(sorter->want + HEX_LEN, ".tar.gz") == 0)
		return get_fate(sorter);
	if (!sorter->wrong)
		sorter->wrong_err = local;
	sorter->wrong = true;
	return sorter_has_images(sorter) ? decide_images(sorter, err) : UNPACK_WATCHED;
}

static int end_entry(void *arg, int64_t size_bytes, struct error *err)
{
	struct sorter *sorter = arg;
	char digest[DIGEST_SIZE];
	int ret;

	if (sorter->blob.fd < 0)
		return get_fate(sorter);
	if ((uint64_t)size_bytes != sorter->blob.size)
		return take_data(sorter, "", 0, size_bytes, err);
	ret = blob_finish(&sorter->blob, NULL, digest, err);
	blob_deinit(&sorter->blob);
	if (ret == 0)
		ret = add_item(sorter, sorter->path, NULL, digest, err);
	return ret < 0 ? ret : check_name(sorter, digest, err);
}

struct unpack_watch sorter_get_watch(struct sorter *sorter)
{
	return (struct unpack_watch){
		.begin = begin_entry, .data = take_data, .end = end_entry, .arg = sorter
	};
}

/* --- afterwards ----------------------------------------------------------------------------- */

static int compare_items(const void *a, const void *b)
{
	const struct item *left = a, *right = b;
	int order = strcmp(left->path, right->path);

	return order ? order : (left->serial > right->serial) - (left->serial < right->serial);
}

static void sort_items(struct sorter *sorter)
{
	if (sorter->count > 0)
		qsort(sorter->items, sorter->count, sizeof(*sorter->items), compare_items);
}

/* The last of those with the name. */
static const struct item *find_item(const struct sorter *sorter, const char *path)
{
	size_t low = 0, high = sorter->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(sorter->items[middle].path, path) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low > 0 && strcmp(sorter->items[low - 1].path, path) == 0 ? &sorter->items[low - 1]
									 : NULL;
}

const char *sorter_find(const struct sorter *sorter, const char *path)
{
	char name[PATH_MAX];
	const struct item *item;

	if (!normalise(path, name))
		return NULL;
	item = find_item(sorter, name);
	for (int links = 0; item && item->target && links < SORT_LINKS_MAX; links++)
		item = find_item(sorter, item->target);
	return item && !item->target ? item->digest : NULL;
}

const char *sorter_get_path(const struct sorter *sorter, size_t index)
{
	return index < sorter->count ? sorter->items[index].path : NULL;
}

bool sorter_has_v1(const struct sorter *sorter)
{
	char layer[DIGEST_SIZE + 16];

	for (size_t i = 0; i < sorter->count; i++) {
		const char *path = sorter->items[i].path;

		if (!begins_with_digits(path) || strcmp(path + HEX_LEN, "/json") != 0)
			continue;
		snprintf(layer, sizeof(layer), "%.*s/layer.tar", HEX_LEN, path);
		if (sorter_find(sorter, layer))
			return true;
	}
	return false;
}

int sorter_read_json(const struct sorter *sorter, const char *path, json_t **ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	const char *digest = sorter_find(sorter, path);
	int r;

	if (!digest)
		return error_set(err, ENOENT, "the archive has no '%s'", path);
	r = batch_read_text(sorter->batch, digest, &text, err);
	if (r == -EFBIG) {
		error_clear(err);
		r = error_set(err, EINVAL, "more than %u bytes", BLOB_TEXT_MAX);
	}
	if (r == 0)
		r = json_parse_text(strbuf_get_str(&text), text.len, ret, err);
	return error_wrap(err, r, "'%s' of the archive", path);
}

/* Nothing has proved it, as when each name is an image's own: does its list fit the rest? */
static bool has_fitting_list(const struct sorter *sorter)
{
	json_t *list auto_json = NULL;
	size_t i;
	json_t *entry;

	if (sorter_read_json(sorter, "manifest.json", &list, NULL) < 0 ||
	    json_array_size(list) == 0)
		return false;
	json_array_foreach(list, i, entry) {
		if (!sorter_find(sorter, json_get_str(entry, "Config", "")))
			return false;
	}
	return true;
}

int sorter_judge(struct sorter *sorter, bool *ret_has_images, struct error *err)
{
	int ret = 0;

	sort_items(sorter);
	if (!sorter_has_images(sorter) && (has_fitting_list(sorter) || sorter_has_v1(sorter)))
		ret = decide_images(sorter, err);
	if (ret >= 0 && !sorter_has_images(sorter))
		ret = decide_rootfs(sorter, err);
	if (ret < 0)
		return ret;
	*ret_has_images = sorter_has_images(sorter);
	return 0;
}
