/* Bytes compressed by gzip on threads of its own, a block on each, and put out in order.
 * What comes out depends on what goes in alone, not on the number of threads.
 */
#ifndef GRAPH_GZIP_OUT_H
#define GRAPH_GZIP_OUT_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

struct gzip_out;

/* write  takes the compressed bytes, on any thread, one call at a time; 0 or -errno with a
 *        sentence, which ends it */
int gzip_out_new(int (*write)(void *arg, const void *bytes, size_t len, struct error *err),
		 void *arg, struct gzip_out **ret, struct error *err);
/* Waits until the threads have stopped. NULL is fine. */
void gzip_out_free(struct gzip_out *out);
DEFINE_AUTO(struct gzip_out *, gzip_out_free);

/* The next bytes. Waits while the threads are behind; a failure of theirs is
 * returned by the next call. One thread. */
int gzip_out_write(struct gzip_out *out, const void *bytes, size_t len, struct error *err);
/* Nothing follows: all has been put out when it returns. */
int gzip_out_finish(struct gzip_out *out, struct error *err);

#endif
