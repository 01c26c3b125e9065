/* The table, and what is known of a file by its row alone. Names that come and go (containers, tags,
 * images) are resolved in fs/names.c.
 */
#include "fs/tree.h"

#include "fs/names.h"
#include "fs/render/text.h"

#include <string.h>

#define DIR_MODE (S_IFDIR | 0700)
#define LINK_MODE (S_IFLNK | 0777)
#define READ_MODE (S_IFREG | 0400)
#define BOTH_MODE (S_IFREG | 0600)
#define WRITE_MODE (S_IFREG | 0200)

static const struct tree_row rows[] = {
	{ NODE_ROOT, NODE_NONE, NULL, DIR_MODE, FILE_DIR, NULL },
	{ NODE_CTL, NODE_ROOT, "ctl", BOTH_MODE, FILE_CTL, text_render_reply },
	{ NODE_HELP, NODE_ROOT, "help", READ_MODE, FILE_TEXT, text_render_help },
	{ NODE_ERROR, NODE_ROOT, "error", READ_MODE, FILE_TEXT, text_render_error },
	{ NODE_EVENTS, NODE_ROOT, "events", READ_MODE, FILE_STREAM, NULL },
	{ NODE_INFO, NODE_ROOT, "info", READ_MODE, FILE_TEXT, text_render_info },
	{ NODE_VERSION, NODE_ROOT, "version", READ_MODE, FILE_TEXT, text_render_version },
	{ NODE_PS, NODE_ROOT, "ps", READ_MODE, FILE_TEXT, text_render_ps },

	{ NODE_CONTAINERS, NODE_ROOT, "containers", DIR_MODE, FILE_DIR, NULL },
	{ NODE_CONTAINER, NODE_CONTAINERS, NULL, DIR_MODE, FILE_DIR, NULL },
	{ NODE_CONTAINER_LINK12, NODE_CONTAINERS, NULL, LINK_MODE, FILE_LINK, NULL },
	{ NODE_CONTAINER_LINK64, NODE_CONTAINERS, NULL, LINK_MODE, FILE_LINK, NULL },
	{ NODE_C_CONFIG, NODE_CONTAINER, "config", BOTH_MODE, FILE_CONFIG, text_render_config },
	{ NODE_C_CTL, NODE_CONTAINER, "ctl", BOTH_MODE, FILE_CTL, text_render_reply },
	{ NODE_C_STATUS, NODE_CONTAINER, "status", READ_MODE, FILE_TEXT, text_render_status },
	{ NODE_C_INSPECT, NODE_CONTAINER, "inspect", READ_MODE, FILE_TEXT, text_render_inspect },
	{ NODE_C_STDIN, NODE_CONTAINER, "stdin", WRITE_MODE, FILE_STDIN, NULL },
	{ NODE_C_LOGS, NODE_CONTAINER, "logs", READ_MODE, FILE_LOG, NULL },
	{ NODE_C_STDOUT, NODE_CONTAINER, "stdout", READ_MODE, FILE_LOG, NULL },
	{ NODE_C_STDERR, NODE_CONTAINER, "stderr", READ_MODE, FILE_LOG, NULL },
	{ NODE_C_LOGS_JSON, NODE_CONTAINER, "logs.json", READ_MODE, FILE_LOG, NULL },
	{ NODE_C_FOLLOW, NODE_CONTAINER, "follow", READ_MODE, FILE_STREAM, NULL },
	{ NODE_C_ATTACH, NODE_CONTAINER, "attach", BOTH_MODE, FILE_STREAM, NULL },
	{ NODE_C_WAIT, NODE_CONTAINER, "wait", READ_MODE, FILE_STREAM, NULL },
	{ NODE_C_CHANGES, NODE_CONTAINER, "changes", READ_MODE, FILE_REPORT, text_render_changes },
	{ NODE_C_EXPORT, NODE_CONTAINER, "export.tar", READ_MODE, FILE_EXPORT, NULL },
	{ NODE_C_TOP, NODE_CONTAINER, "top", READ_MODE, FILE_REPORT, text_render_top },
	{ NODE_C_STATS, NODE_CONTAINER, "stats", READ_MODE, FILE_REPORT, text_render_stats },
	{ NODE_C_NET, NODE_CONTAINER, "net", READ_MODE, FILE_TEXT, text_render_net },
	{ NODE_C_ROOTFS, NODE_CONTAINER, "rootfs", LINK_MODE, FILE_LINK, NULL },
	{ NODE_C_ROOT, NODE_CONTAINER, "root", LINK_MODE, FILE_LINK, NULL },

	{ NODE_C_EXEC, NODE_CONTAINER, "exec", DIR_MODE, FILE_DIR, NULL },
	{ NODE_EXEC, NODE_C_EXEC, NULL, DIR_MODE, FILE_DIR, NULL },
	{ NODE_X_CTL, NODE_EXEC, "ctl", BOTH_MODE, FILE_CTL, text_render_exec_reply },
	{ NODE_X_STATUS, NODE_EXEC, "status", READ_MODE, FILE_TEXT, text_render_exec_status },
	{ NODE_X_STDIN, NODE_EXEC, "stdin", WRITE_MODE, FILE_STDIN, NULL },
	{ NODE_X_STDOUT, NODE_EXEC, "stdout", READ_MODE, FILE_LOG, NULL },
	{ NODE_X_STDERR, NODE_EXEC, "stderr", READ_MODE, FILE_LOG, NULL },
	{ NODE_X_FOLLOW, NODE_EXEC, "follow", READ_MODE, FILE_STREAM, NULL },
	{ NODE_X_ATTACH, NODE_EXEC, "attach", BOTH_MODE, FILE_STREAM, NULL },
	{ NODE_X_WAIT, NODE_EXEC, "wait", READ_MODE, FILE_STREAM, NULL },

	{ NODE_IMAGES, NODE_ROOT, "images", DIR_MODE, FILE_DIR, NULL },
	{ NODE_SHA256, NODE_IMAGES, "sha256", DIR_MODE, FILE_DIR, NULL },
	{ NODE_FOLDER, NODE_IMAGES, NULL, DIR_MODE, FILE_DIR, NULL },
	{ NODE_TAG, NODE_IMAGES, NULL, LINK_MODE, FILE_LINK, NULL },
	{ NODE_TEMP_LINK, NODE_IMAGES, NULL, LINK_MODE, FILE_LINK, NULL },
	{ NODE_IMPORT, NODE_IMAGES, NULL, BOTH_MODE, FILE_IMPORT, NULL },
	{ NODE_IMAGE, NODE_SHA256, NULL, DIR_MODE, FILE_DIR, NULL },
	{ NODE_IMAGE_LINK64, NODE_SHA256, NULL, LINK_MODE, FILE_LINK, NULL },
	{ NODE_I_CONFIG, NODE_IMAGE, "config", READ_MODE, FILE_TEXT, text_render_image_config },
	{ NODE_I_MANIFEST, NODE_IMAGE, "manifest", READ_MODE, FILE_TEXT, text_render_manifest },
	{ NODE_I_HISTORY, NODE_IMAGE, "history", READ_MODE, FILE_TEXT, text_render_history },
	{ NODE_I_LAYERS, NODE_IMAGE, "layers", READ_MODE, FILE_TEXT, text_render_layers },
	{ NODE_I_SIZE, NODE_IMAGE, "size", READ_MODE, FILE_TEXT, text_render_size },
	{ NODE_I_TAGS, NODE_IMAGE, "tags", READ_MODE, FILE_TEXT, text_render_tags },
	{ NODE_I_ARCHIVE, NODE_IMAGE, "image.tar", READ_MODE, FILE_ARCHIVE, text_render_tags },
	{ NODE_I_ROOTFS, NODE_IMAGE, "rootfs", LINK_MODE, FILE_LINK, NULL },

	{ NODE_VOLUMES, NODE_ROOT, "volumes", DIR_MODE, FILE_DIR, NULL },
	{ NODE_VOLUME, NODE_VOLUMES, NULL, DIR_MODE, FILE_VOLUME, NULL },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

enum node_kind tree_get_role(enum node_kind kind)
{
	switch (kind) {
	case NODE_X_CTL:
		return NODE_C_CTL;
	case NODE_X_STDIN:
		return NODE_C_STDIN;
	case NODE_X_STDOUT:
		return NODE_C_STDOUT;
	case NODE_X_STDERR:
		return NODE_C_STDERR;
	case NODE_X_FOLLOW:
		return NODE_C_FOLLOW;
	case NODE_X_ATTACH:
		return NODE_C_ATTACH;
	case NODE_X_WAIT:
		return NODE_C_WAIT;
	default:
		return kind;
	}
}

const struct tree_row *tree_get_row(enum node_kind kind)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].kind == kind)
			return &rows[i];
	}
	return NULL;
}

