/* What one tree has that another had not: the upper directory of an overlay
 * against the merged layers below it.
 *
 * Both may be hostile (any name, links to everywhere, exchanged while they are
 * read): every step goes by descriptor, follows no link and opens no device.
 */
#ifndef GRAPH_DIFF_H
#define GRAPH_DIFF_H

#include "base/error.h"

#include <sys/stat.h>

enum diff_kind { DIFF_ADDED = 'A', DIFF_CHANGED = 'C', DIFF_DELETED = 'D' };

struct diff_change {
	enum diff_kind kind;
	const char *path;      /* "/etc/new", bytes as they are; borrowed for the call */
	int dir_fd;            /* the upper directory that the entry is in, borrowed; -1 when its */
	const char *name;      /* own is not there (a D inside a replaced directory's old part) */
	const struct stat *st; /* of the upper entry; NULL for D */
};

/* 0, or a negative errno (with a sentence) to end the walk. */
typedef int (*diff_fn)(void *arg, const struct diff_change *change, struct error *err);

/* Names of directories below either root; what lies deeper is refused. */
#define DIFF_DEPTH_MAX 1024

/* Tell every change, a directory before what is in it, siblings in the order of
 * their bytes but for the D of a replaced directory's old children, which come
 * last of it.
 *
 * upper_fd  the overlay's upper directory: whiteouts (0/0 character devices) are D,
 *           trusted.overlay.opaque marks a replaced directory; borrowed
 * lower_fd  what lies below it, merged; borrowed; -1: nothing, all is A
 * made      NULL-terminated paths, or NULL: not told when they are new and empty (an
 *           empty file, or a directory in which nothing else is told): the mount points
 *           that the engine makes
 *
 * A directory is C when its mode, owner or extended attributes differ or when anything in it is told; the
 * root itself is never told. Anything else is C when type, mode, owner, device number, size,
 * time of change, link target, extended attributes or content differ; times are compared by the
 * second when one of them has no fraction. What was copied up and is equal is no change.
 * A removed directory is one D; one that gave way to something else is C, and D for each old child.
 *
 * 0, -ENAMETOOLONG (too deep), or what reading or fn gave. What goes away meanwhile is left
 * out. Blocks: disk. Source: overlayfs.rst of the kernel; Docker's archive.ChangesDirs. */
int diff_walk(int upper_fd, int lower_fd, const char *const *made, diff_fn fn, void *arg,
	      struct error *err);

#endif
