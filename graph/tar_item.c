/* An entry is read through the descriptor that names it alone. Hard links are told by the
 * inode: the first name that is written has the content.
 */
#include "graph/tar_item.h"

#include "base/hash.h"
#include "base/path.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define BUFFER_BYTES (256U << 10)
#define NOBODY 65534U
#define XATTRS_MAX 64
#define EXTENTS_MAX 4096
/* Below this holes are written as zeros: not everybody reads sparse entries. */
#define HOLES_MIN_BYTES (1 << 20)
#define PAGE_BYTES 4096
#define COMPRESSED_BYTES (256 * PAGE_BYTES)

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

struct tar_items {
	struct tar_out *out; /* borrowed */
	struct linked *linked;
	char *buffer; /* BUFFER_BYTES */
	struct tar_ids ids;
	/* Of the entry being written. */
	const char *path;
	struct error *err;
};

struct item {
	int fd;
	char self[40];
	struct stat st;
};

static int fail(struct tar_items *items, int code, const char *what)
{
	return error_set_sys(items->err, code, "cannot %s '/%s'", what, items->path);
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

/* Capabilities that are good for the root of one user namespace are those of any root in the
 * archive. Source: the kernel's struct vfs_ns_cap_data. */
static void shift_capability(const struct tar_ids *ids, struct tar_xattr *xattr, char *value)
{
	struct vfs_ns_cap_data data;

	if (ids->size == 0 || strcmp(xattr->name, "security.capability") != 0 ||
	    xattr->len != XATTR_CAPS_SZ_3)
		return;
	memcpy(&data, value, sizeof(data));
	if (le32toh(data.rootid) != ids->uid_base)
		return;
	data.magic_etc =
		htole32((le32toh(data.magic_etc) & ~VFS_CAP_REVISION_MASK) | VFS_CAP_REVISION_2);
	memcpy(value, &data, XATTR_CAPS_SZ_2);
	xattr->len = XATTR_CAPS_SZ_2;
}

static unsigned shift_id(unsigned id, unsigned base, unsigned size)
{
	return id - base < size ? id - base : NOBODY;
}

static void shift_owner(const struct tar_ids *ids, struct stat *st)
{
	if (ids->size == 0)
		return;
	st->st_uid = shift_id(st->st_uid, ids->uid_base, ids->size);
	st->st_gid = shift_id(st->st_gid, ids->gid_base, ids->size);
}

void tar_items_set_ids(struct tar_items *items, const struct tar_ids *ids)
{
	items->ids = *ids;
}

static int read_xattr(const struct tar_ids *ids, const struct item *item, const char *name,
		      struct xattrs *xattrs)
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
	xattrs->list[xattrs->count] = (struct tar_xattr){ name, value, (size_t)len };
	shift_capability(ids, &xattrs->list[xattrs->count++], steal_ptr(&value));
	return 0;
}

static int read_xattrs(struct tar_items *items, const struct item *item, struct xattrs *xattrs)
{
	ssize_t len = listxattr(item->self, NULL, 0);
	int r = 0;

	if (len <= 0)
		return 0;
	xattrs->names = malloc(XATTR_LIST_MAX);
	len = xattrs->names ? listxattr(item->self, xattrs->names, XATTR_LIST_MAX) : -1;
	if (!xattrs->names)
		return fail(items, ENOMEM, "archive");
	for (const char *at = xattrs->names;
	     r == 0 && at < xattrs->names + len && xattrs->count < XATTRS_MAX;
	     at += strlen(at) + 1) {
		if (is_wanted(at))
			r = read_xattr(&items->ids, item, at, xattrs);
	}
	return r < 0 ? fail(items, -r, "archive") : 0;
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

/* Where a file's blocks are fewer than extents could be told, none is passed over; a file system that
 * compresses may have up to 256 times as much in one. */
int64_t tar_items_get_max_bytes(const struct stat *st)
{
	int64_t blocks = (int64_t)st->st_blocks * 512 / PAGE_BYTES + 1;

	if (blocks >= EXTENTS_MAX - 1 || st->st_size / blocks < COMPRESSED_BYTES)
		return st->st_size;
	return blocks * COMPRESSED_BYTES;
}

static int write_zeros(struct tar_items *items, int64_t len)
{
	int r = 0;

	memset(items->buffer, 0, BUFFER_BYTES);
	while (r == 0 && len > 0) {
		size_t part = len < BUFFER_BYTES ? (size_t)len : BUFFER_BYTES;

		r = tar_out_write(items->out, items->buffer, part, items->err);
		len -= (int64_t)part;
	}
	return r;
}

static int write_part(struct tar_items *items, int fd, int64_t offset, int64_t len)
{
	int r = 0;

	while (r == 0 && len > 0) {
		size_t part = len < BUFFER_BYTES ? (size_t)len : BUFFER_BYTES;
		ssize_t got = path_pread_full(fd, items->buffer, part, offset);

		if (got < 0)
			return fail(items, (int)-got, "read");
		if (got == 0) /* it has shrunk */
			return write_zeros(items, len);
		r = tar_out_write(items->out, items->buffer, (size_t)got, items->err);
		offset += got;
		len -= got;
	}
	return r;
}

static int write_sparse(struct tar_items *items, int fd, const struct tar_entry *entry)
{
	int64_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < entry->extent_count; i++) {
		const struct tar_extent *extent = &entry->extents[i];

		r = write_zeros(items, extent->offset - at);
		if (r == 0)
			r = write_part(items, fd, extent->offset, extent->len);
		at = extent->offset + extent->len;
	}
	return r == 0 ? write_zeros(items, entry->st.st_size - at) : r;
}

