/* Views of a log against a renderer that knows the whole log in memory.
 * ctest-labels: threads */
#include "runtime/log/logview.h"

#include "base/clock.h"
#include "base/path.h"
#include "base/strbuf.h"
#include "runtime/log/logformat.h"
#include "tests/alloc_sweep.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include <cmocka.h>

/* What the shim does, and what the four views must show. */
struct writer {
	int log_fd;
	int index_fd;
	struct log_record last;
	bool keep;
	struct strbuf expect[4];
};

static char dir[64];
static int dir_fd;
static struct writer writer;

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/test_logview.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	memset(&writer, 0, sizeof(writer));
	writer.log_fd = -1;
	writer.index_fd = -1;
	writer.keep = true;
	return dir_fd < 0 ? -1 : 0;
}

static void open_writer(void)
{
	int flags = O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC;

	writer.log_fd = openat(dir_fd, "log", flags, 0600);
	writer.index_fd = openat(dir_fd, "log.index", flags, 0600);
	assert_true(writer.log_fd >= 0 && writer.index_fd >= 0);
}

static int teardown(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++)
		strbuf_deinit(&writer.expect[i]);
	if (writer.log_fd >= 0)
		close(writer.log_fd);
	if (writer.index_fd >= 0)
		close(writer.index_fd);
	close(dir_fd);
	path_remove_tree(AT_FDCWD, dir);
	return 0;
}

/* The plain way to say what logs.json holds: byte by byte. */
static size_t utf8_len(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	uint32_t point = n < 2 ? s[0] : s[0] & (0xffU >> (n + 1));

	if (n == 0 || n > len)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3fU);
	}
	if ((n == 2 && point < 0x80) || (n == 3 && point < 0x800) || (n == 4 && point < 0x10000) ||
	    point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return 0;
	return n;
}

static void expect_json(struct strbuf *out, const char *chunk, size_t len, const char *stream,
			int64_t time_ns)
{
	char time[CLOCK_TEXT_SIZE];
	bool open = false;

	clock_render(time_ns, time);
	for (size_t i = 0; i < len;) {
		unsigned char c = (unsigned char)chunk[i];
		if (!open)
			strbuf_append_str(out, "{\"log\":\"");
		open = true;
		size_t n = utf8_len((const unsigned char *)chunk + i, len - i);
		if (c == '"' || c == '\\')
			strbuf_appendf(out, "\\%c", c);
		else if (c == '\n')
			strbuf_append_str(out, "\\n");
		else if (c == '\t')
			strbuf_append_str(out, "\\t");
		else if (c == '\r')
			strbuf_append_str(out, "\\r");
		else if (c == '\b')
			strbuf_append_str(out, "\\b");
		else if (c == '\f')
			strbuf_append_str(out, "\\f");
		else if (c < 0x20 || c == 0x7f)
			strbuf_appendf(out, "\\u%04x", c);
		else if (n == 0)
			strbuf_append_str(out, "\\ufffd");
		else
			strbuf_append(out, chunk + i, n);
		i += n ? n : 1;
		if (c == '\n' || i >= len) {
			strbuf_appendf(out, "\",\"stream\":\"%s\",\"time\":\"%s\"}\n", stream,
				       time);
			open = false;
		}
	}
}

static void append(unsigned stream, const char *chunk, size_t len)
{
	struct log_record r = writer.last;

	if (writer.log_fd < 0)
		open_writer();
	r.offset += r.length;
	r.length = (uint32_t)len;
	r.stream = (uint16_t)stream;
	r.time_ns = 1700000000000000000 + (int64_t)r.offset;
	*(stream == LOG_STDOUT ? &r.stdout_bytes : &r.stderr_bytes) += len;
	r.json_bytes += logformat_json_size(chunk, len, stream);
	assert_int_equal(path_write_all(writer.log_fd, chunk, len), 0);
	assert_int_equal(path_write_all(writer.index_fd, &r, sizeof(r)), 0);
	writer.last = r;
	if (!writer.keep)
		return;
	strbuf_append(&writer.expect[LOGVIEW_ALL], chunk, len);
	strbuf_append(&writer.expect[stream == LOG_STDOUT ? LOGVIEW_STDOUT : LOGVIEW_STDERR], chunk,
		      len);
	expect_json(&writer.expect[LOGVIEW_JSON], chunk, len,
		    stream == LOG_STDOUT ? "stdout" : "stderr", r.time_ns);
}

static void append_str(unsigned stream, const char *text)
{
	append(stream, text, strlen(text));
}

static struct logview *open_view(enum logview_kind kind)
{
	struct logview *view = NULL;
	struct error err = ERROR_INIT;

