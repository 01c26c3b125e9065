/* A table that cannot grow: what was in it stays, and the new one is not. */
#include "base/hash.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <errno.h>
#include <stdlib.h>

#define COUNT 2000

struct item {
	unsigned number;
	UT_hash_handle hh;
};

static unsigned count_found(struct item *table)
{
	unsigned found = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		struct item *item = NULL;

		HASH_FIND(hh, table, &i, sizeof(i), item);
		found += item != NULL;
	}
	return found;
}

/* All of them go in, or as many as are counted. */
static int fill(void *arg)
{
	struct item *items = arg, *table = NULL, *item, *next;
	unsigned taken = 0;
	int ret = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		items[i] = (struct item){ .number = i };
		HASH_ADD(hh, table, number, sizeof(items[i].number), &items[i]);
		if (hash_took(&items[i]))
			taken++;
		else
			ret = -ENOMEM;
	}
	assert_int_equal(count_found(table), taken);
	assert_int_equal(HASH_COUNT(table), taken);
	assert_true(ret < 0 || taken == COUNT);
	HASH_ITER(hh, table, item, next)
		HASH_DEL(table, item);
	assert_null(table);
	return ret;
}

static void test_no_memory(void **state)
{
	struct item *items = calloc(COUNT, sizeof(*items));

	(void)state;
	assert_non_null(items);
	/* The table, its first buckets, and each time that they double. */
	assert_true(alloc_sweep(fill, items) > 3);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_no_memory) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
