/* One system call as a user's program would make it, and how it ended as a word:
 * "OK" or the errno's name ("ENOENT"). Shells tell an errno only as a sentence.
 *
 *	try write FILE TEXT...      open for writing, one write(2) per TEXT; the first failure
 *	try append FILE TEXT...     the same with O_APPEND
 *	try writen FILE TEXT        non-blocking, until it would block; then the errno and the bytes
 *	try open MODE FILE          MODE: r, w, rw
 *	try mkdir DIR | rmdir DIR | unlink FILE | create FILE | fifo FILE
 *	try symlink TARGET LINK | link OLD NEW | rename OLD NEW | swap A B
 *	try chmod FILE | chown FILE | utimes FILE | truncate FILE SIZE | xattr FILE
 *	try size FILE               "st_size fstat_size bytes_read", in one open
 *	try read FILE COUNT         one read(2): its errno or "OK BYTES"
 *	try poll FILE MS            events that poll(2) gave: "IN", "IN HUP", "" at the time's end
 *	try pollread FILE MS        reads to the end, says "waiting", polls as above
 *	try readers COUNT FILE      COUNT processes, each reading FILE to its end; "blocked" when all
 *	                            sleep in read(2); at the end of stdin they are killed and "done"
 *	                            says how many had ended by themselves, and the texts they read
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

/* The manual's name where a number has two. */
static const char *get_name(int code)
{
	return code == ENOTSUP ? "ENOTSUP" : strerrorname_np(code);
}

static int say(int failed)
{
	puts(failed ? get_name(errno) : "OK");
	return 0;
}

static int give_up(const char *what)
{
	fprintf(stderr, "try: %s: %s\n", what, strerrorname_np(errno));
	return 2;
}

static long read_number(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end) {
		fprintf(stderr, "try: '%s' is not a number\n", text);
		exit(2);
	}
	return number;
}

static int try_write(int flags, char **args)
{
	int fd = open(args[0], O_WRONLY | flags);

	if (fd < 0)
		return say(1);
	for (args++; *args; args++) {
		ssize_t done = write(fd, *args, strlen(*args));

		if (done < 0)
			return say(1);
		if ((size_t)done != strlen(*args)) {
			printf("SHORT %zd\n", done);
			return 0;
		}
	}
	return say(close(fd) < 0);
}

static int try_write_nonblocking(char **args)
{
	int fd = open(args[0], O_WRONLY | O_NONBLOCK);
	size_t len = strlen(args[1]), total = 0;
	ssize_t done;

	if (fd < 0)
		return say(1);
	while ((done = write(fd, args[1], len)) > 0)
		total += (size_t)done;
	printf("%s %zu\n", done < 0 ? strerrorname_np(errno) : "OK", total);
	return 0;
}

static int try_open(char **args)
{
	int flags = strcmp(args[0], "r") == 0   ? O_RDONLY
		    : strcmp(args[0], "w") == 0 ? O_WRONLY
						: O_RDWR;

	return say(open(args[1], flags) < 0);
}

/* All of it, from where the descriptor is; -1 with errno. */
static ssize_t read_all(int fd)
{
	static char buf[1 << 16];
	ssize_t total = 0, len;

	while ((len = read(fd, buf, sizeof(buf))) > 0)
		total += len;
	return len < 0 ? -1 : total;
}

static int try_size(char **args)
{
	struct stat by_name, by_fd;
	ssize_t len;
	int fd;

	if (stat(args[0], &by_name) < 0)
		return say(1);
	fd = open(args[0], O_RDONLY);
	if (fd < 0 || fstat(fd, &by_fd) < 0)
		return say(1);
	len = read_all(fd);
	if (len < 0)
		return say(1);
	printf("%lld %lld %zd\n", (long long)by_name.st_size, (long long)by_fd.st_size, len);
	return 0;
}

static int try_read(char **args)
{
	static char buf[1 << 20];
	size_t count = (size_t)read_number(args[1]);
	int fd = open(args[0], O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, buf, count < sizeof(buf) ? count : sizeof(buf));

	if (len < 0)
		return say(1);
	printf("OK %zd\n", len);
	return 0;
}

static int try_poll(char **args, bool read_first)
{
	struct pollfd p = { .fd = open(args[0], O_RDONLY), .events = POLLIN };

	if (p.fd < 0 || (read_first && read_all(p.fd) < 0))
		return say(1);
	puts("waiting");
	fflush(stdout);
	if (poll(&p, 1, (int)read_number(args[1])) < 0)
		return say(1);
	printf("%s%s%s\n", p.revents & POLLIN ? "IN" : "", p.revents & POLLHUP ? " HUP" : "",
	       p.revents & POLLERR ? " ERR" : "");
	return 0;
}

/* --- many readers ----------------------------------------------------------- */

#define MOST_READERS 4000

