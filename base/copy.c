/* Copying a directory whole: see copy.h.
 *
 * The walk holds one descriptor of each side and goes up again by "..", so that
 * its depth costs memory and nothing else. The source may be an image's: its names
 * are odd, its links lead everywhere, and nothing of it is opened but by
 * O_NOFOLLOW below a descriptor. Attributes are reached through /proc/self/fd,
 * which is the one way for every type of file. A directory gets its own when it
 * has been filled, for the filling changes its times (and its mode may forbid it).
 */
#include "base/copy.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define XATTR_LIST_MAX 65536 /* the kernel's own limits */
#define XATTR_VALUE_MAX 65536
#define FD_PATH_SIZE 32
#define LINK_NAME_SIZE 40

/* One directory that is being copied. */
struct level {
	struct level *up;
	struct path_list names;
	size_t next;
};

struct copy {
	int from_fd, to_fd; /* of the level */
	int links_fd;
	struct level *level;
	void *list, *value; /* buffers for extended attributes */
	struct error *err;
};

static int fail(const struct copy *copy, int code, const char *name)
{
	return error_set_sys(copy->err, code, "cannot copy '%s'", name);
}

/* --- attributes ----------------------------------------------------------------- */

static int copy_xattr(const char *from, const char *to, const char *name, void *value)
{
	ssize_t len = getxattr(from, name, value, XATTR_VALUE_MAX);

	if (len < 0)
		return errno == ENODATA ? 0 : -errno;
	return setxattr(to, name, value, (size_t)len, 0) < 0 ? -errno : 0;
}

static int copy_xattrs(int from_fd, int to_fd, char *list, void *value)
{
	char from[FD_PATH_SIZE], to[FD_PATH_SIZE];
	ssize_t len;
	int ret = 0;

	snprintf(from, sizeof(from), "/proc/self/fd/%d", from_fd);
	snprintf(to, sizeof(to), "/proc/self/fd/%d", to_fd);
	len = listxattr(from, list, XATTR_LIST_MAX);
	if (len < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (char *at = list; ret == 0 && at < list + len; at += strlen(at) + 1)
		ret = copy_xattr(from, to, at, value);
	return ret;
}

/* After the content, and in this order: a change of the owner takes set-id bits
 * and capabilities away. Both descriptors may be O_PATH. */
static int set_attributes(const struct stat *st, int from_fd, int to_fd, char *list, void *value)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	char to[FD_PATH_SIZE];
	int ret;

	snprintf(to, sizeof(to), "/proc/self/fd/%d", to_fd);
	if (fchownat(to_fd, "", st->st_uid, st->st_gid, AT_EMPTY_PATH) < 0)
		return -errno;
	if (!S_ISLNK(st->st_mode) && chmod(to, st->st_mode & 07777) < 0)
		return -errno;
	ret = copy_xattrs(from_fd, to_fd, list, value);
	if (ret == 0 && utimensat(AT_FDCWD, to, times, 0) < 0)
		ret = -errno;
	return ret;
}

int copy_attributes(int from_fd, int to_fd, struct error *err)
{
	auto_free char *list = malloc(XATTR_LIST_MAX);
	auto_free void *value = malloc(XATTR_VALUE_MAX);
	struct stat st;
	int ret;

	if (!list || !value)
		return error_set(err, ENOMEM, "no memory for a copy");
	ret = fstat(from_fd, &st) < 0 ? -errno : set_attributes(&st, from_fd, to_fd, list, value);
	return ret < 0 ? error_set_sys(err, -ret, "cannot copy a directory's attributes") : 0;
}

/* --- one file ------------------------------------------------------------------- */

static int copy_range(int from_fd, int to_fd, off_t from, off_t to)
{
	if (lseek(to_fd, from, SEEK_SET) < 0)
		return -errno;
	while (from < to) {
		ssize_t len = sendfile(to_fd, from_fd, &from, (size_t)(to - from));

		if (len < 0 && errno != EINTR)
			return -errno;
		if (len == 0)
			break; /* it has become shorter */
	}
	return 0;
}

