/* What an engine finds when it opens after another one: containers that ran on,
 * that ended meanwhile, whose shim was killed, whose files are damaged; a machine
 * that was restarted; launches and stops in the middle.
 *
 * The engine that dies is a process of its own: this program, executed again with
 * the word "child" and the name of a scenario. It says when it is ready, and is
 * killed with SIGKILL, at random moments in the last test.
 *
 * ctest-labels: threads
 */
#include "engine_fixture.h"

#include <spawn.h>

#define CHAOS_ROUNDS 30
#define CHAOS_THREADS 3
#define CHAOS_NAMES 4

extern char **environ;

/* --- the other engine ------------------------------------------------------- */

struct child {
	pid_t pid;
	int ready_fd;
};

/* Returns when it is ready. */
static struct child spawn_child(const struct fixture *f, const char *scenario)
{
	const char *argv[] = { "/proc/self/exe", "child",     scenario, f->dir,
			       f->instance,      f->image_id, NULL };
	posix_spawn_file_actions_t actions;
	struct child child;
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], 0);
	assert_int_equal(
		posix_spawn(&child.pid, argv[0], &actions, NULL, (char *const *)argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	child.ready_fd = ends[0];
	if (read(child.ready_fd, &byte, 1) != 1)
		fail_msg("the other engine did not get ready for '%s'", scenario);
	return child;
}

static void kill_child(struct child *child)
{
	kill(child->pid, SIGKILL);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	close(child->ready_fd);
}

static void say_ready(void)
{
	assert_int_equal(write(0, "r", 1), 1);
}

static void die_by_signal(void)
{
	for (;;)
		pause();
}

static void child_runs(struct fixture *f)
{
	run(f, "web", SLEEP);
	run(f, "short", SHELL("sleep 0.2; echo last words; exit 5"));
	create(f, "never", SLEEP);
	sleep_ms(100);
	say_ready();
	die_by_signal();
}

/* Long enough for the states to be copied to ROOT. */
static void child_runs_long(struct fixture *f)
{
	run(f, "web", SLEEP);
	sleep_ms(1500);
	say_ready();
	die_by_signal();
}

static void *stop_slowly(void *arg)
{
	struct error err = ERROR_INIT;
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	container_stop(arg, &ticket, 0, 1, &err);
	return NULL;
}

static void child_stops(struct fixture *f)
{
	struct container *c = run(f, "web", SLEEP); /* sleep as process 1 ignores TERM */
	pthread_t thread;

	pthread_create(&thread, NULL, stop_slowly, c);
	sleep_ms(200);
	say_ready();
	die_by_signal();
}

/* --- any verb on any container, until killed -------------------------------- */

static void make_trouble(struct fixture *f, unsigned *seed)
{
	static const char *const configs[] = {
		SLEEP,
		SLEEP,
		"{\"Cmd\":[\"sh\",\"-c\",\"exit 3\"],\"HostConfig\":{\"AutoRemove\":true}}",
		("{\"Cmd\":[\"sh\",\"-c\",\"exit 3\"],"
		 "\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\"}}}"),
	};
	auto_json json_t *config = make_config(configs[rand_r(seed) % 4]);
	AUTO(container_unref) struct container *c = NULL;
	struct error err = ERROR_INIT;
	struct ticket ticket;
	char name[8];

	snprintf(name, sizeof(name), "n%d", rand_r(seed) % CHAOS_NAMES);
	ticket_init(&ticket, 0, false);
	c = engine_find(f->engine, name);
	if (!c && engine_create(f->engine, &ticket, name, config, false, &c, &err) < 0)
		c = NULL;
	error_clear(&err);
	if (c)
		act(c, (enum verb)(rand_r(seed) % (REMOVE_FORCED + 1)), &err);
	if (err.code == EIO)
		fail_msg("%s", err.msg);
	ticket_deinit(&ticket);
}

static void *make_troubles(void *arg)
{
	unsigned seed = (unsigned)clock_monotonic_ns() ^ (unsigned)(uintptr_t)arg;

	for (;;)
		make_trouble(&fixture, &seed);
	return NULL;
}

static void child_chaos(struct fixture *f)
{
	pthread_t threads[CHAOS_THREADS];

	(void)f;
	say_ready();
	for (uintptr_t i = 0; i < CHAOS_THREADS; i++)
		pthread_create(&threads[i], NULL, make_troubles, (void *)(i << 20));
	die_by_signal();
}

static int run_child(char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(struct fixture *f);
	} scenarios[] = { { "runs", child_runs },
			  { "runs long", child_runs_long },
			  { "stops", child_stops },
			  { "chaos", child_chaos } };
	struct fixture *f = &fixture;

	snprintf(f->dir, sizeof(f->dir), "%s", argv[3]);
	snprintf(f->root, sizeof(f->root), "%.60s/root", f->dir);
	snprintf(f->run, sizeof(f->run), "%.60s/run", f->dir);
	snprintf(f->images, sizeof(f->images), "%.80s/images", f->root);
	snprintf(f->instance, sizeof(f->instance), "%s", argv[4]);
	snprintf(f->image_id, sizeof(f->image_id), "%s", argv[5]);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_engine(f);
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, argv[2]))
			scenarios[i].fn(f);
	return 1;
}

