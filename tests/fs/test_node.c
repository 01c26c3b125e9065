/* Node numbers name the same thing in every engine. */
#include "tests/test.h"

#include "fs/node.h"

#include <string.h>

static void root_is_what_fuse_says(void **state)
{
	(void)state;
	assert_int_equal(node_make(NODE_ROOT, 0, 0), 1);
	assert_int_equal(node_get_kind(1), NODE_ROOT);
	assert_int_equal(node_get_key(1), 0);
}

static void parts_come_back(void **state)
{
	const uint64_t key = (UINT64_C(1) << NODE_KEY_BITS) - 1;
	uint64_t node = node_make(NODE_C_CTL, key, NODE_SERIAL_MAX);

	(void)state;
	assert_int_equal(node_get_kind(node), NODE_C_CTL);
	assert_true(node_get_key(node) == key);
}

static void inode_is_the_same_for_every_lookup(void **state)
{
	(void)state;
	assert_true(node_make(NODE_C_CTL, 5, 1) != node_make(NODE_C_CTL, 5, 2));
	assert_true(node_get_ino(node_make(NODE_C_CTL, 5, 1)) ==
		    node_get_ino(node_make(NODE_C_CTL, 5, 2)));
	assert_true(node_get_ino(node_make(NODE_C_CTL, 5, 1)) !=
		    node_get_ino(node_make(NODE_C_WAIT, 5, 1)));
}

static void unknown_kind_is_none(void **state)
{
	(void)state;
	assert_int_equal(node_get_kind(0), NODE_NONE);
	assert_int_equal(node_get_kind(0xff), NODE_NONE);
	assert_int_equal(node_get_kind(NODE_KIND_COUNT), NODE_NONE);
}

static void ids_give_36_bits(void **state)
{
	(void)state;
	assert_true(node_key_of_id("0123456789abcdef") == 0x012345678U);
	assert_true(node_key_of_id("fffffffff000") == (UINT64_C(1) << NODE_KEY_BITS) - 1);
	assert_true(node_key_of_id("not an id") == 0);
}

static void names_hash_apart(void **state)
{
	(void)state;
	assert_true(node_hash_name("a:1") == node_hash_name("a:1"));
	assert_true(node_hash_name("a:1") != node_hash_name("a:2"));
	assert_true(node_hash_name("") >> NODE_KEY_BITS == 0);
	assert_true(node_hash_name("localhost:5000/team/app:1") >> NODE_KEY_BITS == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_is_what_fuse_says),
		cmocka_unit_test(parts_come_back),
		cmocka_unit_test(inode_is_the_same_for_every_lookup),
		cmocka_unit_test(unknown_kind_is_none),
		cmocka_unit_test(ids_give_36_bits),
		cmocka_unit_test(names_hash_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
