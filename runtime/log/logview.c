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
#include "runtime/log/logview_private.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* What the shim reads at most at once is a sixteenth of this. */
#define CHUNK_MAX_BYTES (16U << 20)

/* ---- opening ---------------------------------------------------------------- */

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
	int r = logview_get_newest(view, &newest, err);

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
	uint64_t base = logview_get_start(view, segment);

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
	int r = logview_get_newest(view, &newest, err);

	if (r < 0 || !newest)
		return r;
	if (len > SSIZE_MAX)
		len = SSIZE_MAX;
	while (done < len) {
		AUTO(logsegment_unref) struct logsegment *segment = NULL;
		uint64_t end = 0;

		r = logview_find_segment(view, newest, offset + done, &segment, &end, err);
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
		logview_set_known(view, &view->current, segment);
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
	int r = logview_get_newest(view, &segment, err);

	if (r < 0)
		return r;
	*ret_offset = 0;
	/* Most ask about the last run: the newest segment begins in it or before it. */
	while (segment && segment->number > 0 && is_later_run(&segment->base, run)) {
		struct logsegment *before = NULL;

		*ret_offset = logview_get_start(view, segment);
		r = logview_get_segment(view, segment->number - 1, &before, err);
		if (r < 0)
			return r == -ENOENT ? 0 : r; /* all of that run was dropped */
		logsegment_unref(segment);
		segment = before;
	}
	return segment ? find_end_in(view, segment, run, ret_offset, err) : 0;
}
