/* A ring of blocks. The writer fills one after the other; each thread takes the next full
 * one, compresses it as a piece of one deflate stream that ends at a byte's boundary, and
 * puts it out when all before it are out. A block brings along the last 32 KiB of the one
 * before as its dictionary, so that cutting costs next to nothing.
 *
 * The lock guards the counters and the failure. A block belongs to the writer until it is
 * counted as full, then to the thread that took it until it is counted as out; output and
 * checksum belong to the thread whose block is the next. Source: RFC 1951, RFC 1952.
 */
#include "graph/gzip_out.h"

#include "base/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#define BLOCK_BYTES (128U << 10)
#define WINDOW_BYTES (32U << 10)
/* deflate's bound for a block, and the marks at its end. */
#define PACKED_BYTES (BLOCK_BYTES + BLOCK_BYTES / 1000 + 64)
#define THREADS_MAX 4U
#define BLOCKS (4 * THREADS_MAX)
/* Layers are made once and read often, but mostly here: what this costs is time that a
 * container may stand still. */
#define LEVEL Z_BEST_SPEED

struct block {
	unsigned char window[WINDOW_BYTES];
	unsigned char bytes[BLOCK_BYTES];
	size_t window_len, len;
	bool is_last;
};

struct gzip_out {
	int (*write)(void *arg, const void *bytes, size_t len, struct error *err);
	void *arg;
	pthread_t threads[THREADS_MAX];
	size_t thread_count;
	struct block *blocks; /* BLOCKS; the one being filled is full % BLOCKS */
	uint32_t crc;
	uint64_t total;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t changed;
	uint64_t full, taken, out; /* blocks so far */
	bool ended;                /* no more will be full */
	struct error failure;
};

/* --- a thread -------------------------------------------------------------------- */

struct packer {
	struct gzip_out *out;
	z_stream stream;
	unsigned char packed[PACKED_BYTES];
};

static int pack(struct packer *packer, const struct block *block, size_t *ret_len)
{
	z_stream *stream = &packer->stream;
	int want = block->is_last ? Z_STREAM_END : Z_OK, got;

	deflateReset(stream);
	if (block->window_len > 0)
		deflateSetDictionary(stream, block->window, (uInt)block->window_len);
	stream->next_in = (unsigned char *)(uintptr_t)block->bytes;
	stream->avail_in = (uInt)block->len;
	stream->next_out = packer->packed;
	stream->avail_out = PACKED_BYTES;
	got = deflate(stream, block->is_last ? Z_FINISH : Z_SYNC_FLUSH);
	*ret_len = PACKED_BYTES - stream->avail_out;
	return got == want && stream->avail_in == 0 ? 0 : -EIO;
}

static int put_ends(struct gzip_out *out, bool is_first, bool is_last, struct error *err)
{
	/* No name, no time, unknown system: the same bytes everywhere. */
	static const unsigned char head[10] = { 0x1f, 0x8b, Z_DEFLATED, 0, 0, 0, 0, 0, 4, 255 };
	unsigned char tail[8];
	int r = is_first ? out->write(out->arg, head, sizeof(head), err) : 0;

	for (unsigned i = 0; i < 4; i++) {
		tail[i] = (unsigned char)(out->crc >> 8 * i);
		tail[4 + i] = (unsigned char)(out->total >> 8 * i);
	}
	return r == 0 && is_last ? out->write(out->arg, tail, sizeof(tail), err) : r;
}

/* When it is this block's turn. */
static int put_block(struct gzip_out *out, uint64_t number, const struct packer *packer,
		     size_t packed_len, uint32_t crc, struct error *err)
{
	const struct block *block = &out->blocks[number % BLOCKS];
	int r = put_ends(out, number == 0, false, err);

	out->crc = (uint32_t)crc32_combine(out->crc, crc, (z_off_t)block->len);
	out->total += block->len;
	if (r == 0)
		r = out->write(out->arg, packer->packed, packed_len, err);
	if (r == 0 && block->is_last)
		r = put_ends(out, false, true, err);
	return r;
}

/* The next full block; false: there will be none. */
static bool take_block(struct gzip_out *out, uint64_t *ret)
{
	bool took;

	pthread_mutex_lock(&out->lock);
	while (out->taken == out->full && !out->ended && !out->failure.code)
		pthread_cond_wait(&out->changed, &out->lock);
	took = out->taken < out->full && !out->failure.code;
	if (took)
		*ret = out->taken++;
	pthread_mutex_unlock(&out->lock);
	return took;
}

static bool wait_for_turn(struct gzip_out *out, uint64_t number)
{
	bool has_turn;

	pthread_mutex_lock(&out->lock);
	while (out->out != number && !out->failure.code)
		pthread_cond_wait(&out->changed, &out->lock);
	has_turn = !out->failure.code;
	pthread_mutex_unlock(&out->lock);
	return has_turn;
}

static void end_turn(struct gzip_out *out, const struct error *err)
{
	pthread_mutex_lock(&out->lock);
	out->out++;
	if (err->code)
		out->failure = *err;
	pthread_cond_broadcast(&out->changed);
	pthread_mutex_unlock(&out->lock);
}

