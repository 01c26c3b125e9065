/* Subordinate ids: what the files say, and what of it is free. */
#include "runtime/security/subid.h"
#include "tests/test.h"

#include <string.h>

static size_t parse(const char *text, struct subid_range *ret)
{
	return subid_parse(text, strlen(text), ret);
}

static void test_lines(void **state)
{
	struct subid_range got[SUBID_ENTRIES_MAX];

	(void)state;
	assert_int_equal(parse("", got), 0);
	assert_int_equal(parse("alice:100000:65536\nrootless:1:2\n", got), 0);
	assert_int_equal(parse("alice:100000:65536\nroot:200000:65536\ncontainers:300000:10\n"
			       "0:400000:20",
			       got),
			 3);
	assert_int_equal(got[0].first, 200000);
	assert_int_equal(got[0].count, 65536);
	assert_int_equal(got[1].first, 300000);
	assert_int_equal(got[1].count, 10);
	assert_int_equal(got[2].first, 400000);
	assert_int_equal(got[2].count, 20);
}

static void test_nonsense(void **state)
{
	static const char *const lines[] = {
		"root",
		"root:",
		"root:1",
		"root:1:",
		"root:1:0",
		"root:x:5",
		"root:5:x",
		"root:-1:5",
		"root:1:2:3",
		"root: 1:2",
		"root:4294967295:1",
		"root:4294967000:1000",
		"root:0:1",
		" root:1:2",
		"root:99999999999999999999:1",
	};
	struct subid_range got[SUBID_ENTRIES_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(parse(lines[i], got), 0);
	assert_int_equal(subid_parse("root:1:2\0\n", 10, got), 0);
	/* The host's root is nobody else's. */
	assert_int_equal(parse("root:0:65536", got), 1);
	assert_int_equal(got[0].first, 1);
	assert_int_equal(got[0].count, 65535);
	assert_int_equal(parse("root:4294901759:65536", got), 1);
}

static void test_many_lines(void **state)
{
	struct subid_range got[SUBID_ENTRIES_MAX];
	char text[20 * (SUBID_ENTRIES_MAX + 5)];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < SUBID_ENTRIES_MAX + 5; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "root:%d:1\n", 100 + i);
	assert_int_equal(subid_parse(text, len, got), SUBID_ENTRIES_MAX);
}

static void test_pick(void **state)
{
	static const struct subid_range given[] = { { 1000, 10 }, { 2000, 30 } };
	/* In no order, one over the edge, one of another's. */
	static const struct subid_range used[] = { { 2010, 10 }, { 1995, 8 }, { 5000, 10 } };
	uint32_t first = 7;

	(void)state;
	assert_false(subid_pick(NULL, 0, NULL, 0, 10, &first));
	assert_int_equal(first, 7);
	assert_true(subid_pick(given, 2, NULL, 0, 10, &first));
	assert_int_equal(first, 1000);
	assert_true(subid_pick(given, 2, NULL, 0, 11, &first));
	assert_int_equal(first, 2000);
	assert_false(subid_pick(given, 2, NULL, 0, 31, &first));
	assert_true(subid_pick(given + 1, 1, used, 3, 7, &first));
	assert_int_equal(first, 2003);
	assert_true(subid_pick(given + 1, 1, used, 3, 8, &first));
	assert_int_equal(first, 2020);
	assert_false(subid_pick(given + 1, 1, used, 3, 11, &first));
	assert_int_equal(first, 2020);
}

/* One after the other until there are none, then the one that was given back. */
static void test_pick_all(void **state)
{
	static const struct subid_range given[] = { { 4294901759U - 3 * 65536U, 4 * 65536U } };
	struct subid_range used[4];
	uint32_t first;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(subid_pick(given, 1, used, i, 65536, &first));
		assert_int_equal(first, given[0].first + i * 65536);
		used[i] = (struct subid_range){ first, 65536 };
	}
	assert_false(subid_pick(given, 1, used, 4, 65536, &first));
	first = used[1].first;
	used[1] = used[3];
	assert_true(subid_pick(given, 1, used, 3, 65536, &used[3].first));
	assert_int_equal(used[3].first, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),      cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_many_lines), cmocka_unit_test(test_pick),
		cmocka_unit_test(test_pick_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
