/* File operations that do what commands do: mkdir is create, rmdir is rm, mv is rename, ln -s is tag.
 *
 * The kernel holds the parent directory's lock until these are answered, so what they call is quick; what
 * is slow about a removal is a reaper's.
 */
#include "fs/ops.h"

#include "fs/files.h"
#include "fs/names.h"
#include "fs/templink.h"
#include "fs/volfs/volfs.h"
#include "runtime/config/config.h"
#include "runtime/exec/exec.h"
#include "runtime/volume/volume.h"

#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>

struct change {
	struct work work;
	uint64_t new_parent;
	char *new_name; /* or the target of a link */
	unsigned flags;
};

static void release_change(struct work *work)
{
	free(((struct change *)work)->new_name);
}

static void answer_entry(struct work *work, int result)
{
	struct fuse_entry_param entry;
	int r;

	if (node_get_kind(work->parent) == NODE_VOLUMES) {
		volfs_lookup_volume(work->req, work->name, work_give_record(work));
		return;
	}
	r = ops_look_up(work->fs, work->parent, work->name, &work->caller, &entry, NULL);

	(void)result;
	/* Removed by another between the deed and its answer. */
	if (r < 0)
		fuse_reply_err(work->req, -r);
	else
		fuse_reply_entry(work->req, &entry);
}

static struct change *change_new(fuse_req_t req, uint64_t parent, const char *name,
				 void (*run)(struct work *), void (*answer)(struct work *, int))
{
	struct change *change = (struct change *)work_new(req, sizeof(*change), run, answer);

	if (!change)
		return NULL;
	change->work.release = release_change;
	change->work.parent = parent;
	return work_keep_name(&change->work, name) ? change : NULL;
}

static void refuse(fuse_req_t req, int code, const char *verb, const char *name)
{
	struct error err = ERROR_INIT;

	error_set(&err, code, "%s: '%s' is none of what can be made or removed here", verb, name);
	fs_reply_error(req, &err);
}

/* --- mkdir: create, or a folder of image names ---------------------------------- */

static int make_container(struct work *work)
{
	AUTO(container_unref) struct container *c = NULL;
	auto_json json_t *none = json_object();
	auto_json json_t *config = NULL;
	int r = config_check_name(work->name, &work->err);

	if (r == 0)
		r = config_apply(NULL, none, false, &config, &work->err);
	if (r == 0)
		r = engine_create(work->fs->engine, &work->ticket, work->name, config, true, &c,
				  &work->err);
	return error_wrap(&work->err, r, "create");
}

static int make_folder(struct work *work)
{
	char path[GRAPH_NAME_SIZE];
	int r = names_make_path(work->fs, work->parent, work->name, path);

	if (r < 0)
		return error_set_sys(&work->err, -r, "cannot make the folder '%s'", work->name);
	r = graph_make_folder(work->fs->graph, path, &work->err);
	if (r == -EEXIST && work->ticket.resumed) {
		error_clear(&work->err);
		return 0;
	}
	return r;
}

static int make_exec(struct work *work)
{
	AUTO(container_unref)
	struct container *c = engine_find_key(work->fs->engine, node_get_key(work->parent));
	AUTO(container_unref) struct container *exec = NULL;
	int r = c ? exec_create(c, &work->ticket, work->name, &exec, &work->err)
		  : error_set(&work->err, ENOENT, "the container has been removed");

	return error_wrap(&work->err, r, "exec");
}

static void run_mkdir(struct work *work)
{
	switch (node_get_kind(work->parent)) {
	case NODE_CONTAINERS:
		work_done(work, make_container(work));
		break;
	case NODE_C_EXEC:
		work_done(work, make_exec(work));
		break;
	case NODE_VOLUMES:
		work_done(work, engine_create_volume(work->fs->engine, &work->ticket, work->name,
						     &work->err));
		break;
	default:
		work_done(work, make_folder(work));
		break;
	}
}

