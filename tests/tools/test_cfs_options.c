/* Options of run and create: which words are whose, and what is passed on. */
#include "tools/cfs/cfs.h"

#include "tests/test.h"

#include <stdlib.h>
#include <unistd.h>

#define WORDS_MAX 32

static struct options options;
static char problem[300];

/* Parse "run" and the words, as a shell would give them. */
static int parse(const char *first, ...)
{
	char *argv[WORDS_MAX] = { (char *)(uintptr_t) "run" };
	int argc = 1;
	va_list args;

	va_start(args, first);
	for (const char *word = first; word; word = va_arg(args, const char *))
		argv[argc++] = (char *)(uintptr_t)word;
	va_end(args);
	text_free(&options.words);
	options = (struct options){ .detach = false };
	problem[0] = 0;
	return options_parse(&options, argc, argv, problem, sizeof(problem));
}

static int teardown(void **state)
{
	(void)state;
	text_free(&options.words);
	return 0;
}

static void test_command_is_not_parsed(void **state)
{
	(void)state;
	assert_int_equal(parse("demo:1", "sh", "-c", "echo $x; exit 3", "-d", NULL), 0);
	assert_string_equal(options.words.data, "demo:1 sh -c 'echo $x; exit 3' -d");
	assert_false(options.detach);
}

static void test_our_own_are_taken_out(void **state)
{
	(void)state;
	assert_int_equal(parse("-d", "--cidfile", "/tmp/cid", "--rm", "demo", NULL), 0);
	assert_string_equal(options.words.data, "--rm demo");
	assert_true(options.detach);
	assert_string_equal(options.cidfile, "/tmp/cid");
	assert_int_equal(parse("--detach=false", "demo", NULL), 0);
	assert_false(options.detach);
}

static void test_letters_may_be_joined(void **state)
{
	(void)state;
	assert_int_equal(parse("-itd", "-m256m", "demo", NULL), 0);
	assert_string_equal(options.words.data, "-i -t -m 256m demo");
	assert_true(options.detach && options.stdin_open);
}

static void test_others_are_passed_on(void **state)
{
	(void)state;
	assert_int_equal(parse("--name", "web", "--entrypoint=/bin/sh x", "--cpu-shares", "5", "-c",
			       "7", "--read-only=F", "-u", "1:2", "demo", NULL),
			 0);
	assert_string_equal(options.words.data,
			    "--name web --entrypoint '/bin/sh x' --cpu-shares 5 -c 7 "
			    "--read-only=false -u 1:2 demo");
}

static void test_streams(void **state)
{
	(void)state;
	assert_int_equal(parse("-i", "-a", "STDIN", "--attach=stderr", "demo", NULL), 0);
	assert_string_equal(options.words.data, "-i -a stdin -a stderr demo");
	assert_true(options.attach_given && options.attach_stdin && options.attach_stderr);
	assert_false(options.attach_stdout);
	assert_int_equal(parse("-a", "stdlog", "demo", NULL), -1);
	assert_string_equal(problem, "no such stream: 'stdlog'; use stdin, stdout or stderr");
}

static void test_environment_of_the_caller(void **state)
{
	(void)state;
	setenv("CFS_TEST", "a value", 1);
	unsetenv("CFS_NONE");
	assert_int_equal(parse("-e", "CFS_TEST", "--env", "CFS_NONE", "-e", "A=", "-e", "B=b=c",
			       "demo", NULL),
			 0);
	assert_string_equal(options.words.data, "-e 'CFS_TEST=a value' -e A= -e B=b=c demo");
}

static void test_env_file(void **state)
{
	static const char text[] = "# comment\n\n  A=from file\nCFS_TEST\nCFS_NONE\nB=x\r\n";
	char path[] = "/tmp/test_cfs.XXXXXX";

	(void)state;
	setenv("CFS_TEST", "t", 1);
	int fd = mkstemp(path);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	close(fd);
	/* The file comes first wherever it is named: -e has the last word. */
	assert_int_equal(parse("-e", "A=1", "--env-file", path, "demo", NULL), 0);
	assert_string_equal(options.words.data,
			    "-e 'A=from file' -e CFS_TEST=t -e B=x -e A=1 demo");
	unlink(path);
	assert_int_equal(parse("--env-file", "/nonexistent", "demo", NULL), -1);
	assert_string_equal(problem, "cannot read '/nonexistent': No such file or directory");
}

static void test_wrong_ones(void **state)
{
	(void)state;
	assert_int_equal(parse("--nmae", "web", "demo", NULL), -1);
	assert_string_equal(problem, "no such option: '--nmae'");
	assert_int_equal(parse("-iX", "demo", NULL), -1);
	assert_string_equal(problem, "no such option: '-X'");
	assert_int_equal(parse("--name", NULL), -1);
	assert_string_equal(problem, "option needs a value: '--name'");
	assert_int_equal(parse("-m", NULL), -1);
	assert_string_equal(problem, "option needs a value: '-m'");
	assert_int_equal(parse("--rm", NULL), -1);
	assert_string_equal(problem, "an image is needed");
	assert_int_equal(parse("--help", NULL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_command_is_not_parsed),
		cmocka_unit_test(test_our_own_are_taken_out),
		cmocka_unit_test(test_letters_may_be_joined),
		cmocka_unit_test(test_others_are_passed_on),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_environment_of_the_caller),
		cmocka_unit_test(test_env_file),
		cmocka_unit_test(test_wrong_ones),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
