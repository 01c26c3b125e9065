/* The changes as a tar: what diff_walk() tells becomes entries in the order in which it is
 * told, so that a directory stands before what is in it.
 *
 * Whiteouts are told one by one, never by an opaque directory: both are understood by
 * everybody, but of an old entry that came back unchanged in a replaced directory nothing is
 * told, so that what lies below must go on to show through. What was below a directory that
 * something else replaced goes with it and is not told: there is no place for it in the archive.
 */
#include "graph/commit.h"

#include "base/clock.h"
#include "graph/describe.h"
#include "graph/diff.h"
#include "graph/tar_item.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define WHITEOUT_PREFIX ".wh."

struct commit {
	struct batch *batch;
	struct batch_layer layer;
	bool has_layer;
};

void commit_free(struct commit *commit)
{
	if (!commit)
		return;
	batch_free(commit->batch);
	free(commit);
}

/* --- the archive -------------------------------------------------------------------- */

struct writer {
	struct intake *intake;
	struct tar_out *out;
	struct tar_items *items;
	int (*check)(void *arg, struct error *err);
	void *arg;
	struct error failure; /* of the output: the archive's functions have no sentence for it */
	uint64_t entries;
	char *gone; /* a directory that is something else now; NULL: none */
};

static void writer_deinit(struct writer *writer)
{
	tar_items_free(writer->items);
	tar_out_free(writer->out);
	intake_abort(writer->intake);
	free(writer->gone);
}
DEFINE_AUTO_DEINIT(struct writer, writer_deinit);

static int write_bytes(void *arg, const void *bytes, size_t len)
{
	struct writer *writer = arg;
	int r = writer->check ? writer->check(writer->arg, &writer->failure) : 0;

	if (r == 0)
		r = intake_write(writer->intake, bytes, len, &writer->failure);
	return r < 0 ? r : 0;
}

static int check_name(const char *path, struct error *err)
{
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (strncmp(at, WHITEOUT_PREFIX, strlen(WHITEOUT_PREFIX)) == 0)
			return error_set(err, EINVAL,
					 "'/%s' cannot be in an image: there, names that begin "
					 "with .wh. mean removals",
					 path);
	}
	return 0;
}

static int note_gone(struct writer *writer, const char *path, struct error *err)
{
	free(writer->gone);
	writer->gone = strdup(path);
	return writer->gone ? 0 : error_set_sys(err, ENOMEM, "cannot archive '/%s'", path);
}

static bool is_below_gone(const struct writer *writer, const char *path)
{
	size_t len = writer->gone ? strlen(writer->gone) : 0;

	return len > 0 && strncmp(path, writer->gone, len) == 0 && path[len] == '/';
}

static int add_whiteout(struct writer *writer, const char *path, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	const char *slash = strrchr(path, '/');
	size_t parent_len = slash ? (size_t)(slash - path) + 1 : 0;
	struct tar_entry entry = { .st = { .st_mode = S_IFREG } };
	int r;

	if (is_below_gone(writer, path))
		return 0;
	strbuf_append(&name, path, parent_len);
	strbuf_append_str(&name, WHITEOUT_PREFIX);
	strbuf_append_str(&name, path + parent_len);
	r = strbuf_check(&name, err);
	if (r < 0)
		return r;
	entry.path = strbuf_get_str(&name);
	writer->entries++;
	return tar_out_add(writer->out, &entry, err);
}

/* An entry of the upper directory; what has gone meanwhile is left out. */
static int add_entry(struct writer *writer, const struct diff_change *change, const char *path,
		     struct error *err)
{
	auto_fd int fd = openat(change->dir_fd, change->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r = check_name(path, err);

	if (r < 0)
		return r;
	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at '/%s'", path);
	if (change->kind == DIFF_CHANGED && !S_ISDIR(st.st_mode))
		r = note_gone(writer, path, err);
	if (r < 0 || S_ISSOCK(st.st_mode))
		return r;
	writer->entries++;
	return tar_items_add(writer->items, fd, &st, path, err);
}

static int add_change(void *arg, const struct diff_change *change, struct error *err)
{
	const char *path = change->path + 1;

	return change->kind == DIFF_DELETED ? add_whiteout(arg, path, err)
					    : add_entry(arg, change, path, err);
}

static int write_archive(struct writer *writer, int upper_fd, int lower_fd, const char *const *made,
			 struct error *err)
{
	int r;

