/* Telling the kernel that a name which it keeps means something else now.
 *
 * The kernel takes the directory's lock for that, which it also holds while a mkdir or rmdir waits for its
 * answer: so this has a thread of its own, and that one a process (fs/teller.h). A command's write waits until what it changed has been told; a directory
 * operation never does, for the kernel sees to its name itself.
 */
#ifndef FS_INVALIDATE_H
#define FS_INVALIDATE_H

#include <stdbool.h>
#include <stdint.h>

struct invalidator;
struct kept;
struct teller;

/* Does the name in that directory stand for something? */
typedef bool (*invalidate_has_fn)(void *arg, uint64_t dir, const char *name);

/* teller  who tells the kernel; borrowed, used by nobody else
 * kept  where what is not told yet lies, for the next engine: borrowed. What a former one had not told is
 *       queued.
 * has  asked as a name is told. One that is there again, by a mkdir that came meanwhile, is only looked up anew:
 *      a shell that stands in the new directory would have no path otherwise.
 * NULL: no memory or thread. */
struct invalidator *invalidator_new(struct teller *teller, struct kept *kept, invalidate_has_fn has,
				    void *arg);
/* Nothing is told, and has is not called, any more; names are taken still. */
void invalidator_stop(struct invalidator *invalidator);
void invalidator_free(struct invalidator *invalidator);
/* The name in that directory; only queues. */
void invalidate_entry(struct invalidator *invalidator, uint64_t dir, const char *name);
/* Until all that was queued before has been told. Not from a thread that receives requests. */
void invalidate_wait(struct invalidator *invalidator);

#endif
