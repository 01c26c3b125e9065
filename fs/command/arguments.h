/* The words after `containerfs`, and those of mount(8). */
#ifndef FS_COMMAND_ARGUMENTS_H
#define FS_COMMAND_ARGUMENTS_H

#include "base/cleanup.h"
#include "base/error.h"
#include "graph/limits.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct arguments {
	bool help, version; /* asked for: nothing else is filled */
	bool foreground;
	bool fake;        /* mount(8)'s -f: do nothing */
	char *root, *run; /* resolved, as mnt */
	char *mnt;
	char *source;          /* "containerfs" unless given */
	char *bridge, *subnet; /* NULL unless given */
	bool isolated;         /* icc=false */
	char *registry;        /* "docker.io" unless given */
	char **log_opts;       /* "K=V", NULL-terminated */
	size_t log_opt_count;
	struct limits image_limits;
	bool has_gid;
	gid_t gid;
};
/* clang-format off */
#define ARGUMENTS_INIT { .image_limits = LIMITS_INIT }
/* clang-format on */

/* Parse the words of main(), in any order of options and names.
 *
 * Called as mount.SOMETHING (a mount helper), -f -n -s -v -t TYPE are
 * mount(8)'s. Words for -o that only mount(8) or fstab(5) mean something with
 * are skipped. Paths become absolute and lose their links.
 *
 * -EINVAL with a sentence that quotes the word at fault, -ENOENT no such group,
 * -ENOMEM. Not thread-safe: getopt_long. Source: mount(8), "External helpers". */
int arguments_parse(int argc, char **argv, struct arguments *ret, struct error *err);
void arguments_deinit(struct arguments *arguments);
DEFINE_AUTO_DEINIT(struct arguments, arguments_deinit);
void arguments_print_help(FILE *out);

#endif
