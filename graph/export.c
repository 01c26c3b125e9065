/* The walk: recursive, a descriptor for each level, so the depth is bounded. An entry
 * is looked at through a descriptor that only names it, from which all the rest is read:
 * what is described is what was seen, whoever exchanges names meanwhile.
 */
#include "graph/export.h"

#include "base/path.h"
#include "graph/tar_out.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <uthash.h>

#define BUFFER_BYTES (256U << 10)
#define XATTRS_MAX 64
#define EXTENTS_MAX 4096
/* Below this holes are written as zeros: not everybody reads sparse entries. */
#define HOLES_MIN_BYTES (1 << 20)

struct file_key {
	dev_t dev;
	ino_t ino;
};

/* A file with several names, by its first. */
struct linked {
	struct file_key key;
	char *path;
	UT_hash_handle hh;
};

struct walk {
	struct tar_out *out;
	struct error *err;
	dev_t dev;
	struct strbuf path; /* of where we are, without slashes at its ends */
	struct linked *linked;
	char *buffer; /* BUFFER_BYTES */
};

/* One entry being written. */
struct item {
	int fd; /* names it (O_PATH) */
	char self[40];
	struct stat st;
};

static void item_deinit(struct item *item)
{
	if (item->fd >= 0)
		close(item->fd);
}
DEFINE_AUTO_DEINIT(struct item, item_deinit);

static int fail(struct walk *walk, int code, const char *what)
{
	return error_set_sys(walk->err, code, "cannot %s '/%s'", what, strbuf_get_str(&walk->path));
}

/* --- extended attributes ---------------------------------------------------------- */

struct xattrs {
	struct tar_xattr list[XATTRS_MAX];
	size_t count;
	char *names;
};

static void xattrs_deinit(struct xattrs *xattrs)
{
	for (size_t i = 0; i < xattrs->count; i++)
		free((void *)(uintptr_t)xattrs->list[i].value);
	free(xattrs->names);
}
DEFINE_AUTO_DEINIT(struct xattrs, xattrs_deinit);

static bool is_wanted(const char *name)
{
	return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0 ||
	       (strncmp(name, "trusted.", 8) == 0 && strncmp(name, "trusted.overlay.", 16) != 0);
}

static int read_xattr(const struct item *item, const char *name, struct xattrs *xattrs)
{
	auto_free char *value = malloc(XATTR_SIZE_MAX);
	ssize_t len = value ? getxattr(item->self, name, value, XATTR_SIZE_MAX) : -1;
	char *fitting;

	if (!value)
		return -ENOMEM;
	if (len < 0) /* gone meanwhile */
		return 0;
	fitting = realloc(value, len > 0 ? (size_t)len : 1);
	if (fitting)
		value = fitting;
	xattrs->list[xattrs->count++] = (struct tar_xattr){ name, steal_ptr(&value), (size_t)len };
	return 0;
}

static int read_xattrs(struct walk *walk, const struct item *item, struct xattrs *xattrs)
{
	ssize_t len = listxattr(item->self, NULL, 0);
	int r = 0;

	if (len <= 0)
		return 0;
	xattrs->names = malloc(XATTR_LIST_MAX);
	len = xattrs->names ? listxattr(item->self, xattrs->names, XATTR_LIST_MAX) : -1;
	if (!xattrs->names)
		return fail(walk, ENOMEM, "export");
	for (const char *at = xattrs->names;
	     r == 0 && at < xattrs->names + len && xattrs->count < XATTRS_MAX;
	     at += strlen(at) + 1) {
		if (is_wanted(at))
			r = read_xattr(item, at, xattrs);
	}
	return r < 0 ? fail(walk, -r, "export") : 0;
}

/* --- content -------------------------------------------------------------------------- */

