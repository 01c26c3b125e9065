/* Whole directories: made along a path, listed, removed. See path.h.
 *
 * A container may have left anything behind: directories nested deeper than
 * there are descriptors, names of 255 odd bytes, links to everywhere. So the
 * removal holds at most MAX_DEPTH descriptors (what is deeper is moved up to the
 * top first), names are only ever used relative to a descriptor, and no step
 * follows a link or enters a mount.
 */
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_DEPTH 32
#define MAX_LINKS 40 /* as the kernel's own limit */

/* State of one path_remove_tree(). */
struct removal {
	int top_fd;          /* where deep directories are moved to, -1: none yet */
	unsigned long moved; /* number of the next one's name */
	int first;           /* the first failure, or 0 */
};

static int make_dirs(int root_fd, const char *path, mode_t mode, unsigned links);

/* Make what the dangling link at prefix points to; last is its last component's
 * offset. */
static int make_link_target(int root_fd, int parent_fd, const char *prefix, size_t last,
			    mode_t mode, unsigned links)
{
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	char link[4096];
	ssize_t len = readlinkat(parent_fd, prefix + last, link, sizeof(link));
	int fd;

	if (len < 0)
		return -errno;
	if (links == 0 || (size_t)len == sizeof(link))
		return -ELOOP;
	if (link[0] != '/')
		strbuf_append(&target, prefix, last);
	strbuf_append(&target, link, (size_t)len);
	if (target.oom)
		return -ENOMEM;
	fd = make_dirs(root_fd, target.data, mode, links - 1);
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

/* Open the directory prefix inside the root, making its last component below
 * parent_fd when it is missing. */
static int make_step(int root_fd, int parent_fd, const char *prefix, size_t last, mode_t mode,
		     unsigned links)
{
	int flags = O_PATH | O_DIRECTORY;
	int fd = path_open_in_root(root_fd, prefix, flags, 0);

	if (fd != -ENOENT)
		return fd;
	if (mkdirat(parent_fd, prefix + last, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = path_open_in_root(root_fd, prefix, flags, 0);
	if (fd == -ENOENT) {
		int r = make_link_target(root_fd, parent_fd, prefix, last, mode, links);

		fd = r < 0 ? r : path_open_in_root(root_fd, prefix, flags, 0);
	}
	return fd;
}

static int make_dirs(int root_fd, const char *path, mode_t mode, unsigned links)
{
	auto_free char *prefix = strdup(path);
	auto_fd int fd = path_open_in_root(root_fd, "/", O_PATH | O_DIRECTORY, 0);

	if (!prefix)
		return -ENOMEM;
	if (fd < 0)
		return fd;
	for (char *at = prefix + strspn(prefix, "/"); *at;) {
		char *end = at + strcspn(at, "/");
		char behind = *end;
		int next;

		*end = '\0';
		next = make_step(root_fd, fd, prefix, (size_t)(at - prefix), mode, links);
		if (next < 0)
			return next;
		close(fd);
		fd = next;
		*end = behind;
		at = end + strspn(end, "/");
	}
	return steal_fd(&fd);
}

int path_make_dirs_in_root(int root_fd, const char *path, mode_t mode, struct error *err)
{
	int fd = make_dirs(root_fd, path, mode, MAX_LINKS);

	if (fd < 0)
		return error_set_sys(err, -fd, "cannot make directory '%s'", path);
	return fd;
}

static void note_failure(struct removal *rm, int r)
{
	if (rm->first == 0)
		rm->first = r;
}

/* Open a directory for reading; not through a link, not across a mount. */
static DIR *open_below(int dir_fd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS,
	};
	auto_fd int fd = (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
	DIR *dir;

	if (fd < 0) {
		/* What rmdir(2) says of a mount point. */
		if (errno == EXDEV)
			errno = EBUSY;
		return NULL;
	}
	dir = fdopendir(fd);
	if (dir)
		steal_fd(&fd);
	return dir;
}

/* Move a directory that lies too deep into the top one, where a later pass
 * finds it. The names of earlier removals that were broken off may be there. */
static int move_up(struct removal *rm, int dir_fd, const char *name)
{
	char new_name[40];

	do {
		snprintf(new_name, sizeof(new_name), ".deep-%lu", rm->moved++);
		if (renameat2(dir_fd, name, rm->top_fd, new_name, RENAME_NOREPLACE) == 0)
			return 0;
	} while (errno == EEXIST);
	return -errno;
}

static bool remove_entry(struct removal *rm, int dir_fd, const char *name, unsigned depth);

/* Remove what is in a directory. False when something is left. */
static bool empty_dir(struct removal *rm, DIR *dir, unsigned depth)
{
	bool some_gone, some_left;
	unsigned long moved;

	/* Removing while reading may hide an entry, and what lies too deep comes
	 * up to the top: go round until a pass changes nothing. */
	do {
		struct dirent *entry;

		some_gone = some_left = false;
		moved = rm->moved;
		rewinddir(dir);
		while ((entry = readdir(dir))) {
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			if (remove_entry(rm, dirfd(dir), entry->d_name, depth))
				some_gone = true;
			else
				some_left = true;
		}
	} while (some_gone || rm->moved != moved);
	return !some_left;
}

static bool remove_dir(struct removal *rm, int dir_fd, const char *name, unsigned depth)
{
	auto_dir DIR *dir = NULL;
	bool is_top = rm->top_fd < 0;

	if (depth >= MAX_DEPTH) {
		int r = move_up(rm, dir_fd, name);

		if (r < 0)
			note_failure(rm, r);
		return r == 0;
	}
	dir = open_below(dir_fd, name);
	if (!dir) {
		if (errno != ENOENT)
			note_failure(rm, -errno);
		return errno == ENOENT;
	}
	if (is_top)
		rm->top_fd = dirfd(dir);
	if (!empty_dir(rm, dir, depth + 1))
		return false;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return true;
	note_failure(rm, -errno);
	return false;
}

/* True when name is gone (or was moved up). */
static bool remove_entry(struct removal *rm, int dir_fd, const char *name, unsigned depth)
{
	if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
		return true;
	/* POSIX file systems say EPERM of a directory. */
	if (errno == EISDIR || errno == EPERM) {
		struct stat st;
		int keep = errno;

		if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
			return remove_dir(rm, dir_fd, name, depth);
		errno = keep;
	}
	note_failure(rm, -errno);
	return false;
}

int path_remove_tree(int dir_fd, const char *name)
{
	struct removal rm = { .top_fd = -1, .moved = 0, .first = 0 };

	/* A failure may have been undone by a later pass; gone is gone. */
	return remove_entry(&rm, dir_fd, name, 0) ? 0 : rm.first;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(struct path_list *list, size_t *cap, const char *name)
{
	if (list->count == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		char **names = reallocarray(list->names, more, sizeof(*names));

		if (!names)
			return -ENOMEM;
		list->names = names;
		*cap = more;
	}
	list->names[list->count] = strdup(name);
	if (!list->names[list->count])
		return -ENOMEM;
	list->count++;
	return 0;
}

static int read_names(DIR *dir, struct path_list *list)
{
	size_t cap = 0;

	for (;;) {
		struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = add_name(list, &cap, entry->d_name);
		if (r < 0)
			return r;
	}
}

int path_list_dir(int dir_fd, struct path_list *ret, struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };
	auto_dir DIR *dir = NULL;
	/* A description of its own: the position belongs to it. */
	auto_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd >= 0)
		dir = fdopendir(fd);
	if (!dir)
		return error_set_sys(err, errno, "cannot list a directory");
	steal_fd(&fd);
	r = read_names(dir, &list);
	if (r < 0)
		return error_set_sys(err, -r, "cannot list a directory");
	if (list.count > 0)
		qsort(list.names, list.count, sizeof(*list.names), compare_names);
	*ret = list;
	list = (struct path_list){ .names = NULL, .count = 0 };
	return 0;
}

void path_list_deinit(struct path_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->names[i]);
	free(list->names);
	*list = (struct path_list){ .names = NULL, .count = 0 };
}
