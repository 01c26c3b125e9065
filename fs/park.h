/* The one place where requests wait: parked until something that they watch changes, or
 * until a signal that counts reaches their caller. One thread, the waker, tries them again.
 *
 * Locks: the park's own, never held while a parked request is tried or answered. The
 * interrupt callback of libfuse runs under its request's lock and only queues here.
 */
#ifndef FS_PARK_H
#define FS_PARK_H

#include "fs/caller.h"
#include "fs/channel.h"

#include <stdbool.h>
#include <stdint.h>

struct park;

/* One waiting request; embedded in the waiter's own struct, which fills all but the last part. */
struct parked {
	uint64_t key;    /* of what it watches; PARK_NOTHING: only interrupts matter */
	uint64_t number; /* of the request, unique among the parked */
	fuse_req_t req;
	pid_t tid;
	enum caller_signals signals;
	/* On the waker's thread, no lock held: answer if possible. True: answered (or handed on),
	 * it is taken out and `drop` is called. interrupted: a signal that counts has come. */
	bool (*try)(struct parked *parked, bool interrupted);
	void (*drop)(struct parked *parked);

	/* the park's */
	struct parked *prev, *next;
	bool busy; /* set by a waiter whose park_remove() may come before its park_add(): it waits then */
	bool woken, interrupted;
	bool resting; /* interrupted by what does not count; looked at again by the clock */
};

#define PARK_NOTHING UINT64_MAX
#define PARK_EVENTS (UINT64_MAX - 1)
/* The reader of an archive, by its handle's slot. */
#define PARK_EXPORT(slot) (UINT64_MAX - 0x10000000 + (slot))

/* on_wake is called on the waker's thread for each key that was woken, before the parked are tried. */
struct park *park_new(void (*on_wake)(void *arg, uint64_t key), void *arg);
/* End the waker: nobody is tried any more, the rest may go on being called. One thread; safe to repeat. */
void park_stop(struct park *park);
/* Stops it; what is still parked is dropped unanswered (the next engine gets it again). */
void park_free(struct park *park);

/* Take it in and try it once more at once, so that nothing that changed meanwhile is missed. */
void park_add(struct park *park, struct parked *parked);
/* Take out one whose try never returns true (a running command); waits while it is being tried. */
void park_remove(struct park *park, struct parked *parked);
/* Something with this key changed. Any thread, any lock: it only queues. */
void park_wake(struct park *park, uint64_t key);

#endif