/* --- finding what ran on ---------------------------------------------------- */

static struct container *find(struct fixture *f, const char *name)
{
	struct container *c = engine_find(f->engine, name);

	if (!c)
		fail_msg("container '%s' is not there", name);
	return c;
}

static void test_engine_killed(void **state)
{
	struct fixture *f = *state;
	struct child child;

	close_engine(f);
	child = spawn_child(f, "runs");
	kill_child(&child);
	sleep_ms(500);
	open_engine(f);
	AUTO(container_unref) struct container *web = find(f, "web");
	AUTO(container_unref) struct container *ended = find(f, "short");
	AUTO(container_unref) struct container *never = find(f, "never");
	AUTO(container_view_unref) struct container_view *view = container_get_view(web);

	assert_int_equal(view->state, CONTAINER_RUNNING);
	assert_int_equal(view->run, 1);
	assert_int_equal(kill(view->pid, 0), 0);
	expect_state(ended, CONTAINER_EXITED, 5, "");
	expect_log(ended, "last words\n");
	expect_state(never, CONTAINER_CREATED, 0, "");
	assert_int_equal(count_cgroups(f), 1);
	must(web, STOP_NOW);
	expect_state(web, CONTAINER_EXITED, 137, "");
	must(ended, START);
	assert_int_equal(wait_code(ended), 5);
}

static void test_closed_and_opened(void **state)
{
	struct fixture *f = *state;
	struct child child;

	close_engine(f);
	child = spawn_child(f, "runs");
	kill_child(&child);
	for (int i = 0; i < 3; i++) {
		open_engine(f);
		AUTO(container_unref) struct container *web = find(f, "web");

		expect_state(web, CONTAINER_RUNNING, 0, "");
		container_unref(steal_ptr(&web));
		close_engine(f);
	}
	open_engine(f);
}

static void test_stop_goes_on(void **state)
{
	struct fixture *f = *state;
	struct child child;
	int64_t begin_ns = clock_monotonic_ns();

	close_engine(f);
	child = spawn_child(f, "stops");
	kill_child(&child);
	open_engine(f);
	AUTO(container_unref) struct container *web = find(f, "web");

	assert_int_equal(state_of(web), CONTAINER_RUNNING);
	assert_int_equal(wait_code(web), 137);
	assert_true(clock_monotonic_ns() - begin_ns < INT64_C(8000000000));
	expect_state(web, CONTAINER_EXITED, 137, "");
}

/* --- killed shims, restarted machines --------------------------------------- */

static pid_t find_shim(struct fixture *f, struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char path[64];
	uint64_t pid;

	snprintf(path, sizeof(path), "%.12s/shim.pid", view->id);
	expect_ok(path_read_file(f->run_fd, path, 100, &text, &err), &err);
	text.data[strcspn(text.data, " ")] = '\0';
	assert_int_equal(num_parse_u64(text.data, 1, INT32_MAX, &pid), 0);
	return (pid_t)pid;
}

#define SHIM_KILLED "the shim was killed, and the container was ended with it"

static void test_shim_killed(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref) struct container *c = run(f, "c", SHELL("echo said; sleep 1000"));

	sleep_ms(100);
	kill(find_shim(f, c), SIGKILL);
	assert_int_equal(wait_code(c), 137);
	expect_state(c, CONTAINER_EXITED, 137, SHIM_KILLED);
	assert_int_equal(count_cgroups(f), 0);
	expect_log(c, "said\n");
	must(c, START);
	must(c, KILL);
}

