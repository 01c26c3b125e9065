/* The table is an array by slot number. The list of published handles serves wake-ups; both are
 * guarded by one lock, under which nothing is called.
 */
#include "fs/handle.h"

#include "fs/files.h"
#include "fs/slots.h"

#include <stdlib.h>
#include <string.h>

#define HANDLE_SLOTS 65536

struct handles {
	struct slots *slots;
	pthread_mutex_t lock; /* guards the rest */
	struct handle *first;
	struct handle *table[HANDLE_SLOTS];
};

struct handle *handle_ref(struct handle *handle)
{
	atomic_fetch_add(&handle->refs, 1);
	return handle;
}

void handle_unref(struct handle *handle)
{
	if (!handle || atomic_fetch_sub(&handle->refs, 1) != 1)
		return;
	if (handle->released)
		slots_free(handle->fs->handles->slots, handle->slot);
	container_unref(handle->container);
	archivefile_release(handle);
	node_text_unref(handle->text);
	if (handle->log)
		logview_close(handle->log);
	free(handle->import_path);
	strbuf_deinit(&handle->pending);
	strbuf_deinit(&handle->reply);
	pthread_mutex_destroy(&handle->lock);
	free(handle);
}

/* Of a file that was open when a former engine died, also one that is removed. */
static struct container *find_container(struct fs *fs, uint64_t key)
{
	struct container *c = engine_find_key(fs->engine, key);

	return c ? c : engine_find_removed(fs->engine, key);
}

static struct handle *make(struct fs *fs, uint32_t slot, struct handle_head *head)
{
	struct handle *handle = calloc(1, sizeof(*handle));

	if (!handle)
		return NULL;
	atomic_init(&handle->refs, 1);
	handle->fs = fs;
	handle->slot = slot;
	handle->head = head;
	handle->row = tree_get_row(node_get_kind(head->node));
	if (handle->row &&
	    (handle->row->parent == NODE_CONTAINER || handle->row->parent == NODE_EXEC))
		handle->container = find_container(fs, node_get_key(head->node));
	pthread_mutex_init(&handle->lock, NULL);
	return handle;
}

static bool has_text(const struct tree_row *row)
{
	return row->render != NULL;
}

/* What begins the blob of a text, ctl, config or listing; the reply and the pending line follow. */
struct saved {
	uint64_t write_number;
	uint32_t reply_len;
	uint32_t pending_len;
};

static char *read_blob(struct handles *handles, uint32_t slot, size_t *ret_len)
{
	size_t len = slots_get_blob_len(handles->slots, slot);
	char *bytes = malloc(len + 1);
	ssize_t got = bytes ? slots_read_blob(handles->slots, slot, bytes, len, 0) : -1;

	if (got < 0) {
		free(bytes);
		return NULL;
	}
	bytes[got] = '\0';
	*ret_len = (size_t)got;
	return bytes;
}

/* The head's fields that lie in the blob too were set at another moment: the blob counts. */
static int restore_blob(struct handles *handles, struct handle *handle)
{
	size_t len = 0;
	auto_free char *bytes = read_blob(handles, handle->slot, &len);
	struct saved saved;

	if (!bytes || len < sizeof(saved))
		return -EIO;
	memcpy(&saved, bytes, sizeof(saved));
	if (len - sizeof(saved) < (size_t)saved.reply_len + saved.pending_len)
		return -EIO;
	handle->head->write_number = saved.write_number;
	handle->head->reply_len = saved.reply_len;
	handle->head->pending_len = saved.pending_len;
	strbuf_append(&handle->reply, bytes + sizeof(saved), saved.reply_len);
	strbuf_append(&handle->pending, bytes + sizeof(saved) + saved.reply_len, saved.pending_len);
	if (!has_text(handle->row))
		return 0;
	handle->text = nodes_put_reply(handle->fs->nodes, handle->head->node, handle->reply.data,
				       handle->reply.len, handle->head->reply_pad);
	if (handle->text && handle->row->class == FILE_ARCHIVE)
		archivefile_restore(handle);
	return handle->text ? 0 : -ENOMEM;
}

