/* Views of a log, by offset.
 *
 * A record of an index holds the totals up to and with its chunk, so the chunk that a byte of a view belongs
 * to is found by two searches: for the last segment that begins at or before the byte, and there for the
 * first record whose total lies above it.
 *
 * The shim writes bytes before records, appends, and drops whole segments, the oldest first: whatever a whole
 * record covers is there or its segment's index is gone; a torn record is not seen; no lock is needed. What is
 * remembered are open segments, the newest and the one last read, and where in a chunk the last read of
 * logs.json ended: each is only where the next search begins. Damage (totals that fall, a log shorter than its
 * index) is EIO with a sentence.
 */
#include "runtime/logview.h"

#include "runtime/logformat.h"
#include "runtime/logsegment.h"
#include "runtime/logview_json.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What the shim reads at most at once is a sixteenth of this. */
#define CHUNK_MAX_BYTES (16U << 20)
/* Rotation may overtake a look at the directory, but not for ever: a directory without some segment in
 * the middle is damaged. */
#define ATTEMPTS 100
/* Further on a search is quicker than a walk. */
#define WALK_MAX 4

/* Where the last read of logs.json ended. */
struct json_hint {
	uint64_t segment, record;
	uint64_t offset; /* of the view, for place; UINT64_MAX: none */
	struct logview_json_place place;
};

struct logview {
	enum logview_kind kind;
	int dir_fd;
	uint64_t base;
	pthread_mutex_t lock; /* of the rest */
	struct logsegment *newest, *current;
	struct json_hint hint;
};

/* ---- segments -------------------------------------------------------------- */

static struct logsegment *get_known(struct logview *view, struct logsegment **slot)
{
	struct logsegment *segment;

	pthread_mutex_lock(&view->lock);
	segment = *slot ? logsegment_ref(*slot) : NULL;
	pthread_mutex_unlock(&view->lock);
	return segment;
}

static void set_known(struct logview *view, struct logsegment **slot, struct logsegment *segment)
{
	struct logsegment *old;

	pthread_mutex_lock(&view->lock);
	old = *slot;
	if (old != segment)
		*slot = logsegment_ref(segment);
	pthread_mutex_unlock(&view->lock);
	if (old != segment)
		logsegment_unref(old);
}

/* A known one, or opened. -ENOENT without a sentence. */
static int get_segment(struct logview *view, uint64_t number, struct logsegment **ret,
		       struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *newest = get_known(view, &view->newest);

	if (newest && newest->number == number) {
		*ret = steal_ptr(&newest);
		return 0;
	}
	return logsegment_open(view->dir_fd, number, ret, err);
}

static int scan(struct logview *view, struct log_span *ret, struct error *err)
{
	int r = logformat_scan(view->dir_fd, ret);

	if (r == -ENOENT) { /* the directory itself has gone */
		*ret = (struct log_span){ .has_index = false };
		return 0;
	}
	return r < 0 ? error_set_sys(err, -r, "cannot look for the log") : 0;
}

static int incomplete(struct error *err)
{
	return error_set(err, EIO, "the log is damaged: a part in the middle is missing");
}

/* The one after `from` (NULL: any), when there is a newer one: 1. 0: `from` is the newest. */
static int step_up(struct logview *view, const struct logsegment *from, struct logsegment **ret,
		   struct error *err)
{
	struct log_span span;
	int r = -ENOENT;

	if (from)
		r = logsegment_open(view->dir_fd, from->number + 1, ret, err);
	if (r != -ENOENT)
		return r < 0 ? r : 1;
	/* Nothing was dropped, so that what follows it was never there. */
	if (from && !logsegment_is_gone(from))
		return 0;
	r = scan(view, &span, err);
	if (r < 0 || !span.has_index || (from && span.last <= from->number))
		return r;
	r = logsegment_open(view->dir_fd, span.last, ret, err);
	if (r == -ENOENT && span.last > span.first) /* it is being made */
		r = logsegment_open(view->dir_fd, span.last - 1, ret, err);
	if (r == -ENOENT)
		return -EAGAIN;
	return r < 0 ? r : 1;
}

