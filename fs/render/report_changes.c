/* The list of changes: collected, then sorted, since the order of a walk is not that
 * of the paths' bytes ("a-b" stands before "a/b").
 */
#include "fs/render/report.h"

#include "graph/diff.h"

#include <string.h>

struct line {
	char kind;
	char *path;
};

struct lines {
	struct line *list;
	size_t count, cap;
};

static void lines_deinit(struct lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		free(lines->list[i].path);
	free(lines->list);
}
DEFINE_AUTO_DEINIT(struct lines, lines_deinit);

static int add_line(void *arg, const struct diff_change *change, struct error *err)
{
	struct lines *lines = arg;
	struct line *line;

	if (lines->count == lines->cap) {
		size_t cap = lines->cap ? lines->cap * 2 : 64;
		struct line *grown = reallocarray(lines->list, cap, sizeof(*grown));

		if (!grown)
			return error_set_sys(err, ENOMEM, "cannot list the changes");
		lines->list = grown;
		lines->cap = cap;
	}
	line = &lines->list[lines->count];
	*line = (struct line){ (char)change->kind, strdup(change->path) };
	if (!line->path)
		return error_set_sys(err, ENOMEM, "cannot list the changes");
	lines->count++;
	return 0;
}

static int compare_lines(const void *a, const void *b)
{
	const struct line *left = a, *right = b;

	return strcmp(left->path, right->path);
}

int report_changes(struct container *c, struct strbuf *out, struct error *err)
{
	AUTO(lines_deinit) struct lines lines = { .count = 0 };
	auto_fd int upper_fd = -1;
	auto_fd int lower_fd = -1;
	int r = container_open_layers(c, &upper_fd, &lower_fd, err);

	if (r == 0 && upper_fd >= 0)
		r = diff_walk(upper_fd, lower_fd, container_get_made_paths(), add_line, &lines,
			      err);
	if (r < 0)
		return r;
	if (lines.count > 0)
		qsort(lines.list, lines.count, sizeof(*lines.list), compare_lines);
	for (size_t i = 0; i < lines.count; i++) {
		strbuf_appendf(out, "%c ", lines.list[i].kind);
		strbuf_append_escaped(out, lines.list[i].path, strlen(lines.list[i].path));
		strbuf_append_char(out, '\n');
	}
	return strbuf_check(out, err);
}
