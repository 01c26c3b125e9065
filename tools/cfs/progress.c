/* Commands that take their time, and say meanwhile how far they are: pull, push, import, load, and the run that
 * fetches its image first.
 *
 * The reply so far lies where the whole one will: a thread reads it there again and again while the write
 * waits. One line stands for one layer and changes; "DIGITS: Downloading N/TOTAL" counts. A terminal gets
 * the lines redrawn, with a bar for a count; anything else gets a line when its words change.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EVERY_NS 100000000L
#define SECOND_NS 1000000000L
#define BAR 30
#define BAR_MIN 6

struct watcher {
	int fd;
	off_t offset; /* of the reply */
	FILE *out;
	bool is_terminal;
	bool with_reply;
	struct text before; /* what was there before: the reply of an earlier command */
	struct text shown;  /* what was shown last */
	unsigned drawn;     /* lines of it on the terminal */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_done; /* guarded by lock */
};

/* --- lines ------------------------------------------------------------------------------ */

/* " N/TOTAL" at a line's end: the length of the words before it. A total of "?" is 0. */
static size_t find_count(const char *line, size_t len, unsigned long long *ret_done,
			 unsigned long long *ret_total)
{
	size_t at = len;

	while (at > 0 && strchr("0123456789/?", line[at - 1]))
		at--;
	if (at == 0 || at == len || line[at - 1] != ' ' || !memchr(line + at, '/', len - at))
		return len;
	char *end;
	*ret_done = strtoull(line + at, &end, 10);
	*ret_total = *end == '/' ? strtoull(end + 1, NULL, 10) : 0;
	return *ret_total || line[len - 1] == '?' ? at - 1 : len;
}

static size_t line_len(const char *line)
{
	return strcspn(line, "\n");
}

static const char *next_line(const char *line)
{
	line += line_len(line);
	return *line ? line + 1 : line;
}

static void print_size(FILE *out, unsigned long long bytes)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1000 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		size /= 1000;
	fprintf(out, "%.*f%s", unit ? 1 : 0, size, units[unit]);
}

/* "[====>   ] 1.2MB/3.4MB" in so many columns: the bar as long as fits, none when that were too short to tell
 * anything; what does not fit at all is left out. */
static void draw_count(FILE *out, size_t columns, unsigned long long done, unsigned long long total)
{
	char sizes[64];
	FILE *text = fmemopen(sizes, sizeof(sizes), "w");

	if (!text)
		return;
	print_size(text, done);
	fputc('/', text);
	print_size(text, total);
	fclose(text);
	size_t len = strlen(sizes);
	size_t room = columns > len + 4 ? columns - len - 4 : 0; /* blanks and brackets */
	size_t bar = room < BAR ? room : BAR;
	size_t filled =
		(size_t)((double)(done < total ? done : total) * (double)bar / (double)total);
	if (bar >= BAR_MIN) {
		fputs(" [", out);
		for (size_t i = 0; i < bar; i++)
			fputc(i < filled ? '=' : i == filled ? '>' : ' ', out);
		fputc(']', out);
	}
	if (columns > len)
		fprintf(out, " %s", sizes);
}

/* The last column stays free: a line that fills it is two on some terminals. */
static void draw_line(FILE *out, const char *line, size_t len, unsigned columns)
{
	unsigned long long done = 0, total = 0;
	size_t words = find_count(line, len, &done, &total);
	size_t room = columns > 1 ? columns - 1 : 1;
	size_t shown = words < room ? words : room;

	fprintf(out, "%.*s", (int)shown, line);
	if (words < len)
		draw_count(out, room - shown, done, total);
	fputs("\033[K\n", out);
}

/* --- showing ----------------------------------------------------------------------------- */

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text = next_line(text))
		count++;
	return count;
}

static bool has_count(const char *line)
{
	unsigned long long done, total;

	return find_count(line, line_len(line), &done, &total) < line_len(line);
}

/* As many lines as the terminal has rows for. When there are more, those that do not move are left out first, from the top,
 * where what is done stands. is_whole: all of them, it may scroll. */
static void draw(struct watcher *watcher, const char *text, bool is_whole)
{
	unsigned rows = 24, columns = 80, drawn = 0;
	size_t count = count_lines(text), excess;

	if (!terminal_get_size(&rows, &columns) || rows < 2) {
		rows = 24;
		columns = 80;
	}
	if (watcher->drawn)
		fprintf(watcher->out, "\033[%uA\r", watcher->drawn);
	excess = !is_whole && count > rows - 1 ? count - (rows - 1) : 0;
	for (bool is_first = true; *text; text = next_line(text), is_first = false) {
		if (excess && !is_first && !has_count(text)) {
			excess--;
			continue;
		}
		if (!is_whole && drawn + 1 == rows)
			break;
		draw_line(watcher->out, text, line_len(text), columns);
		drawn++;
	}
	fputs("\033[J", watcher->out);
	watcher->drawn = drawn;
}

