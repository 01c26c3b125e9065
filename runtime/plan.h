/* The engine's side of the launch plan: a struct launch_spec as the message that
 * runtime/shim/plan.h describes.
 */
#ifndef RUNTIME_PLAN_H
#define RUNTIME_PLAN_H

#include "base/strbuf.h"
#include "runtime/launch.h"

/* Append the message to an empty buffer, and the descriptors that go with it, in their order, to
 * another: ints, the spec's own.
 *
 * 0; -EINVAL (no program, no directory, a descriptor below 3: what was never opened), -E2BIG,
 * -ENOMEM with a sentence. */
int plan_render(const struct launch_spec *spec, struct strbuf *out, struct strbuf *fds,
		struct error *err);

#endif
