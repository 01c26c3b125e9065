/* The verbs of the engine on real containers: life cycle, errors and their sentences,
 * what overtakes what, and that nothing is left.
 *
 * ctest-labels: threads
 */
#include "engine_fixture.h"

#include "runtime/engine_private.h"

/* --- life cycle ------------------------------------------------------------- */

static void test_life_cycle(void **state)
{
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *c = create(*state, "web", SLEEP);
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	assert_string_equal(view->name, "web");
	assert_int_equal(view->state, CONTAINER_CREATED);
	assert_int_equal(view->run, 0);
	assert_string_equal(view->image_id, fixture.image_id);
	must(c, START);
	container_view_unref(view);
	view = container_get_view(c);
	assert_int_equal(view->state, CONTAINER_RUNNING);
	assert_int_equal(view->run, 1);
	assert_int_equal(kill(view->pid, 0), 0);
	expect_error(act(c, START, &err), &err, EBUSY, "container 'web' is already running");
	error_clear(&err);
	expect_error(act(c, REMOVE, &err), &err, EBUSY,
		     "container 'web' is running; stop it or use rm -f");
	must(c, STOP_NOW);
	expect_state(c, CONTAINER_EXITED, 137, "");
	assert_int_equal(kill(view->pid, 0), -1);
	assert_int_equal(count_cgroups(*state), 0);
	must(c, STOP); /* of a stopped one: fine */
	error_clear(&err);
	expect_error(act(c, KILL, &err), &err, ESRCH, "container 'web' is not running");
	must(c, RESTART);
	must(c, RESTART);
	must(c, KILL);
	expect_state(c, CONTAINER_EXITED, 137, "");
	must(c, REMOVE);
	assert_true(container_is_removed(c));
	assert_null(engine_find(fixture.engine, "web"));
	error_clear(&err);
	expect_error(act(c, START, &err), &err, ENOENT, "no such container: web");
}

static void test_exit_codes_and_whole_logs(void **state)
{
	AUTO(container_unref)
	struct container *c = run(*state, "c", SHELL("echo out; echo err >&2; exit 3"));

	assert_int_equal(wait_code(c), 3);
	expect_state(c, CONTAINER_EXITED, 3, "");
	expect_log(c, "out\nerr\n");
	must(c, START);
	assert_int_equal(wait_code(c), 3);
	expect_log(c, "out\nerr\nout\nerr\n");
	must(c, REMOVE);
	expect_log(c, "out\nerr\nout\nerr\n"); /* who has the directory still reads */
}

static void test_signal_inside(void **state)
{
	AUTO(container_unref)
	struct container *c = run(
		*state, "c", SHELL("kill -TERM $$; trap 'exit 9' TERM; kill -TERM $$; sleep 9"));

	assert_int_equal(wait_code(c), 9);
}

static void test_stop_signal(void **state)
{
	const char *text =
		"{\"Cmd\":[\"sh\",\"-c\",\"trap 'exit 5' USR1; while :; do sleep 0.05; done\"],"
		"\"StopSignal\":\"USR1\"}";
	AUTO(container_unref) struct container *c = run(*state, "c", text);

	sleep_ms(300); /* for the trap to be set */
	must(c, STOP);
	expect_state(c, CONTAINER_EXITED, 5, "");
}

static void test_auto_remove(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref)
	struct container *c =
		run(f, "gone",
		    "{\"Cmd\":[\"sh\",\"-c\",\"exit 4\"],\"HostConfig\":{\"AutoRemove\":true}}");
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;

	assert_int_equal(wait_code(c), 4);
	while (!container_is_removed(c) && clock_monotonic_ns() < until_ns)
		sleep_ms(1);
	assert_true(container_is_removed(c));
}

/* --- starts that fail ------------------------------------------------------- */

