/* A process that tells the kernel to forget names.
 *
 * FUSE_NOTIFY_INVAL_ENTRY waits, beyond SIGKILL, for the directory's lock, which the kernel holds while a mkdir,
 * rmdir or mv in that directory waits for its answer. A thread of the engine that waited there would keep a
 * killed engine from ending, hence the next one from starting, hence that answer from coming, for ever. A
 * process of its own can wait there while the next engine gives the answer.
 */
#ifndef FS_TELLER_H
#define FS_TELLER_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct teller;

/* Call it while the process has one thread. fuse_fd: the mounted /dev/fuse descriptor, borrowed. The process
 * ends with the caller, or as soon as it can. */
int teller_start(int fuse_fd, struct teller **ret, struct error *err);
/* Have the kernel forget a name in the directory of that node number; returns when it has. From one thread at a
 * time. -EPIPE: the process has gone, or teller_cancel(). A name that the kernel does not know is no error.
 * only_ask: it is to be looked up again before it is used, and what it stands for is left alone where that is
 * the same still: no working directory loses its path. Linux before 6.2 forgets it all the same. */
int teller_tell(struct teller *teller, uint64_t dir, const char *name, bool only_ask);
/* teller_tell() returns now, and from now on at once. Any thread. */
void teller_cancel(struct teller *teller);
void teller_free(struct teller *teller);
DEFINE_AUTO(struct teller *, teller_free);

#endif
