/* A chunk of a container's log as Docker's json-file lines, or a window of them.
 *
 * Agrees byte for byte in size with logformat_json_size(), which the shim uses
 * for the running totals.
 */
#ifndef RUNTIME_LOG_LOGVIEW_JSON_H
#define RUNTIME_LOG_LOGVIEW_JSON_H

#include "runtime/log/logformat.h"
#include "runtime/log/logview.h"

/* A byte of a chunk's JSON text: which line of the chunk it lies in (bytes of the chunk before that
 * line), and how many of the text's bytes lie between that line's beginning and it. */
struct logview_json_place {
	uint32_t line;
	size_t skip;
};

/* Copy up to len bytes of the text from *inout_place on to buf, and move it behind them.
 *
 * text  the chunk from place.line on: all of it, or at least place.skip + len + 4 bytes
 * rest  empty; gets what would make the last line whole when it is cut
 *
 * Returns the count, less than len when the text ends before. Blocks: no.
 */
size_t logview_json_copy(const struct log_record *record, const char *text, size_t text_len,
			 struct logview_json_place *inout_place, char *buf, size_t len,
			 struct logview_rest *rest);

#endif
