/* Rendering of logs.json: one object for each line of a chunk.
 *
 * The text of a chunk may be far larger than a read wants (a chunk of newlines
 * grows eightyfold), so nothing is built: pieces go to a window that drops what
 * lies before it and stops the work when it is full.
 */
#include "runtime/log/logview_json.h"

#include "base/clock.h"

#include <stdbool.h>

/* What falls between skip and skip + room of all that is put lands in out. What
 * is left of a piece that must be whole goes to rest, when out is full. */
struct window {
	char *out;
	size_t skip;
	size_t room;
	size_t filled;
	size_t passed; /* of all that was put, up to the end of what out has */
	struct logview_rest *rest;
};

static void put_rest(struct logview_rest *rest, const char *text, size_t len)
{
	if (len > sizeof(rest->text) - rest->len)
		len = sizeof(rest->text) - rest->len;
	memcpy(rest->text + rest->len, text, len);
	rest->len += (uint32_t)len;
}

static void window_put(struct window *w, const char *text, size_t len, bool whole)
{
	size_t skipped = len < w->skip ? len : w->skip;
	size_t taken = len - skipped;

	if (taken > w->room - w->filled)
		taken = w->room - w->filled;
	if (taken > 0)
		memcpy(w->out + w->filled, text + skipped, taken);
	w->skip -= skipped;
	w->filled += taken;
	w->passed += skipped + taken;
	if (whole && skipped + taken < len)
		put_rest(w->rest, text + skipped + taken, len - skipped - taken);
}

static bool window_is_full(const struct window *w)
{
	return w->filled == w->room;
}

/* Bytes of the well-formed UTF-8 sequence at text, 0 when there is none.
 * Source: Unicode 15, table 3-7 (no overlong forms, no surrogates). */
static size_t utf8_sequence_len(const unsigned char *text, size_t len)
{
	unsigned char low = 0x80;
	unsigned char high = 0xbf;
	size_t need;

	if (text[0] < 0x80)
		return 1;
	if (text[0] >= 0xc2 && text[0] <= 0xdf)
		need = 2;
	else if ((text[0] & 0xf0) == 0xe0)
		need = 3;
	else if (text[0] >= 0xf0 && text[0] <= 0xf4)
		need = 4;
	else
		return 0;
	if (text[0] == 0xe0)
		low = 0xa0;
	else if (text[0] == 0xed)
		high = 0x9f;
	else if (text[0] == 0xf0)
		low = 0x90;
	else if (text[0] == 0xf4)
		high = 0x8f;
	if (need > len || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void put_escaped_byte(struct window *w, unsigned char c)
{
	static const char named[] = "\"\"\\\\\nn\tt\rr\bb\ff";
	char text[8];

	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if ((unsigned char)named[i] == c) {
			window_put(w, (const char[]){ '\\', named[i + 1] }, 2, true);
			return;
		}
	}
	int n = snprintf(text, sizeof(text), "\\u%04x", c);
	window_put(w, text, (size_t)n, true);
}

static void put_text(struct window *w, const char *text, size_t len)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t at = 0;

	while (at < len && !window_is_full(w)) {
		size_t run = at;
		while (run < len && is_plain(bytes[run]))
			run++;
		if (run > at) {
			window_put(w, text + at, run - at, false);
			at = run;
			continue;
		}
		size_t n = utf8_sequence_len(bytes + at, len - at);
		if (n > 1)
			window_put(w, text + at, n, true);
		else if (n == 1)
			put_escaped_byte(w, bytes[at]);
		else
			window_put(w, "\\ufffd", 6, true);
		at += n ? n : 1;
	}
}

size_t logview_json_copy(const struct log_record *record, const char *text, size_t text_len,
			 struct logview_json_place *inout_place, char *buf, size_t len,
			 struct logview_rest *rest)
{
	struct window w = { .out = buf, .skip = inout_place->skip, .room = len, .rest = rest };
	struct logview_json_place place = *inout_place;
	char time[CLOCK_TEXT_SIZE];
	char tail[96];
	size_t at = 0;

	/* Zero would show as Docker's zero time, which is shorter. */
	clock_render(record->time_ns ? record->time_ns : 1, time);
	int tail_len = snprintf(tail, sizeof(tail), "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
				record->stream == LOG_STDERR ? "stderr" : "stdout", time);

	while (at < text_len && !window_is_full(&w)) {
		const char *newline = memchr(text + at, '\n', text_len - at);
		size_t end = newline ? (size_t)(newline + 1 - text) : text_len;

		place.line = inout_place->line + (uint32_t)at;
		place.skip = w.passed;
		window_put(&w, "{\"log\":\"", 8, true);
		put_text(&w, text + at, end - at);
		window_put(&w, tail, (size_t)tail_len, true);
		at = end;
	}
	/* From the line's beginning to where the window ends. */
	place.skip = w.passed - place.skip;
	*inout_place = place;
	return w.filled;
}
