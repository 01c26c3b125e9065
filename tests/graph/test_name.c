/* The grammar of image names. */
#include "graph/name.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <string.h>

static void test_canonical_names(void **state)
{
	static const struct {
		const char *text;
		const char *name;
	} cases[] = {
		{ "a", "a:latest" },
		{ "a:1", "a:1" },
		{ "busybox", "busybox:latest" },
		{ "team/app", "team/app:latest" },
		{ "localhost:5000/a", "localhost:5000/a:latest" },
		{ "localhost:5000/a:1.2", "localhost:5000/a:1.2" },
		{ "localhost:5000", "localhost:5000" },
		{ "localhost/a:1", "localhost/a:1" },
		{ "Registry.Example.COM/a:1", "Registry.Example.COM/a:1" },
		{ "HOST/a", "HOST/a:latest" },
		{ "[::1]:5000/a:1", "[::1]:5000/a:1" },
		{ "x/a.b__c_d---e/f0:T_.-x", "x/a.b__c_d---e/f0:T_.-x" },
		{ "a/sha256:1", "a/sha256:1" },
		{ "deadbeefcaf", "deadbeefcaf:latest" },
		{ "deadbeefcafe:1", "deadbeefcafe:1" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		char name[GRAPH_NAME_SIZE], again[GRAPH_NAME_SIZE];
		int ret = graph_parse_name(cases[i].text, name, &err);
		assert_ok(ret, &err);
		assert_string_equal(name, cases[i].name);
		ret = graph_parse_name(name, again, &err);
		assert_ok(ret, &err);
		assert_string_equal(again, name);
	}
}

#define DIGITS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_references(void **state)
{
	static const struct {
		const char *text, *name;
		size_t repository_len;
	} cases[] = {
		{ "a", "a:latest", 1 },
		{ "a@sha256:" DIGITS, "a@sha256:" DIGITS, 1 },
		{ "localhost:5000/a:1", "localhost:5000/a:1", 16 },
		{ "localhost:5000/a:1@sha256:" DIGITS, "localhost:5000/a@sha256:" DIGITS, 16 },
	};
	static const char *const bad[] = { "a@",
					   "a@sha256:12",
					   "a@sha256:" DIGITS "0",
					   "@sha256:" DIGITS,
					   "a@md5:" DIGITS,
					   "A@sha256:" DIGITS };
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		char name[GRAPH_NAME_SIZE];

		assert_ok(graph_parse_reference(cases[i].text, name, &err), &err);
		assert_string_equal(name, cases[i].name);
		assert_int_equal(name_get_repository_len(name), cases[i].repository_len);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		char name[GRAPH_NAME_SIZE] = "untouched";

		assert_int_equal(graph_parse_reference(bad[i], name, &err), -EINVAL);
		assert_string_equal(name, "untouched");
		assert_true(err.msg[0]);
	}
}

