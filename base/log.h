/* The engine's own log: one line each, time first, control bytes escaped.
 * Thread-safe. Nothing below the edge logs what it also returns.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

/* fd is borrowed and must outlive the logging; -1 (the start) means stderr. */
void log_set_fd(int fd);
/* Where each line goes besides; -1 (the start) means nowhere. As log_set_fd(). */
void log_set_copy_fd(int fd);
void log_info(const char *fmt, ...) ERROR_PRINTF(1, 2);
void log_warn(const char *fmt, ...) ERROR_PRINTF(1, 2);

#endif
