/* ROOT and RUN as one instance's own: checked against the mount point, made, locked.
 */
#ifndef FS_PREMISES_H
#define FS_PREMISES_H

#include "base/error.h"
#include "fs/server.h"

struct premises {
	int root_lock, run_lock; /* held while open, by every process that has a copy */
	int log_fd;              /* RUN/log, for appending */
};
/* clang-format off */
#define PREMISES_INIT { .root_lock = -1, .run_lock = -1, .log_fd = -1 }
/* clang-format on */

/* Take possession.
 *
 * options  root, run, mnt: absolute and resolved; gid and group_bits say who
 *          may pass through RUN
 *
 * Directories are made when missing: ROOT 0700, RUN 0700 (0710 with a group).
 * ROOT/lock and RUN/lock hold the number of this process; an ending predecessor
 * is waited for, 5 s each.
 *
 * -EINVAL one lies in the other, -EBUSY "another containerfs (pid N) uses root
 * DIR"; what the system said else. */
int premises_open(const struct server_options *options, struct premises *ret, struct error *err);
void premises_close(struct premises *premises);

#endif
