/* The files of a tree as entries of a tar archive: what an entry says of a file, and the
 * file's bytes.
 */
#ifndef GRAPH_TAR_ITEM_H
#define GRAPH_TAR_ITEM_H

#include "graph/tar_out.h"

/* Remembers, from entry to entry, the first name of each file that has several. */
struct tar_items;

/* out  borrowed; NULL when memory ran out */
struct tar_items *tar_items_new(struct tar_out *out);
void tar_items_free(struct tar_items *items); /* NULL is fine */
DEFINE_AUTO(struct tar_items *, tar_items_free);

/* Files that are shown with other ids than the archive is to have: those from the bases on are counted
 * from 0, all others become 65534 ("nobody"); so do the roots that file capabilities are good for. */
struct tar_ids {
	unsigned uid_base, gid_base;
	unsigned size; /* 0: nothing is changed */
};
void tar_items_set_ids(struct tar_items *items, const struct tar_ids *ids);

/* Write an entry, with its content; not what lies in a directory.
 *
 * fd    names it (O_PATH), so that what is described is what was seen, whoever exchanges names
 *       meanwhile; a device is not opened
 * st    of fd; a socket is left out
 * path  what it is called in the archive ("etc/passwd"), without slashes at its ends
 *
 * Kept: owner, mode, time to the nanosecond, device number, the extended attributes user.*, trusted.* (but
 * those of overlayfs) and security.capability, holes of a MiB and more. Others may write meanwhile: a file that
 * shrinks is filled with zeros, of one that grows as much is written as it had.
 *
 * 0, or -errno with a sentence that names the path (without one when it is the output's). */
int tar_items_add(struct tar_items *items, int fd, const struct stat *st, const char *path,
		  struct error *err);
/* The tree's root as ".", unless it is as it becomes where nothing is said of it: of root's and
 * 0755. */
int tar_items_add_root(struct tar_items *items, int root_fd, struct error *err);

/* Bytes of content that an archive gets of a regular file, at most: without its holes, where it has long ones. */
int64_t tar_items_get_max_bytes(const struct stat *st);

#endif
