/* Copying a file or a directory with all that is in it, from one directory to another.
 *
 * Every step is one name below a descriptor, and no link is followed: whoever changes
 * either tree meanwhile, a container does, leads nobody out of it. What is in the way
 * is replaced, but no directory by something else nor the other way round.
 */
#include "cfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* One thing on its way. name: what it is called in sentences. */
struct step {
	int from_fd, to_fd;
	const char *from, *to;
	const char *name;
	const struct owners *owners;
};

static __attribute__((noreturn)) void fail_step(const struct step *s, const char *what)
{
	fail_sys(CFS_FAILED, "cp: cannot %s '%s'", what, s->name);
}

static uid_t get_uid(const struct step *s, const struct stat *st)
{
	const struct owners *owners = s->owners;
	uid_t uid = owners->keep ? ids_from_host(st->st_uid, owners->from.uid_base, &owners->from)
				 : geteuid();

	return ids_to_host(uid, owners->to.uid_base, &owners->to);
}

static gid_t get_gid(const struct step *s, const struct stat *st)
{
	const struct owners *owners = s->owners;
	gid_t gid = owners->keep ? ids_from_host(st->st_gid, owners->from.gid_base, &owners->from)
				 : getegid();

	return ids_to_host(gid, owners->to.gid_base, &owners->to);
}

/* Owner first: changing it clears bits of the mode. */
static void set_attributes(const struct step *s, int fd, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };

	if (fchown(fd, get_uid(s, st), get_gid(s, st)) < 0)
		fail_step(s, "set the owner of");
	if (fchmod(fd, st->st_mode & 07777) < 0)
		fail_step(s, "set the mode of");
	if (futimens(fd, times) < 0)
		fail_step(s, "set the times of");
}

static void copy_bytes(const struct step *s, int in_fd, int out_fd)
{
	static char buf[1 << 17];
	ssize_t n;

	while ((n = copy_file_range(in_fd, NULL, out_fd, NULL, 1 << 30, 0)) > 0)
		;
	if (n == 0)
		return;
	/* Not between these two file systems: by hand. */
	while ((n = read(in_fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			fail_step(s, "read");
		for (ssize_t done = 0; done < n;) {
			ssize_t m = write(out_fd, buf + done, (size_t)(n - done));
			if (m < 0 && errno != EINTR)
				fail_step(s, "write");
			done += m > 0 ? m : 0;
		}
	}
}

/* What is no directory makes room. */
static void make_room(const struct step *s)
{
	struct stat st;

	if (fstatat(s->to_fd, s->to, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		fail(CFS_FAILED, "cp: cannot replace a directory by '%s', which is none", s->name);
	if (unlinkat(s->to_fd, s->to, 0) < 0)
		fail_step(s, "replace");
}

static void copy_file(const struct step *s, const struct stat *st)
{
	int in_fd = openat(s->from_fd, s->from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (in_fd < 0)
		fail_step(s, "open");
	make_room(s);
	int out_fd =
		openat(s->to_fd, s->to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out_fd < 0)
		fail_step(s, "create");
	copy_bytes(s, in_fd, out_fd);
	set_attributes(s, out_fd, st);
	if (close(out_fd) < 0)
		fail_step(s, "write");
	close(in_fd);
}

static void copy_link(const struct step *s, const struct stat *st)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char target[4096];
	ssize_t len = readlinkat(s->from_fd, s->from, target, sizeof(target) - 1);

	if (len < 0)
		fail_step(s, "read");
	target[len] = 0;
	make_room(s);
	if (symlinkat(target, s->to_fd, s->to) < 0)
		fail_step(s, "create");
	if (s->owners->keep &&
	    fchownat(s->to_fd, s->to, get_uid(s, st), get_gid(s, st), AT_SYMLINK_NOFOLLOW) < 0)
		fail_step(s, "set the owner of");
	utimensat(s->to_fd, s->to, times, AT_SYMLINK_NOFOLLOW);
}

/* A pipe or a device; a socket is nothing without its owner. */
static void copy_node(const struct step *s, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode)) {
		fprintf(stderr, "cfs: cp: leaving out the socket '%s'\n", s->name);
		return;
	}
	make_room(s);
	if (mknodat(s->to_fd, s->to, st->st_mode, st->st_rdev) < 0)
		fail_step(s, "create");
	if (s->owners->keep &&
	    fchownat(s->to_fd, s->to, get_uid(s, st), get_gid(s, st), AT_SYMLINK_NOFOLLOW) < 0)
		fail_step(s, "set the owner of");
}

/* Windows to a kernel, which are no files: a copy of / has them empty, as rootfs has. */
static bool is_window(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC ||
	       fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC ||
	       fs.f_type == DEVPTS_SUPER_MAGIC;
}

static void copy_members(const struct step *s, int from_fd, int to_fd)
{
	DIR *dir = fdopendir(from_fd);
	const struct dirent *entry;

	if (!dir)
		fail_step(s, "list");
	while ((errno = 0, entry = readdir(dir))) {
		struct text name = { .data = NULL };
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		text_append_str(&name, s->name);
		text_append_str(&name, "/");
		text_append_str(&name, entry->d_name);
		tree_copy(from_fd, entry->d_name, to_fd, entry->d_name, name.data, s->owners);
		text_free(&name);
	}
	if (errno)
		fail_step(s, "list");
	closedir(dir);
}

void tree_copy_members(int from_fd, int to_fd, const char *name, const struct owners *owners)
{
	struct step s = { .name = name, .owners = owners };

	copy_members(&s, from_fd, to_fd);
}

static void copy_directory(const struct step *s, const struct stat *st)
{
	int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int from_fd = openat(s->from_fd, s->from, flags);

	if (from_fd < 0)
		fail_step(s, "open");
	bool made = mkdirat(s->to_fd, s->to, 0700) == 0;
	if (!made && errno != EEXIST)
		fail_step(s, "create");
	int to_fd = openat(s->to_fd, s->to, flags);
	if (to_fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		fail(CFS_FAILED, "cp: cannot replace what is no directory by '%s'", s->name);
	if (to_fd < 0)
		fail_step(s, "create");
	if (is_window(from_fd))
		close(from_fd);
	else
		copy_members(s, from_fd, to_fd);
	/* One that was there stays as it is. */
	if (made)
		set_attributes(s, to_fd, st);
	close(to_fd);
}

void tree_copy(int from_fd, const char *from, int to_fd, const char *to, const char *name,
	       const struct owners *owners)
{
	struct step s = {
		.from_fd = from_fd,
		.to_fd = to_fd,
		.from = from,
		.to = to,
		.name = name,
		.owners = owners,
	};
	struct stat st;

	if (fstatat(from_fd, from, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_step(&s, "look at");
	if (S_ISDIR(st.st_mode))
		copy_directory(&s, &st);
	else if (S_ISREG(st.st_mode))
		copy_file(&s, &st);
	else if (S_ISLNK(st.st_mode))
		copy_link(&s, &st);
	else
		copy_node(&s, &st);
}