void ops_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	enum node_kind kind = node_get_kind(parent);
	struct change *change;

	(void)mode;
	if (kind != NODE_CONTAINERS && kind != NODE_C_EXEC && kind != NODE_IMAGES &&
	    kind != NODE_FOLDER && kind != NODE_VOLUMES) {
		refuse(req, EPERM, "mkdir", name);
		return;
	}
	change = change_new(req, parent, name, run_mkdir, answer_entry);
	if (change)
		work_start(&change->work);
}

/* --- rmdir: rm, rmi by id, or a folder -------------------------------------------- */

static int remove_container(struct work *work)
{
	AUTO(container_unref) struct container *c = engine_find(work->fs->engine, work->name);
	int r;

	if (!c && work->ticket.resumed)
		return 0;
	if (!c)
		return error_set(&work->err, ENOENT, "no such container: %s", work->name);
	r = container_remove(c, &work->ticket, false, false, &work->err);
	return error_wrap(&work->err, r, "rm");
}

static int remove_image(struct work *work)
{
	AUTO(image_unref)
	struct image *image = graph_find_image(work->fs->graph, work->name, &work->err);
	int r;

	if (!image && work->ticket.resumed) {
		error_clear(&work->err);
		return 0;
	}
	if (!image)
		return -work->err.code;
	r = graph_remove_image(work->fs->graph, image->id, false, &work->err);
	return error_wrap(&work->err, r, "rmi");
}

static int remove_folder(struct work *work)
{
	char path[GRAPH_NAME_SIZE];
	int r = names_make_path(work->fs, work->parent, work->name, path);

	if (r < 0)
		return error_set_sys(&work->err, -r, "cannot remove the folder '%s'", work->name);
	r = graph_remove_folder(work->fs->graph, path, &work->err);
	if (r == -ENOENT && work->ticket.resumed) {
		error_clear(&work->err);
		return 0;
	}
	return r;
}

/* In answer to a rmdir, and not afterwards: what it ended shall be seen to have ended. */
static int remove_exec(struct work *work)
{
	AUTO(container_unref)
	struct container *c = engine_find_key(work->fs->engine, node_get_key(work->parent));
	AUTO(container_unref) struct container *exec = c ? exec_find(c, work->name) : NULL;
	int r;

	if (!exec && work->ticket.resumed)
		return 0;
	r = exec ? exec_remove(exec, &work->ticket, &work->err)
		 : error_set(&work->err, ENOENT, "no such exec: %s", work->name);
	return error_wrap(&work->err, r, "exec");
}

static void run_rmdir(struct work *work)
{
	switch (node_get_kind(work->parent)) {
	case NODE_CONTAINERS:
		work_done(work, remove_container(work));
		break;
	case NODE_C_EXEC:
		work_done(work, remove_exec(work));
		break;
	case NODE_SHA256:
		work_done(work, remove_image(work));
		break;
	case NODE_VOLUMES:
		work_done(work, engine_remove_volume(work->fs->engine, &work->ticket, work->name,
						     &work->err));
		break;
	default:
		work_done(work, remove_folder(work));
		break;
	}
}

void ops_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	enum node_kind kind = node_get_kind(parent);
	struct change *change;

	if ((kind != NODE_CONTAINERS && kind != NODE_C_EXEC && kind != NODE_SHA256 &&
	     kind != NODE_IMAGES && kind != NODE_FOLDER && kind != NODE_VOLUMES) ||
	    tree_find_child(kind, name)) {
		refuse(req, EPERM, "rmdir", name);
		return;
	}
	change = change_new(req, parent, name, run_rmdir, work_answer_ok);
	if (change)
		work_start(&change->work);
}

/* --- unlink: rmi ------------------------------------------------------------------ */

