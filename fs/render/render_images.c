/* Texts about images: the table of all, an image's history, tags and layers.
 *
 * An image that no tag points at has a row of its own with <none>. There are no
 * intermediate images here, which docker images -a would add.
 */
#include "fs/render/render_private.h"

#include "base/clock.h"
#include "fs/render/image_filter.h"
#include "graph/name.h"

#include <stdlib.h>
#include <string.h>

#define NONE "<none>"
#define CREATED_BY_CHARS 45 /* docker history cuts the command here */
#define MOST_HISTORY 4096   /* an image of 127 layers, the most there may be, has a tenth of it */

/* --- the table of images --------------------------------------------------------- */

struct image_row {
	const struct image *image;
	/* "repository:tag", or without a tag "repository@digest"; NULL: neither. */
	const char *name;
	const char *digest; /* "sha256:..."; NULL: no registry calls it by one */
};

/* As many as there are; a failed one has lost its memory. */
struct image_rows {
	size_t count;
	struct image_row *rows;
	bool failed;
};

static void add_row(struct image_rows *all, const struct image *image, const char *name,
		    const char *digest)
{
	struct image_row *grown =
		all->failed ? NULL : reallocarray(all->rows, all->count + 1, sizeof(*grown));

	if (!grown) {
		all->failed = true;
		return;
	}
	all->rows = grown;
	all->rows[all->count++] =
		(struct image_row){ .image = image, .name = name, .digest = digest };
}

/* Newest first, then by tag; those without a tag last, by id. */
static int compare_rows(const void *a, const void *b)
{
	const struct image_row *left = a, *right = b;

	if (left->image->created_ns != right->image->created_ns)
		return left->image->created_ns < right->image->created_ns ? 1 : -1;
	if (left->name && right->name)
		return strcmp(left->name, right->name);
	if (left->name || right->name)
		return left->name ? -1 : 1;
	return strcmp(left->image->id, right->image->id);
}

static int compare_ids(const void *a, const void *b)
{
	const struct image_row *left = a, *right = b;

	if (left->image->created_ns != right->image->created_ns)
		return left->image->created_ns < right->image->created_ns ? 1 : -1;
	return strcmp(left->image->id, right->image->id);
}

/* Is the digest's name one of that repository? Then what stands behind its '@', else NULL. */
static const char *match_repository(const struct tag *digest, const char *name)
{
	size_t len = name_get_repository_len(name);

	return strncmp(digest->name, name, len) == 0 && digest->name[len] == '@'
		       ? digest->name + len + 1
		       : NULL;
}

/* A row for each digest that the tag's repository has for it, or one. */
static void add_tagged(const struct graph_snapshot *snapshot, const struct tag *tag,
		       bool each_digest, struct image_rows *all)
{
	size_t before = all->count;

	for (size_t i = 0; i < snapshot->digest_count; i++) {
		const char *digest = match_repository(&snapshot->digests[i], tag->name);

		if (digest && snapshot->digests[i].image == tag->image &&
		    (each_digest || all->count == before))
			add_row(all, tag->image, tag->name, digest);
	}
	if (all->count == before)
		add_row(all, tag->image, tag->name, NULL);
}

/* A row for each repository that has it by a digest, or one. */
static void add_untagged(const struct graph_snapshot *snapshot, const struct image *image,
			 const struct render_images_options *options, struct image_rows *all)
{
	const char *before = NULL;

	for (size_t i = 0; i < snapshot->digest_count; i++) {
		const struct tag *digest = &snapshot->digests[i];

		if (digest->image != image ||
		    !image_filter_match(options->filter, options->pattern, image, digest->name) ||
		    (before && !options->digests && match_repository(digest, before)))
			continue;
		before = digest->name;
		add_row(all, image, before, before + name_get_repository_len(before) + 1);
	}
	if (!before && image_filter_match(options->filter, options->pattern, image, NULL))
		add_row(all, image, NULL, NULL);
}

static int compare_pointers(const void *a, const void *b)
{
	uintptr_t left = (uintptr_t) * (const struct image *const *)a;
	uintptr_t right = (uintptr_t) * (const struct image *const *)b;

	return (left > right) - (left < right);
}

/* All rows, not sorted; owned by the caller. */
static struct image_rows make_rows(const struct graph_snapshot *snapshot,
				   const struct render_images_options *options)
{
	auto_free const struct image **tagged =
		calloc(snapshot->tag_count + 1, sizeof(const struct image *));
	struct image_rows all = { .failed = !tagged };

	for (size_t i = 0; !all.failed && i < snapshot->tag_count; i++) {
		const struct tag *tag = &snapshot->tags[i];

		tagged[i] = tag->image;
		if (image_filter_match(options->filter, options->pattern, tag->image, tag->name))
			add_tagged(snapshot, tag, options->digests, &all);
	}
	if (!all.failed)
		qsort(tagged, snapshot->tag_count, sizeof(const struct image *), compare_pointers);
	for (size_t i = 0; !all.failed && i < snapshot->image_count; i++) {
		const struct image *image = snapshot->images[i];

		if (!bsearch(&image, tagged, snapshot->tag_count, sizeof(const struct image *),
			     compare_pointers))
			add_untagged(snapshot, image, options, &all);
	}
	return all;
}

