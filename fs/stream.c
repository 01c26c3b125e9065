/* Reads that wait. Each is one attempt that either gives bytes or the end, or says "not yet"; the first
 * is made at once, later ones by the waker. What a stream is about (the run, where it began) is fixed at the open
 * and kept in the head.
 *
 * attach has no offset of its own in the kernel, and events have no bytes before their open: their cursor
 * moves with each answered read. A read that is sent again because the engine died before its answer
 * arrived gets the same bytes.
 */
#include "fs/files.h"

#include "runtime/event.h"

#include <stdlib.h>
#include <string.h>

#define READ_MAX (1U << 20)

struct stream_request {
	struct parked parked;
	struct handle *handle;
	struct caller caller;
	size_t size;
	uint64_t offset;
	uint64_t number;
};

enum attempt { ATTEMPT_WAIT, ATTEMPT_DATA, ATTEMPT_ERROR };

/* --- the end of a run --------------------------------------------------- */

static bool look_for_end(struct handle *handle, int *ret_code)
{
	uint64_t run = handle->head->run;
	bool ended;

	if (handle->row->kind != NODE_C_FOLLOW)
		return container_get_exit(handle->container, run, ret_code);
	ended = container_get_last_exit(handle->container, &run, ret_code);
	handle->head->run = run;
	return ended;
}

static bool has_ended(struct handle *handle)
{
	int code;

	if (!handle->head->ended && handle->container && look_for_end(handle, &code)) {
		handle->head->exit_code = code;
		handle->head->ended = 1;
	}
	/* A container that a former engine removed: nothing more can come. */
	return handle->head->ended || !handle->container;
}

void stream_note_change(struct handle *handle)
{
	if (handle->row->class != FILE_STREAM || handle->row->kind == NODE_EVENTS)
		return;
	pthread_mutex_lock(&handle->lock);
	has_ended(handle);
	pthread_mutex_unlock(&handle->lock);
}

/* --- attempts ------------------------------------------------------------ */

static enum attempt attempt_wait(struct handle *handle, struct stream_request *rq, char *buf,
				 size_t *ret_len)
{
	char text[16];
	int len;

	if (!has_ended(handle))
		return ATTEMPT_WAIT;
	len = snprintf(text, sizeof(text), "%d\n", handle->head->exit_code);
	*ret_len = 0;
	if (rq->offset < (uint64_t)len) {
		*ret_len = (size_t)len - (size_t)rq->offset;
		if (*ret_len > rq->size)
			*ret_len = rq->size;
		memcpy(buf, text + rq->offset, *ret_len);
	}
	return ATTEMPT_DATA;
}

/* The log up to the end of the handle's run. ended is asked before the size: a run's log is whole when
 * its end is seen. */
static enum attempt attempt_log(struct handle *handle, uint64_t offset, size_t size, char *buf,
				size_t *ret_len, struct error *err)
{
	bool ended = has_ended(handle);
	uint64_t end = UINT64_MAX;
	ssize_t got;

	*ret_len = 0;
	if (!handle->log)
		return ATTEMPT_DATA;
	if (ended && logview_find_run_end(handle->log, handle->head->run, &end, err) < 0)
		return ATTEMPT_ERROR;
	got = logreader_read(&handle->head->reader, handle->log, offset, end, buf, size, err);
	if (got < 0)
		return ATTEMPT_ERROR;
	*ret_len = (size_t)got;
	return got > 0 || ended ? ATTEMPT_DATA : ATTEMPT_WAIT;
}

/* Where a read of a stream without offsets begins: again at the same place when it was sent again. */
static uint64_t begin_cursor(struct handle *handle, uint64_t number)
{
	if (handle->head->read_number == number)
		handle->head->cursor = handle->head->read_from;
	return handle->head->cursor;
}

static void move_cursor(struct handle *handle, uint64_t number, uint64_t to)
{
	handle->head->read_from = handle->head->cursor;
	handle->head->read_number = number;
	handle->head->cursor = to;
}