/* The parts with data, if the holes between are worth it; else none. */
static size_t find_extents(int fd, const struct stat *st, struct tar_extent *extents)
{
	int64_t holes = (int64_t)st->st_size - (int64_t)st->st_blocks * 512;
	size_t count = 0;
	off_t at = 0;

	if (holes < HOLES_MIN_BYTES)
		return 0;
	while (at < st->st_size && count < EXTENTS_MAX - 1) {
		off_t data = lseek(fd, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);

		if (data < 0 && errno != ENXIO)
			return 0;
		if (data < 0 || data >= st->st_size)
			break;
		if (hole < 0)
			return 0;
		if (hole > st->st_size)
			hole = st->st_size;
		extents[count++] = (struct tar_extent){ data, hole - data };
		at = hole;
	}
	/* Too many: the last goes to the end. */
	if (count == EXTENTS_MAX - 1)
		extents[count - 1].len = st->st_size - extents[count - 1].offset;
	/* All a hole: an extent of nothing at the end says so. */
	if (count == 0)
		extents[count++] = (struct tar_extent){ st->st_size, 0 };
	return count;
}

static int write_zeros(struct walk *walk, int64_t len)
{
	int r = 0;

	memset(walk->buffer, 0, BUFFER_BYTES);
	while (r == 0 && len > 0) {
		size_t part = len < BUFFER_BYTES ? (size_t)len : BUFFER_BYTES;

		r = tar_out_write(walk->out, walk->buffer, part, walk->err);
		len -= (int64_t)part;
	}
	return r;
}

static int write_part(struct walk *walk, int fd, int64_t offset, int64_t len)
{
	int r = 0;

	while (r == 0 && len > 0) {
		size_t part = len < BUFFER_BYTES ? (size_t)len : BUFFER_BYTES;
		ssize_t got = path_pread_full(fd, walk->buffer, part, offset);

		if (got < 0)
			return fail(walk, (int)-got, "read");
		if (got == 0) /* it has shrunk */
			return write_zeros(walk, len);
		r = tar_out_write(walk->out, walk->buffer, (size_t)got, walk->err);
		offset += got;
		len -= got;
	}
	return r;
}

static int write_sparse(struct walk *walk, int fd, const struct tar_entry *entry)
{
	int64_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < entry->extent_count; i++) {
		const struct tar_extent *extent = &entry->extents[i];

		r = write_zeros(walk, extent->offset - at);
		if (r == 0)
			r = write_part(walk, fd, extent->offset, extent->len);
		at = extent->offset + extent->len;
	}
	return r == 0 ? write_zeros(walk, entry->st.st_size - at) : r;
}

static int write_file(struct walk *walk, const struct item *item, struct tar_entry *entry)
{
	auto_fd int fd = open(item->self, O_RDONLY | O_CLOEXEC);
	auto_free struct tar_extent *extents = NULL;
	int r;

	if (fd < 0)
		return fail(walk, errno, "open");
	if (item->st.st_size - (int64_t)item->st.st_blocks * 512 >= HOLES_MIN_BYTES) {
		extents = calloc(EXTENTS_MAX, sizeof(*extents));
		if (!extents)
			return fail(walk, ENOMEM, "export");
		entry->extents = extents;
		entry->extent_count = find_extents(fd, &item->st, extents);
	}
	r = tar_out_add(walk->out, entry, walk->err);
	if (r < 0)
		return r;
	return entry->extent_count > 0 ? write_sparse(walk, fd, entry)
				       : write_part(walk, fd, 0, item->st.st_size);
}

/* --- entries --------------------------------------------------------------------------- */

/* The first name of a file with several, or NULL: this is it. */
static int find_linked(struct walk *walk, const struct stat *st, const char **ret)
{
	struct file_key key;
	struct linked *linked = NULL;

	memset(&key, 0, sizeof(key)); /* padding is compared too */
	key.dev = st->st_dev;
	key.ino = st->st_ino;
	HASH_FIND(hh, walk->linked, &key, sizeof(key), linked);
	if (linked) {
		*ret = linked->path;
		return 0;
	}
	linked = calloc(1, sizeof(*linked));
	if (!linked)
		return -ENOMEM;
	linked->key = key;
	linked->path = strdup(strbuf_get_str(&walk->path));
	if (!linked->path) {
		free(linked);
		return -ENOMEM;
	}
	HASH_ADD(hh, walk->linked, key, sizeof(linked->key), linked);
	*ret = NULL;
	return 0;
}

static int walk_dir(struct walk *walk, int dir_fd, unsigned depth);