static void test_missing_program(void **state)
{
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *c = create(*state, "c", "{\"Cmd\":[\"nope\"]}");
	AUTO(container_view_unref) struct container_view *view = NULL;

	assert_int_equal(act(c, START, &err), -ENOENT);
	assert_non_null(strstr(err.msg, "nope"));
	view = container_get_view(c);
	assert_int_equal(view->state, CONTAINER_EXITED);
	assert_int_equal(view->exit_code, 127);
	assert_non_null(strstr(view->error, "nope"));
	assert_int_equal(wait_code(c), 127);
	assert_int_equal(count_cgroups(*state), 0);
}

static void test_program_that_cannot_run(void **state)
{
	struct error err = ERROR_INIT;
	AUTO(container_unref)
	struct container *c = create(*state, "c", "{\"Cmd\":[\"/etc/motd\"]}");
	AUTO(container_view_unref) struct container_view *view = NULL;

	assert_int_equal(act(c, START, &err), -EACCES);
	view = container_get_view(c);
	assert_int_equal(view->exit_code, 126);
}

static void test_missing_program_with_auto_remove(void **state)
{
	struct error err = ERROR_INIT;
	AUTO(container_unref)
	struct container *c =
		create(*state, "c", "{\"Cmd\":[\"nope\"],\"HostConfig\":{\"AutoRemove\":true}}");

	assert_int_equal(act(c, START, &err), -ENOENT);
	assert_true(container_is_removed(c));
}

static void expect_start_fails(struct fixture *f, const char *text, int code, const char *msg)
{
	struct error err = ERROR_INIT;
	AUTO(container_unref) struct container *c = create(f, "bare", text);

	expect_error(act(c, START, &err), &err, code, msg);
	expect_state(c, CONTAINER_CREATED, 0, "");
	assert_int_equal(count_cgroups(f), 0);
	must(c, REMOVE);
}

static void test_failed_starts_change_nothing(void **state)
{
	expect_start_fails(*state, "{\"Image\":\"nope\",\"Cmd\":[\"true\"]}", ENOENT,
			   "no such image: nope");
	expect_start_fails(*state, "{}", EINVAL, "container 'bare': no command specified");
	expect_start_fails(*state, "{\"Cmd\":[\"true\"],\"HostConfig\":{\"Links\":[\"a:b\"]}}",
			   ENOENT, "no such container: a");
	expect_start_fails(
		*state,
		"{\"Cmd\":[\"true\"],\"NetworkDisabled\":true,\"HostConfig\":{"
		"\"PortBindings\":{\"80/tcp\":[{\"HostPort\":\"80\"}]}}}",
		EINVAL,
		"PortBindings cannot be with NetworkMode 'none': only a container on the "
		"bridge publishes ports");
	expect_start_fails(*state,
			   "{\"Cmd\":[\"true\"],\"HostConfig\":{\"NetworkMode\":\"container:x\"}}",
			   ENOENT, "no such container: x");
	expect_start_fails(*state, "{\"Cmd\":[\"true\"],\"User\":\"nobody\"}", EINVAL,
			   "no user 'nobody' in the container's /etc/passwd");
}

static void test_no_image(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	auto_json json_t *config = json_object();
	AUTO(container_unref) struct container *c = NULL;
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	expect_ok(engine_create(f->engine, &ticket, "c", config, true, &c, &err), &err);
	ticket_deinit(&ticket);
	expect_error(act(c, START, &err), &err, ENOENT,
		     "container 'c' has no image; set Image in its config");
}

/* --- what overtakes what ---------------------------------------------------- */

enum slow_verb { SLOW_STOP, SLOW_RESTART, SLOW_WAIT };

struct slow {
	pthread_t thread;
	struct container *c;
	struct ticket ticket;
	enum slow_verb what;
	int ret, code;
	struct error err;
};

static void *do_slowly(void *arg)
{
	struct slow *slow = arg;

	if (slow->what == SLOW_STOP)
		slow->ret = container_stop(slow->c, &slow->ticket, 0, 60, &slow->err);
	else if (slow->what == SLOW_RESTART)
		slow->ret = container_restart(slow->c, &slow->ticket, 0, 1, &slow->err);
	else
		slow->ret = container_wait(slow->c, &slow->ticket, &slow->code, &slow->err);
	return NULL;
}

