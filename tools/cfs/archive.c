/* save: images to archives.
 *
 * One image's is image.tar; of several images tar(1) takes their archives
 * apart in one directory, where what they share is there once, their lists are joined and it puts
 * all together again.
 */
#include "cfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- images ---------------------------------------------------------------- */

/* The one directory of sha256/ that begins with the digits. */
static int open_digits(int images_fd, const char *digits)
{
	size_t len = strnlen(digits, 12);
	int fd = openat(images_fd, "sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char found[16] = "";
	struct dirent *entry;

	if (!dir)
		fail_sys(CFS_FAILED, "cannot open 'images/sha256'");
	while (len >= 4 && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, digits, len) != 0)
			continue;
		if (*found)
			fail(CFS_FAILED, "save: '%s' is the beginning of more than one image's id",
			     digits);
		snprintf(found, sizeof(found), "%.12s", entry->d_name);
	}
	fd = *found ? openat(dirfd(dir), found, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	closedir(dir);
	return fd;
}

/* image.tar of an image by name, or by an id or its beginning. */
static int open_archive(int images_fd, const char *name)
{
	const char *digits = strncmp(name, "sha256:", 7) == 0 ? name + 7 : name;
	int dir_fd = -1, fd;

	if (digits == name && *name != '/' && !strstr(name, ".."))
		dir_fd = openat(images_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = dir_fd < 0 ? -1 : openat(dir_fd, "image.tar", O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		dir_fd = open_digits(images_fd, digits);
		fd = dir_fd < 0 ? -1 : openat(dir_fd, "image.tar", O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		fail(CFS_FAILED, "save: no such image: %s", name);
	close(dir_fd);
	return fd;
}

/* ---- several ----------------------------------------------------------------- */

static char joined[] = "/var/tmp/cfs-save.XXXXXX";

static void run(const char *const *argv, int in_fd)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (in_fd >= 0 && dup2(in_fd, STDIN_FILENO) < 0)
			_exit(126);
		execvp(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			pid = -1;
	if (pid < 0)
		fail_sys(CFS_FAILED, "save: cannot run '%s'", argv[0]);
	if (status != 0)
		fail(CFS_FAILED, "save: %s failed", argv[0]);
}

static void remove_joined(void)
{
	run((const char *const[]){ "rm", "-rf", "--", joined, NULL }, -1);
}

/* A list that the mount wrote, without its brackets, behind the others. */
static void join_list(int dir_fd, const char *name, const char *begin, struct text *list)
{
	char *content = mount_read_file(dir_fd, name);
	char *first = content ? strstr(content, begin) : NULL;
	char *last = first ? strrchr(first, ']') : NULL;

	if (!last)
		fail(CFS_FAILED, "save: '%s' is no list", name);
	first += strlen(begin);
	text_append_str(list, list->len > 0 ? "," : "");
	text_append(list, first, (size_t)(last - first));
	free(content);
}

static void write_list(int dir_fd, const char *name, const char *before, const struct text *list,
		       const char *after)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0)
		fail_sys(CFS_FAILED, "save: cannot create '%s/%s'", joined, name);
	copy_out(fd, before, strlen(before));
	copy_out(fd, list->data, list->len);
	copy_out(fd, after, strlen(after));
	close(fd);
}

static void join(int images_fd, char **names)
{
	struct text images = { .data = NULL }, indexes = { .data = NULL };
	int dir_fd;

	if (!mkdtemp(joined))
		fail_sys(CFS_FAILED, "save: cannot create a directory in '/var/tmp'");
	atexit(remove_joined);
	dir_fd = open(joined, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (; *names; names++) {
		int fd = open_archive(images_fd, *names);

		run((const char *const[]){ "tar", "--extract", "--file=-", "--directory", joined,
					   NULL },
		    fd);
		close(fd);
		join_list(dir_fd, "manifest.json", "[", &images);
		join_list(dir_fd, "index.json", "\"manifests\":[", &indexes);
	}
	write_list(dir_fd, "manifest.json", "[", &images, "]");
	write_list(dir_fd, "index.json",
		   "{\"schemaVersion\":2,"
		   "\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[",
		   &indexes, "]}");
	close(dir_fd);
	text_free(&images);
	text_free(&indexes);
}

/* A descriptor that tar(1) writes into: the same for the same images. */
static int pack_joined(void)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail_sys(CFS_FAILED, "save: cannot make a pipe");
	pid = fork();
	if (pid < 0)
		fail_sys(CFS_FAILED, "save: cannot run 'tar'");
	if (pid == 0) {
		if (dup2(ends[1], STDOUT_FILENO) < 0)
			_exit(126);
		execlp("tar", "tar", "--create", "--file=-", "--format=gnu", "--sort=name",
		       "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "--directory",
		       joined, "oci-layout", "index.json", "manifest.json", "blobs", NULL);
		_exit(127);
	}
	close(ends[1]);
	return ends[0];
}

static void check_packed(void)
{
	int status;

	if (wait(&status) < 0 || status != 0)
		fail(CFS_FAILED, "save: tar failed");
}

int command_save(int argc, char **argv)
{
	const char *path = files_take_output(argc, argv);
	int images_fd =
		openat(mount_open(CFS_FAILED), "images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (images_fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'images'");
	if (optind == argc)
		fail(CFS_FAILED, "save: an image is needed; see 'cfs save --help'");
	if (optind == argc - 1)
		return files_write_archive(open_archive(images_fd, argv[optind]), "save", path,
					   NULL);
	join(images_fd, argv + optind);
	return files_write_archive(pack_joined(), "save", path, check_packed);
}