/* The data between the holes. */
static int copy_data(int from_fd, int to_fd, off_t size)
{
	off_t at = 0;
	int ret = ftruncate(to_fd, size) < 0 ? -errno : 0;

	while (ret == 0 && at < size) {
		off_t data = lseek(from_fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0)
			return errno == ENXIO ? 0 : -errno;
		hole = lseek(from_fd, data, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		ret = copy_range(from_fd, to_fd, data, hole);
		at = hole;
	}
	return ret;
}

static int copy_file(const struct copy *copy, const char *name, const struct stat *st)
{
	auto_fd int from_fd =
		openat(copy->from_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_fd int to_fd = -1;
	int ret;

	if (from_fd < 0)
		return -errno;
	to_fd = openat(copy->to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		       0600);
	if (to_fd < 0)
		return -errno;
	ret = copy_data(from_fd, to_fd, st->st_size);
	return ret < 0 ? ret : set_attributes(st, from_fd, to_fd, copy->list, copy->value);
}

static int make_node(const struct copy *copy, const char *name, const struct stat *st)
{
	char target[4096];
	ssize_t len;

	if (!S_ISLNK(st->st_mode))
		return mknodat(copy->to_fd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0
			       ? -errno
			       : 0;
	len = readlinkat(copy->from_fd, name, target, sizeof(target));
	if (len < 0)
		return -errno;
	if ((size_t)len == sizeof(target))
		return -ENAMETOOLONG;
	target[len] = '\0';
	return symlinkat(target, copy->to_fd, name) < 0 ? -errno : 0;
}

static int copy_special(const struct copy *copy, const char *name, const struct stat *st)
{
	int ret = make_node(copy, name, st);
	auto_fd int from_fd = -1;
	auto_fd int to_fd = -1;

	if (ret < 0)
		return ret;
	from_fd = openat(copy->from_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	to_fd = openat(copy->to_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (from_fd < 0 || to_fd < 0)
		return -errno;
	return set_attributes(st, from_fd, to_fd, copy->list, copy->value);
}

/* What has several names is copied with the first and linked with the others. */
static int copy_leaf(const struct copy *copy, const char *name, const struct stat *st)
{
	char key[LINK_NAME_SIZE];
	int ret;

	snprintf(key, sizeof(key), "%llx-%llx", (unsigned long long)st->st_dev,
		 (unsigned long long)st->st_ino);
	if (st->st_nlink > 1) {
		if (linkat(copy->links_fd, key, copy->to_fd, name, 0) == 0)
			return 0;
		if (errno != ENOENT)
			return -errno;
	}
	ret = S_ISREG(st->st_mode) ? copy_file(copy, name, st) : copy_special(copy, name, st);
	if (ret == 0 && st->st_nlink > 1 && linkat(copy->to_fd, name, copy->links_fd, key, 0) < 0)
		ret = -errno;
	return ret;
}

/* --- the walk ------------------------------------------------------------------- */

static int push_level(struct copy *copy, struct error *err)
{
	struct level *level = calloc(1, sizeof(*level));
	int ret;

	if (!level)
		return error_set(err, ENOMEM, "no memory for a copy");
	ret = path_list_dir(copy->from_fd, &level->names, err);
	if (ret < 0) {
		free(level);
		return ret;
	}
	level->up = copy->level;
	copy->level = level;
	return 0;
}

static void pop_level(struct copy *copy)
{
	struct level *level = copy->level;

	copy->level = level->up;
	path_list_deinit(&level->names);
	free(level);
}

/* Stand in another directory on both sides: one below, or "..". */
static int move_to(struct copy *copy, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	auto_fd int from_fd = openat(copy->from_fd, name, flags);
	auto_fd int to_fd = from_fd < 0 ? -1 : openat(copy->to_fd, name, flags);

	if (to_fd < 0)
		return fail(copy, errno, name);
	close(copy->from_fd);
	close(copy->to_fd);
	copy->from_fd = steal_fd(&from_fd);
	copy->to_fd = steal_fd(&to_fd);
	return 0;
}

static int enter(struct copy *copy, const char *name)
{
	int ret;

	if (mkdirat(copy->to_fd, name, 0700) < 0)
		return fail(copy, errno, name);
	ret = move_to(copy, name);
	return ret < 0 ? ret : push_level(copy, copy->err);
}

/* The level is copied: its directory's own attributes, then up. */
static int leave(struct copy *copy)
{
	struct stat st;
	int ret;

	pop_level(copy);
	if (!copy->level)
		return 0;
	ret = fstat(copy->from_fd, &st) < 0
		      ? -errno
		      : set_attributes(&st, copy->from_fd, copy->to_fd, copy->list, copy->value);
	if (ret < 0)
		return fail(copy, -ret, copy->level->names.names[copy->level->next - 1]);
	return move_to(copy, "..");
}

static int copy_next(struct copy *copy)
{
	struct level *level = copy->level;
	const char *name;
	struct stat st;
	int ret;

	if (level->next == level->names.count)
		return leave(copy);
	name = level->names.names[level->next++];
	if (fstatat(copy->from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(copy, errno, name);
	if (S_ISDIR(st.st_mode))
		return enter(copy, name);
	ret = copy_leaf(copy, name, &st);
	return ret < 0 ? fail(copy, -ret, name) : 0;
}

int copy_tree(int from_fd, int to_fd, int links_fd, struct error *err)
{
	auto_free char *list = malloc(XATTR_LIST_MAX);
	auto_free void *value = malloc(XATTR_VALUE_MAX);
	struct copy copy = { .links_fd = links_fd, .list = list, .value = value, .err = err };
	int ret;

	if (!list || !value)
		return error_set(err, ENOMEM, "no memory for a copy");
	copy.from_fd = fcntl(from_fd, F_DUPFD_CLOEXEC, 3);
	copy.to_fd = fcntl(to_fd, F_DUPFD_CLOEXEC, 3);
	ret = copy.from_fd < 0 || copy.to_fd < 0 ? fail(&copy, errno, ".") : push_level(&copy, err);
	while (ret == 0 && copy.level)
		ret = copy_next(&copy);
	while (copy.level)
		pop_level(&copy);
	if (copy.from_fd >= 0)
		close(copy.from_fd);
	if (copy.to_fd >= 0)
		close(copy.to_fd);
	return ret;
}