static int write_file(struct tar_items *items, const struct item *item, struct tar_entry *entry)
{
	auto_fd int fd = open(item->self, O_RDONLY | O_CLOEXEC);
	auto_free struct tar_extent *extents = NULL;
	int r;

	if (fd < 0)
		return fail(items, errno, "open");
	if (item->st.st_size - (int64_t)item->st.st_blocks * 512 >= HOLES_MIN_BYTES) {
		extents = calloc(EXTENTS_MAX, sizeof(*extents));
		if (!extents)
			return fail(items, ENOMEM, "archive");
		entry->extents = extents;
		entry->extent_count = find_extents(fd, &item->st, extents);
	}
	r = tar_out_add(items->out, entry, items->err);
	if (r < 0)
		return r;
	return entry->extent_count > 0 ? write_sparse(items, fd, entry)
				       : write_part(items, fd, 0, item->st.st_size);
}

/* --- entries --------------------------------------------------------------------------- */

/* The first name of a file with several, or NULL: this is it. */
static int find_linked(struct tar_items *items, const struct stat *st, const char **ret)
{
	struct file_key key;
	struct linked *linked = NULL;

	memset(&key, 0, sizeof(key)); /* padding is compared too */
	key.dev = st->st_dev;
	key.ino = st->st_ino;
	HASH_FIND(hh, items->linked, &key, sizeof(key), linked);
	if (linked) {
		*ret = linked->path;
		return 0;
	}
	linked = calloc(1, sizeof(*linked));
	if (!linked)
		return -ENOMEM;
	linked->key = key;
	linked->path = strdup(items->path);
	if (!linked->path) {
		free(linked);
		return -ENOMEM;
	}
	HASH_ADD(hh, items->linked, key, sizeof(linked->key), linked);
	if (!hash_took(linked)) {
		free(linked->path);
		free(linked);
		return -ENOMEM;
	}
	*ret = NULL;
	return 0;
}

static int write_item(struct tar_items *items, const struct item *item)
{
	AUTO(xattrs_deinit) struct xattrs xattrs = { .count = 0 };
	struct tar_entry entry = { .path = items->path, .st = item->st };
	char target[PATH_MAX];
	ssize_t len;
	int r = 0;

	if (S_ISLNK(item->st.st_mode)) {
		len = readlinkat(item->fd, "", target, sizeof(target) - 1);
		if (len < 0)
			return fail(items, errno, "read the link");
		target[len] = '\0';
		entry.link = target;
	}
	if (!S_ISDIR(item->st.st_mode) && item->st.st_nlink > 1 &&
	    find_linked(items, &item->st, &entry.hard_link) < 0)
		return fail(items, ENOMEM, "archive");
	if (entry.hard_link)
		return tar_out_add(items->out, &entry, items->err);
	r = read_xattrs(items, item, &xattrs);
	if (r < 0)
		return r;
	entry.xattrs = xattrs.list;
	entry.xattr_count = xattrs.count;
	if (S_ISREG(item->st.st_mode))
		return write_file(items, item, &entry);
	return tar_out_add(items->out, &entry, items->err);
}

/* --- all of them ------------------------------------------------------------------------ */

int tar_items_add(struct tar_items *items, int fd, const struct stat *st, const char *path,
		  struct error *err)
{
	struct item item = { .fd = fd, .st = *st };

	if (S_ISSOCK(st->st_mode))
		return 0;
	shift_owner(&items->ids, &item.st);
	items->path = path;
	items->err = err;
	snprintf(item.self, sizeof(item.self), "/proc/self/fd/%d", fd);
	return write_item(items, &item);
}

int tar_items_add_root(struct tar_items *items, int root_fd, struct error *err)
{
	auto_fd int fd = openat(root_fd, ".", O_PATH | O_CLOEXEC);
	struct stat st, shown;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at the root");
	shown = st;
	shift_owner(&items->ids, &shown);
	if ((st.st_mode & 07777) == 0755 && shown.st_uid == 0 && shown.st_gid == 0)
		return 0;
	return tar_items_add(items, fd, &st, ".", err);
}

void tar_items_free(struct tar_items *items)
{
	struct linked *linked, *next;

	if (!items)
		return;
	HASH_ITER(hh, items->linked, linked, next) {
		HASH_DEL(items->linked, linked);
		free(linked->path);
		free(linked);
	}
	free(items->buffer);
	free(items);
}

struct tar_items *tar_items_new(struct tar_out *out)
{
	AUTO(tar_items_free) struct tar_items *items = calloc(1, sizeof(*items));

	if (!items)
		return NULL;
	items->out = out;
	items->buffer = malloc(BUFFER_BYTES);
	return items->buffer ? steal_ptr(&items) : NULL;
}
