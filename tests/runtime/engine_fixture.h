/* What the tests of the engine share: a store, an image made from the machine's
 * busybox, an engine on directories of its own, and the question whether
 * anything was left behind.
 *
 * Everything an engine makes is named by its root, run directory or instance, so
 * "left behind" is looked for by these: mounts, cgroups, processes, files.
 */
#ifndef TESTS_RUNTIME_ENGINE_FIXTURE_H
#define TESTS_RUNTIME_ENGINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
/* cmocka wants these first */
#include <cmocka.h>

#include "base/clock.h"
#include "base/num.h"
#include "base/path.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/config/config.h"
#include "runtime/engine.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_NS INT64_C(20000000000) /* longer is stuck, also on a slow machine */

/* jansson counts references atomically, but first looks at the count without (is it
 * a constant?). Both are inline in its header, so we are the ones who race. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:json_incref\nrace:json_decref\n";
}

struct fixture {
	char dir[64], root[80], run[80], images[96], instance[24];
	char image_id[GRAPH_ID_SIZE];
	int run_fd;
	struct graph *graph;
	struct events *events;
	struct engine *engine;
	atomic_int changes;
};

static struct fixture fixture = { .run_fd = -1 };

static inline void sleep_ms(int64_t ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static inline void count_change(void *arg, uint64_t key)
{
	struct fixture *f = arg;

	assert_int_not_equal(key, 0);
	atomic_fetch_add(&f->changes, 1);
}

static inline const char *find_user(void *arg, const char *image_id)
{
	struct fixture *f = arg;

	return f->engine ? engine_find_image_user(f->engine, image_id) : NULL;
}

/* Fails the test with the sentence. */
static inline void expect_ok(int ret, const struct error *err)
{
	if (ret < 0)
		fail_msg("%d: %s", ret, err->msg);
}

static inline void expect_error(int ret, const struct error *err, int code, const char *msg)
{
	if (ret != -code || err->code != code || strcmp(err->msg, msg) != 0)
		fail_msg("expected -%d '%s', got %d (%d) '%s'", code, msg, ret, err->code,
			 err->msg);
}

static inline void open_engine(struct fixture *f)
{
	struct error err = ERROR_INIT;
	const struct graph_options graph = { .root = f->images, .find_user = find_user, .arg = f };
	struct engine_options options = { .root = f->root,
					  .run = f->run,
					  .registry = "",
					  .instance = f->instance,
					  .on_change = count_change,
					  .arg = f };

	f->run_fd = open(f->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	expect_ok(graph_open(&graph, &f->graph, &err), &err);
	expect_ok(events_open(f->run_fd, NULL, NULL, &f->events, &err), &err);
	options.graph = f->graph;
	options.events = f->events;
	expect_ok(engine_open(&options, &f->engine, &err), &err);
	engine_forget_removed(f->engine);
}

static inline void close_engine(struct fixture *f)
{
	engine_close(f->engine);
	f->engine = NULL;
	events_close(f->events);
	graph_close(f->graph);
	close(f->run_fd);
	f->run_fd = -1;
}

/* --- once per program: directories and the image ---------------------------- */

static inline void run_shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline void run_shell(const char *format, ...)
{
	char command[2000];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0) /* NOLINT(bugprone-command-processor): our own words */
		fail_msg("failed: %s", command);
}

static inline void import_image(struct fixture *f, const char *file, const char *name)
{
	struct error err = ERROR_INIT;
	struct import *import;
	uint64_t offset = 0;
	static char bytes[1 << 16];
	ssize_t len;
	auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	expect_ok(graph_import_begin(f->graph, name, &import, &err), &err);
	while ((len = read(fd, bytes, sizeof(bytes))) > 0) {
		expect_ok(graph_import_write(import, offset, bytes, (size_t)len, &err), &err);
		offset += (uint64_t)len;
	}
	expect_ok(graph_import_finish(import, true, NULL, f->image_id, &err), &err);
}