bool tree_is_lazy(const struct tree_row *row)
{
	return row->kind == NODE_C_CHANGES;
}

const struct tree_row *tree_find_child(enum node_kind parent, const char *name)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (rows[i].parent == parent && rows[i].name && strcmp(rows[i].name, name) == 0)
			return &rows[i];
	}
	return NULL;
}

const struct tree_row *tree_next_child(enum node_kind parent, const struct tree_row *last)
{
	for (const struct tree_row *row = last ? last + 1 : rows; row < rows + ROW_COUNT; row++) {
		if (row->parent == parent && row->name)
			return row;
	}
	return NULL;
}

/* The link to /proc/PID/root is there only while there is a process. */
static bool is_there(struct fs *fs, const struct tree_row *row, uint64_t key)
{
	AUTO(container_view_unref) struct container_view *view = NULL;

	if (row->kind != NODE_C_ROOT)
		return true;
	view = names_get_view(fs, key);
	return view && view->pid > 0;
}

int tree_find(struct fs *fs, uint64_t parent, const char *name, struct tree_entry *ret)
{
	enum node_kind kind = node_get_kind(parent);
	uint64_t key = node_get_key(parent);
	const struct tree_row *row = tree_find_child(kind, name);

	if (strlen(name) > NAME_MAX)
		return -ENAMETOOLONG;
	if (!row)
		return names_find(fs, parent, name, ret);
	if (!is_there(fs, row, key))
		return -ENOENT;
	ret->kind = row->kind;
	ret->node = node_make(row->kind, key, 0);
	return 0;
}

