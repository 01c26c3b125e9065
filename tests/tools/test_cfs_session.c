/* A session on files that a test made: streams apart, exit codes, signals.
 *
 * Plain files are always readable to poll(2) and a FIFO stands for `wait`, so
 * what is shown is what is copied where, not what wakes whom.
 */
#include "tools/cfs/cfs.h"

#include "tests/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char path[64];
static int dir_fd;

static int setup(void **state)
{
	(void)state;
	dir_fd = test_make_dir(path);
	return mkfifoat(dir_fd, "wait", 0600);
}

static int teardown(void **state)
{
	(void)state;
	test_remove_dir(dir_fd, path);
	return 0;
}

static void write_file(const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void check_file(const char *name, const char *want)
{
	char buf[256] = { 0 };
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(read(fd, buf, sizeof(buf) - 1) >= 0);
	close(fd);
	assert_string_equal(buf, want);
}

static void move_fd(const char *name, int flags, int to)
{
	dup2(openat(dir_fd, name, flags, 0600), to);
}

/* The session in a child, whose streams are the files in, out and err. */
static pid_t begin(struct session session)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	move_fd("in", O_RDONLY | O_CREAT, STDIN_FILENO);
	move_fd("out", O_WRONLY | O_CREAT, STDOUT_FILENO);
	move_fd("err", O_WRONLY | O_CREAT, STDERR_FILENO);
	session.dir_fd = dir_fd;
	_exit(session_run(&session, NULL));
}

static int end(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
}

#define NAPS 6000 /* half a minute, to end what hangs */

static bool has_open(pid_t pid, const char *what)
{
	char links[32], target[128];
	bool found = false;

	snprintf(links, sizeof(links), "/proc/%d/fd", (int)pid);
	DIR *dir = opendir(links);
	assert_non_null(dir);
	for (struct dirent *e; !found && (e = readdir(dir));) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
		found = n > 0 && memmem(target, (size_t)n, what, strlen(what));
	}
	closedir(dir);
	return found;
}

/* Wait until the session has something open whose name holds these words. */
static void await_open(pid_t pid, const char *what)
{
	for (int i = 0; !has_open(pid, what); i++, nap())
		assert_true(i < NAPS);
}

/* Wait until a file has all of the text. */
static void await_file(const char *name, const char *want)
{
	struct stat st = { .st_size = 0 };

	for (int i = 0; st.st_size < (off_t)strlen(want); i++, nap()) {
		assert_true(i < NAPS);
		assert_int_equal(fstatat(dir_fd, name, &st, 0), 0);
	}
	check_file(name, want);
}

static void answer(const char *text)
{
	int fd = openat(dir_fd, "wait", O_WRONLY | O_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void test_streams_and_exit_code(void **state)
{
	(void)state;
	write_file("ctl", "");
	write_file("stdout", "to out\n");
	write_file("stderr", "to err\n");
	pid_t pid = begin((struct session){ .with_stdout = true, .with_stderr = true });
	answer("137\n");
	assert_int_equal(end(pid), 137);
	check_file("out", "to out\n");
	check_file("err", "to err\n");
}

static void test_one_stream(void **state)
{
	(void)state;
	write_file("ctl", "");
	write_file("stdout", "to out\n");
	write_file("stderr", "to err\n");
	pid_t pid = begin((struct session){ .with_stderr = true });
	answer("0\n");
	assert_int_equal(end(pid), 0);
	check_file("out", "");
	check_file("err", "to err\n");
}

static void test_from_now(void **state)
{
	(void)state;
	write_file("ctl", "");
	write_file("stdout", "before\n");
	write_file("stderr", "");
	pid_t pid = begin(
		(struct session){ .with_stdout = true, .with_stderr = true, .from_now = true });
	int fd = openat(dir_fd, "wait", O_WRONLY | O_CLOEXEC);
	/* After stdout, which is then at its end. */
	await_open(pid, "/stderr");
	int out = openat(dir_fd, "stdout", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(out, "after\n", 6), 6);
	close(out);
	assert_int_equal(write(fd, "0\n", 2), 2);
	close(fd);
	assert_int_equal(end(pid), 0);
	check_file("out", "after\n");
}

static void test_stdin_is_passed(void **state)
{
	(void)state;
	write_file("ctl", "");
	write_file("stdin", "");
	write_file("stdout", "");
	write_file("stderr", "");
	write_file("in", "hello\n");
	pid_t pid = begin((struct session){ .with_stdin = true, .with_stdout = true });
	int fd = openat(dir_fd, "wait", O_WRONLY | O_CLOEXEC);
	await_file("stdin", "hello\n");
	assert_int_equal(write(fd, "0\n", 2), 2);
	close(fd);
	assert_int_equal(end(pid), 0);
	check_file("stdin", "hello\n");
}

static void test_signals_become_commands(void **state)
{
	(void)state;
	write_file("ctl", "");
	write_file("stdout", "");
	write_file("stderr", "");
	pid_t pid = begin((struct session){ .with_stdout = true, .with_signals = true });
	int fd = openat(dir_fd, "wait", O_WRONLY | O_CLOEXEC);
	await_open(pid, "[signalfd]");
	kill(pid, SIGTERM);
	await_file("ctl", "kill TERM\n");
	kill(pid, SIGUSR2);
	await_file("ctl", "kill TERM\nkill USR2\n");
	assert_int_equal(write(fd, "143\n", 4), 4);
	close(fd);
	assert_int_equal(end(pid), 143);
	check_file("ctl", "kill TERM\nkill USR2\n");
}

static void test_wrong_answer(void **state)
{
	(void)state;
	write_file("ctl", "");
	pid_t pid = begin((struct session){ .with_stdout = false });
	answer("what\n");
	assert_int_equal(end(pid), 125);
	check_file("err", "cfs: 'wait' says 'what'\n");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_streams_and_exit_code),
		CASE(test_one_stream),
		CASE(test_from_now),
		CASE(test_stdin_is_passed),
		CASE(test_signals_become_commands),
		CASE(test_wrong_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
