/* Rotation: what the writer keeps and mends, and what readers see of it. A second log without bounds, which
 * gets the same chunks at the same times, says what must be read.
 * ctest-labels: threads */
#include "runtime/log/logreader.h"

#include "base/num.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "runtime/shim/logfiles.h"
#include "tests/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define KIND_COUNT 4

struct log {
	char path[64];
	int dir_fd;
	struct logfiles files;
};

static struct log bounded, whole;
static unsigned line_number;
static char mend_buf[4096];

static void open_files(struct log *log, uint64_t max_size, uint64_t max_file)
{
	struct error err = ERROR_INIT;

	if (logfiles_open(&log->files, log->dir_fd, 1, (struct log_bounds){ max_size, max_file }, 7,
			  mend_buf, sizeof(mend_buf), &err) < 0)
		fail_msg("%s", err.msg);
}

static void make_log(struct log *log)
{
	snprintf(log->path, sizeof(log->path), "/tmp/test_logrotate.XXXXXX");
	assert_non_null(mkdtemp(log->path));
	log->dir_fd = open(log->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(log->dir_fd, errno);
	log->files = (struct logfiles){ .dir_fd = -1, .log_fd = -1, .index_fd = -1, .next_fd = -1 };
}

static int setup(void **state)
{
	(void)state;
	line_number = 0;
	srand(1);
	make_log(&bounded);
	make_log(&whole);
	return 0;
}

static int teardown(void **state)
{
	struct log *logs[] = { &bounded, &whole };

	(void)state;
	for (int i = 0; i < 2; i++) {
		logfiles_close(&logs[i]->files);
		close(logs[i]->dir_fd);
		path_remove_tree(AT_FDCWD, logs[i]->path);
	}
	return 0;
}

static void put(struct log *log, const char *chunk, size_t len, unsigned stream, int64_t time_ns)
{
	logfiles_put(&log->files, chunk, len, stream);
	log->files.time_ns = time_ns;
	assert_true(logfiles_flush(&log->files));
}

/* A chunk of some lines to both logs. */
static void write_lines(unsigned count)
{
	AUTO(strbuf_deinit) struct strbuf chunk = STRBUF_INIT;
	unsigned stream = rand() % 3 ? LOG_STDOUT : LOG_STDERR;

	for (unsigned i = 0; i < count; i++)
		strbuf_appendf(&chunk, "%u \"%.*s\"\t\xc3\xa4\xff\n", line_number++, rand() % 30,
			       "abcdefghijklmnopqrstuvwxyz0123456789");
	int64_t time_ns = 1700000000000000000 + (int64_t)line_number * 1000;
	put(&bounded, chunk.data, chunk.len, stream, time_ns);
	put(&whole, chunk.data, chunk.len, stream, time_ns);
}

static struct logview *open_view(struct log *log, int kind)
{
	struct error err = ERROR_INIT;
	struct logview *view = NULL;

	if (logview_open(log->dir_fd, (enum logview_kind)kind, &view, &err) < 0)
		fail_msg("%s", err.msg);
	return view;
}

static uint64_t get_size(struct logview *view)
{
	struct error err = ERROR_INIT;
	uint64_t size = 0;

	if (logview_get_size(view, &size, &err) < 0)
		fail_msg("%s", err.msg);
	return size;
}

/* All from offset on, in reads of at most `step` bytes. */
static void read_view(struct logview *view, uint64_t offset, size_t step, struct strbuf *out)
{
	struct error err = ERROR_INIT;
	char buf[8192];
	ssize_t n;

	while ((n = logview_read(view, offset, buf, step, &err)) > 0) {
		strbuf_append(out, buf, (size_t)n);
		offset += (uint64_t)n;
	}
	if (n < 0)
		fail_msg("%zd %s", n, err.msg);
}

static unsigned count_segments(void)
{
	struct log_span span;

	assert_int_equal(logformat_scan(bounded.dir_fd, &span), 0);
	assert_true(span.has_index && span.first == span.first_log && span.last == span.last_log);
	for (uint64_t i = span.first; i <= span.last; i++) {
		char name[LOG_NAME_SIZE];
		struct stat st;

		logformat_get_name(i, false, name);
		assert_return_code(fstatat(bounded.dir_fd, name, &st, 0), errno);
		assert_true(bounded.files.bounds.max_size == 0 ||
			    (uint64_t)st.st_size <= bounded.files.bounds.max_size);
	}
	return (unsigned)(span.last - span.first + 1);
}

/* Every view of the bounded log is the end of the same view of the other, also when read in pieces and
 * from the middle. */
static void check_views(void)
{
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		AUTO(logview_close) struct logview *view = open_view(&bounded, kind);
		AUTO(logview_close) struct logview *other = open_view(&whole, kind);
		uint64_t base = logview_get_base(view);

		assert_int_equal(get_size(view), get_size(other));
		for (int i = 0; i < 8; i++) {
			AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;
			uint64_t from = base;

			if (i > 0 && get_size(view) > base)
				from += (uint64_t)rand() % (get_size(view) - base);
			read_view(view, from, i % 2 ? 8192 : 37, &got);
			read_view(other, from, 8192, &want);
			assert_int_equal(got.len, want.len);
			assert_int_equal(got.len, get_size(view) - from);
			assert_memory_equal(strbuf_get_str(&got), strbuf_get_str(&want), got.len);
		}
		if (base > 0) {
			struct error err = ERROR_INIT;
			char c;

			assert_int_equal(logview_read(view, base - 1, &c, 1, &err), -ESTALE);
			assert_int_equal(logview_read(view, 0, &c, 1, &err), -ESTALE);
		}
	}
}

