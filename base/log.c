/* The engine's own log: see log.h.
 *
 * A line is made whole and goes out in one write(2), so threads need no lock
 * and none waits for another one's disk; O_APPEND keeps lines apart. Nothing is
 * done about a log that cannot be written: there is nobody to tell.
 */
#include "base/log.h"

#include "base/clock.h"
#include "base/strbuf.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <unistd.h>

/* The only mutable globals of base/: a log that had to be passed to everything
 * would not be used where it is needed. */
static _Atomic int log_fd = -1;
static _Atomic int copy_fd = -1;

void log_set_fd(int fd)
{
	atomic_store(&log_fd, fd);
}

void log_set_copy_fd(int fd)
{
	atomic_store(&copy_fd, fd);
}

static void write_to(int fd, const char *line, size_t len)
{
	ssize_t written;

	do
		written = write(fd, line, len);
	while (written < 0 && errno == EINTR);
}

static void write_line(const char *line, size_t len)
{
	int fd = atomic_load(&log_fd), copy = atomic_load(&copy_fd);

	write_to(fd < 0 ? STDERR_FILENO : fd, line, len);
	if (copy >= 0)
		write_to(copy, line, len);
}

__attribute__((format(printf, 2, 0))) static void log_text(const char *level, const char *fmt,
							   va_list args)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf line = STRBUF_INIT;
	static const char lost[] = "warning: a line was lost: out of memory\n";
	char now[CLOCK_TEXT_SIZE];
	int keep = errno;

	strbuf_vappendf(&text, fmt, args);
	clock_render(clock_now_ns(), now);
	strbuf_appendf(&line, "%s %s: ", now, level);
	strbuf_append_escaped(&line, strbuf_get_str(&text), text.len);
	strbuf_append_char(&line, '\n');
	if (text.oom || line.oom)
		write_line(lost, sizeof(lost) - 1);
	else
		write_line(line.data, line.len);
	errno = keep;
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_text("info", fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_text("warning", fmt, args);
	va_end(args);
}
