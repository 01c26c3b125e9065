/* Remembers under which name the kernel may know each container, so that a removed or renamed one's
 * old name can be taken back, by the next engine if need be: what the kernel knows outlives an engine.
 */
#include "fs/changes.h"

#include "base/json.h"
#include "fs/files.h"
#include "fs/invalidate.h"
#include "fs/kept.h"
#include "fs/names.h"
#include "fs/tree.h"
#include "runtime/event.h"
#include "runtime/volume/volume.h"

#include <stdlib.h>
#include <string.h>

/* Note the name (NULL: removed), and have another one that the kernel may know forgotten. */
static void note_name(struct fs *fs, uint64_t key, const char *name)
{
	auto_free char *old = kept_dup(fs->kept, KEPT_NAMES | key);

	/* In this order: an engine that is killed in between leaves too much to do, not too little. */
	if (old && (!name || strcmp(old, name) != 0))
		invalidate_entry(fs->invalidator, node_make(NODE_CONTAINERS, 0, 0), old);
	kept_put(fs->kept, KEPT_NAMES | key, name, name ? strlen(name) : 0, NULL);
}

struct name_list {
	uint64_t *keys;
	size_t count, cap;
};

static void add_key(void *arg, uint64_t number, const char *text, size_t len)
{
	struct name_list *list = arg;

	(void)text, (void)len;
	if (list->count == list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 64;
		uint64_t *keys = reallocarray(list->keys, cap, sizeof(*keys));

		if (!keys)
			return;
		list->keys = keys;
		list->cap = cap;
	}
	list->keys[list->count++] = number & ~KEPT_KIND_MASK;
}

void changes_take_over(struct fs *fs)
{
	AUTO(container_list_deinit) struct container_list list = { .count = 0 };
	struct name_list known = { .keys = NULL };

	kept_visit(fs->kept, KEPT_NAMES, add_key, &known);
	for (size_t i = 0; i < known.count; i++) {
		AUTO(container_view_unref)
		struct container_view *view = names_get_view(fs, known.keys[i]);

		note_name(fs, known.keys[i], view ? view->name : NULL);
	}
	free(known.keys);
	if (engine_list(fs->engine, &list) < 0)
		return;
	for (size_t i = 0; i < list.count; i++)
		note_name(fs, list.views[i]->key, list.views[i]->name);
}

static void tell_kernel(struct fs *fs, uint64_t key)
{
	AUTO(container_view_unref) struct container_view *view = names_get_view(fs, key);
	bool is_exec = view && view->is_exec;

	if (!is_exec)
		note_name(fs, key, view ? view->name : NULL);
	if (!view)
		nodes_drop_removed(fs->nodes);
	/* Its times; no lock of the kernel's is taken for attributes alone. */
	fuse_lowlevel_notify_inval_inode(channel_get_session(fs->channel),
					 node_make(is_exec ? NODE_EXEC : NODE_CONTAINER, key, 0),
					 -1, 0);
}

/* A policy restarts containers while the engine is still being opened: fs->engine is not there by then. */
void changes_on_container(void *arg, uint64_t key)
{
	struct fs *fs = arg;

	if (atomic_load(&fs->is_whole))
		tell_kernel(fs, key);
	if (fs->park)
		park_wake(fs->park, key);
}

bool changes_has_name(void *arg, uint64_t dir, const char *name)
{
	struct tree_entry found;

	return tree_find(arg, dir, name, &found) == 0;
}

/* The directory of a tag or folder and its last component. */
static void invalidate_tag(struct fs *fs, const char *name)
{
	const char *slash = strrchr(name, '/');
	char folder[GRAPH_NAME_SIZE];

	while (slash) {
		size_t len = (size_t)(slash - name);

		if (len >= sizeof(folder))
			return;
		memmove(folder, name, len); /* the name may be the folder of the round before */
		folder[len] = '\0';
		invalidate_entry(fs->invalidator, node_make(NODE_FOLDER, node_hash_name(folder), 0),
				 slash + 1);
		/* The folder itself may have gone with its last tag. */
		name = folder;
		slash = strrchr(folder, '/');
		if (!slash)
			invalidate_entry(fs->invalidator, node_make(NODE_IMAGES, 0, 0), folder);
	}
	if (name != folder)
		invalidate_entry(fs->invalidator, node_make(NODE_IMAGES, 0, 0), name);
}

static void emit_image_event(struct fs *fs, const char *action, const char *id, const char *name)
{
	auto_json json_t *attributes = json_object();

	if (attributes && *name)
		json_object_set_new(attributes, "name", json_string(name));
	events_emit(fs->events, "image", action, id, attributes);
}

void changes_on_image(void *arg, const char *action, const char *image_id, const char *name)
{
	struct fs *fs = arg;
	char digits[13] = { 0 };

	/* Docker tells a commit of the container that it was made of. */
	if (strcmp(action, "commit") != 0)
		emit_image_event(fs, action, image_id, name);
	if (fs->engine && strcmp(action, "delete") == 0)
		engine_hide_image(fs->engine, image_id);
	if (!atomic_load(&fs->is_whole))
		return;
	if (*name)
		invalidate_tag(fs, name);
	if (strcmp(action, "delete") == 0) {
		memcpy(digits, image_id, strnlen(image_id, 12));
		invalidate_entry(fs->invalidator, node_make(NODE_SHA256, 0, 0), digits);
		invalidate_entry(fs->invalidator, node_make(NODE_SHA256, 0, 0), image_id);
	}
}

void changes_on_volume(void *arg, const char *name)
{
	struct fs *fs = arg;

	if (!atomic_load(&fs->is_whole))
		return;
	if (engine_find_volume(fs->engine, name,
			       NULL)) /* a new one, of which the kernel knows nothing */
		fuse_lowlevel_notify_inval_inode(channel_get_session(fs->channel),
						 node_make(NODE_VOLUMES, 0, 0), -1, 0);
	else
		invalidate_entry(fs->invalidator, node_make(NODE_VOLUMES, 0, 0), name);
}

void changes_on_event(void *arg)
{
	struct fs *fs = arg;

	if (fs->park)
		park_wake(fs->park, PARK_EVENTS);
}

const char *changes_find_image_user(void *arg, const char *image_id)
{
	struct fs *fs = arg;

	return fs->engine ? engine_find_image_user(fs->engine, image_id) : NULL;
}

/* --- wake-ups --------------------------------------------------------------------- */

/* Is there a poll to be answered? Taken, it is answered by nobody else. */
static bool has_poll(struct handle *handle, bool take, uint64_t *ret_kh)
{
	bool polled;

	pthread_mutex_lock(&handle->lock);
	polled = handle->head->polled != 0;
	*ret_kh = handle->head->poll_kh;
	if (take)
		handle->head->polled = 0;
	pthread_mutex_unlock(&handle->lock);
	return polled;
}

static void wake_handle(struct handle *handle)
{
	uint64_t poll_kh;

	stream_note_change(handle);
	if (has_poll(handle, false, &poll_kh) && stream_is_ready(handle) &&
	    has_poll(handle, true, &poll_kh))
		channel_notify_poll(handle->fs->channel, poll_kh);
}

static void wake_event_reader(struct handle *handle)
{
	if (handle->row->kind == NODE_EVENTS)
		wake_handle(handle);
}

void changes_on_wake(void *arg, uint64_t key)
{
	struct fs *fs = arg;

	if (!atomic_load(&fs->is_whole))
		return;
	if (key == PARK_EVENTS)
		handles_visit_all(fs, wake_event_reader);
	else
		handles_visit(fs, key, wake_handle);
}
