/* Directories whose entries are objects. All from immutable snapshots: nothing here waits.
 *
 * A tag or folder is known by the hash of its full name; finding it back walks the snapshot, which is
 * short beside what a user can type.
 */
#include "fs/names.h"

#include "base/num.h"
#include "fs/importfile.h"
#include "fs/templink.h"
#include "runtime/exec/exec.h"
#include "runtime/volume/volume.h"

#include <string.h>

struct container_view *names_get_view(struct fs *fs, uint64_t key)
{
	AUTO(container_unref) struct container *c = engine_find_key(fs->engine, key);

	return c ? container_get_view(c) : NULL;
}

static struct image *find_image(struct graph_snapshot *snapshot, uint64_t key)
{
	for (size_t i = 0; i < snapshot->image_count; i++) {
		if (node_key_of_id(snapshot->images[i]->id) == key)
			return snapshot->images[i];
	}
	return NULL;
}

struct image *names_get_image(struct fs *fs, uint64_t key)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	struct image *image = find_image(snapshot, key);

	return image ? image_ref(image) : NULL;
}

static const struct tag *find_tag(const struct graph_snapshot *snapshot, uint64_t key)
{
	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (node_hash_name(snapshot->tags[i].name) == key)
			return &snapshot->tags[i];
	}
	return NULL;
}

/* Does a folder of this hash lie on the way of path? Its length then, else 0. */
static size_t match_folder(const char *path, bool whole, uint64_t key)
{
	char prefix[GRAPH_NAME_SIZE];

	for (size_t i = 0; path[i] && i < sizeof(prefix) - 1; i++) {
		if (path[i] == '/') {
			prefix[i] = '\0';
			if (node_hash_name(prefix) == key)
				return i;
		}
		prefix[i] = path[i];
	}
	return whole && node_hash_name(path) == key ? strlen(path) : 0;
}

/* The path of a folder by its key; false when it has gone. */
static bool find_folder(const struct graph_snapshot *snapshot, uint64_t key,
			char ret[GRAPH_NAME_SIZE])
{
	const char *path = NULL;
	size_t len = 0;

	for (size_t i = 0; i < snapshot->tag_count && !len; i++) {
		path = snapshot->tags[i].name;
		len = match_folder(path, false, key);
	}
	for (size_t i = 0; i < snapshot->folder_count && !len; i++) {
		path = snapshot->folders[i];
		len = match_folder(path, true, key);
	}
	if (!len || len >= GRAPH_NAME_SIZE)
		return false;
	memcpy(ret, path, len);
	ret[len] = '\0';
	return true;
}

int names_make_path(struct fs *fs, uint64_t dir, const char *name, char ret[GRAPH_NAME_SIZE])
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	size_t len = 0;

	if (node_get_kind(dir) == NODE_FOLDER) {
		if (!find_folder(snapshot, node_get_key(dir), ret))
			return -ENOENT;
		len = strlen(ret);
		if (len + 1 >= GRAPH_NAME_SIZE)
			return -ENAMETOOLONG;
		ret[len++] = '/';
	}
	if (len + strlen(name) >= GRAPH_NAME_SIZE)
		return -ENAMETOOLONG;
	memcpy(ret + len, name, strlen(name) + 1);
	return 0;
}

static bool is_below(const char *name, const char *folder)
{
	size_t len = strlen(folder);

	return strncmp(name, folder, len) == 0 && name[len] == '/';
}

static bool has_folder(const struct graph_snapshot *snapshot, const char *path)
{
	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (is_below(snapshot->tags[i].name, path))
			return true;
	}
	for (size_t i = 0; i < snapshot->folder_count; i++) {
		if (strcmp(snapshot->folders[i], path) == 0 || is_below(snapshot->folders[i], path))
			return true;
	}
	return false;
}

static const struct tag *find_tag_name(const struct graph_snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (strcmp(snapshot->tags[i].name, name) == 0)
			return &snapshot->tags[i];
	}
	return NULL;
}

static int set_entry(struct tree_entry *ret, enum node_kind kind, uint64_t key)
{
	ret->kind = kind;
	ret->node = node_make(kind, key, 0);
	return 0;
}

