/* Identifiers are 64 digits and differ. */
#include "tests/test.h"

#include "base/num.h"
#include "base/random.h"

#include <string.h>

static void test_id(void **state)
{
	char ids[100][65];

	(void)state;
	memset(ids, 'x', sizeof(ids));
	for (size_t i = 0; i < 100; i++) {
		random_id(ids[i]);
		assert_true(num_is_hex(ids[i], 64));
		for (size_t k = 0; k < i; k++)
			assert_memory_not_equal(ids[i], ids[k], 12);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_id) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