static void test_names(void **state)
{
	static const char *const others[] = { "lo",
					      "log.",
					      "log.0",
					      "log.01",
					      "log.x",
					      "log.index1",
					      "log.1.indexx",
					      "log.1.",
					      "logs",
					      "log.1.2",
					      "log.18446744073709551616",
					      "log.new" };
	uint64_t numbers[] = { 0, 1, 9, 10, 12345, UINT64_MAX };
	char name[LOG_NAME_SIZE];
	uint64_t segment;
	bool index;

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers) * 2; i++) {
		logformat_get_name(numbers[i / 2], i % 2, name);
		assert_true(logformat_parse_name(name, &segment, &index));
		assert_int_equal(segment, numbers[i / 2]);
		assert_int_equal(index, i % 2);
	}
	assert_string_equal(name, "log.18446744073709551615.index");
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(logformat_parse_name(others[i], &segment, &index));
}

static void test_kept_within_bounds(void **state)
{
	(void)state;
	open_files(&bounded, 1000, 3);
	open_files(&whole, 0, 0);
	check_views();
	for (int i = 0; i < 400; i++) {
		write_lines((unsigned)rand() % 40 + 1);
		assert_true(count_segments() <= 3);
		if (i % 20 == 0)
			check_views();
	}
	assert_int_equal(count_segments(), 3);
	check_views();
	/* Bounds that changed hold from the next run on. */
	logfiles_close(&bounded.files);
	open_files(&bounded, 500, 5);
	for (int i = 0; i < 20; i++)
		write_lines(20);
	assert_int_equal(count_segments(), 5);
	check_views();
}

/* One file alone is two of half the size: there is something to read after each rotation. */
static void test_one_file(void **state)
{
	(void)state;
	open_files(&bounded, 2000, 1);
	open_files(&whole, 0, 0);
	for (int i = 0; i < 100; i++) {
		write_lines(5);
		assert_true(count_segments() <= 2);
	}
	AUTO(logview_close) struct logview *view = open_view(&bounded, LOGVIEW_ALL);
	uint64_t kept = get_size(view) - logview_get_base(view);
	assert_in_range(kept, 800, 2000);
	check_views();
}

static void test_no_bounds(void **state)
{
	(void)state;
	open_files(&bounded, 1000, 0);
	open_files(&whole, 0, 3);
	for (int i = 0; i < 300; i++)
		write_lines(5);
	assert_true(count_segments() > 20);
	check_views();
	/* A line that no segment can hold is cut; no byte is lost. */
	char line[5000];
	memset(line, 'l', sizeof(line));
	put(&bounded, line, sizeof(line), LOG_STDOUT, 1);
	put(&whole, line, sizeof(line), LOG_STDOUT, 1);
	AUTO(logview_close) struct logview *view = open_view(&bounded, LOGVIEW_ALL);
	AUTO(logview_close) struct logview *other = open_view(&whole, LOGVIEW_ALL);
	AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;
	read_view(view, 0, 8192, &got);
	read_view(other, 0, 8192, &want);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, got.len);
}

