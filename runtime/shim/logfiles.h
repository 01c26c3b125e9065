/* The shim's side of runtime/logformat.h: `log` and `log.index` of a container.
 *
 * One chunk at a time: it is written, then its record. What the disk does not
 * take (full, quota, an I/O error) stays pending in the caller's buffer until a
 * later flush; the caller reads no further output meanwhile, so nothing is
 * lost and nothing piles up.
 */
#ifndef RUNTIME_SHIM_LOGFILES_H
#define RUNTIME_SHIM_LOGFILES_H

#include "base/error.h"
#include "runtime/logformat.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct logfiles {
	int log_fd, index_fd;
	uint16_t run;
	uint64_t size;          /* of log, with what is written of the pending chunk */
	struct log_record last; /* totals so far; all 0 at the start */
	/* Pending: a chunk and its record, and how much of each is written. */
	const char *chunk;
	size_t chunk_done;
	struct log_record record; /* length 0: nothing is pending */
	size_t record_done;
	bool dropped; /* whatever cannot be written is given up */
};

/* Open both, making them, and mend what a killed writer left: a torn last
 * record is cut off, bytes beyond the last record get one (as stdout, with the
 * time of now). buf: room to read those bytes. 0 or -errno with a sentence. */
int logfiles_open(struct logfiles *logs, int dir_fd, uint64_t run, char *buf, size_t buf_size,
		  struct error *err);

/* Append a chunk that came now; nothing may be pending. It stays the caller's
 * and must not change until logfiles_flush() says so. len is 1 to UINT32_MAX. */
void logfiles_put(struct logfiles *logs, const char *chunk, size_t len, unsigned stream);

/* Write what is pending. True when all is on disk (or dropped). */
bool logfiles_flush(struct logfiles *logs);

static inline bool logfiles_is_pending(const struct logfiles *logs)
{
	return logs->record.length != 0;
}

#endif