static void begin(struct slow *slow, struct container *c, enum slow_verb what)
{
	memset(slow, 0, sizeof(*slow));
	slow->c = c;
	slow->what = what;
	ticket_init(&slow->ticket, 0, false);
	pthread_create(&slow->thread, NULL, do_slowly, slow);
	sleep_ms(100);
}

static int end(struct slow *slow)
{
	pthread_join(slow->thread, NULL);
	ticket_deinit(&slow->ticket);
	return slow->ret;
}

static void test_kill_overtakes_stop(void **state)
{
	AUTO(container_unref) struct container *c = run(*state, "c", SLEEP);
	struct error err = ERROR_INIT;
	struct slow stop, wait;
	struct ticket ticket;

	begin(&wait, c, SLOW_WAIT);
	begin(&stop, c, SLOW_STOP);
	assert_int_equal(state_of(c), CONTAINER_RUNNING);
	/* Neither does what takes turns queue behind it. */
	ticket_init(&ticket, 0, false);
	expect_ok(container_rename(c, &ticket, "d", &err), &err);
	ticket_deinit(&ticket);
	must(c, KILL);
	assert_int_equal(end(&stop), 0);
	assert_int_equal(end(&wait), 0);
	assert_int_equal(wait.code, 137);
}

static void test_interrupted_stop_goes_on(void **state)
{
	AUTO(container_unref) struct container *c = run(*state, "c", SLEEP);
	struct error err = ERROR_INIT;
	struct ticket ticket;
	struct slow stop;

	begin(&stop, c, SLOW_STOP);
	ticket_cancel(&stop.ticket);
	assert_int_equal(end(&stop), -EINTR);
	assert_string_equal(stop.err.msg, "interrupted; the stop goes on");
	assert_int_equal(state_of(c), CONTAINER_RUNNING);
	ticket_init(&ticket, 0, false); /* a second one shortens the time */
	expect_ok(container_stop(c, &ticket, 0, 0, &err), &err);
	ticket_deinit(&ticket);
	assert_int_equal(state_of(c), CONTAINER_EXITED);
}

static void test_stop_after_restart(void **state)
{
	AUTO(container_unref) struct container *c = run(*state, "c", SLEEP);
	struct error err = ERROR_INIT;
	struct slow restart;

	begin(&restart, c, SLOW_RESTART);
	expect_error(act(c, START, &err), &err, EBUSY, "container 'c' is already running");
	must(c, STOP_NOW);
	assert_int_equal(end(&restart), 0);
	assert_int_equal(state_of(c), CONTAINER_EXITED);
}

static void test_wait_survives_removal(void **state)
{
	AUTO(container_unref) struct container *c = run(*state, "c", SLEEP);
	AUTO(container_unref) struct container *never = create(*state, "n", SLEEP);
	struct slow wait, for_nothing;

	begin(&wait, c, SLOW_WAIT);
	begin(&for_nothing, never, SLOW_WAIT);
	must(c, REMOVE_FORCED);
	must(never, REMOVE);
	assert_int_equal(end(&wait), 0);
	assert_int_equal(wait.code, 137);
	assert_int_equal(end(&for_nothing), -ENOENT);
}

/* --- stdin ------------------------------------------------------------------ */

static void test_stdin(void **state)
{
	AUTO(container_unref)
	struct container *c =
		run(*state, "c", "{\"Cmd\":[\"cat\"],\"OpenStdin\":true,\"StdinOnce\":true}");
	struct error err = ERROR_INIT;

	container_open_stdin(c);
	assert_int_equal(container_write_stdin(c, 7, "hello\n", 6, &err), 6);
	assert_int_equal(container_write_stdin(c, 7, "hello\n", 6, &err), 6); /* sent again */
	assert_int_equal(container_write_stdin(c, 8, "world\n", 6, &err), 6);
	container_release_stdin(c, 1);
	assert_int_equal(wait_code(c), 0);
	expect_log(c, "hello\nworld\n");
	assert_int_equal(container_write_stdin(c, 9, "x", 1, &err), -ESRCH);
	assert_string_equal(err.msg, "stdin: container 'c' is not running");
}

