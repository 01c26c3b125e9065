/* Splitting command text: every rule of quoting, the bounds, torn lines. */
#include "tests/test.h"

#include "fs/command/words.h"
#include "tests/alloc_sweep.h"

#include <stdlib.h>
#include <string.h>

/* Split text as a whole and compare with the words expected (NULL-terminated). */
static void check_split(const char *text, size_t consumed, const char *const *expected)
{
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct error err = ERROR_INIT;
	size_t used = 0, count = 0;
	bool in_quote = true;

	assert_ok(words_split(text, strlen(text), true, &words, &used, &in_quote, &err), &err);
	assert_false(in_quote);
	assert_int_equal(used, consumed);
	for (; expected[count]; count++) {
		assert_true(count < words.count);
		assert_string_equal(words.argv[count], expected[count]);
	}
	assert_int_equal(words.count, count);
	assert_null(words.argv[count]);
}

#define CHECK(text, ...) check_split(text, strlen(text), (const char *const[]){ __VA_ARGS__ NULL })

static void test_plain(void **state)
{
	(void)state;
	CHECK("start web\n", "start", "web", );
	CHECK("start web", "start", "web", );
	CHECK(" \t start  \tweb \n", "start", "web", );
	CHECK("", );
	CHECK("\n", );
	CHECK("  \t", );
	CHECK("run a;b|c&d >e *?~ $HOME `x` (y)", "run", "a;b|c&d", ">e", "*?~", "$HOME", "`x`",
	      "(y)", );
	CHECK("caf\xc3\xa9 \xff\n", "caf\xc3\xa9", "\xff", );
}

static void test_only_first_line(void **state)
{
	(void)state;
	check_split("start a\nstart b\n", 8, (const char *const[]){ "start", "a", NULL });
	check_split("\nstart b\n", 1, (const char *const[]){ NULL });
}

static void test_quotes(void **state)
{
	(void)state;
	CHECK("a 'b c' d", "a", "b c", "d", );
	CHECK("'' \"\" $''", "", "", "", );
	CHECK("a'b'\"c\"$'d'e", "abcde", );
	CHECK("'a\\n\"$x`'", "a\\n\"$x`", );
	CHECK("\"a 'b' \\\" \\\\ \\$ \\` \\n\"", "a 'b' \" \\ $ ` \\n", );
	CHECK("\"two\nlines\" 'and\nmore'\n", "two\nlines", "and\nmore", );
	CHECK("\"a\\\nb\"", "ab", );
	CHECK("'a\\\nb'", "a\\\nb", );
	CHECK("\"$'x'\"", "$'x'", );
	CHECK("$\"x\"", "$x", );
	CHECK("sh -c \"i=0; echo $((i+1))\"", "sh", "-c", "i=0; echo $((i+1))", );
}

static void test_backslash(void **state)
{
	(void)state;
	CHECK("a\\ b \\'c \\\\ \\n", "a b", "'c", "\\", "n", );
	CHECK("sta\\\nrt web\n", "start", "web", );
	CHECK("start \\\n web\n", "start", "web", );
	CHECK("start\\\n", "start", );
	CHECK("a\\", "a\\", );
	CHECK("\\#a", "#a", );
}

static void test_comments(void **state)
{
	(void)state;
	CHECK("# all of it\n", );
	CHECK("start web # the 'server\n", "start", "web", );
	CHECK("start web#1 '#2'\n", "start", "web#1", "#2", );
	CHECK("start # to the end \\", "start", );
	check_split("a #b \\\nc\n", 7, (const char *const[]){ "a", NULL });
}

static void test_dollar_quotes(void **state)
{
	(void)state;
	CHECK("$'\\a\\b\\e\\E\\f\\n\\r\\t\\v\\\\\\'\\\"\\?'", "\a\b\033\033\f\n\r\t\v\\'\"?", );
	CHECK("$'\\101\\1012\\7x\\377\\501'",
	      "AA2\ax\xff"
	      "A", );
	CHECK("$'\\x41\\x414\\x7g'", "AA4\ag", );
	CHECK("$'\\u41\\u00e9\\u20AC\\U1F600\\U0001f6000'",
	      "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
	      "0", );
	CHECK("$'\\cA\\c?\\cz'", "\001\177\032", );
	CHECK("$'\\q\\xg\\ug\\Ug'", "\\q\\xg\\ug\\Ug", );
	CHECK("$'a b\nc'", "a b\nc", );
}

static void check_bad(const char *text, size_t len, bool at_end, int code, const char *msg,
		      bool want_in_quote)
{
	struct words words = { .argv = NULL, .count = 77 };
	struct error err = ERROR_INIT;
	size_t used = 99;
	bool in_quote = !want_in_quote;

	assert_error(words_split(text, len, at_end, &words, &used, &in_quote, &err), &err, code,
		     msg);
	assert_int_equal(in_quote, want_in_quote);
	assert_int_equal(words.count, 77);
	assert_int_equal(used, 99);
}

