/* Finding a place in a long file of lines without reading all of it. */
#include "cfs.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

off_t tail_get_size(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		fail_sys(CFS_FAILED, "cannot look at the log");
	return st.st_size;
}

static void read_at(int fd, char *buf, size_t len, off_t at)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(fd, buf + done, len - done, at + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			fail_sys(CFS_FAILED, "cannot read the log");
		done += (size_t)n;
	}
}

off_t tail_find_lines(int fd, unsigned long lines)
{
	static char buf[65536];
	off_t size = tail_get_size(fd), at = size;
	unsigned long seen = 0;

	if (lines == 0)
		return size;
	while (at > 0) {
		/* Small at first: most want ten lines. */
		size_t most = size - at < (off_t)sizeof(buf) ? 4096 : sizeof(buf);
		size_t len = at < (off_t)most ? (size_t)at : most;
		read_at(fd, buf, len, at - (off_t)len);
		for (; len > 0; len--, at--)
			/* The newline at the very end ends the last line. */
			if (buf[len - 1] == '\n' && at < size && ++seen == lines)
				return at;
	}
	return 0;
}

bool lines_next(struct lines *lines, char **ret_line)
{
	char buf[65536];

	for (;;) {
		char *start = lines->buf.data ? lines->buf.data + lines->start : NULL;
		char *end = start ? memchr(start + lines->seen, '\n',
					   lines->buf.len - lines->start - lines->seen)
				  : NULL;
		if (end) {
			*end = 0;
			*ret_line = start;
			lines->offset += end + 1 - start;
			lines->start += (size_t)(end + 1 - start);
			lines->seen = 0;
			return true;
		}
		/* What is left of the line goes to the front. */
		lines->buf.len -= lines->start;
		if (start)
			memmove(lines->buf.data, start, lines->buf.len);
		lines->start = 0;
		lines->seen = lines->buf.len;
		ssize_t n = read(lines->fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_sys(CFS_FAILED, "cannot read the log");
		if (n == 0)
			return false;
		text_append(&lines->buf, buf, (size_t)n);
	}
}

void lines_begin(struct lines *lines, int fd, off_t offset)
{
	text_free(&lines->buf);
	*lines = (struct lines){ .fd = fd, .offset = offset };
	if (lseek(fd, offset, SEEK_SET) < 0)
		fail_sys(CFS_FAILED, "cannot seek in the log");
}
