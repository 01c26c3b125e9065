/* One open file's way through a log that is rotated.
 *
 * Offset 0 is the oldest byte that was kept when the file was looked up. A read at a byte that rotation
 * has dropped meanwhile gives one line that says how many bytes are gone, and what follows the line is the
 * oldest byte kept: from there on offsets are shifted. Bytes behind such a line never move again, so that
 * a file may be read in any order and a read be repeated.
 */
#ifndef RUNTIME_LOG_LOGREADER_H
#define RUNTIME_LOG_LOGREADER_H

#include "runtime/log/logview.h"

#include <stdbool.h>

/* A gap that was come to, and its line: at [at, at + len); behind it lies the view's byte `offset + shift`. */
struct logreader_gap {
	uint64_t at;
	uint64_t shift;
	uint64_t lost; /* bytes of this file */
	uint32_t len;  /* 0: none yet */
	char text[324];
};

/* Plain bytes, zeroed at the open; kept by the caller where a later engine finds them, and right at every
 * moment: an engine may be killed between any two stores. */
struct logreader {
	uint64_t base; /* the view's byte at offset 0 */
	struct logreader_gap gaps[2];
	uint32_t gap;      /* which of the two counts */
	uint32_t rest_len; /* what would end the line that the byte before rest_at lies in */
	uint64_t rest_at;
	char rest[LOGVIEW_REST_SIZE];
};

void logreader_init(struct logreader *reader, uint64_t base);
/* As pread(2), up to the view's byte `end`. Never waits. One at a time. */
ssize_t logreader_read(struct logreader *reader, struct logview *view, uint64_t offset,
		       uint64_t end, void *buf, size_t len, struct error *err);
/* By how much the view's bytes are further on than this file's, at its end: modulo 2^64. */
uint64_t logreader_get_shift(const struct logreader *reader);
/* Is there a byte at offset? */
bool logreader_has_byte(const struct logreader *reader, struct logview *view, uint64_t offset);

#endif