/* The node is looked at anew, but what it showed when it was looked up stays. */
static void restore_log(struct handle *handle)
{
	struct caller nobody = { 0 };

	handle->text = nodes_get(handle->fs, handle->head->node, &nobody, NULL);
	if (!handle->text)
		return;
	node_text_extend(handle->text, handle->head->reader.base);
	node_text_extend(handle->text, logreader_get_shift(&handle->head->reader));
}

static void restore(struct fs *fs, struct handles *handles, uint32_t slot)
{
	struct handle_head *head = slots_get_head(handles->slots, slot);
	struct handle *handle = head->open_number ? make(fs, slot, head) : NULL;
	size_t len;

	if (!handle || !handle->row) {
		/* Half opened: its request is sent again, and nobody knows the slot. */
		if (!head->open_number)
			slots_free(handles->slots, slot);
		handle_unref(handle);
		return;
	}
	if (has_text(handle->row) || handle->row->class == FILE_DIR)
		restore_blob(handles, handle);
	else if (handle->row->class == FILE_LOG)
		restore_log(handle);
	else if (handle->row->class == FILE_IMPORT)
		handle->import_path = read_blob(handles, slot, &len);
	handles->table[slot] = handle;
	handle->next = handles->first;
	handles->first = handle;
}

int handles_open(struct fs *fs, int memory_fd, struct handles **ret, struct error *err)
{
	struct handles *handles = calloc(1, sizeof(*handles));
	int r;

	if (!handles)
		return error_set(err, ENOMEM, "no memory for open files");
	pthread_mutex_init(&handles->lock, NULL);
	r = slots_open(memory_fd, sizeof(struct handle_head), HANDLE_SLOTS, &handles->slots, err);
	if (r < 0) {
		handles_close(handles);
		return r;
	}
	for (uint32_t slot = slots_find_next(handles->slots, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(handles->slots, slot + 1))
		restore(fs, handles, slot);
	*ret = handles;
	return 0;
}

void handles_close(struct handles *handles)
{
	if (!handles)
		return;
	while (handles->first) {
		struct handle *handle = handles->first;

		handles->first = handle->next;
		handles->table[handle->slot] = NULL;
		handle_unref(handle);
	}
	slots_close(handles->slots);
	pthread_mutex_destroy(&handles->lock);
	free(handles);
}

static void save(struct handles *handles, struct handle *handle, const char *reply, size_t len)
{
	AUTO(strbuf_deinit) struct strbuf blob = STRBUF_INIT;
	struct saved saved = { .write_number = handle->head->write_number,
			       .reply_len = (uint32_t)len,
			       .pending_len = (uint32_t)handle->pending.len };

	strbuf_append(&blob, &saved, sizeof(saved));
	strbuf_append(&blob, reply, len);
	strbuf_append(&blob, handle->pending.data, handle->pending.len);
	if (blob.oom)
		return;
	slots_put_blob(handles->slots, handle->slot, blob.data, blob.len);
	handle->head->reply_len = saved.reply_len;
	handle->head->pending_len = saved.pending_len;
}

int handle_new(struct fs *fs, uint64_t node, unsigned flags, const struct caller *caller,
	       struct handle **ret, struct error *err)
{
	struct handles *handles = fs->handles;
	AUTO(handle_unref) struct handle *handle = NULL;
	uint32_t slot = slots_alloc(handles->slots);
	struct handle_head *head;

	if (slot == SLOTS_NONE)
		return error_set(err, ENFILE, "%d files of this mount are open: close some",
				 HANDLE_SLOTS);
	head = slots_get_head(handles->slots, slot);
	head->node = node;
	head->open_flags = flags;
	handle = make(fs, slot, head);
	if (handle && (has_text(handle->row) || handle->row->class == FILE_LOG)) {
		handle->text = nodes_get(fs, node, caller, err);
		if (!handle->text) {
			slots_free(handles->slots, slot);
			return -err->code;
		}
		if (handle->text->log)
			logreader_init(&head->reader, logview_get_base(handle->text->log));
	}
	if (!handle) {
		slots_free(handles->slots, slot);
		return error_set(err, ENOMEM, "no memory for an open file");
	}
	if (has_text(handle->row)) {
		head->reply_pad = handle->text->pad;
		save(handles, handle, handle->text->text, handle->text->len);
		if (handle->row->class == FILE_CONFIG) /* what is read stays while it is written */
			strbuf_append(&handle->reply, handle->text->text, handle->text->len);
	}
	*ret = steal_ptr(&handle);
	return 0;
}

void handle_publish(struct handle *handle, uint64_t number)
{
	struct handles *handles = handle->fs->handles;

	handle->head->open_number = number;
	pthread_mutex_lock(&handles->lock);
	handles->table[handle->slot] = handle;
	handle->next = handles->first;
	handles->first = handle;
	pthread_mutex_unlock(&handles->lock);
}

struct handle *handle_get(struct fs *fs, uint64_t fh)
{
	struct handle *handle = NULL;

	if (fh >= HANDLE_SLOTS)
		return NULL;
	pthread_mutex_lock(&fs->handles->lock);
	handle = fs->handles->table[fh];
	if (handle)
		handle_ref(handle);
	pthread_mutex_unlock(&fs->handles->lock);
	return handle;
}

struct handle *handle_find_opened(struct fs *fs, uint64_t number)
{
	struct handle *handle;

	pthread_mutex_lock(&fs->handles->lock);
	for (handle = fs->handles->first; handle && handle->head->open_number != number;
	     handle = handle->next)
		;
	if (handle)
		handle_ref(handle);
	pthread_mutex_unlock(&fs->handles->lock);
	return handle;
}

void handle_release(struct handle *handle)
{
	struct handles *handles = handle->fs->handles;
	struct handle **at;

	pthread_mutex_lock(&handles->lock);
	for (at = &handles->first; *at && *at != handle; at = &(*at)->next)
		;
	if (*at)
		*at = handle->next;
	handles->table[handle->slot] = NULL;
	/* The slot goes with the last reference, for a visitor may look at the head. That can be after the
	 * answer; an engine killed in between must not leave an open file that nobody closes. */
	handle->head->open_number = 0;
	handle->released = true;
	pthread_mutex_unlock(&handles->lock);
	handle_unref(handle);
}

void handle_save(struct handle *handle)
{
	save(handle->fs->handles, handle, handle->reply.data, handle->reply.len);
}

int handle_save_import_path(struct handle *handle, const char *path)
{
	handle->import_path = strdup(path);
	if (!handle->import_path)
		return -ENOMEM;
	return slots_put_blob(handle->fs->handles->slots, handle->slot, path, strlen(path));
}

struct node_text *handle_get_text(struct handle *handle)
{
	struct node_text *text;

	pthread_mutex_lock(&handle->lock);
	text = handle->text ? node_text_ref(handle->text) : NULL;
	pthread_mutex_unlock(&handle->lock);
	return text;
}

void handle_set_text(struct handle *handle, struct node_text *text)
{
	struct node_text *old;

	pthread_mutex_lock(&handle->lock);
	old = handle->text;
	handle->text = text;
	pthread_mutex_unlock(&handle->lock);
	node_text_unref(old);
}

/* The published handles, each with a reference, so that fn may wait or take locks. */
static void visit(struct fs *fs, bool all, uint64_t key, void (*fn)(struct handle *handle))
{
	struct handles *handles = fs->handles;
	auto_free struct handle **found = NULL;
	size_t count = 0;

	pthread_mutex_lock(&handles->lock);
	for (struct handle *h = handles->first; h; h = h->next)
		count++;
	found = calloc(count ? count : 1, sizeof(struct handle *));
	count = 0;
	for (struct handle *h = found ? handles->first : NULL; h; h = h->next) {
		if (all || node_get_key(h->head->node) == key)
			found[count++] = handle_ref(h);
	}
	pthread_mutex_unlock(&handles->lock);
	for (size_t i = 0; i < count; i++) {
		fn(found[i]);
		handle_unref(found[i]);
	}
}

void handles_visit(struct fs *fs, uint64_t key, void (*fn)(struct handle *handle))
{
	visit(fs, false, key, fn);
}

void handles_visit_all(struct fs *fs, void (*fn)(struct handle *handle))
{
	visit(fs, true, 0, fn);
}
