/* Commands: every verb and option by a line as it would be written, and the bad ones of
 * tests/bad/commands, a file a case:
 *
 *     EINVAL the whole sentence
 *     ctl                          or containers/web/ctl
 *     the text as it would be written
 */
#include "tests/fs/command_fixture.h"

#include "base/path.h"
#include "tests/alloc_sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>

static void test_exec(void **state)
{
	AUTO(words_deinit) struct words words = { .argv = NULL };
	AUTO(command_deinit) struct command command = { .timeout_s = -1 };
	struct error err = ERROR_INIT;
	size_t used;
	bool in_quote;
	static const char line[] = "run -i ls", bad[] = "start";

	(void)state;
	check(NULL, "exec web ls -l", "exec target=web {'Cmd':['ls','-l']}");
	check(NULL, "exec -dit -u 5 -w /srv -e A=b -- web -x --y",
	      "exec target=web detach=1 {'User':'5','Tty':true,'OpenStdin':true,'Env':['A=b'],"
	      "'Cmd':['-x','--y'],'WorkingDir':'/srv'}");
	check("web", "exec ls", "exec {'Cmd':['ls']}");
	assert_int_equal(words_split(line, strlen(line), true, &words, &used, &in_quote, &err), 1);
	assert_ok(command_parse_exec(&words, "web/exec/x", &command, &err), &err);
	assert_int_equal(command.verb, VERB_EXEC);
	words_deinit(&words);
	assert_int_equal(words_split(bad, strlen(bad), true, &words, &used, &in_quote, &err), 1);
	assert_int_equal(command_parse_exec(&words, "web/exec/x", &command, &err), -EINVAL);
	assert_string_equal(err.msg,
			    "unknown command 'start'; an exec has run, kill, resize, closestdin");
}

static void test_names(void **state)
{
	(void)state;
	check(NULL, "start web", "start target=web");
	check(NULL, "start web db 0123", "start target=web target=db target=0123");
	check(NULL, "wait web", "wait target=web");
	check(NULL, "rm web db", "rm target=web target=db");
	check(NULL, "rm -f web -v db", "rm target=web target=db force=1 volumes=1");
	check(NULL, "rm -fv -- -web", "rm target=-web force=1 volumes=1");
	check(NULL, "rm --force=false --volumes=true web", "rm target=web volumes=1");
	check(NULL, "commit web", "commit target=web");
	check(NULL, "commit -m 'a b' -a me -c 'CMD ls' web -c 'ENV a=b' team/web:1",
	      "commit name=team/web:1 message=a b author=me target=web change=CMD ls change=ENV "
	      "a=b");
	check("web", "commit --pause=false web:1", "commit name=web:1 pause=0");
	check(NULL, "commit -p=false web", "commit target=web pause=0");
	check(NULL, "rm -v=0 -f=true -- web", "rm target=web force=1");
	check(NULL, "images --digests -f dangling=true --filter reference=a --format json x",
	      "images image=x format=json filter=dangling=true filter=reference=a");
	check(NULL, "rmi a:1 b", "rmi target=a:1 target=b");
	check(NULL, "rmi --force a", "rmi target=a force=1");
	check(NULL, "inspect a b", "inspect target=a target=b");
	check(NULL, "inspect -f '{{.Id}}' a", "inspect format={{.Id}} target=a");
	check(NULL, "inspect --format x --format=y a", "inspect format=y target=a");
	check(NULL, "rename old new", "rename name=new target=old");
	check(NULL, "tag a b:1", "tag name=b:1 image=a");
	check(NULL, "tag -f a b:1", "tag name=b:1 image=a force=1");
}

static void test_stop(void **state)
{
	(void)state;
	check(NULL, "stop web", "stop target=web");
	check(NULL, "stop -t 0 web db", "stop target=web target=db timeout=0");
	check(NULL, "stop web --time=3", "stop target=web timeout=3");
	check(NULL, "stop --timeout 3 -s INT web", "stop target=web signo=2 timeout=3");
	check(NULL, "stop 5", "stop target=5");
	check(NULL, "restart -t5 web", "restart target=web timeout=5");
	check(NULL, "restart -s HUP web", "restart target=web signo=1");
	check(NULL, "kill web", "kill target=web signo=9");
	check(NULL, "kill -s HUP web db", "kill target=web target=db signo=1");
	check(NULL, "kill --signal=SIGUSR1 web", "kill target=web signo=10");
	check(NULL, "kill HUP web", "kill target=HUP target=web signo=9");
}

static void test_in_container(void **state)
{
	(void)state;
	check("web", "start", "start");
	check("web", "stop", "stop");
	check("web", "stop 5", "stop timeout=5");
	check("web", "stop -t 5", "stop timeout=5");
	check("web", "stop 0", "stop timeout=0");
	check("web", "restart 7", "restart timeout=7");
	check("web", "kill", "kill signo=9");
	check("web", "kill HUP", "kill signo=1");
	check("web", "kill 15", "kill signo=15");
	check("web", "kill -s TERM", "kill signo=15");
	check("web", "rm -f", "rm force=1");
	check("web", "rename new", "rename name=new");
	check("web", "update -m 1m", "update {'Memory':1048576}");
	check("web", "wait", "wait");
	check("web", "inspect", "inspect");
	check("web", "resize 40 120", "resize rows=40 cols=120");
	check("web", "closestdin", "closestdin");
}