static void test_bad_bytes(void **state)
{
	(void)state;
	check_bad("a\0b\n", 4, true, EINVAL, "the command holds a NUL byte", false);
	check_bad("a #\0b\n", 6, true, EINVAL, "the command holds a NUL byte", false);
	check_bad("a '\0'", 5, false, EINVAL, "the command holds a NUL byte", false);
	check_bad("$'\\0'\n", 6, true, EINVAL, "an escape stands for a NUL byte", false);
	check_bad("$'\\x00'\n", 8, true, EINVAL, "an escape stands for a NUL byte", false);
	check_bad("$'\\400'\n", 8, true, EINVAL, "an escape stands for a NUL byte", false);
	check_bad("$'\\c@'\n", 7, true, EINVAL, "an escape stands for a NUL byte", false);
	check_bad("$'\\u0000'\n", 10, true, EINVAL, "an escape stands for a NUL byte", false);
	check_bad("$'\\ud800'\n", 10, true, EINVAL,
		  "an escape stands for U+D800, which is no character", false);
	check_bad("$'\\U110000'\n", 12, true, EINVAL,
		  "an escape stands for U+110000, which is no character", false);
	/* A NUL behind the line is the next line's. */
	check_split("a\n", 2, (const char *const[]){ "a", NULL });
}

static void test_nul_in_next_line(void **state)
{
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct error err = ERROR_INIT;
	size_t used = 0;
	bool in_quote;

	(void)state;
	assert_int_equal(words_split("a\n\0\n", 4, true, &words, &used, &in_quote, &err), 1);
	assert_int_equal(used, 2);
}

static void test_torn(void **state)
{
	static const char *const torn[] = { "run 'a",    "run \"a", "run $'a", "run $'a\\",
					    "run \"a\\", "'",       "\"a\nb",  "$'\\'" };

	(void)state;
	for (size_t i = 0; i < sizeof(torn) / sizeof(torn[0]); i++)
		check_bad(torn[i], strlen(torn[i]), true, EINVAL, "the command ends inside a quote",
			  true);
}

static void test_incomplete(void **state)
{
	static const char *const incomplete[] = { "run 'a", "run a",     "run a\\", "",
						  "#",      "run a\\\n", "$'\\x4" };
	struct error err = ERROR_INIT;
	struct words words = { .argv = NULL, .count = 77 };
	size_t used = 99;
	bool in_quote;

	(void)state;
	for (size_t i = 0; i < sizeof(incomplete) / sizeof(incomplete[0]); i++) {
		in_quote = true;
		assert_int_equal(words_split(incomplete[i], strlen(incomplete[i]), false, &words,
					     &used, &in_quote, &err),
				 0);
		assert_int_equal(err.code, 0);
		assert_false(in_quote);
		assert_int_equal(used, 99);
		assert_int_equal(words.count, 77);
	}
}

/* A line of exactly len bytes, newline not counted. */
static void check_length(size_t len, bool newline, bool at_end, int want)
{
	auto_free char *text = malloc(len + 1);
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct error err = ERROR_INIT;
	size_t used = 0;
	bool in_quote;

	memset(text, 'a', len);
	text[len] = '\n';
	assert_int_equal(words_split(text, len + newline, at_end, &words, &used, &in_quote, &err),
			 want);
	if (want == -E2BIG)
		assert_string_equal(err.msg, "the command is longer than 65536 bytes");
	if (want == 1)
		assert_int_equal(used, len + newline);
}

static void test_length(void **state)
{
	(void)state;
	check_length(COMMAND_MAX, true, false, 1);
	check_length(COMMAND_MAX, false, true, 1);
	check_length(COMMAND_MAX, false, false, 0);
	check_length(COMMAND_MAX + 1, true, false, -E2BIG);
	check_length(COMMAND_MAX + 1, false, true, -E2BIG);
	check_length(COMMAND_MAX + 1, false, false, -E2BIG);
	check_length(10 * COMMAND_MAX, true, true, -E2BIG);
}

/* As many words as fit. */
static void test_many_words(void **state)
{
	auto_free char *text = malloc(COMMAND_MAX);
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct error err = ERROR_INIT;
	size_t used = 0;
	bool in_quote;

	(void)state;
	for (size_t i = 0; i < COMMAND_MAX; i++)
		text[i] = i % 2 ? ' ' : 'a';
	assert_ok(words_split(text, COMMAND_MAX, true, &words, &used, &in_quote, &err), &err);
	assert_int_equal(words.count, COMMAND_MAX / 2);
	assert_string_equal(words.argv[words.count - 1], "a");
}

static int attempt_split(void *arg)
{
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct error err = ERROR_INIT;
	size_t used;
	bool in_quote;
	int ret = words_split(arg, strlen(arg), true, &words, &used, &in_quote, &err);

	return ret < 0 ? ret : 0;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt_split, (char[]){ "run 'a b' $'\\u20ac' c\n" }) == 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),     cmocka_unit_test(test_only_first_line),
		cmocka_unit_test(test_quotes),    cmocka_unit_test(test_backslash),
		cmocka_unit_test(test_comments),  cmocka_unit_test(test_dollar_quotes),
		cmocka_unit_test(test_bad_bytes), cmocka_unit_test(test_nul_in_next_line),
		cmocka_unit_test(test_torn),      cmocka_unit_test(test_incomplete),
		cmocka_unit_test(test_length),    cmocka_unit_test(test_many_words),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
