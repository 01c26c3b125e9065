/* The engine's log: one line each, from any thread. ctest-labels: threads */
#include "tests/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/path.h"
#include "tests/alloc_sweep.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 8
#define LINES 500
#define TIME_LEN (CLOCK_TEXT_SIZE - 1)

/* The log as it is now. */
static void read_log(int fd, struct strbuf *text)
{
	struct error err = ERROR_INIT;
	char path[40];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int again = open(path, O_RDONLY | O_CLOEXEC);
	char part[4096];
	ssize_t got;

	assert_true(again >= 0);
	while ((got = read(again, part, sizeof(part))) > 0)
		strbuf_append(text, part, (size_t)got);
	close(again);
	assert_ok(strbuf_check(text, &err), &err);
}

static int make_log(void)
{
	int fd = memfd_create("log", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
	log_set_fd(fd);
	return fd;
}

static void test_lines(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_fd int fd = make_log();
	char *second;
	int64_t ns;

	(void)state;
	errno = EPIPE;
	log_info("mounted on '%s'", "/mnt");
	assert_int_equal(errno, EPIPE);
	log_warn("bad name '%s'", "a\nb\x1b");
	read_log(fd, &text);

	assert_string_equal(text.data + strlen(text.data) - 30,
			    " warning: bad name 'a\\nb\\x1b'\n");
	second = strchr(text.data, '\n') + 1;
	second[-1] = '\0';
	assert_string_equal(text.data + TIME_LEN, " info: mounted on '/mnt'");
	text.data[TIME_LEN] = '\0';
	assert_int_equal(clock_parse(text.data, &ns), 0);
	assert_in_range(clock_now_ns() - ns, 0, INT64_C(10000000000));
	log_set_fd(-1);
}

static void test_copy(void **state)
{
	AUTO(strbuf_deinit) struct strbuf first = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf second = STRBUF_INIT;
	auto_fd int copy = make_log();
	auto_fd int fd = make_log();

	(void)state;
	log_set_copy_fd(copy);
	log_info("twice");
	log_set_copy_fd(-1);
	log_info("once");
	log_set_fd(-1);
	read_log(fd, &first);
	read_log(copy, &second);
	assert_int_equal(second.len, TIME_LEN + strlen(" info: twice\n"));
	assert_memory_equal(first.data, second.data, second.len);
	assert_string_equal(first.data + second.len + TIME_LEN, " info: once\n");
}

static int attempt_log(void *arg)
{
	auto_fd int fd = make_log();
	bool lost;

	(void)arg;
	log_info("a line of more than a hundred characters: %s %s",
		 "0123456789012345678901234567890", "0123456789012345678901234567890123456789");
	char all[300] = "";
	assert_true(pread(fd, all, sizeof(all) - 1, 0) > 0);
	lost = strcmp(all, "warning: a line was lost: out of memory\n") == 0;
	assert_true(lost || strlen(all) > 150);
	return lost ? -ENOMEM : 0;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt_log, NULL) >= 2);
	log_set_fd(-1);
}

/* Nobody to tell, and nothing breaks. */
static void test_cannot_write(void **state)
{
	auto_fd int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	log_set_fd(fd);
	log_info("lost");
	log_set_fd(-1);
}

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("thread %d line %d end", *(int *)arg, i);
	return NULL;
}

static void test_threads(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_fd int fd = make_log();
	pthread_t threads[THREADS];
	int numbers[THREADS], next[THREADS] = { 0 };
	char *line, *rest;
	int count = 0;

	(void)state;
	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, write_lines, &numbers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_set_fd(-1);

	/* Every line whole, each thread's in its order. */
	read_log(fd, &text);
	for (line = text.data; *line; line = rest) {
		char want[60];
		int thread;

		rest = strchr(line, '\n');
		assert_non_null(rest);
		*rest++ = '\0';
		assert_true(strlen(line) > TIME_LEN + 14);
		thread = line[TIME_LEN + 14] - '0';
		assert_in_range(thread, 0, THREADS - 1);
		snprintf(want, sizeof(want), " info: thread %d line %d end", thread,
			 next[thread]++);
		assert_string_equal(line + TIME_LEN, want);
		count++;
	}
	assert_int_equal(count, THREADS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),     cmocka_unit_test(test_copy),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_cannot_write),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
