/* logs: what a container has written, from the files that keep it.
 *
 * Without times the bytes are passed as they are: both streams in the order of arrival
 * where they go to one file, else each to its own. Times are in logs.json, whose text
 * has U+FFFD for what is no UTF-8. A tail is looked for from the end, a time by halving:
 * the length of a log costs nothing.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct logs {
	int dir_fd;
	unsigned long tail;
	bool follow;
	bool with_times;
	int64_t since, until;
	struct lines json; /* logs.json, when times matter */
	int raw_fds[2];    /* else: what goes to stdout, to stderr; -1: none */
	bool is_passed;    /* a line is from after until: the end */
	struct text decoded;
	struct text out; /* on its way to out_fd */
	int out_fd;
	bool mid_line[2]; /* a line of that stream is not finished */
};

static int open_log(const struct logs *logs, const char *name)
{
	int fd = openat(logs->dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open '%s'", name);
	return fd;
}

/* ---- one object of logs.json --------------------------------------------- */

struct entry {
	bool is_stderr;
	bool ends_line;
	int64_t time;
	const char *time_text; /* at its quote; borrowed */
};

/* Read a line and put its text into logs->decoded. False for what is no entry: the line
 * that tells of dropped bytes. */
static bool decode(struct logs *logs, const char *line, struct entry *ret)
{
	struct text time = { .data = NULL };
	struct text *text = &logs->decoded;
	const char *stream = json_member(line, "stream");

	text->len = 0;
	ret->time_text = json_member(line, "time");
	if (!stream || !json_append_text(json_member(line, "log"), text) ||
	    !json_append_text(ret->time_text, &time))
		return false;
	ret->is_stderr = strncmp(stream, "\"stderr\"", 8) == 0;
	ret->ends_line = text->len > 0 && text->data[text->len - 1] == '\n';
	bool valid = time.data && time_parse(time.data, &ret->time) == 0;
	text_free(&time);
	return valid;
}

static void flush_out(struct logs *logs)
{
	copy_out(logs->out_fd, logs->out.data, logs->out.len);
	logs->out.len = 0;
}

/* Many lines in one write, and each stream's before the other's next. */
static void put(struct logs *logs, int out_fd, const char *bytes, size_t len)
{
	if (logs->out.len > 0 && (logs->out_fd != out_fd || logs->out.len > 65536))
		flush_out(logs);
	logs->out_fd = out_fd;
	text_append(&logs->out, bytes, len);
}

static void print_entry(struct logs *logs, const char *line)
{
	struct entry entry = { .time = INT64_MIN };

	if (!decode(logs, line, &entry)) {
		put(logs, STDOUT_FILENO, line, strlen(line));
		put(logs, STDOUT_FILENO, "\n", 1);
		return;
	}
	logs->is_passed = entry.time > logs->until;
	if (entry.time < logs->since || logs->is_passed)
		return;
	int out_fd = entry.is_stderr ? STDERR_FILENO : STDOUT_FILENO;
	if (logs->with_times && !logs->mid_line[entry.is_stderr]) {
		put(logs, out_fd, entry.time_text + 1, strcspn(entry.time_text + 1, "\""));
		put(logs, out_fd, " ", 1);
	}
	logs->mid_line[entry.is_stderr] = !entry.ends_line;
	put(logs, out_fd, logs->decoded.data, logs->decoded.len);
}

/* ---- where to begin ------------------------------------------------------ */

/* The first line at or behind an offset: its time and where it begins. */
static bool look_at(struct logs *logs, off_t from, off_t *ret_start, int64_t *ret_time)
{
	struct entry entry;
	char *line;

	lines_begin(&logs->json, logs->json.fd, from > 0 ? from - 1 : 0);
	if (from > 0 && !lines_next(&logs->json, &line))
		return false;
	do {
		*ret_start = logs->json.offset;
		if (!lines_next(&logs->json, &line))
			return false;
	} while (!decode(logs, line, &entry));
	*ret_time = entry.time;
	return true;
}

/* Halving: an offset before which all is older. */
static off_t find_since(struct logs *logs)
{
	off_t low = 0, high = tail_get_size(logs->json.fd), start;
	int64_t time;

	while (high - low > 4096) {
		off_t middle = low + (high - low) / 2;
		if (look_at(logs, middle, &start, &time) && time < logs->since && start < high)
			low = start;
		else
			high = middle;
	}
	return low;
}

/* What the last lines are made of. */
struct tail {
	unsigned long count[2]; /* lines of stdout, stderr */
	off_t offset;           /* in logs.json */
};

/* Count the lines from an offset on. A line may come in several objects. */
static void count_lines(struct logs *logs, off_t from, struct tail *ret)
{
	bool mid[2] = { false, false };
	struct entry entry;
	char *line;

	*ret = (struct tail){ .offset = from };
	lines_begin(&logs->json, logs->json.fd, from);
	while (lines_next(&logs->json, &line)) {
		if (!decode(logs, line, &entry))
			continue;
		if (!mid[entry.is_stderr])
			ret->count[entry.is_stderr]++;
		mid[entry.is_stderr] = !entry.ends_line;
	}
}

/* Leave out the oldest lines until no more than the tail are left. */
static void drop_lines(struct logs *logs, struct tail *tail)
{
	struct entry entry;
	char *line;

	lines_begin(&logs->json, logs->json.fd, tail->offset);
	while (tail->count[0] + tail->count[1] > logs->tail && lines_next(&logs->json, &line)) {
		tail->offset = logs->json.offset;
		if (decode(logs, line, &entry) && entry.ends_line)
			tail->count[entry.is_stderr]--;
	}
}

#define SPARE 64 /* of a line that came in pieces all are wanted */

/* Objects are no fewer than lines: begin with some more, and take more while they do not do. */
static struct tail find_tail(struct logs *logs)
{
	struct tail tail = { .offset = tail_get_size(logs->json.fd) };
	unsigned long objects = logs->tail > ULONG_MAX - SPARE ? ULONG_MAX : logs->tail + SPARE;

	while (logs->tail > 0) {
		off_t from = tail_find_lines(logs->json.fd, objects);
		count_lines(logs, from, &tail);
		if (from == 0 || tail.count[0] + tail.count[1] >= logs->tail)
			break;
		objects = objects > ULONG_MAX / 4 ? ULONG_MAX : objects * 4;
	}
	drop_lines(logs, &tail);
	return tail;
}

static void begin_json(struct logs *logs)
{
	off_t from = 0;

	logs->json.fd = open_log(logs, "logs.json");
	if (logs->since != INT64_MIN)
		from = find_since(logs);
	if (logs->tail != ULONG_MAX) {
		off_t tail = find_tail(logs).offset;
		from = tail > from ? tail : from;
	}
	lines_begin(&logs->json, logs->json.fd, from);
}

static void seek_to_tail(int fd, unsigned long lines)
{
	off_t from = lines == ULONG_MAX ? 0 : tail_find_lines(fd, lines);

	if (lseek(fd, from, SEEK_SET) < 0)
		fail_sys(CFS_FAILED, "cannot seek in the log");
}

static void begin_raw(struct logs *logs)
{
	struct tail tail = { .count = { ULONG_MAX, ULONG_MAX } };

	if (copy_is_one_file(STDOUT_FILENO, STDERR_FILENO)) {
		logs->raw_fds[0] = open_log(logs, "logs");
		seek_to_tail(logs->raw_fds[0], logs->tail);
		return;
	}
	logs->raw_fds[0] = open_log(logs, "stdout");
	logs->raw_fds[1] = open_log(logs, "stderr");
	if (logs->tail != ULONG_MAX) {
		logs->json.fd = open_log(logs, "logs.json");
		tail = find_tail(logs);
		close(logs->json.fd);
		logs->json.fd = -1;
	}
	seek_to_tail(logs->raw_fds[0], tail.count[0]);
	seek_to_tail(logs->raw_fds[1], tail.count[1]);
}

/* ---- passing on ---------------------------------------------------------- */

static void pass_raw(int in_fd, int out_fd)
{
	static char buf[1 << 17];
	ssize_t n;

	while (in_fd >= 0 && (n = read(in_fd, buf, sizeof(buf))) != 0) {
		if (n > 0)
			copy_out(out_fd, buf, (size_t)n);
		else if (errno != EINTR)
			fail_sys(CFS_FAILED, "cannot read the log");
	}
}

/* All that is there now. */
static void pass_on(struct logs *logs)
{
	char *line;

	if (logs->json.fd >= 0) {
		while (!logs->is_passed && lines_next(&logs->json, &line))
			print_entry(logs, line);
		flush_out(logs);
		return;
	}
	pass_raw(logs->raw_fds[0], STDOUT_FILENO);
	pass_raw(logs->raw_fds[1], STDERR_FILENO);
}

/* The run has ended: another may follow, by a policy. */
static bool goes_on(int dir_fd)
{
	char *status = mount_read_file(dir_fd, "status");
	const char *line = status ? strstr(status, "\nState:\t") : NULL;
	bool on = line && strncmp(line + 8, "exited", 6) != 0;

	free(status);
	return on;
}

/* Milliseconds to until, for poll(2). */
static int get_patience(const struct logs *logs)
{
	int64_t left = logs->until == INT64_MAX ? -1 : logs->until - time_now();

	if (logs->until == INT64_MAX)
		return -1;
	return left <= 0 ? 0 : left / 1000000 >= INT_MAX ? INT_MAX : (int)(left / 1000000) + 1;
}

static void follow(struct logs *logs)
{
	int wait_fd = open_log(logs, "wait");
	bool ended = false;
	char code[16];

	for (;;) {
		pass_on(logs);
		if (ended || logs->is_passed || get_patience(logs) == 0)
			return;
		struct pollfd polled[] = {
			{ .fd = wait_fd, .events = POLLIN },
			{ .fd = logs->json.fd, .events = POLLIN },
			{ .fd = logs->raw_fds[0], .events = POLLIN },
			{ .fd = logs->raw_fds[1], .events = POLLIN },
		};
		if (poll(polled, 4, get_patience(logs)) < 0 && errno != EINTR)
			fail_sys(CFS_FAILED, "cannot wait for the log");
		if (!polled[0].revents || read(wait_fd, code, sizeof(code)) < 0)
			continue;
		ended = !goes_on(logs->dir_fd);
		close(wait_fd);
		wait_fd = ended ? -1 : open_log(logs, "wait");
	}
}

/* ---- words --------------------------------------------------------------- */

static unsigned long parse_lines(const char *text)
{
	char *end;

	/* Docker: any negative number is all. */
	if (strcmp(text, "all") == 0 || (text[0] == '-' && strspn(text + 1, "0123456789") > 0))
		return ULONG_MAX;
	errno = 0;
	unsigned long lines = strtoul(text, &end, 10);
	if (errno || end == text || *end || text[0] < '0' || text[0] > '9')
		fail(CFS_FAILED, "logs: '%s' is no number of lines", text);
	return lines;
}

static int64_t parse_time(const char *text)
{
	int64_t time;

	if (time_parse(text, &time) < 0)
		fail(CFS_FAILED,
		     "logs: '%s' is no time; such as 2026-01-31T15:04:05Z, 1769871845 or 10m",
		     text);
	return time;
}

static void take_option(struct logs *logs, int c)
{
	if (c == '?')
		exit(CFS_FAILED);
	else if (c == 'f')
		logs->follow = true;
	else if (c == 't')
		logs->with_times = true;
	else if (c == 'n')
		logs->tail = parse_lines(optarg);
	else if (c == 's')
		logs->since = parse_time(optarg);
	else
		logs->until = parse_time(optarg);
}

int command_logs(int argc, char **argv)
{
	static const struct option names[] = {
		{ "follow", no_argument, NULL, 'f' },
		{ "since", required_argument, NULL, 's' },
		{ "tail", required_argument, NULL, 'n' },
		{ "timestamps", no_argument, NULL, 't' },
		{ "until", required_argument, NULL, 'u' },
		{ NULL, 0, NULL, 0 },
	};
	struct logs logs = {
		.tail = ULONG_MAX,
		.since = INT64_MIN,
		.until = INT64_MAX,
		.json.fd = -1,
		.raw_fds = { -1, -1 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "fn:t", names, NULL)) != -1)
		take_option(&logs, c);
	if (argc - optind != 1)
		fail(CFS_FAILED, "logs: one container is needed; see 'cfs logs --help'");
	logs.dir_fd = mount_open_container(mount_open(CFS_FAILED), argv[optind], CFS_FAILED);
	if (logs.with_times || logs.since != INT64_MIN || logs.until != INT64_MAX)
		begin_json(&logs);
	else
		begin_raw(&logs);
	if (logs.follow)
		follow(&logs);
	else
		pass_on(&logs);
	return 0;
}
