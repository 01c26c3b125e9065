/* A chunk of a container's log as Docker's json-file lines, or a window of them.
 *
 * Agrees byte for byte in size with logformat_json_size(), which the shim uses
 * for the running totals.
 */
#ifndef RUNTIME_LOGVIEW_JSON_H
#define RUNTIME_LOGVIEW_JSON_H

#include "runtime/logformat.h"

/* Copy bytes skip..skip+len of the chunk's JSON text to buf.
 *
 * chunk  record->length bytes
 *
 * Returns the count, less than len when the text ends before. Blocks: no.
 */
size_t logview_json_copy(const struct log_record *record, const char *chunk, size_t skip, char *buf,
			 size_t len);

#endif
