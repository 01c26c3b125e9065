/* Strict numbers: what is taken, what is refused and how. */
#include "tests/test.h"

#include "base/num.h"

#define UNTOUCHED 4711

static void check_u64(const char *text, uint64_t min, uint64_t max, int want, uint64_t value)
{
	uint64_t got = UNTOUCHED;
	int r = num_parse_u64(text, min, max, &got);

	if (r != want || got != (want < 0 ? UNTOUCHED : value))
		print_error("\"%s\": result %d, value %llu\n", text, r, (unsigned long long)got);
	assert_int_equal(r, want);
	assert_int_equal(got, want < 0 ? UNTOUCHED : value);
}

static void test_u64(void **state)
{
	static const char *const bad[] = {
		"",        " ",   "1 ",  " 1", "+1",  "-1", "0x1",
		"1e3",     "1.5", "abc", "1a", "1\n", "-",  "99999999999999999999x",
		"\xd9\xa1"
	};

	(void)state;
	check_u64("0", 0, UINT64_MAX, 0, 0);
	check_u64("007", 0, UINT64_MAX, 0, 7);
	check_u64("18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX);
	check_u64("00000000000000000000000000000001", 0, UINT64_MAX, 0, 1);
	check_u64("18446744073709551616", 0, UINT64_MAX, -ERANGE, 0);
	check_u64("99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0);
	check_u64("5", 5, 5, 0, 5);
	check_u64("4", 5, 9, -ERANGE, 0);
	check_u64("10", 5, 9, -ERANGE, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_u64(bad[i], 0, UINT64_MAX, -EINVAL, 0);
}

static void check_i64(const char *text, int64_t min, int64_t max, int want, int64_t value)
{
	int64_t got = UNTOUCHED;
	int r = num_parse_i64(text, min, max, &got);

	if (r != want || got != (want < 0 ? UNTOUCHED : value))
		print_error("\"%s\": result %d, value %lld\n", text, r, (long long)got);
	assert_int_equal(r, want);
	assert_true(got == (want < 0 ? UNTOUCHED : value));
}

static void test_i64(void **state)
{
	(void)state;
	check_i64("0", INT64_MIN, INT64_MAX, 0, 0);
	check_i64("-0", INT64_MIN, INT64_MAX, 0, 0);
	check_i64("-17", INT64_MIN, INT64_MAX, 0, -17);
	check_i64("9223372036854775807", INT64_MIN, INT64_MAX, 0, INT64_MAX);
	check_i64("-9223372036854775808", INT64_MIN, INT64_MAX, 0, INT64_MIN);
	check_i64("9223372036854775808", INT64_MIN, INT64_MAX, -ERANGE, 0);
	check_i64("-9223372036854775809", INT64_MIN, INT64_MAX, -ERANGE, 0);
	check_i64("-1", 0, 10, -ERANGE, 0);
	check_i64("11", 0, 10, -ERANGE, 0);
	check_i64("", 0, 10, -EINVAL, 0);
	check_i64("-", -5, 10, -EINVAL, 0);
	check_i64("--1", -5, 10, -EINVAL, 0);
	check_i64("- 1", -5, 10, -EINVAL, 0);
	check_i64("+1", -5, 10, -EINVAL, 0);
}

static void test_base(void **state)
{
	uint64_t got = UNTOUCHED;

	(void)state;
	assert_int_equal(num_parse_base("0755", 8, 07777, &got), 0);
	assert_int_equal(got, 0755);
	assert_int_equal(num_parse_base("fFff", 16, 0xffff, &got), 0);
	assert_int_equal(got, 0xffff);
	assert_int_equal(num_parse_base("ffffffffffffffff", 16, UINT64_MAX, &got), 0);
	assert_int_equal(got, UINT64_MAX);
	got = UNTOUCHED;
	assert_int_equal(num_parse_base("10000000000000000", 16, UINT64_MAX, &got), -ERANGE);
	assert_int_equal(num_parse_base("10000", 8, 07777, &got), -ERANGE);
	assert_int_equal(num_parse_base("8", 8, 07777, &got), -EINVAL);
	assert_int_equal(num_parse_base("0x1f", 16, 0xffff, &got), -EINVAL);
	assert_int_equal(num_parse_base("fg", 16, 0xffff, &got), -EINVAL);
	assert_int_equal(num_parse_base("", 16, 0xffff, &got), -EINVAL);
	assert_int_equal(got, UNTOUCHED);
}

static void test_size(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {
		{ "0", 0 },
		{ "512", 512 },
		{ "512b", 512 },
		{ "1B", 1 },
		{ "1k", 1024 },
		{ "64KiB", 65536 },
		{ "64kb", 65536 },
		{ "512m", 536870912 },
		{ "512M", 536870912 },
		{ "1.5g", 1610612736 },
		{ "1.5GiB", 1610612736 },
		{ "0.1k", 102 },
		{ "2t", UINT64_C(2199023255552) },
		{ "0.999999999t", UINT64_C(1099511626676) },
		{ "1.9999999999999999999999", 1 },
		{ "9223372036854775807", INT64_MAX },
		{ "8388607t", UINT64_C(8388607) << 40 },
	};
	static const char *const bad[] = { "",      "m",    "1.",   ".5",  "-1",  "1 m",   "1x",
					   "1mm",   "1mi",  "1mbb", "1bb", "1bi", "1bib",  "1kibb",
					   "1..5k", "0x10", "1m ",  "1e3", "inf", "1\xcbk" };
	static const char *const large[] = { "9223372036854775808", "8388608t",
					     "99999999999999999999", "99999999999999999999k" };
	uint64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		got = UNTOUCHED;
		assert_int_equal(num_parse_size(good[i].text, &got), 0);
		assert_int_equal(got, good[i].bytes);
	}
	got = UNTOUCHED;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(num_parse_size(bad[i], &got), -EINVAL);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(num_parse_size(large[i], &got), -ERANGE);
	assert_int_equal(num_parse_size("99999999999999999999z", &got), -EINVAL);
	assert_int_equal(got, UNTOUCHED);
}

static void test_duration(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "0", 0 },
		{ "10", INT64_C(10000000000) },
		{ "1.5", INT64_C(1500000000) },
		{ "10s", INT64_C(10000000000) },
		{ "1.5s", INT64_C(1500000000) },
		{ "200ms", 200000000 },
		{ "3us", 3000 },
		{ "3\xc2\xb5s", 3000 },
		{ "3\xce\xbcs", 3000 },
		{ "7ns", 7 },
		{ "1m", INT64_C(60000000000) },
		{ "1h30m", INT64_C(5400000000000) },
		{ "1h1m1s1ms1us1ns", INT64_C(3661001001001) },
		{ "0.25h", INT64_C(900000000000) },
		{ "9223372036854775807ns", INT64_MAX },
	};
	static const char *const bad[] = { "",     "s",   "-1s", "+1s", "1d", "1 s", "1s ",
					   "1h30", "1.s", ".5s", "1sm", "1S", "1ss", "\xc2\xb5s" };
	static const char *const large[] = { "9223372036854775808ns", "2562048h",
					     "9223372036s9223372036s", "99999999999999999999s" };
	int64_t got;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		got = UNTOUCHED;
		assert_int_equal(num_parse_duration(good[i].text, &got), 0);
		assert_true(got == good[i].ns);
	}
	got = UNTOUCHED;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(num_parse_duration(bad[i], &got), -EINVAL);
	for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++)
		assert_int_equal(num_parse_duration(large[i], &got), -ERANGE);
	assert_int_equal(num_parse_duration("99999999999999999999s1", &got), -EINVAL);
	assert_true(got == UNTOUCHED);
}

static void test_hex(void **state)
{
	(void)state;
	assert_true(num_is_hex("0123456789ab", 12));
	assert_true(num_is_hex("", 0));
	assert_false(num_is_hex("0123456789ab", 11));
	assert_false(num_is_hex("0123456789a", 12));
	assert_false(num_is_hex("0123456789aB", 12));
	assert_false(num_is_hex("0123456789ag", 12));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_u64),      cmocka_unit_test(test_i64),
		cmocka_unit_test(test_base),     cmocka_unit_test(test_size),
		cmocka_unit_test(test_duration), cmocka_unit_test(test_hex),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
