/* The device nodes that a container's /dev gets: the usual ones, or, for a privileged
 * container, the machine's as well. */
#ifndef RUNTIME_DEVICES_H
#define RUNTIME_DEVICES_H

#include "base/cleanup.h"
#include "runtime/launch.h"

/* Empty after = { 0 }; paths are owned. */
struct devices {
	struct launch_device *list;
	size_t count;
};

/* The usual ones, then every block and character device below a directory, with the
 * owner and mode that it has there; without terminals that are somebody's (pts, console,
 * ptmx) and what is a file system of its own in a container (shm, mqueue). Names are
 * taken as they are found; what vanishes meanwhile is left out.
 *
 * host_dev_fd  a directory like /dev, borrowed
 *
 * 0, -E2BIG for more than DEVICES_FOUND_MAX, -ENOMEM, or what open(2) gives. */
#define DEVICES_FOUND_MAX 4000
int devices_find(int host_dev_fd, struct devices *ret, struct error *err);
void devices_deinit(struct devices *devices);
DEFINE_AUTO_DEINIT(struct devices, devices_deinit);

#endif
