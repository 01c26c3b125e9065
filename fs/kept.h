/* Small texts by number that outlive the engine: names that the kernel may know (fs/changes.c), those that
 * it is to forget (fs/invalidate.c), links that wait for their rename (fs/templink.c). Numbers are the users', who share them out by KEPT_*.
 */
#ifndef FS_KEPT_H
#define FS_KEPT_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KEPT_NAMES UINT64_C(0)          /* and a container's key: its name */
#define KEPT_LINKS (UINT64_C(1) << 62)  /* and an index: path and target, a NUL between */
#define KEPT_UNTOLD (UINT64_C(2) << 62) /* and a serial: what the kernel is to be told */
#define KEPT_KIND_MASK (UINT64_C(3) << 62)

struct kept;

/* memory_fd  for fs/slots.h, borrowed; what a former engine kept is there */
int kept_open(int memory_fd, struct kept **ret, struct error *err);
void kept_close(struct kept *kept);
DEFINE_AUTO(struct kept *, kept_close);

/* Put a text in, or in place of the number's old one; NULL takes it out. Thread-safe. True when
 * *ret_old (heap, the caller's; not wanted when NULL) is another text that was there before. What cannot be
 * kept for want of room is not. */
bool kept_put(struct kept *kept, uint64_t number, const void *text, size_t len, char **ret_old);
/* The text of a number, heap, the caller's; NULL: none. Thread-safe. */
char *kept_dup(struct kept *kept, uint64_t number);
/* Call fn, which must not call back, for each text of a kind (KEPT_*). text ends with a NUL behind len. */
void kept_visit(struct kept *kept, uint64_t kind,
		void (*fn)(void *arg, uint64_t number, const char *text, size_t len), void *arg);

#endif
