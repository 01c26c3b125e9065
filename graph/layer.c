/* Making the entries of a layer: see layer.h. Nothing here resolves a path; that
 * is layer_tree.c's, and this file only names last components below the
 * descriptor of their parent, with calls that do not follow links.
 *
 * Order of attributes: owner (which clears setuid and capabilities), extended
 * attributes, mode, time. The times of directories are set at the end, because
 * each entry made in one touches it.
 */
#include "graph/layer.h"

#include "base/path.h"
#include "graph/implied.h"
#include "graph/layer_tree.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META_PREFIX ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"
#define OPAQUE_XATTR "trusted.overlay.opaque"

struct dir_time {
	char *path;
	struct timespec mtime;
};

struct layer {
	struct tree tree;
	uint64_t entry_count;
	struct dir_time *dir_times;
	size_t dir_time_count;
	size_t dir_time_cap;
};

struct layer *layer_new(int dir_fd, const struct limits *limits)
{
	struct layer *layer = calloc(1, sizeof(*layer));
	if (layer)
		tree_init(&layer->tree, dir_fd, limits);
	return layer;
}

void layer_free(struct layer *layer)
{
	if (!layer)
		return;
	for (size_t i = 0; i < layer->dir_time_count; i++)
		free(layer->dir_times[i].path);
	free(layer->dir_times);
	tree_deinit(&layer->tree);
	free(layer);
}

static bool has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* --- attributes ------------------------------------------------------------ */

static bool keep_xattr(const char *name)
{
	if (has_prefix(name, "trusted.overlay."))
		return false;
	return has_prefix(name, "user.") || has_prefix(name, "trusted.") ||
	       strcmp(name, "security.capability") == 0;
}

/* What an entry has become: a descriptor, or a name for what is not opened. */
struct object {
	int fd; /* -1: use the name */
	int parent_fd;
	const char *name;
};

static int set_xattr(const struct object *object, const struct layer_xattr *xattr)
{
	char path[NAME_MAX + 64];

	if (object->fd >= 0)
		return fsetxattr(object->fd, xattr->name, xattr->value, xattr->len, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", object->parent_fd, object->name);
	return lsetxattr(path, xattr->name, xattr->value, xattr->len, 0);
}

static int set_xattrs(const struct object *object, const struct layer_entry *entry,
		      struct error *err)
{
	for (size_t i = 0; i < entry->xattr_count; i++) {
		const struct layer_xattr *xattr = &entry->xattrs[i];
		bool is_user = has_prefix(xattr->name, "user.");

		if (!keep_xattr(xattr->name) || set_xattr(object, xattr) == 0)
			continue;
		/* The kernel has user attributes for files and directories only. */
		if (errno == EPERM && is_user && !S_ISREG(entry->mode) && !S_ISDIR(entry->mode))
			continue;
		return error_set_sys(err, errno, "cannot store the attribute '%s'", xattr->name);
	}
	return 0;
}

static int set_owner(const struct object *object, const struct layer_entry *entry)
{
	if (object->fd >= 0)
		return fchown(object->fd, entry->uid, entry->gid);
	return fchownat(object->parent_fd, object->name, entry->uid, entry->gid,
			AT_SYMLINK_NOFOLLOW);
}

static int set_mode(const struct object *object, const struct layer_entry *entry)
{
	if (S_ISLNK(entry->mode))
		return 0;
	if (object->fd >= 0)
		return fchmod(object->fd, entry->mode & 07777);
	/* Follows links, but this was just made and is none. */
	return fchmodat(object->parent_fd, object->name, entry->mode & 07777, 0);
}

static int set_time(const struct object *object, const struct layer_entry *entry)
{
	struct timespec times[2] = { entry->mtime, entry->mtime };
	if (object->fd >= 0)
		return futimens(object->fd, times);
	return utimensat(object->parent_fd, object->name, times, AT_SYMLINK_NOFOLLOW);
}

static int set_attributes(const struct object *object, const struct layer_entry *entry,
			  struct error *err)
{
	if (set_owner(object, entry) < 0)
		return error_set_sys(err, errno, "cannot set its owner");
	int ret = set_xattrs(object, entry, err);
	if (ret < 0)
		return ret;
	if (set_mode(object, entry) < 0)
		return error_set_sys(err, errno, "cannot set its mode");
	if (set_time(object, entry) < 0)
		return error_set_sys(err, errno, "cannot set its time");
	return 0;
}

/* --- kinds of entries -------------------------------------------------------- */

static int note_dir_time(struct layer *layer, const char *path, struct timespec mtime,
			 struct error *err)
{
	if (layer->dir_time_count == layer->dir_time_cap) {
		size_t cap = layer->dir_time_cap ? 2 * layer->dir_time_cap : 64;
		struct dir_time *times = reallocarray(layer->dir_times, cap, sizeof(*times));
		if (!times)
			return error_set(err, ENOMEM, "out of memory for the directories");
		layer->dir_times = times;
		layer->dir_time_cap = cap;
	}
	char *copy = strdup(path);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory for the directories");
	layer->dir_times[layer->dir_time_count++] = (struct dir_time){ copy, mtime };
	return 0;
}

static int set_opaque(int dir_fd, struct error *err)
{
	if (fsetxattr(dir_fd, OPAQUE_XATTR, "y", 1, 0) < 0)
		return error_set_sys(err, errno, "cannot make a directory opaque");
	return 0;
}

static int open_dir(int parent_fd, const char *name, struct error *err)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? tree_fail(err, errno, "cannot open the directory") : fd;
}

