/* Are two entries of two trees the same? Private to graph/diff*.c. */
#ifndef GRAPH_DIFF_EQUAL_H
#define GRAPH_DIFF_EQUAL_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/stat.h>

/* An entry: the directory that it is in, its name there, what lstat(2) says of it. */
struct diff_entry {
	int dir_fd;
	const char *name;
	struct stat st;
};

/* All that diff_walk() compares, of directories without what is in them. 1, 0, or a negative errno
 * without a sentence; -ENOENT: one of them has gone meanwhile. */
int diff_is_equal(const struct diff_entry *a, const struct diff_entry *b);
/* Is this directory of an overlay's upper one opaque? */
bool diff_is_opaque(int dir_fd);

#endif
