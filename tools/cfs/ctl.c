/* One command to a control file and its reply.
 *
 * The whole command is one write(2): the mount takes it as a whole or not at
 * all. The reply begins where the write ended on the same descriptor; after a
 * failed write, where it would have begun, and its last line is the sentence.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERROR_MARK "error: "

/* Where the last line begins, and where its newline is or would be. */
static size_t find_last_line(const struct text *reply, size_t *ret_end)
{
	size_t end = reply->len;

	if (end > 0 && reply->data[end - 1] == '\n')
		end--;
	size_t start = end;
	while (start > 0 && reply->data[start - 1] != '\n')
		start--;
	*ret_end = end;
	return start;
}

ssize_t ctl_find_id(const struct text *reply)
{
	size_t end, start = find_last_line(reply, &end);

	if (end == reply->len || end - start != ID_DIGITS ||
	    strspn(reply->data + start, "0123456789abcdef") != ID_DIGITS)
		return -1;
	return (ssize_t)start;
}

bool ctl_has_sentence(const struct text *reply)
{
	size_t end, start = find_last_line(reply, &end), mark = strlen(ERROR_MARK);

	return end - start >= mark && strncmp(reply->data + start, ERROR_MARK, mark) == 0;
}

/* Take the last line off when it is the sentence of an error. */
static char *cut_sentence(struct text *reply)
{
	size_t end, start = find_last_line(reply, &end), from = start + strlen(ERROR_MARK);

	if (!ctl_has_sentence(reply))
		return NULL;
	char *sentence = strndup(reply->data + from, end - from);
	reply->len = start;
	reply->data[start] = 0;
	return sentence;
}

int ctl_do(int fd, const char *command, struct text *reply, char **ret_sentence)
{
	struct text line = { .data = NULL };

	*ret_sentence = NULL;
	text_append_str(&line, command);
	text_append(&line, "\n", 1);
	ssize_t n = write(fd, line.data, line.len);
	int code = n < 0 ? errno : (size_t)n < line.len ? EIO : 0;
	text_free(&line);

	int r = text_read(reply, fd);
	if (code)
		*ret_sentence = cut_sentence(reply);
	return code ? -code : r;
}

void ctl_run(int mnt_fd, const char *command, int exit_code)
{
	struct text reply = { .data = NULL };
	char *sentence;

	int fd = openat(mnt_fd, "ctl", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		fail_sys(exit_code, "cannot open ctl");
	int r = ctl_do(fd, command, &reply, &sentence);
	if (reply.len > 0)
		copy_out(STDOUT_FILENO, reply.data, reply.len);
	if (r < 0 && sentence)
		fail(exit_code, "%s", sentence);
	errno = -r;
	if (r < 0)
		fail_sys(exit_code, "%.*s", (int)strcspn(command, " \n"), command);
	text_free(&reply);
	close(fd);
}

void fail_from_mount(int mnt_fd, int code, const char *what, int exit_code)
{
	struct text sentence = { .data = NULL };
	int fd = openat(mnt_fd, "error", O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && text_read(&sentence, fd) == 0) {
		char *text = cut_sentence(&sentence);
		if (text)
			fail(exit_code, "%s", text);
	}
	errno = code;
	fail_sys(exit_code, "%s", what);
}
