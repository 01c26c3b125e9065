/* Finding the mount, and a container in it. */
#include "cfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ID_PREFIX_MIN 4

void mount_unescape(char *path)
{
	char *out = path;

	for (const char *in = path; *in; out++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out = (char)((in[1] - '0') * 64 + (in[2] - '0') * 8 + (in[3] - '0'));
			in += 4;
		} else {
			*out = *in++;
		}
	}
	*out = 0;
}

/* The directory when a ctl is in it. */
static int open_mount(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && faccessat(fd, "ctl", F_OK, 0) < 0) {
		int code = errno;
		close(fd);
		errno = code;
		return -1;
	}
	return fd;
}

/* The mount point in one line of mountinfo, NULL when it is not one of ours. */
static char *parse_line(char *line)
{
	const char *type = strstr(line, " - ");
	char *path = NULL;

	if (!type || strncmp(type, " - fuse.containerfs ", 20) != 0)
		return NULL;
	for (int field = 0; field < 5; field++)
		path = strsep(&line, " ");
	if (path)
		mount_unescape(path);
	return path;
}

static int open_from_table(void)
{
	FILE *table = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t cap = 0;
	int fd = -1;

	while (table && fd < 0 && getline(&line, &cap, table) > 0) {
		const char *path = parse_line(line);
		if (path)
			fd = open_mount(path);
	}
	free(line);
	if (table)
		fclose(table);
	return fd;
}

int mount_open_quietly(void)
{
	const char *given = getenv("CONTAINERFS");

	return given && *given ? open_mount(given) : open_from_table();
}

int mount_open(int exit_code)
{
	const char *given = getenv("CONTAINERFS");
	int fd = mount_open_quietly();

	if (fd < 0 && given && *given)
		fail_sys(exit_code, "no containerfs at '%s' ($CONTAINERFS)", given);
	if (fd < 0)
		fail(exit_code, "no containerfs is mounted; run 'containerfs DIR' or set "
				"CONTAINERFS");
	return fd;
}

/* Whether the container's id begins with prefix. */
static bool id_begins_with(int containers_fd, const char *name, const char *prefix)
{
	char path[300];
	char status[4096];
	ssize_t len = -1;

	if (snprintf(path, sizeof(path), "%s/status", name) >= (int)sizeof(path))
		return false;
	int fd = openat(containers_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = read(fd, status, sizeof(status) - 1);
		close(fd);
	}
	if (len <= 0)
		return false;
	status[len] = 0;
	const char *id = strstr(status, "\nId:\t");
	return id && strncmp(id + 5, prefix, strlen(prefix)) == 0;
}

/* The one container whose id has this prefix: its directory, else -1. */
static int open_by_prefix(int containers_fd, const char *prefix)
{
	int dup_fd = dup(containers_fd);
	DIR *dir = dup_fd >= 0 ? fdopendir(dup_fd) : NULL;
	const struct dirent *entry;
	int found = -1;
	unsigned count = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' ||
		    !id_begins_with(containers_fd, entry->d_name, prefix))
			continue;
		if (count++ == 0)
			found = openat(containers_fd, entry->d_name,
				       O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (dir)
		closedir(dir);
	if (count > 1 && found >= 0) {
		close(found);
		found = -1;
	}
	return found;
}

int mount_open_container(int mnt_fd, const char *name, int exit_code)
{
	if (!*name || strchr(name, '/'))
		fail(exit_code, "no such container: %s", name);
	int containers_fd = openat(mnt_fd, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (containers_fd < 0)
		fail_sys(exit_code, "cannot open 'containers'");

	int dir_fd = openat(containers_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t len = strlen(name);
	if (dir_fd < 0 && errno != ENOENT)
		fail_sys(exit_code, "cannot open container '%s'", name);
	if (dir_fd < 0 && len >= ID_PREFIX_MIN && len < ID_DIGITS &&
	    !name[strspn(name, "0123456789abcdef")])
		dir_fd = open_by_prefix(containers_fd, name);
	if (dir_fd < 0)
		fail(exit_code, "no such container: %s", name);
	close(containers_fd);
	return dir_fd;
}

char *mount_read_file(int dir_fd, const char *name)
{
	struct text all = { .data = NULL };
	char buf[16384];
	ssize_t n;

	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	text_append_str(&all, "");
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n > 0)
			text_append(&all, buf, (size_t)n);
		else if (errno != EINTR)
			break;
	}
	int code = errno;
	close(fd);
	if (n < 0)
		text_free(&all);
	errno = code;
	return all.data;
}

bool mount_is_set(int dir_fd, const char *key)
{
	char *config = mount_read_file(dir_fd, "config");
	bool set = json_is_true(json_member(config, key));

	free(config);
	return set;
}