/* A tag as listed, a folder, or a tag written without ":latest". */
static int find_in_images(struct fs *fs, uint64_t dir, const char *name, struct tree_entry *ret)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	char path[GRAPH_NAME_SIZE], full[GRAPH_NAME_SIZE];
	int r = names_make_path(fs, dir, name, path);

	if (r < 0)
		return r;
	if (imports_has(fs->imports, path))
		return set_entry(ret, NODE_IMPORT, node_hash_name(path));
	if (find_tag_name(snapshot, path))
		return set_entry(ret, NODE_TAG, node_hash_name(path));
	if (has_folder(snapshot, path))
		return set_entry(ret, NODE_FOLDER, node_hash_name(path));
	if (graph_parse_name(path, full, NULL) == 0 && find_tag_name(snapshot, full))
		return set_entry(ret, NODE_TAG, node_hash_name(full));
	if (templinks_has(fs->templinks, path))
		return set_entry(ret, NODE_TEMP_LINK, node_hash_name(path));
	return -ENOENT;
}

static int find_container(struct fs *fs, const char *name, struct tree_entry *ret)
{
	AUTO(container_unref) struct container *c = engine_find(fs->engine, name);
	AUTO(container_view_unref) struct container_view *view = NULL;

	if (!c)
		return -ENOENT;
	view = container_get_view(c);
	if (strcmp(view->name, name) == 0)
		return set_entry(ret, NODE_CONTAINER, view->key);
	return set_entry(ret, strlen(name) == 12 ? NODE_CONTAINER_LINK12 : NODE_CONTAINER_LINK64,
			 view->key);
}

static int find_exec(struct fs *fs, uint64_t key, const char *name, struct tree_entry *ret)
{
	AUTO(container_unref) struct container *c = engine_find_key(fs->engine, key);
	AUTO(container_unref) struct container *exec = c ? exec_find(c, name) : NULL;
	AUTO(container_view_unref) struct container_view *view = NULL;

	if (!exec)
		return -ENOENT;
	view = container_get_view(exec);
	return set_entry(ret, NODE_EXEC, view->key);
}

static int find_image_id(struct fs *fs, const char *name, struct tree_entry *ret)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	size_t len = strlen(name);

	if (!num_is_hex(name, 12) && !num_is_hex(name, 64))
		return -ENOENT;
	for (size_t i = 0; i < snapshot->image_count; i++) {
		const char *id = snapshot->images[i]->id;

		if (strncmp(id, name, len) == 0)
			return set_entry(ret, len == 12 ? NODE_IMAGE : NODE_IMAGE_LINK64,
					 node_key_of_id(id));
	}
	return -ENOENT;
}

/* Its directory has a node of its own, which fs/volfs/volfs.h gives. */
static int find_volume(struct fs *fs, const char *name, struct tree_entry *ret)
{
	if (!engine_find_volume(fs->engine, name, NULL))
		return -ENOENT;
	ret->kind = NODE_VOLUME;
	ret->node = node_make(NODE_VOLUME, node_hash_name(name), 0);
	return 0;
}

int names_find(struct fs *fs, uint64_t parent, const char *name, struct tree_entry *ret)
{
	switch (node_get_kind(parent)) {
	case NODE_CONTAINERS:
		return find_container(fs, name, ret);
	case NODE_IMAGES:
	case NODE_FOLDER:
		return find_in_images(fs, parent, name, ret);
	case NODE_SHA256:
		return find_image_id(fs, name, ret);
	case NODE_VOLUMES:
		return find_volume(fs, name, ret);
	case NODE_C_EXEC:
		return find_exec(fs, node_get_key(parent), name, ret);
	default:
		return -ENOENT;
	}
}

typedef bool (*emit_fn)(void *arg, const char *name, uint64_t node);

static int list_containers(struct fs *fs, emit_fn emit, void *arg, struct error *err)
{
	AUTO(container_list_deinit) struct container_list list = { 0 };
	int r = engine_list(fs->engine, &list);

	if (r < 0)
		return error_set(err, -r, "cannot list the containers");
	for (size_t i = 0; i < list.count; i++) {
		if (!emit(arg, list.views[i]->name,
			  node_make(NODE_CONTAINER, list.views[i]->key, 0)))
			break;
	}
	return 0;
}

static int list_volumes(struct fs *fs, emit_fn emit, void *arg, struct error *err)
{
	AUTO(volume_list_deinit) struct volume_list list = { .count = 0, .infos = NULL };

	if (engine_list_volumes(fs->engine, &list) < 0)
		return error_set(err, ENOMEM, "no memory for the list of volumes");
	for (size_t i = 0; i < list.count; i++) {
		const char *name = list.infos[i].name;

		if (!emit(arg, name, node_make(NODE_VOLUME, node_hash_name(name), 0)))
			break;
	}
	return 0;
}

