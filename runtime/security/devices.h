/* The device nodes that a container's /dev gets: those that were asked for, the usual ones,
 * and, for a privileged container, the machine's as well. */
#ifndef RUNTIME_SECURITY_DEVICES_H
#define RUNTIME_SECURITY_DEVICES_H

#include "base/cleanup.h"
#include "base/json.h"
#include "runtime/launch.h"
#include "runtime/security/device_rule.h"

/* Empty after = { 0 }; paths are owned. Of two with one path the first counts. */
struct devices {
	struct launch_device *list;
	size_t count;
	struct device_rule *rules; /* what it may do with those that were asked for */
	size_t rule_count;
};

/* Append what a configuration's Devices and DeviceCgroupRules (checked ones, or NULL) ask for: a
 * device with the owner and mode that it has on the host, or all those below a directory.
 *
 * -ENOENT there is none, -EINVAL it is no device and no directory with any, -E2BIG, -ENOMEM; what
 * was appended before stays. */
int devices_take(const json_t *devices, const json_t *rules, struct devices *inout,
		 struct error *err);

/* Append the usual ones, then every block and character device below a directory, with the
 * owner and mode that it has there; without terminals that are somebody's (pts, console,
 * ptmx) and what is a file system of its own in a container (shm, mqueue). Names are
 * taken as they are found; what vanishes meanwhile is left out.
 *
 * host_dev_fd  a directory like /dev, borrowed
 *
 * 0, -E2BIG for more than DEVICES_FOUND_MAX, -ENOMEM, or what open(2) gives. */
#define DEVICES_FOUND_MAX 4000
int devices_find(int host_dev_fd, struct devices *inout, struct error *err);
/* Append the usual ones alone. */
int devices_add_usual(struct devices *inout, struct error *err);
void devices_deinit(struct devices *devices);
DEFINE_AUTO_DEINIT(struct devices, devices_deinit);

#endif
