/* Remembers under which name the kernel may know each container, so that a removed or renamed one's
 * old name can be taken back.
 */
#include "fs/changes.h"

#include "base/json.h"
#include "fs/files.h"
#include "fs/invalidate.h"
#include "fs/names.h"
#include "runtime/event.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

struct known {
	uint64_t key;
	char name[CONTAINER_NAME_SIZE];
	UT_hash_handle hh;
};

struct changes {
	struct fs *fs;
	pthread_mutex_t lock; /* guards table */
	struct known *table;
};

struct changes *changes_new(struct fs *fs)
{
	struct changes *changes = calloc(1, sizeof(*changes));

	if (!changes)
		return NULL;
	changes->fs = fs;
	pthread_mutex_init(&changes->lock, NULL);
	return changes;
}

void changes_free(struct changes *changes)
{
	struct known *known, *next;

	if (!changes)
		return;
	HASH_ITER(hh, changes->table, known, next) {
		HASH_DEL(changes->table, known);
		free(known);
	}
	pthread_mutex_destroy(&changes->lock);
	free(changes);
}

/* Set the name (NULL: removed). True when another one was known, which *ret_old becomes. */
static bool swap_name(struct changes *changes, uint64_t key, const char *name,
		      char ret_old[CONTAINER_NAME_SIZE])
{
	struct known *known = NULL;
	bool changed = false;

	pthread_mutex_lock(&changes->lock);
	HASH_FIND(hh, changes->table, &key, sizeof(key), known);
	if (known && (!name || strcmp(known->name, name) != 0)) {
		memcpy(ret_old, known->name, CONTAINER_NAME_SIZE);
		changed = true;
	}
	if (!known && name) {
		known = calloc(1, sizeof(*known));
		if (known) {
			known->key = key;
			HASH_ADD(hh, changes->table, key, sizeof(known->key), known);
		}
	}
	if (known && name) {
		snprintf(known->name, sizeof(known->name), "%s", name);
	} else if (known) {
		HASH_DEL(changes->table, known);
		free(known);
	}
	pthread_mutex_unlock(&changes->lock);
	return changed;
}

void changes_on_container(void *arg, uint64_t key)
{
	struct fs *fs = arg;
	AUTO(container_view_unref) struct container_view *view = names_get_view(fs, key);
	char old[CONTAINER_NAME_SIZE];

	if (fs->invalidator) {
		if (swap_name(fs->changes, key, view ? view->name : NULL, old))
			invalidate_entry(fs->invalidator, node_make(NODE_CONTAINERS, 0, 0), old);
		/* Its times; no lock of the kernel's is taken for attributes alone. */
		fuse_lowlevel_notify_inval_inode(channel_get_session(fs->channel),
						 node_make(NODE_CONTAINER, key, 0), -1, 0);
	}
	if (fs->park)
		park_wake(fs->park, key);
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
		memcpy(folder, name, len);
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

	emit_image_event(fs, action, image_id, name);
	if (!fs->invalidator)
		return;
	if (*name)
		invalidate_tag(fs, name);
	if (strcmp(action, "delete") == 0) {
		memcpy(digits, image_id, strnlen(image_id, 12));
		invalidate_entry(fs->invalidator, node_make(NODE_SHA256, 0, 0), digits);
		invalidate_entry(fs->invalidator, node_make(NODE_SHA256, 0, 0), image_id);
	}
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

static void wake_handle(struct handle *handle)
{
	stream_note_change(handle);
	if (!handle->head->polled || !stream_is_ready(handle))
		return;
	handle->head->polled = 0;
	channel_notify_poll(handle->fs->channel, handle->head->poll_kh);
}

static void wake_event_reader(struct handle *handle)
{
	if (handle->row->kind == NODE_EVENTS)
		wake_handle(handle);
}

void changes_on_wake(void *arg, uint64_t key)
{
	struct fs *fs = arg;

	if (!fs->handles)
		return;
	if (key == PARK_EVENTS)
		handles_visit_all(fs, wake_event_reader);
	else
		handles_visit(fs, key, wake_handle);
}
