/* Ranges and the addresses in them. */
#include "net/pool.h"
#include "net/subnet.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <string.h>

static void test_parse(void **state)
{
	static const char *const bad[] = { "",
					   "10.0.0.0",
					   "10.0.0.0/",
					   "10.0.0.0/7",
					   "10.0.0.0/30",
					   "10.0.0/8",
					   "10.0.0.0/16x",
					   "a.b.c.d/16",
					   "1.2.3.4.5.6.7.8.9.10/16",
					   "fd00::/64",
					   "10.0.255.255/16" };
	struct subnet subnet;
	struct error err = ERROR_INIT;
	uint32_t address;

	(void)state;
	assert_ok(subnet_parse("172.20.0.0/16", &subnet, &address, &err), &err);
	assert_int_equal(subnet.base, (172U << 24) | (20U << 16));
	assert_int_equal(address, 0);
	assert_ok(subnet_parse("172.20.3.1/20", &subnet, &address, &err), &err);
	assert_int_equal(subnet.base, (172U << 24) | (20U << 16));
	assert_int_equal(address, (172U << 24) | (20U << 16) | (3U << 8) | 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error why = ERROR_INIT;

		assert_int_equal(subnet_parse(bad[i], &subnet, &address, &why), -EINVAL);
		assert_true(*why.msg);
	}
}

static void test_choose(void **state)
{
	struct subnet taken[17] = { { (172U << 24) | (17U << 16) | (9U << 8), 24 } }, got;
	struct subnet everything = { 128U << 24, 1 };
	size_t count;

	(void)state;
	assert_true(subnet_choose(taken, 0, &got));
	assert_int_equal(got.base, (172U << 24) | (17U << 16));
	assert_true(subnet_choose(taken, 1, &got));
	assert_int_equal(got.base, (172U << 24) | (18U << 16));
	for (count = 0; count < 15; count++)
		taken[count] =
			(struct subnet){ (172U << 24) | ((17U + (uint32_t)count) << 16), 16 };
	assert_true(subnet_choose(taken, count, &got));
	assert_int_equal(got.base, (192U << 24) | (168U << 16));
	assert_int_equal(got.prefix_len, 20);
	assert_false(subnet_choose(&everything, 1, &got));
}

static void test_pool(void **state)
{
	struct subnet subnet = { 10U << 24, 29 }; /* .1 to .6 */
	struct pool *pool AUTO(pool_free) = pool_new(&subnet, subnet.base + 1);

	(void)state;
	assert_non_null(pool);
	for (uint32_t i = 2; i <= 6; i++)
		assert_int_equal(pool_take(pool), subnet.base + i);
	assert_int_equal(pool_take(pool), 0);
	pool_give(pool, subnet.base + 3);
	pool_give(pool, subnet.base + 1); /* the gateway's */
	pool_give(pool, subnet.base);
	pool_give(pool, 1);
	assert_int_equal(pool_take(pool), subnet.base + 3);
	assert_int_equal(pool_take(pool), 0);
	pool_give(pool, subnet.base + 3);
	pool_give(pool, subnet.base + 2);
	assert_false(pool_take_this(pool, subnet.base + 7));
	assert_true(pool_take_this(pool, subnet.base + 2));
	assert_false(pool_take_this(pool, subnet.base + 2));
	assert_int_equal(pool_take(pool), subnet.base + 3);
}

static void test_ula(void **state)
{
	struct in6_addr address = subnet_make_ula(0x0123456789abcdef);
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_string_equal(inet_ntop(AF_INET6, &address, text, sizeof(text)),
			    "fdef:cdab:8967:4523::");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_ula),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
