/* A user's program that keeps a file open over the death of an engine: it does what
 * the lines on its standard input say, one system call each, and answers each with
 * one line: "OK", "OK COUNT", "OK TEXT" (newlines as \n) or the errno's name.
 *
 *	open r|w|rw|c FILE   c: for writing, made if it is not there
 *	opendir DIR          list COUNT   the next names, COUNT 0: to the end
 *	write TEXT           one write(2) of TEXT and a newline
 *	part TEXT            the same without the newline
 *	fill COUNT           one write(2) of COUNT letters x
 *	copy FILE FROM LEN   one write(2) of that part of another file
 *	read COUNT           one read(2)
 *	pread OFFSET COUNT
 *	seek OFFSET
 *	save FILE            read to the end and append to FILE; "OK COUNT"
 *	poll MS              what poll(2) for POLLIN gave: IN, HUP, ERR, NVAL; "OK" alone: nothing
 *	size                 st_size of fstat(2)
 *	close
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS 4
/* Few names fit, so that a listing takes many reads. */
#define LIST_BYTES 256

static int fd = -1;
static char data[1 << 20];

static void answer_count(ssize_t count)
{
	if (count < 0)
		puts(strerrorname_np(errno));
	else
		printf("OK %zd\n", count);
}

static void answer(int failed)
{
	puts(failed ? strerrorname_np(errno) : "OK");
}

static void answer_text(ssize_t len)
{
	if (len < 0) {
		puts(strerrorname_np(errno));
		return;
	}
	fputs("OK ", stdout);
	for (ssize_t i = 0; i < len; i++) {
		if (data[i] == '\n')
			fputs("\\n", stdout);
		else
			putchar(data[i]);
	}
	putchar('\n');
}

static size_t number(const char *text)
{
	return (size_t)strtoull(text ? text : "0", NULL, 10);
}

static size_t data_size(const char *text)
{
	size_t len = number(text);

	return len < sizeof(data) ? len : sizeof(data);
}

static void open_file(const char *mode, const char *path)
{
	int flags = mode[0] == 'c'   ? O_WRONLY | O_CREAT | O_EXCL
		    : mode[0] == 'w' ? O_WRONLY
		    : mode[1] == 'w' ? O_RDWR
				     : O_RDONLY;

	if (fd >= 0)
		close(fd);
	fd = open(path, flags, 0644);
	answer(fd < 0);
}

static void write_text(const char *text, int newline)
{
	int len = snprintf(data, sizeof(data), "%s%s", text, newline ? "\n" : "");

	answer_count(write(fd, data, (size_t)len));
}

static void copy_part(const char *path, size_t from, size_t len)
{
	int source = open(path, O_RDONLY);
	ssize_t got = pread(source, data, len < sizeof(data) ? len : sizeof(data), (off_t)from);

	close(source);
	answer_count(got < 0 ? got : write(fd, data, (size_t)got));
}

static void list(size_t count)
{
	static char buf[LIST_BYTES];
	size_t seen = 0;
	long len;

	fputs("OK", stdout);
	while ((count == 0 || seen < count) &&
	       (len = syscall(SYS_getdents64, fd, buf, sizeof(buf))) != 0) {
		if (len < 0) {
			printf(" %s", strerrorname_np(errno));
			break;
		}
		for (long at = 0; at < len;) {
			struct dirent64 *entry = (struct dirent64 *)(void *)(buf + at);

			printf(" %s", entry->d_name);
			at += entry->d_reclen;
			seen++;
		}
	}
	putchar('\n');
}

static void save(const char *path)
{
	int out = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);
	ssize_t len = -1, total = 0;

	while (out >= 0 && (len = read(fd, data, sizeof(data))) > 0) {
		if (write(out, data, (size_t)len) != len) {
			len = -1;
			break;
		}
		total += len;
	}
	close(out);
	answer_count(len < 0 ? len : total);
}

static void wait_poll(int ms)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };

	if (poll(&polled, 1, ms) < 0) {
		puts(strerrorname_np(errno));
		return;
	}
	printf("OK%s%s%s%s\n", polled.revents & POLLIN ? " IN" : "",
	       polled.revents & POLLHUP ? " HUP" : "", polled.revents & POLLERR ? " ERR" : "",
	       polled.revents & POLLNVAL ? " NVAL" : "");
}

static void show_size(void)
{
	struct stat st;

	answer_count(fstat(fd, &st) < 0 ? -1 : (ssize_t)st.st_size);
}

static void act(const char *word, char *rest)
{
	char copy[8192], *words[WORDS] = { NULL }, *state = NULL;

	snprintf(copy, sizeof(copy), "%s", rest);
	for (int i = 0; i < WORDS; i++)
		words[i] = strtok_r(i ? NULL : copy, " ", &state);

	if (strcmp(word, "open") == 0)
		open_file(words[0], words[1]);
	else if (strcmp(word, "opendir") == 0)
		answer((fd = open(words[0], O_RDONLY | O_DIRECTORY)) < 0);
	else if (strcmp(word, "list") == 0)
		list(number(words[0]));
	else if (strcmp(word, "write") == 0)
		write_text(rest, 1);
	else if (strcmp(word, "part") == 0)
		write_text(rest, 0);
	else if (strcmp(word, "fill") == 0)
		answer_count(
			write(fd, memset(data, 'x', data_size(words[0])), data_size(words[0])));
	else if (strcmp(word, "copy") == 0)
		copy_part(words[0], number(words[1]), number(words[2]));
	else if (strcmp(word, "read") == 0)
		answer_text(read(fd, data, data_size(words[0])));
	else if (strcmp(word, "pread") == 0)
		answer_text(pread(fd, data, data_size(words[1]), (off_t)number(words[0])));
	else if (strcmp(word, "seek") == 0)
		answer_count(lseek(fd, (off_t)number(words[0]), SEEK_SET));
	else if (strcmp(word, "save") == 0)
		save(words[0]);
	else if (strcmp(word, "poll") == 0)
		wait_poll((int)number(words[0]));
	else if (strcmp(word, "size") == 0)
		show_size();
	else if (strcmp(word, "close") == 0) {
		answer(close(fd) < 0);
		fd = -1;
	} else
		puts("unknown word");
}

int main(void)
{
	static char line[8192];

	signal(SIGPIPE, SIG_IGN);
	while (fgets(line, sizeof(line), stdin)) {
		char *rest;

		line[strcspn(line, "\n")] = '\0';
		rest = strchrnul(line, ' ');
		if (*rest)
			*rest++ = '\0';
		act(line, rest);
		fflush(stdout);
	}
	return 0;
}