static const char *get_tag(const struct image_row *row)
{
	const char *end = row->name ? row->name + name_get_repository_len(row->name) : NULL;

	return end && *end == ':' ? end + 1 : NONE;
}

/* What a registry calls it, else what one would. */
static void append_digest(struct strbuf *out, const struct image_row *row)
{
	if (row->digest)
		strbuf_append_str(out, row->digest);
	else
		strbuf_appendf(out, "sha256:%s", image_get_manifest_digest(row->image));
}

static void append_image_row(struct strbuf *out, const struct image_row *row,
			     const struct render_images_options *options, int64_t now_ns)
{
	if (row->name)
		strbuf_append_escaped(out, row->name, name_get_repository_len(row->name));
	else
		strbuf_append_str(out, NONE);
	strbuf_append_char(out, '\t');
	render_append_text(out, get_tag(row));
	strbuf_append_char(out, '\t');
	if (options->digests) {
		append_digest(out, row);
		strbuf_append_char(out, '\t');
	}
	render_append_id(out, row->image->id, "sha256:", options->no_trunc);
	strbuf_append_char(out, '\t');
	render_append_ago(out, row->image->created_ns, now_ns);
	strbuf_append_char(out, '\t');
	render_append_size(out, row->image->size_bytes);
	strbuf_append_char(out, '\n');
}

/* Each id once, though it may have many tags. */
static void append_ids(struct strbuf *out, struct image_row *rows, size_t count, bool no_trunc)
{
	if (count)
		qsort(rows, count, sizeof(*rows), compare_ids);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(rows[i].image->id, rows[i - 1].image->id) == 0)
			continue;
		render_append_id(out, rows[i].image->id, "sha256:", no_trunc);
		strbuf_append_char(out, '\n');
	}
}

/* --- the table in a format of the user's ---------------------------------------------- */

/* docker's names of the columns, with their headings. What is not counted here is N/A there too. */
static json_t *make_headings(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Containers",
			 "CONTAINERS", "CreatedAt", "CREATED AT", "CreatedSince", "CREATED",
			 "Digest", "DIGEST", "ID", "IMAGE ID", "Repository", "REPOSITORY",
			 "SharedSize", "SHARED SIZE", "Size", "SIZE", "Tag", "TAG", "UniqueSize",
			 "UNIQUE SIZE", "VirtualSize", "SIZE");
}

static json_t *make_columns(const struct image_row *row, bool no_trunc, int64_t now_ns)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_json json_t *object = make_headings();
	size_t len = row->name ? name_get_repository_len(row->name) : 0;
	bool ok = object != NULL;

	render_put(object, "Containers", json_string("N/A"), &ok);
	render_put(object, "SharedSize", json_string("N/A"), &ok);
	render_put(object, "UniqueSize", json_string("N/A"), &ok);
	render_put(object, "CreatedAt", render_make_time(row->image->created_ns), &ok);
	render_append_ago(&text, row->image->created_ns, now_ns);
	render_put(object, "CreatedSince", render_make_text(&text), &ok);
	append_digest(&text, row);
	render_put(object, "Digest", render_make_text(&text), &ok);
	render_append_id(&text, row->image->id, "sha256:", no_trunc);
	render_put(object, "ID", render_make_text(&text), &ok);
	strbuf_append(&text, row->name ? row->name : NONE, row->name ? len : strlen(NONE));
	render_put(object, "Repository", render_make_text(&text), &ok);
	strbuf_append_str(&text, get_tag(row));
	render_put(object, "Tag", render_make_text(&text), &ok);
	render_append_size(&text, row->image->size_bytes);
	render_put(object, "Size", render_make_text(&text), &ok);
	render_append_size(&text, row->image->size_bytes);
	render_put(object, "VirtualSize", render_make_text(&text), &ok);
	return ok ? steal_ptr(&object) : NULL;
}

/* Rows of a table, for render_rows(). */
struct shown_rows {
	const struct image_row *rows;
	bool no_trunc;
	int64_t now_ns;
};

static json_t *make_row(void *arg, size_t index)
{
	const struct shown_rows *rows = arg;

	return make_columns(&rows->rows[index], rows->no_trunc, rows->now_ns);
}

static int render_in_format(const struct image_row *rows, size_t count,
			    const struct render_images_options *options, int64_t now_ns,
			    struct strbuf *out, struct error *err)
{
	struct shown_rows shown = { rows, options->no_trunc, now_ns };

	return render_rows(options->format,
			   &(struct render_rows){ make_headings, make_row, &shown, count }, out,
			   err);
}