	assert_int_equal(logview_open(dir_fd, kind, &view, &err), 0);
	return view;
}

static uint64_t get_size(struct logview *view)
{
	struct error err = ERROR_INIT;
	uint64_t size = UINT64_MAX;

	assert_int_equal(logview_get_size(view, &size, &err), 0);
	return size;
}

static void check_read(enum logview_kind kind, struct logview *view, uint64_t offset, size_t len)
{
	const struct strbuf *expect = &writer.expect[kind];
	struct error err = ERROR_INIT;
	char *buf = malloc(len + 1);
	size_t left = offset < expect->len ? expect->len - (size_t)offset : 0;
	size_t want = left < len ? left : len;

	ssize_t n = logview_read(view, offset, buf, len, &err);
	if (n < 0)
		print_error("read: %s\n", err.msg);
	assert_int_equal(n, want);
	if (want > 0)
		assert_memory_equal(buf, expect->data + offset, want);
	free(buf);
}

static void check_all_views(unsigned random_reads)
{
	for (int kind = LOGVIEW_ALL; kind <= LOGVIEW_JSON; kind++) {
		struct logview *view = open_view((enum logview_kind)kind);
		size_t size = writer.expect[kind].len;

		assert_int_equal(get_size(view), size);
		check_read((enum logview_kind)kind, view, 0, size + 10);
		check_read((enum logview_kind)kind, view, size, 10);
		check_read((enum logview_kind)kind, view, size + 5, 10);
		for (unsigned i = 0; i < random_reads && size > 0; i++)
			check_read((enum logview_kind)kind, view, (size_t)rand() % size,
				   (size_t)rand() % (i % 2 ? 40 : 5000));
		logview_close(view);
	}
}

static void test_without_log(void **state)
{
	struct logview *view = open_view(LOGVIEW_STDOUT);
	struct error err = ERROR_INIT;
	char c;

	(void)state;
	assert_int_equal(get_size(view), 0);
	assert_int_equal(logview_read(view, 0, &c, 1, &err), 0);
	assert_int_equal(logview_get_mtime_ns(view), 0);
	/* The files come while the view is open. */
	append_str(LOG_STDOUT, "x");
	assert_int_equal(get_size(view), 1);
	assert_int_equal(logview_read(view, 0, &c, 1, &err), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(logview_get_mtime_ns(view), 1700000000000000000);
	logview_close(view);
}

static void test_json_text(void **state)
{
	struct logview *view = open_view(LOGVIEW_JSON);
	struct error err = ERROR_INIT;
	char buf[400];

	(void)state;
	append_str(LOG_STDOUT, "say \"hi\\\"\n\tb");
	append(LOG_STDERR, "\xc3\xa4 \xff\x01\x7f", 6);
	ssize_t n = logview_read(view, 0, buf, sizeof(buf) - 1, &err);
	assert_true(n > 0);
	buf[n] = 0;
	assert_string_equal(buf,
			    "{\"log\":\"say \\\"hi\\\\\\\"\\n\",\"stream\":\"stdout\","
			    "\"time\":\"2023-11-14T22:13:20.000000000Z\"}\n"
			    "{\"log\":\"\\tb\",\"stream\":\"stdout\","
			    "\"time\":\"2023-11-14T22:13:20.000000000Z\"}\n"
			    "{\"log\":\"\xc3\xa4 \\ufffd\\u0001\\u007f\",\"stream\":\"stderr\","
			    "\"time\":\"2023-11-14T22:13:20.000000012Z\"}\n");
	assert_int_equal(get_size(view), n);
	logview_close(view);
}

static void append_random(void)
{
	static const char *const bits[] = { "\n",
					    "a",
					    "hello world ",
					    "\"",
					    "\\",
					    "\t",
					    "\xff",
					    "\xc3\xa4",
					    "\xc3",
					    "\xed\xa0\x80",
					    "\xf0\x9f\x98\x80",
					    "\xf4\x90\x80\x80",
					    "\xe0\x80\x80",
					    "\x7f",
					    "\x1b[1m",
					    "\r\n",
					    "\b\f" };
	AUTO(strbuf_deinit) struct strbuf chunk = STRBUF_INIT;

	for (int parts = rand() % 30 + 1; parts > 0; parts--)
		strbuf_append_str(&chunk, bits[(size_t)rand() % (sizeof(bits) / sizeof(*bits))]);
	append(rand() % 3 ? LOG_STDOUT : LOG_STDERR, chunk.data, chunk.len);
}

static void test_random_access(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 3000; i++)
		append_random();
	check_all_views(2000);
}

