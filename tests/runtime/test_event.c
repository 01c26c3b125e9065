/* Events: numbers, generations, gaps, a torn file, many threads.
 * ctest-labels: threads */
#include "runtime/event.h"

#include "base/path.h"
#include "tests/alloc_sweep.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64];
static int dir_fd;

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_event.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dir_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(dir_fd);
	path_remove_tree(AT_FDCWD, dir);
	return 0;
}

static struct events *open_events(void)
{
	struct events *events = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(events_open(dir_fd, NULL, NULL, &events, &err), 0);
	return events;
}

static void emit_named(struct events *events, const char *name)
{
	auto_json json_t *attributes = json_pack("{s:s}", "name", name);

	events_emit(events, "container", "start", "0123", attributes);
}

static void test_line_has_dockers_shape(void **state)
{
	struct events *events = open_events();
	char buf[1024];
	uint64_t seq = events_get_next(events);
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(seq, 1);
	assert_int_equal(events_read(events, &seq, buf, sizeof(buf)), 0);
	emit_named(events, "we\nb");
	ssize_t n = events_read(events, &seq, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(buf[n - 1], '\n');
	assert_null(memchr(buf, '\n', (size_t)n - 1));
	assert_int_equal(seq, 2);

	auto_json json_t *event = NULL;
	assert_int_equal(json_parse_text(buf, (size_t)n, &event, &err), 0);
	const json_t *actor = json_get_object(event, "Actor");
	assert_string_equal(json_get_str(event, "Type", ""), "container");
	assert_string_equal(json_get_str(event, "Action", ""), "start");
	assert_string_equal(json_get_str(actor, "ID", ""), "0123");
	assert_string_equal(json_get_str(json_get_object(actor, "Attributes"), "name", ""),
			    "we\nb");
	assert_int_equal(json_get_int(event, "seq", 0), 1);
	assert_int_equal(json_get_int(event, "time", 0),
			 json_get_int(event, "timeNano", 0) / 1000000000);
	events_close(events);
}

static void test_read_gives_whole_lines(void **state)
{
	struct events *events = open_events();
	char buf[4096];
	uint64_t seq = 1;

	(void)state;
	for (int i = 0; i < 3; i++)
		events_emit(events, "image", "tag", "x", NULL);
	ssize_t all = events_read(events, &seq, buf, sizeof(buf));
	assert_int_equal(seq, 4);

	size_t line = (size_t)((char *)memchr(buf, '\n', (size_t)all) - buf) + 1;
	seq = 1;
	assert_int_equal(events_read(events, &seq, buf, line - 1), -EMSGSIZE);
	assert_int_equal(seq, 1);
	assert_int_equal(events_read(events, &seq, buf, 2 * line), 2 * line);
	assert_int_equal(seq, 3);
	events_close(events);
}

static void test_numbers_go_on_after_reopen(void **state)
{
	struct events *events = open_events();
	char buf[4096];
	uint64_t seq = 1;

	(void)state;
	emit_named(events, "a");
	emit_named(events, "b");
	events_close(events);

	/* A line whose newline never came is cut, and its number used again. */
	auto_fd int fd = openat(dir_fd, "events", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(path_write_all(fd, "{\"Type\":\"conta", 14), 0);
	events = open_events();
	assert_int_equal(events_get_next(events), 3);
	emit_named(events, "c");
	ssize_t n = events_read(events, &seq, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	assert_int_equal(seq, 4);
	assert_non_null(strstr(buf, "\"seq\":3}\n"));
	assert_null(strstr(buf, "conta{"));
	events_close(events);
}

static void test_damaged_line_is_a_gap(void **state)
{
	static const char text[] = "{\"seq\":5}\nrubbish\n{\"seq\":7}\n{\"seq\":6}\n";
	char buf[256];
	uint64_t seq = 1;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(
		path_replace_file(dir_fd, "events", text, sizeof(text) - 1, 0600, false, &err), 0);
	struct events *events = open_events();
	ssize_t n = events_read(events, &seq, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	assert_string_equal(buf, "{\"Type\":\"gap\",\"lost\":4}\n{\"seq\":5}\n");
	n = events_read(events, &seq, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	assert_string_equal(buf, "{\"Type\":\"gap\",\"lost\":1}\n{\"seq\":7}\n");
	assert_int_equal(seq, 8);
	events_close(events);
}

static void test_rotation_bounds_and_shows_a_gap(void **state)
{
	enum { COUNT = 60000 };
	struct events *events = open_events();
	static char buf[1 << 17];
	uint64_t seq = 1;
	struct stat st;

	(void)state;
	for (int i = 0; i < COUNT; i++)
		emit_named(events, "some-container-name-of-usual-length");
	assert_int_equal(fstatat(dir_fd, "events", &st, 0), 0);
	assert_true(st.st_size <= 4 << 20);
	assert_int_equal(fstatat(dir_fd, "events.1", &st, 0), 0);
	assert_true(st.st_size <= 4 << 20);

	for (int again = 0; again < 2; again++) {
		ssize_t n = events_read(events, &seq, buf, sizeof(buf));
		static const char gap[] = "{\"Type\":\"gap\",\"lost\":";
		assert_true(n > 0);
		assert_memory_equal(buf, gap, sizeof(gap) - 1);
		uint64_t lines = 1;
		while ((n = events_read(events, &seq, buf, sizeof(buf))) > 0)
			lines++;
		assert_int_equal(n, 0);
		assert_int_equal(seq, COUNT + 1);
		assert_true(lines > 10);
		/* The same after a restart. */
		events_close(events);
		events = open_events();
		assert_int_equal(events_get_next(events), COUNT + 1);
		seq = 1;
	}
	events_close(events);
}

static void test_crash_between_rename_and_create(void **state)
{
	struct events *events = open_events();
	uint64_t seq = 1;
	char buf[1024];

	(void)state;
	emit_named(events, "a");
	events_close(events);
	assert_int_equal(renameat(dir_fd, "events", dir_fd, "events.1"), 0);
	events = open_events();
	assert_int_equal(events_get_next(events), 2);
	assert_true(events_read(events, &seq, buf, sizeof(buf)) > 0);
	assert_int_equal(seq, 2);
	events_close(events);
}

static void test_huge_attributes_are_cut(void **state)
{
	struct events *events = open_events();
	auto_json json_t *attributes = json_object();
	char *huge = malloc(100001);
	static char buf[1 << 17];
	uint64_t seq = 1;

	(void)state;
	memset(huge, 'x', 100000);
	huge[100000] = 0;
	json_object_set_new(attributes, "label", json_string(huge));
	json_object_set_new(attributes, "name", json_string("web"));
	free(huge);
	events_emit(events, "container", "create", "1", attributes);
	ssize_t n = events_read(events, &seq, buf, sizeof(buf) - 1);
	assert_true(n > 0 && n < 300);
	buf[n] = 0;
	assert_non_null(strstr(buf, "\"Attributes\":{\"name\":\"web\"}"));
	events_close(events);
}

static void test_lost_event_is_a_gap_at_once(void **state)
{
	struct events *events = open_events();
	char buf[1024];
	uint64_t seq = 1;

	(void)state;
	/* Not UTF-8: cannot be a JSON string. */
	events_emit(events, "container", "start", "\xff", NULL);
	ssize_t n = events_read(events, &seq, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	assert_string_equal(buf, "{\"Type\":\"gap\",\"lost\":1}\n");
	assert_int_equal(seq, 2);
	events_close(events);
}

struct crowd {
	struct events *events;
	_Atomic unsigned told;
	_Atomic bool done;
};

static void count_event(void *arg)
{
	struct crowd *crowd = arg;

	crowd->told++;
}

static void *emit_many(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < 20000; i++)
		events_emit(crowd->events, "container", "die", "0123456789ab", NULL);
	return NULL;
}

/* Every number arrives once, in a line or as lost. */
static void *read_many(void *arg)
{
	struct crowd *crowd = arg;
	uint64_t seq = 1;
	uint64_t seen = 0;
	char *buf = malloc(70000);

	for (;;) {
		bool last = crowd->done;
		uint64_t before = seq;
		ssize_t n = events_read(crowd->events, &seq, buf, 70000);
		if (n <= 0 && last)
			break;
		seen += seq - before;
		if (n > 0 && buf[n - 1] != '\n')
			seen = UINT64_MAX / 2;
	}
	free(buf);
	return (void *)(uintptr_t)seen;
}

static void test_threads(void **state)
{
	struct crowd crowd = { .told = 0 };
	struct error err = ERROR_INIT;
	pthread_t writers[3];
	pthread_t readers[2];
	void *seen;

	(void)state;
	assert_int_equal(events_open(dir_fd, count_event, &crowd, &crowd.events, &err), 0);
	for (int i = 0; i < 2; i++)
		pthread_create(&readers[i], NULL, read_many, &crowd);
	for (int i = 0; i < 3; i++)
		pthread_create(&writers[i], NULL, emit_many, &crowd);
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
	crowd.done = true;
	for (int i = 0; i < 2; i++) {
		pthread_join(readers[i], &seen);
		assert_int_equal((uintptr_t)seen, 60000);
	}
	assert_int_equal(crowd.told, 60000);
	events_close(crowd.events);
}

/* A file size limit tears a write as a full disk does. */
static void test_full_disk_is_a_gap(void **state)
{
	struct events *events = open_events();
	struct rlimit keep;
	struct stat st;
	char buf[4096];
	uint64_t seq = 1;

	(void)state;
	emit_named(events, "a");
	assert_int_equal(fstatat(dir_fd, "events", &st, 0), 0);
	off_t whole = st.st_size;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &keep), 0);
	struct rlimit tight = { .rlim_cur = (rlim_t)whole + 20, .rlim_max = keep.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
	emit_named(events, "b");
	emit_named(events, "c");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &keep), 0);
	assert_int_equal(fstatat(dir_fd, "events", &st, 0), 0);
	assert_int_equal(st.st_size, whole);
	emit_named(events, "d");

	assert_int_equal(events_read(events, &seq, buf, sizeof(buf)), whole);
	ssize_t n = events_read(events, &seq, buf, sizeof(buf) - 1);
	assert_true(n > 0);
	buf[n] = 0;
	static const char gap[] = "{\"Type\":\"gap\",\"lost\":2}\n";
	assert_memory_equal(buf, gap, sizeof(gap) - 1);
	assert_non_null(strstr(buf, "\"name\":\"d\""));
	assert_int_equal(seq, 5);
	events_close(events);
}

static int attempt_open(void *arg)
{
	struct events *events = NULL;
	struct error err = ERROR_INIT;

	(void)arg;
	int r = events_open(dir_fd, NULL, NULL, &events, &err);
	if (r < 0)
		assert_int_equal(err.code, -r);
	else
		events_close(events);
	return r;
}

static void test_open_without_memory(void **state)
{
	struct events *events = open_events();

	(void)state;
	for (int i = 0; i < 100; i++)
		emit_named(events, "a");
	events_close(events);
	assert_int_equal(renameat(dir_fd, "events", dir_fd, "events.1"), 0);
	events = open_events();
	emit_named(events, "b");
	events_close(events);
	assert_true(alloc_sweep(attempt_open, NULL) >= 6);
}

/* Out of memory, an event is lost and nothing else. */
static int attempt_emit(void *arg)
{
	struct events *events = NULL;
	struct error err = ERROR_INIT;
	char buf[1024];
	uint64_t seq = 1;

	(void)arg;
	unlinkat(dir_fd, "events", 0);
	int r = events_open(dir_fd, NULL, NULL, &events, &err);
	if (r < 0)
		return r;
	events_emit(events, "container", "start", "0123", NULL);
	ssize_t n = events_read(events, &seq, buf, sizeof(buf));
	assert_true(n > 0);
	assert_int_equal(seq, 2);
	events_close(events);
	return memcmp(buf, "{\"Type\":\"gap\"", 13) == 0 ? -ENOMEM : 0;
}

static void test_emit_without_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt_emit, NULL) > 6);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_line_has_dockers_shape),
		CASE(test_read_gives_whole_lines),
		CASE(test_numbers_go_on_after_reopen),
		CASE(test_damaged_line_is_a_gap),
		CASE(test_rotation_bounds_and_shows_a_gap),
		CASE(test_crash_between_rename_and_create),
		CASE(test_huge_attributes_are_cut),
		CASE(test_lost_event_is_a_gap_at_once),
		CASE(test_full_disk_is_a_gap),
		CASE(test_open_without_memory),
		CASE(test_emit_without_memory),
		CASE(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