/* *ret NULL: there is no log yet. */
static int get_newest(struct logview *view, struct logsegment **ret, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *segment = get_known(view, &view->newest);
	int r = 1;

	for (int i = 0; i < ATTEMPTS && r != 0; i++) {
		struct logsegment *next = NULL;

		r = step_up(view, segment, &next, err);
		if (r < 0 && r != -EAGAIN)
			return r;
		if (r == 1 && (!segment || next->number > segment->number)) {
			logsegment_unref(segment);
			segment = steal_ptr(&next);
		} else if (r == 1) {
			logsegment_unref(next);
			r = 0;
		}
	}
	if (segment)
		set_known(view, &view->newest, segment);
	*ret = steal_ptr(&segment);
	return 0;
}

static uint64_t get_start(const struct logview *view, const struct logsegment *segment)
{
	return logsegment_get_total(view->kind, &segment->base);
}

static int get_end(const struct logview *view, const struct logsegment *segment, uint64_t *ret,
		   struct error *err)
{
	struct log_record last;
	int r = logsegment_get_last(segment, &last, err);

	if (r == 0)
		*ret = logsegment_get_total(view->kind, &last);
	return r;
}

/* The last of first..newest that begins at or before offset. -ESTALE: none does. -EAGAIN: rotation came
 * between. */
static int search_segment(struct logview *view, uint64_t first, struct logsegment *newest,
			  uint64_t offset, struct logsegment **ret, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *found = NULL;
	uint64_t low = first, high = newest->number + 1;

	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		struct logsegment *segment = NULL;
		int r = get_segment(view, mid, &segment, err);

		if (r < 0)
			return r == -ENOENT ? -EAGAIN : r;
		if (get_start(view, segment) <= offset) {
			logsegment_unref(found);
			found = segment;
			low = mid + 1;
		} else {
			logsegment_unref(segment);
			high = mid;
		}
	}
	if (!found)
		return -ESTALE;
	*ret = steal_ptr(&found);
	return 0;
}

static int find_by_search(struct logview *view, struct logsegment *newest, uint64_t offset,
			  struct logsegment **ret, struct error *err)
{
	struct log_span span;
	int r = -EAGAIN;

	if (get_start(view, newest) <= offset) {
		*ret = logsegment_ref(newest);
		return 0;
	}
	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++) {
		r = scan(view, &span, err);
		if (r < 0)
			return r;
		if (!span.has_index || span.first > newest->number)
			return -ESTALE;
		r = search_segment(view, span.first, newest, offset, ret, err);
	}
	return r == -EAGAIN ? incomplete(err) : r;
}

/* The segment of the byte at offset, its end in *ret_end; NULL at the view's end. */
static int find_segment(struct logview *view, struct logsegment *newest, uint64_t offset,
			struct logsegment **ret, uint64_t *ret_end, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *segment = get_known(view, &view->current);
	int searched = 0, walked = 0, r;

	for (;;) {
		if (!segment || get_start(view, segment) > offset || walked == WALK_MAX) {
			if (searched++ == ATTEMPTS)
				return incomplete(err);
			logsegment_unref(steal_ptr(&segment));
			r = find_by_search(view, newest, offset, &segment, err);
			if (r < 0)
				return r;
			walked = 0;
		}
		if ((r = get_end(view, segment, ret_end, err)) < 0)
			return r;
		if (offset < *ret_end || segment->number >= newest->number)
			break;
		uint64_t next = segment->number + 1;
		logsegment_unref(steal_ptr(&segment));
		r = get_segment(view, next, &segment, err);
		if (r < 0 && r != -ENOENT)
			return r;
		walked++;
	}
	*ret = offset < *ret_end ? steal_ptr(&segment) : NULL;
	return 0;
}

/* ---- opening ---------------------------------------------------------------- */

