/* The table of containers.
 *
 * Every form is one format, docker's own "table {{.ID}}\t..." included: a format
 * is checked as a whole before the first row, then read again for each row. A
 * column gives its text raw; it is escaped where it enters a line, by JSON where
 * it enters an object. Which containers are shown is render_filter.c's.
 */
#include "fs/render/render_private.h"

#include "base/clock.h"

#include <string.h>

#define COMMAND_CHARS 20 /* docker ps cuts the command here */
#define TABLE "table"

struct ps_row {
	const struct container_view *view;
	const struct render_ps_options *options;
	int64_t now_ns;
};

/* --- columns ------------------------------------------------------------------- */

static void append_id(const struct ps_row *row, struct strbuf *out)
{
	render_append_id(out, row->view->id, "", row->options->no_trunc);
}

static void append_image(const struct ps_row *row, struct strbuf *out)
{
	strbuf_append_str(out, json_get_str(row->view->config, "Image", ""));
}

/* As a shell would be given it, nearly: docker quotes words with a blank and nothing else. */
static void append_words(const struct container_view *view, struct strbuf *out)
{
	auto_json json_t *argv = render_make_argv(view);
	json_t *item;
	size_t i;

	if (!argv)
		out->oom = true;
	json_array_foreach(argv, i, item) {
		const char *word = json_string_value(item);
		const char *quote = word && strchr(word, ' ') ? "'" : "";

		strbuf_appendf(out, "%s%s%s%s", i > 0 ? " " : "", quote, word ? word : "", quote);
	}
}

/* In double quotes, on one line. */
static void append_command(const struct ps_row *row, struct strbuf *out)
{
	AUTO(strbuf_deinit) struct strbuf words = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf cut = STRBUF_INIT;
	const char *text, *quote;

	append_words(row->view, &words);
	render_append_cut(&cut, strbuf_get_str(&words),
			  row->options->no_trunc ? SIZE_MAX : COMMAND_CHARS);
	if (words.oom || cut.oom)
		out->oom = true;
	strbuf_append_char(out, '"');
	for (text = strbuf_get_str(&cut); (quote = strchr(text, '"')); text = quote + 1) {
		strbuf_append_escaped(out, text, (size_t)(quote - text));
		strbuf_append_str(out, "\\\"");
	}
	render_append_text(out, text);
	strbuf_append_char(out, '"');
}

static void append_created_at(const struct ps_row *row, struct strbuf *out)
{
	char text[CLOCK_TEXT_SIZE];

	clock_render(row->view->created_ns, text);
	strbuf_append_str(out, text);
}

static void append_running_for(const struct ps_row *row, struct strbuf *out)
{
	render_append_ago(out, row->view->created_ns, row->now_ns);
}

static void append_since_end(const struct ps_row *row, const char *word, struct strbuf *out)
{
	strbuf_appendf(out, "%s (%d)", word, row->view->exit_code);
	if (row->view->finished_ns == 0)
		return;
	strbuf_append_char(out, ' ');
	render_append_ago(out, row->view->finished_ns, row->now_ns);
}

static void append_status(const struct ps_row *row, struct strbuf *out)
{
	char text[32];

	switch (row->view->state) {
	case CONTAINER_CREATED:
		strbuf_append_str(out, "Created");
		return;
	case CONTAINER_RESTARTING:
		append_since_end(row, "Restarting", out);
		return;
	case CONTAINER_EXITED:
		append_since_end(row, "Exited", out);
		return;
	case CONTAINER_RUNNING:
	case CONTAINER_PAUSED:
		break;
	}
	clock_render_duration(render_get_age(row->view->started_ns, row->now_ns), text);
	strbuf_appendf(out, "Up %s%s", text,
		       row->view->state == CONTAINER_PAUSED ? " (Paused)" : "");
}

static void append_ports(const struct ps_row *row, struct strbuf *out)
{
	render_append_ports(row->view, out);
}

static void append_name(const struct ps_row *row, struct strbuf *out)
{
	strbuf_append_str(out, row->view->name);
}

static void append_state(const struct ps_row *row, struct strbuf *out)
{
	strbuf_append_str(out, container_state_get_name(row->view->state));
}

static void append_sizes(const struct ps_row *row, struct strbuf *out)
{
	const struct render_ps_options *options = row->options;
	int64_t own, all;

	if (!options->get_sizes || !options->get_sizes(options->arg, row->view, &own, &all)) {
		strbuf_append_str(out, "N/A");
		return;
	}
	render_append_size(out, own);
	strbuf_append_str(out, " (virtual ");
	render_append_size(out, all);
	strbuf_append_char(out, ')');
}

static void append_labels(const struct ps_row *row, struct strbuf *out)
{
	json_t *labels = json_get_object(row->view->effective, "Labels");
	const char *name, *comma = "";
	json_t *value;

	json_object_foreach(labels, name, value) {
		const char *text = json_string_value(value);

		strbuf_appendf(out, "%s%s=%s", comma, name, text ? text : "");
		comma = ",";
	}
}

