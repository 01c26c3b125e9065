/* What every unit test includes: cmocka with what it wants before itself, and
 * the assertions of the error model.
 */
#ifndef TESTS_TEST_H
#define TESTS_TEST_H

#include "base/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The number, the number within and the whole sentence. */
#define assert_error(ret, err, want_code, want_msg)                                                \
	do {                                                                                       \
		assert_int_equal((ret), -(want_code));                                             \
		assert_int_equal((err)->code, (want_code));                                        \
		assert_string_equal((err)->msg, (want_msg));                                       \
	} while (0)

/* Success, with the sentence shown if it is not. */
#define assert_ok(ret, err)                                                                        \
	do {                                                                                       \
		assert_string_equal((err)->msg, "");                                               \
		assert_true((ret) >= 0);                                                           \
		assert_int_equal((err)->code, 0);                                                  \
	} while (0)

/* A directory of its own for a test, gone afterwards with all in it. */
int test_make_dir(char ret_path[64]); /* an open descriptor; fails the test */
void test_remove_dir(int fd, const char *path);

#endif