static int list_execs(struct fs *fs, uint64_t key, emit_fn emit, void *arg, struct error *err)
{
	AUTO(container_unref) struct container *c = engine_find_key(fs->engine, key);
	struct container **list = NULL;
	size_t count = 0;
	bool go_on = true;

	if (!c)
		return -ENOENT;
	if (exec_list(c, &list, &count) < 0)
		return error_set(err, ENOMEM, "cannot list the execs");
	for (size_t i = 0; i < count; i++) {
		AUTO(container_view_unref)
		struct container_view *view = container_get_view(list[i]);

		go_on = go_on &&
			emit(arg, exec_get_name(list[i]), node_make(NODE_EXEC, view->key, 0));
		container_unref(list[i]);
	}
	free(list);
	return 0;
}

/* One level of a list of paths sorted by bytes: what lies in `folder` ("" for the top). */
struct level {
	const char *folder;
	char last[GRAPH_NAME_SIZE]; /* folder emitted last: those below it follow each other */
};

/* The part of path at this level, and whether more follows; false when it is elsewhere. */
static bool get_component(const struct level *level, const char *path, char ret[GRAPH_NAME_SIZE],
			  bool *ret_more)
{
	size_t skip = strlen(level->folder);
	size_t len;

	if (skip) {
		if (!is_below(path, level->folder))
			return false;
		skip++;
	}
	len = strcspn(path + skip, "/");
	if (len == 0 || len >= GRAPH_NAME_SIZE)
		return false;
	memcpy(ret, path + skip, len);
	ret[len] = '\0';
	*ret_more = path[skip + len] == '/';
	return true;
}

static bool emit_folder(struct level *level, const char *path, const char *name, emit_fn emit,
			void *arg)
{
	size_t end = strlen(level->folder) + (*level->folder ? 1 : 0) + strlen(name);
	char full[GRAPH_NAME_SIZE];

	if (strcmp(level->last, name) == 0 || end >= sizeof(full))
		return true;
	memcpy(level->last, name, strlen(name) + 1);
	memcpy(full, path, end);
	full[end] = '\0';
	return emit(arg, name, node_make(NODE_FOLDER, node_hash_name(full), 0));
}

/* Is the folder's first component already listed because a tag lies in it? */
static bool has_tag_below(const struct graph_snapshot *snapshot, const struct level *level,
			  const char *name)
{
	char part[GRAPH_NAME_SIZE];
	bool more;

	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (get_component(level, snapshot->tags[i].name, part, &more) && more &&
		    strcmp(part, name) == 0)
			return true;
	}
	return false;
}

static int list_images(struct fs *fs, uint64_t dir, emit_fn emit, void *arg)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	char folder[GRAPH_NAME_SIZE] = "", name[GRAPH_NAME_SIZE];
	struct level level = { .folder = folder, .last = "" };
	bool more, go_on = true;

	if (node_get_kind(dir) == NODE_FOLDER && !find_folder(snapshot, node_get_key(dir), folder))
		return -ENOENT;
	for (size_t i = 0; i < snapshot->tag_count && go_on; i++) {
		const char *path = snapshot->tags[i].name;

		if (!get_component(&level, path, name, &more))
			continue;
		go_on = more ? emit_folder(&level, path, name, emit, arg)
			     : emit(arg, name, node_make(NODE_TAG, node_hash_name(path), 0));
	}
	for (size_t i = 0; i < snapshot->folder_count && go_on; i++) {
		if (get_component(&level, snapshot->folders[i], name, &more) &&
		    !has_tag_below(snapshot, &level, name))
			go_on = emit_folder(&level, snapshot->folders[i], name, emit, arg);
	}
	return 0;
}

static void list_image_ids(struct fs *fs, emit_fn emit, void *arg)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);

	for (size_t i = 0; i < snapshot->image_count; i++) {
		char digits[13] = { 0 };

		memcpy(digits, snapshot->images[i]->id, 12);
		if (!emit(arg, digits,
			  node_make(NODE_IMAGE, node_key_of_id(snapshot->images[i]->id), 0)))
			return;
	}
}

