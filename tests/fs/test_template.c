/* inspect --format: docker's templates, as far as they are had here. */
#include "tests/test.h"

#include "fs/render/template.h"
#include "tests/alloc_sweep.h"

#include <string.h>

static const char object_text[] = "{\"Id\":\"abc\",\"N\":5,\"B\":true,\"Z\":null,\"L\":[1,\"x\"],"
				  "\"S\":{\"T\":\"two\\nlines\",\"E\":{}},\"W\":[\"a\",\"b\"],"
				  "\"P\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}}";

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
	check("{{.}}", object_text);
	check("{{$.S.E}}{{$}}", "{}{\"Id\":\"abc\",\"N\":5,\"B\":true,\"Z\":null,\"L\":[1,\"x\"],"
				"\"S\":{\"T\":\"two\\nlines\",\"E\":{}},\"W\":[\"a\",\"b\"],"
				"\"P\":{\"80/tcp\":[{\"HostPort\":\"8080\"}]}}");
}

#define NONE " is none of {{.KEY}}, json, len, index, join, range, if, else, end"

static void test_functions(void **state)
{
	(void)state;
	check("{{index .L 0}}{{index .L 1}}", "1x");
	check("{{index .S \"T\"}}<{{index .S \"none\"}}>", "two\\nlines<>");
	check("{{index . \"L\" 1}} {{(index .P \"80/tcp\" 0).HostPort}}", "x 8080");
	check("{{(index (index .P \"80/tcp\") 0).HostPort}}", "8080");
	check("{{json (index .P \"80/tcp\")}}", "[{\"HostPort\":\"8080\"}]");
	check("{{len .L}} {{len .S}} {{ len .Id }}", "2 2 3");
	check("<{{join .W \", \"}}>", "<a, b>");
	check("{{index .S \"a\\\"b\"}}", "");
	check_bad("{{len .N}}", "'{{len .N}}': only what has parts has a len");
	check_bad("{{len}}", "'{{len}}': only what has parts has a len");
	check_bad("{{index .L 2}}", "'{{index .L 2}}': there is no such element");
	check_bad("{{index .L -1}}", "'{{index .L -1}}': there is no such element");
	check_bad("{{index .L \"a\"}}", "'{{index .L \"a\"}}': there is no such element");
	check_bad("{{index .L}}", "'{{index .L}}'" NONE);
	check_bad("{{join .L \",\"}}", "'{{join .L \",\"}}'" NONE);
	check_bad("{{index .L 99999999999999999999}}", "'{{index .L 99999999999999999999}}'" NONE);
	check_bad("{{index 1 1 1 1 1 1 1 1 1}}", "'{{index 1 1 1 1 1 1 1 1 1}}'" NONE);
	check_bad("{{((((((((((((((((((.))))))))))))))))))}}",
		  "'{{((((((((((((((((((.))))))))))))))))))}}'" NONE);
}

static void test_blocks(void **state)
{
	(void)state;
	check("{{range .L}}<{{.}}>{{end}}.", "<1><x>.");
	check("{{range .S.E}}no{{else}}empty{{end}}", "empty");
	check("{{range .Z}}no{{end}}.", ".");
	check("{{range $p, $c := .P}}{{$p}} -> {{(index $c 0).HostPort}}{{end}}", "80/tcp -> 8080");
	check("{{range $v := .W}}{{$v}}{{$.Id}} {{end}}", "aabc babc ");
	check("{{range $i, $a := .W}}{{range $b := $.W}}{{$i}}{{$a}}{{$b}} {{end}}{{end}}",
	      "0aa 0ab 1ba 1bb ");
	check("{{if .B}}yes{{else}}no{{end}} {{if .Z}}yes{{else}}no{{end}}", "yes no");
	check("{{if .S.E}}yes{{end}}{{if .N}}5{{end}}{{if index .S \"x\"}}yes{{end}}", "5");
	check("{{if .Z}}{{.None}}{{range .None}}{{else}}{{end}}{{else}}fine{{end}}", "fine");
	check_bad("{{range .L}}", "a range or if in the format has no {{end}}");
	check_bad("{{if .B}}{{else}}", "a range or if in the format has no {{end}}");
	check_bad("{{if .B}}{{else}}{{else}}{{end}}", "a range or if in the format has no {{end}}");
	check_bad("{{end}}", "an {{end}} in the format belongs to no block");
	check_bad("{{else}}", "an {{else}} in the format belongs to no block");
	check_bad("{{range .Id}}{{end}}", "'{{range .Id}}' is neither a list nor an object");
	check_bad("{{range $x := .L}}{{$y}}{{end}}", "there is no variable '$y' in '{{$y}}'");
	check_bad("{{range .L}}{{.A}}{{end}}", "there is no 'A' in '{{.A}}'");
}

