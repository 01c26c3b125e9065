/* Times as text, there and back. */
#include "tests/test.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

#define S INT64_C(1000000000)
#define UNTOUCHED 4711

static void test_render(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ 0, "0001-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ -1, "1969-12-31T23:59:59.999999999Z" },
		{ INT64_C(1767323045123456789), "2026-01-02T03:04:05.123456789Z" },
		{ INT64_C(951782400) * S, "2000-02-29T00:00:00.000000000Z" },
		{ INT64_C(4107542399) * S, "2100-02-28T23:59:59.000000000Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
		{ INT64_MIN + 1, "1677-09-21T00:12:43.145224193Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[CLOCK_TEXT_SIZE];

		clock_render(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} cases[] = {
		{ "0001-01-01T00:00:00Z", 0 },
		{ "0001-01-01T00:00:00.000Z", 0 },
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2026-01-02T03:04:05.123456789Z", INT64_C(1767323045123456789) },
		{ "2026-01-02t03:04:05.123456789z", INT64_C(1767323045123456789) },
		{ "2026-01-02 03:04:05.5Z", INT64_C(1767323045500000000) },
		{ "2026-01-02T04:34:05+01:30", INT64_C(1767323045) * S },
		{ "2026-01-01T22:04:05-05:00", INT64_C(1767323045) * S },
		{ "2024-02-29T00:00:00Z", INT64_C(1709164800) * S },
		{ "2016-12-31T23:59:60Z", INT64_C(1483228800) * S },
		{ "1969-12-31T23:59:59.999999999Z", -1 },
		{ "2262-04-11T23:47:16.854775807Z", INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int64_t got = UNTOUCHED;

		assert_int_equal(clock_parse(cases[i].text, &got), 0);
		assert_true(got == cases[i].ns);
	}
}

static void test_parse_bad(void **state)
{
	static const char *const cases[] = {
		"",
		"now",
		"2026-01-02",
		"2026-01-02T03:04:05",
		"2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05.1234567890Z",
		"2026-01-02T03:04:05ZZ",
		"2026-01-02T03:04:05Z ",
		" 2026-01-02T03:04:05Z",
		"2026-1-2T03:04:05Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:61Z",
		"2026-01-01T00:00:00+0100",
		"2026-01-01T00:00:00+24:00",
		"2026-01-01T00:00:00+01:60",
		"2026-01-01T00:00:00+01",
		"+026-01-01T00:00:00Z",
		"2262-04-11T23:47:16.854775808Z",
		"9999-01-01T00:00:00Z",
		"0001-01-01T00:00:01Z",
		"0000-01-01T00:00:00Z",
	};
	int64_t got = UNTOUCHED;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(clock_parse(cases[i], &got), -EINVAL);
	assert_true(got == UNTOUCHED);
}

/* A prime step, about 400,000 times from 1677 to 2262. */
static void test_round_trip(void **state)
{
	(void)state;
	for (int64_t ns = INT64_C(-9220000000000000000); ns < INT64_C(9220000000000000000);
	     ns += INT64_C(46116860184273)) {
		char text[CLOCK_TEXT_SIZE];
		int64_t got = UNTOUCHED;

		clock_render(ns, text);
		if (clock_parse(text, &got) != 0 || got != ns)
			fail_msg("%s does not come back", text);
	}
}

static void test_duration(void **state)
{
	const int64_t m = 60 * S, h = 3600 * S, d = 24 * h;
	const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{ -5 * S, "Less than a second" },
		{ 0, "Less than a second" },
		{ S - 1, "Less than a second" },
		{ S, "1 second" },
		{ 5 * S, "5 seconds" },
		{ 59 * S, "59 seconds" },
		{ 60 * S, "About a minute" },
		{ 2 * m - 1, "About a minute" },
		{ 2 * m, "2 minutes" },
		{ 59 * m + 59 * S, "59 minutes" },
		{ h, "About an hour" },
		{ 89 * m, "About an hour" },
		{ 90 * m, "2 hours" },
		{ 3 * h, "3 hours" },
		{ 47 * h, "47 hours" },
		{ 48 * h, "2 days" },
		{ 13 * d, "13 days" },
		{ 14 * d, "2 weeks" },
		{ 59 * d, "8 weeks" },
		{ 60 * d, "2 months" },
		{ 729 * d, "24 months" },
		{ 730 * d, "2 years" },
		{ INT64_MAX, "292 years" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[32];

		clock_render_duration(cases[i].ns, text);
		assert_string_equal(text, cases[i].text);
	}
}

static void test_now(void **state)
{
	int64_t now = clock_now_ns(), first = clock_monotonic_ns();
	int64_t seconds = time(NULL);

	(void)state;
	assert_in_range(seconds - now / S, 0, 5);
	assert_true(clock_monotonic_ns() >= first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_render),    cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_bad), cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_duration),  cmocka_unit_test(test_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