static void test_bad_names(void **state)
{
	static const struct {
		const char *text;
		const char *msg;
	} cases[] = {
		{ "", "invalid image name '': empty component" },
		{ "/a", "invalid image name '/a': empty component" },
		{ "a/", "invalid image name 'a/': empty component" },
		{ "a//b", "invalid image name 'a//b': empty component" },
		{ ":1", "invalid image name ':1': empty component" },
		{ "a:", "invalid image name 'a:': '' is no tag; letters, digits, '_', '.' and '-', "
			"not beginning with '.' or '-'" },
		{ "a:-1",
		  "invalid image name 'a:-1': '-1' is no tag; letters, digits, '_', '.' and "
		  "'-', not beginning with '.' or '-'" },
		{ "a:1:2",
		  "invalid image name 'a:1:2': 'a:1' must be lower-case letters and digits, "
		  "separated by '.', '_', '__' or '-'" },
		{ "Foo", "invalid image name 'Foo': 'Foo' must be lower-case letters and digits, "
			 "separated by '.', '_', '__' or '-'" },
		{ "a..b",
		  "invalid image name 'a..b': 'a..b' must be lower-case letters and digits, "
		  "separated by '.', '_', '__' or '-'" },
		{ "a___b", "invalid image name 'a___b': 'a___b' must be lower-case letters and "
			   "digits, separated by '.', '_', '__' or '-'" },
		{ "..", "invalid image name '..': '..' must be lower-case letters and digits, "
			"separated by '.', '_', '__' or '-'" },
		{ "a/../b", "invalid image name 'a/../b': '..' must be lower-case letters and "
			    "digits, separated by '.', '_', '__' or '-'" },
		{ "-a.b/c", "invalid image name '-a.b/c': '-a.b' is no host name" },
		{ "a.b:x/c", "invalid image name 'a.b:x/c': 'a.b:x' is no host name" },
		{ "[::1/a", "invalid image name '[::1/a': '[::1' is no host name" },
		{ "sha256", "invalid image name 'sha256': 'sha256' is reserved" },
		{ "sha256/a:1", "invalid image name 'sha256/a:1': 'sha256' is reserved" },
		{ "sha256:0/x", "invalid image name 'sha256:0/x': 'sha256' is reserved" },
		{ "sha256:abcd", "invalid image name 'sha256:abcd': 'sha256' is reserved" },
		{ "a@sha256:00",
		  "invalid image name 'a@sha256:00': a digest is not part of a name" },
		{ "deadbeefcafe",
		  "invalid image name 'deadbeefcafe': it looks like an image's id" },
		{ "a\nb", "invalid image name 'a\\x0ab': 'a\\x0ab' must be lower-case letters and "
			  "digits, separated by '.', '_', '__' or '-'" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = ERROR_INIT;
		char name[GRAPH_NAME_SIZE] = "untouched";
		int ret = graph_parse_name(cases[i].text, name, &err);
		assert_error(ret, &err, EINVAL, cases[i].msg);
		assert_string_equal(name, "untouched");
	}
}

static void test_lengths(void **state)
{
	char text[600], name[GRAPH_NAME_SIZE];
	(void)state;

	memset(text, 'a', sizeof(text));
	text[200] = '/';
	text[255] = ':';
	text[255 + 1 + 128] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), 0);
	assert_int_equal(strlen(name), 255 + 1 + 128);
	text[255 + 1 + 128] = 'a';
	text[255 + 1 + 129] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), -ENAMETOOLONG);
	memset(text, 'a', sizeof(text));
	text[256] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), -ENAMETOOLONG);
	/* What is listed has ":latest" behind it, and is the name of a file. */
	text[249] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), -ENAMETOOLONG);
	text[248] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), 0);
	assert_int_equal(strlen(name), 255);
	memset(text, 'a', sizeof(text));
	memset(text, '0', 64);
	text[64] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), -EINVAL);
	text[63] = '\0';
	assert_int_equal(graph_parse_name(text, name, NULL), 0);
}

static void test_folders(void **state)
{
	(void)state;
	assert_int_equal(name_check_folder("team", NULL), 0);
	assert_int_equal(name_check_folder("localhost:5000", NULL), 0);
	assert_int_equal(name_check_folder("localhost:5000/team", NULL), 0);
	assert_int_equal(name_check_folder("sha256", NULL), -EINVAL);
	assert_int_equal(name_check_folder("team:1", NULL), 0); /* a host and its port */
	assert_int_equal(name_check_folder("team/x:1", NULL), -EINVAL);
	assert_int_equal(name_check_folder("", NULL), -EINVAL);
	assert_int_equal(name_check_folder("deadbeefcafe", NULL), -EINVAL);
	assert_true(name_is_below("team/a:1", "team"));
	assert_false(name_is_below("team", "team"));
	assert_false(name_is_below("teams/a:1", "team"));
}

static int attempt_parse(void *arg)
{
	char name[GRAPH_NAME_SIZE];
	return graph_parse_name(arg, name, NULL);
}

static void test_needs_no_memory(void **state)
{
	char text[] = "localhost:5000/a:1";
	(void)state;
	assert_int_equal(alloc_sweep(attempt_parse, text), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical_names), cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_lengths),         cmocka_unit_test(test_folders),
		cmocka_unit_test(test_references),      cmocka_unit_test(test_needs_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
