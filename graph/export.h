/* A tree of files as a tar stream. */
#ifndef GRAPH_EXPORT_H
#define GRAPH_EXPORT_H

#include "base/error.h"
#include "graph/tar_item.h"

#include <stddef.h>

/* Directories below the root that are gone into; a path of the kernel's has no more names. */
#define EXPORT_DEPTH_MAX 1024

/* Write all below a directory, the root itself left out: "bin/", "bin/sh", ... siblings in the order of their bytes.
 *
 * root_fd  borrowed; read without following a link, opening a device or entering a mount. Others may write
 *          there meanwhile: what vanishes is left out, a file that shrinks is filled with zeros, of
 *          one that grows as much is written as it had.
 * ids      or NULL
 * write    takes the bytes; 0 or a negative errno, which ends it and is returned (without a sentence)
 *
 * Kept: owner, mode, times to the nanosecond, hard links, devices, fifos, the extended attributes user.*, trusted.* and
 * security.capability, holes of a MiB and more. Sockets are left out.
 *
 * 0 or -errno. Memory: one directory's names for each level, and an entry for each file with several
 * names. Blocks. Source: pax of POSIX.1-2001, pax interchange format. */
int export_tree(int root_fd, const struct tar_ids *ids,
		int (*write)(void *arg, const void *bytes, size_t len), void *arg,
		struct error *err);

#endif
