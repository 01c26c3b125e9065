/* Writing a log in the form of runtime/log/logformat.h: `log` and `log.index` of a
 * container, and the segments that follow them.
 *
 * One chunk at a time: its bytes are written, then its record. A chunk that does
 * not fit the segment is cut behind its last line that does, the rest begins the
 * next one. What the disk does not take (full, quota, an I/O error) stays pending
 * in the caller's buffer until a later flush; the caller reads no further output
 * meanwhile, so nothing is lost and nothing piles up. The oldest segment goes
 * before the next one is made, so that a rotation needs no more room than there
 * was.
 */
#ifndef RUNTIME_SHIM_LOGFILES_H
#define RUNTIME_SHIM_LOGFILES_H

#include "base/error.h"
#include "runtime/log/logformat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 0 is no limit. One file alone is kept as two of half the size, so that there is
 * something to read after each rotation. */
struct log_bounds {
	uint64_t max_size; /* bytes of one segment's log */
	uint64_t max_file; /* segments */
};

struct logfiles {
	int dir_fd; /* our own */
	int log_fd, index_fd;
	struct log_bounds bounds;
	uint16_t run;
	uint64_t first, segment; /* the oldest, and the one that is written */
	uint64_t size;           /* of its log, without the pending part */
	struct log_record last;  /* totals so far; all 0 at the start */
	/* Pending: the chunk, what is left of it, and where it came from. */
	const char *chunk;
	size_t chunk_len;
	unsigned stream;
	int64_t time_ns;
	/* The part of it that is being written: its record, and how much of each is. */
	struct log_record record; /* length 0: none has been chosen */
	size_t part_done, record_done;
	/* The index of the next segment, while it is being made: else -1. */
	int next_fd;
	size_t next_done;
	bool dropped; /* whatever cannot be written is given up */
};

/* Open the newest segment, making the first, and mend what a killed writer left:
 * a torn last record is cut off, bytes beyond the last record get one (as stdout),
 * a segment half made or half dropped goes.
 *
 * dir_fd   the directory, borrowed for the call
 * mend_ns  the time in the records that mending makes; 0: now
 * buf      room to read those bytes
 *
 * 0 or -errno with a sentence; logfiles_close() is needed in both cases. */
int logfiles_open(struct logfiles *logs, int dir_fd, uint64_t run, struct log_bounds bounds,
		  int64_t mend_ns, char *buf, size_t buf_size, struct error *err);
void logfiles_close(struct logfiles *logs);

/* Append a chunk that came now; nothing may be pending. It stays the caller's
 * and must not change until logfiles_flush() says so. len is 1 to UINT32_MAX. */
void logfiles_put(struct logfiles *logs, const char *chunk, size_t len, unsigned stream);

/* Write what is pending. True when all is on disk (or dropped). */
bool logfiles_flush(struct logfiles *logs);

static inline bool logfiles_is_pending(const struct logfiles *logs)
{
	return logs->chunk_len != 0;
}

#endif