int logview_get_oldest(struct logview *view, uint64_t *ret_offset, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *first = NULL;
	AUTO(logsegment_unref) struct logsegment *newest = NULL;
	struct log_span span;
	int r = get_newest(view, &newest, err);

	if (r < 0)
		return r;
	*ret_offset = newest ? get_start(view, newest) : 0;
	if (!newest || newest->number == 0)
		return 0;
	for (int i = 0; i < ATTEMPTS; i++) {
		r = scan(view, &span, err);
		if (r < 0 || !span.has_index || span.first >= newest->number)
			return r;
		r = get_segment(view, span.first, &first, err);
		if (r == 0)
			*ret_offset = get_start(view, first);
		if (r != -ENOENT)
			return r;
	}
	return incomplete(err);
}

int logview_open(int dir_fd, enum logview_kind kind, struct logview **ret, struct error *err)
{
	AUTO(logview_close) struct logview *view = calloc(1, sizeof(*view));

	if (!view)
		return error_set_sys(err, ENOMEM, "cannot open the log");
	view->kind = kind;
	view->hint.offset = UINT64_MAX;
	pthread_mutex_init(&view->lock, NULL);
	view->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (view->dir_fd < 0)
		return error_set_sys(err, errno, "cannot open the log");
	int r = logview_get_oldest(view, &view->base, err);
	if (r < 0 && r != -EIO)
		return r;
	if (r < 0 && err) /* damage is told to who reads it */
		error_clear(err);
	*ret = steal_ptr(&view);
	return 0;
}

void logview_close(struct logview *view)
{
	if (!view)
		return;
	logsegment_unref(view->newest);
	logsegment_unref(view->current);
	if (view->dir_fd >= 0)
		close(view->dir_fd);
	pthread_mutex_destroy(&view->lock);
	free(view);
}

enum logview_kind logview_get_kind(const struct logview *view)
{
	return view->kind;
}

uint64_t logview_get_base(const struct logview *view)
{
	return view->base;
}

/* 1, 0 for no log, -errno. */
static int read_last(struct logview *view, struct log_record *ret, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *newest = NULL;
	int r = get_newest(view, &newest, err);

	if (r == 0 && newest)
		r = logsegment_get_last(newest, ret, err);
	return r < 0 ? r : newest != NULL;
}

int logview_get_size(struct logview *view, uint64_t *ret_bytes, struct error *err)
{
	struct log_record last;

	int r = read_last(view, &last, err);
	if (r < 0)
		return r;
	*ret_bytes = r > 0 ? logsegment_get_total(view->kind, &last) : 0;
	return 0;
}

int64_t logview_get_mtime_ns(struct logview *view)
{
	struct log_record last;

	return read_last(view, &last, NULL) > 0 ? last.time_ns : 0;
}

/* ---- reading ---------------------------------------------------------------- */

/* One stream: chunks that lie side by side in the log are read as one. */
static ssize_t read_stream(struct logview *view, struct logsegment *segment, uint64_t offset,
			   char *buf, size_t len, struct error *err)
{
	const struct log_record *record;
	struct logrecords rs;
	size_t done = 0;
	uint64_t i = 0;

	int r = logrecords_init(&rs, segment, err);
	while (r == 0 && done < len) {
		r = logrecords_search(&rs, view->kind, offset + done, i, &i, err);
		if (r < 0 || i == rs.count)
			break;
		if ((r = logrecords_get(&rs, i, &record, err)) < 0)
			break;
		uint64_t total = logsegment_get_total(view->kind, record);
		uint64_t left = total - offset - done;
		if (left == 0 || left > record->length)
			return logsegment_refuse(segment, err);
		uint64_t start = record->offset + record->length - left;
		while (++i < rs.count && total - offset < len) {
			if ((r = logrecords_get(&rs, i, &record, err)) < 0)
				return r;
			if (record->length == 0 ||
			    logsegment_get_total(view->kind, record) != total + record->length)
				break;
			total += record->length;
		}
		size_t part = total - offset - done < len - done ? (size_t)(total - offset - done)
								 : len - done;
		r = logsegment_read(segment, view->dir_fd, buf + done, part, start, err);
		if (r == 0)
			done += part;
	}
	return r < 0 && (r != -ESTALE || done == 0) ? r : (ssize_t)done;
}

