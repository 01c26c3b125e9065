/* Commands carried out: what is asked of the engine, in which order, what the reply and the
 * sentence are, and what an engine does that comes after one that died in the middle.
 */
#include "tests/fs/performing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
#define REPEAT_8(x) x x x x x x x x
#define ID(digit) REPEAT_8(REPEAT_8(digit))
/* clang-format on */

/* --- one name, several names ------------------------------------------------- */

static void test_exec(void **state)
{
	struct fixture *f = *state;

	fake.output = "out\n";
	check(f, NULL, "exec web ls -l", "exec_run(web) ", "out\n");
	check(f, NULL, "exec -d web ls", "exec_run(web,detached) ", "out\n");
	check(f, &fake.containers[0], "exec ls", "exec_run(web) ", "out\n");
	check_fails(f, "exec nope ls", ENOENT, "exec: no such container: nope", "", "");
	fake.wait_code = 7;
	fake.output = "torn";
	check_fails(f, "exec web ls", EREMOTEIO, "exec: web: exit code 7", "exec_run(web) ",
		    "torn\n");
	fake_fail("exec_run", NULL, ESRCH, "container 'web' is not running");
	fake.output = NULL;
	check_fails(f, "exec web ls", ESRCH, "exec: container 'web' is not running",
		    "exec_run(web) ", "");
	fake.fail_verb = NULL;
	fake.is_exec = true;
	check(f, &fake.containers[0], "exec -t ls", "exec_start(web) ", "");
}

static void test_one(void **state)
{
	struct fixture *f = *state;

	check(f, NULL, "start web", "start(web) ", "");
	assert_string_equal(f->ticket.note, ID("1"));
	assert_int_equal(f->saves, 1);
	check(f, NULL, "stop -t 5 -s HUP web", "stop(web,1,5) ", "");
	check(f, NULL, "stop web", "stop(web,0,-1) ", "");
	check(f, NULL, "kill -s 15 web", "kill(web,15) ", "");
	check(f, NULL, "restart web", "restart(web,0,-1) ", "");
	check(f, NULL, "rename web new", "rename(web,new) ", "");
	check(f, NULL, "update -m 1m web", "update(web) ", "");
	check(f, NULL, "rm -fv web", "rm(web,force,volumes) ", "");
}

static void test_here(void **state)
{
	struct fixture *f = *state;
	struct container *c = engine_find(&fake, "db");

	check(f, c, "start", "start(db) ", "");
	check(f, c, "stop 5", "stop(db,0,5) ", "");
	check(f, c, "kill", "kill(db,9) ", "");
	check(f, c, "resize 40 120", "resize(db,40,120) ", "");
	check(f, c, "closestdin", "closestdin(db) ", "");
	fake.wait_code = 7;
	check(f, c, "wait", "wait(db) ", "7\n");
	check(f, c, "rename other", "rename(db,other) ", "");
	check(f, c, "rm", "rm(db) ", "");
}

static void test_several(void **state)
{
	struct fixture *f = *state;

	check(f, NULL, "stop db web", "stop(db,0,-1) stop(web,0,-1) ", "db\nweb\n");
	fake.wait_code = 3;
	check(f, NULL, "wait web db", "wait(web) wait(db) ", "3\n4\n");
	check_fails(f, "stop web nope db", ENOENT, "stop: no such container: nope", "", "");
	fake_fail("kill", "db", ESRCH, "container 'db' is not running");
	check_fails(f, "kill web db old", ESRCH, "kill: container 'db' is not running",
		    "kill(web,9) kill(db,9) ", "web\n");
	fake_fail("wait", "db", EINTR, "interrupted");
	fake.wait_code = 3;
	check_fails(f, "wait web db", EINTR, "wait: interrupted", "wait(web) wait(db) ", "3\n");
}

static void test_words_once(void **state)
{
	struct fixture *f = *state;

	fake_fail("start", NULL, EBUSY, "container 'web' is already running");
	check_fails(f, "start web", EBUSY, "start: container 'web' is already running",
		    "start(web) ", "");
}

/* --- after an engine that died ------------------------------------------------ */

static void test_resumed_one(void **state)
{
	struct fixture *f = *state;

	/* It had not begun. */
	begin(f, true, "");
	check(f, NULL, "stop web", "stop(web,0,-1)* ", "");
	/* It had, and the verb's own note is not lost. */
	begin(f, true, ID("1") " 4");
	f->saves = 0;
	check(f, NULL, "stop web", "stop(web,0,-1)* ", "");
	assert_string_equal(f->ticket.note, ID("1") " 4");
	assert_int_equal(f->saves, 0);
	/* It is done, and the container is gone. */
	begin(f, true, ID("9"));
	check(f, NULL, "rm nope", "", "");
	begin(f, true, "");
	check_fails(f, "rm nope", ENOENT, "rm: no such container: nope", "", "");
}

