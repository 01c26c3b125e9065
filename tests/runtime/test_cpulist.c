/* Lists of processors: what is one, and what is part of another. */
#include "tests/test.h"

#include "runtime/cgroup/cpulist.h"

#include <string.h>

static void test_lists(void **state)
{
	static const char *const bad[] = { ",",    "0,",   ",0",     "1-",    "-1",
					   "2-1",  "a",    "0 1",    " 0",    "0\n",
					   "0--1", "8192", "0-8192", "0-1-2", "0-3:1/2" };
	struct cpulist list = { .bits = { 77 } };
	char longest[CPULIST_TEXT_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cpulist_parse(bad[i], &list), -EINVAL);
	assert_int_equal(list.bits[0], 77);
	assert_int_equal(cpulist_parse("0-2,5,63-64", &list), 0);
	assert_true(list.bits[0] == (UINT64_C(1) << 63 | 0x27) && list.bits[1] == 1);
	assert_int_equal(cpulist_parse("8191", &list), 0);
	assert_true(list.bits[0] == 0 && list.bits[127] == UINT64_C(1) << 63);
	assert_int_equal(cpulist_parse("", &list), 0);
	assert_true(list.bits[127] == 0);
	memset(longest, '1', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(cpulist_parse(longest, &list), -EINVAL);
}

static void test_includes(void **state)
{
	struct cpulist whole, part;

	(void)state;
	assert_int_equal(cpulist_parse("0-3,100", &whole), 0);
	assert_int_equal(cpulist_parse("1,3,100", &part), 0);
	assert_true(cpulist_includes(&whole, &part));
	assert_false(cpulist_includes(&part, &whole));
	assert_int_equal(cpulist_parse("4", &part), 0);
	assert_false(cpulist_includes(&whole, &part));
	assert_int_equal(cpulist_parse("", &part), 0);
	assert_true(cpulist_includes(&whole, &part));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_includes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
