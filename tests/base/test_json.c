/* The JSON adapter: sentences for bad texts, the merge patch, files, and no
 * memory at every place. */
#include "tests/test.h"

#include "base/json.h"
#include "base/path.h"
#include "tests/alloc_sweep.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static json_t *parse(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *value = NULL;

	assert_ok(json_parse_text(text, strlen(text), &value, &err), &err);
	assert_non_null(value);
	return value;
}

static void check_text(const json_t *value, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(json_render(value, 0, &text, &err), &err);
	assert_string_equal(strbuf_get_str(&text), want);
}

static void test_parse(void **state)
{
	static const char *const texts[] = {
		"{\"z\":1,\"a\":[true,null,-5,\"\xc3\xa4\"]}", "\"text\"", "17", "null", "[]", "{}"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		auto_json json_t *value = parse(texts[i]);

		check_text(value, texts[i]);
	}
}

static void test_parse_bad(void **state)
{
	static const struct {
		const char *text;
		const char *msg;
	} cases[] = {
		{ "", "line 1: unexpected token near end of file" },
		{ "{\n\"a\": 1,\n}", "line 3: string or '}' expected near '}'" },
		{ "{\"a\":1,\"a\":2}", "line 1: duplicate object key near '\"a\"'" },
		{ "{\"a\":\n1} x", "line 2: end of file expected near 'x'" },
		{ "[1,", "line 1: ']' expected near end of file" },
		{ "\"a\nb\"", "line 1: unexpected newline near '\"a'" },
		{ "\"\\u0000\"", "line 1: \\u0000 is not allowed in a string" },
		{ "99999999999999999999", "line 1: too big integer near '99999999999999999999'" },
		{ "\"\xff\"", "line 1: unable to decode byte 0xff near '\"'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		json_t *value = NULL;
		int r = json_parse_text(cases[i].text, strlen(cases[i].text), &value, &err);

		assert_error(r, &err, EINVAL, cases[i].msg);
		assert_null(value);
	}
}

static void test_nesting(void **state)
{
	struct error err = ERROR_INIT;
	json_t *value = NULL;
	char text[300];

	(void)state;
	memset(text, '[', 64);
	memset(text + 64, ']', 64);
	assert_ok(json_parse_text(text, 128, &value, &err), &err);
	json_decref(value);
	value = NULL;
	memset(text, '[', 65);
	memset(text + 65, ']', 65);
	text[10] = '\n';
	text[11] = '{';
	assert_int_equal(json_parse_text(text, 130, &value, &err), -EINVAL);
	error_clear(&err);
	memset(text, '[', 66);
	text[10] = '\n';
	assert_error(json_parse_text(text, 131, &value, &err), &err, EINVAL,
		     "line 2: nested deeper than 64");
	assert_null(value);

	/* Brackets in strings do not count. */
	auto_json json_t *string = NULL;
	memset(text, '[', sizeof(text));
	text[0] = text[299] = '"';
	text[1] = '\\';
	text[2] = '"';
	error_clear(&err);
	assert_ok(json_parse_text(text, 300, &string, &err), &err);
	assert_int_equal(json_string_length(string), 297);
}

static void test_render(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	auto_json json_t *value = parse("{\"b\":1,\"a\":[2,\"x\\n\"]}");

	(void)state;
	strbuf_append_str(&text, "> ");
	assert_ok(json_render(value, 2, &text, &err), &err);
	assert_string_equal(strbuf_get_str(&text),
			    "> {\n  \"b\": 1,\n  \"a\": [\n    2,\n    \"x\\n\"\n  ]\n}");
	assert_error(json_render(NULL, 2, &text, &err), &err, EIO,
		     "bug: a value cannot be written as JSON");
	assert_true(text.len > 20);
}

/* The cases of RFC 7396, appendix A. */
static void test_merge_patch(void **state)
{
	static const struct {
		const char *target, *patch, *want;
	} cases[] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
		  "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_json json_t *target = parse(cases[i].target);
		auto_json json_t *patch = parse(cases[i].patch);
		auto_json json_t *merged = json_merge_patch(target, patch);

		check_text(merged, cases[i].want);
		check_text(target, cases[i].target);
		check_text(patch, cases[i].patch);
	}
}

/* What is changed in the result is not changed in what it came from. */
static void test_merge_is_a_copy(void **state)
{
	auto_json json_t *target = parse("{\"l\":[1]}");
	auto_json json_t *patch = parse("{\"m\":[2]}");
	auto_json json_t *merged = json_merge_patch(target, patch);

	(void)state;
	json_array_clear(json_get_array(merged, "l"));
	json_array_clear(json_get_array(merged, "m"));
	check_text(target, "{\"l\":[1]}");
	check_text(patch, "{\"m\":[2]}");
}

