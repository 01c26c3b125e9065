/* A ring with one mutex and one condition a side. The reader gets its bytes in
 * place, so a span that it works on is given back only when it asks for the
 * next; spans are at most a quarter of the ring, so the writer can fill up
 * behind it meanwhile. All fields are guarded by the mutex; the bytes between
 * head and head + used belong to the reader, the others to the writer.
 */
#include "graph/pipe.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

struct pipe_buffer {
	pthread_mutex_t lock;
	pthread_cond_t readable;
	pthread_cond_t writable;
	size_t size;
	size_t head;
	size_t used;
	size_t lent; /* bytes at head that the reader is looking at */
	bool ended;
	bool cancelled;
	bool stopped;
	char *bytes;
};

struct pipe_buffer *pipe_new(size_t size_bytes)
{
	struct pipe_buffer *pipe = calloc(1, sizeof(*pipe));
	if (!pipe)
		return NULL;
	pipe->bytes = malloc(size_bytes);
	if (!pipe->bytes) {
		free(pipe);
		return NULL;
	}
	pipe->size = size_bytes;
	pthread_mutex_init(&pipe->lock, NULL);
	pthread_cond_init(&pipe->readable, NULL);
	pthread_cond_init(&pipe->writable, NULL);
	return pipe;
}

void pipe_free(struct pipe_buffer *pipe)
{
	if (!pipe)
		return;
	pthread_cond_destroy(&pipe->writable);
	pthread_cond_destroy(&pipe->readable);
	pthread_mutex_destroy(&pipe->lock);
	free(pipe->bytes);
	free(pipe);
}

/* Wait for room and return the free span behind the used one; 0 when stopped. */
static size_t wait_writable(struct pipe_buffer *pipe, char **ret_at)
{
	pthread_mutex_lock(&pipe->lock);
	while (!pipe->stopped && pipe->used == pipe->size)
		pthread_cond_wait(&pipe->writable, &pipe->lock);
	size_t tail = (pipe->head + pipe->used) % pipe->size;
	size_t room = pipe->size - pipe->used;
	if (room > pipe->size - tail)
		room = pipe->size - tail;
	if (pipe->stopped)
		room = 0;
	*ret_at = pipe->bytes + tail;
	pthread_mutex_unlock(&pipe->lock);
	return room;
}

int pipe_write(struct pipe_buffer *pipe, const void *bytes, size_t len)
{
	const char *from = bytes;

	while (len) {
		char *at;
		size_t room = wait_writable(pipe, &at);
		if (!room)
			return -EPIPE;
		if (room > len)
			room = len;
		if (from) {
			memcpy(at, from, room);
			from += room;
		} else {
			memset(at, 0, room);
		}
		len -= room;
		pthread_mutex_lock(&pipe->lock);
		pipe->used += room;
		pthread_cond_signal(&pipe->readable);
		pthread_mutex_unlock(&pipe->lock);
	}
	return 0;
}

void pipe_end(struct pipe_buffer *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	pipe->ended = true;
	pthread_cond_signal(&pipe->readable);
	pthread_mutex_unlock(&pipe->lock);
}

void pipe_cancel(struct pipe_buffer *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	pipe->cancelled = true;
	pthread_cond_signal(&pipe->readable);
	pthread_mutex_unlock(&pipe->lock);
}

ssize_t pipe_read(struct pipe_buffer *pipe, const void **ret_bytes)
{
	ssize_t ret = 0;

	pthread_mutex_lock(&pipe->lock);
	if (pipe->lent) {
		pipe->head = (pipe->head + pipe->lent) % pipe->size;
		pipe->used -= pipe->lent;
		pipe->lent = 0;
		pthread_cond_signal(&pipe->writable);
	}
	while (!pipe->used && !pipe->ended && !pipe->cancelled)
		pthread_cond_wait(&pipe->readable, &pipe->lock);
	if (pipe->cancelled) {
		ret = -ECANCELED;
	} else if (pipe->used) {
		size_t span = pipe->used;
		if (span > pipe->size - pipe->head)
			span = pipe->size - pipe->head;
		if (span > pipe->size / 4)
			span = pipe->size / 4;
		*ret_bytes = pipe->bytes + pipe->head;
		pipe->lent = span;
		ret = (ssize_t)span;
	}
	pthread_mutex_unlock(&pipe->lock);
	return ret;
}

void pipe_stop(struct pipe_buffer *pipe)
{
	pthread_mutex_lock(&pipe->lock);
	pipe->stopped = true;
	pthread_cond_signal(&pipe->writable);
	pthread_mutex_unlock(&pipe->lock);
}
