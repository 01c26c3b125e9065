/* Shims: spawning them, and having some ready before anybody wants one.
 *
 * A spare one has made a container's namespaces and waits for a launch plan. Only what was
 * asked for lately is kept, and not for long: a spare one is some memory and, with a network
 * namespace, work for the kernel. It belongs to this engine alone, is of its build, and ends
 * when the engine does, however that happens.
 */
#ifndef RUNTIME_SPARE_H
#define RUNTIME_SPARE_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A shim that has no plan yet: a child of ours. */
struct spare {
	pid_t pid;
	int fd; /* our end of its socket */
	bool is_stock;
};

/* clang-format off */
#define SPARE_INIT { .pid = -1, .fd = -1, .is_stock = false }
/* clang-format on */

/* Thread-safe. */
struct spares;
int spares_new(struct spares **ret, struct error *err);
void spares_free(struct spares *all); /* ends those in stock */
DEFINE_AUTO(struct spares *, spares_free);

/* From stock, or spawned now.
 *
 * namespaces  CLONE_NEW* that it makes, or 0
 *
 * 0 or -errno with a sentence. */
int spares_take(struct spares *all, uint64_t namespaces, struct spare *ret, struct error *err);
/* One like it was started: see that the next is there. Does not wait. */
void spares_refill(struct spares *all, uint64_t namespaces);
/* End one that is not wanted, or is of no use; wait until it has gone. */
void spare_end(struct spare *spare);

#endif