static enum attempt attempt_attach(struct handle *handle, struct stream_request *rq, char *buf,
				   size_t *ret_len, struct error *err)
{
	uint64_t from = begin_cursor(handle, rq->number);
	enum attempt got = attempt_log(handle, from, rq->size, buf, ret_len, err);

	if (got == ATTEMPT_DATA)
		move_cursor(handle, rq->number, from + *ret_len);
	return got;
}

/* The cursor of events: the number of the next event, and above it how much of its line a reader with
 * a short buffer has had, and whether that line is one that tells of a gap. */
#define EVENT_SEQ_BITS 44
#define EVENT_SEQ_MASK ((1ULL << EVENT_SEQ_BITS) - 1)
#define EVENT_IN_GAP (1ULL << 63)
/* More than a gap's line, less than any event's. */
#define EVENT_GAP_MAX 64

static uint64_t get_event_skip(uint64_t cursor)
{
	return (cursor & ~EVENT_IN_GAP) >> EVENT_SEQ_BITS;
}

/* The one line that is next; *inout_seq moves behind it. */
static ssize_t read_event_line(struct handle *handle, uint64_t *inout_seq, char *line,
			       bool *ret_is_gap)
{
	uint64_t seq = *inout_seq;
	ssize_t got = events_read(handle->fs->events, inout_seq, line, EVENT_GAP_MAX);

	*ret_is_gap = got > 0;
	if (got != -EMSGSIZE)
		return got;
	got = events_read(handle->fs->events, inout_seq, line, EVENT_LINE_MAX_BYTES);
	if (got <= 0)
		return got;
	*inout_seq = seq + 1;
	return (char *)memchr(line, '\n', (size_t)got) - line + 1;
}

/* As much of the next line as fits. A line that was dropped while it was read ends here: what the
 * reader then sees is a line cut short and the gap. */
static ssize_t read_event_part(struct handle *handle, uint64_t *inout_cursor, char *buf,
			       size_t size)
{
	auto_free char *line = malloc(EVENT_LINE_MAX_BYTES);
	uint64_t skip = get_event_skip(*inout_cursor), seq = *inout_cursor & EVENT_SEQ_MASK;
	uint64_t next = seq;
	bool is_gap = false;
	ssize_t len = line ? read_event_line(handle, &next, line, &is_gap) : -ENOMEM;
	size_t part;

	if (len <= 0)
		return len;
	if (skip >= (uint64_t)len || (skip > 0 && is_gap != !!(*inout_cursor & EVENT_IN_GAP))) {
		*buf = '\n';
		*inout_cursor = seq;
		return 1;
	}
	part = (size_t)len - skip < size ? (size_t)len - skip : size;
	memcpy(buf, line + skip, part);
	skip += part;
	*inout_cursor = skip == (uint64_t)len
				? next
				: seq | skip << EVENT_SEQ_BITS | (is_gap ? EVENT_IN_GAP : 0);
	return (ssize_t)part;
}

/* Whole lines, or a part of the one that is too long for the reader. */
static ssize_t read_events(struct handle *handle, uint64_t *inout_cursor, char *buf, size_t size)
{
	ssize_t got = -EMSGSIZE;

	if (get_event_skip(*inout_cursor) == 0)
		got = events_read(handle->fs->events, inout_cursor, buf, size);
	return got == -EMSGSIZE ? read_event_part(handle, inout_cursor, buf, size) : got;
}

/* From the place where the last read began, but for its first *inout_skip bytes. When what that read
 * gave was dropped meanwhile there is nothing to skip: the gap is told from its beginning. */
static ssize_t read_events_again(struct handle *handle, size_t *inout_skip, uint64_t *inout_cursor,
				 char *buf, size_t size)
{
	static const char gap[] = "{\"Type\":\"gap\"";
	size_t skip = *inout_skip;
	auto_free char *all = malloc(skip + size);
	uint64_t from = *inout_cursor;
	ssize_t got = all ? read_events(handle, inout_cursor, all, skip + size) : -ENOMEM;

	if (got < 0)
		return got;
	if (skip > 0 && ((size_t)got <= skip || memcmp(all, gap, strnlen(gap, (size_t)got)) == 0)) {
		*inout_skip = 0;
		*inout_cursor = from;
		return read_events(handle, inout_cursor, buf, size);
	}
	memcpy(buf, all + skip, (size_t)got - skip);
	return got - (ssize_t)skip;
}

