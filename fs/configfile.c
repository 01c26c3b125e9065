/* A container's config as a file. Writes are gathered until they hold a complete JSON object, which is then
 * merged in; a merge done twice is a merge done once, so a request sent again is simply done.
 */
#include "fs/files.h"

#include "base/json.h"

#include <ctype.h>
#include <string.h>

#define CONFIG_MAX (1U << 20)

static int apply(struct work *work, const json_t *patch)
{
	struct container *c = work->handle->container;

	if (!c || container_is_removed(c))
		return error_set(&work->err, ENOENT, "the container has been removed");
	if (!json_is_object(patch))
		return error_set(&work->err, EINVAL, "a config is a JSON object: {\"Key\": value}");
	return container_update(c, &work->ticket, patch, &work->err);
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!isspace((unsigned char)text[i]))
			return false;
	}
	return true;
}

/* The objects in text, all or none; *ret_rest: where the unfinished one begins. */
static int parse_objects(struct work *work, const char *text, size_t len, json_t *patches,
			 size_t *ret_rest)
{
	size_t at = 0;

	while (!is_blank(text + at, len - at)) {
		json_t *patch = NULL;
		size_t used = 0;
		int r = json_parse_prefix(text + at, len - at, &patch, &used, &work->err);

		*ret_rest = at;
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return r;
		if (json_array_append_new(patches, patch) < 0)
			return error_set(&work->err, ENOMEM, "no memory for a config");
		at += used;
	}
	*ret_rest = len;
	return 0;
}

static int apply_objects(struct work *work, const char *text, size_t len, size_t *ret_rest)
{
	auto_json json_t *patches = json_array();
	json_t *patch;
	size_t i;
	int r = parse_objects(work, text, len, patches, ret_rest);

	json_array_foreach(patches, i, patch) {
		if (r == 0)
			r = apply(work, patch);
	}
	return r;
}

/* The write is done when the handle is saved with its number. */
static void commit(struct work *work, const char *text, size_t len, size_t keep, int result)
{
	struct handle *handle = work->handle;

	work->record->result = result;
	strbuf_reset(&handle->pending);
	strbuf_append(&handle->pending, text + (len - keep), keep);
	handle->head->write_owner = work->owner;
	handle->head->write_number = work->number;
	handle_save(handle);
}

static void run_write(struct work *work)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	size_t rest = 0;
	int r;

	if (work->handle->head->write_number == work->number) {
		work_done(work, work->record->result);
		return;
	}
	strbuf_append(&text, work->handle->pending.data, work->handle->pending.len);
	strbuf_append(&text, work->data, work->len);
	r = strbuf_check(&text, &work->err);
	if (r == 0)
		r = apply_objects(work, strbuf_get_str(&text), text.len, &rest);
	if (r == 0 && text.len - rest > CONFIG_MAX)
		r = error_set(&work->err, E2BIG, "a config is longer than %u bytes", CONFIG_MAX);
	if (r < 0)
		error_wrap(&work->err, r, "config");
	if (r < 0 && work->err.code) /* told here: the sentence must be there before the answer */
		fs_note_error(work->fs, &work->caller, &work->err);
	error_clear(&work->err);
	commit(work, strbuf_get_str(&text), text.len, r < 0 ? 0 : text.len - rest,
	       r < 0 ? r : (int)work->len);
	work_done(work, work->record->result);
}

void configfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		      uint64_t offset, uint64_t owner)
{
	work_start_file(req, handle, bytes, len, offset, owner, run_write, work_answer_write);
}

void configfile_flush(fuse_req_t req, struct handle *handle)
{
	struct error err = ERROR_INIT;

	/* Another process writes on: its close is the end. */
	if (atomic_exchange(&handle->at_work, true)) {
		fuse_reply_err(req, 0);
		return;
	}
	strbuf_reset(&handle->pending);
	handle_save(handle);
	atomic_store(&handle->at_work, false);
	error_set(&err, EINVAL, "config: the JSON object is not complete at its end");
	fs_reply_error(req, &err);
}
