/* Comparing entries: attributes first, which is nearly always enough, then
 * extended attributes, and the content only of what looks the same: a file that was
 * opened for writing and not written was copied up all the same, and one that was
 * written can have got its old time back.
 */
#include "graph/diff_equal.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define OVERLAY_PREFIX "trusted.overlay."
#define BLOCK_BYTES (64U << 10)

/* Archives keep times by the second. */
static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec &&
	       (a->tv_nsec == b->tv_nsec || a->tv_nsec == 0 || b->tv_nsec == 0);
}

static bool has_same_attributes(const struct stat *a, const struct stat *b)
{
	if (a->st_mode != b->st_mode || a->st_uid != b->st_uid || a->st_gid != b->st_gid)
		return false;
	if (S_ISDIR(a->st_mode))
		return true;
	if ((S_ISCHR(a->st_mode) || S_ISBLK(a->st_mode)) && a->st_rdev != b->st_rdev)
		return false;
	return a->st_size == b->st_size && is_same_time(&a->st_mtim, &b->st_mtim);
}

/* --- extended attributes ------------------------------------------------------ */

/* A path to the entry itself, whatever it is, through a descriptor that only names it. */
static int open_name(const struct diff_entry *entry, char ret_path[40])
{
	int fd = openat(entry->dir_fd, entry->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(ret_path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

/* The names, one behind the other; heap. Length, 0 where there can be none. */
static ssize_t list_xattrs(const char *path, char **ret)
{
	auto_free char *names = malloc(XATTR_LIST_MAX);
	ssize_t len = names ? listxattr(path, names, XATTR_LIST_MAX) : -1;

	if (!names)
		return -ENOMEM;
	if (len < 0 && errno != ENOTSUP)
		return -errno;
	*ret = steal_ptr(&names);
	return len < 0 ? 0 : len;
}

static bool is_ours_to_compare(const char *name)
{
	return strncmp(name, OVERLAY_PREFIX, strlen(OVERLAY_PREFIX)) != 0;
}

static size_t count_xattrs(const char *names, ssize_t len)
{
	size_t count = 0;

	for (const char *at = names; at < names + len; at += strlen(at) + 1)
		count += is_ours_to_compare(at);
	return count;
}

/* 1, 0 or -errno: has the other one the same value? */
static int has_same_xattr(const char *path, const char *other, const char *name)
{
	auto_free char *a = malloc(XATTR_SIZE_MAX);
	auto_free char *b = malloc(XATTR_SIZE_MAX);
	ssize_t len, other_len;

	if (!a || !b)
		return -ENOMEM;
	len = getxattr(path, name, a, XATTR_SIZE_MAX);
	other_len = getxattr(other, name, b, XATTR_SIZE_MAX);
	return len >= 0 && len == other_len && memcmp(a, b, (size_t)len) == 0;
}

static int has_same_xattrs(const char *path, const char *other)
{
	auto_free char *names = NULL;
	auto_free char *other_names = NULL;
	ssize_t len = list_xattrs(path, &names), other_len;
	int same = 1;

	if (len < 0)
		return (int)len;
	other_len = list_xattrs(other, &other_names);
	if (other_len < 0)
		return (int)other_len;
	if (count_xattrs(names, len) != count_xattrs(other_names, other_len))
		return 0;
	for (const char *at = names; at < names + len && same == 1; at += strlen(at) + 1) {
		if (is_ours_to_compare(at))
			same = has_same_xattr(path, other, at);
	}
	return same;
}

static int compare_xattrs(const struct diff_entry *a, const struct diff_entry *b)
{
	char path[40], other[40];
	auto_fd int fd = open_name(a, path);
	auto_fd int other_fd = fd < 0 ? -1 : open_name(b, other);

	if (fd < 0 || other_fd < 0)
		return fd < 0 ? fd : other_fd;
	return has_same_xattrs(path, other);
}

/* --- content -------------------------------------------------------------------- */

static int compare_links(const struct diff_entry *a, const struct diff_entry *b)
{
	char target[PATH_MAX], other[PATH_MAX];
	ssize_t len = readlinkat(a->dir_fd, a->name, target, sizeof(target));
	ssize_t other_len;

	if (len < 0)
		return -errno;
	other_len = readlinkat(b->dir_fd, b->name, other, sizeof(other));
	if (other_len < 0)
		return -errno;
	return len == other_len && memcmp(target, other, (size_t)len) == 0;
}

static int compare_bytes(int fd, int other_fd)
{
	auto_free char *block = malloc(BLOCK_BYTES);
	auto_free char *other = malloc(BLOCK_BYTES);
	off_t offset = 0;

	if (!block || !other)
		return -ENOMEM;
	for (;;) {
		ssize_t len = path_pread_full(fd, block, BLOCK_BYTES, offset);
		ssize_t other_len = path_pread_full(other_fd, other, BLOCK_BYTES, offset);

		if (len < 0 || other_len < 0)
			return len < 0 ? (int)len : (int)other_len;
		if (len != other_len || memcmp(block, other, (size_t)len) != 0)
			return 0;
		if (len < (ssize_t)BLOCK_BYTES)
			return 1;
		offset += len;
	}
}

static int compare_files(const struct diff_entry *a, const struct diff_entry *b)
{
	struct stat st;
	auto_fd int fd = path_open_regular(a->dir_fd, a->name, &st);
	auto_fd int other_fd = fd < 0 ? -1 : path_open_regular(b->dir_fd, b->name, &st);

	if (fd < 0 || other_fd < 0)
		return fd < 0 ? fd : other_fd;
	return compare_bytes(fd, other_fd);
}

/* --- the whole -------------------------------------------------------------------- */

int diff_is_equal(const struct diff_entry *a, const struct diff_entry *b)
{
	int same;

	if (!has_same_attributes(&a->st, &b->st))
		return 0;
	same = compare_xattrs(a, b);
	if (same == 1 && S_ISLNK(a->st.st_mode))
		same = compare_links(a, b);
	else if (same == 1 && S_ISREG(a->st.st_mode) && a->st.st_size > 0)
		same = compare_files(a, b);
	/* Exchanged for something else just now: not what it was. */
	return same == -ELOOP ? 0 : same;
}

bool diff_is_opaque(int dir_fd)
{
	char value[2];

	return fgetxattr(dir_fd, OVERLAY_PREFIX "opaque", value, sizeof(value)) == 1 &&
	       value[0] == 'y';
}