/* Lines whose words are others than before. */
static void print_changes(struct watcher *watcher, const char *text)
{
	const char *old = watcher->shown.data ? watcher->shown.data : "";

	for (; *text; text = next_line(text), old = next_line(old)) {
		unsigned long long done, total;
		size_t words = find_count(text, line_len(text), &done, &total);
		size_t old_words = find_count(old, line_len(old), &done, &total);

		if (words != old_words || memcmp(text, old, words) != 0)
			fprintf(watcher->out, "%.*s\n", (int)words, text);
	}
}

static void show(struct watcher *watcher, const char *text, bool is_whole)
{
	if (watcher->is_terminal)
		draw(watcher, text, is_whole);
	else
		print_changes(watcher, text);
	watcher->shown.len = 0;
	text_append_str(&watcher->shown, text);
	fflush(watcher->out);
}

/* --- watching ------------------------------------------------------------------------------ */

static struct text read_now(const struct watcher *watcher)
{
	struct text now = { .data = NULL };
	char buf[16384];
	ssize_t n;

	while ((n = pread(watcher->fd, buf, sizeof(buf), watcher->offset + (off_t)now.len)) > 0)
		text_append(&now, buf, (size_t)n);
	return now;
}

static bool is_same(const struct text *a, const struct text *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* The reply itself can be there some time before the write returns. */
static bool is_reply(const struct watcher *watcher, const struct text *now)
{
	return ctl_has_sentence(now) || (!watcher->with_reply && ctl_find_id(now) >= 0);
}

static void look(struct watcher *watcher)
{
	struct text now = read_now(watcher);

	/* Half a line is the end of a text that was replaced while it was read. */
	if (now.len > 0 && now.data[now.len - 1] == '\n' && !is_same(&now, &watcher->before) &&
	    !is_same(&now, &watcher->shown) && !is_reply(watcher, &now))
		show(watcher, now.data, false);
	text_free(&now);
}

static void *watch(void *arg)
{
	struct watcher *watcher = arg;
	struct timespec until;

	pthread_mutex_lock(&watcher->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	while (!watcher->is_done) {
		until.tv_nsec += EVERY_NS;
		until.tv_sec += until.tv_nsec / SECOND_NS;
		until.tv_nsec %= SECOND_NS;
		if (pthread_cond_timedwait(&watcher->changed, &watcher->lock, &until) == 0)
			continue;
		pthread_mutex_unlock(&watcher->lock);
		look(watcher);
		clock_gettime(CLOCK_REALTIME, &until);
		pthread_mutex_lock(&watcher->lock);
	}
	pthread_mutex_unlock(&watcher->lock);
	return NULL;
}

int ctl_do_shown(int fd, const char *command, FILE *out, bool with_reply, struct text *reply,
		 char **ret_sentence)
{
	struct watcher watcher = { .fd = fd,
				   .offset = (off_t)strlen(command) + 1,
				   .out = out,
				   .is_terminal = isatty(fileno(out)),
				   .with_reply = with_reply,
				   .lock = PTHREAD_MUTEX_INITIALIZER,
				   .changed = PTHREAD_COND_INITIALIZER };
	pthread_t thread;

	watcher.before = read_now(&watcher);
	/* Without a thread nothing is shown meanwhile. */
	bool is_watched = pthread_create(&thread, NULL, watch, &watcher) == 0;
	int r = ctl_do(fd, command, reply, ret_sentence);

	pthread_mutex_lock(&watcher.lock);
	watcher.is_done = true;
	pthread_cond_signal(&watcher.changed);
	pthread_mutex_unlock(&watcher.lock);
	if (is_watched)
		pthread_join(thread, NULL);
	if (r == 0 && with_reply && reply->data)
		show(&watcher, reply->data, true);
	text_free(&watcher.before);
	text_free(&watcher.shown);
	return r;
}

int command_transfer(int argc, char **argv)
{
	struct text command = { .data = NULL };
	struct text reply = { .data = NULL };
	char *sentence;

	for (int i = 0; i < argc; i++)
		text_append_word(&command, argv[i]);
	int mnt_fd = mount_open(CFS_FAILED);
	int fd = openat(mnt_fd, "ctl", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_FAILED, "cannot open 'ctl'");
	int r = ctl_do_shown(fd, command.data, stdout, true, &reply, &sentence);
	if (sentence)
		fail(CFS_FAILED, "%s", sentence);
	if (r < 0) {
		errno = -r;
		fail_sys(CFS_FAILED, "%s", argv[0]);
	}
	text_free(&command);
	text_free(&reply);
	return 0;
}