static void test_shim_killed_without_an_engine(void **state)
{
	struct fixture *f = *state;
	struct child child;

	close_engine(f);
	child = spawn_child(f, "runs");
	kill_child(&child);
	f->run_fd = open(f->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	run_shell("for p in %s/run/*/shim.pid; do kill -9 $(cut -d' ' -f1 $p); done; sleep 0.1",
		  f->dir);
	close(f->run_fd);
	open_engine(f);
	AUTO(container_unref) struct container *web = find(f, "web");

	expect_state(web, CONTAINER_EXITED, 137, SHIM_KILLED);
	assert_int_equal(count_cgroups(f), 0);
}

/* RUN is gone, and the boot id in ROOT's copy is another. */
static void test_machine_restarted(void **state)
{
	struct fixture *f = *state;
	struct child child;

	close_engine(f);
	child = spawn_child(f, "runs long");
	kill_child(&child);
	run_shell("set -e; for p in %s/run/*/shim.pid; do kill -9 $(cut -d' ' -f1 $p); done; "
		  "sleep 0.1; rm -r %s/run/*; "
		  "sed -i 's/\"boot\":\"[^\"]*\"/\"boot\":\"another\"/' "
		  "%s/root/containers/*/state.json",
		  f->dir, f->dir, f->dir);
	open_engine(f);
	AUTO(container_unref) struct container *web = find(f, "web");

	expect_state(web, CONTAINER_EXITED, 137, "the machine was restarted while it ran");
	assert_int_equal(count_cgroups(f), 0);
	must(web, START);
	must(web, KILL);
}

/* --- damage ----------------------------------------------------------------- */

static void expect_damaged(struct fixture *f, const char *name, const char *file)
{
	AUTO(container_unref) struct container *c = find(f, name);
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct error err = ERROR_INIT;

	assert_true(view->damaged);
	assert_string_equal(view->name, name);
	assert_int_equal(view->state, CONTAINER_EXITED);
	if (!strstr(view->error, file))
		fail_msg("'%s' does not name %s", view->error, file);
	assert_int_equal(act(c, START, &err), -EIO);
	error_clear(&err);
	must(c, STOP);
	must(c, REMOVE);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref) struct container *a = create(f, "a", SLEEP);
	AUTO(container_unref) struct container *b = create(f, "b", SLEEP);
	AUTO(container_unref) struct container *c = create(f, "c", SLEEP);
	AUTO(container_unref) struct container *d = create(f, "d", SLEEP);
	AUTO(container_view_unref) struct container_view *view_a = container_get_view(a);
	AUTO(container_view_unref) struct container_view *view_b = container_get_view(b);
	AUTO(container_view_unref) struct container_view *view_c = container_get_view(c);
	AUTO(container_view_unref) struct container_view *view_d = container_get_view(d);
	char digits_b[13], digits_d[13];

	snprintf(digits_b, sizeof(digits_b), "%.12s", view_b->id);
	snprintf(digits_d, sizeof(digits_d), "%.12s", view_d->id);
	container_unref(steal_ptr(&a));
	container_unref(steal_ptr(&b));
	container_unref(steal_ptr(&c));
	container_unref(steal_ptr(&d));
	close_engine(f);
	run_shell("set -e; cd %s/root/containers; echo '{' > %s/config.json; rm %s/meta.json; "
		  "echo '[]' > %s/config.json; rm -r %s; touch %s",
		  f->dir, view_a->id, view_b->id, view_c->id, view_d->id, view_d->id);
	open_engine(f);
	expect_damaged(f, "a", "config.json");
	expect_damaged(f, digits_b, "meta.json");
	expect_damaged(f, "c", "config.json");
	expect_damaged(f, digits_d, "directory");
}

/* --- half-made things ------------------------------------------------------- */

static void test_leftovers(void **state)
{
	struct fixture *f = *state;
	const char *id = "00000000deadbeef00000000deadbeef00000000deadbeef00000000deadbeef";
	const struct cgroup_limits limits = { .pids = 10 };
	struct cgroup cgroup = CGROUP_INIT;
	struct cgroup_host *host;
	struct error err = ERROR_INIT;

	close_engine(f);
	run_shell(
		"set -e; cd %s; mkdir -p root/containers/.new-%s/upper root/containers/.trash-%s/x "
		"run/%.12s; touch run/%.12s/hosts",
		f->dir, id, id, id, id);
	expect_ok(cgroup_host_new(f->instance, &host, &err), &err);
	expect_ok(cgroup_create(host, id, &limits, &cgroup, &err), &err);
	cgroup_deinit(&cgroup);
	cgroup_host_free(host);
	assert_int_equal(count_cgroups(f), 1);
	open_engine(f);
	assert_int_equal(count_cgroups(f), 0);
}

