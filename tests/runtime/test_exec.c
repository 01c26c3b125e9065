/* Execs of an engine: found by name and key, run and run again, found again by the
 * next engine with what they did meanwhile, gone with their container; commands'
 * are done once, whatever engine asks.
 *
 * ctest-labels: threads
 */
#include "engine_fixture.h"

#include "runtime/exec/exec.h"

static json_t *wants(const char *script)
{
	return json_pack("{s:[s,s,s]}", "Cmd", "sh", "-c", script);
}

static struct container *make(struct container *c, const char *name)
{
	struct error err = ERROR_INIT;
	struct container *exec = NULL;
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	expect_ok(exec_create(c, &ticket, name, &exec, &err), &err);
	ticket_deinit(&ticket);
	return exec;
}

static int begin(struct container *exec, const char *script, struct error *err)
{
	auto_json json_t *wanted = wants(script);
	struct ticket ticket;
	int ret;

	ticket_init(&ticket, 0, false);
	ret = exec_start(exec, &ticket, wanted, err);
	ticket_deinit(&ticket);
	return ret;
}

static void must_begin(struct container *exec, const char *script)
{
	struct error err = ERROR_INIT;

	expect_ok(begin(exec, script, &err), &err);
}

/* Until its log is so. */
static void await_log(struct container *exec, const char *text)
{
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;

	for (;;) {
		AUTO(strbuf_deinit) struct strbuf log = STRBUF_INIT;

		path_read_file(container_get_dir_fd(exec), "log", 1 << 20, &log, NULL);
		if (strcmp(strbuf_get_str(&log), text) == 0)
			return;
		if (clock_monotonic_ns() > until_ns)
			fail_msg("the log is '%s'", strbuf_get_str(&log));
		sleep_ms(1);
	}
}

static int end(struct container *exec, struct error *err)
{
	struct ticket ticket;
	int ret;

	ticket_init(&ticket, 0, false);
	ret = exec_remove(exec, &ticket, err);
	ticket_deinit(&ticket);
	return ret;
}

static void test_entries(void **state)
{
	struct fixture *f = *state;
	struct container *c = run(f, "web", SLEEP), *exec = make(c, "x"), *found, **list;
	struct container_view *view = container_get_view(exec);
	struct error err = ERROR_INIT;
	struct ticket ticket;
	uint64_t key = view->key;
	size_t count;

	ticket_init(&ticket, 0, false);
	assert_true(container_is_exec(exec) && !container_is_exec(c) && view->is_exec);
	assert_string_equal(view->name, "web/exec/x");
	/* Found as an exec, and as no container. */
	found = exec_find(c, "x");
	assert_ptr_equal(found, exec);
	container_unref(found);
	found = engine_find_key(f->engine, key);
	assert_ptr_equal(found, exec);
	container_unref(found);
	assert_null(engine_find(f->engine, view->id));
	assert_null(exec_find(c, "y"));
	assert_null(exec_find(c, ""));
	container_view_unref(view);
	expect_error(exec_create(c, &ticket, "x", &found, &err), &err, EEXIST,
		     "container 'web' has an exec 'x' already");
	error_clear(&err);
	assert_int_equal(exec_create(c, &ticket, "a b", &found, &err), -EINVAL);
	error_clear(&err);
	assert_int_equal(exec_list(c, &list, &count), 0);
	assert_int_equal(count, 1);
	assert_string_equal(exec_get_name(list[0]), "x");
	container_unref(list[0]);
	free(list);
	expect_ok(end(exec, &err), &err);
	assert_null(exec_find(c, "x"));
	assert_null(engine_find_key(f->engine, key));
	container_unref(exec);
	/* One that does not run has none. */
	must(c, STOP_NOW);
	expect_error(exec_create(c, &ticket, "x", &found, &err), &err, ESRCH,
		     "container 'web' is not running");
	ticket_deinit(&ticket);
	container_unref(c);
}

static void test_runs(void **state)
{
	struct fixture *f = *state;
	struct container *c = run(f, "web", SLEEP), *exec = make(c, "x");
	struct error err = ERROR_INIT;

	must_begin(exec, "echo one; exit 3");
	assert_int_equal(wait_code(exec), 3);
	expect_state(exec, CONTAINER_EXITED, 3, "");
	must_begin(exec, "echo two; exec sleep 1000");
	expect_state(exec, CONTAINER_RUNNING, 0, "");
	expect_error(begin(exec, "true", &err), &err, EBUSY,
		     "exec 'web/exec/x' is already running");
	error_clear(&err);
	await_log(exec, "one\ntwo\n");
	must(exec, KILL);
	expect_state(exec, CONTAINER_EXITED, 137, "");
	must_begin(exec, "exec sleep 1000");
	must(c, STOP_NOW);
	/* What has stopped has no exec that runs. */
	expect_state(exec, CONTAINER_EXITED, 137, "");
	expect_error(begin(exec, "true", &err), &err, ESRCH, "container 'web' is not running");
	must(c, REMOVE);
	assert_true(container_is_removed(exec));
	container_unref(exec);
	container_unref(c);
}