static void test_runs(void **state)
{
	uint64_t ends[4];

	(void)state;
	for (uint64_t run = 1; run <= 3; run++) {
		open_files(&bounded, 1000, 0);
		bounded.files.run = (uint16_t)run;
		for (int i = 0; i < 30; i++)
			put(&bounded, "0123456789abcdefghijklmnopqrstuvwxyz\n", 37, LOG_STDOUT, 1);
		ends[run] = bounded.files.last.offset + bounded.files.last.length;
		logfiles_close(&bounded.files);
	}
	AUTO(logview_close) struct logview *view = open_view(&bounded, LOGVIEW_ALL);
	for (uint64_t run = 1; run <= 3; run++) {
		struct error err = ERROR_INIT;
		uint64_t end = 0;

		assert_int_equal(logview_find_run_end(view, run, &end, &err), 0);
		assert_int_equal(end, ends[run]);
	}
}

/* ---- readers ------------------------------------------------------------- */

static ssize_t read_all(struct logreader *reader, struct logview *view, uint64_t *inout_offset,
			size_t step, struct strbuf *out)
{
	struct error err = ERROR_INIT;
	char buf[8192];
	ssize_t n;

	while ((n = logreader_read(reader, view, *inout_offset, UINT64_MAX, buf, step, &err)) > 0) {
		strbuf_append(out, buf, (size_t)n);
		*inout_offset += (uint64_t)n;
	}
	if (n < 0)
		fail_msg("%s", err.msg);
	return n;
}

static void test_reader_keeps_up(void **state)
{
	(void)state;
	open_files(&bounded, 1000, 3);
	open_files(&whole, 0, 0);
	for (int kind = 0; kind < KIND_COUNT; kind++) {
		AUTO(logview_close) struct logview *view = open_view(&bounded, kind);
		AUTO(logview_close) struct logview *other = open_view(&whole, kind);
		AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT, want = STRBUF_INIT;
		struct logreader reader;
		uint64_t offset = 0, start = logview_get_base(view);

		logreader_init(&reader, start);
		for (int i = 0; i < 200; i++) {
			write_lines(9);
			assert_true(logreader_has_byte(&reader, view, offset) ||
				    get_size(view) == start + offset);
			read_all(&reader, view, &offset, i % 2 ? 50 : 8192, &got);
			assert_false(logreader_has_byte(&reader, view, offset));
		}
		read_view(other, start, 8192, &want);
		assert_int_equal(got.len, want.len);
		assert_memory_equal(got.data, want.data, got.len);
	}
}

/* The number in the gap's line; *ret_behind: what follows it. */
static uint64_t parse_gap(const char *text, const char **ret_behind)
{
	const char *at = strchr(text, '[');
	uint64_t lost = 0;

	assert_non_null(at);
	for (at++; *at >= '0' && *at <= '9'; at++)
		lost = lost * 10 + (uint64_t)(*at - '0');
	at = strchr(at, '\n');
	assert_non_null(at);
	*ret_behind = at + 1;
	return lost;
}

static void check_gap(int kind, struct logview *view, struct logview *other, uint64_t start,
		      uint64_t offset, const struct strbuf *got)
{
	AUTO(strbuf_deinit) struct strbuf want = STRBUF_INIT;
	const char *behind;
	uint64_t oldest, lost = parse_gap(got->data, &behind);
	struct error err = ERROR_INIT;

	(void)kind;
	assert_int_equal(logview_get_oldest(view, &oldest, &err), 0);
	assert_int_equal(lost, oldest - start - offset);
	read_view(other, oldest, 8192, &want);
	size_t len = got->len - (size_t)(behind - got->data);
	assert_int_equal(len, want.len);
	assert_memory_equal(behind, want.data, len);
}