static void test_getters(void **state)
{
	auto_json json_t *value =
		parse("{\"s\":\"x\",\"i\":-5,\"b\":true,\"n\":null,\"a\":[1],\"o\":{},\"r\":1.5}");

	(void)state;
	assert_string_equal(json_get_str(value, "s", "d"), "x");
	assert_string_equal(json_get_str(value, "i", "d"), "d");
	assert_string_equal(json_get_str(value, "n", "d"), "d");
	assert_null(json_get_str(value, "none", NULL));
	assert_string_equal(json_get_str(NULL, "s", "d"), "d");
	assert_int_equal(json_get_int(value, "i", 7), -5);
	assert_int_equal(json_get_int(value, "r", 7), 7);
	assert_int_equal(json_get_int(value, "none", 7), 7);
	assert_true(json_get_bool(value, "b", false));
	assert_true(json_get_bool(value, "s", true));
	assert_false(json_get_bool(value, "n", false));
	assert_int_equal(json_array_size(json_get_array(value, "a")), 1);
	assert_null(json_get_array(value, "o"));
	assert_non_null(json_get_object(value, "o"));
	assert_null(json_get_object(value, "a"));
	assert_null(json_get_object(value, "none"));
}

static void test_files(void **state)
{
	struct error err = ERROR_INIT;
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_json json_t *value = parse("{\"a\":1}");
	auto_json json_t *back = NULL;
	json_t *none = NULL;
	char path[64];
	int fd = test_make_dir(path);

	(void)state;
	assert_ok(json_replace_file(fd, "f", value, 0600, false, &err), &err);
	assert_ok(path_read_file(fd, "f", 100, &text, &err), &err);
	assert_string_equal(strbuf_get_str(&text), "{\"a\":1}\n");
	assert_ok(json_read_file(fd, "f", &back, &err), &err);
	assert_true(json_equal(value, back));

	assert_error(json_read_file(fd, "g", &none, &err), &err, ENOENT,
		     "cannot open 'g': No such file or directory");
	error_clear(&err);
	assert_ok(path_replace_file(fd, "bad", "{\n", 2, 0600, false, &err), &err);
	assert_error(json_read_file(fd, "bad", &none, &err), &err, EINVAL,
		     "'bad': line 2: string or '}' expected near end of file");
	error_clear(&err);
	auto_fd int big = openat(fd, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(ftruncate(big, (16 << 20) + 1), 0);
	assert_error(json_read_file(fd, "big", &none, &err), &err, EFBIG,
		     "cannot read 'big': larger than 16777216 bytes");
	error_clear(&err);
	assert_error(json_replace_file(fd, "f", NULL, 0600, false, &err), &err, EIO,
		     "cannot write 'f': bug: a value cannot be written as JSON");
	error_clear(&err);
	assert_error(json_replace_file(fd, "no/f", value, 0600, false, &err), &err, ENOENT,
		     "cannot write 'no/f': No such file or directory");
	assert_null(none);
	test_remove_dir(fd, path);
}

static const char sample[] =
	"{\"name\":\"a text with \\u00e4 and more than a few "
	"bytes\",\"list\":[1,2,3,4,5,6,7,8,9,10],"
	"\"a\":{\"b\":{\"c\":null,\"d\":1.5}},\"e\":true,\"f\":null,\"g\":1,\"h\":2,\"i\":3,"
	"\"j\":\"j\",\"k\":[[],{},\"\"]}";

static int attempt_parse(void *arg)
{
	auto_json json_t *value = NULL;
	struct error err = ERROR_INIT;
	int r = json_parse_text(arg, strlen(arg), &value, &err);

	assert_string_equal(err.msg, r < 0 ? "out of memory" : "");
	assert_int_equal(value == NULL, r < 0);
	return r;
}

static int attempt_render(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int r = json_render(arg, 2, &text, &err);

	assert_string_equal(err.msg, r < 0 ? "out of memory" : "");
	if (r < 0)
		assert_int_equal(text.len, 0);
	return r;
}

static int attempt_merge(void *arg)
{
	auto_json json_t *merged = json_merge_patch(((json_t **)arg)[0], ((json_t **)arg)[1]);

	return merged ? 0 : -ENOMEM;
}

static void test_no_memory(void **state)
{
	auto_json json_t *value = parse(sample);
	auto_json json_t *patch =
		parse("{\"x\":{\"y\":{\"z\":[1,{}]},\"list\":null},\"a\":{\"b\":\"c\"}}");
	json_t *both[] = { value, patch };

	(void)state;
	assert_true(alloc_sweep(attempt_parse, (void *)(uintptr_t)sample) > 30);
	assert_true(alloc_sweep(attempt_render, value) > 1);
	assert_true(alloc_sweep(attempt_merge, both) > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),       cmocka_unit_test(test_parse_bad),
		cmocka_unit_test(test_nesting),     cmocka_unit_test(test_render),
		cmocka_unit_test(test_merge_patch), cmocka_unit_test(test_merge_is_a_copy),
		cmocka_unit_test(test_getters),     cmocka_unit_test(test_files),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