static void test_resumed_several(void **state)
{
	struct fixture *f = *state;

	begin(f, true, ID("2") " 1");
	check(f, NULL, "restart web db old", "restart(db,0,-1)* restart(old,0,-1) ",
	      "web\ndb\nold\n");
	/* db had been removed, or was about to be. */
	engine_find(&fake, "db")->removed = true;
	begin(f, true, ID("2"));
	check(f, NULL, "rm db old", "rm(old) ", "db\nold\n");
	begin(f, true, ID("2"));
	check(f, NULL, "stop web db", "", "web\ndb\n");
	/* Codes are wanted again, and cannot be had of one that has gone. */
	begin(f, true, ID("1"));
	check_fails(f, "wait old web", ENOENT, "wait: no such container: old", "", "");
	fake_add("old", '3');
	begin(f, true, ID("1"));
	fake.wait_code = 5;
	check(f, NULL, "wait old web", "wait(old)* wait(web) ", "5\n6\n");
}

/* --- create and run ------------------------------------------------------------ */

static void test_create(void **state)
{
	struct fixture *f = *state;

	import_image(f, "a:1");
	check(f, NULL, "create --name new a:1 sh", "create(new,durable) ", ID("a") "\n");
	check(f, NULL, "run a:1 sh", "create(-) start(new) ", ID("b") "\n");
	check_fails(f, "run nope sh", ENOENT, "run: no such image: nope", "", "");
	check(f, NULL, "run --pull missing a:1 sh", "create(-) start(new) ", ID("c") "\n");
	check_fails(f, "create --pull missing nope sh", ECONNREFUSED,
		    "create: no such image: nope, and it could not be pulled: 'nope' at registry "
		    "localhost:1: cannot connect: Connection refused",
		    "", "");
	check_fails(f, "run --pull always a:1 sh", ECONNREFUSED,
		    "run: 'a:1' at registry localhost:1: cannot connect: Connection refused", "",
		    "");
	fake_fail("create", NULL, EEXIST, "the name 'web' is taken by container 0123");
	check_fails(f, "run --name web a:1", EEXIST,
		    "run: the name 'web' is taken by container 0123", "create(web) ", "");
	check_fails(f, "create --name web a:1", EEXIST,
		    "create: the name 'web' is taken by container 0123", "create(web,durable) ",
		    "");
}

static void test_run_fails(void **state)
{
	struct fixture *f = *state;

	import_image(f, "a:1");
	/* Anything but the program: nothing is left. */
	fake_fail("start", NULL, EINVAL, "no such user");
	check_fails(f, "run --name x a:1", EINVAL, "run: no such user",
		    "create(x) start(x) rm(x,force,volumes) ", "");
	assert_string_equal(f->ticket.note, ID("a") " failed 22 no such user");
	/* Its program: it stays, exited. */
	fake.fail_as_exited = true;
	fake_fail("start", NULL, ENOENT, "no program 'nope'");
	check_fails(f, "run --name y a:1 nope", ENOENT, "run: no program 'nope'",
		    "create(y) start(y) ", "");
	assert_non_null(engine_find(&fake, "y"));
	check_fails(f, "run --rm --name z a:1 nope", ENOENT, "run: no program 'nope'",
		    "create(z) start(z) rm(z,force,volumes) ", "");
}

static void test_run_resumed(void **state)
{
	struct fixture *f = *state;

	/* The image may have gone since: it is not asked for again. */
	begin(f, true, ID("a") " made");
	check(f, NULL, "run --name x a:1", "create(x)* start(x)* ", ID("a") "\n");
	/* The failure was noted, the removal not done. */
	begin(f, true, ID("a") " failed 22 no such user");
	check_fails(f, "run --name x a:1", EINVAL, "run: no such user", "rm(x,force,volumes) ", "");
	/* The removal was done too. */
	begin(f, true, ID("a") " failed 22 no such user");
	check_fails(f, "run --name x a:1", EINVAL, "run: no such user", "", "");
	begin(f, true, ID("a") " failed x");
	check_fails(f, "run --name x a:1", EIO, "run: ", "", "");
}

/* --- images -------------------------------------------------------------------- */