static void test_no_stdin(void **state)
{
	AUTO(container_unref) struct container *c = run(*state, "c", SLEEP);
	struct error err = ERROR_INIT;
	struct ticket ticket;

	assert_int_equal(container_write_stdin(c, 1, "x", 1, &err), -EPIPE);
	error_clear(&err);
	ticket_init(&ticket, 0, false);
	expect_error(container_resize(c, &ticket, 10, 10, &err), &err, ENOTTY,
		     "container 'c' has no terminal");
	ticket_deinit(&ticket);
}

/* --- a shim that does not answer --------------------------------------------- */

static void test_stuck_shim(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref) struct container *c = run(f, "c", SLEEP);
	AUTO(container_unref) struct container *other = run(f, "other", SLEEP);
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int64_t begin_ns = clock_monotonic_ns();
	struct slow stop;

	run_shell("kill -STOP $(cut -d' ' -f1 %s/%.12s/shim.pid)", f->run, view->id);
	begin(&stop, c, SLOW_STOP);
	must(other, KILL); /* is held up by nothing of this */
	assert_true(clock_monotonic_ns() - begin_ns < INT64_C(3000000000));
	must(c, KILL);
	assert_int_equal(end(&stop), 0);
	expect_state(c, CONTAINER_EXITED, 137,
		     "the shim was killed, and the container was ended with it");
}

/* --- events ----------------------------------------------------------------- */

static void test_events(void **state)
{
	struct fixture *f = *state;
	static const char *const expected[] = { "create", "start",  "kill",   "kill",   "die",
						"stop",   "update", "rename", "destroy" };
	uint64_t seq = events_get_next(f->events);
	AUTO(container_unref) struct container *c = run(f, "c", SLEEP);
	auto_json json_t *patch = json_pack("{s:s}", "Domainname", "example");
	struct error err = ERROR_INIT;
	struct ticket ticket;
	static char lines[8000];
	char *at = lines, action[40];
	ssize_t len;

	must(c, STOP_NOW);
	ticket_init(&ticket, 0, false);
	expect_ok(container_update(c, &ticket, patch, &err), &err);
	expect_ok(container_rename(c, &ticket, "d", &err), &err);
	ticket_deinit(&ticket);
	must(c, REMOVE);
	/* All of them are there by now, in this order. */
	len = events_read(f->events, &seq, lines, sizeof(lines) - 1);
	assert_true(len > 0);
	lines[len] = '\0';
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		char *line = strsep(&at, "\n");

		snprintf(action, sizeof(action), "\"Action\":\"%s\"", expected[i]);
		if (!line || !strstr(line, action))
			fail_msg("expected %s, got %s", action, line ? line : "nothing");
	}
	assert_string_equal(at, "");
}

/* --- commands sent again ---------------------------------------------------- */

static void test_resumed_commands(void **state)
{
	struct fixture *f = *state;
	auto_json json_t *config = make_config(SLEEP);
	AUTO(container_unref) struct container *c = NULL;
	AUTO(container_unref) struct container *again = NULL;
	AUTO(container_view_unref) struct container_view *view = NULL;
	struct error err = ERROR_INIT;
	struct ticket ticket, resumed;

	ticket_init(&ticket, 1, false);
	expect_ok(engine_create(f->engine, &ticket, "c", config, false, &c, &err), &err);
	ticket_init(&resumed, 1, true);
	memcpy(resumed.note, ticket.note, sizeof(resumed.note));
	expect_ok(engine_create(f->engine, &resumed, "c", config, false, &again, &err), &err);
	assert_ptr_equal(c, again);
	expect_ok(container_start(c, &ticket, &err), &err);
	memcpy(resumed.note, ticket.note, sizeof(resumed.note));
	expect_ok(container_start(c, &resumed, &err), &err);
	expect_ok(container_restart(c, &resumed, 0, 0, &err), &err);
	view = container_get_view(c);
	assert_int_equal(view->run, 1);
	/* Made, run and removed before the answer: not made again. */
	must(c, REMOVE_FORCED);
	container_unref(steal_ptr(&again));
	expect_ok(engine_create(f->engine, &resumed, "c", config, false, &again, &err), &err);
	assert_true(container_is_removed(again));
	expect_ok(container_start(again, &resumed, &err), &err);
	assert_null(engine_find(f->engine, "c"));
	ticket_deinit(&resumed);
	ticket_deinit(&ticket);
}