/* Events have no end to seek from, but who read too much may go back into what the last read gave, as
 * head(1) does; and a read that is sent again begins where it did before. */
static enum attempt attempt_events(struct handle *handle, struct stream_request *rq, char *buf,
				   size_t *ret_len, struct error *err)
{
	struct handle_head *head = handle->head;
	bool again = rq->offset - head->read_offset < head->read_len;
	size_t skip = again ? (size_t)(rq->offset - head->read_offset) : 0;
	uint64_t next = again ? head->read_from : head->cursor;
	ssize_t got;

	*ret_len = 0;
	if (rq->size == 0)
		return ATTEMPT_DATA;
	got = read_events_again(handle, &skip, &next, buf, rq->size);
	if (got < 0) {
		error_set_sys(err, (int)-got, "cannot read the events");
		return ATTEMPT_ERROR;
	}
	if (got == 0)
		return ATTEMPT_WAIT;
	*ret_len = (size_t)got;
	/* In this order, so that an engine that begins anew at any of these finds the one read or the other. */
	if (skip == 0) {
		uint64_t from = again ? head->read_from : head->cursor;

		head->read_len = 0;
		head->read_from = from;
		head->read_offset = rq->offset;
	}
	head->read_len = skip + (uint64_t)got;
	head->cursor = next;
	return ATTEMPT_DATA;
}

static enum attempt attempt_follow(struct handle *handle, struct stream_request *rq, char *buf,
				   size_t *ret_len, struct error *err)
{
	enum attempt got = attempt_log(handle, rq->offset, rq->size, buf, ret_len, err);

	if (got == ATTEMPT_DATA)
		handle->head->cursor = rq->offset + *ret_len;
	return got;
}

static enum attempt attempt_locked(struct handle *handle, struct stream_request *rq, char *buf,
				   size_t *ret_len, struct error *err)
{
	switch (tree_get_role(handle->row->kind)) {
	case NODE_C_WAIT:
		return attempt_wait(handle, rq, buf, ret_len);
	case NODE_C_FOLLOW:
		return attempt_follow(handle, rq, buf, ret_len, err);
	case NODE_C_ATTACH:
		return attempt_attach(handle, rq, buf, ret_len, err);
	default:
		return attempt_events(handle, rq, buf, ret_len, err);
	}
}

/* Two readers of one descriptor get different bytes. */
static enum attempt attempt(struct handle *handle, struct stream_request *rq, char *buf,
			    size_t *ret_len, struct error *err)
{
	enum attempt got;

	pthread_mutex_lock(&handle->lock);
	got = attempt_locked(handle, rq, buf, ret_len, err);
	pthread_mutex_unlock(&handle->lock);
	return got;
}

/* --- reading ------------------------------------------------------------- */

/* True: answered. */
static bool answer(struct stream_request *rq)
{
	struct error err = ERROR_INIT;
	auto_free char *buf = malloc(rq->size ? rq->size : 1);
	size_t len = 0;
	enum attempt got;

	if (!buf) {
		fuse_reply_err(rq->parked.req, ENOMEM);
		return true;
	}
	got = attempt(rq->handle, rq, buf, &len, &err);
	if (got == ATTEMPT_DATA)
		fuse_reply_buf(rq->parked.req, buf, len);
	else if (got == ATTEMPT_ERROR) {
		fs_note_error(rq->handle->fs, &rq->caller, &err);
		fuse_reply_err(rq->parked.req, err.code);
	}
	return got != ATTEMPT_WAIT;
}

static bool try_read(struct parked *parked, bool interrupted)
{
	struct stream_request *rq = (struct stream_request *)parked;

	if (answer(rq))
		return true;
	if (interrupted)
		fuse_reply_err(parked->req, EINTR);
	return interrupted;
}