	writer->out = tar_out_new(write_bytes, writer);
	writer->items = writer->out ? tar_items_new(writer->out) : NULL;
	if (!writer->items)
		return error_set_sys(err, ENOMEM, "cannot archive the changes");
	/* Of the root the walk tells nothing. */
	r = tar_items_add_root(writer->items, upper_fd, err);
	if (r == 0)
		r = diff_walk(upper_fd, lower_fd, made, add_change, writer, err);
	if (r == 0)
		r = tar_out_finish(writer->out, err);
	if (r < 0 && writer->failure.code && err && !err->code)
		*err = writer->failure;
	return r;
}

static int read_layer(struct commit *commit, struct writer *writer, int upper_fd, int lower_fd,
		      const char *const *made, struct error *err)
{
	int r = intake_begin_packed(commit->batch, &writer->intake, err);

	if (r == 0)
		r = write_archive(writer, upper_fd, lower_fd, made, err);
	if (r < 0 || writer->entries == 0)
		return r;
	r = intake_finish(steal_ptr(&writer->intake), NULL, NULL, &commit->layer, err);
	commit->has_layer = r == 0;
	return r;
}

int commit_read(struct graph *graph, int upper_fd, int lower_fd, const char *const *made,
		int (*check)(void *arg, struct error *err), void *arg, struct commit **ret,
		struct error *err)
{
	AUTO(commit_free) struct commit *commit = calloc(1, sizeof(*commit));
	AUTO(writer_deinit) struct writer writer = { .check = check, .arg = arg };
	int r;

	if (!commit)
		return error_set(err, ENOMEM, "out of memory for an image");
	r = batch_new(graph, &commit->batch, err);
	if (r == 0 && upper_fd >= 0)
		r = read_layer(commit, &writer, upper_fd, lower_fd, made, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&commit);
	return 0;
}

/* --- the texts --------------------------------------------------------------------------- */

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an image config");
}

static int make_config(const struct commit *commit, const struct commit_text *text,
		       struct strbuf *out, struct error *err)
{
	auto_json json_t *config = NULL;
	int r = describe_step(
		text->image->config,
		&(struct describe_step){ .layer = commit->has_layer ? &commit->layer : NULL,
					 .layer_count = text->image->layer_count,
					 .config = text->config,
					 .created_by = text->created_by,
					 .comment = text->comment,
					 .author = text->author,
					 .now_ns = clock_now_ns() },
		&config, err);

	return r < 0 ? r : json_render(config, 0, out, err);
}

static int make_manifest(const struct commit *commit, const struct commit_text *text,
			 const struct strbuf *config, struct strbuf *out, struct error *err)
{
	auto_json json_t *layers = describe_layers(text->image->manifest);

	if (!layers || (commit->has_layer &&
			json_array_append_new(layers, describe_layer(&commit->layer)) < 0))
		return no_memory(err);
	return describe_manifest(config, layers, out, err);
}

static int put_texts(struct commit *commit, const struct commit_text *text,
		     char config_digest[DIGEST_SIZE], char manifest_digest[DIGEST_SIZE],
		     struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf manifest = STRBUF_INIT;
	int r = make_config(commit, text, &config, err);

	if (r == 0)
		r = make_manifest(commit, text, &config, &manifest, err);
	if (r == 0)
		r = batch_put_text(commit->batch, strbuf_get_str(&config), config.len,
				   config_digest, err);
	if (r == 0)
		r = batch_put_text(commit->batch, strbuf_get_str(&manifest), manifest.len,
				   manifest_digest, err);
	return r;
}

int commit_publish(struct commit *commit, const struct commit_text *text, const char *name,
		   int (*on_id)(void *arg, const char *id), void *arg, char ret_id[GRAPH_ID_SIZE],
		   struct error *err)
{
	char config_digest[DIGEST_SIZE], manifest_digest[DIGEST_SIZE];
	char canonical[GRAPH_NAME_SIZE];
	size_t image = 0;
	int r = name ? graph_parse_name(name, canonical, err) : 0;

	if (r == 0)
		r = put_texts(commit, text, config_digest, manifest_digest, err);
	if (r == 0)
		r = batch_add_image(commit->batch, config_digest, manifest_digest, &image, ret_id,
				    err);
	if (r == 0 && name)
		r = batch_add_tag(commit->batch, image, canonical, err);
	if (r == 0 && on_id)
		r = on_id(arg, ret_id);
	return r < 0 ? r : batch_publish(commit->batch, true, "commit", err);
}
