/* Cells, tables and JSON values that all renderers share.
 *
 * Invariant: text from outside enters a line only escaped, so a cell never
 * holds a tab or a newline, and the layout of a table may take both for what
 * they say. An out-of-memory of any kind ends up in the buffer's flag.
 *
 * Columns and units are those of docker's own tables, so that what reads them
 * reads these.
 */
#include "fs/render/render_private.h"

#include "base/clock.h"

#include <string.h>

#define MOST_COLUMNS 64 /* those behind are not aligned */
#define MIN_WIDTH 10    /* of a column with its blanks */
#define BLANKS 3        /* between columns */

static bool is_character_start(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

static size_t count_characters(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++)
		count += is_character_start(text[i]);
	return count;
}

void render_append_text(struct strbuf *out, const char *text)
{
	if (text)
		strbuf_append_escaped(out, text, strlen(text));
}

void render_append_sentence(struct strbuf *out, const char *sentence)
{
	const char *slash;

	while ((slash = strchr(sentence, '\\'))) {
		strbuf_append_escaped(out, sentence, (size_t)(slash - sentence));
		strbuf_append_char(out, '\\');
		sentence = slash + 1;
	}
	strbuf_append_escaped(out, sentence, strlen(sentence));
}

void render_append_cut(struct strbuf *out, const char *text, size_t max_chars)
{
	size_t kept = 0, end = 0;

	if (count_characters(text, strlen(text)) <= max_chars) {
		strbuf_append_str(out, text);
		return;
	}
	for (;; end++) {
		if (is_character_start(text[end]) && ++kept == max_chars)
			break;
	}
	strbuf_append(out, text, end);
	strbuf_append_str(out, "\xe2\x80\xa6");
}

int64_t render_get_age(int64_t then_ns, int64_t now_ns)
{
	int64_t age;

	if (then_ns >= now_ns)
		return 0;
	return __builtin_sub_overflow(now_ns, then_ns, &age) ? INT64_MAX : age;
}

void render_append_ago(struct strbuf *out, int64_t then_ns, int64_t now_ns)
{
	char text[32];

	if (then_ns == 0) {
		strbuf_append_str(out, "N/A");
		return;
	}
	clock_render_duration(render_get_age(then_ns, now_ns), text);
	strbuf_appendf(out, "%s ago", text);
}

void render_append_size(struct strbuf *out, int64_t size_bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double size = size_bytes > 0 ? (double)size_bytes : 0;
	size_t unit = 0;

	/* What three digits would round to a thousand belongs to the next unit. */
	for (; size >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		size /= 1000;
	strbuf_appendf(out, "%.3g%s", size, units[unit]);
}

void render_append_id(struct strbuf *out, const char *id, const char *prefix, bool no_trunc)
{
	if (no_trunc)
		strbuf_appendf(out, "%s%s", prefix, id);
	else
		strbuf_appendf(out, "%.*s", RENDER_SHORT_ID_LEN, id);
}

/* --- tables ---------------------------------------------------------------- */

/* One cell of the lines from *at: its length, and in *ret_last whether its line ends there. */
static size_t next_cell(const struct strbuf *lines, size_t *at, bool *ret_last)
{
	size_t start = *at;

	while (*at < lines->len && lines->data[*at] != '\t' && lines->data[*at] != '\n')
		(*at)++;
	*ret_last = *at >= lines->len || lines->data[*at] == '\n';
	return (*at)++ - start;
}

static void measure_columns(const struct strbuf *lines, size_t widths[MOST_COLUMNS])
{
	size_t at = 0, column = 0;
	bool last;

	while (at < lines->len) {
		const char *cell = lines->data + at;
		size_t len = next_cell(lines, &at, &last);
		size_t width = count_characters(cell, len) + BLANKS;

		if (!last && column < MOST_COLUMNS && width > widths[column])
			widths[column] = width;
		column = last ? 0 : column + 1;
	}
}

static void append_padding(struct strbuf *out, size_t used, size_t width)
{
	size_t blanks = width > used ? width - used : BLANKS;

	if (!strbuf_reserve(out, blanks))
		return;
	memset(out->data + out->len, ' ', blanks);
	out->len += blanks;
	out->data[out->len] = '\0';
}

void render_append_table(struct strbuf *out, const struct strbuf *lines)
{
	size_t widths[MOST_COLUMNS];
	size_t at = 0, column = 0;
	bool last;

	for (size_t i = 0; i < MOST_COLUMNS; i++)
		widths[i] = MIN_WIDTH;
	if (lines->oom)
		out->oom = true;
	measure_columns(lines, widths);
	while (at < lines->len && !out->oom) {
		const char *cell = lines->data + at;
		size_t len = next_cell(lines, &at, &last);

		strbuf_append(out, cell, len);
		if (last)
			strbuf_append_char(out, '\n');
		else
			append_padding(out, count_characters(cell, len),
				       column < MOST_COLUMNS ? widths[column] : 0);
		column = last ? 0 : column + 1;
	}
}

/* --- JSON ------------------------------------------------------------------ */

json_t *render_make_string(const char *text)
{
	AUTO(strbuf_deinit) struct strbuf clean = STRBUF_INIT;

	/* ASCII is JSON's to escape; what is above is let through if it is UTF-8. */
	while (*text) {
		size_t len = 0;
		bool high = (unsigned char)*text >= 0x80;

		while (text[len] && ((unsigned char)text[len] >= 0x80) == high)
			len++;
		if (high)
			strbuf_append_escaped(&clean, text, len);
		else
			strbuf_append(&clean, text, len);
		text += len;
	}
	return clean.oom ? NULL : json_string(strbuf_get_str(&clean));
}

json_t *render_make_time(int64_t time_ns)
{
	char text[CLOCK_TEXT_SIZE];

	clock_render(time_ns, text);
	return json_string(text);
}

void render_put(json_t *object, const char *key, json_t *value, bool *ok)
{
	if (json_object_set_new(object, key, value) < 0)
		*ok = false;
}

void render_append_json(struct strbuf *out, const json_t *value)
{
	/* Docker's indentation. That a value cannot be written is a bug if it is
	 * not memory; the reader gets an error in both cases, never half a text. */
	if (!value || json_render(value, 4, out, NULL) < 0)
		out->oom = true;
	strbuf_append_char(out, '\n');
}

json_t *render_make_argv(const struct container_view *view)
{
	static const char *const parts[] = { "Entrypoint", "Cmd" };
	auto_json json_t *argv = json_array();

	if (!argv)
		return NULL;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		json_t *part = json_get_array(view->effective, parts[i]);

		if (part && json_array_extend(argv, part) < 0)
			return NULL;
	}
	return steal_ptr(&argv);
}
