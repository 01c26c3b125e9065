/* See logreader.h. A gap is written whole into the entry that does not count, then the number of the one
 * that does is changed: who is killed in between has come to no gap yet.
 *
 * Shifts are sums modulo 2^64: the line about a few bytes may be longer than they were.
 */
#include "runtime/log/logreader.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A second gap can open while the first is told. */
#define ATTEMPTS 10

void logreader_init(struct logreader *reader, uint64_t base)
{
	*reader = (struct logreader){ .base = base };
}

static const struct logreader_gap *get_gap(const struct logreader *reader)
{
	return &reader->gaps[reader->gap & 1];
}

uint64_t logreader_get_shift(const struct logreader *reader)
{
	const struct logreader_gap *gap = get_gap(reader);

	return gap->len ? gap->shift : reader->base;
}

bool logreader_has_byte(const struct logreader *reader, struct logview *view, uint64_t offset)
{
	const struct logreader_gap *gap = get_gap(reader);
	uint64_t size = 0;

	if (gap->len && offset < gap->at + gap->len)
		return true;
	return view && logview_get_size(view, &size, NULL) == 0 &&
	       (int64_t)(size - (offset + logreader_get_shift(reader))) > 0;
}

/* How a line that was cut is ended, so that what follows stands by itself. */
static size_t end_line(const struct logreader *reader, uint64_t offset, char *out)
{
	const struct logreader_gap *before = get_gap(reader);
	size_t len = reader->rest_len <= LOGVIEW_REST_SIZE ? reader->rest_len : 0;

	if (offset == 0 || (before->len && offset == before->at + before->len))
		return 0;
	if (reader->rest_at != offset) { /* nobody knows what comes before */
		*out = '\n';
		return 1;
	}
	memcpy(out, reader->rest, len);
	return len;
}

static void render_gap(const struct logreader *reader, enum logview_kind kind, uint64_t offset,
		       struct logreader_gap *gap)
{
	char time[CLOCK_TEXT_SIZE];
	size_t len = end_line(reader, offset, gap->text);
	size_t room = sizeof(gap->text) - len;
	int n;

	clock_render(clock_now_ns(), time);
	if (kind == LOGVIEW_JSON)
		n = snprintf(gap->text + len, room,
			     "{\"log\":\"[%llu bytes of this file were dropped by rotation]\\n\","
			     "\"stream\":\"stdout\",\"time\":\"%s\"}\n",
			     (unsigned long long)gap->lost, time);
	else
		n = snprintf(gap->text + len, room,
			     "[%llu bytes of this file were dropped by rotation]\n",
			     (unsigned long long)gap->lost);
	gap->len = (uint32_t)(len + (size_t)n);
}

/* The byte at offset has been dropped. */
static int add_gap(struct logreader *reader, struct logview *view, uint64_t offset, uint64_t end,
		   struct error *err)
{
	const struct logreader_gap *old = get_gap(reader);
	struct logreader_gap *gap = &reader->gaps[~reader->gap & 1];
	uint64_t from = offset + logreader_get_shift(reader);
	uint64_t oldest;
	int r = logview_get_oldest(view, &oldest, err);

	if (r < 0)
		return r;
	bool is_back = old->len && offset < old->at;
	if (!is_back && (int64_t)(oldest - from) <= 0)
		return 0; /* not yet: it is being dropped */
	*gap = (struct logreader_gap){ .at = offset };
	gap->lost = (oldest < end ? oldest : end) - from;
	/* Gone back into what a former gap took, or lay before it. */
	if (is_back)
		gap->lost =
			old->at - offset + old->lost + oldest - (old->at + old->len + old->shift);
	render_gap(reader, logview_get_kind(view), offset, gap);
	gap->shift = oldest - (offset + gap->len);
	atomic_signal_fence(memory_order_release);
	reader->gap = ~reader->gap & 1;
	return 0;
}

static size_t copy_gap(const struct logreader_gap *gap, uint64_t offset, char *buf, size_t len)
{
	size_t at = (size_t)(offset - gap->at);

	if (!gap->len || offset < gap->at || at >= gap->len)
		return 0;
	if (len > gap->len - at)
		len = gap->len - at;
	memcpy(buf, gap->text + at, len);
	return len;
}

static void note_rest(struct logreader *reader, uint64_t offset, const struct logview_rest *rest)
{
	reader->rest_at = 0; /* where no line is cut */
	atomic_signal_fence(memory_order_release);
	reader->rest_len = rest->len;
	memcpy(reader->rest, rest->text, rest->len);
	atomic_signal_fence(memory_order_release);
	reader->rest_at = offset;
}

/* What is not a gap's line. -ESTALE: it becomes one. */
static ssize_t read_bytes(struct logreader *reader, struct logview *view, uint64_t offset,
			  uint64_t end, char *buf, size_t len, struct error *err)
{
	const struct logreader_gap *gap = get_gap(reader);
	uint64_t from = offset + logreader_get_shift(reader);
	struct logview_rest rest = { .len = 0 };
	ssize_t got;

	if (gap->len && offset < gap->at)
		return -ESTALE;
	if (from >= end)
		return 0;
	if (len > end - from)
		len = (size_t)(end - from);
	got = logview_read_rest(view, from, buf, len, &rest, err);
	if (got > 0)
		note_rest(reader, offset + (uint64_t)got, &rest);
	return got;
}

ssize_t logreader_read(struct logreader *reader, struct logview *view, uint64_t offset,
		       uint64_t end, void *buf, size_t len, struct error *err)
{
	size_t done = 0;

	for (int i = 0; i < ATTEMPTS; i++) {
		char *out = (char *)buf + done;
		ssize_t got;

		done += copy_gap(get_gap(reader), offset + done, out, len - done);
		if (done == len)
			break;
		got = read_bytes(reader, view, offset + done, end, (char *)buf + done, len - done,
				 err);
		if (got >= 0)
			return (ssize_t)done + got;
		if (done > 0)
			break;
		if (got != -ESTALE)
			return got;
		int r = add_gap(reader, view, offset, end, err);
		if (r < 0)
			return r;
	}
	if (done == 0 && len > 0)
		return error_set(err, EIO, "rotation drops the log faster than it is read");
	return (ssize_t)done;
}