static int go_into(struct walk *walk, struct item *item, unsigned depth)
{
	auto_fd int fd = -1;

	if (item->st.st_dev != walk->dev)
		return 0;
	if (depth > EXPORT_DEPTH_MAX)
		return error_set(walk->err, ENAMETOOLONG,
				 "'/%.100s...' lies deeper than %d directories",
				 strbuf_get_str(&walk->path), EXPORT_DEPTH_MAX);
	fd = open(item->self, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail(walk, errno, "open");
	close(steal_fd(&item->fd));
	return walk_dir(walk, fd, depth);
}

static int write_item(struct walk *walk, const struct item *item)
{
	AUTO(xattrs_deinit) struct xattrs xattrs = { .count = 0 };
	struct tar_entry entry = { .path = strbuf_get_str(&walk->path), .st = item->st };
	char target[PATH_MAX];
	ssize_t len;
	int r = 0;

	if (walk->path.oom)
		return error_set_sys(walk->err, ENOMEM, "cannot export the files");
	if (S_ISLNK(item->st.st_mode)) {
		len = readlinkat(item->fd, "", target, sizeof(target) - 1);
		if (len < 0)
			return fail(walk, errno, "read the link");
		target[len] = '\0';
		entry.link = target;
	}
	if (!S_ISDIR(item->st.st_mode) && item->st.st_nlink > 1 &&
	    find_linked(walk, &item->st, &entry.hard_link) < 0)
		return fail(walk, ENOMEM, "export");
	if (entry.hard_link)
		return tar_out_add(walk->out, &entry, walk->err);
	r = read_xattrs(walk, item, &xattrs);
	if (r < 0)
		return r;
	entry.xattrs = xattrs.list;
	entry.xattr_count = xattrs.count;
	if (S_ISREG(item->st.st_mode))
		return write_file(walk, item, &entry);
	return tar_out_add(walk->out, &entry, walk->err);
}

static int walk_entry(struct walk *walk, int dir_fd, const char *name, unsigned depth)
{
	AUTO(item_deinit)
	struct item item = { .fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) };
	int r;

	if (item.fd < 0 && errno == ENOENT)
		return 0;
	if (item.fd < 0 || fstat(item.fd, &item.st) < 0)
		return fail(walk, errno, "look at");
	if (S_ISSOCK(item.st.st_mode))
		return 0;
	snprintf(item.self, sizeof(item.self), "/proc/self/fd/%d", item.fd);
	r = write_item(walk, &item);
	return r < 0 || !S_ISDIR(item.st.st_mode) ? r : go_into(walk, &item, depth + 1);
}

static int walk_dir(struct walk *walk, int dir_fd, unsigned depth)
{
	AUTO(path_list_deinit) struct path_list names = { NULL, 0 };
	int r = path_list_dir(dir_fd, &names, NULL);

	/* Removed while we were on the way there. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(walk, -r, "list");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		size_t len = walk->path.len;

		if (len > 0)
			strbuf_append_char(&walk->path, '/');
		strbuf_append_str(&walk->path, names.names[i]);
		r = walk_entry(walk, dir_fd, names.names[i], depth);
		strbuf_truncate(&walk->path, len);
	}
	return r;
}

static void walk_deinit(struct walk *walk)
{
	struct linked *linked, *next;

	HASH_ITER(hh, walk->linked, linked, next) {
		HASH_DEL(walk->linked, linked);
		free(linked->path);
		free(linked);
	}
	strbuf_deinit(&walk->path);
	tar_out_free(walk->out);
	free(walk->buffer);
}
DEFINE_AUTO_DEINIT(struct walk, walk_deinit);

int export_tree(int root_fd, int (*write)(void *arg, const void *bytes, size_t len), void *arg,
		struct error *err)
{
	AUTO(walk_deinit) struct walk walk = { .err = err, .path = STRBUF_INIT };
	struct stat st;
	int r;

	if (fstat(root_fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at the root");
	walk.dev = st.st_dev;
	walk.out = tar_out_new(write, arg);
	walk.buffer = malloc(BUFFER_BYTES);
	if (!walk.out || !walk.buffer)
		return error_set_sys(err, ENOMEM, "cannot export the files");
	r = walk_dir(&walk, root_fd, 0);
	return r < 0 ? r : tar_out_finish(walk.out, err);
}