int tree_list(struct fs *fs, uint64_t dir, bool (*emit)(void *arg, const char *name, uint64_t node),
	      void *arg, struct error *err)
{
	enum node_kind kind = node_get_kind(dir);
	uint64_t key = node_get_key(dir);

	for (const struct tree_row *row = tree_next_child(kind, NULL); row;
	     row = tree_next_child(kind, row)) {
		if (is_there(fs, row, key) && !emit(arg, row->name, node_make(row->kind, key, 0)))
			return 0;
	}
	return names_list(fs, dir, emit, arg, err);
}

static bool describe_container(struct fs *fs, uint64_t key, struct strbuf *out)
{
	AUTO(container_view_unref) struct container_view *view = names_get_view(fs, key);

	if (view)
		strbuf_appendf(out, "containers/%s", view->name);
	return view != NULL;
}

static bool describe_image(struct fs *fs, uint64_t key, struct strbuf *out)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	if (image)
		strbuf_appendf(out, "images/sha256/%.12s", image->id);
	return image != NULL;
}

void tree_describe(struct fs *fs, uint64_t node, struct strbuf *out)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	uint64_t key = node_get_key(node);
	bool inside = false;

	if (!row)
		return;
	if (row->kind == NODE_CONTAINER || row->parent == NODE_CONTAINER)
		inside = describe_container(fs, key, out);
	else if (row->kind == NODE_IMAGE || row->parent == NODE_IMAGE)
		inside = describe_image(fs, key, out);
	if (row->name)
		strbuf_appendf(out, "%s%s", inside ? "/" : "", row->name);
	else if (!inside)
		strbuf_append_str(out, row->kind == NODE_ROOT ? "/" : "this name");
}

static mode_t get_mode(const struct fs *fs, const struct tree_row *row)
{
	mode_t mode = row->mode;

	if (fs->options->group_bits && row->class != FILE_LINK)
		mode |= (mode & 0700) >> 3;
	return mode;
}

static void set_times(struct stat *st, int64_t time_ns)
{
	st->st_mtim.tv_sec = time_ns / 1000000000;
	st->st_mtim.tv_nsec = time_ns % 1000000000;
	st->st_atim = st->st_ctim = st->st_mtim;
}

int tree_stat(struct fs *fs, uint64_t node, struct stat *ret)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	struct stat st = { 0 };
	int64_t time_ns;
	int r;

	if (!row)
		return -ESTALE;
	r = names_get_time(fs, node, &time_ns);
	if (r < 0)
		return r;
	st.st_ino = node_get_ino(node);
	st.st_mode = get_mode(fs, row);
	st.st_nlink = row->class == FILE_DIR ? 2 : 1;
	st.st_gid = fs->options->gid;
	st.st_blksize = 4096;
	set_times(&st, time_ns);
	if (row->class == FILE_LINK) {
		r = tree_read_link(fs, node, &target);
		if (r < 0)
			return r;
		st.st_size = (off_t)target.len;
	} else if (tree_get_role(row->kind) == NODE_C_WAIT) {
		st.st_size = 4; /* "255\n": over-, never understated */
	}
	*ret = st;
	return 0;
}
