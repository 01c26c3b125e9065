/* The engine's side of the launch plan: a struct launch_spec as the message that
 * runtime/shim/plan.h describes.
 */
#ifndef RUNTIME_PLAN_H
#define RUNTIME_PLAN_H

#include "base/strbuf.h"
#include "runtime/launch.h"

/* Append the message to an empty buffer.
 *
 * socket_fd, slim_fd  what the shim inherits besides the spec's descriptors
 *
 * 0; -EINVAL (no program, no directory, a descriptor below 3, which the shim
 * needs for itself), -E2BIG, -ENOMEM with a sentence. */
int plan_render(const struct launch_spec *spec, int socket_fd, int slim_fd, struct strbuf *out,
		struct error *err);

#endif
