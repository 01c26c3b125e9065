/* Commands that are a file read or written: events, import. */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int command_events(int argc, char **argv)
{
	if (argc > 1)
		fail(CFS_FAILED, "events: no such option or word: '%s'", argv[1]);
	int fd = openat(mount_open(CFS_FAILED), "events", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'events'");
	errno = -copy_to_stdout(fd);
	if (errno)
		fail_sys(CFS_FAILED, "cannot read 'events'");
	return 0;
}

/* ---- import ------------------------------------------------------------ */

/* The folders of images/host/team/app; the mount judges the names. */
static void make_folders(int images_fd, const char *name)
{
	char *path = strdup(name);

	for (char *slash = path ? strchr(path, '/') : NULL; slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		(void)!mkdirat(images_fd, path, 0755);
		*slash = '/';
	}
	free(path);
}

/* 0 or -errno; from_fd is to blame when *ret_read is set. The mount cannot tell an
 * empty file from one that is still to be written. */
static int copy_archive(int from_fd, int to_fd, bool *ret_read)
{
	static char buf[1 << 17];
	bool empty = true;
	ssize_t n;

	*ret_read = false;
	while ((n = read(from_fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR) {
			*ret_read = true;
			return -errno;
		}
		for (ssize_t done = 0; done < n;) {
			ssize_t m = write(to_fd, buf + done, (size_t)(n - done));
			if (m < 0 && errno != EINTR)
				return -errno;
			done += m > 0 ? m : 0;
		}
		empty = empty && n < 0;
	}
	*ret_read = empty;
	return empty ? -ENODATA : 0;
}

/* The image's 12 digits, which the tag's link ends in. */
static void print_target(int images_fd, const char *name)
{
	char target[4096];
	ssize_t n = readlinkat(images_fd, name, target, sizeof(target) - 1);

	if (n < 0)
		fail_sys(CFS_FAILED, "import: cannot read the tag '%s'", name);
	target[n] = 0;
	const char *slash = strrchr(target, '/');
	printf("%s\n", slash ? slash + 1 : target);
}

/* Write the archive as images/NAME. A taken name is a link to a directory: the
 * image then comes by another, which is moved onto it. */
static void import_archive(int mnt_fd, int images_fd, int from_fd, const char *from,
			   const char *name)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
	const char *written = name;
	char spare[64];
	bool read_failed;

	int to_fd = openat(images_fd, name, flags, 0644);
	if (to_fd < 0 && errno == EEXIST) {
		snprintf(spare, sizeof(spare), "cfs-import:%ld", (long)getpid());
		written = spare;
		to_fd = openat(images_fd, written, flags, 0644);
	}
	if (to_fd < 0)
		fail_from_mount(mnt_fd, errno, "import", CFS_FAILED);
	int r = copy_archive(from_fd, to_fd, &read_failed);
	if (close(to_fd) < 0 && r == 0)
		r = -errno;
	errno = -r;
	if (r < 0 && read_failed)
		fail_sys(CFS_FAILED, "cannot read '%s'", from);
	if (r < 0)
		fail_from_mount(mnt_fd, -r, "import", CFS_FAILED);
	if (written != name && renameat(images_fd, written, images_fd, name) < 0)
		fail_from_mount(mnt_fd, errno, "import", CFS_FAILED);
}

int command_import(int argc, char **argv)
{
	if (argc != 3 || argv[1][0] == 0)
		fail(CFS_FAILED, "import: a file (or -) and a name are needed; see "
				 "'cfs import --help'");
	const char *from = argv[1];
	const char *name = argv[2];
	int from_fd = strcmp(from, "-") == 0 ? STDIN_FILENO : open(from, O_RDONLY | O_CLOEXEC);
	if (from_fd < 0)
		fail_sys(CFS_FAILED, "cannot open '%s'", from);

	int mnt_fd = mount_open(CFS_FAILED);
	int images_fd = openat(mnt_fd, "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (images_fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'images'");
	make_folders(images_fd, name);
	import_archive(mnt_fd, images_fd, from_fd, from, name);
	print_target(images_fd, name);
	return 0;
}
