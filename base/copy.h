/* Copying a directory whole: what cp -a --sparse does, by descriptors.
 */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include "base/error.h"

/* Copy what lies in one directory into another, empty one: modes, owners, times, extended
 * attributes (ACLs with them), hard links among what is copied, holes, symbolic links, devices,
 * pipes. No link is followed; however deep the tree is, a few descriptors do.
 *
 * from_fd, to_fd  directories, O_RDONLY
 * links_fd        an empty directory on the file system of to_fd, O_RDONLY: what has
 *                 several names is kept there as well, and the caller removes it
 *
 * 0 or -errno with a sentence; then to_fd holds what was copied until there. The
 * directory's own attributes are copy_attributes()'s. */
int copy_tree(int from_fd, int to_fd, int links_fd, struct error *err);

/* Owner, extended attributes, mode and times of one directory to another. */
int copy_attributes(int from_fd, int to_fd, struct error *err);

#endif