static inline int make_fixture(void **state)
{
	/* Bridges and addresses go with it. */
	if (unshare(CLONE_NEWNET) < 0)
		fail_msg("no network namespace");
	struct fixture *f = &fixture;

	*state = f;
	snprintf(f->dir, sizeof(f->dir), "/tmp/engine-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->root, sizeof(f->root), "%.60s/root", f->dir);
	snprintf(f->run, sizeof(f->run), "%.60s/run", f->dir);
	snprintf(f->images, sizeof(f->images), "%.80s/images", f->root);
	snprintf(f->instance, sizeof(f->instance), "7e57%08x", (unsigned)getpid());
	/* Shims outlive the engine that started them: whoever is next gets them. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	run_shell(
		"set -e; cd %s; mkdir root run root/images; mkdir -p fs/bin fs/etc fs/tmp fs/proc; "
		"cp \"$(command -v busybox)\" fs/bin/busybox; "
		"for a in sh cat sleep echo true false kill ls; do ln -s busybox fs/bin/$a; done; "
		"echo 'root:x:0:0::/:/bin/sh' > fs/etc/passwd; echo text > fs/etc/motd; "
		"tar -C fs -cf fs.tar .",
		f->dir);
	return 0;
}

static inline int remove_fixture(void **state)
{
	struct fixture *f = *state;

	run_shell("rm -rf --one-file-system '%s'", f->dir);
	return 0;
}

/* --- nothing is left -------------------------------------------------------- */

static inline size_t count_cgroups(const struct fixture *f)
{
	struct cgroup_host *host;
	struct error err = ERROR_INIT;
	char **ids;
	size_t count = 0;

	expect_ok(cgroup_host_new(f->instance, &host, &err), &err);
	expect_ok(cgroup_list(host, &ids, &err), &err);
	for (; ids[count]; count++)
		free(ids[count]);
	free(ids);
	if (!f->engine)
		cgroup_host_sweep(host); /* what looking has made */
	cgroup_host_free(host);
	return count;
}

static inline size_t count_mounts(const struct fixture *f)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096];
	size_t count = 0;

	while (fgets(line, sizeof(line), file))
		count += strstr(line, f->dir) != NULL;
	fclose(file);
	return count;
}

static inline void expect_empty(const char *dir, const char *allowed)
{
	DIR *d = opendir(dir);

	if (!d)
		return;
	for (struct dirent *e; (e = readdir(d));)
		if (e->d_name[0] != '.' || !strncmp(e->d_name, ".trash", 6) ||
		    !strncmp(e->d_name, ".new", 4))
			if (!allowed || !strstr(allowed, e->d_name))
				if (strncmp(e->d_name, "seccomp", 7) != 0 &&
				    strncmp(e->d_name, "events", 6) != 0)
					fail_msg("left in %s: %s", dir, e->d_name);
	closedir(d);
}

/* With the engine closed. Children: shims that ended are reaped here. */
static inline void expect_nothing_left(const struct fixture *f)
{
	char path[200];
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;

	snprintf(path, sizeof(path), "%s/containers", f->root);
	expect_empty(path, NULL);
	expect_empty(f->run, "rootfs");
	snprintf(path, sizeof(path), "%s/rootfs", f->run);
	expect_empty(path, NULL);
	assert_int_equal(count_mounts(f), 0);
	assert_int_equal(count_cgroups(f), 0);
	while (waitpid(-1, NULL, WNOHANG) >= 0) {
		if (clock_monotonic_ns() > until_ns)
			fail_msg("a process is left");
		sleep_ms(1);
	}
}

static inline int setup_engine(void **state)
{
	struct fixture *f = *state;
	char file[100];

	open_engine(f);
	if (!*f->image_id) {
		snprintf(file, sizeof(file), "%s/fs.tar", f->dir);
		import_image(f, file, "busybox");
	}
	return 0;
}

