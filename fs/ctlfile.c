/* Control files. A write holds commands, one a line; it is answered when they have been carried out. The
 * reply lies behind the command's last byte on the same descriptor, and is the session's last one.
 *
 * For a later engine: after each command its reply is saved with the handle, then the count of commands
 * done goes up in the request's record. So a command is done again only when its own ticket says how. The
 * whole write is done when the handle is saved with its number.
 */
#include "fs/files.h"

#include "fs/invalidate.h"
#include "fs/perform/perform.h"
#include "fs/render/text.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* A shorter write may lack its last newline: nobody cuts a command into such pieces. */
#define WHOLE_WRITE 4096

static uint64_t get_session_key(const struct handle *handle)
{
	return handle->container ? node_get_key(handle->head->node) : SESSION_CTL;
}

static void get_info(void *arg, struct render_info *ret)
{
	const struct work *work = arg;

	text_get_info(work->fs, ret);
}

/* A pread of another thread sees the replies so far, where the whole one will lie. */
static void show_progress(void *arg)
{
	struct work *work = arg;
	struct handle *handle = work->handle;
	struct node_text *text = NULL;

	if (work->data && (handle->head->open_flags & O_ACCMODE) == O_RDWR)
		text = nodes_put_reply(work->fs->nodes, handle->head->node, handle->reply.data,
				       handle->reply.len, work->offset + work->len);
	if (text)
		handle_set_text(handle, text);
}

/* First the reply, then that it counts. */
static void keep_reply(void *arg)
{
	struct work *work = arg;

	handle_save(work->handle);
	work->record->reply_len = (uint32_t)work->handle->reply.len;
}

static int perform_command(struct work *work, const struct command *command)
{
	struct handle *handle = work->handle;
	struct perform_context context = {
		.engine = work->fs->engine,
		.graph = work->fs->graph,
		.registries = work->fs->registries,
		.ticket = &work->ticket,
		.container = handle->container,
		.get_info = get_info,
		.show_progress = show_progress,
		.keep_reply = keep_reply,
		.arg = work,
	};
	int r;

	if (command_is_interruptible(command))
		work_allow_interrupt(work);
	r = perform(&context, command, &handle->reply, &work->err);
	if (command_is_interruptible(command))
		work_end_interrupt(work);
	return r;
}

static const char *get_name(const struct handle *handle, struct container_view **ret_view)
{
	if (!handle->container)
		return NULL;
	*ret_view = container_get_view(handle->container);
	return (*ret_view)->name;
}

static int run_words(struct work *work, const struct words *words)
{
	AUTO(command_deinit) struct command command = { 0 };
	AUTO(container_view_unref) struct container_view *view = NULL;
	const char *name = get_name(work->handle, &view);
	int r;

	if (work->handle->row->kind != NODE_CTL && !name)
		return error_set(&work->err, ENOENT, "the container has been removed");
	r = work->handle->row->kind == NODE_X_CTL
		    ? command_parse_exec(words, name, &command, &work->err)
		    : command_parse(words, name, &command, &work->err);
	return r < 0 ? r : perform_command(work, &command);
}

/* One command is done: first its reply is kept, then the count. */
static void count_command(struct work *work)
{
	keep_reply(work);
	work->record->commands++;
}

/* The commands in text. *ret_rest: where the unfinished line begins. */
static int run_lines(struct work *work, const char *text, size_t len, bool at_end, size_t *ret_rest)
{
	uint32_t number = 0;
	int r;

	for (size_t at = 0; at < len;) {
		AUTO(words_deinit) struct words words = { 0 };
		bool in_quote = false;
		size_t used = 0;

		*ret_rest = at;
		r = words_split(text + at, len - at, at_end, &words, &used, &in_quote, &work->err);
		if (r < 0 && in_quote)
			work->handle->head->torn = 1;
		if (r <= 0)
			return r;
		at += used;
		*ret_rest = at;
		if (words.count == 0 || number++ < work->record->commands)
			continue;
		work_begin_command(work, work->record->commands);
		r = run_words(work, &words);
		if (r < 0)
			return r;
		count_command(work);
	}
	return 0;
}

