/* load and import: archives that become images.
 *
 * The mount gets the path of the archive; of what may have none for it, a process's descriptor, which has one.
 * What the mount says meanwhile is shown on a terminal.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

/* A pipe that a process of ours fills, for a socket, a terminal or a device cannot be opened again. */
static int pump(const char *command, int from_fd)
{
	int ends[2];
	char buf[1 << 16];
	ssize_t n;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail_sys(CFS_FAILED, "%s: cannot make a pipe", command);
	pid = fork();
	if (pid < 0)
		fail_sys(CFS_FAILED, "%s: cannot read the archive", command);
	if (pid == 0) {
		close(ends[0]);
		while ((n = read(from_fd, buf, sizeof(buf))) > 0)
			copy_out(ends[1], buf, (size_t)n);
		_exit(0);
	}
	close(ends[1]);
	return ends[0];
}

/* A descriptor of the archive that the mount can open again. path NULL: stdin. */
static int open_archive(const char *command, const char *path)
{
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		fail_sys(CFS_FAILED, "cannot open '%s'", path ? path : "stdin");
	if (S_ISDIR(st.st_mode))
		fail(CFS_FAILED, "%s: '%s' is a directory; its tar archive is wanted", command,
		     path ? path : "stdin");
	if (isatty(fd))
		fail(CFS_FAILED, "%s: an archive is not typed", command);
	/* Of a file the mount reads all. */
	if (S_ISREG(st.st_mode) && lseek(fd, 0, SEEK_CUR) == 0)
		return fd;
	return S_ISFIFO(st.st_mode) ? fd : pump(command, fd);
}

/* Whatever the path means to others: this is the file that we opened. */
static void append_archive(struct text *line, int fd)
{
	char name[64];

	snprintf(name, sizeof(name), " /proc/%ld/fd/%d", (long)getpid(), fd);
	text_append_str(line, name);
}

/* Do it; the ids go to stdout, what is shown meanwhile to a terminal alone. */
static int run(struct text *line)
{
	struct text reply = { .data = NULL };
	char *sentence = NULL;
	int mnt_fd = mount_open(CFS_FAILED), fd, r;

	if (!isatty(STDERR_FILENO)) {
		ctl_run(mnt_fd, line->data, CFS_FAILED);
		text_free(line);
		return 0;
	}
	fd = openat(mnt_fd, "ctl", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'ctl'");
	r = ctl_do_shown(fd, line->data, stderr, false, &reply, &sentence);
	if (sentence)
		fail(CFS_FAILED, "%s", sentence);
	errno = -r;
	if (r < 0)
		fail_sys(CFS_FAILED, "%.*s", (int)strcspn(line->data, " "), line->data);
	copy_out(STDOUT_FILENO, reply.data, reply.len);
	text_free(&reply);
	text_free(line);
	return 0;
}

/* ---- load ---------------------------------------------------------------- */

static const char *take_input(int argc, char **argv, struct text *line)
{
	static const struct option names[] = {
		{ "input", required_argument, NULL, 'i' },
		{ "platform", required_argument, NULL, 'p' },
		{ "quiet", no_argument, NULL, 'q' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = NULL;
	int c;

	while ((c = getopt_long(argc, argv, "i:q", names, NULL)) != -1) {
		if (c == '?')
			exit(CFS_FAILED);
		if (c == 'i')
			path = optarg;
		if (c == 'p') {
			text_append_word(line, "--platform");
			text_append_word(line, optarg);
		}
	}
	if (optind < argc && !path)
		path = argv[optind++];
	if (optind < argc)
		fail(CFS_FAILED, "load: unexpected word '%s'", argv[optind]);
	return path && strcmp(path, "-") == 0 ? NULL : path;
}

int command_load(int argc, char **argv)
{
	struct text line = { .data = NULL };
	const char *path;

	text_append_str(&line, "load");
	path = take_input(argc, argv, &line);
	append_archive(&line, open_archive("load", path));
	return run(&line);
}

/* ---- import -------------------------------------------------------------- */

static void take_options(int argc, char **argv, struct text *line)
{
	static const struct option names[] = {
		{ "change", required_argument, NULL, 'c' },
		{ "message", required_argument, NULL, 'm' },
		{ "platform", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "c:m:", names, NULL)) != -1) {
		if (c == '?')
			exit(CFS_FAILED);
		text_append_word(line, c == 'c'   ? "--change"
				       : c == 'm' ? "--message"
						  : "--platform");
		text_append_word(line, optarg);
	}
}

int command_import(int argc, char **argv)
{
	struct text line = { .data = NULL };
	const char *from;

	text_append_str(&line, "import");
	take_options(argc, argv, &line);
	if (argc - optind < 1 || argc - optind > 2 || !*argv[optind])
		fail(CFS_FAILED, "import: a file, an address or - is needed, then a name; see "
				 "'cfs import --help'");
	from = argv[optind];
	if (strncasecmp(from, "http://", 7) == 0 || strncasecmp(from, "https://", 8) == 0)
		text_append_word(&line, from);
	else
		append_archive(&line, open_archive("import", strcmp(from, "-") ? from : NULL));
	if (optind + 1 < argc)
		text_append_word(&line, argv[optind + 1]);
	return run(&line);
}
