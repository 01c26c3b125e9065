/* A table in a format of the user's: docker's columns, each row an object of texts.
 *
 * "table" in front aligns the cells and puts the headings above them, "json" makes an
 * object of each row. What is wrong with a format is found when there is no row too:
 * the headings are put through it first.
 */
#include "fs/render/render_private.h"

#include "fs/render/template.h"

#include <string.h>

#define TABLE "table "

json_t *render_make_text(struct strbuf *text)
{
	json_t *value = text->oom ? NULL : render_make_string(strbuf_get_str(text));

	strbuf_reset(text);
	return value;
}

/* The user's \t and \n read. */
static void read_escapes(const char *format, struct strbuf *out)
{
	for (; *format; format++) {
		bool is_escape = format[0] == '\\' && (format[1] == 't' || format[1] == 'n');

		if (is_escape)
			format++;
		strbuf_append_char(out, !is_escape ? *format : *format == 't' ? '\t' : '\n');
	}
}

static int append_row(struct strbuf *out, const char *format, const json_t *row, struct error *err)
{
	int r;

	if (!row)
		return error_set(err, ENOMEM, "no memory for a row of the table");
	if (strcmp(format, "json") == 0)
		r = json_render(row, 0, out, err);
	else
		r = template_render(format, row, out, err);
	strbuf_append_char(out, '\n');
	return r;
}

int render_rows(const char *format, const struct render_rows *rows, struct strbuf *out,
		struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf plain = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	bool is_table = strncmp(format, TABLE, strlen(TABLE)) == 0;
	auto_json json_t *headings = rows->make_headings();
	int r;

	read_escapes(format + (is_table ? strlen(TABLE) : 0), &plain);
	r = strbuf_check(&plain, err);
	if (r == 0)
		r = append_row(&lines, strbuf_get_str(&plain), headings, err);
	if (!is_table)
		strbuf_reset(&lines);
	for (size_t i = 0; r == 0 && i < rows->count; i++) {
		auto_json json_t *row = rows->make_row(rows->arg, i);

		r = append_row(is_table ? &lines : out, strbuf_get_str(&plain), row, err);
	}
	if (r == 0)
		render_append_table(out, &lines);
	return r;
}