static void drop_read(struct parked *parked)
{
	struct stream_request *rq = (struct stream_request *)parked;

	handle_unref(rq->handle);
	free(rq);
}

static uint64_t get_wake_key(const struct handle *handle)
{
	return handle->row->kind == NODE_EVENTS ? PARK_EVENTS : node_get_key(handle->head->node);
}

void stream_read(fuse_req_t req, struct handle *handle, size_t size, uint64_t offset,
		 bool nonblocking)
{
	struct stream_request *rq = calloc(1, sizeof(*rq));

	if (!rq) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	rq->handle = handle_ref(handle);
	rq->size = size < READ_MAX ? size : READ_MAX;
	rq->offset = offset;
	rq->number = channel_get_unique();
	rq->parked = (struct parked){
		.key = get_wake_key(handle),
		.number = rq->number,
		.req = req,
		.tid = fuse_req_ctx(req)->pid,
		.signals = CALLER_ANY_SIGNAL,
		.try = try_read,
		.drop = drop_read,
	};
	fs_read_caller(req, &rq->caller);
	if (answer(rq))
		drop_read(&rq->parked);
	else if (nonblocking) {
		fuse_reply_err(req, EAGAIN);
		drop_read(&rq->parked);
	} else {
		park_add(handle->fs->park, &rq->parked);
	}
}

/* --- opening --------------------------------------------------------------- */

static int open_log(struct handle *handle, struct error *err)
{
	int r = logview_open(container_get_dir_fd(handle->container), LOGVIEW_ALL, &handle->log,
			     err);

	if (r == 0)
		logwatch_add(handle);
	return r;
}

int stream_open(struct handle *handle, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = NULL;
	int r;

	if (handle->row->kind == NODE_EVENTS) {
		handle->head->cursor = events_get_next(handle->fs->events);
		return 0;
	}
	if (!handle->container)
		return error_set(err, ENOENT, "the container has been removed");
	view = container_get_view(handle->container);
	handle->head->run = view->state == CONTAINER_CREATED ? view->run + 1 : view->run;
	if (tree_get_role(handle->row->kind) == NODE_C_WAIT)
		return 0;
	r = open_log(handle, err);
	if (r < 0)
		return r;
	/* attach has no offsets but its cursor: the log's own will do. */
	if (tree_get_role(handle->row->kind) == NODE_C_ATTACH)
		return logview_get_size(handle->log, &handle->head->cursor, err);
	logreader_init(&handle->head->reader, logview_get_base(handle->log));
	return 0;
}

void stream_restore(struct handle *handle)
{
	if (handle->row->class == FILE_LOG && handle->head->polled)
		logwatch_add(handle);
	if (handle->row->class != FILE_STREAM || !handle->container)
		return;
	if (tree_get_role(handle->row->kind) != NODE_C_WAIT)
		open_log(handle, NULL);
	has_ended(handle);
}

void stream_release(struct handle *handle)
{
	logwatch_remove(handle);
}

/* --- poll ------------------------------------------------------------------ */

static bool log_has_more(const struct handle *handle, struct logview *log)
{
	return logreader_has_byte(&handle->head->reader, log, handle->head->cursor);
}

static bool is_ready_locked(struct handle *handle)
{
	switch (tree_get_role(handle->row->kind)) {
	case NODE_EVENTS:
		return get_event_skip(handle->head->cursor) > 0 ||
		       events_get_next(handle->fs->events) > handle->head->cursor;
	case NODE_C_WAIT:
		return has_ended(handle);
	case NODE_C_FOLLOW:
	case NODE_C_ATTACH:
		return has_ended(handle) || log_has_more(handle, handle->log);
	default:
		return !handle->text || log_has_more(handle, handle->text->log);
	}
}

bool stream_is_ready(struct handle *handle)
{
	bool ready;

	pthread_mutex_lock(&handle->lock);
	ready = is_ready_locked(handle);
	pthread_mutex_unlock(&handle->lock);
	return ready;
}