static void append_failure(struct work *work)
{
	strbuf_appendf(&work->handle->reply, "error: %s\n", work->err.msg);
}

/* Let readers of this descriptor and of the session see the reply. */
static void publish_reply(struct work *work, uint64_t pad)
{
	struct handle *handle = work->handle;
	struct fs *fs = work->fs;
	struct node_text *text;

	handle->head->reply_pad = pad;
	text = nodes_put_reply(fs->nodes, handle->head->node, handle->reply.data, handle->reply.len,
			       pad);
	if (text)
		handle_set_text(handle, text);
	sessions_put(fs->sessions, &work->caller, get_session_key(handle), handle->reply.data,
		     handle->reply.len);
}

/* The kernel's idea of the file's size must reach the reply's end before the writer looks: sendfile(2),
 * sftp and Python's r+ believe it. */
static void store_reply(struct work *work)
{
	struct handle *handle = work->handle;
	struct fuse_bufvec vec = FUSE_BUFVEC_INIT(handle->reply.len);

	if ((handle->head->open_flags & O_ACCMODE) != O_RDWR || handle->reply.len == 0)
		return;
	vec.buf[0].mem = handle->reply.data;
	fuse_lowlevel_notify_store(channel_get_session(work->fs->channel), handle->head->node,
				   (off_t)handle->head->reply_pad, &vec, 0);
}

/* The result is known: everybody can see it, then it counts. keep: bytes of the text's unfinished end. */
static void commit(struct work *work, const char *text, size_t len, size_t keep, int result)
{
	struct handle *handle = work->handle;

	work->record->result = result;
	handle->head->write_owner = work->owner;
	publish_reply(work, work->offset + (result > 0 ? (uint64_t)result : 0));
	strbuf_reset(&handle->pending);
	strbuf_append(&handle->pending, text + (len - keep), keep);
	handle->head->write_number = work->number;
	handle_save(handle);
}

/* What is left when it counts; safe to repeat. */
static void finish(struct work *work)
{
	store_reply(work);
	invalidate_wait(work->fs->invalidator);
	work_done(work, work->record->result);
}

static int run_text(struct work *work, const char *text, size_t len, bool at_end, size_t *ret_keep)
{
	size_t rest = len;
	int r;

	if (work->handle->head->torn)
		return error_set(
			&work->err, EINVAL,
			"an earlier write on this descriptor ended inside a quote; open it anew");
	r = run_lines(work, text, len, at_end, &rest);
	if (r < 0)
		return r;
	if (len - rest > COMMAND_MAX)
		return error_set(&work->err, E2BIG, "a command is longer than %d bytes",
				 COMMAND_MAX);
	*ret_keep = len - rest;
	return 0;
}

static void run_write(struct work *work)
{
	struct handle *handle = work->handle;
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	bool at_end = work->len < WHOLE_WRITE;
	size_t keep = 0;
	int r;

	if (handle->head->write_number == work->number) {
		finish(work);
		return;
	}
	strbuf_append(&text, handle->pending.data, handle->pending.len);
	strbuf_append(&text, work->data, work->len);
	/* The replies of the commands that a former engine did are kept; of a new write there are none. */
	if (work->record->reply_len == 0)
		strbuf_reset(&handle->reply);
	strbuf_truncate(&handle->reply, work->record->reply_len);
	r = strbuf_check(&text, &work->err);
	if (r == 0)
		r = run_text(work, strbuf_get_str(&text), text.len, at_end, &keep);
	if (r < 0) {
		append_failure(work);
		fs_note_error(work->fs, &work->caller, &work->err);
		error_clear(&work->err);
	} else {
		r = (int)work->len;
	}
	commit(work, strbuf_get_str(&text), text.len, keep, r);
	finish(work);
}

void ctlfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		   uint64_t offset, uint64_t owner)
{
	work_start_file(req, handle, bytes, len, offset, owner, run_write, work_answer_write);
}

void ctlfile_flush(fuse_req_t req, struct handle *handle)
{
	work_start_file(req, handle, "", 0, handle->head->reply_pad, handle->head->write_owner,
			run_write, work_answer_ok);
}