static void test_launch_that_never_was(void **state)
{
	struct fixture *f = *state;
	AUTO(container_unref) struct container *c = run(f, "c", SHELL("exit 4"));
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	assert_int_equal(wait_code(c), 4);
	container_unref(steal_ptr(&c));
	close_engine(f);
	run_shell("sed -i 's/\"starting\":0/\"starting\":2/' %s/run/%.12s/state.json", f->dir,
		  view->id);
	open_engine(f);
	c = find(f, "c");
	expect_state(c, CONTAINER_EXITED, 4, "");
	container_view_unref(view);
	view = container_get_view(c);
	assert_int_equal(view->run, 1);
	must(c, START);
	assert_int_equal(wait_code(c), 4);
}

/* --- killed at any moment --------------------------------------------------- */

/* What is wrong with the container; NULL: nothing. */
static const char *judge(struct cgroup_host *cgroups, const struct container_view *view)
{
	if (view->damaged)
		return "is damaged";
	if (view->state == CONTAINER_RUNNING && kill(view->pid, 0) < 0)
		return "is said to run";
	if (cgroup_is_frozen(cgroups, view->id) != (view->state == CONTAINER_PAUSED))
		return "is not as frozen as it is said to be";
	if (*view->error)
		return view->error;
	return NULL;
}

static const char *find_fault(struct fixture *f)
{
	static char fault[800];
	AUTO(container_list_deinit) struct container_list list = { .count = 0 };
	AUTO(cgroup_host_free) struct cgroup_host *host = NULL;
	struct engine_facts facts;
	size_t cgroups;

	assert_int_equal(cgroup_host_new(f->instance, &host, NULL), 0);
	assert_int_equal(engine_list(f->engine, &list), 0);
	for (size_t i = 0; i < list.count; i++) {
		const char *wrong = judge(host, list.views[i]);

		for (size_t j = 0; j < i; j++)
			if (!strcmp(list.views[i]->name, list.views[j]->name))
				wrong = "is there twice";
		snprintf(fault, sizeof(fault), "%s: %s", list.views[i]->name, wrong ? wrong : "");
		if (wrong)
			return fault;
	}
	engine_get_facts(f->engine, &facts);
	cgroups = count_cgroups(f);
	snprintf(fault, sizeof(fault), "%zu cgroups, %zu containers run, %zu are paused", cgroups,
		 facts.running, facts.paused);
	return cgroups == facts.running + facts.paused ? NULL : fault;
}

/* One can be just ending, so that what is wrong may be right in a moment. */
static void expect_consistent(struct fixture *f)
{
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;
	const char *fault;

	while ((fault = find_fault(f)) && clock_monotonic_ns() < until_ns)
		sleep_ms(1);
	if (fault)
		fail_msg("%s", fault);
}

static void test_killed_at_any_moment(void **state)
{
	struct fixture *f = *state;
	unsigned seed = (unsigned)getpid();

	close_engine(f);
	for (int i = 0; i < CHAOS_ROUNDS; i++) {
		struct child child = spawn_child(f, "chaos");

		sleep_ms(rand_r(&seed) % 60);
		kill_child(&child);
		open_engine(f);
		expect_consistent(f);
		close_engine(f);
	}
	open_engine(f);
}

#define ENGINE_TEST(name) cmocka_unit_test_setup_teardown(name, setup_engine, teardown_engine)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		ENGINE_TEST(test_engine_killed),
		ENGINE_TEST(test_closed_and_opened),
		ENGINE_TEST(test_stop_goes_on),
		ENGINE_TEST(test_shim_killed),
		ENGINE_TEST(test_shim_killed_without_an_engine),
		ENGINE_TEST(test_machine_restarted),
		ENGINE_TEST(test_damaged),
		ENGINE_TEST(test_leftovers),
		ENGINE_TEST(test_launch_that_never_was),
		ENGINE_TEST(test_killed_at_any_moment),
	};

	if (argc == 6 && !strcmp(argv[1], "child"))
		return run_child(argv);
	return cmocka_run_group_tests(tests, make_fixture, remove_fixture);
}
