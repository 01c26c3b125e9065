/* The command line of containerfs. */
#include "tests/test.h"

#include "fs/command/arguments.h"
#include "tests/alloc_sweep.h"

#include <stdio.h>
#include <string.h>

#define WORDS_MAX 40

/* One text with a blank between words; parsed in the caller's memory. */
static int parse(const char *text, struct arguments *ret, struct error *err)
{
	auto_free char *copy = strdup(text);
	char *argv[WORDS_MAX + 1], *rest = copy;
	int argc = 0;

	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot copy");
	while (argc < WORDS_MAX && (argv[argc] = strsep(&rest, " ")))
		argc++;
	argv[argc] = NULL;
	return arguments_parse(argc, argv, ret, err);
}

static void parse_ok(const char *text, struct arguments *ret)
{
	struct error err = ERROR_INIT;

	assert_ok(parse(text, ret, &err), &err);
}

static void test_defaults(void **state)
{
	AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;

	(void)state;
	parse_ok("containerfs /tmp", &a);
	assert_string_equal(a.mnt, "/tmp");
	assert_string_equal(a.root, "/var/lib/containerfs");
	assert_string_equal(a.run, "/run/containerfs");
	assert_string_equal(a.source, "containerfs");
	assert_string_equal(a.registry, "docker.io");
	assert_null(a.bridge);
	assert_null(a.subnet);
	assert_false(a.isolated);
	assert_non_null(a.log_opts);
	assert_null(a.log_opts[0]);
	assert_false(a.foreground || a.has_gid || a.help || a.version || a.fake);
}

static void test_all(void **state)
{
	AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;

	(void)state;
	parse_ok("containerfs --root /./tmp//new/ name --run=/tmp/c --bridge br7 --subnet "
		 "10.9.0.0/16 --icc=false "
		 "--registry localhost:5000 --log-opt max-size=1m -f --log-opt max-file=2 "
		 "--image-limit size=2g -o image-limit=files=7,image-limit=depth=8 "
		 "--image-limit path=9 /tmp",
		 &a);
	assert_string_equal(a.source, "name");
	assert_string_equal(a.mnt, "/tmp");
	assert_string_equal(a.root, "/tmp/new");
	assert_string_equal(a.run, "/tmp/c");
	assert_string_equal(a.bridge, "br7");
	assert_string_equal(a.subnet, "10.9.0.0/16");
	assert_string_equal(a.registry, "localhost:5000");
	assert_string_equal(a.log_opts[0], "max-size=1m");
	assert_string_equal(a.log_opts[1], "max-file=2");
	assert_null(a.log_opts[2]);
	assert_true(a.image_limits.bytes == (int64_t)2 << 30 && a.image_limits.entries == 7);
	assert_true(a.image_limits.depth == 8 && a.image_limits.path_bytes == 9);
	assert_true(a.foreground && a.isolated);
}

static void test_icc(void **state)
{
	AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;

	(void)state;
	parse_ok("containerfs -o icc=false --icc=true /tmp", &a);
	assert_false(a.isolated);
	arguments_deinit(&a);
	parse_ok("containerfs --icc -o icc=false /tmp", &a);
	assert_true(a.isolated);
}

/* Its value has a = of its own. */
static void test_log_opt_word(void **state)
{
	AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;

	(void)state;
	parse_ok("containerfs src /tmp -o log-opt=max-size=1m,log-opt=max-file=2", &a);
	assert_string_equal(a.log_opts[0], "max-size=1m");
	assert_string_equal(a.log_opts[1], "max-file=2");
	assert_null(a.log_opts[2]);
}

/* As mount(8) calls /sbin/mount.fuse.containerfs, as mount.fuse3 calls
 * containerfs, and as people do. */
static void test_mount_helpers(void **state)
{
	static const char *const lines[] = {
		"/sbin/mount.fuse.containerfs src /tmp -o rw,root=/tmp/r,run=/tmp/s,gid=7",
		"/sbin/mount.fuse.containerfs src /tmp -s -n -v -o rw,root=/tmp/r,run=/tmp/s,gid=7 "
		"-t "
		"fuse.containerfs",
		"containerfs src /tmp -o "
		"rw,noauto,x-systemd.automount,_netdev,nofail,user,root=/tmp/r,"
		"run=/tmp/s,gid=7,dev,suid",
		"containerfs -o root=/tmp/r,run=/tmp/s -o gid=7,defaults,comment=ours src /tmp",
		"containerfs src -oroot=/tmp/x,run=/tmp/s,gid=7,root=/tmp/r, -- /tmp",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;

		parse_ok(lines[i], &a);
		assert_string_equal(a.source, "src");
		assert_string_equal(a.mnt, "/tmp");
		assert_string_equal(a.root, "/tmp/r");
		assert_string_equal(a.run, "/tmp/s");
		assert_true(a.has_gid);
		assert_int_equal(a.gid, 7);
		assert_false(a.foreground);
	}
}