/* --- many ------------------------------------------------------------------- */

static void *run_one(void *arg)
{
	struct fixture *f = &fixture;
	char name[16];
	int number = *(int *)arg;
	AUTO(container_unref) struct container *c = NULL;

	snprintf(name, sizeof(name), "p%d", number);
	c = run(f, name, SHELL("echo done; exit 7"));
	assert_int_equal(wait_code(c), 7);
	expect_log(c, "done\n");
	must(c, REMOVE);
	return NULL;
}

static void test_parallel_runs(void **state)
{
	pthread_t threads[32];
	int numbers[32];

	(void)state;
	for (int i = 0; i < 32; i++) {
		numbers[i] = i;
		pthread_create(&threads[i], NULL, run_one, &numbers[i]);
	}
	for (int i = 0; i < 32; i++)
		pthread_join(threads[i], NULL);
}

static void test_rootfs(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref)
	struct container *c = create(f, "c", SHELL("cat /tmp/in; echo out > /tmp/out"));
	struct error err = ERROR_INIT;
	char path[PATH_MAX];

	expect_ok(container_expose_rootfs(c, path, sizeof(path), &err), &err);
	run_shell("echo in > %s/tmp/in", path);
	must(c, START);
	assert_int_equal(wait_code(c), 0);
	expect_log(c, "in\n");
	expect_ok(container_expose_rootfs(c, path, sizeof(path), &err), &err);
	run_shell("grep -q out %s/tmp/out", path);
}

static void test_idle_rootfs(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref) struct container *c = create(f, "c", SLEEP);
	struct error err = ERROR_INIT;
	char path[PATH_MAX];
	int fd;

	expect_ok(container_expose_rootfs(c, path, sizeof(path), &err), &err);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	image_hide_idle(f->engine, 0);
	assert_int_equal(faccessat(fd, "etc/motd", F_OK, 0), 0);
	run_shell("grep -q ' %s ' /proc/self/mountinfo", path); /* somebody is in it */
	close(fd);
	image_hide_idle(f->engine, EXPOSED_IDLE_NS);
	run_shell("grep -q ' %s ' /proc/self/mountinfo", path); /* asked for just now */
	image_hide_idle(f->engine, 0);
	run_shell("! grep -q ' %s ' /proc/self/mountinfo", path);
	expect_ok(container_expose_rootfs(c, path, sizeof(path), &err), &err);
	run_shell("test -e %s/etc/motd", path);
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_engine, teardown_engine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_life_cycle),
		ENGINE_TEST(test_exit_codes_and_whole_logs),
		ENGINE_TEST(test_signal_inside),
		ENGINE_TEST(test_stop_signal),
		ENGINE_TEST(test_auto_remove),
		ENGINE_TEST(test_missing_program),
		ENGINE_TEST(test_program_that_cannot_run),
		ENGINE_TEST(test_missing_program_with_auto_remove),
		ENGINE_TEST(test_failed_starts_change_nothing),
		ENGINE_TEST(test_no_image),
		ENGINE_TEST(test_kill_overtakes_stop),
		ENGINE_TEST(test_interrupted_stop_goes_on),
		ENGINE_TEST(test_stop_after_restart),
		ENGINE_TEST(test_wait_survives_removal),
		ENGINE_TEST(test_stdin),
		ENGINE_TEST(test_no_stdin),
		ENGINE_TEST(test_stuck_shim),
		ENGINE_TEST(test_events),
		ENGINE_TEST(test_resumed_commands),
		ENGINE_TEST(test_parallel_runs),
		ENGINE_TEST(test_rootfs),
		ENGINE_TEST(test_idle_rootfs),
	};

	return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