int render_images(const struct graph_snapshot *snapshot,
		  const struct render_images_options *options, int64_t now_ns, struct strbuf *out,
		  struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	struct image_rows all = make_rows(snapshot, options);
	auto_free struct image_row *rows = all.rows;
	size_t count = all.count;

	if (all.failed) {
		out->oom = true;
		return strbuf_check(out, err);
	}
	if (options->quiet) {
		append_ids(out, rows, count, options->no_trunc);
		return strbuf_check(out, err);
	}
	if (count)
		qsort(rows, count, sizeof(*rows), compare_rows);
	if (options->format && *options->format)
		return render_in_format(rows, count, options, now_ns, out, err);
	strbuf_appendf(&lines, "REPOSITORY\tTAG\t%sIMAGE ID\tCREATED\tSIZE\n",
		       options->digests ? "DIGEST\t" : "");
	for (size_t i = 0; i < count; i++)
		append_image_row(&lines, &rows[i], options, now_ns);
	render_append_table(out, &lines);
	return strbuf_check(out, err);
}

/* --- one image --------------------------------------------------------------------- */

static void append_step_id(struct strbuf *out, const struct image *image, bool newest,
			   bool no_trunc)
{
	/* Only the image as a whole has an id. */
	if (newest)
		render_append_id(out, image->id, "sha256:", no_trunc);
	else
		strbuf_append_str(out, "<missing>");
}

static void append_created_by(struct strbuf *out, const char *created_by, bool no_trunc)
{
	AUTO(strbuf_deinit) struct strbuf cut = STRBUF_INIT;

	if (no_trunc) {
		render_append_text(out, created_by);
		return;
	}
	render_append_cut(&cut, created_by, CREATED_BY_CHARS);
	strbuf_append_escaped(out, strbuf_get_str(&cut), cut.len);
	if (cut.oom)
		out->oom = true;
}

/* The rest of a row, behind the id. */
static void append_step(struct strbuf *out, const json_t *step, int64_t size_bytes, bool no_trunc,
			int64_t now_ns)
{
	int64_t created_ns = 0;

	if (clock_parse(json_get_str(step, "created", ""), &created_ns) < 0)
		created_ns = 0;
	strbuf_append_char(out, '\t');
	render_append_ago(out, created_ns, now_ns);
	strbuf_append_char(out, '\t');
	append_created_by(out, json_get_str(step, "created_by", ""), no_trunc);
	strbuf_append_char(out, '\t');
	render_append_size(out, size_bytes);
	strbuf_append_char(out, '\t');
	render_append_text(out, json_get_str(step, "comment", ""));
	strbuf_append_char(out, '\n');
}

/* Steps are kept oldest first; layers belong to those that are not empty, counted from the newest. */
static void append_steps(struct strbuf *out, const struct image *image, const json_t *history,
			 bool no_trunc, int64_t now_ns)
{
	size_t count = json_array_size(history);
	size_t layer = image->layer_count;

	for (size_t i = count; i > 0; i--) {
		const json_t *step = json_array_get(history, i - 1);
		int64_t size_bytes = 0;

		if (count - i == MOST_HISTORY) {
			strbuf_appendf(out, "<missing>\tN/A\t\t0B\t%zu older steps are not shown\n",
				       i);
			return;
		}
		if (!json_get_bool(step, "empty_layer", false) && layer > 0)
			size_bytes = image->layer_sizes[--layer];
		append_step_id(out, image, i == count, no_trunc);
		append_step(out, step, size_bytes, no_trunc, now_ns);
	}
}

/* Made without telling how: the image itself. */
static void append_image_step(struct strbuf *out, const struct image *image, bool no_trunc,
			      int64_t now_ns)
{
	append_step_id(out, image, true, no_trunc);
	strbuf_append_char(out, '\t');
	render_append_ago(out, image->created_ns, now_ns);
	strbuf_append_str(out, "\t\t");
	render_append_size(out, image->size_bytes);
	strbuf_append_str(out, "\t\n");
}

static void append_step_ids(struct strbuf *out, const struct image *image, size_t count,
			    bool no_trunc)
{
	for (size_t i = 0; i < count && i <= MOST_HISTORY; i++) {
		append_step_id(out, image, i == 0, no_trunc);
		strbuf_append_char(out, '\n');
	}
}

void render_history(const struct image *image, bool quiet, bool no_trunc, int64_t now_ns,
		    struct strbuf *out)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	const json_t *history = json_get_array(image->config, "history");
	size_t count = json_array_size(history);

	if (quiet) {
		append_step_ids(out, image, count > 0 ? count : 1, no_trunc);
		return;
	}
	strbuf_append_str(&lines, "IMAGE\tCREATED\tCREATED BY\tSIZE\tCOMMENT\n");
	if (count > 0)
		append_steps(&lines, image, history, no_trunc, now_ns);
	else
		append_image_step(&lines, image, no_trunc, now_ns);
	render_append_table(out, &lines);
}

void render_image_tags(const struct image *image, const struct graph_snapshot *snapshot,
		       struct strbuf *out)
{
	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (strcmp(snapshot->tags[i].image->id, image->id) != 0)
			continue;
		render_append_text(out, snapshot->tags[i].name);
		strbuf_append_char(out, '\n');
	}
}

void render_image_layers(const struct image *image, struct strbuf *out)
{
	for (size_t i = 0; i < image->layer_count; i++)
		strbuf_appendf(out, "sha256:%s\n", image->diff_ids[i]);
}
