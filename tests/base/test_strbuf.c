/* The growing buffer: content, escapes, and what is left of it without memory. */
#include "tests/test.h"

#include "base/strbuf.h"
#include "tests/alloc_sweep.h"

#include <stdlib.h>
#include <string.h>

static void test_append(void **state)
{
	AUTO(strbuf_deinit) struct strbuf sb = STRBUF_INIT;

	(void)state;
	assert_string_equal(strbuf_get_str(&sb), "");
	strbuf_append_str(&sb, "one");
	strbuf_append_char(&sb, ' ');
	strbuf_append(&sb, "t\0o", 3);
	strbuf_appendf(&sb, " %d%s", 3, "!");
	strbuf_append(&sb, NULL, 0);
	assert_int_equal(sb.len, 10);
	assert_memory_equal(sb.data, "one t\0o 3!", 11);
	assert_true(sb.len < sb.cap);

	strbuf_truncate(&sb, 3);
	assert_string_equal(strbuf_get_str(&sb), "one");
	strbuf_truncate(&sb, 30);
	assert_int_equal(sb.len, 3);
	strbuf_reset(&sb);
	assert_string_equal(strbuf_get_str(&sb), "");
	assert_int_equal(sb.len, 0);
}

/* Each length around the growing steps, by both ways in. */
static void test_grow(void **state)
{
	(void)state;
	for (size_t len = 0; len < 300; len++) {
		AUTO(strbuf_deinit) struct strbuf one = STRBUF_INIT;
		AUTO(strbuf_deinit) struct strbuf two = STRBUF_INIT;

		for (size_t i = 0; i < len; i++)
			strbuf_append_char(&one, (char)('a' + i % 26));
		strbuf_appendf(&two, "%s", strbuf_get_str(&one));
		assert_int_equal(one.len, len);
		assert_int_equal(two.len, len);
		assert_string_equal(strbuf_get_str(&one), strbuf_get_str(&two));
		assert_int_equal(strlen(strbuf_get_str(&two)), len);
	}
}

static void test_steal(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	char *text;

	(void)state;
	text = strbuf_steal(&sb);
	assert_string_equal(text, "");
	free(text);
	strbuf_append_str(&sb, "mine");
	text = strbuf_steal(&sb);
	assert_string_equal(text, "mine");
	assert_null(sb.data);
	assert_int_equal(sb.len, 0);
	free(text);
}

static void test_escaped(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "", "" },
		{ "plain ~text", "plain ~text" },
		{ "a\nb\tc\\d", "a\\nb\\tc\\\\d" },
		{ "\x01\x1f\x7f\r\x1b[0m", "\\x01\\x1f\\x7f\\x0d\\x1b[0m" },
		{ "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80" },
		/* alone, cut off, overlong, surrogate, too large, C1 */
		{ "\x80z", "\\x80z" },
		{ "\xc3", "\\xc3" },
		{ "\xe2\x82", "\\xe2\\x82" },
		{ "\xe2(\xa1", "\\xe2(\\xa1" },
		{ "\xc0\xaf", "\\xc0\\xaf" },
		{ "\xe0\x80\xaf", "\\xe0\\x80\\xaf" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
		{ "\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf" },
		{ "\xff\xfe", "\\xff\\xfe" },
		{ "\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf sb = STRBUF_INIT;

		strbuf_append_escaped(&sb, cases[i].in, strlen(cases[i].in));
		assert_string_equal(strbuf_get_str(&sb), cases[i].out);
	}
}

static void test_escaped_nul(void **state)
{
	AUTO(strbuf_deinit) struct strbuf sb = STRBUF_INIT;

	(void)state;
	strbuf_append_escaped(&sb, "a\0b", 3);
	assert_string_equal(strbuf_get_str(&sb), "a\\x00b");
}

/* Too large to be asked of the allocator at all. */
static void test_too_large(void **state)
{
	AUTO(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	strbuf_append_str(&sb, "kept");
	assert_ok(strbuf_check(&sb, &err), &err);
	assert_false(strbuf_reserve(&sb, SIZE_MAX));
	assert_true(sb.oom);
	strbuf_append_str(&sb, "lost");
	strbuf_appendf(&sb, "%s", "lost");
	assert_string_equal(strbuf_get_str(&sb), "kept");
	assert_error(strbuf_check(&sb, &err), &err, ENOMEM, "out of memory");
	strbuf_reset(&sb);
	strbuf_append_str(&sb, "again");
	assert_string_equal(strbuf_get_str(&sb), "again");
}

static int attempt_all(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf sb = STRBUF_INIT;
	auto_free char *text = NULL;
	int r;

	(void)arg;
	for (int i = 0; i < 100; i++) {
		strbuf_append_str(&sb, "some text ");
		strbuf_appendf(&sb, "%d %s", i,
			       "formatted and longer than the buffer's first size");
		strbuf_append_escaped(&sb, "\x01\n", 2);
	}
	assert_int_equal(strlen(strbuf_get_str(&sb)), sb.len);
	r = strbuf_check(&sb, NULL);
	text = strbuf_steal(&sb);
	assert_int_equal(text == NULL, r < 0);
	return r;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt_all, NULL) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_append),      cmocka_unit_test(test_grow),
		cmocka_unit_test(test_steal),       cmocka_unit_test(test_escaped),
		cmocka_unit_test(test_escaped_nul), cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