/* A reader that is overtaken, at any byte, also with an engine that dies between its reads. */
static void test_gap(void **state)
{
	(void)state;
	open_files(&bounded, 1000, 3);
	open_files(&whole, 0, 0);
	for (int round = 0; round < 120; round++) {
		int kind = round % KIND_COUNT;
		struct logview *view = open_view(&bounded, kind);
		AUTO(logview_close) struct logview *other = open_view(&whole, kind);
		AUTO(strbuf_deinit) struct strbuf before = STRBUF_INIT, got = STRBUF_INIT;
		struct logreader reader, saved;
		struct error err = ERROR_INIT;
		uint64_t start = get_size(view), offset, at;
		char buf[200];

		logreader_init(&reader, start);
		write_lines(30);
		ssize_t n = logreader_read(&reader, view, 0, UINT64_MAX, buf,
					   (size_t)(rand() % 200), &err);
		assert_true(n >= 0);
		strbuf_append(&before, buf, (size_t)n);
		offset = at = (uint64_t)n;
		while (get_size(view) < start + 20000)
			write_lines(20);
		saved = reader;
		logview_close(view);
		view = open_view(&bounded, kind);
		read_all(&saved, view, &offset, round % 2 ? 8192 : 11, &got);
		assert_int_equal(offset, at + got.len);
		check_gap(kind, view, other, start, at, &got);
		/* What was read can be read again, from anywhere. */
		uint64_t middle = (uint64_t)rand() % got.len;
		n = logreader_read(&saved, view, at + middle, UINT64_MAX, buf, sizeof(buf), &err);
		assert_true(n > 0);
		assert_memory_equal(buf, got.data + middle, (size_t)n);
		/* In logs.json the object that was cut is whole, in the others the line is. */
		strbuf_append(&before, got.data, got.len);
		if (kind == LOGVIEW_JSON) {
			char *save = before.data;
			for (char *line = strsep(&save, "\n"); line && *line;
			     line = strsep(&save, "\n"))
				assert_true(line[0] == '{' && strlen(line) > 60 &&
					    line[strlen(line) - 1] == '}');
		} else {
			const char *gap = strchr(before.data, '[');
			assert_true(gap == before.data || gap[-1] == '\n');
		}
		logview_close(view);
	}
}

static void test_gap_before_the_end_of_a_run(void **state)
{
	struct logreader reader;
	struct error err = ERROR_INIT;
	char buf[500];

	(void)state;
	open_files(&bounded, 1000, 3);
	open_files(&whole, 0, 0);
	AUTO(logview_close) struct logview *view = open_view(&bounded, LOGVIEW_ALL);
	logreader_init(&reader, 0);
	write_lines(10);
	uint64_t end = get_size(view);
	assert_int_equal(logreader_read(&reader, view, 0, end, buf, 10, &err), 10);
	for (int i = 0; i < 100; i++)
		write_lines(10);
	ssize_t n = logreader_read(&reader, view, 10, end, buf, sizeof(buf) - 1, &err);
	assert_true(n > 0);
	buf[n] = '\0';
	const char *behind;
	assert_int_equal(parse_gap(buf, &behind), end - 10);
	assert_string_equal(behind, "");
	assert_int_equal(logreader_read(&reader, view, 10 + (uint64_t)n, end, buf, 10, &err), 0);
}

/* ---- many at once ---------------------------------------------------------- */

static atomic_bool writing;

/* Where what was read ends in what was written, lines of eight bytes with their numbers, and whether a gap's
 * line break can have ended the last one. */
struct place {
	uint64_t at;
	bool unsure;
};

static void pass_line(struct place *place, const char *line)
{
	size_t len = strlen(line);
	char number[16];

	snprintf(number, sizeof(number), "%07u", (unsigned)(place->at / 8));
	assert_int_equal(place->at % 8, 0);
	assert_true(len <= 7 && strncmp(line, number, len) == 0);
	place->unsure = len == 7;
	place->at += len + place->unsure;
}

/* Segments are of whole lines: what follows a gap begins one. */
static void pass_gap(struct place *place, uint64_t lost)
{
	place->at += lost;
	if (place->at % 8 != 0 && place->unsure)
		place->at--;
	place->unsure = false;
}

/* Consecutive lines, but for gaps, before which one may be cut. */
static void *read_numbers(void *arg)
{
	AUTO(logview_close) struct logview *view = arg;
	AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT;
	struct logreader reader;
	struct place place = { .at = 0 };
	uint64_t offset = 0;
	bool last = false;

	logreader_init(&reader, 0);
	while (!last) {
		last = !atomic_load(&writing);
		read_all(&reader, view, &offset, 8192, &got);
	}
	char *rest = got.data;
	for (char *line = strsep(&rest, "\n"); line && *line; line = strsep(&rest, "\n")) {
		const char *behind;

		if (*line != '[') {
			pass_line(&place, line);
			continue;
		}
		line[strlen(line)] = '\n';
		pass_gap(&place, parse_gap(line, &behind));
		rest = (char *)(uintptr_t)behind;
	}
	assert_int_equal(place.at, 90000 * 8);
	return NULL;
}