static void test_tag_and_rmi(void **state)
{
	struct fixture *f = *state;
	AUTO(image_unref) struct image *image = NULL;
	char line[200];

	import_image(f, "a:1");
	check(f, NULL, "tag a:1 b", "", "");
	check(f, NULL, "tag -f a:1 b", "", "");
	begin(f, false, "");
	assert_int_equal(run(f, NULL, "tag a:1 b"), -EEXIST);
	/* It was free when an earlier engine began: that one made it. */
	begin(f, true, "tag");
	check(f, NULL, "tag a:1 b", "", "");
	begin(f, false, "");
	check_fails(f, "tag nope b", ENOENT, "tag: no such image: nope", "", "");
	check(f, NULL, "tag a:1 c:2", "", "");
	check_fails(f, "rmi b nope c:2", ENOENT, "rmi: no such image: nope", "", "");
	image = graph_find_image(f->graph, "b", NULL);
	assert_non_null(image);
	snprintf(line, sizeof(line), "rmi %.12s", image->id);
	begin(f, false, "");
	assert_int_equal(run(f, NULL, line), -EBUSY);
	check(f, NULL, "rmi b c:2", "", "Untagged: b:latest\nUntagged: c:2\n");
	assert_int_equal(run(f, NULL, line), 0);
	assert_null(graph_find_image(f->graph, "a:1", NULL));
}

static void test_rmi_resumed(void **state)
{
	struct fixture *f = *state;

	import_image(f, "a:1");
	check(f, NULL, "tag a:1 b", "", "");
	check(f, NULL, "tag a:1 c", "", "");
	/* The first was done, of the second it is not known, the third is new. */
	begin(f, true, "1");
	check(f, NULL, "rmi gone b c", "",
	      "Untagged: gone:latest\nUntagged: b:latest\nUntagged: c:latest\n");
	begin(f, true, "0");
	check(f, NULL, "rmi b", "", "Untagged: b:latest\n");
	begin(f, true, "0");
	check_fails(f, "rmi a:1 b", ENOENT, "rmi: no such image: b", "", "");
	begin(f, true, "");
	check_fails(f, "rmi b", ENOENT, "rmi: no such image: b", "", "");
}

/* --- what is shown ------------------------------------------------------------- */

static void test_show(void **state)
{
	struct fixture *f = *state;
	int ret;

	import_image(f, "a:1");
	begin(f, false, "");
	ret = run(f, NULL, "images");
	assert_ok(ret, &f->err);
	assert_non_null(strstr(f->reply.data, "REPOSITORY"));
	ret = run(f, NULL, "history -q a:1");
	assert_ok(ret, &f->err);
	assert_true(f->reply.len > 12);
	ret = run(f, NULL, "ps");
	assert_ok(ret, &f->err);
	assert_non_null(strstr(f->reply.data, "CONTAINER ID"));
	ret = run(f, NULL, "info");
	assert_ok(ret, &f->err);
	assert_non_null(strstr(f->reply.data, "docker.io"));
	ret = run(f, NULL, "version");
	assert_ok(ret, &f->err);
	assert_non_null(strstr(f->reply.data, CONTAINERFS_VERSION));
	check_fails(f, "history nope", ENOENT, "history: no such image: nope", "", "");
	begin(f, false, "");
	assert_int_equal(run(f, NULL, "ps -f foo=bar"), -EINVAL);
	assert_int_equal(strncmp(f->err.msg, "ps: ", 4), 0);
}

static void test_inspect(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *list = NULL;
	int ret;

	import_image(f, "a:1");
	engine_find(&fake, "web")->view.config = json_object();
	engine_find(&fake, "web")->view.effective = json_object();
	begin(f, false, "");
	ret = run(f, NULL, "inspect web a:1");
	assert_ok(ret, &f->err);
	ret = json_parse_text(f->reply.data, f->reply.len, &list, &f->err);
	assert_ok(ret, &f->err);
	assert_int_equal(json_array_size(list), 2);
	check(f, NULL, "inspect -f '{{.Name}} {{.State.Running}}' web", "", "web true\n");
	check(f, engine_find(&fake, "web"), "inspect --format {{.Id}}", "", ID("1") "\n");
	check_fails(f, "inspect nope", ENOENT, "inspect: no such container or image: nope", "", "");
	check_fails(f, "inspect web nope", ENOENT, "inspect: no such container or image: nope", "",
		    "");
	check_fails(f, "inspect -f '{{.Name}} {{.Foo}}' web", EINVAL,
		    "inspect: there is no 'Foo' in '{{.Foo}}'", "", "");
	json_decref(engine_find(&fake, "web")->view.config);
	json_decref(engine_find(&fake, "web")->view.effective);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_exec),
		TEST(test_one),
		TEST(test_here),
		TEST(test_several),
		TEST(test_words_once),
		TEST(test_resumed_one),
		TEST(test_resumed_several),
		TEST(test_create),
		TEST(test_run_fails),
		TEST(test_run_resumed),
		TEST(test_tag_and_rmi),
		TEST(test_rmi_resumed),
		TEST(test_show),
		TEST(test_inspect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
