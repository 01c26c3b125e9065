/* A source that is read on a thread of its own, ahead of whoever wants the bytes, and
 * hashed there: decompression beside the making of files.
 */
#ifndef GRAPH_READ_AHEAD_H
#define GRAPH_READ_AHEAD_H

#include "base/cleanup.h"
#include "graph/digest.h"
#include "graph/source.h"

struct read_ahead;

/* from  borrowed until read_ahead_free(), as what it reads is */
int read_ahead_new(const struct source *from, struct read_ahead **ret, struct error *err);
/* Stops the source, and waits until its thread has ended. NULL is fine. */
void read_ahead_free(struct read_ahead *ahead);
DEFINE_AUTO(struct read_ahead *, read_ahead_free);

/* A source's read: what from gives, failures too. */
ssize_t read_ahead_read(void *ahead, const void **ret_bytes, struct error *err);
/* Nobody will ask for the digest. */
void read_ahead_drop_digest(struct read_ahead *ahead);
/* Of all bytes, when a read gave 0. */
int read_ahead_get_digest(struct read_ahead *ahead, char ret_hex[DIGEST_SIZE], struct error *err);

#endif