static void test_tables(void **state)
{
	(void)state;
	check(NULL, "ps", "ps");
	check(NULL, "ps -a", "ps all=1");
	check(NULL, "ps -aq --no-trunc -s", "ps all=1 quiet=1 no_trunc=1 size=1");
	check(NULL, "ps -n 3", "ps limit=3 all=1");
	check(NULL, "ps --last=0", "ps limit=0 all=1");
	check(NULL, "ps -l", "ps limit=1 all=1 latest=1");
	check(NULL, "ps -f status=exited --filter name=^a=b",
	      "ps filter=status=exited filter=name=^a=b");
	check(NULL, "ps --format '{{.ID}} {{.Names}}'", "ps format={{.ID}} {{.Names}}");
	check(NULL, "images", "images");
	check(NULL, "images -aq --no-trunc", "images all=1 quiet=1 no_trunc=1");
	check(NULL, "images 'utest*/*'", "images image=utest*/*");
	check(NULL, "history -q --no-trunc a", "history image=a quiet=1 no_trunc=1");
	check(NULL, "import /x.tar", "import source=/x.tar");
	check(NULL, "import -m 'a text' /x.tar a:1",
	      "import name=a:1 source=/x.tar message=a text");
	check(NULL, "info", "info");
	check(NULL, "version", "version");
}

static void test_run_words(void **state)
{
	(void)state;
	check(NULL, "run a:1", "run image=a:1 {'Image':'a:1'}");
	check(NULL, "run a sh -c 'exit 3' --rm -x",
	      "run image=a {'Cmd':['sh','-c','exit 3','--rm','-x'],'Image':'a'}");
	check(NULL, "run -- a -d", "run image=a {'Cmd':['-d'],'Image':'a'}");
	check(NULL, "run a ''", "run image=a {'Cmd':[''],'Image':'a'}");
	check(NULL, "create --name web a true",
	      "create name=web image=a {'Cmd':['true'],'Image':'a'}");
	check(NULL, "run 0123456789ab", "run image=0123456789ab {'Image':'0123456789ab'}");
	check(NULL, "run -d --rm a",
	      "run image=a remove=1 detach=1 {'Image':'a','HostConfig':{'AutoRemove':true}}");
	check(NULL, "run --rm=false a",
	      "run image=a {'Image':'a','HostConfig':{'AutoRemove':false}}");
	check(NULL, "pull -q --platform linux/arm64 a:1",
	      "pull image=a:1 platform=linux/arm64 quiet=1");
	check(NULL, "push localhost:5000/a:1", "push image=localhost:5000/a:1");
	check(NULL, "login -u me -p secret localhost:5000",
	      "login registry=localhost:5000 user=me password=secret");
	check(NULL, "logout", "logout");
	check(NULL, "run --pull missing a", "run image=a pull=1 {'Image':'a'}");
	check(NULL, "create --pull=always a", "create image=a pull=2 {'Image':'a'}");
	check(NULL, "run --pull never a", "run image=a {'Image':'a'}");
}

/* "create OPTIONS a" makes this configuration around Image. */
static void test_update(void **state)
{
	(void)state;
	check(NULL, "update -m 1g --memory-swap -1 web db",
	      "update target=web target=db {'Memory':1073741824,'MemorySwap':-1}");
	check(NULL, "update web --cpus 1 -c 5 --pids-limit 7 --restart no",
	      "update target=web {'HostConfig':{'NanoCpus':1000000000,'PidsLimit':7,"
	      "'RestartPolicy':{'Name':'no','MaximumRetryCount':0}},'CpuShares':5}");
	/* Whether it can be is seen when it is applied. */
	check(NULL, "update --memory-swap 1g web", "update target=web {'MemorySwap':1073741824}");
}

static void test_properties(void **state)
{
	static const enum verb waiting[] = { VERB_EXEC,    VERB_IMPORT, VERB_LOAD,
					     VERB_LOGIN,   VERB_PULL,   VERB_PUSH,
					     VERB_RESTART, VERB_STOP,   VERB_WAIT };
	struct command fetching = { .verb = VERB_RUN, .pull = PULL_MISSING };

	(void)state;
	for (enum verb verb = VERB_CREATE; verb <= VERB_RESIZE; verb++) {
		struct command command = { .verb = verb };
		bool want = false;

		for (size_t i = 0; i < sizeof(waiting) / sizeof(waiting[0]); i++)
			want |= waiting[i] == verb;
		assert_int_equal(command_is_interruptible(&command), want);
		assert_non_null(verb_get_name(verb));
	}
	/* What waits for a registry may be interrupted, whatever it does then. */
	assert_true(command_is_interruptible(&fetching));
}