/* A few bytes could ask for more rounds than there is time for. */
static void test_bounds(void **state)
{
	auto_json json_t *value = json_pack("{s:[i,i,i,i,i,i,i,i]}", "L", 1, 2, 3, 4, 5, 6, 7, 8);
	AUTO(strbuf_deinit) struct strbuf format = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	for (int i = 0; i < 16; i++)
		strbuf_append_str(&format, "{{range $.L}}");
	for (int i = 0; i < 16; i++)
		strbuf_append_str(&format, "{{end}}");
	assert_error(template_render(strbuf_get_str(&format), value, &out, &err), &err, E2BIG,
		     "the format takes more than 100000 steps");
	error_clear(&err);
	strbuf_reset(&format);
	for (int i = 0; i < 5; i++)
		strbuf_append_str(&format, "{{range $.L}}");
	for (int i = 0; i < 1000; i++)
		strbuf_append_char(&format, 'x');
	for (int i = 0; i < 5; i++)
		strbuf_append_str(&format, "{{end}}");
	assert_error(template_render(strbuf_get_str(&format), value, &out, &err), &err, E2BIG,
		     "the format makes more than 16777216 bytes");
	error_clear(&err);
	strbuf_reset(&out);
	assert_error(template_render("{{if .}}{{if .}}{{if .}}{{if .}}{{if .}}{{if .}}{{if .}}"
				     "{{if .}}{{if .}}{{if .}}{{if .}}{{if .}}{{if .}}{{if .}}"
				     "{{if .}}{{if .}}{{if .}}",
				     value, &out, &err),
		     &err, EINVAL, "more than 16 blocks inside each other in the format");
}

static void test_bad(void **state)
{
	(void)state;
	check_bad("{{.Id", "a '{{' in the format has no '}}'");
	check_bad("{{Id}}", "'{{Id}}'" NONE);
	check_bad("{{}}", "'{{}}'" NONE);
	check_bad("{{json}}", "'{{}}'" NONE);
	check_bad("{{.Id .N}}", "'{{.Id .N}}'" NONE);
	check_bad("{{\"open}}", "'{{\"open}}'" NONE);
	check_bad("{{(.Id}}", "'{{(.Id}}'" NONE);
	check_bad("{{.Id | len}}", "'{{.Id | len}}'" NONE);
	check_bad("{{.Foo}}", "there is no 'Foo' in '{{.Foo}}'");
	check_bad("{{.S.Foo}}", "there is no 'Foo' in '{{.S.Foo}}'");
	check_bad("{{.Id.Foo}}", "there is no 'Foo' in '{{.Id.Foo}}'");
	check_bad("{{..Id}}", "there is no '' in '{{..Id}}'");
}

static int attempt(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret = template_render("{{.Id}} {{json .S}} {{range $k, $v := .P}}{{$k}}"
				  "{{(index $v 0).HostPort}}{{len \"x\"}}{{end}}{{join .W \"-\"}}",
				  arg, &out, &err);

	return ret < 0 ? ret : strbuf_check(&out, &err);
}

static void test_no_memory(void **state)
{
	auto_json json_t *value = make_object();

	(void)state;
	assert_true(alloc_sweep(attempt, value) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_functions),
		cmocka_unit_test(test_blocks), cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bad),    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