/* What a search for the byte of logs.json gave: the record, and where in its text. */
struct json_start {
	uint64_t i;
	struct logview_json_place place;
};

static int start_json(struct logview *view, const struct logsegment *segment, struct logrecords *rs,
		      uint64_t offset, struct json_start *ret, struct error *err)
{
	const struct log_record *record;
	struct json_hint hint;
	uint64_t base = get_start(view, segment);

	pthread_mutex_lock(&view->lock);
	hint = view->hint;
	pthread_mutex_unlock(&view->lock);
	if (hint.offset == offset && hint.segment == segment->number && hint.record < rs->count) {
		int r = logrecords_get(rs, hint.record, &record, err);
		if (r < 0)
			return r;
		*ret = (struct json_start){ hint.record, hint.place };
		if (record->json_bytes > offset && hint.place.line < record->length)
			return 0;
	}
	int r = logrecords_search(rs, LOGVIEW_JSON, offset, 0, &ret->i, err);
	if (r == 0 && ret->i > 0) {
		r = logrecords_get(rs, ret->i - 1, &record, err);
		base = r == 0 ? record->json_bytes : 0;
	}
	if (r < 0)
		return r;
	if (base > offset)
		return logsegment_refuse(segment, err);
	ret->place = (struct logview_json_place){ 0, (size_t)(offset - base) };
	return 0;
}

static void note_json(struct logview *view, const struct logsegment *segment,
		      const struct json_start *at, uint64_t offset)
{
	pthread_mutex_lock(&view->lock);
	view->hint = (struct json_hint){ segment->number, at->i, offset, at->place };
	pthread_mutex_unlock(&view->lock);
}

/* Text of one record. */
static ssize_t render_json(struct logview *view, struct logsegment *segment,
			   const struct log_record *record, struct logview_json_place *inout_place,
			   char *buf, size_t len, struct logview_rest *rest, struct error *err)
{
	uint32_t line = inout_place->line;
	/* Every byte of the chunk is one of the text at least; a character has up to four. */
	size_t need = inout_place->skip + len + 4;

	if (record->length > CHUNK_MAX_BYTES || record->length <= line)
		return logsegment_refuse(segment, err);
	if (need > record->length - line)
		need = record->length - line;
	auto_free char *text = malloc(need);
	if (!text)
		return error_set_sys(err, ENOMEM, "cannot read the log");
	int r = logsegment_read(segment, view->dir_fd, text, need, record->offset + line, err);
	if (r < 0)
		return r;
	rest->len = 0;
	return (ssize_t)logview_json_copy(record, text, need, inout_place, buf, len, rest);
}

static ssize_t read_json(struct logview *view, struct logsegment *segment, uint64_t offset,
			 char *buf, size_t len, struct logview_rest *rest, struct error *err)
{
	struct json_start at;
	struct logrecords rs;
	size_t done = 0;

	int r = logrecords_init(&rs, segment, err);
	if (r == 0)
		r = start_json(view, segment, &rs, offset, &at, err);
	while (r == 0 && done < len && at.i < rs.count) {
		const struct log_record *found;
		if ((r = logrecords_get(&rs, at.i, &found, err)) < 0)
			break;
		struct log_record record = *found;
		if (record.length > 0) {
			ssize_t n = render_json(view, segment, &record, &at.place, buf + done,
						len - done, rest, err);
			if (n < 0) {
				r = (int)n;
				break;
			}
			done += (size_t)n;
		}
		if (done < len) {
			at.i++;
			at.place = (struct logview_json_place){ 0, 0 };
		}
	}
	if (done > 0)
		note_json(view, segment, &at, offset + done);
	return r < 0 && (r != -ESTALE || done == 0) ? r : (ssize_t)done;
}