static void test_help(void **state)
{
	AUTO(strbuf_deinit) struct strbuf all = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf here = STRBUF_INIT;

	(void)state;
	command_render_help(false, &all);
	command_render_help(true, &here);
	assert_non_null(strstr(all.data,
			       "\nstop [OPTION]... NAME...\n"
			       "    Ask containers to end, and kill those that have not in "
			       "time\n    -s, --signal SIGNAL\n    -t, --time SECONDS\n"));
	assert_non_null(strstr(all.data, "\nrun [OPTION]... IMAGE [COMMAND] [ARG]...\n"));
	assert_non_null(strstr(all.data, "\n        --entrypoint WORD\n"));
	assert_null(strstr(all.data, "resize"));
	assert_non_null(strstr(here.data, "\nresize ROWS COLUMNS\n"));
	assert_non_null(strstr(here.data, "\nstart\n"));
	assert_null(strstr(here.data, "\nrun "));
}

/* --- tests/bad/commands ----------------------------------------------------- */

static int find_code(const char *name, size_t len)
{
	static const struct {
		const char *name;
		int code;
	} known[] = {
		{ "EINVAL", EINVAL },
		{ "ENOTSUP", ENOTSUP },
		{ "E2BIG", E2BIG },
		{ "ENAMETOOLONG", ENAMETOOLONG },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == len && strncmp(known[i].name, name, len) == 0)
			return known[i].code;
	}
	fail_msg("unknown code %.*s", (int)len, name);
	return 0;
}

static void check_bad_file(int dir_fd, const char *name)
{
	AUTO(strbuf_deinit) struct strbuf file = STRBUF_INIT;
	struct command command = { .timeout_s = 77 };
	struct error err = ERROR_INIT;
	char *sentence, *where, *text;
	int code, ret;

	assert_int_equal(path_read_file(dir_fd, name, 1 << 20, &file, NULL), 0);
	sentence = strchr(file.data, ' ');
	where = strchr(file.data, '\n');
	assert_true(sentence && where && sentence < where);
	code = find_code(file.data, (size_t)(sentence++ - file.data));
	*where++ = '\0';
	text = strchr(where, '\n');
	*text++ = '\0';
	ret = parse_text(text, file.len - (size_t)(text - file.data),
			 strcmp(where, "ctl") == 0 ? NULL : "web", &command, &err);
	if (ret != -code || strcmp(err.msg, sentence) != 0)
		print_error("in bad/commands/%s:\n", name);
	assert_error(ret, &err, code, sentence);
	assert_int_equal(command.timeout_s, 77);
}

static void test_bad_commands(void **state)
{
	int dir_fd = open(TEST_SOURCE_DIR "/bad/commands", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO(path_list_deinit) struct path_list list = { .names = NULL };

	(void)state;
	assert_true(dir_fd >= 0);
	assert_int_equal(path_list_dir(dir_fd, &list, NULL), 0);
	assert_true(list.count > 100);
	for (size_t i = 0; i < list.count; i++)
		check_bad_file(dir_fd, list.names[i]);
	close(dir_fd);
}

/* --- out of memory, threads ------------------------------------------------- */

static int attempt_parse(void *arg)
{
	AUTO(command_deinit) struct command command = { .timeout_s = -1 };
	struct error err = ERROR_INIT;
	int ret = parse_text(arg, strlen(arg), NULL, &command, &err);

	assert_int_equal(ret, -err.code);
	return ret;
}

static void test_no_memory(void **state)
{
	static char lines[][300] = {
		"run --name web -it -a stdin -e A=1 -l a=b -m 1g -v /a -v /b:/c -p 80:80 -h a.b a",
		"run --tmpfs /t:ro --ulimit core=1 --restart always --log-opt max-file=3 a sh -c x",
		"run --entrypoint x --mount target=/a --expose 5 --cpus 1 --cap-add ALL a",
		"update -m 1g --restart no a b",
		"ps -f a=b -f c=d --format x",
		"stop -t 5 a b c",
		"import -m x /x.tar a:1",
		"tag a b",
		"rename a b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_true(alloc_sweep(attempt_parse, lines[i]) > 2);
}

static void *parse_often(void *arg)
{
	for (int i = 0; i < 300; i++) {
		AUTO(command_deinit) struct command command = { .timeout_s = -1 };
		int ret = parse_text(arg, strlen(arg), NULL, &command, NULL);

		if (ret < 0 || command.target_count != 3)
			return arg;
	}
	return NULL;
}

/* ctest-labels: threads */
static void test_threads(void **state)
{
	static char lines[4][64] = { "stop -t 5 a b c", "rm -fv a b c", "kill a b -s HUP c",
				     "inspect a b c --format x" };
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parse_often, lines[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		void *failed = NULL;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),      cmocka_unit_test(test_names),
		cmocka_unit_test(test_stop),      cmocka_unit_test(test_in_container),
		cmocka_unit_test(test_tables),    cmocka_unit_test(test_run_words),
		cmocka_unit_test(test_update),    cmocka_unit_test(test_properties),
		cmocka_unit_test(test_help),      cmocka_unit_test(test_bad_commands),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
