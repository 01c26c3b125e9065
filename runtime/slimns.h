/* The mount namespace that shims work in. */
#ifndef RUNTIME_SLIMNS_H
#define RUNTIME_SLIMNS_H

#include "base/error.h"

/* Make a mount namespace that holds one small empty tmpfs (with a directory
 * /root to attach things to) and nothing of the host. A container's namespace is
 * made as a copy of its creator's, so every mount in it costs each start about
 * a microsecond, and what is not in it cannot be reached from inside.
 *
 * A short-lived thread does it; nothing changes for the others.
 * Returns a descriptor for setns(2), which alone keeps it alive, or -errno with
 * a sentence (-EPERM without CAP_SYS_ADMIN). */
int slimns_open(struct error *err);

#endif
