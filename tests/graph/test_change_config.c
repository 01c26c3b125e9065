/* Instructions that change an image's configuration. */
#include "graph/change/change_config.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <string.h>

/* One change of a configuration, both as JSON with single quotes for double ones. */
static json_t *read_quoted(const char *text)
{
	char copy[1024];
	json_t *value;
	struct error err = ERROR_INIT;

	assert_true(strlen(text) < sizeof(copy));
	for (size_t i = 0; i <= strlen(text); i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	assert_ok(json_parse_text(copy, strlen(copy), &value, &err), &err);
	return value;
}

static void check(const char *before, const char *const *changes, const char *after)
{
	auto_json json_t *config = read_quoted(before), *want = read_quoted(after), *got = NULL;
	AUTO(strbuf_deinit) struct strbuf shown = STRBUF_INIT, wanted = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(change_config(config, (char *const *)(uintptr_t)changes, &got, &err), &err);
	assert_ok(json_render(got, 0, &shown, &err), &err);
	assert_ok(json_render(want, 0, &wanted, &err), &err);
	if (!json_equal(got, want))
		assert_string_equal(shown.data, wanted.data);
}

static void test_each(void **state)
{
	static const struct {
		const char *before, *change, *after;
	} cases[] = {
		{ "{}", "CMD [\"a\", \"b c\"]", "{'Cmd': ['a', 'b c']}" },
		{ "{}", " cmd  echo \"$HOME\"  x ",
		  "{'Cmd': ['/bin/sh', '-c', 'echo \\'$HOME\\'  x']}" },
		{ "{'Shell': ['/bin/ash', '-ec']}", "CMD ls",
		  "{'Shell': ['/bin/ash', '-ec'], 'Cmd': ['/bin/ash', '-ec', 'ls']}" },
		{ "{'Cmd': ['a']}", "CMD []", "{}" },
		{ "{}", "CMD [a", "{'Cmd': ['/bin/sh', '-c', '[a']}" },
		{ "{'Cmd': ['old']}", "ENTRYPOINT [\"/e\"]", "{'Entrypoint': ['/e']}" },
		{ "{'Env': ['A=1', 'B=2']}", "ENV A=x C='y z' D=\"$A w\"",
		  "{'Env': ['A=x', 'B=2', 'C=y z', 'D=1 w']}" },
		{ "{}", "ENV NAME some  value", "{'Env': ['NAME=some  value']}" },
		{ "{}", "ENV A=b\\ c D=e", "{'Env': ['A=b c', 'D=e']}" },
		{ "{}", "ENV A=", "{'Env': ['A=']}" },
		{ "{'Env': ['P=/a:/b']}", "ENV P=${P}:/c Q='$P' R=\\$P",
		  "{'Env': ['P=/a:/b:/c', 'Q=$P', 'R=$P']}" },
		{ "{'Env': ['A=1', 'E=']}", "ENV V=${A:+s}${B:+n}${B:-${A}x}${E:-e}${A:-d}$",
		  "{'Env': ['A=1', 'E=', 'V=s1xe1$']}" },
		{ "{}", "LABEL a.b=1 c=\"two words\" d=",
		  "{'Labels': {'a.b': '1', 'c': 'two words', 'd': ''}}" },
		{ "{'Labels': {'a': '1'}}", "LABEL a=2", "{'Labels': {'a': '2'}}" },
		{ "{}", "EXPOSE 80 53/UDP 8000-8002/tcp",
		  "{'ExposedPorts': {'80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {}, "
		  "'8002/tcp': {}}}" },
		{ "{}", "VOLUME /a /b", "{'Volumes': {'/a': {}, '/b': {}}}" },
		{ "{}", "VOLUME [\"/a b\"]", "{'Volumes': {'/a b': {}}}" },
		{ "{}", "USER nobody:nogroup", "{'User': 'nobody:nogroup'}" },
		{ "{}", "WORKDIR /srv//x/../y/./", "{'WorkingDir': '/srv/y'}" },
		{ "{'WorkingDir': '/srv'}", "WORKDIR a b", "{'WorkingDir': '/srv/a b'}" },
		{ "{'WorkingDir': '/srv'}", "WORKDIR ../..", "{'WorkingDir': '/'}" },
		{ "{}", "STOPSIGNAL SIGINT", "{'StopSignal': 'SIGINT'}" },
		{ "{}", "STOPSIGNAL 9", "{'StopSignal': '9'}" },
		{ "{}", "ONBUILD RUN make $X", "{'OnBuild': ['RUN make $X']}" },
		{ "{'Env': 5, 'Other': [1]}", "ENV A=1", "{'Env': ['A=1'], 'Other': [1]}" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const changes[] = { cases[i].change, NULL };

		check(cases[i].before, changes, cases[i].after);
	}
	check("{'User': 'a'}", NULL, "{'User': 'a'}");
}

static void test_in_order(void **state)
{
	static const char *const changes[] = {
		"CMD [\"kept\"]", "ENTRYPOINT [\"/e\"]", "ENV A=1", "ENV B=$A$A",
		"WORKDIR /w",     "WORKDIR $B",          NULL
	};
	(void)state;

	check("{}", changes,
	      "{'Cmd': ['kept'], 'Entrypoint': ['/e'], 'Env': ['A=1', 'B=11'], "
	      "'WorkingDir': '/w/11'}");
}

static void test_refused(void **state)
{
	static const struct {
		const char *change, *sentence;
	} cases[] = {
		{ "RUN ls", "change 'RUN ls': unknown instruction; CMD, ENTRYPOINT, ENV, EXPOSE, "
			    "LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR" },
		{ "CMD", "change 'CMD': nothing behind it" },
		{ "CMD [1]", "change 'CMD [1]': a list of something else than strings" },
		{ "ENV A", "change 'ENV A': 'A' is not NAME=VALUE" },
		{ "ENV =x", "change 'ENV =x': '=x' is not NAME=VALUE" },
		{ "ENV A=1 B", "change 'ENV A=1 B': 'B' is not NAME=VALUE" },
		{ "ENV A='x", "change 'ENV A='x': a quote without an end" },
		{ "ENV A=${B", "change 'ENV A=${B': behind a variable's name in braces only '}', "
			       "':-' and ':+' go" },
		{ "ENV A=${B:-x", "change 'ENV A=${B:-x': a brace without an end" },
		{ "ENV A=${}", "change 'ENV A=${}': '${' without a variable's name" },
		{ "EXPOSE 0", "change 'EXPOSE 0': '0' is not PORT[-PORT][/PROTOCOL]" },
		{ "EXPOSE 9-8", "change 'EXPOSE 9-8': '9-8' is not PORT[-PORT][/PROTOCOL]" },
		{ "EXPOSE 80/icmp",
		  "change 'EXPOSE 80/icmp': 'icmp' is no protocol; tcp, udp or sctp" },
		{ "VOLUME a", "change 'VOLUME a': 'a' is not an absolute path" },
		{ "VOLUME []", "change 'VOLUME []': no path given" },
		{ "USER $X", "change 'USER $X': nothing is left of '$X'" },
		{ "STOPSIGNAL NOPE", "change 'STOPSIGNAL NOPE': unknown signal 'NOPE'" },
		{ "ONBUILD ONBUILD RUN x",
		  "change 'ONBUILD ONBUILD RUN x': an instruction that cannot be kept for later" },
		{ "USER \xff", "change 'USER \\xff': not UTF-8 text" },
		{ "", "change '': unknown instruction; CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, "
		      "ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR" },
	};
	(void)state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *const changes[] = { (char *)(uintptr_t)cases[i].change, NULL };
		struct error err = ERROR_INIT;
		json_t *got = NULL;
		int ret = change_config(NULL, changes, &got, &err);

		assert_error(ret, &err, EINVAL, cases[i].sentence);
		assert_null(got);
	}
}

/* Doubled each time, a variable would soon fill the memory. */
static void test_doubling(void **state)
{
	char *changes[42] = { (char *)(uintptr_t) "ENV A=0123456789" };
	struct error err = ERROR_INIT;
	json_t *got = NULL;
	(void)state;

	for (size_t i = 1; i < 41; i++)
		changes[i] = (char *)(uintptr_t) "ENV A=$A$A";
	assert_error(change_config(NULL, changes, &got, &err), &err, EINVAL,
		     "change 'ENV A=$A$A': a word of more than 131072 bytes");
}

static int attempt(void *arg)
{
	static const char *const changes[] = { "ENV A=1 B=${A:-x}", "LABEL x=$A",
					       "EXPOSE 80",         "CMD ls",
					       "VOLUME [\"/v\"]",   "WORKDIR w",
					       "ONBUILD RUN x",     NULL };
	json_t *got = NULL;
	int ret = change_config(arg, (char *const *)(uintptr_t)changes, &got, NULL);

	json_decref(got);
	return ret;
}

static void test_no_memory(void **state)
{
	auto_json json_t *config = read_quoted("{'Env': ['C=3'], 'Shell': ['a', 'b']}");
	(void)state;

	assert_true(alloc_sweep(attempt, config) > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),      cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_refused),   cmocka_unit_test(test_doubling),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
