/* Words quoted for the mount, and a mount point's path taken apart. */
#include "tools/cfs/cfs.h"

#include "tests/test.h"

static void check_word(const char *word, const char *want)
{
	struct text t = { .data = NULL };

	text_append_word(&t, word);
	assert_string_equal(t.data, want);
	text_free(&t);
}

static void test_plain_words_stay(void **state)
{
	(void)state;
	check_word("busybox:latest", "busybox:latest");
	check_word("--name=a_b-c.d/e@f%g+h,i", "--name=a_b-c.d/e@f%g+h,i");
}

static void test_others_are_quoted(void **state)
{
	(void)state;
	check_word("", "''");
	check_word("a b", "'a b'");
	check_word("$HOME", "'$HOME'");
	check_word("#no comment", "'#no comment'");
	check_word("~", "'~'");
	check_word("a\nb", "'a\nb'");
	check_word("back\\slash", "'back\\slash'");
	check_word("caf\xc3\xa9", "'caf\xc3\xa9'");
}

static void test_quotes_within(void **state)
{
	(void)state;
	check_word("'", "''\\'''");
	check_word("it's", "'it'\\''s'");
	check_word("''", "''\\'''\\'''");
}

static void test_words_are_joined_by_blanks(void **state)
{
	struct text t = { .data = NULL };

	(void)state;
	text_append_word(&t, "run");
	text_append_word(&t, "");
	text_append_word(&t, "x y");
	assert_string_equal(t.data, "run '' 'x y'");
	text_free(&t);
}

static void test_long_words_grow(void **state)
{
	struct text t = { .data = NULL };
	char quote[2] = "'";

	(void)state;
	for (int i = 0; i < 10000; i++)
		text_append(&t, quote, 1);
	struct text quoted = { .data = NULL };
	text_append_word(&quoted, t.data);
	assert_int_equal(quoted.len, 40002);
	text_free(&quoted);
	text_free(&t);
}

static void check_unescape(const char *escaped, const char *want)
{
	char path[64];

	snprintf(path, sizeof(path), "%s", escaped);
	mount_unescape(path);
	assert_string_equal(path, want);
}

static void test_unescape(void **state)
{
	(void)state;
	check_unescape("/cf", "/cf");
	check_unescape("/my\\040mount", "/my mount");
	check_unescape("\\011\\012\\134x", "\t\n\\x");
	check_unescape("/a\\04", "/a\\04");
	check_unescape("/a\\", "/a\\");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_words_stay),
		cmocka_unit_test(test_others_are_quoted),
		cmocka_unit_test(test_quotes_within),
		cmocka_unit_test(test_words_are_joined_by_blanks),
		cmocka_unit_test(test_long_words_grow),
		cmocka_unit_test(test_unescape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
