/* One model for failures: a number for the kernel and a sentence for the user,
 * made together where the cause is known.
 *
 * A function that can fail returns 0 (or a count) or a negative errno, and
 * fills the caller's struct error. Above the cause only error_wrap() is used.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <errno.h>

struct error {
	int code; /* 0: no error, else a positive errno */
	char msg[500];
};

/* clang-format off */
#define ERROR_INIT { .code = 0, .msg = "" }
/* clang-format on */

#define ERROR_PRINTF(at, first) __attribute__((format(printf, at, first)))

/* Describe a failure.
 *
 * err   may be NULL when only the number matters: nothing is formatted then
 * code  positive errno; 0 or a number that is none becomes EIO, "bug: " before
 * fmt   one lower-case line naming the object and what was wrong; control
 *       bytes that arrive through arguments are escaped as \xNN
 *
 * Setting an error that is already set asserts in debug builds; otherwise the
 * first one is kept. Returns -code.
 */
int error_set(struct error *err, int code, const char *fmt, ...) ERROR_PRINTF(3, 4);

/* As error_set(), with ": " and the text of the code behind the sentence. */
int error_set_sys(struct error *err, int code, const char *fmt, ...) ERROR_PRINTF(3, 4);

/* Put "outer: " before the sentence of a failure on its way up.
 * Returns ret unchanged; does nothing when ret is not negative. */
int error_wrap(struct error *err, int ret, const char *fmt, ...) ERROR_PRINTF(3, 4);

/* Make the struct ready to be set again. */
void error_clear(struct error *err);

#endif