static void test_words(void **state)
{
	AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;
	AUTO(arguments_deinit) struct arguments b = ARGUMENTS_INIT;
	AUTO(arguments_deinit) struct arguments c = ARGUMENTS_INIT;
	AUTO(arguments_deinit) struct arguments d = ARGUMENTS_INIT;

	(void)state;
	parse_ok("containerfs --help", &a);
	assert_true(a.help);
	parse_ok("containerfs -V too many words", &b);
	assert_true(b.version);
	parse_ok("mount.fuse.containerfs -f src /tmp", &c);
	assert_true(c.fake && !c.foreground);
	parse_ok("containerfs -o gid=root,gid=tty /tmp", &d);
	assert_true(d.has_gid);
	assert_int_equal(d.gid, 5);
}

static void test_refused(void **state)
{
	static const struct {
		const char *line;
		int code;
		const char *msg;
	} cases[] = {
		{ "containerfs", EINVAL,
		  "the directory to mount on is missing; see containerfs --help" },
		{ "containerfs a /tmp b", EINVAL,
		  "one word too many: 'b'; see containerfs --help" },
		{ "containerfs --nmae x /tmp", EINVAL,
		  "option '--nmae' is unknown or takes no value; see containerfs --help" },
		{ "containerfs -x /tmp", EINVAL,
		  "option '-x' is unknown or takes no value; see containerfs --help" },
		{ "containerfs -n src /tmp", EINVAL,
		  "option '-n' is unknown or takes no value; see containerfs --help" },
		{ "containerfs /tmp --root", EINVAL,
		  "option '--root' needs a value; see containerfs --help" },
		{ "containerfs /tmp -o", EINVAL,
		  "option '-o' needs a value; see containerfs --help" },
		{ "containerfs --root= /tmp", EINVAL, "option 'root' needs a value" },
		{ "containerfs -o root= /tmp", EINVAL, "option 'root' needs a value" },
		{ "containerfs -o bridge= /tmp", EINVAL, "option 'bridge' needs a value" },
		{ "containerfs -o rw,colour=red /tmp", EINVAL,
		  "unknown option '-o colour=red'; see containerfs --help" },
		{ "containerfs -o root /tmp", EINVAL,
		  "unknown option '-o root'; see containerfs --help" },
		{ "containerfs -o ro /tmp", EINVAL, "-o ro: this mount cannot be read-only" },
		{ "containerfs -o gid=no-such-group /tmp", ENOENT,
		  "option 'gid': no such group: 'no-such-group'" },
		{ "containerfs -o gid= /tmp", ENOENT, "option 'gid': no such group: ''" },
		{ "containerfs -o gid=4294967295 /tmp", ENOENT,
		  "option 'gid': no such group: '4294967295'" },
		{ "containerfs --log-opt max-size /tmp", EINVAL,
		  "option 'log-opt': 'max-size' is not KEY=VALUE" },
		{ "containerfs --log-opt tag=x /tmp", EINVAL,
		  "option 'log-opt': unknown option 'tag'; max-size or max-file" },
		{ "containerfs --log-opt max-size=lots /tmp", EINVAL,
		  "option 'log-opt': max-size 'lots' is not a size" },
		{ "containerfs --image-limit colour=1 /tmp", EINVAL,
		  "option 'image-limit': unknown limit 'colour'; size, files, depth or path" },
		{ "containerfs --image-limit size /tmp", EINVAL,
		  "option 'image-limit': 'size' is not KEY=VALUE" },
		{ "containerfs --image-limit size=0 /tmp", EINVAL,
		  "option 'image-limit': size '0' is not a size" },
		{ "containerfs -o image-limit=depth=257 /tmp", EINVAL,
		  "option 'image-limit': depth '257' is no number from 1 to 256" },
		{ "containerfs --log-opt =1 /tmp", EINVAL,
		  "option 'log-opt': '=1' is not KEY=VALUE" },
		{ "containerfs /dev/null/x", ENOTDIR,
		  "cannot resolve '/dev/null/x': Not a directory" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;
		struct error err = ERROR_INIT;

		assert_error(parse(cases[i].line, &a, &err), &err, cases[i].code, cases[i].msg);
	}
}

static int attempt(void *arg)
{
	AUTO(arguments_deinit) struct arguments a = ARGUMENTS_INIT;
	struct error err = ERROR_INIT;

	return parse(arg, &a, &err);
}

static void test_out_of_memory(void **state)
{
	char line[] =
		"containerfs --root /tmp/r -o run=/tmp/none/s,gid=7,bridge=b --log-opt max-size=1 "
		"--log-opt max-file=2 --subnet x src /tmp";

	(void)state;
	assert_true(alloc_sweep(attempt, line) > 10);
}

static void test_help(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_non_null(out);
	arguments_print_help(out);
	fclose(out);
	assert_non_null(strstr(text, "[SOURCE] MNT"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_true(strcspn(line, "\n") <= 80);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_opt_word),  cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),           cmocka_unit_test(test_icc),
		cmocka_unit_test(test_mount_helpers), cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused),       cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
