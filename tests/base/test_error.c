/* The error model: number and sentence together, one line whatever comes in. */
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static void test_set(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_error(error_set(&err, ENOENT, "no such container: %s", "nope"), &err, ENOENT,
		     "no such container: nope");
	error_clear(&err);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.msg, "");
}

static void test_set_sys(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_error(error_set_sys(&err, EACCES, "cannot read limits of container '%s'", "web"),
		     &err, EACCES, "cannot read limits of container 'web': Permission denied");
}

static void test_null(void **state)
{
	(void)state;
	assert_int_equal(error_set(NULL, EBUSY, "%s", "unseen"), -EBUSY);
	assert_int_equal(error_set_sys(NULL, 0, "unseen"), -EIO);
	assert_int_equal(error_wrap(NULL, -EBUSY, "unseen"), -EBUSY);
}

static void test_bad_code(void **state)
{
	static const int codes[] = { 0, -1, -ENOENT, 4096, 999999 };

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		struct error err = ERROR_INIT;

		assert_error(error_set(&err, codes[i], "no reason"), &err, EIO, "bug: no reason");
		error_clear(&err);
		assert_error(error_set_sys(&err, codes[i], "no reason"), &err, EIO,
			     "bug: no reason");
	}
}

static void test_wrap(void **state)
{
	struct error err = ERROR_INIT;
	int ret = error_set(&err, ENOENT, "no such image: x");

	(void)state;
	assert_error(error_wrap(&err, ret, "container '%s'", "web"), &err, ENOENT,
		     "container 'web': no such image: x");
	assert_error(error_wrap(&err, ret, "start"), &err, ENOENT,
		     "start: container 'web': no such image: x");
}

static void test_wrap_success(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(error_wrap(&err, 0, "start"), 0);
	assert_int_equal(error_wrap(&err, 17, "start"), 17);
	assert_int_equal(err.code, 0);
	assert_string_equal(err.msg, "");
}

/* A cause without a sentence still gives one. */
static void test_wrap_unset(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_error(error_wrap(&err, -ENOSPC, "cannot write '%s'", "log"), &err, ENOSPC,
		     "cannot write 'log': No space left on device");
}

static void test_escapes(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_error(error_set(&err, EINVAL, "bad name '%s'", "a\nb\x1b[2J\x7f\tz"), &err, EINVAL,
		     "bad name 'a\\x0ab\\x1b[2J\\x7f\\x09z'");
	assert_int_equal(error_wrap(&err, -EINVAL, "%s", "x\ny"), -EINVAL);
	assert_string_equal(err.msg, "x\\x0ay: bad name 'a\\x0ab\\x1b[2J\\x7f\\x09z'");

	error_clear(&err);
	assert_error(error_set(&err, EINVAL, "%s", "gr\xc3\xbc\xc3\x9f \xc2\x9b!"), &err, EINVAL,
		     "gr\xc3\xbc\xc3\x9f \\xc2\\x9b!");

	/* No UTF-8: stray, overlong, a surrogate, one cut short. */
	error_clear(&err);
	assert_error(error_set(&err, EINVAL, "%s", "\xff \x80 \xc0\xaf \xed\xa0\x80 \xe2\x82"),
		     &err, EINVAL, "\\xff \\x80 \\xc0\\xaf \\xed\\xa0\\x80 \\xe2\\x82");
}

/* Whatever the length, a cut sentence ends in "..." and fits, also when it is
 * cut at an escape or inside a character. */
static void check_cut(const char *unit)
{
	for (size_t pad = 0; pad < 8; pad++) {
		struct error err = ERROR_INIT;
		char text[2000];
		size_t len = pad;

		memset(text, 'a', pad);
		while (len + strlen(unit) < 1600) {
			memcpy(text + len, unit, strlen(unit));
			len += strlen(unit);
		}
		text[len] = '\0';
		assert_int_equal(error_set(&err, E2BIG, "%s", text), -E2BIG);
		len = strlen(err.msg);
		assert_in_range(len, sizeof(err.msg) - 12, sizeof(err.msg) - 1);
		assert_string_equal(err.msg + len - 3, "...");
		if (unit[0] == '\xe2')
			assert_int_equal((len - 3 - pad) % 3, 0);
	}
}

static void test_cut(void **state)
{
	(void)state;
	check_cut("b");
	check_cut("\x01");
	check_cut("\xe2\x82\xac");
}

/* Exactly as long as fits is not cut. */
static void test_exact_length(void **state)
{
	struct error err = ERROR_INIT;
	char text[sizeof(err.msg)];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_error(error_set(&err, EINVAL, "%s", text), &err, EINVAL, text);
}

#ifdef NDEBUG
static void test_set_twice(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ENOENT, "first");
	assert_error(error_set(&err, EBUSY, "second"), &err, ENOENT, "first");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),        cmocka_unit_test(test_set_sys),
		cmocka_unit_test(test_null),       cmocka_unit_test(test_bad_code),
		cmocka_unit_test(test_wrap),       cmocka_unit_test(test_wrap_success),
		cmocka_unit_test(test_wrap_unset), cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_cut),        cmocka_unit_test(test_exact_length),
#ifdef NDEBUG
		cmocka_unit_test(test_set_twice),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
