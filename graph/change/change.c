/* Tags, folders and removals: each is a changed copy of the snapshot, written and
 * published in one turn.
 *
 * Whether a container uses an image is asked before the turn, because no lock may
 * be held in the caller's code; in the turn it is checked that the question was the
 * right one, else it is asked again. A container that is made in between finds no
 * image when it starts, as if it had come later.
 */
#include "base/clock.h"
#include "graph/name.h"
#include "graph/store.h"

#include <string.h>

#define SHORT_ID 12 /* digits that identify an image to people */

static struct graph_snapshot *dup_locked(struct graph *graph, struct error *err)
{
	struct graph_snapshot *next = snapshot_dup(graph->snapshot, 1, 1);
	if (!next)
		error_set(err, ENOMEM, "out of memory for the list of images");
	return next;
}

static int check_unused(struct graph *graph, const struct image *image, struct error *err)
{
	const char *user = NULL;
	if (graph->options.find_user)
		user = graph->options.find_user(graph->options.arg, image->id);
	if (user)
		return error_set(err, EBUSY, "image %.*s is used by container '%s'", SHORT_ID,
				 image->id, user);
	return 0;
}

/* --- setting tags ------------------------------------------------------------------------ */

/* 1 when there is nothing to do. */
static int check_tag_free(const struct graph_snapshot *snapshot, const struct image *image,
			  const char *name, bool force, struct error *err)
{
	const struct tag *tag = snapshot_find_tag(snapshot, name);

	if (snapshot_find_id(snapshot, image->id) != image)
		return error_set(err, ENOENT, "no such image: %.*s", SHORT_ID, image->id);
	if (tag && tag->image == image)
		return 1;
	if (tag && !force)
		return error_set(err, EEXIST, "tag '%s' is taken by image %.*s", name, SHORT_ID,
				 tag->image->id);
	return 0;
}

static int tag_locked(struct graph *graph, struct image *image, const char *name, bool force,
		      struct error *err)
{
	int ret = check_tag_free(graph->snapshot, image, name, force, err);
	if (ret != 0)
		return ret;
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = dup_locked(graph, err);
	if (!next)
		return -ENOMEM;
	ret = snapshot_set_tag(next, name, image, clock_now_ns(), err);
	if (ret < 0)
		return ret;
	refs_drop_damaged_tag(graph, name);
	return graph_publish_locked(graph, steal_ptr(&next), err);
}

int graph_tag(struct graph *graph, struct image *image, const char *name, bool force,
	      struct error *err)
{
	char canonical[GRAPH_NAME_SIZE];

	int ret = graph_parse_name(name, canonical, err);
	if (ret < 0)
		return ret;
	graph_lock(graph);
	ret = tag_locked(graph, image, canonical, force, err);
	graph_unlock(graph);
	if (ret == 0)
		graph_report(graph, "tag", image->id, canonical);
	return ret < 0 ? ret : 0;
}

int graph_note_digest(struct graph *graph, struct image *image, const char *name, struct error *err)
{
	graph_lock(graph);
	int ret = tag_locked(graph, image, name, true, err);
	graph_unlock(graph);
	return ret < 0 ? ret : 0;
}

/* ret_id: of the image that was moved; "" when there was nothing to do. */
static int retag_locked(struct graph *graph, const char *from, const char *to, bool noreplace,
			char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = dup_locked(graph, err);
	if (!next)
		return -ENOMEM;
	struct tag *tag = snapshot_find_tag(next, from);
	if (!tag)
		return error_set(err, ENOENT, "no such image: %s", from);
	if (strcmp(from, to) == 0)
		return 0;
	if (noreplace && snapshot_find_tag(next, to))
		return error_set(err, EEXIST, "tag '%s' is taken", to);
	struct image *image AUTO(image_unref) = image_ref(tag->image);
	snapshot_drop_tag(next, tag);
	int ret = snapshot_set_tag(next, to, image, clock_now_ns(), err);
	if (ret < 0)
		return ret;
	snapshot_forget_repository(next, image, from);
	refs_drop_damaged_tag(graph, to);
	memcpy(ret_id, image->id, GRAPH_ID_SIZE);
	return graph_publish_locked(graph, steal_ptr(&next), err);
}

int graph_retag(struct graph *graph, const char *from, const char *to, bool noreplace,
		struct error *err)
{
	char old[GRAPH_NAME_SIZE], new[GRAPH_NAME_SIZE], id[GRAPH_ID_SIZE] = "";

	int ret = graph_parse_name(from, old, err);
	if (ret == 0)
		ret = graph_parse_name(to, new, err);
	if (ret < 0)
		return ret;
	graph_lock(graph);
	ret = retag_locked(graph, old, new, noreplace, id, err);
	graph_unlock(graph);
	if (ret == 0 && *id) {
		graph_report(graph, "untag", id, old);
		graph_report(graph, "tag", id, new);
	}
	return ret;
}

/* --- removing ------------------------------------------------------------------------------ */

/* Tags of images that could not be read are not listed, but their names are known. */
static int untag_damaged(struct graph *graph, const char *name, struct error *err)
{
	int ret = 0;

	graph_lock(graph);
	if (!refs_drop_damaged_tag(graph, name))
		ret = error_set(err, ENOENT, "no such image: %s", name);
	else
		ret = refs_write(graph, graph->snapshot, err);
	graph_unlock(graph);
	return ret;
}

