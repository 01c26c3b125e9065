/* Telling the kernel that a name which it keeps means something else now.
 *
 * The kernel takes the directory's lock for that, which it also holds while a mkdir or rmdir waits for its
 * answer: so this has a thread of its own, and that one a process (fs/teller.h). A command's write waits until what it changed has been told; a directory
 * operation never does, for the kernel sees to its name itself.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include <stdint.h>

struct invalidator;
struct kept;
struct teller;

/* teller  who tells the kernel; borrowed, used by nobody else
 * kept  where what is not told yet lies, for the next engine: borrowed. What a former one had not told is
 *       queued. NULL: no memory or thread. */
struct invalidator *invalidator_new(struct teller *teller, struct kept *kept);
void invalidator_free(struct invalidator *invalidator);
/* The name in that directory; only queues. */
void invalidate_entry(struct invalidator *invalidator, uint64_t dir, const char *name);
/* Until all that was queued before has been told. Not from a thread that receives requests. */
void invalidate_wait(struct invalidator *invalidator);

#endif