int names_list(struct fs *fs, uint64_t dir, emit_fn emit, void *arg, struct error *err)
{
	switch (node_get_kind(dir)) {
	case NODE_CONTAINERS:
		return list_containers(fs, emit, arg, err);
	case NODE_IMAGES:
	case NODE_FOLDER:
		return list_images(fs, dir, emit, arg);
	case NODE_C_EXEC:
		return list_execs(fs, node_get_key(dir), emit, arg, err);
	case NODE_SHA256:
		list_image_ids(fs, emit, arg);
		return 0;
	case NODE_VOLUMES:
		return list_volumes(fs, emit, arg, err);
	default:
		return 0;
	}
}

static int get_tag_time(struct fs *fs, uint64_t key, int64_t *ret_ns)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	const struct tag *tag = find_tag(snapshot, key);

	if (!tag)
		return -ENOENT;
	*ret_ns = tag->set_ns;
	return 0;
}

static int get_folder_time(struct fs *fs, uint64_t key, int64_t *ret_ns)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	char path[GRAPH_NAME_SIZE];

	if (!find_folder(snapshot, key, path))
		return -ENOENT;
	*ret_ns = fs->memory->mounted_ns;
	return 0;
}

static int get_container_time(struct fs *fs, uint64_t key, int64_t *ret_ns)
{
	AUTO(container_view_unref) struct container_view *view = names_get_view(fs, key);

	if (!view)
		return -ENOENT;
	*ret_ns = view->changed_ns;
	return 0;
}

static int get_image_time(struct fs *fs, uint64_t key, int64_t *ret_ns)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	if (!image)
		return -ENOENT;
	*ret_ns = image->arrived_ns;
	return 0;
}

int names_get_time(struct fs *fs, uint64_t node, int64_t *ret_ns)
{
	const struct tree_row *row = tree_get_row(node_get_kind(node));
	uint64_t key = node_get_key(node);

	if (!row)
		return -ESTALE;
	if (row->kind == NODE_TAG)
		return get_tag_time(fs, key, ret_ns);
	if (row->kind == NODE_FOLDER)
		return get_folder_time(fs, key, ret_ns);
	if (row->parent == NODE_CONTAINER || row->parent == NODE_CONTAINERS ||
	    row->parent == NODE_C_EXEC || row->parent == NODE_EXEC)
		return get_container_time(fs, key, ret_ns);
	if (row->parent == NODE_IMAGE || row->parent == NODE_SHA256)
		return get_image_time(fs, key, ret_ns);
	*ret_ns = fs->memory->mounted_ns;
	return 0;
}

static int read_tag(struct fs *fs, uint64_t key, struct strbuf *out)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	const struct tag *tag = find_tag(snapshot, key);

	if (!tag)
		return -ENOENT;
	for (const char *p = tag->name; *p; p++) {
		if (*p == '/')
			strbuf_append_str(out, "../");
	}
	strbuf_appendf(out, "sha256/%.12s", tag->image->id);
	return 0;
}

static int read_container_link(struct fs *fs, uint64_t node, struct strbuf *out)
{
	AUTO(container_view_unref)
	struct container_view *view = names_get_view(fs, node_get_key(node));

	if (!view)
		return -ENOENT;
	switch (node_get_kind(node)) {
	case NODE_C_ROOTFS:
		strbuf_appendf(out, "%s/rootfs/%s", fs->options->run, view->id);
		return 0;
	case NODE_C_ROOT:
		if (view->pid <= 0)
			return -ENOENT;
		strbuf_appendf(out, "/proc/%d/root", (int)view->pid);
		return 0;
	default:
		strbuf_append_str(out, view->name);
		return 0;
	}
}

static int read_image_link(struct fs *fs, uint64_t node, struct strbuf *out)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, node_get_key(node));

	if (!image)
		return -ENOENT;
	if (node_get_kind(node) == NODE_I_ROOTFS)
		strbuf_appendf(out, "%s/rootfs/%s", fs->options->run, image->id);
	else
		strbuf_appendf(out, "%.12s", image->id);
	return 0;
}

int tree_read_link(struct fs *fs, uint64_t node, struct strbuf *out)
{
	uint64_t key = node_get_key(node);

	switch (node_get_kind(node)) {
	case NODE_TAG:
		return read_tag(fs, key, out);
	case NODE_TEMP_LINK:
		return templinks_read(fs->templinks, key, out);
	case NODE_I_ROOTFS:
	case NODE_IMAGE_LINK64:
		return read_image_link(fs, node, out);
	default:
		return read_container_link(fs, node, out);
	}
}