/* -EAGAIN when the tag is not what the user was asked about any more. */
static int untag_locked(struct graph *graph, const char *name, struct image *image, bool is_last,
			struct error *err)
{
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = dup_locked(graph, err);
	if (!next)
		return -ENOMEM;
	struct tag *tag = snapshot_find_tag(next, name);
	if (!tag || tag->image != image || snapshot_is_last(next, tag) != is_last)
		return -EAGAIN;
	snapshot_drop_tag(next, tag);
	if (is_last)
		snapshot_drop_image(next, image);
	else if (!strchr(name, '@'))
		snapshot_forget_repository(next, image, name);
	int ret = graph_publish_locked(graph, steal_ptr(&next), err);
	if (ret == 0 && is_last)
		sweep_image(graph, graph->snapshot, image);
	return ret;
}

static int try_untag(struct graph *graph, const char *name, bool *ret_deleted, struct error *err)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = graph_get_snapshot(graph);
	const struct tag *tag = snapshot_find_tag(snapshot, name);

	if (!tag)
		return untag_damaged(graph, name, err);
	bool is_last = snapshot_is_last(snapshot, tag);
	int ret = is_last ? check_unused(graph, tag->image, err) : 0;
	if (ret < 0)
		return ret;
	graph_lock(graph);
	ret = untag_locked(graph, name, tag->image, is_last, err);
	graph_unlock(graph);
	if (ret < 0)
		return ret;
	graph_report(graph, "untag", tag->image->id, name);
	if (is_last)
		graph_report(graph, "delete", tag->image->id, "");
	if (ret_deleted)
		*ret_deleted = is_last;
	return 0;
}

int graph_untag(struct graph *graph, const char *name, bool *ret_deleted, struct error *err)
{
	char canonical[GRAPH_NAME_SIZE];

	int ret = graph_parse_reference(name, canonical, err);
	if (ret < 0)
		return ret;
	do
		ret = try_untag(graph, canonical, ret_deleted, err);
	while (ret == -EAGAIN);
	return ret;
}

static int check_tag_count(const struct graph_snapshot *snapshot, const struct image *image,
			   bool force, struct error *err)
{
	size_t count = snapshot_count_tags(snapshot, image);
	if (count > 1 && !force)
		return error_set(err, EBUSY, "image %.*s has %zu tags; remove those first",
				 SHORT_ID, image->id, count);
	return 0;
}

static int remove_locked(struct graph *graph, struct image *image, bool force, struct error *err)
{
	int ret = check_tag_count(graph->snapshot, image, force, err);
	if (ret < 0)
		return ret;
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = dup_locked(graph, err);
	if (!next)
		return -ENOMEM;
	if (snapshot_find_id(next, image->id) != image)
		return error_set(err, ENOENT, "no such image: %.*s", SHORT_ID, image->id);
	for (size_t i = next->tag_count; i-- > 0;)
		if (next->tags[i].image == image)
			snapshot_drop_tag(next, &next->tags[i]);
	snapshot_drop_image(next, image);
	ret = graph_publish_locked(graph, steal_ptr(&next), err);
	if (ret == 0)
		sweep_image(graph, graph->snapshot, image);
	return ret;
}

static int remove_damaged(struct graph *graph, const char *id, struct error *err)
{
	int ret = 0;

	graph_lock(graph);
	if (!refs_drop_damaged_image(graph, id))
		ret = error_set(err, ENOENT, "no such image: %s", id);
	else
		ret = refs_write(graph, graph->snapshot, err);
	graph_unlock(graph);
	return ret;
}

int graph_remove_image(struct graph *graph, const char *id, bool force, struct error *err)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = graph_get_snapshot(graph);
	struct error reason = ERROR_INIT;
	struct image *image AUTO(image_unref) = graph_find_digits(snapshot, id, id, &reason);

	if (!image && reason.code == ENOENT)
		return remove_damaged(graph, id, err);
	if (!image)
		return error_set(err, reason.code, "%s", reason.msg);
	int ret = check_tag_count(snapshot, image, force, err);
	if (ret == 0)
		ret = check_unused(graph, image, err);
	if (ret < 0)
		return ret;
	graph_lock(graph);
	/* What goes is what is there now. */
	struct graph_snapshot *before AUTO(graph_snapshot_unref) = graph_get_snapshot(graph);
	ret = remove_locked(graph, image, force, err);
	graph_unlock(graph);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < before->tag_count; i++)
		if (before->tags[i].image == image)
			graph_report(graph, "untag", image->id, before->tags[i].name);
	graph_report(graph, "delete", image->id, "");
	return 0;
}

/* --- folders ---------------------------------------------------------------------------------- */

static int make_folder_locked(struct graph *graph, const char *path, struct error *err)
{
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = dup_locked(graph, err);
	if (!next)
		return -ENOMEM;
	int ret = snapshot_add_folder(next, path, err);
	return ret < 0 ? ret : graph_publish_locked(graph, steal_ptr(&next), err);
}

int graph_make_folder(struct graph *graph, const char *path, struct error *err)
{
	int ret = name_check_folder(path, err);
	if (ret < 0)
		return ret;
	graph_lock(graph);
	ret = make_folder_locked(graph, path, err);
	graph_unlock(graph);
	return ret;
}

static int remove_folder_locked(struct graph *graph, const char *path, struct error *err)
{
	struct graph_snapshot *next AUTO(graph_snapshot_unref) = dup_locked(graph, err);
	if (!next)
		return -ENOMEM;
	if (snapshot_has_below(next, path))
		return error_set(err, ENOTEMPTY, "folder '%s' holds images", path);
	if (!snapshot_drop_folder(next, path))
		return error_set(err, ENOENT, "no such folder: %s", path);
	return graph_publish_locked(graph, steal_ptr(&next), err);
}

int graph_remove_folder(struct graph *graph, const char *path, struct error *err)
{
	graph_lock(graph);
	int ret = remove_folder_locked(graph, path, err);
	graph_unlock(graph);
	return ret;
}