static void *run_packer(void *arg)
{
	struct packer *packer = arg;
	struct gzip_out *out = packer->out;
	uint64_t number;

	while (take_block(out, &number)) {
		const struct block *block = &out->blocks[number % BLOCKS];
		uint32_t crc = (uint32_t)crc32(0, block->bytes, (uInt)block->len);
		struct error err = ERROR_INIT;
		size_t packed_len;
		int r = pack(packer, block, &packed_len);

		if (!wait_for_turn(out, number))
			break;
		if (r < 0)
			error_set(&err, EIO, "cannot compress a layer");
		else
			put_block(out, number, packer, packed_len, crc, &err);
		end_turn(out, &err);
	}
	deflateEnd(&packer->stream);
	free(packer);
	return NULL;
}

static int start_packer(struct gzip_out *out, struct error *err)
{
	struct packer *packer = calloc(1, sizeof(*packer));
	int r = -ENOMEM;

	if (packer && deflateInit2(&packer->stream, LEVEL, Z_DEFLATED, -MAX_WBITS, 8,
				   Z_DEFAULT_STRATEGY) == Z_OK) {
		packer->out = out;
		r = worker_start_thread(&out->threads[out->thread_count], run_packer, packer);
		if (r < 0)
			deflateEnd(&packer->stream);
	}
	if (r < 0) {
		free(packer);
		return error_set_sys(err, -r, "cannot start a compressor's thread");
	}
	out->thread_count++;
	return 0;
}

/* --- beginning and ending --------------------------------------------------------------- */

void gzip_out_free(struct gzip_out *out)
{
	if (!out)
		return;
	pthread_mutex_lock(&out->lock);
	if (!out->ended && !out->failure.code)
		error_set(&out->failure, ECANCELED, "given up");
	pthread_cond_broadcast(&out->changed);
	pthread_mutex_unlock(&out->lock);
	for (size_t i = 0; i < out->thread_count; i++)
		pthread_join(out->threads[i], NULL);
	pthread_cond_destroy(&out->changed);
	pthread_mutex_destroy(&out->lock);
	free(out->blocks);
	free(out);
}

int gzip_out_new(int (*write)(void *arg, const void *bytes, size_t len, struct error *err),
		 void *arg, struct gzip_out **ret, struct error *err)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = processors < 1 ? 1 : (size_t)processors;
	struct gzip_out *out AUTO(gzip_out_free) = NULL;
	struct gzip_out *made = calloc(1, sizeof(*made));
	int r = 0;

	if (!made)
		return error_set(err, ENOMEM, "out of memory for a compressor");
	made->write = write;
	made->arg = arg;
	made->crc = (uint32_t)crc32(0, NULL, 0);
	pthread_mutex_init(&made->lock, NULL);
	pthread_cond_init(&made->changed, NULL);
	out = made;
	out->blocks = calloc(BLOCKS, sizeof(*out->blocks));
	if (!out->blocks)
		return error_set(err, ENOMEM, "out of memory for a compressor");
	for (size_t i = 0; r == 0 && i < count && i < THREADS_MAX; i++)
		r = start_packer(out, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&out);
	return 0;
}

/* --- the writer --------------------------------------------------------------------------- */

static int report(const struct error *failure, struct error *err)
{
	if (err)
		*err = *failure;
	return -failure->code;
}

/* Wait until so many blocks are out, or fewer than a ring are not. */
static int wait_out(struct gzip_out *out, bool all, struct error *err)
{
	int r = 0;

	pthread_mutex_lock(&out->lock);
	while ((all ? out->out < out->full : out->full - out->out == BLOCKS) && !out->failure.code)
		pthread_cond_wait(&out->changed, &out->lock);
	if (out->failure.code)
		r = report(&out->failure, err);
	pthread_mutex_unlock(&out->lock);
	return r;
}

/* The block is full, or the last. */
static int hand_over(struct gzip_out *out, bool is_last, struct error *err)
{
	struct block *block = &out->blocks[out->full % BLOCKS];
	struct block *next = &out->blocks[(out->full + 1) % BLOCKS];
	int r;

	block->is_last = is_last;
	pthread_mutex_lock(&out->lock);
	out->full++;
	out->ended = is_last;
	pthread_cond_broadcast(&out->changed);
	pthread_mutex_unlock(&out->lock);
	r = wait_out(out, is_last, err);
	if (r < 0 || is_last)
		return r;
	/* This block is not written to before the next one is full. */
	next->len = 0;
	next->window_len = WINDOW_BYTES;
	memcpy(next->window, block->bytes + BLOCK_BYTES - WINDOW_BYTES, WINDOW_BYTES);
	return 0;
}

int gzip_out_write(struct gzip_out *out, const void *bytes, size_t len, struct error *err)
{
	int r = 0;

	while (r == 0 && len > 0) {
		/* The writer alone changes full. */
		struct block *block = &out->blocks[out->full % BLOCKS];
		size_t part = len < BLOCK_BYTES - block->len ? len : BLOCK_BYTES - block->len;

		memcpy(block->bytes + block->len, bytes, part);
		block->len += part;
		len -= part;
		bytes = (const char *)bytes + part;
		if (block->len == BLOCK_BYTES)
			r = hand_over(out, false, err);
	}
	return r;
}

int gzip_out_finish(struct gzip_out *out, struct error *err)
{
	return hand_over(out, true, err);
}