static void run_unlink(struct work *work)
{
	char path[GRAPH_NAME_SIZE];
	int r = names_make_path(work->fs, work->parent, work->name, path);

	if (r < 0) {
		error_set_sys(&work->err, -r, "cannot remove '%s'", work->name);
	} else if (templinks_remove(work->fs->templinks, path)) {
		r = 0;
	} else {
		r = graph_untag(work->fs->graph, path, NULL, &work->err);
		if (r == -ENOENT && work->ticket.resumed) {
			error_clear(&work->err);
			r = 0;
		}
		error_wrap(&work->err, r, "rmi");
	}
	work_done(work, r);
}

void ops_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	enum node_kind kind = node_get_kind(parent);
	struct change *change;

	if (kind != NODE_IMAGES && kind != NODE_FOLDER) {
		refuse(req, EPERM, "rm", name);
		return;
	}
	change = change_new(req, parent, name, run_unlink, work_answer_ok);
	if (change)
		work_start(&change->work);
}

/* --- symlink: tag ------------------------------------------------------------------ */

/* What follows a component "sha256"; NULL when there is none. */
static const char *find_id(const char *target)
{
	const char *at = target;

	while ((at = strstr(at, "sha256/"))) {
		if (at == target || at[-1] == '/')
			return at + strlen("sha256/");
		at++;
	}
	return NULL;
}

/* The image that a link's target means: any name or path of one. What leads to images/ is left out, and of
 * the rest the part behind "sha256/" is an id. */
static struct image *find_target(struct fs *fs, const char *target, struct error *err)
{
	const char *id = find_id(target);
	const char *at = strstr(target, "/images/");
	char digits[GRAPH_ID_SIZE];
	size_t len;

	if (id) {
		len = strcspn(id, "/");
		if (len >= sizeof(digits))
			len = sizeof(digits) - 1;
		memcpy(digits, id, len);
		digits[len] = '\0';
		return graph_find_image(fs->graph, digits, err);
	}
	target = at ? at + strlen("/images/") : target;
	for (;;) {
		if (strncmp(target, "../", 3) == 0)
			target += 3;
		else if (strncmp(target, "./", 2) == 0)
			target += 2;
		else if (strncmp(target, "images/", 7) == 0)
			target += 7;
		else
			break;
	}
	return graph_find_image(fs->graph, target, err);
}

static int tag_target(struct work *work, const char *path, const char *target, bool force)
{
	AUTO(image_unref) struct image *image = find_target(work->fs, target, &work->err);
	int r;

	if (!image)
		return error_wrap(&work->err, -work->err.code, "tag");
	r = graph_tag(work->fs->graph, image, path, force || work->ticket.resumed, &work->err);
	return error_wrap(&work->err, r, "tag");
}

/* ln -f's passing name: what mkstemp-like code makes of "CuXXXXXX" in coreutils. */
static bool is_passing_name(const char *name)
{
	if (strncmp(name, "Cu", 2) != 0 || strlen(name) != 8)
		return false;
	for (const char *p = name; *p; p++) {
		if (!((*p >= '0' && *p <= '9') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= 'a' && *p <= 'z')))
			return false;
	}
	return true;
}

static void run_symlink(struct work *work)
{
	const char *target = ((struct change *)work)->new_name;
	char path[GRAPH_NAME_SIZE];
	int r = names_make_path(work->fs, work->parent, work->name, path);

	if (r < 0)
		r = error_set_sys(&work->err, -r, "cannot make the link '%s'", work->name);
	else if (work->ticket.resumed && templinks_has(work->fs->templinks, path))
		r = 0;
	else if (is_passing_name(work->name))
		r = templinks_add(work->fs->templinks, path, target, &work->err);
	else
		r = tag_target(work, path, target, false);
	work_done(work, r);
}

void ops_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	enum node_kind kind = node_get_kind(parent);
	struct change *change;

	if (kind != NODE_IMAGES && kind != NODE_FOLDER) {
		refuse(req, EPERM, "ln", name);
		return;
	}
	change = change_new(req, parent, name, run_symlink, answer_entry);
	if (!change)
		return;
	change->new_name = strdup(target);
	if (change->new_name) {
		work_start(&change->work);
	} else {
		error_set(&change->work.err, ENOMEM, "no memory for a link");
		work_refuse(&change->work);
	}
}