static void test_readers_while_it_rotates(void **state)
{
	pthread_t threads[3];
	char line[16];

	(void)state;
	open_files(&bounded, 4096, 3);
	atomic_store(&writing, true);
	put(&bounded, "0000000\n", 8, LOG_STDOUT, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, read_numbers,
						open_view(&bounded, LOGVIEW_ALL)),
				 0);
	for (int i = 1; i < 90000; i++) {
		int len = snprintf(line, sizeof(line), "%07d\n", i);
		put(&bounded, line, (size_t)len, LOG_STDOUT, 1);
	}
	atomic_store(&writing, false);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

/* ---- mending --------------------------------------------------------------- */

static unsigned read_last_number(void)
{
	AUTO(logview_close) struct logview *view = open_view(&bounded, LOGVIEW_ALL);
	AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT;
	unsigned first = 0, count = 0;

	read_view(view, logview_get_base(view), 8192, &got);
	for (size_t at = 0; at < got.len; at += 8, count++) {
		unsigned number = 0;

		assert_true(got.len - at >= 8 && got.data[at + 7] == '\n');
		for (int i = 0; i < 7; i++)
			number = number * 10 + (unsigned)(got.data[at + (size_t)i] - '0');
		if (count == 0)
			first = number;
		assert_int_equal(number, first + count);
	}
	return first + count;
}

/* The writer is killed wherever it is; the next one, or the engine, goes on without a hole. */
static void test_killed_at_any_moment(void **state)
{
	struct error err = ERROR_INIT;
	unsigned next = 0;

	(void)state;
	for (int round = 0; round < 150; round++) {
		pid_t pid = fork();

		if (pid == 0) {
			char line[16];

			open_files(&bounded, 80, 3);
			for (;; next++) {
				int len = snprintf(line, sizeof(line), "%07u\n", next);
				logfiles_put(&bounded.files, line, (size_t)len, LOG_STDOUT);
				if (!logfiles_flush(&bounded.files))
					_exit(1);
			}
		}
		usleep((useconds_t)(rand() % 2000));
		kill(pid, SIGKILL);
		int status = 0;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		if (logview_repair(bounded.dir_fd, 1, 1, &err) < 0)
			fail_msg("%s", err.msg);
		unsigned number = read_last_number();
		assert_true(number >= next);
		next = number;
	}
	assert_true(next > 1000);
	open_files(&bounded, 80, 3);
	assert_true(count_segments() <= 4);
}

/* What a power cut can leave, and a hand. */
static void test_damaged(void **state)
{
	struct error err = ERROR_INIT;
	char buf[100], name[LOG_NAME_SIZE];
	struct log_span span;

	(void)state;
	open_files(&bounded, 1000, 0);
	open_files(&whole, 0, 0);
	for (int i = 0; i < 40; i++)
		write_lines(10);
	logfiles_close(&bounded.files);
	/* The first record of the newest never reached the disk. */
	assert_int_equal(logformat_scan(bounded.dir_fd, &span), 0);
	logformat_get_name(span.last, true, name);
	auto_fd int fd = openat(bounded.dir_fd, name, O_TRUNC | O_WRONLY | O_CLOEXEC);
	assert_int_equal(write(fd, "\0\0\0\0", 4), 4);
	assert_int_equal(logview_repair(bounded.dir_fd, 1, 1, &err), 0);
	assert_int_equal(faccessat(bounded.dir_fd, name, F_OK, 0), -1);
	AUTO(logview_close) struct logview *view = open_view(&bounded, LOGVIEW_ALL);
	AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT;
	read_view(view, 0, 8192, &got);
	assert_int_equal(got.len, get_size(view));
	/* A segment in the middle is missing: told, and the rest can be read. */
	logformat_get_name(5, true, name);
	assert_return_code(unlinkat(bounded.dir_fd, name, 0), errno);
	AUTO(logview_close) struct logview *torn = open_view(&bounded, LOGVIEW_ALL);
	assert_int_equal(logview_read(torn, 5500, buf, 100, &err), -EIO);
	assert_string_equal(err.msg, "the log is damaged: a part in the middle is missing");
	error_clear(&err);
	assert_int_equal(logview_read(torn, get_size(torn) - 100, buf, 100, &err), 100);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		CASE(test_kept_within_bounds),
		CASE(test_one_file),
		CASE(test_no_bounds),
		CASE(test_runs),
		CASE(test_reader_keeps_up),
		CASE(test_gap),
		CASE(test_gap_before_the_end_of_a_run),
		CASE(test_readers_while_it_rotates),
		CASE(test_killed_at_any_moment),
		CASE(test_damaged),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