/* Sources or volumes of what is mounted, as docker ps shows them. */
static void append_mounts(const struct ps_row *row, struct strbuf *out)
{
	json_t *host = json_get_object(row->view->effective, "HostConfig"), *bind, *unused;
	const char *comma = "", *path;
	size_t i;

	json_array_foreach(json_get_array(host, "Binds"), i, bind) {
		const char *text = json_string_value(bind);

		if (!text)
			continue;
		strbuf_appendf(out, "%s%.*s", comma, (int)strcspn(text, ":"), text);
		comma = ",";
	}
	json_object_foreach(json_get_object(row->view->effective, "Volumes"), path, unused) {
		strbuf_appendf(out, "%s%s", comma, path);
		comma = ",";
	}
}

static void append_networks(const struct ps_row *row, struct strbuf *out)
{
	json_t *host = json_get_object(row->view->effective, "HostConfig");
	const char *mode = json_get_str(host, "NetworkMode", "");

	if (json_get_bool(row->view->effective, "NetworkDisabled", false))
		mode = "none";
	strbuf_append_str(out, *mode ? mode : "default");
}

struct column {
	const char *name, *heading;
	void (*append)(const struct ps_row *row, struct strbuf *out);
	bool escaped; /* its text is safe in a line as it is */
};

/* In the order of docker ps --format json. */
static const struct column columns[] = {
	{ "Command", "COMMAND", append_command, .escaped = true },
	{ "CreatedAt", "CREATED AT", append_created_at, .escaped = false },
	{ "ID", "CONTAINER ID", append_id, .escaped = false },
	{ "Image", "IMAGE", append_image, .escaped = false },
	{ "Labels", "LABELS", append_labels, .escaped = false },
	{ "Mounts", "MOUNTS", append_mounts, .escaped = false },
	{ "Names", "NAMES", append_name, .escaped = false },
	{ "Networks", "NETWORKS", append_networks, .escaped = false },
	{ "Ports", "PORTS", append_ports, .escaped = false },
	{ "RunningFor", "CREATED", append_running_for, .escaped = false },
	{ "Size", "SIZE", append_sizes, .escaped = false },
	{ "State", "STATE", append_state, .escaped = false },
	{ "Status", "STATUS", append_status, .escaped = false },
};
#define COLUMN_COUNT (sizeof(columns) / sizeof(columns[0]))

/* --- formats ------------------------------------------------------------------- */

/* A format's next piece: a column, or text up to the next one. */
struct piece {
	const struct column *column; /* NULL: text, */
	bool is_label;               /* or the value of the label that text names */
	const char *text;
	size_t len;
};

static const struct column *find_column(const char *name, size_t len)
{
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (strlen(columns[i].name) == len && memcmp(columns[i].name, name, len) == 0)
			return &columns[i];
	}
	return NULL;
}

/* .Label "NAME" */
static bool parse_label(const char *name, const char *end, struct piece *ret)
{
	static const char word[] = ".Label ";
	const char *at = name + strlen(word);

	if (end - name < (long)sizeof(word) || memcmp(name, word, strlen(word)) != 0)
		return false;
	while (at < end && *at == ' ')
		at++;
	if (end - at < 3 || *at != '"' || end[-1] != '"' ||
	    memchr(at + 1, '"', (size_t)(end - at - 2)))
		return false;
	ret->is_label = true;
	ret->text = at + 1;
	ret->len = (size_t)(end - at - 2);
	return true;
}

/* The text between braces: " .Names ". */
static int parse_column(const char *text, size_t len, struct piece *ret, struct error *err)
{
	const char *name = text, *end = text + len;

	while (name < end && *name == ' ')
		name++;
	while (end > name && end[-1] == ' ')
		end--;
	if (name < end && *name == '.')
		ret->column = find_column(name + 1, (size_t)(end - name - 1));
	if (!ret->column && !parse_label(name, end, ret))
		return error_set(
			err, EINVAL,
			"unknown column '{{%.*s}}' in the format; .ID .Image .Command "
			".CreatedAt .RunningFor .Status .Ports .Names .State .Size .Labels .Label "
			"\"NAME\" .Mounts .Networks",
			len < 100 ? (int)len : 100, text);
	return 0;
}

/* 1 with the piece at *at, 0 at the end, or -EINVAL. */
static int next_piece(const char **at, struct piece *ret, struct error *err)
{
	const char *open = strstr(*at, "{{");
	const char *close = open ? strstr(open, "}}") : NULL;

	*ret = (struct piece){ .column = NULL, .text = *at };
	if (**at == '\0')
		return 0;
	if (open != *at) {
		ret->len = open ? (size_t)(open - *at) : strlen(*at);
		*at += ret->len;
		return 1;
	}
	if (!close)
		return error_set(err, EINVAL, "a '{{' in the format has no '}}'");
	*at = close + 2;
	if (parse_column(open + 2, (size_t)(close - open - 2), ret, err) < 0)
		return -EINVAL;
	return 1;
}

