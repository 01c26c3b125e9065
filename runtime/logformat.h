/* The log of a container as it lies on disk: written by the shim, read by the
 * engine. `log` holds the raw bytes of stdout and stderr in the order of
 * arrival; `log.index` one record per chunk, which is one read of one pipe.
 *
 * The bytes are written before their record, so what the last record covers is
 * always there. Bytes beyond it (a shim killed between the two) get a record at
 * recovery. This header is shared with the static shim: nothing but libc here.
 */
#ifndef RUNTIME_LOGFORMAT_H
#define RUNTIME_LOGFORMAT_H

#include <stddef.h>
#include <stdint.h>

#define LOG_STDOUT 1U
#define LOG_STDERR 2U

/* Totals are running sums over the whole log, this chunk included. */
struct log_record {
	uint64_t offset;       /* of the chunk in `log` */
	uint32_t length;       /* bytes of the chunk, never 0 */
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

#endif