static void test_rare_stream(void **state)
{
	(void)state;
	for (int i = 0; i < 5000; i++)
		append_str(i % 1999 == 7 ? LOG_STDERR : LOG_STDOUT, i % 2 ? "odd\n" : "even\n");
	check_all_views(200);
}

static void test_chunk_of_newlines(void **state)
{
	char *chunk = malloc(1 << 16);

	(void)state;
	memset(chunk, '\n', 1 << 16);
	append(LOG_STDOUT, chunk, 1 << 16);
	free(chunk);
	check_all_views(50);
}

static void test_torn_record_is_not_seen(void **state)
{
	(void)state;
	append_str(LOG_STDOUT, "one\n");
	append_str(LOG_STDERR, "two\n");
	assert_int_equal(path_write_all(writer.log_fd, "three\n", 6), 0);
	check_all_views(20);
	assert_int_equal(path_write_all(writer.index_fd, &writer.last, 20), 0);
	check_all_views(20);
}

static void test_repair(void **state)
{
	struct error err = ERROR_INIT;
	struct logview *view = open_view(LOGVIEW_JSON);
	char buf[512];
	struct stat st;

	(void)state;
	assert_int_equal(logview_repair(dir_fd, 1, 5, &err), 0);
	append_str(LOG_STDERR, "one\n");
	assert_int_equal(logview_repair(dir_fd, 1, 5, &err), 0);
	check_all_views(5);

	assert_int_equal(path_write_all(writer.log_fd, "lost", 4), 0);
	assert_int_equal(path_write_all(writer.index_fd, &writer.last, 47), 0);
	assert_int_equal(logview_repair(dir_fd, 3, 1000000000, &err), 0);
	assert_int_equal(logview_repair(dir_fd, 3, 2000000000, &err), 0);
	strbuf_append_str(&writer.expect[LOGVIEW_ALL], "lost");
	strbuf_append_str(&writer.expect[LOGVIEW_STDOUT], "lost");
	expect_json(&writer.expect[LOGVIEW_JSON], "lost", 4, "stdout", 1000000000);
	check_all_views(20);
	assert_int_equal(logview_get_mtime_ns(view), 1000000000);
	assert_true(logview_read(view, 0, buf, sizeof(buf), &err) > 0);

	struct log_record last;
	assert_int_equal(fstatat(dir_fd, "log.index", &st, 0), 0);
	assert_int_equal(st.st_size, 96);
	auto_fd int fd = openat(dir_fd, "log.index", O_RDONLY | O_CLOEXEC);
	assert_int_equal(path_pread_full(fd, &last, sizeof(last), 48), sizeof(last));
	assert_int_equal(last.run, 3);
	logview_close(view);
}

/* What a power cut leaves: records of zeros, and bytes that never came. */
static void test_repair_after_power_cut(void **state)
{
	static const char zeros[96];
	struct error err = ERROR_INIT;

	(void)state;
	append_str(LOG_STDOUT, "one\n");
	writer.keep = false;
	append_str(LOG_STDOUT, "gone\n");
	assert_int_equal(path_write_all(writer.index_fd, zeros, sizeof(zeros)), 0);
	assert_int_equal(ftruncate(writer.log_fd, 4), 0);
	assert_int_equal(logview_repair(dir_fd, 1, 1, &err), 0);
	check_all_views(5);
}

static void test_damage_is_eio(void **state)
{
	struct error err = ERROR_INIT;
	struct logview *view = open_view(LOGVIEW_STDOUT);
	char buf[10];

	(void)state;
	append_str(LOG_STDOUT, "hello\n");
	assert_int_equal(ftruncate(writer.log_fd, 2), 0);
	assert_int_equal(logview_read(view, 0, buf, 6, &err), -EIO);
	assert_string_equal(err.msg, "'log' is shorter than its index says");

	writer.last.length = 2;
	assert_int_equal(ftruncate(writer.index_fd, 0), 0);
	assert_int_equal(path_write_all(writer.index_fd, &writer.last, sizeof(writer.last)), 0);
	error_clear(&err);
	assert_int_equal(logview_read(view, 0, buf, 6, &err), -EIO);
	assert_string_equal(err.msg, "'log.index' is damaged");
	unlinkat(dir_fd, "log", 0);
	error_clear(&err);
	logview_close(view);
	view = open_view(LOGVIEW_ALL);
	assert_int_equal(logview_read(view, 0, buf, 6, &err), -EIO);
	assert_string_equal(err.msg, "'log' is missing");
	logview_close(view);
}

