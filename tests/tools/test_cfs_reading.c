/* What cfs reads of the mount's texts and of people's words: members of JSON, points in time, the last
 * lines of a file that grows.
 */
#include "tools/cfs/cfs.h"

#include "base/cleanup.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* --- json.c ----------------------------------------------------------------------- */

static void check_text(const char *object, const char *name, const char *want)
{
	struct text text = { .data = NULL };
	bool found = json_append_text(json_member(object, name), &text);

	if (!want)
		assert_false(found);
	else
		assert_true(found);
	if (want)
		assert_string_equal(text.data ? text.data : "", want);
	text_free(&text);
}

static void test_members(void **state)
{
	static const char object[] =
		" { \"a\" : \"1\", \"in\": {\"b\": [\"x\", {\"c\": \"no\"}]},\n"
		"\"n\": -1.5e3, \"t\":true,\"b\":\"2\\\\\", \"e\":\"\"}";

	(void)state;
	check_text(object, "a", "1");
	check_text(object, "b", "2\\");
	check_text(object, "e", "");
	check_text(object, "c", NULL);
	check_text(object, "n", NULL);
	check_text(json_member(object, "in"), "b", NULL);
	assert_true(json_is_true(json_member(object, "t")));
	assert_false(json_is_true(json_member(object, "n")));
	assert_false(json_is_true(json_member(object, "none")));
}

static void test_escapes(void **state)
{
	(void)state;
	check_text("{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "a", "\"\\/\b\f\n\r\t");
	check_text("{\"a\":\"\\u0041\\u00e9\\u20AC\\ud83d\\ude00\"}", "a",
		   "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
	check_text("{\"a\":\"\\x\"}", "a", NULL);
	check_text("{\"a\":\"\\u00g0\"}", "a", NULL);
	check_text("{\"a\":\"\\u00", "a", NULL);
}

/* Text that is cut off, or none at all, has no members; nothing behind its end is read. */
static void test_no_json(void **state)
{
	static const char whole[] = "{\"a\": {\"b\": [1, \"x\\\"\"]}, \"c\": \"d\\u0041\"}";

	(void)state;
	assert_null(json_member(NULL, "a"));
	check_text("", "a", NULL);
	check_text("[\"a\"]", "a", NULL);
	check_text("{\"a\"}", "a", NULL);
	check_text("{a: 1}", "a", NULL);
	check_text("}", "a", NULL);
	for (size_t len = 0; len < sizeof(whole) - 1; len++) {
		auto_free char *cut = strndup(whole, len);
		struct text text = { .data = NULL };

		assert_non_null(cut);
		json_append_text(json_member(cut, "c"), &text);
		text_free(&text);
	}
}

/* --- times.c ------------------------------------------------------------------------ */

static void check_time(const char *word, int64_t want)
{
	int64_t time = 0;

	assert_int_equal(time_parse(word, &time), 0);
	assert_int_equal(time, want);
}

static void test_times(void **state)
{
	const int64_t s = 1000000000;

	(void)state;
	setenv("TZ", "XXX-02:00", 1);
	tzset();
	check_time("1970-01-01T00:00:01Z", s);
	check_time("2026-01-31T15:04:05.25Z", 1769871845 * s + s / 4);
	check_time("2026-01-31T15:04:05.123456789123Z", 1769871845 * s + 123456789);
	check_time("2026-01-31T17:04:05+02:00", 1769871845 * s);
	check_time("2026-01-31T13:34:05-01:30", 1769871845 * s);
	check_time("2026-01-31T17:04:05", 1769871845 * s);
	check_time("2026-01-31T17:04", 1769871840 * s);
	check_time("2026-01-31", (1769871845 - 15 * 3600 - 4 * 60 - 5 - 7200) * s);
	check_time("0", 0);
	check_time("1769871845.5", 1769871845 * s + s / 2);
}

static void check_ago(const char *word, int64_t ago_ns)
{
	int64_t before = time_now(), time = 0;

	assert_int_equal(time_parse(word, &time), 0);
	assert_in_range(time, (uint64_t)(before - ago_ns), (uint64_t)(time_now() - ago_ns));
}

static void test_durations(void **state)
{
	static const char *const bad[] = { "",
					   "x",
					   "-",
					   "1d",
					   "h",
					   "1h30",
					   "1 h",
					   "2026-13-01",
					   "2026-01-31T15:04:05+2",
					   "2026-01-31x",
					   "99999999999999999999",
					   "9999999999999h",
					   "1..5",
					   "-5" };
	int64_t time;

	(void)state;
	check_ago("1h30m20s", INT64_C(5420) * 1000000000);
	check_ago("10m", INT64_C(600) * 1000000000);
	check_ago("1.5s", 1500000000);
	check_ago("250ms", 250000000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (time_parse(bad[i], &time) == 0)
			fail_msg("'%s' passed for a time", bad[i]);
}

/* --- tail.c --------------------------------------------------------------------------- */

static int make_file(const char *text, size_t len)
{
	int fd = memfd_create("lines", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	return fd;
}

static void test_tail(void **state)
{
	auto_fd int fd = make_file("one\ntwo\n\nfour", 13);
	auto_fd int ended = make_file("one\ntwo\n", 8);
	auto_fd int empty = make_file("", 0);

	(void)state;
	assert_int_equal(tail_find_lines(fd, 0), 13);
	assert_int_equal(tail_find_lines(fd, 1), 9);
	assert_int_equal(tail_find_lines(fd, 2), 8);
	assert_int_equal(tail_find_lines(fd, 3), 4);
	assert_int_equal(tail_find_lines(fd, 9), 0);
	assert_int_equal(tail_find_lines(ended, 1), 4);
	assert_int_equal(tail_find_lines(ended, 2), 0);
	assert_int_equal(tail_find_lines(empty, 3), 0);
}

/* Lines across the blocks in which the file is read from its end. */
static void test_long_tail(void **state)
{
	enum { LINES = 30000, LEN = 7 };
	auto_free char *text = malloc(LINES * LEN + 1);
	auto_fd int fd = -1;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < LINES; i++)
		snprintf(text + (ptrdiff_t)i * LEN, LEN + 1, "%06u\n", (unsigned)i % 1000000);
	fd = make_file(text, (size_t)LINES * LEN);
	for (unsigned long lines = 1; lines <= LINES; lines += 577)
		assert_int_equal(tail_find_lines(fd, lines), ((long)LINES - (long)lines) * LEN);
}

static void test_lines(void **state)
{
	auto_fd int fd = make_file("skip\none\n\nhalf", 14);
	struct lines lines = { .fd = -1 };
	char *line;

	(void)state;
	lines_begin(&lines, fd, 5);
	assert_true(lines_next(&lines, &line));
	assert_string_equal(line, "one");
	assert_int_equal(lines.offset, 9);
	assert_true(lines_next(&lines, &line));
	assert_string_equal(line, "");
	assert_false(lines_next(&lines, &line));
	assert_int_equal(pwrite(fd, " whole\nx", 8, 14), 8);
	assert_true(lines_next(&lines, &line));
	assert_string_equal(line, "half whole");
	assert_int_equal(lines.offset, 21);
	assert_false(lines_next(&lines, &line));
	text_free(&lines.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),   cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_no_json),   cmocka_unit_test(test_times),
		cmocka_unit_test(test_durations), cmocka_unit_test(test_tail),
		cmocka_unit_test(test_long_tail), cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
