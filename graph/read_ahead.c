/* The thread writes into a bounded buffer; its failure is set before the buffer ends, and
 * read after.
 */
#include "graph/read_ahead.h"

#include "base/worker.h"
#include "graph/pipe.h"

#include <stdatomic.h>
#include <stdbool.h>

#define AHEAD_BYTES (2U << 20)

struct read_ahead {
	const struct source *from;
	struct pipe_buffer *pipe;
	struct digest *digest;
	atomic_bool is_dropped; /* the digest */
	pthread_t thread;
	bool is_running;
	struct error failure; /* of the thread, until it has ended the buffer */
};

static void *run_ahead(void *arg)
{
	struct read_ahead *ahead = arg;
	const void *bytes;
	ssize_t got;

	do {
		got = ahead->from->read(ahead->from->arg, &bytes, &ahead->failure);
		if (got <= 0)
			break;
		if (!atomic_load_explicit(&ahead->is_dropped, memory_order_relaxed))
			digest_update(ahead->digest, bytes, (size_t)got);
	} while (pipe_write(ahead->pipe, bytes, (size_t)got) == 0);
	pipe_end(ahead->pipe);
	return NULL;
}

void read_ahead_free(struct read_ahead *ahead)
{
	if (!ahead)
		return;
	if (ahead->is_running) {
		if (ahead->from->stop)
			ahead->from->stop(ahead->from->arg);
		pipe_stop(ahead->pipe);
		pthread_join(ahead->thread, NULL);
	}
	digest_free(ahead->digest);
	pipe_free(ahead->pipe);
	free(ahead);
}

int read_ahead_new(const struct source *from, struct read_ahead **ret, struct error *err)
{
	struct read_ahead *ahead AUTO(read_ahead_free) = calloc(1, sizeof(*ahead));
	int r;

	if (ahead) {
		ahead->from = from;
		ahead->pipe = pipe_new(AHEAD_BYTES);
		ahead->digest = digest_new();
	}
	if (!ahead || !ahead->pipe || !ahead->digest)
		return error_set(err, ENOMEM, "out of memory for an archive");
	r = worker_start_thread(&ahead->thread, run_ahead, ahead);
	if (r < 0)
		return error_set_sys(err, -r, "cannot start a decompressor's thread");
	ahead->is_running = true;
	*ret = steal_ptr(&ahead);
	return 0;
}

ssize_t read_ahead_read(void *arg, const void **ret_bytes, struct error *err)
{
	struct read_ahead *ahead = arg;
	ssize_t got = pipe_read(ahead->pipe, ret_bytes);

	if (got != 0 || !ahead->failure.code)
		return got;
	if (err)
		*err = ahead->failure;
	return -ahead->failure.code;
}

void read_ahead_drop_digest(struct read_ahead *ahead)
{
	atomic_store_explicit(&ahead->is_dropped, true, memory_order_relaxed);
}

int read_ahead_get_digest(struct read_ahead *ahead, char ret_hex[DIGEST_SIZE], struct error *err)
{
	return digest_finish(ahead->digest, ret_hex, err);
}
