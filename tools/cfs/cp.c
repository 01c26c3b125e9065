/* cp: files between a container and here.
 *
 * A container's paths are resolved in its root by the kernel, RESOLVE_IN_ROOT: none of its
 * links leads out. While it runs its root is what it sees itself, volumes included; else
 * rootfs. "-" is a tar stream, which tar(1) makes and takes apart: what comes in is
 * unpacked in a directory of its own and then copied as all else is.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* One of the two sides, its path taken apart. */
struct side {
	int root_fd;       /* of the container; -1: here */
	struct ids ids;    /* its own */
	const char *given; /* the word */
	char path[PATH_MAX];
	bool wants_directory; /* it ended in a slash */
	bool wants_members;   /* it ended in "/." */
};

/* Every length was checked, or is that of another path. */
static void put_path(char *out, size_t size, const char *path)
{
	if (snprintf(out, size, "%s", path) >= (int)size)
		fail(CFS_FAILED, "cp: the path '%s' is too long", path);
}

static int open_in(const struct side *side, const char *path, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.resolve = side->root_fd < 0 ? 0 : RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int dir_fd = side->root_fd < 0 ? AT_FDCWD : side->root_fd;

	/* A ".." while anything is renamed anywhere is to be tried again. Source: openat2(2). */
	for (;;) {
		int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			return fd;
	}
}