/* Of one segment that has the byte at offset. */
static ssize_t read_segment(struct logview *view, struct logsegment *segment, uint64_t offset,
			    char *buf, size_t len, struct logview_rest *rest, struct error *err)
{
	if (view->kind == LOGVIEW_JSON)
		return read_json(view, segment, offset, buf, len, rest, err);
	if (view->kind != LOGVIEW_ALL)
		return read_stream(view, segment, offset, buf, len, err);
	int r = logsegment_read(segment, view->dir_fd, buf, len, offset, err);
	return r < 0 ? r : (ssize_t)len;
}

ssize_t logview_read(struct logview *view, uint64_t offset, void *buf, size_t len,
		     struct error *err)
{
	struct logview_rest rest;

	return logview_read_rest(view, offset, buf, len, &rest, err);
}

ssize_t logview_read_rest(struct logview *view, uint64_t offset, void *buf, size_t len,
			  struct logview_rest *ret_rest, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *newest = NULL;
	struct logview_rest rest = { .len = 0 };
	size_t done = 0;
	int r = get_newest(view, &newest, err);

	if (r < 0 || !newest)
		return r;
	if (len > SSIZE_MAX)
		len = SSIZE_MAX;
	while (done < len) {
		AUTO(logsegment_unref) struct logsegment *segment = NULL;
		uint64_t end = 0;

		r = find_segment(view, newest, offset + done, &segment, &end, err);
		if (r < 0 || !segment)
			break;
		size_t most = end - offset - done < len - done ? (size_t)(end - offset - done)
							       : len - done;
		ssize_t n = read_segment(view, segment, offset + done, (char *)buf + done, most,
					 &rest, err);
		if (n <= 0) {
			r = n < 0 ? (int)n : logsegment_refuse(segment, err);
			break;
		}
		set_known(view, &view->current, segment);
		done += (size_t)n;
	}
	if (r < 0 && (r != -ESTALE || done == 0))
		return r;
	if (view->kind != LOGVIEW_JSON && done > 0 && ((char *)buf)[done - 1] != '\n')
		rest = (struct logview_rest){ 1, "\n" };
	if (done > 0)
		*ret_rest = rest;
	return (ssize_t)done;
}

/* ---- runs ------------------------------------------------------------------- */

/* Numbers of runs are kept by their low 16 bits: later means less than half the circle ahead. */
static bool is_later_run(const struct log_record *record, uint64_t run)
{
	uint16_t ahead = (uint16_t)(record->run - (uint16_t)run);

	return ahead != 0 && ahead < 0x8000;
}

/* Within one segment whose base is not of a later run. */
static int find_end_in(struct logview *view, const struct logsegment *segment, uint64_t run,
		       uint64_t *ret_offset, struct error *err)
{
	const struct log_record *record = &segment->base;
	struct logrecords rs;
	uint64_t low = 0, high;

	int r = logrecords_init(&rs, segment, err);
	if (r < 0)
		return r;
	high = rs.count;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		if ((r = logrecords_get(&rs, mid, &record, err)) < 0)
			return r;
		if (is_later_run(record, run))
			high = mid;
		else
			low = mid + 1;
	}
	record = &segment->base;
	if (low > 0 && (r = logrecords_get(&rs, low - 1, &record, err)) < 0)
		return r;
	*ret_offset = logsegment_get_total(view->kind, record);
	return 0;
}

int logview_find_run_end(struct logview *view, uint64_t run, uint64_t *ret_offset,
			 struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *segment = NULL;
	int r = get_newest(view, &segment, err);

	if (r < 0)
		return r;
	*ret_offset = 0;
	/* Most ask about the last run: the newest segment begins in it or before it. */
	while (segment && segment->number > 0 && is_later_run(&segment->base, run)) {
		struct logsegment *before = NULL;

		*ret_offset = get_start(view, segment);
		r = get_segment(view, segment->number - 1, &before, err);
		if (r < 0)
			return r == -ENOENT ? 0 : r; /* all of that run was dropped */
		logsegment_unref(segment);
		segment = before;
	}
	return segment ? find_end_in(view, segment, run, ret_offset, err) : 0;
}