/* Is it asleep in read(2)? Source: proc(5), /proc/PID/syscall. */
static bool is_blocked(pid_t pid)
{
	char path[64], text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", (int)pid);
	fd = open(path, O_RDONLY);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	return strtol(text, NULL, 10) == SYS_read && text[0] != 'r' && text[0] != '\0';
}

static _Noreturn void be_reader(const char *file)
{
	static char buf[256];
	int fd = open(file, O_RDONLY);
	ssize_t len = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);

	if (len < 0)
		_exit(255);
	if (write(STDOUT_FILENO, buf, (size_t)len) != len)
		_exit(254);
	_exit(0);
}

static void sleep_ms(long ms)
{
	struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static bool all_blocked(const pid_t *pids, long count)
{
	for (int tries = 0; tries < 6000; tries++, sleep_ms(20)) {
		long blocked = 0;

		while (blocked < count && is_blocked(pids[blocked]))
			blocked++;
		if (blocked == count)
			return true;
	}
	return false;
}

static int try_readers(char **args)
{
	static pid_t pids[MOST_READERS];
	long count = read_number(args[0]), ended = 0;
	char byte;

	if (count > MOST_READERS)
		return give_up("too many");
	for (long i = 0; i < count; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			return give_up("fork");
		if (pids[i] == 0)
			be_reader(args[1]);
	}
	puts(all_blocked(pids, count) ? "blocked" : "not blocked");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	for (long i = 0; i < count; i++)
		kill(pids[i], SIGKILL);
	for (long i = 0; i < count; i++) {
		int status;

		if (waitpid(pids[i], &status, 0) == pids[i] && WIFEXITED(status) &&
		    WEXITSTATUS(status) == 0)
			ended++;
	}
	printf("done %ld\n", ended);
	return 0;
}

/* --- names ------------------------------------------------------------------- */

static int try_name(const char *what, char **args)
{
	int fd;

	if (strcmp(what, "mkdir") == 0)
		return say(mkdir(args[0], 0755) < 0);
	if (strcmp(what, "rmdir") == 0)
		return say(rmdir(args[0]) < 0);
	if (strcmp(what, "unlink") == 0)
		return say(unlink(args[0]) < 0);
	if (strcmp(what, "fifo") == 0)
		return say(mkfifo(args[0], 0600) < 0);
	if (strcmp(what, "chmod") == 0)
		return say(chmod(args[0], 0640) < 0);
	if (strcmp(what, "chown") == 0)
		return say(chown(args[0], 1, 1) < 0);
	if (strcmp(what, "utimes") == 0)
		return say(utimensat(AT_FDCWD, args[0], NULL, 0) < 0);
	if (strcmp(what, "xattr") == 0)
		return say(setxattr(args[0], "user.a", "b", 1, 0) < 0);
	if (strcmp(what, "create") != 0)
		return -1;
	fd = open(args[0], O_WRONLY | O_CREAT | O_EXCL, 0644);
	return say(fd < 0);
}

static int try_two_names(const char *what, char **args)
{
	if (strcmp(what, "symlink") == 0)
		return say(symlink(args[0], args[1]) < 0);
	if (strcmp(what, "link") == 0)
		return say(link(args[0], args[1]) < 0);
	if (strcmp(what, "rename") == 0)
		return say(rename(args[0], args[1]) < 0);
	if (strcmp(what, "swap") == 0)
		return say(renameat2(AT_FDCWD, args[0], AT_FDCWD, args[1], RENAME_EXCHANGE) < 0);
	if (strcmp(what, "truncate") == 0)
		return say(truncate(args[0], read_number(args[1])) < 0);
	if (strcmp(what, "read") == 0)
		return try_read(args);
	if (strcmp(what, "poll") == 0)
		return try_poll(args, false);
	if (strcmp(what, "pollread") == 0)
		return try_poll(args, true);
	if (strcmp(what, "readers") == 0)
		return try_readers(args);
	if (strcmp(what, "open") == 0)
		return try_open(args);
	if (strcmp(what, "writen") == 0)
		return try_write_nonblocking(args);
	return -1;
}

int main(int argc, char **argv)
{
	char **args = argv + 2;
	int result = -1;

	signal(SIGPIPE, SIG_IGN);
	if (argc >= 4 && strcmp(argv[1], "write") == 0)
		result = try_write(0, args);
	else if (argc >= 4 && strcmp(argv[1], "append") == 0)
		result = try_write(O_APPEND, args);
	else if (argc == 3 && strcmp(argv[1], "size") == 0)
		result = try_size(args);
	else if (argc == 3)
		result = try_name(argv[1], args);
	else if (argc == 4)
		result = try_two_names(argv[1], args);
	if (result < 0)
		fprintf(stderr, "try: unknown: %s with %d words\n", argc > 1 ? argv[1] : "",
			argc - 2);
	return result < 0 ? 2 : result;
}