static int check_format(const char *format, struct error *err)
{
	struct piece piece;
	int r;

	do
		r = next_piece(&format, &piece, err);
	while (r > 0);
	return r;
}

/* The user's own text, with \t and \n read. */
static void append_literal(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char next = i + 1 < len ? text[i + 1] : '\0';

		if (text[i] != '\\' || (next != 't' && next != 'n')) {
			strbuf_append_char(out, text[i]);
			continue;
		}
		strbuf_append_char(out, next == 't' ? '\t' : '\n');
		i++;
	}
}

static void append_cell(struct strbuf *out, const struct column *column, const struct ps_row *row)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	if (column->escaped) {
		column->append(row, out);
		return;
	}
	column->append(row, &text);
	strbuf_append_escaped(out, strbuf_get_str(&text), text.len);
	if (text.oom)
		out->oom = true;
}

static void append_label(struct strbuf *out, const struct piece *piece, const struct ps_row *row)
{
	json_t *labels = json_get_object(row->view->effective, "Labels");
	const char *text = json_string_value(json_object_getn(labels, piece->text, piece->len));

	render_append_text(out, text);
}

/* One line; row NULL: the headings. The format has been checked. */
static void append_line(struct strbuf *out, const char *format, const struct ps_row *row)
{
	struct piece piece;

	while (next_piece(&format, &piece, NULL) > 0) {
		if (piece.is_label && row)
			append_label(out, &piece, row);
		else if (piece.is_label)
			strbuf_append_escaped(out, piece.text, piece.len);
		else if (!piece.column)
			append_literal(out, piece.text, piece.len);
		else if (row)
			append_cell(out, piece.column, row);
		else
			strbuf_append_str(out, piece.column->heading);
	}
	strbuf_append_char(out, '\n');
}

static json_t *make_cell(const struct column *column, const struct ps_row *row)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	column->append(row, &text);
	return text.oom ? NULL : render_make_string(strbuf_get_str(&text));
}

/* One object with all columns. */
static void append_object(struct strbuf *out, const struct ps_row *row)
{
	auto_json json_t *object = json_object();
	bool ok = object != NULL;

	for (size_t i = 0; ok && i < COLUMN_COUNT; i++)
		render_put(object, columns[i].name, make_cell(&columns[i], row), &ok);
	if (!ok || json_render(object, 0, out, NULL) < 0)
		out->oom = true;
	strbuf_append_char(out, '\n');
}

/* --- the whole ------------------------------------------------------------------ */

enum form { FORM_LINES, FORM_TABLE, FORM_JSON };

/* Which form a format asks for; *ret_line is what each row of it is made of. */
static enum form read_form(const struct render_ps_options *options, const char **ret_line)
{
	const char *format = options->format;
	bool table = format && strncmp(format, TABLE, strlen(TABLE)) == 0 &&
		     (format[strlen(TABLE)] == ' ' || format[strlen(TABLE)] == '\0');

	if (table)
		format += strlen(TABLE) + (format[strlen(TABLE)] == ' ');
	if (options->quiet && (!format || table)) {
		*ret_line = "{{.ID}}";
		return FORM_LINES;
	}
	if (format && (strcmp(format, "json") == 0 || strcmp(format, "{{json .}}") == 0))
		return FORM_JSON;
	if (format && *format) {
		*ret_line = format;
		return table ? FORM_TABLE : FORM_LINES;
	}
	*ret_line = options->size ? "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t"
				    "{{.Status}}\t{{.Ports}}\t{{.Names}}\t{{.Size}}"
				  : "{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t"
				    "{{.Status}}\t{{.Ports}}\t{{.Names}}";
	return FORM_TABLE;
}

int render_ps(const struct container_list *list, const struct render_ps_options *options,
	      int64_t now_ns, struct strbuf *out, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	int64_t limit = options->latest ? 1 : options->limit;
	const char *line = "";
	enum form form = read_form(options, &line);
	int64_t shown = 0;
	int r = render_filter_check(list, options->filters, err);

	if (r == 0)
		r = check_format(line, err);
	if (r < 0)
		return r;
	if (form == FORM_TABLE)
		append_line(&lines, line, NULL);
	for (size_t i = 0; i < list->count && (limit <= 0 || shown < limit); i++) {
		struct ps_row row = { list->views[i], options, now_ns };

		if (!render_filter_match(list, options, list->views[i]))
			continue;
		shown++;
		if (form == FORM_JSON)
			append_object(out, &row);
		else
			append_line(form == FORM_TABLE ? &lines : out, line, &row);
	}
	render_append_table(out, &lines);
	return strbuf_check(out, err);
}
