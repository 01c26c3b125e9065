/* Rules for devices: what is one, and how version 1 is told. */
#include "tests/test.h"

#include "runtime/security/device_rule.h"

#include <string.h>

static void test_access(void **state)
{
	(void)state;
	assert_int_equal(device_access_parse("rwm"), 7);
	assert_int_equal(device_access_parse("mr"), DEVICE_MKNOD | DEVICE_READ);
	assert_int_equal(device_access_parse("w"), DEVICE_WRITE);
	assert_int_equal(device_access_parse(""), 0);
	assert_int_equal(device_access_parse("rr"), 0);
	assert_int_equal(device_access_parse("x"), 0);
	assert_int_equal(device_access_parse("rw "), 0);
}

static void test_rules(void **state)
{
	static const char *const good[] = { "c 1:3 rwm", "b *:* r", "a 10:* rw",
					    "c 4095:1048575 m" };
	static const char *const bad[] = { "",         "c",         "c 1:3",      "c 1:3 ",
					   "d 1:3 r",  "c 1 r",     "c 4096:1 r", "c 1:1048576 r",
					   "c  1:3 r", "c 1:3 rx",  "c -1:3 r",   "c :3 r",
					   "c 1:3 r ", "c 1:3 r\n", "c **:3 r" };
	struct device_rule rule = { .type = 'x' };
	char line[DEVICE_RULE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(device_rule_parse(bad[i], &rule), -EINVAL);
	assert_int_equal(rule.type, 'x');
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(device_rule_parse(good[i], &rule), 0);
		device_rule_render(&rule, rule.type, line);
		assert_string_equal(line, good[i]);
	}
	assert_int_equal(device_rule_parse("a *:5 mw", &rule), 0);
	assert_int_equal(rule.major, -1);
	assert_int_equal(rule.minor, 5);
	device_rule_render(&rule, 'b', line);
	assert_string_equal(line, "b *:5 wm");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