/* --- rename ---------------------------------------------------------------------- */

static int rename_container(struct work *work, const char *new_name)
{
	AUTO(container_unref) struct container *c = engine_find(work->fs->engine, work->name);
	AUTO(container_unref) struct container *other = NULL;
	int r;

	if (!c && work->ticket.resumed) {
		other = engine_find(work->fs->engine, new_name);
		return other ? 0
			     : error_set(&work->err, ENOENT, "no such container: %s", work->name);
	}
	if (!c)
		return error_set(&work->err, ENOENT, "no such container: %s", work->name);
	r = container_rename(c, &work->ticket, new_name, &work->err);
	return error_wrap(&work->err, r, "rename");
}

static int rename_tag(struct work *work, const struct change *change)
{
	char from[GRAPH_NAME_SIZE], to[GRAPH_NAME_SIZE];
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	int r = names_make_path(work->fs, work->parent, work->name, from);

	if (r == 0)
		r = names_make_path(work->fs, change->new_parent, change->new_name, to);
	if (r < 0)
		return error_set_sys(&work->err, -r, "cannot rename '%s'", work->name);
	if (templinks_read(work->fs->templinks, node_hash_name(from), &target) == 0) {
		r = tag_target(work, to, strbuf_get_str(&target),
			       !(change->flags & RENAME_NOREPLACE));
		if (r == 0)
			templinks_remove(work->fs->templinks, from);
		return r;
	}
	r = graph_retag(work->fs->graph, from, to, change->flags & RENAME_NOREPLACE, &work->err);
	if (r == -ENOENT && work->ticket.resumed) {
		error_clear(&work->err);
		r = 0;
	}
	return error_wrap(&work->err, r, "tag");
}

static void run_rename(struct work *work)
{
	struct change *change = (struct change *)work;

	if (node_get_kind(work->parent) == NODE_CONTAINERS)
		work_done(work, rename_container(work, change->new_name));
	else
		work_done(work, rename_tag(work, change));
}

static bool is_image_dir(fuse_ino_t node)
{
	return node_get_kind(node) == NODE_IMAGES || node_get_kind(node) == NODE_FOLDER;
}

void ops_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
		const char *new_name, unsigned int flags)
{
	struct error err = ERROR_INIT;
	struct change *change;
	bool allowed = node_get_kind(parent) == NODE_CONTAINERS
			       ? new_parent == parent
			       : is_image_dir(parent) && is_image_dir(new_parent);

	/* Never EXDEV, for mv would then copy and delete. */
	if (!allowed || tree_find_child(node_get_kind(parent), name)) {
		error_set(&err, EPERM, "mv: '%s' cannot be moved there", name);
		fs_reply_error(req, &err);
		return;
	}
	if (flags & ~(unsigned)RENAME_NOREPLACE) {
		error_set(&err, EINVAL, "mv: names cannot be exchanged here");
		fs_reply_error(req, &err);
		return;
	}
	change = change_new(req, parent, name, run_rename, work_answer_ok);
	if (!change)
		return;
	change->new_parent = new_parent;
	change->flags = flags;
	change->new_name = strdup(new_name);
	if (change->new_name) {
		work_start(&change->work);
	} else {
		error_set(&change->work.err, ENOMEM, "no memory for a name");
		work_refuse(&change->work);
	}
}

/* --- foreign files ----------------------------------------------------------------- */

void ops_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t new_parent, const char *new_name)
{
	(void)ino, (void)new_parent;
	refuse(req, EPERM, "ln", new_name);
}

void ops_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent, (void)mode, (void)device;
	refuse(req, EPERM, "mknod", name);
}

void ops_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		struct fuse_file_info *fi)
{
	enum node_kind kind = node_get_kind(parent);

	(void)mode;
	if (kind == NODE_IMAGES || kind == NODE_FOLDER)
		importfile_create(req, parent, name, fi);
	else
		refuse(req, EPERM, "create", name);
}