/* A million records made without the writer's system calls. */
static void test_million_records(void **state)
{
	enum { COUNT = 1000000 };
	struct log_record *records = calloc(COUNT, sizeof(*records));
	char *log = malloc((size_t)COUNT * 8);
	struct error err = ERROR_INIT;
	size_t json = logformat_json_size("1234567\n", 8, LOG_STDOUT);
	char buf[64];

	(void)state;
	for (uint64_t i = 0; i < COUNT; i++) {
		char line[16];
		snprintf(line, sizeof(line), "%07u\n", (unsigned)i);
		memcpy(log + i * 8, line, 8);
		records[i] = (struct log_record){ .offset = i * 8,
						  .length = 8,
						  .stream = i == 999 ? LOG_STDERR : LOG_STDOUT,
						  .time_ns = 1700000000000000000,
						  .stdout_bytes = (i + 1 - (i >= 999)) * 8,
						  .stderr_bytes = i >= 999 ? 8 : 0,
						  .json_bytes = (i + 1) * json };
	}
	open_writer();
	path_write_all(writer.log_fd, log, (size_t)COUNT * 8);
	path_write_all(writer.index_fd, records, COUNT * sizeof(*records));

	for (int kind = LOGVIEW_STDOUT; kind <= LOGVIEW_JSON; kind += 2) {
		struct logview *view = open_view((enum logview_kind)kind);
		uint64_t unit = kind == LOGVIEW_JSON ? json : 8;
		int64_t begin = clock_monotonic_ns();
		for (uint64_t i = 0; i < 1000; i++)
			assert_int_equal(
				logview_read(view, (500000 + i * 77) * unit, buf, 16, &err), 16);
		int64_t each_ns = (clock_monotonic_ns() - begin) / 1000;
		print_message("a read in the middle of a million: %d ns\n", (int)each_ns);
		assert_true(each_ns < 1000000);
		logview_close(view);
	}
	free(records);
	free(log);
}

struct race {
	_Atomic bool done;
	enum logview_kind kind;
	struct strbuf got;
};

static void *follow(void *arg)
{
	struct race *race = arg;
	struct logview *view = open_view(race->kind);
	char buf[3000];

	for (;;) {
		bool last = race->done;
		struct error err = ERROR_INIT;
		ssize_t n = logview_read(view, race->got.len, buf, sizeof(buf), &err);
		if (n < 0 || (n == 0 && last))
			break;
		strbuf_append(&race->got, buf, (size_t)n);
	}
	logview_close(view);
	return NULL;
}

static void test_append_while_reading(void **state)
{
	struct race races[4];
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		races[i] = (struct race){ .kind = (enum logview_kind)i };
		pthread_create(&threads[i], NULL, follow, &races[i]);
	}
	srand(2);
	for (int i = 0; i < 20000; i++)
		append_random();
	for (int i = 0; i < 4; i++)
		races[i].done = true;
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(races[i].got.len, writer.expect[i].len);
		assert_memory_equal(races[i].got.data, writer.expect[i].data, races[i].got.len);
		strbuf_deinit(&races[i].got);
	}
}

static int attempt_json(void *arg)
{
	struct logview *view = NULL;
	struct error err = ERROR_INIT;
	char buf[200];

	(void)arg;
	int r = logview_open(dir_fd, LOGVIEW_JSON, &view, &err);
	if (r < 0)
		return r;
	ssize_t n = logview_read(view, 3, buf, sizeof(buf), &err);
	assert_true(n == sizeof(buf) || n == -ENOMEM);
	logview_close(view);
	return n < 0 ? (int)n : 0;
}

static int attempt_repair(void *arg)
{
	struct error err = ERROR_INIT;

	(void)arg;
	assert_int_equal(ftruncate(writer.index_fd, 48), 0);
	return logview_repair(dir_fd, 1, 1, &err);
}

static void test_without_memory(void **state)
{
	(void)state;
	append_str(LOG_STDOUT, "some text\n");
	append_str(LOG_STDOUT, "a longer text, for which the buffer must grow\n");
	append_str(LOG_STDERR, "more\n");
	assert_int_equal(alloc_sweep(attempt_json, NULL), 5);
	assert_int_equal(alloc_sweep(attempt_repair, NULL), 1);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_without_log),
		CASE(test_json_text),
		CASE(test_random_access),
		CASE(test_rare_stream),
		CASE(test_chunk_of_newlines),
		CASE(test_torn_record_is_not_seen),
		CASE(test_repair),
		CASE(test_repair_after_power_cut),
		CASE(test_damage_is_eio),
		CASE(test_million_records),
		CASE(test_without_memory),
		CASE(test_append_while_reading),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
