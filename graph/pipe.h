/* A bounded buffer of bytes between one writer and one reader thread. */
#ifndef GRAPH_PIPE_H
#define GRAPH_PIPE_H

#include "base/cleanup.h"

#include <stddef.h>
#include <sys/types.h>

struct pipe_buffer;

/* NULL when memory ran out. */
struct pipe_buffer *pipe_new(size_t size_bytes);
/* Both sides must have let go. */
void pipe_free(struct pipe_buffer *pipe);
DEFINE_AUTO(struct pipe_buffer *, pipe_free);

/* Writer: hand over len bytes, zeros when bytes is NULL; waits for room.
 * 0, or -EPIPE when the reader has stopped. */
int pipe_write(struct pipe_buffer *pipe, const void *bytes, size_t len);
/* Writer: nothing follows. */
void pipe_end(struct pipe_buffer *pipe);
/* Writer: give up; what is buffered is dropped, the reader sees -ECANCELED. Also for who
 * started the reader's thread and wants its end. */
void pipe_cancel(struct pipe_buffer *pipe);

/* Reader: the next bytes, in place, until the next call. Waits.
 * Count, 0 at the end, -ECANCELED. */
ssize_t pipe_read(struct pipe_buffer *pipe, const void **ret_bytes);
/* Reader: read no more; a waiting writer wakes with -EPIPE. What the reader wrote
 * to memory before this call the writer sees after its -EPIPE. */
void pipe_stop(struct pipe_buffer *pipe);

#endif
