/* inspect --format. */
#include "tests/test.h"

#include "fs/template.h"
#include "tests/alloc_sweep.h"

#include <string.h>

static const char object_text[] = "{\"Id\":\"abc\",\"N\":5,\"B\":true,\"Z\":null,\"L\":[1,\"x\"],"
				  "\"S\":{\"T\":\"two\\nlines\",\"E\":{}}}";

static json_t *make_object(void)
{
	json_t *value = NULL;

	assert_int_equal(json_parse_text(object_text, strlen(object_text), &value, NULL), 0);
	return value;
}

static void check(const char *format, const char *want)
{
	auto_json json_t *value = make_object();
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret = template_render(format, value, &out, &err);

	assert_ok(ret, &err);
	assert_string_equal(strbuf_get_str(&out), want);
}

static void check_bad(const char *format, const char *msg)
{
	auto_json json_t *value = make_object();
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret = template_render(format, value, &out, &err);

	assert_error(ret, &err, EINVAL, msg);
}

static void test_values(void **state)
{
	(void)state;
	check("", "");
	check("plain } text", "plain } text");
	check("{{.Id}}", "abc");
	check("<{{ .Id }}-{{.N}}>", "<abc-5>");
	check("{{.B}} {{.Z}} {{.L}}", "true <no value> [1,\"x\"]");
	check("{{.S.T}}", "two\\nlines");
	check("{{json .S.T}} {{json  .S }}", "\"two\\nlines\" {\"T\":\"two\\nlines\",\"E\":{}}");
	check("{{json .Z}}{{.S.E}}", "null{}");
	check("{{.}}", "{\"Id\":\"abc\",\"N\":5,\"B\":true,\"Z\":null,\"L\":[1,\"x\"],"
		       "\"S\":{\"T\":\"two\\nlines\",\"E\":{}}}");
}

static void test_bad(void **state)
{
	(void)state;
	check_bad("{{.Id", "a '{{' in the format has no '}}'");
	check_bad("{{Id}}", "'{{Id}}' is not {{.KEY}} or {{json .KEY}}");
	check_bad("{{}}", "'{{}}' is not {{.KEY}} or {{json .KEY}}");
	check_bad("{{range .L}}", "'{{range .L}}' is not {{.KEY}} or {{json .KEY}}");
	check_bad("{{json}}", "'{{json}}' is not {{.KEY}} or {{json .KEY}}");
	check_bad("{{.Foo}}", "there is no 'Foo' in '{{.Foo}}'");
	check_bad("{{.S.Foo}}", "there is no 'Foo' in '{{.S.Foo}}'");
	check_bad("{{.Id.Foo}}", "there is no 'Foo' in '{{.Id.Foo}}'");
	check_bad("{{..Id}}", "there is no '' in '{{..Id}}'");
}

static int attempt(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret = template_render("{{.Id}} {{json .S}}", arg, &out, &err);

	return ret < 0 ? ret : strbuf_check(&out, &err);
}

static void test_no_memory(void **state)
{
	auto_json json_t *value = make_object();

	(void)state;
	assert_true(alloc_sweep(attempt, value) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