static int open_root(int mnt_fd, const char *name, struct ids *ret_ids)
{
	int dir_fd = mount_open_container(mnt_fd, name, CFS_FAILED);
	int fd = openat(dir_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		fd = openat(dir_fd, "rootfs", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cp: cannot open the root of container '%s'", name);
	/* A first look at rootfs may have given it some. */
	*ret_ids = ids_read(dir_fd);
	close(dir_fd);
	return fd;
}

/* NAME:PATH, unless it begins as a path here does. */
static const char *find_colon(const char *word)
{
	return *word == '/' || *word == '.' ? NULL : strchr(word, ':');
}

static void read_side(struct side *side, int mnt_fd, char *word)
{
	char *colon = (char *)find_colon(word);
	const char *path = colon ? colon + 1 : word;
	size_t len = strlen(path);

	*side = (struct side){ .root_fd = -1, .given = word };
	if (len == 0 && !colon)
		fail(CFS_FAILED, "cp: an empty path");
	if (len == 0)
		path = "/";
	if (colon) {
		*colon = 0;
		side->root_fd = open_root(mnt_fd, word, &side->ids);
		*colon = ':';
	}
	put_path(side->path, sizeof(side->path), path);
	len = strlen(side->path);
	side->wants_members = strcmp(side->path, ".") == 0 ||
			      (len >= 2 && strcmp(side->path + len - 2, "/.") == 0);
	side->wants_directory = side->path[len - 1] == '/' || side->wants_members;
	while (len > 1 &&
	       (side->path[len - 1] == '/' || (len > 2 && strcmp(side->path + len - 2, "/.") == 0)))
		side->path[--len] = 0;
}

/* The path's last name, and the directory that it is in. */
static int open_parent(const struct side *side, char ret_name[NAME_MAX + 1])
{
	char parent[PATH_MAX];
	const char *slash = strrchr(side->path, '/');
	const char *name = slash ? slash + 1 : side->path;

	put_path(parent, sizeof(parent), side->path);
	if (!slash)
		put_path(parent, sizeof(parent), ".");
	else
		parent[slash == side->path ? 1 : slash - side->path] = 0;
	if (strlen(name) > NAME_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	put_path(ret_name, NAME_MAX + 1, name);
	return open_in(side, parent, O_PATH | O_DIRECTORY);
}

/* What is to be copied: a directory's descriptor and a name in it. */
struct source {
	int dir_fd;
	char name[NAME_MAX + 1];
	bool is_directory;
};

/* The whole of the root, or "..": a name is what it has, not what it was called. */
static bool has_no_name(const char *name)
{
	return !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* With -L, and behind a slash, the path's last link is followed: by its name in /proc, where the
 * kernel shows what a descriptor is, as the container sees it. */
static void follow_link(struct side *side)
{
	char link[64], target[PATH_MAX], root[PATH_MAX] = "";
	ssize_t len, root_len = 0;

	int fd = open_in(side, side->path, O_PATH);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cp: cannot find '%s'", side->given);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, target, sizeof(target) - 1);
	if (side->root_fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", side->root_fd);
		root_len = readlink(link, root, sizeof(root) - 1);
	}
	if (len < 0 || root_len < 0)
		fail_sys(CFS_FAILED, "cp: cannot follow '%s'", side->given);
	close(fd);
	target[len] = 0;
	/* A root of "/" (another namespace's) is no prefix to take off. */
	size_t skip =
		root_len > 1 && strncmp(target, root, (size_t)root_len) == 0 ? (size_t)root_len : 0;
	put_path(side->path, sizeof(side->path), target[skip] ? target + skip : "/");
}

static struct source find_source(struct side *side, bool follow)
{
	struct source source = { .dir_fd = -1 };
	struct stat st;

	if (follow || side->wants_directory)
		follow_link(side);
	source.dir_fd = open_parent(side, source.name);
	if (has_no_name(source.name)) {
		close(source.dir_fd);
		source.dir_fd = open_in(side, side->path, O_PATH | O_DIRECTORY);
		put_path(source.name, sizeof(source.name), ".");
		side->wants_members = true;
	}
	if (source.dir_fd < 0 || fstatat(source.dir_fd, source.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_sys(CFS_FAILED, "cp: cannot find '%s'", side->given);
	source.is_directory = S_ISDIR(st.st_mode);
	if (side->wants_directory && !source.is_directory)
		fail(CFS_FAILED, "cp: '%s' is not a directory", side->given);
	return source;
}

static int open_directory(int dir_fd, const char *name, const char *given)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		fail_sys(CFS_FAILED, "cp: cannot open '%s'", given);
	return fd;
}

/* Into a directory that is there: under its name, or its members. */
static void copy_into(const struct side *from, const struct source *source, int to_fd,
		      const struct owners *owners)
{
	if (from->wants_members)
		tree_copy_members(open_directory(source->dir_fd, source->name, from->given), to_fd,
				  from->given, owners);
	else
		tree_copy(source->dir_fd, source->name, to_fd, source->name, from->given, owners);
}

/* As cp(1) does, but nothing is made in between: the parent must be there. */
static void copy_to(const struct side *from, const struct source *source, struct side *to,
		    bool keep_owner)
{
	const struct owners owners = { keep_owner, from->ids, to->ids };
	char name[NAME_MAX + 1];
	struct stat st;

	ids_take(&to->ids);
	int fd = open_in(to, to->path, O_RDONLY | O_DIRECTORY);
	if (fd >= 0) {
		copy_into(from, source, fd, &owners);
		return;
	}
	if (to->wants_directory && !source->is_directory)
		fail_sys(CFS_FAILED, "cp: cannot open the directory '%s'", to->given);
	/* Through a link that is there the file behind it is replaced, in its root. */
	int there_fd = open_in(to, to->path, O_PATH);
	if (there_fd >= 0 && fstat(there_fd, &st) == 0) {
		if (source->is_directory)
			fail(CFS_FAILED, "cp: '%s' is not a directory", to->given);
		follow_link(to);
		close(there_fd);
	}
	fd = open_parent(to, name);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cp: cannot open the directory of '%s'", to->given);
	if (has_no_name(name))
		fail(CFS_FAILED, "cp: '%s' is no name for a copy", to->given);
	tree_copy(source->dir_fd, source->name, fd, name, from->given, &owners);
}

/* ---- tar streams --------------------------------------------------------- */

static void run_tar(char *const *argv, int dir_fd)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		fail_sys(CFS_FAILED, "cp: cannot run '%s'", argv[0]);
	if (pid == 0) {
		if (dir_fd >= 0 && fchdir(dir_fd) < 0)
			_exit(126);
		execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			fail_sys(CFS_FAILED, "cp: cannot wait for '%s'", argv[0]);
	if (status != 0)
		fail(CFS_FAILED, "cp: %s failed", argv[0]);
}

static char *make_word(const char *text)
{
	char *word = strdup(text);

	if (!word)
		fail(CFS_FAILED, "out of memory");
	return word;
}

static void pack(const char *name, int dir_fd)
{
	char *argv[] = { make_word("tar"),
			 make_word("--create"),
			 make_word("--file=-"),
			 make_word("--numeric-owner"),
			 make_word("--"),
			 make_word(name),
			 NULL };

	run_tar(argv, dir_fd);
}

static char unpacked[] = "/var/tmp/cfs-cp.XXXXXX";

static void remove_unpacked(void)
{
	char *argv[] = { make_word("rm"), make_word("-rf"), make_word("--"), unpacked, NULL };

	run_tar(argv, -1);
}

static void make_unpacked(void)
{
	if (!mkdtemp(unpacked))
		fail_sys(CFS_FAILED, "cp: cannot create a directory in '/var/tmp'");
	atexit(remove_unpacked);
}

/* Of a container with ids of its own it is a copy that is packed: tar knows only ids as they are. */
static void write_stream(const struct side *from, const struct source *source)
{
	const struct owners owners = { true, from->ids, { .size = 0 } };
	/* Not by the path, which is another root's. */
	int fd = openat(source->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (isatty(STDOUT_FILENO))
		fail(CFS_FAILED, "cp: a tar stream is nothing for a terminal");
	if (from->ids.size > 0) {
		make_unpacked();
		fd = open_directory(AT_FDCWD, unpacked, unpacked);
		copy_into(from, source, fd, &owners);
	}
	pack(source->name, fd);
}

/* An archive is unpacked where it can do no harm. Its owners are kept, as docker cp does. */
static void read_stream(struct side *to)
{
	const struct owners owners = { true, { .size = 0 }, to->ids };
	char *argv[] = { make_word("tar"),
			 make_word("--extract"),
			 make_word("--file=-"),
			 make_word("--numeric-owner"),
			 make_word("--same-owner"),
			 make_word("--preserve-permissions"),
			 make_word("--directory"),
			 unpacked,
			 NULL };
	int to_fd = open_in(to, to->path, O_RDONLY | O_DIRECTORY);

	if (to_fd < 0)
		fail_sys(CFS_FAILED, "cp: cannot open the directory '%s'", to->given);
	make_unpacked();
	run_tar(argv, -1);
	ids_take(&to->ids);
	tree_copy_members(open_directory(AT_FDCWD, unpacked, unpacked), to_fd, "-", &owners);
}

/* ---- words --------------------------------------------------------------- */

static void copy(char *from_word, char *to_word, bool follow, bool keep_owner)
{
	bool from_stream = strcmp(from_word, "-") == 0;
	bool to_stream = strcmp(to_word, "-") == 0;
	struct side from, to;

	if ((from_stream ? 0 : find_colon(from_word) != NULL) +
		    (to_stream ? 0 : find_colon(to_word) != NULL) !=
	    1)
		fail(CFS_FAILED, "cp: one of the two must be in a container, as NAME:PATH");
	int mnt_fd = mount_open(CFS_FAILED);
	if (!to_stream)
		read_side(&to, mnt_fd, to_word);
	if (from_stream) {
		read_stream(&to);
		return;
	}
	read_side(&from, mnt_fd, from_word);
	struct source source = find_source(&from, follow);
	if (to_stream)
		write_stream(&from, &source);
	else
		copy_to(&from, &source, &to, keep_owner);
}

int command_cp(int argc, char **argv)
{
	static const struct option names[] = {
		{ "archive", no_argument, NULL, 'a' },
		{ "follow-link", no_argument, NULL, 'L' },
		{ "quiet", no_argument, NULL, 'q' }, /* as always */
		{ NULL, 0, NULL, 0 },
	};
	bool follow = false, keep_owner = false;
	int c;

	while ((c = getopt_long(argc, argv, "aLq", names, NULL)) != -1) {
		if (c == '?')
			return CFS_FAILED;
		follow = follow || c == 'L';
		keep_owner = keep_owner || c == 'a';
	}
	if (argc - optind != 2)
		fail(CFS_FAILED, "cp: two paths are needed; see 'cfs cp --help'");
	umask(0);
	copy(argv[optind], argv[optind + 1], follow, keep_owner);
	return 0;
}
