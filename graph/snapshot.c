/* Snapshots: what readers see. A published one is never changed; a change makes a
 * copy, with room for the one image, tag and folder that a change can add, and
 * publishes that. Copies share the images by reference and own their names.
 *
 * Tags are sorted by the bytes of their names, images by arrival, newest first. What registries call images
 * ("a@sha256:...") is a list like that of the tags; an '@' in a name tells in which it lies.
 */
#include "graph/name.h"
#include "graph/store.h"

#include <string.h>

static void unref_tags(struct tag *tags, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(tags[i].name);
		image_unref(tags[i].image);
	}
}

void graph_snapshot_unref(struct graph_snapshot *snapshot)
{
	if (!snapshot || atomic_fetch_sub_explicit(&snapshot->refs, 1, memory_order_acq_rel) != 1)
		return;
	unref_tags(snapshot->tags, snapshot->tag_count);
	unref_tags(snapshot->digests, snapshot->digest_count);
	for (size_t i = 0; i < snapshot->image_count; i++)
		image_unref(snapshot->images[i]);
	for (size_t i = 0; i < snapshot->folder_count; i++)
		free(snapshot->folders[i]);
	free(snapshot->tags);
	free(snapshot->digests);
	free(snapshot->images);
	free(snapshot->folders);
	free(snapshot);
}

static bool copy_tags(struct tag *to, size_t *to_count, const struct tag *from, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *name = strdup(from[i].name);
		if (!name)
			return false;
		to[(*to_count)++] = (struct tag){
			.name = name,
			.image = image_ref(from[i].image),
			.set_ns = from[i].set_ns,
		};
	}
	return true;
}

static bool copy_names(struct graph_snapshot *to, const struct graph_snapshot *from)
{
	if (!copy_tags(to->tags, &to->tag_count, from->tags, from->tag_count) ||
	    !copy_tags(to->digests, &to->digest_count, from->digests, from->digest_count))
		return false;
	for (size_t i = 0; i < from->folder_count; i++) {
		char *path = strdup(from->folders[i]);
		if (!path)
			return false;
		to->folders[to->folder_count++] = path;
	}
	return true;
}

struct graph_snapshot *snapshot_new(size_t images, size_t tags, size_t folders)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return NULL;
	atomic_init(&snapshot->refs, 1);
	/* One more, since calloc() of nothing may be NULL. */
	snapshot->images = calloc(images + 1, sizeof(struct image *));
	snapshot->tags = calloc(tags + 1, sizeof(*snapshot->tags));
	snapshot->digests = calloc(tags + 1, sizeof(*snapshot->digests));
	snapshot->folders = calloc(folders + 1, sizeof(char *));
	if (!snapshot->images || !snapshot->tags || !snapshot->digests || !snapshot->folders)
		return NULL;
	return steal_ptr(&snapshot);
}

struct graph_snapshot *snapshot_dup(const struct graph_snapshot *from, size_t images, size_t tags)
{
	struct graph_snapshot *to AUTO(graph_snapshot_unref) =
		snapshot_new(from->image_count + images,
			     from->tag_count + from->digest_count + tags, from->folder_count + 1);

	if (!to || !copy_names(to, from))
		return NULL;
	for (size_t i = 0; i < from->image_count; i++)
		to->images[to->image_count++] = image_ref(from->images[i]);
	return steal_ptr(&to);
}

static bool is_digest(const char *name)
{
	return strchr(name, '@') != NULL;
}

/* The list in which a name lies, and its length. */
static struct tag *get_list(const struct graph_snapshot *snapshot, const char *name,
			    size_t *ret_count)
{
	*ret_count = is_digest(name) ? snapshot->digest_count : snapshot->tag_count;
	return is_digest(name) ? snapshot->digests : snapshot->tags;
}

static size_t *get_count(struct graph_snapshot *snapshot, const char *name)
{
	return is_digest(name) ? &snapshot->digest_count : &snapshot->tag_count;
}

