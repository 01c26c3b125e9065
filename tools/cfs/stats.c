/* stats: the mount's table, once, or on a terminal again and again. */
#include "cfs.h"

#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOME_AND_CLEAR "\033[H\033[J"
#define PAUSE_US 500000 /* the command itself looks for some time */

/* The table as text, in front of which the screen is cleared: one write, no flicker. */
static void show(int mnt_fd, const char *command, bool live)
{
	struct text shown = { .data = NULL };
	char *sentence = NULL;

	int fd = openat(mnt_fd, "ctl", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'ctl'");
	text_append_str(&shown, live ? HOME_AND_CLEAR : "");
	int r = ctl_do(fd, command, &shown, &sentence);
	close(fd);
	if (r < 0)
		fail(CFS_FAILED, "%s", sentence ? sentence : describe_errno(-r));
	copy_out(STDOUT_FILENO, shown.data, shown.len);
	text_free(&shown);
}

int command_stats(int argc, char **argv)
{
	static const struct option names[] = {
		{ "all", no_argument, NULL, 'a' },
		{ "format", required_argument, NULL, 'f' },
		{ "no-stream", no_argument, NULL, 'n' },
		{ "no-trunc", no_argument, NULL, 't' },
		{ NULL, 0, NULL, 0 },
	};
	bool live = isatty(STDOUT_FILENO);
	struct text command = { .data = NULL };
	int c;

	text_append_str(&command, "stats");
	while ((c = getopt_long(argc, argv, "a", names, NULL)) != -1) {
		if (c == '?')
			return CFS_FAILED;
		if (c == 'n')
			live = false;
		else
			text_append_word(&command, c == 'a'   ? "-a"
						   : c == 'f' ? "--format"
							      : "--no-trunc");
		if (c == 'f')
			text_append_word(&command, optarg);
	}
	for (; optind < argc; optind++)
		text_append_word(&command, argv[optind]);
	int mnt_fd = mount_open(CFS_FAILED);
	do {
		show(mnt_fd, command.data, live);
	} while (live && usleep(PAUSE_US) == 0);
	text_free(&command);
	return 0;
}