static inline void remove_all(struct fixture *f)
{
	struct container_list list;

	assert_int_equal(engine_list(f->engine, &list), 0);
	for (size_t i = 0; i < list.count; i++) {
		struct container *c = engine_find(f->engine, list.views[i]->id);
		struct error err = ERROR_INIT;
		struct ticket ticket;
		int ret;

		if (!c)
			continue;
		ticket_init(&ticket, 0, false);
		ret = container_remove(c, &ticket, true, true, &err);
		if (ret != -ENOENT) /* removed itself meanwhile */
			expect_ok(ret, &err);
		ticket_deinit(&ticket);
		container_unref(c);
	}
	container_list_deinit(&list);
}

static inline int teardown_engine(void **state)
{
	struct fixture *f = *state;

	remove_all(f);
	close_engine(f);
	expect_nothing_left(f);
	return 0;
}

/* --- short forms ------------------------------------------------------------ */

/* An asked-for config of JSON text laid over {"Image":"busybox"}. */
static inline json_t *make_config(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *patch, *config, *whole = NULL;

	expect_ok(json_parse_text(text, strlen(text), &patch, &err), &err);
	config = json_pack("{s:s}", "Image", "busybox");
	json_object_update(config, patch);
	expect_ok(config_apply(NULL, config, false, &whole, &err), &err);
	json_decref(patch);
	json_decref(config);
	return whole;
}

static inline struct container *create(struct fixture *f, const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	struct container *c = NULL;
	auto_json json_t *config = make_config(text);
	struct ticket ticket;

	ticket_init(&ticket, 0, false);
	expect_ok(engine_create(f->engine, &ticket, name, config, false, &c, &err), &err);
	ticket_deinit(&ticket);
	return c;
}

enum verb { START, STOP, STOP_NOW, KILL, RESTART, PAUSE, UNPAUSE, REMOVE, REMOVE_FORCED };

static inline int act(struct container *c, enum verb verb, struct error *err)
{
	struct ticket ticket;
	int ret = 0;

	ticket_init(&ticket, 0, false);
	if (verb == START)
		ret = container_start(c, &ticket, err);
	else if (verb == STOP)
		ret = container_stop(c, &ticket, 0, -1, err);
	else if (verb == STOP_NOW)
		ret = container_stop(c, &ticket, 0, 0, err);
	else if (verb == KILL)
		ret = container_kill(c, &ticket, SIGKILL, err);
	else if (verb == RESTART)
		ret = container_restart(c, &ticket, 0, 0, err);
	else if (verb == PAUSE)
		ret = container_pause(c, &ticket, err);
	else if (verb == UNPAUSE)
		ret = container_unpause(c, &ticket, err);
	else
		ret = container_remove(c, &ticket, verb == REMOVE_FORCED, false, err);
	ticket_deinit(&ticket);
	return ret;
}

static inline void must(struct container *c, enum verb verb)
{
	struct error err = ERROR_INIT;

	expect_ok(act(c, verb, &err), &err);
}

static inline int wait_code(struct container *c)
{
	struct error err = ERROR_INIT;
	struct ticket ticket;
	int code = -1;

	ticket_init(&ticket, 0, false);
	expect_ok(container_wait(c, &ticket, &code, &err), &err);
	ticket_deinit(&ticket);
	return code;
}

static inline struct container *run(struct fixture *f, const char *name, const char *text)
{
	struct container *c = create(f, name, text);

	must(c, START);
	return c;
}

static inline enum container_state state_of(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	return view->state;
}

static inline void expect_state(struct container *c, enum container_state state, int exit_code,
				const char *error)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	assert_string_equal(container_state_get_name(view->state), container_state_get_name(state));
	assert_int_equal(view->exit_code, exit_code);
	assert_string_equal(view->error, error);
}

static inline void expect_log(struct container *c, const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	expect_ok(path_read_file(container_get_dir_fd(c), "log", 1 << 20, &text, &err), &err);
	assert_string_equal(strbuf_get_str(&text), expected);
}

#define SLEEP "{\"Cmd\":[\"sleep\",\"1000\"]}"
#define SHELL(script) "{\"Cmd\":[\"sh\",\"-c\",\"" script "\"]}"

#endif
