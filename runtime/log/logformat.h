/* The log of a container as it lies on disk: written by the shim, read by the
 * engine. `log` holds the raw bytes of stdout and stderr in the order of
 * arrival; `log.index` one record per chunk, which is one read of one pipe or a
 * part of it.
 *
 * A log is a row of segments with numbers that only grow: rotation begins a new
 * one and drops the oldest as a whole. Segment 0 is `log` and `log.index`, n is
 * `log.n` and `log.n.index`. Offsets and totals in records count from the first
 * byte that was ever written, whatever has been dropped since. The index of a
 * segment but 0 begins with a record of length 0: the totals so far.
 *
 * Orders that readers and recovery rely on. The bytes are written before their
 * record, so what the last record covers is always there; bytes beyond it (a shim
 * killed between the two) get a record at recovery. The first record of a segment
 * is written before its log is made, and the segment before is complete then. A
 * segment is dropped by unlinking its index, then truncating and unlinking its
 * log: who finds bytes missing finds the index gone.
 *
 * This header is shared with the static shim: nothing but libc here.
 */
#ifndef RUNTIME_LOG_LOGFORMAT_H
#define RUNTIME_LOG_LOGFORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_NAME_SIZE 40

#define LOG_STDOUT 1U
#define LOG_STDERR 2U

/* Totals are running sums over the whole log, this chunk included. */
struct log_record {
	uint64_t offset;       /* of the chunk, from the first byte ever written */
	uint32_t length;       /* bytes of the chunk; 0 in the first record of a segment only */
	uint16_t stream;       /* LOG_STDOUT or LOG_STDERR */
	uint16_t run;          /* low bits of the run's number */
	int64_t time_ns;       /* CLOCK_REALTIME of the arrival */
	uint64_t stdout_bytes; /* sum of the stdout chunks */
	uint64_t stderr_bytes;
	uint64_t json_bytes; /* size of logs.json up to and with this chunk */
};

_Static_assert(sizeof(struct log_record) == 48, "log.index is a file format");

/* Size of a chunk's text in logs.json. A chunk gives one object per line in it,
 * the last one possibly without newline:
 *   {"log":"TEXT","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}\n
 * TEXT escapes '"' and '\' with a backslash, newline, tab, carriage return,
 * backspace and form feed as \n \t \r \b \f, other bytes below 0x20 and DEL as
 * \u00xx, and each byte that is not part of valid UTF-8 within the chunk as
 * \ufffd; all else passes. Source of the shape: Docker's json-file driver. */
size_t logformat_json_size(const char *chunk, size_t len, unsigned stream);

/* The name of a segment's log or index. */
void logformat_get_name(uint64_t segment, bool index, char ret[LOG_NAME_SIZE]);
/* Is it one of those names? */
bool logformat_parse_name(const char *name, uint64_t *ret_segment, bool *ret_index);

/* Which segments a directory holds. Those with an index are what there is; logs
 * without one are left over from a drop that was cut short. */
struct log_span {
	bool has_index, has_log;
	uint64_t first, last;         /* with an index */
	uint64_t first_log, last_log; /* with a log */
};
/* 0 or -errno. Reads the directory. */
int logformat_scan(int dir_fd, struct log_span *ret);

/* Could a writer have written this record, as far as it alone can tell? */
static inline bool logformat_is_sane(const struct log_record *record)
{
	return (record->stream == LOG_STDOUT || record->stream == LOG_STDERR) &&
	       record->stdout_bytes + record->stderr_bytes == record->offset + record->length;
}

#endif
