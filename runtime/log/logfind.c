/* Which segment of a log holds a byte of a view. Segments are opened when they are needed; the newest and the
 * one last read are kept open. Rotation goes on meanwhile: what has just gone is looked for again from the
 * directory.
 */
#include "runtime/log/logview_private.h"

#include <errno.h>

/* Rotation may overtake a look at the directory, but not for ever: a directory without some segment in
 * the middle is damaged. */
#define ATTEMPTS 100
/* Further on a search is quicker than a walk. */
#define WALK_MAX 4

static struct logsegment *get_known(struct logview *view, struct logsegment **slot)
{
	struct logsegment *segment;

	pthread_mutex_lock(&view->lock);
	segment = *slot ? logsegment_ref(*slot) : NULL;
	pthread_mutex_unlock(&view->lock);
	return segment;
}

void logview_set_known(struct logview *view, struct logsegment **slot, struct logsegment *segment)
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
int logview_get_segment(struct logview *view, uint64_t number, struct logsegment **ret,
			struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *newest = get_known(view, &view->newest);

	if (newest && newest->number == number) {
		*ret = steal_ptr(&newest);
		return 0;
	}
	return logsegment_open(view->dir_fd, number, ret, err);
}

int logview_scan(struct logview *view, struct log_span *ret, struct error *err)
{
	int r = logformat_scan(view->dir_fd, ret);

	if (r == -ENOENT) { /* the directory itself has gone */
		*ret = (struct log_span){ .has_index = false };
		return 0;
	}
	return r < 0 ? error_set_sys(err, -r, "cannot look for the log") : 0;
}

int logview_fail_incomplete(struct error *err)
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
	r = logview_scan(view, &span, err);
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
int logview_get_newest(struct logview *view, struct logsegment **ret, struct error *err)
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
		logview_set_known(view, &view->newest, segment);
	*ret = steal_ptr(&segment);
	return 0;
}

uint64_t logview_get_start(const struct logview *view, const struct logsegment *segment)
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
		int r = logview_get_segment(view, mid, &segment, err);

		if (r < 0)
			return r == -ENOENT ? -EAGAIN : r;
		if (logview_get_start(view, segment) <= offset) {
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

	if (logview_get_start(view, newest) <= offset) {
		*ret = logsegment_ref(newest);
		return 0;
	}
	for (int i = 0; i < ATTEMPTS && r == -EAGAIN; i++) {
		r = logview_scan(view, &span, err);
		if (r < 0)
			return r;
		if (!span.has_index || span.first > newest->number)
			return -ESTALE;
		r = search_segment(view, span.first, newest, offset, ret, err);
	}
	return r == -EAGAIN ? logview_fail_incomplete(err) : r;
}

/* The segment of the byte at offset, its end in *ret_end; NULL at the view's end. */
int logview_find_segment(struct logview *view, struct logsegment *newest, uint64_t offset,
			 struct logsegment **ret, uint64_t *ret_end, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *segment = get_known(view, &view->current);
	int searched = 0, walked = 0, r;

	for (;;) {
		if (!segment || logview_get_start(view, segment) > offset || walked == WALK_MAX) {
			if (searched++ == ATTEMPTS)
				return logview_fail_incomplete(err);
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
		r = logview_get_segment(view, next, &segment, err);
		if (r < 0 && r != -ENOENT)
			return r;
		walked++;
	}
	*ret = offset < *ret_end ? steal_ptr(&segment) : NULL;
	return 0;
}

int logview_get_oldest(struct logview *view, uint64_t *ret_offset, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *first = NULL;
	AUTO(logsegment_unref) struct logsegment *newest = NULL;
	struct log_span span;
	int r = logview_get_newest(view, &newest, err);

	if (r < 0)
		return r;
	*ret_offset = newest ? logview_get_start(view, newest) : 0;
	if (!newest || newest->number == 0)
		return 0;
	for (int i = 0; i < ATTEMPTS; i++) {
		r = logview_scan(view, &span, err);
		if (r < 0 || !span.has_index || span.first >= newest->number)
			return r;
		r = logview_get_segment(view, span.first, &first, err);
		if (r == 0)
			*ret_offset = logview_get_start(view, first);
		if (r != -ENOENT)
			return r;
	}
	return logview_fail_incomplete(err);
}
