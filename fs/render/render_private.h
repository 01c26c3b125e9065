/* What the render_*.c share: cells, tables, values. Private to them.
 */
#ifndef FS_RENDER_RENDER_PRIVATE_H
#define FS_RENDER_RENDER_PRIVATE_H

#include "fs/render/render.h"

#define RENDER_SHORT_ID_LEN 12

/* Text from outside as it may stand in a line: strbuf_append_escaped(). NULL is "". */
void render_append_text(struct strbuf *out, const char *text);
/* A sentence that the error model has escaped already: backslashes stay single. */
void render_append_sentence(struct strbuf *out, const char *sentence);
/* text, or its first max_chars - 1 characters and an ellipsis when it has more than max_chars.
 * Raw: the caller escapes. */
void render_append_cut(struct strbuf *out, const char *text, size_t max_chars);
/* "3 hours ago"; "N/A" for then_ns 0. */
void render_append_ago(struct strbuf *out, int64_t then_ns, int64_t now_ns);
/* How long it was from then to now, never less than 0, never overflowing. */
int64_t render_get_age(int64_t then_ns, int64_t now_ns);
/* Decimal units with three significant digits: "0B", "999B", "1.02kB", "4.26MB". */
void render_append_size(struct strbuf *out, int64_t size_bytes);
/* 12 digits, or prefix ("sha256:" or "") and all 64. */
void render_append_id(struct strbuf *out, const char *id, const char *prefix, bool no_trunc);
/* Lines of cells, separated by tabs, as columns: each at least ten wide, three blanks between, the
 * last cell of a line not padded. The cells' text must be escaped. */
void render_append_table(struct strbuf *out, const struct strbuf *lines);

/* A string for JSON of text that need not be UTF-8: wrong bytes become \xNN. NULL: no memory. */
json_t *render_make_string(const char *text);
/* Set a member, taking the value over, unless an earlier one failed: *ok is sticky. A NULL value is a failure. */
void render_put(json_t *object, const char *key, json_t *value, bool *ok);
/* value, indented, and a newline; NULL sets the out-of-memory flag. */
void render_append_json(struct strbuf *out, const json_t *value);
/* A time as JSON. */
json_t *render_make_time(int64_t time_ns);

/* A table of rows in a format of the user's: text with docker's {{.Column}}, "table " in front of such for
 * aligned columns with headings, or "json". */
struct render_rows {
	json_t *(*make_headings)(void);               /* from each column's name to its heading */
	json_t *(*make_row)(void *arg, size_t index); /* to its text; NULL: no memory */
	void *arg;
	size_t count;
};
/* -EINVAL: a bad format, also when there is no row; -ENOMEM. *out may hold a part then. */
int render_rows(const char *format, const struct render_rows *rows, struct strbuf *out,
		struct error *err);
/* The text so far as JSON, and the buffer empty for the next; NULL: no memory. */
json_t *render_make_text(struct strbuf *text);

/* The words of process 1: Entrypoint and Cmd in force; a new list of strings, NULL: no memory. */
json_t *render_make_argv(const struct container_view *view);

/* --- render_net.c ---------------------------------------------------------------- */

/* The cell of ps: '0.0.0.0:8080->80/tcp, 81/tcp'. */
void render_append_ports(const struct container_view *view, struct strbuf *out);
/* NetworkSettings; NULL: no memory. */
json_t *render_make_network(const struct container_view *view);

/* --- render_filter.c ------------------------------------------------------------ */

/* -EINVAL with a sentence for a filter that is none, -ENOENT for one that names a container that is not in
 * the list. filters may be NULL. */
int render_filter_check(const struct container_list *list, char *const *filters, struct error *err);
/* Is this container shown? The filters have been checked; the number of rows is the caller's to count. */
bool render_filter_match(const struct container_list *list, const struct render_ps_options *options,
			 const struct container_view *view);

#endif