/* The first tag whose name is not below name. */
static size_t find_place(const struct tag *tags, size_t count, const char *name)
{
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (strcmp(tags[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct tag *snapshot_find_tag(const struct graph_snapshot *snapshot, const char *name)
{
	size_t count;
	struct tag *tags = get_list(snapshot, name, &count);
	size_t at = find_place(tags, count, name);

	return at < count && strcmp(tags[at].name, name) == 0 ? &tags[at] : NULL;
}

struct image *snapshot_find_id(const struct graph_snapshot *snapshot, const char *id)
{
	for (size_t i = 0; i < snapshot->image_count; i++)
		if (strcmp(snapshot->images[i]->id, id) == 0)
			return snapshot->images[i];
	return NULL;
}

static size_t count_in(const struct tag *tags, size_t count, const struct image *image)
{
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += tags[i].image == image;
	return found;
}

size_t snapshot_count_tags(const struct graph_snapshot *snapshot, const struct image *image)
{
	return count_in(snapshot->tags, snapshot->tag_count, image);
}

bool snapshot_is_last(const struct graph_snapshot *snapshot, const struct tag *tag)
{
	size_t tags = snapshot_count_tags(snapshot, tag->image);

	if (!is_digest(tag->name))
		return tags == 1;
	return tags == 0 && count_in(snapshot->digests, snapshot->digest_count, tag->image) == 1;
}

bool snapshot_has_below(const struct graph_snapshot *snapshot, const char *folder)
{
	for (size_t i = 0; i < snapshot->tag_count; i++)
		if (name_is_below(snapshot->tags[i].name, folder))
			return true;
	for (size_t i = 0; i < snapshot->folder_count; i++)
		if (name_is_below(snapshot->folders[i], folder))
			return true;
	return false;
}

void snapshot_add_image(struct graph_snapshot *snapshot, struct image *image)
{
	size_t at = 0;
	while (at < snapshot->image_count && snapshot->images[at]->arrived_ns > image->arrived_ns)
		at++;
	memmove(&snapshot->images[at + 1], &snapshot->images[at],
		(snapshot->image_count - at) * sizeof(snapshot->images[0]));
	snapshot->images[at] = image_ref(image);
	snapshot->image_count++;
}

void snapshot_drop_image(struct graph_snapshot *snapshot, const struct image *image)
{
	size_t at = 0;
	while (at < snapshot->image_count && snapshot->images[at] != image)
		at++;
	if (at == snapshot->image_count)
		return;
	image_unref(snapshot->images[at]);
	snapshot->image_count--;
	memmove(&snapshot->images[at], &snapshot->images[at + 1],
		(snapshot->image_count - at) * sizeof(snapshot->images[0]));
	for (size_t i = snapshot->digest_count; i-- > 0;)
		if (snapshot->digests[i].image == image)
			snapshot_drop_tag(snapshot, &snapshot->digests[i]);
}

/* "localhost:5000" is both a tag of "localhost" and a folder of names; in images/
 * it can be one of them. */
static int check_clash(const struct graph_snapshot *snapshot, const char *name, struct error *err)
{
	for (size_t i = 0; i < snapshot->tag_count; i++) {
		const char *other = snapshot->tags[i].name;
		if (name_is_below(name, other))
			return error_set(err, EEXIST, "'%s' is a tag and cannot be a folder",
					 other);
	}
	for (size_t i = 0; i < snapshot->folder_count; i++)
		if (strcmp(snapshot->folders[i], name) == 0)
			return error_set(err, EEXIST, "'%s' is a folder", name);
	if (snapshot_has_below(snapshot, name))
		return error_set(err, EEXIST, "'%s' is a folder", name);
	return 0;
}

/* A folder that holds a tag is there because of it, and goes with the last one. */
static void drop_folders_above(struct graph_snapshot *snapshot, const char *name)
{
	for (size_t i = snapshot->folder_count; i-- > 0;)
		if (name_is_below(name, snapshot->folders[i]))
			snapshot_drop_folder(snapshot, snapshot->folders[i]);
}

int snapshot_set_tag(struct graph_snapshot *snapshot, const char *name, struct image *image,
		     int64_t set_ns, struct error *err)
{
	struct tag *tag = snapshot_find_tag(snapshot, name);

	if (tag) {
		image_unref(tag->image);
		tag->image = image_ref(image);
		tag->set_ns = set_ns;
		return 0;
	}
	int ret = is_digest(name) ? 0 : check_clash(snapshot, name, err);
	if (ret < 0)
		return ret;
	char *copy = strdup(name);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory for tag '%s'", name);
	size_t count;
	struct tag *tags = get_list(snapshot, name, &count);
	size_t at = find_place(tags, count, name);
	memmove(&tags[at + 1], &tags[at], (count - at) * sizeof(*tags));
	tags[at] = (struct tag){ .name = copy, .image = image_ref(image), .set_ns = set_ns };
	++*get_count(snapshot, name);
	if (!is_digest(name))
		drop_folders_above(snapshot, copy);
	return 0;
}

void snapshot_drop_tag(struct graph_snapshot *snapshot, struct tag *tag)
{
	size_t *count = get_count(snapshot, tag->name);
	size_t at = (size_t)(tag - (is_digest(tag->name) ? snapshot->digests : snapshot->tags));
	free(tag->name);
	image_unref(tag->image);
	--*count;
	memmove(tag, tag + 1, (*count - at) * sizeof(*tag));
}

static bool is_same_repository(const char *name, const char *other)
{
	size_t len = name_get_repository_len(name);

	return name_get_repository_len(other) == len && strncmp(name, other, len) == 0;
}

void snapshot_forget_repository(struct graph_snapshot *snapshot, const struct image *image,
				const char *name)
{
	for (size_t i = 0; i < snapshot->tag_count; i++)
		if (snapshot->tags[i].image == image &&
		    is_same_repository(snapshot->tags[i].name, name))
			return;
	for (size_t i = snapshot->digest_count; i-- > 0;)
		if (snapshot->digests[i].image == image &&
		    is_same_repository(snapshot->digests[i].name, name))
			snapshot_drop_tag(snapshot, &snapshot->digests[i]);
}

int snapshot_add_folder(struct graph_snapshot *snapshot, const char *path, struct error *err)
{
	size_t at = 0;

	for (size_t i = 0; i < snapshot->tag_count; i++)
		if (strcmp(snapshot->tags[i].name, path) == 0 ||
		    name_is_below(path, snapshot->tags[i].name))
			return error_set(err, EEXIST, "'%s' is a tag", snapshot->tags[i].name);
	while (at < snapshot->folder_count && strcmp(snapshot->folders[at], path) < 0)
		at++;
	if ((at < snapshot->folder_count && strcmp(snapshot->folders[at], path) == 0) ||
	    snapshot_has_below(snapshot, path))
		return error_set(err, EEXIST, "folder '%s' exists", path);
	char *copy = strdup(path);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory for folder '%s'", path);
	memmove(&snapshot->folders[at + 1], &snapshot->folders[at],
		(snapshot->folder_count - at) * sizeof(snapshot->folders[0]));
	snapshot->folders[at] = copy;
	snapshot->folder_count++;
	return 0;
}

bool snapshot_drop_folder(struct graph_snapshot *snapshot, const char *path)
{
	for (size_t i = 0; i < snapshot->folder_count; i++) {
		if (strcmp(snapshot->folders[i], path) != 0)
			continue;
		free(snapshot->folders[i]);
		snapshot->folder_count--;
		memmove(&snapshot->folders[i], &snapshot->folders[i + 1],
			(snapshot->folder_count - i) * sizeof(snapshot->folders[0]));
		return true;
	}
	return false;
}