static int add_dir(struct layer *layer, const struct tree_name *name, int parent_fd,
		   const struct layer_entry *entry, struct error *err)
{
	int found = tree_replace(&layer->tree, parent_fd, name->last, true, err);
	if (found < 0)
		return found;
	if (found != TREE_FOUND_DIR && mkdirat(parent_fd, name->last, 0700) < 0)
		return tree_fail(err, errno, "cannot make the directory");
	auto_fd int fd = open_dir(parent_fd, name->last, err);
	if (fd < 0)
		return fd;
	struct object object = { .fd = fd };
	int ret = set_attributes(&object, entry, err);
	if (ret == 0 && found == TREE_FOUND_WHITEOUT)
		ret = set_opaque(fd, err);
	return ret < 0 ? ret : note_dir_time(layer, name->path, entry->mtime, err);
}

/* The entry "./": what the layer's own directory looks like. */
static int set_root(struct layer *layer, const struct layer_entry *entry, struct error *err)
{
	if (!S_ISDIR(entry->mode))
		return error_set(err, EINVAL, "the root of the image is no directory");
	auto_fd int fd = path_open_in_root(layer->tree.root_fd, "/", O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return error_set_sys(err, -fd, "cannot open the image's root");
	struct object object = { .fd = fd };
	int ret = set_attributes(&object, entry, err);
	return ret < 0 ? ret : note_dir_time(layer, "/", entry->mtime, err);
}

static int add_file(int parent_fd, const char *name, int *ret_fd, struct error *err)
{
	int fd =
		openat(parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return tree_fail(err, errno, "cannot make the file");
	*ret_fd = fd;
	return 0;
}

static int add_node(int parent_fd, const char *name, const struct layer_entry *entry,
		    struct error *err)
{
	struct object object = { .fd = -1, .parent_fd = parent_fd, .name = name };

	if (S_ISLNK(entry->mode)) {
		if (!entry->target || !*entry->target)
			return error_set(err, EINVAL, "a symbolic link without a target");
		if (symlinkat(entry->target, parent_fd, name) < 0)
			return tree_fail(err, errno, "cannot make the symbolic link");
	} else if (mknodat(parent_fd, name, (entry->mode & S_IFMT) | 0600, entry->rdev) < 0) {
		return tree_fail(err, errno, "cannot make the device or fifo");
	}
	return set_attributes(&object, entry, err);
}

/* --- whiteouts --------------------------------------------------------------- */

/* Does a component begin so, seen from the front? */
static bool some_component_has_prefix(const char *path, const char *prefix)
{
	for (const char *at = path; at; at = strchr(at, '/')) {
		at += *at == '/';
		if (has_prefix(at, prefix))
			return true;
	}
	return false;
}

static int hide_name(int parent_fd, const char *name, struct error *err)
{
	struct stat st;

	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			return tree_fail(err, errno, "cannot look at what it hides");
		if (mknodat(parent_fd, name, S_IFCHR, makedev(0, 0)) < 0)
			return tree_fail(err, errno, "cannot make the whiteout");
		return 0;
	}
	/* This layer has the name itself, which hides those below already; only a
	 * directory would be merged with one. */
	if (!S_ISDIR(st.st_mode))
		return 0;
	auto_fd int fd = open_dir(parent_fd, name, err);
	return fd < 0 ? fd : set_opaque(fd, err);
}

static int add_whiteout(struct layer *layer, const struct tree_name *name, struct error *err)
{
	const char *hidden = name->last + strlen(WHITEOUT_PREFIX);
	bool is_opaque = strcmp(name->last, WHITEOUT_OPAQUE) == 0;

	if (!*hidden || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return error_set(err, EINVAL, "a whiteout of no name");
	int parent_fd = tree_open_parent(&layer->tree, name->parent, err);
	if (parent_fd < 0)
		return parent_fd;
	if (!is_opaque)
		return hide_name(parent_fd, hidden, err);
	/* The parent is held by O_PATH, which takes no attributes. */
	auto_fd int fd = open_dir(parent_fd, ".", err);
	return fd < 0 ? fd : set_opaque(fd, err);
}

/* 1 when the name was one of those that stand for something else. */
static int take_special(struct layer *layer, const struct tree_name *name, struct error *err)
{
	if (some_component_has_prefix(name->path, WHITEOUT_META_PREFIX) &&
	    strcmp(name->last, WHITEOUT_OPAQUE) != 0)
		return 1;
	if (!has_prefix(name->last, WHITEOUT_PREFIX))
		return 0;
	int ret = add_whiteout(layer, name, err);
	return ret < 0 ? ret : 1;
}

/* --- entries ------------------------------------------------------------------- */

static int begin_entry(struct layer *layer, const char *path, struct tree_name *ret_name,
		       struct error *err)
{
	const struct limits *limits = layer->tree.limits;

	if (++layer->entry_count > limits->entries)
		return error_set(err, EINVAL, "more than %llu entries",
				 (unsigned long long)limits->entries);
	int ret = tree_parse_name(&layer->tree, path, ret_name, err);
	return ret < 0 ? ret : take_special(layer, ret_name, err);
}

static int add_entry(struct layer *layer, const struct layer_entry *entry, int *ret_fd,
		     struct error *err)
{
	struct tree_name name;

	int ret = begin_entry(layer, entry->path, &name, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	if (!*name.path)
		return set_root(layer, entry, err);
	int parent_fd = tree_open_parent(&layer->tree, name.parent, err);
	if (parent_fd < 0)
		return parent_fd;
	if (S_ISDIR(entry->mode))
		return add_dir(layer, &name, parent_fd, entry, err);
	if (S_ISSOCK(entry->mode) || !(entry->mode & S_IFMT))
		return error_set(err, EINVAL, "a kind of file that an image cannot hold");
	ret = tree_replace(&layer->tree, parent_fd, name.last, false, err);
	if (ret < 0)
		return ret;
	if (S_ISREG(entry->mode))
		return add_file(parent_fd, name.last, ret_fd, err);
	return add_node(parent_fd, name.last, entry, err);
}

int layer_add(struct layer *layer, const struct layer_entry *entry, int *ret_fd, struct error *err)
{
	*ret_fd = -1;
	int ret = add_entry(layer, entry, ret_fd, err);
	return error_wrap(err, ret, "entry '%s'", entry->path);
}

int layer_finish_file(struct layer *layer, const struct layer_entry *entry, int fd,
		      struct error *err)
{
	struct object object = { .fd = fd };
	int ret;

	if (entry->size_bytes > INT64_MAX - layer->tree.size_bytes)
		ret = error_set(err, EINVAL, "larger than any file system");
	else if (ftruncate(fd, entry->size_bytes) < 0)
		ret = tree_fail(err, errno, "cannot set its size");
	else
		ret = set_attributes(&object, entry, err);
	if (ret == 0)
		layer->tree.size_bytes += entry->size_bytes;
	return error_wrap(err, ret, "entry '%s'", entry->path);
}

/* The file that a hard link names, held by its parent. */
static int open_link_target(struct layer *layer, const struct tree_name *target,
			    struct stat *ret_st, struct error *err)
{
	auto_fd int fd =
		path_open_in_root(layer->tree.root_fd, target->parent, O_PATH | O_DIRECTORY, 0);
	int code = fd < 0 ? -fd : 0;

	if (!code && fstatat(fd, target->last, ret_st, AT_SYMLINK_NOFOLLOW) < 0)
		code = errno;
	if (code == ENOENT || code == ENOTDIR || code == ELOOP)
		return error_set(err, EINVAL, "a hard link to '%s', which is not in the image",
				 target->path);
	if (code)
		return error_set_sys(err, code, "cannot open the hard link's target '%s'",
				     target->path);
	if (S_ISDIR(ret_st->st_mode))
		return error_set(err, EINVAL, "a hard link to the directory '%s'", target->path);
	return steal_fd(&fd);
}

static int add_hard_link(struct layer *layer, const char *path, const char *target_text,
			 struct error *err)
{
	struct tree_name name, target;
	struct stat from, to;

	int ret = begin_entry(layer, path, &name, err);
	if (ret != 0)
		return ret < 0 ? ret : 0;
	ret = tree_parse_name(&layer->tree, target_text, &target, err);
	if (ret < 0)
		return error_wrap(err, ret, "hard link to '%s'", target_text);
	if (!*name.path || !*target.path)
		return error_set(err, EINVAL, "a hard link to or from the root of the image");
	auto_fd int target_fd = open_link_target(layer, &target, &from, err);
	if (target_fd < 0)
		return target_fd;
	int parent_fd = tree_open_parent(&layer->tree, name.parent, err);
	if (parent_fd < 0)
		return parent_fd;
	/* Already the same file: replacing it could remove its last name. */
	if (fstatat(parent_fd, name.last, &to, AT_SYMLINK_NOFOLLOW) == 0 &&
	    from.st_ino == to.st_ino && from.st_dev == to.st_dev)
		return 0;
	ret = tree_replace(&layer->tree, parent_fd, name.last, false, err);
	if (ret < 0)
		return ret;
	if (linkat(target_fd, target.last, parent_fd, name.last, 0) < 0)
		return tree_fail(err, errno, "cannot make the hard link");
	return 0;
}

int layer_add_hard_link(struct layer *layer, const char *path, const char *target,
			struct error *err)
{
	int ret = add_hard_link(layer, path, target, err);
	return error_wrap(err, ret, "entry '%s'", path);
}

int layer_append_implied(struct layer *layer, struct strbuf *out, struct error *err)
{
	auto_free const char **described = calloc(layer->dir_time_count + 1, sizeof(*described));

	if (!described)
		return error_set(err, ENOMEM, "out of memory for the directories");
	for (size_t i = 0; i < layer->dir_time_count; i++)
		described[i] = layer->dir_times[i].path;
	implied_collect(&layer->tree.made, described, layer->dir_time_count, out);
	return strbuf_check(out, err);
}

int layer_finish(struct layer *layer, int64_t *ret_size_bytes, struct error *err)
{
	for (size_t i = 0; i < layer->dir_time_count; i++) {
		const struct dir_time *dir = &layer->dir_times[i];
		struct timespec times[2] = { dir->mtime, dir->mtime };
		auto_fd int fd = path_open_in_root(layer->tree.root_fd, dir->path,
						   O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		/* A later entry may have replaced it. */
		if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP)
			continue;
		if (fd < 0 || futimens(fd, times) < 0)
			return error_set_sys(err, fd < 0 ? -fd : errno,
					     "cannot set the time of directory '%s'", dir->path);
	}
	*ret_size_bytes = layer->tree.size_bytes;
	return 0;
}
