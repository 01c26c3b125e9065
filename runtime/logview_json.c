/* Rendering of logs.json: one object for each line of a chunk.
 *
 * The text of a chunk may be far larger than a read wants (a chunk of newlines
 * grows eightyfold), so nothing is built: pieces go to a window that drops what
 * lies before it and stops the work when it is full.
 */
#include "runtime/logview_json.h"

#include "base/clock.h"

#include <stdbool.h>

/* What falls between skip and skip + room of all that is put lands in out. */
struct window {
	char *out;
	size_t skip;
	size_t room;
	size_t filled;
};

static void window_put(struct window *w, const char *text, size_t len)
{
	if (w->skip >= len) {
		w->skip -= len;
		return;
	}
	text += w->skip;
	len -= w->skip;
	w->skip = 0;
	if (len > w->room - w->filled)
		len = w->room - w->filled;
	memcpy(w->out + w->filled, text, len);
	w->filled += len;
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
			window_put(w, (const char[]){ '\\', named[i + 1] }, 2);
			return;
		}
	}
	int n = snprintf(text, sizeof(text), "\\u%04x", c);
	window_put(w, text, (size_t)n);
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
			window_put(w, text + at, run - at);
			at = run;
			continue;
		}
		size_t n = utf8_sequence_len(bytes + at, len - at);
		if (n > 1)
			window_put(w, text + at, n);
		else if (n == 1)
			put_escaped_byte(w, bytes[at]);
		else
			window_put(w, "\\ufffd", 6);
		at += n ? n : 1;
	}
}

size_t logview_json_copy(const struct log_record *record, const char *chunk, size_t skip, char *buf,
			 size_t len)
{
	struct window w = { .out = buf, .skip = skip, .room = len };
	char time[CLOCK_TEXT_SIZE];
	char tail[96];
	size_t at = 0;

	/* Zero would show as Docker's zero time, which is shorter. */
	clock_render(record->time_ns ? record->time_ns : 1, time);
	int tail_len = snprintf(tail, sizeof(tail), "\",\"stream\":\"%s\",\"time\":\"%s\"}\n",
				record->stream == LOG_STDERR ? "stderr" : "stdout", time);

	while (at < record->length && !window_is_full(&w)) {
		const char *newline = memchr(chunk + at, '\n', record->length - at);
		size_t end = newline ? (size_t)(newline + 1 - chunk) : record->length;
		window_put(&w, "{\"log\":\"", 8);
		put_text(&w, chunk + at, end - at);
		window_put(&w, tail, (size_t)tail_len);
		at = end;
	}
	return w.filled;
}
