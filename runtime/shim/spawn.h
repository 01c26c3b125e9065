/* The container's first process. */
#ifndef RUNTIME_SHIM_SPAWN_H
#define RUNTIME_SHIM_SPAWN_H

#include "base/error.h"

#include <stdbool.h>
#include <sys/types.h>

/* Make a child that calls func(arg) and exits with what it returns, if it does not execute a
 * program.
 *
 * cgroup_fd   cgroup v2 directory to be born in, or -1
 * copy        it goes on without executing a program: its memory must be its own
 *
 * The child has copies of the descriptors. Where the architecture is known to
 * spawn.c it shares the memory and the caller sleeps until it has executed or
 * exited; else it is a copy. Returns its pid, or -errno with a sentence. */
pid_t spawn_child(int cgroup_fd, bool copy, int (*func)(void *arg), void *arg, struct error *err);

#endif