static void test_found_again(void **state)
{
	struct fixture *f = *state;
	struct container *c = run(f, "web", SLEEP);
	struct container *lives = make(c, "lives"), *ends = make(c, "ends"),
			 *waits = make(c, "waits");
	struct container_view *view = container_get_view(lives);
	uint64_t key = view->key;

	container_view_unref(view);
	must_begin(lives, "exec sleep 1000");
	must_begin(ends, "sleep 0.1; echo late; exit 4");
	container_unref(lives);
	container_unref(ends);
	container_unref(waits);
	container_unref(c);
	close_engine(f);
	sleep_ms(300);
	open_engine(f);
	c = engine_find(f->engine, "web");
	assert_non_null(c);
	lives = exec_find(c, "lives");
	ends = exec_find(c, "ends");
	waits = exec_find(c, "waits");
	assert_true(lives && ends && waits);
	view = container_get_view(lives);
	assert_int_equal(view->key, key);
	container_view_unref(view);
	expect_state(lives, CONTAINER_RUNNING, 0, "");
	expect_state(ends, CONTAINER_EXITED, 4, "");
	expect_log(ends, "late\n");
	expect_state(waits, CONTAINER_CREATED, 0, "");
	must_begin(waits, "exit 6");
	assert_int_equal(wait_code(waits), 6);
	must(lives, KILL);
	expect_state(lives, CONTAINER_EXITED, 137, "");
	container_unref(lives);
	container_unref(ends);
	container_unref(waits);
	container_unref(c);
}

/* A command whose engine dies is asked for again under its note: done once, answered as if nothing
 * had been. */
static void test_command_resumed(void **state)
{
	struct fixture *f = *state;
	struct container *c = run(f, "web", SLEEP);
	AUTO(strbuf_deinit) struct strbuf output = STRBUF_INIT;
	auto_json json_t *wanted = wants("echo x >> /tmp/times; echo out; exit 7");
	auto_json json_t *look = wants("cat /tmp/times");
	struct error err = ERROR_INIT;
	struct ticket ticket;
	char note[TICKET_NOTE_SIZE];
	int code = 0;

	ticket_init(&ticket, 5, false);
	expect_ok(exec_run(c, &ticket, wanted, false, &output, NULL, NULL, &code, &err), &err);
	assert_int_equal(code, 7);
	assert_string_equal(strbuf_get_str(&output), "out\n");
	memcpy(note, ticket.note, sizeof(note));
	ticket_deinit(&ticket);
	container_unref(c);
	close_engine(f);
	open_engine(f);
	c = engine_find(f->engine, "web");
	ticket_init(&ticket, 5, true);
	memcpy(ticket.note, note, sizeof(note));
	strbuf_reset(&output);
	code = 0;
	expect_ok(exec_run(c, &ticket, wanted, false, &output, NULL, NULL, &code, &err), &err);
	assert_int_equal(code, 7);
	assert_string_equal(strbuf_get_str(&output), "out\n");
	ticket_deinit(&ticket);
	ticket_init(&ticket, 6, false);
	strbuf_reset(&output);
	expect_ok(exec_run(c, &ticket, look, false, &output, NULL, NULL, &code, &err), &err);
	assert_string_equal(strbuf_get_str(&output), "x\n");
	ticket_deinit(&ticket);
	container_unref(c);
}

static void test_command_interrupted(void **state)
{
	struct fixture *f = *state;
	struct container *c = run(f, "web", SLEEP);
	AUTO(strbuf_deinit) struct strbuf output = STRBUF_INIT;
	auto_json json_t *wanted = wants("exec sleep 1000");
	struct error err = ERROR_INIT;
	struct ticket ticket;
	int code = 0;

	ticket_init(&ticket, 5, false);
	ticket_cancel(&ticket); /* turns that are free are taken all the same */
	assert_int_equal(exec_run(c, &ticket, wanted, false, &output, NULL, NULL, &code, &err),
			 -EINTR);
	ticket_deinit(&ticket);
	container_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_entries, setup_engine, teardown_engine),
		cmocka_unit_test_setup_teardown(test_runs, setup_engine, teardown_engine),
		cmocka_unit_test_setup_teardown(test_found_again, setup_engine, teardown_engine),
		cmocka_unit_test_setup_teardown(test_command_resumed, setup_engine,
						teardown_engine),
		cmocka_unit_test_setup_teardown(test_command_interrupted, setup_engine,
						teardown_engine),
	};

	return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
