/* What /proc tells of a caller, seen on children with signals pending. */
#include "tests/test.h"

#include "fs/caller.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_signal(int signo)
{
	(void)signo;
}

/* A child that handles and blocks as told and then sleeps in a vfork-like wait where a pending signal stays
 * pending: it is stopped (SIGSTOP) before `signo` is sent, so that nothing is delivered. */
static pid_t make_child(int signo, bool catches, bool blocks, bool ignores)
{
	int fds[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		sigset_t set;

		if (catches)
			signal(signo, on_signal);
		if (ignores)
			signal(signo, SIG_IGN);
		sigemptyset(&set);
		if (blocks)
			sigaddset(&set, signo);
		sigprocmask(SIG_SETMASK, &set, NULL);
		(void)!write(fds[1], "r", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	close(fds[0]);
	close(fds[1]);
	kill(pid, SIGSTOP);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	kill(pid, signo);
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void expect(int signo, bool catches, bool blocks, bool ignores, bool any, bool end)
{
	pid_t pid = make_child(signo, catches, blocks, ignores);

	assert_int_equal(caller_has_signal(pid, CALLER_ANY_SIGNAL), any);
	assert_int_equal(caller_has_signal(pid, CALLER_END_SIGNALS), end);
	end_child(pid);
}

static void signals_that_count(void **state)
{
	(void)state;
	expect(SIGINT, false, false, false, true, true);
	expect(SIGTERM, true, false, false, true, true);
	expect(SIGHUP, false, false, false, true, true);
	expect(SIGUSR1, true, false, false, true, false);
	expect(SIGALRM, true, false, false, true, false);
}

static void signals_that_do_not(void **state)
{
	(void)state;
	expect(SIGINT, false, true, false, false, false);
	expect(SIGINT, false, false, true, false, false);
	expect(SIGCHLD, true, false, false, false, false);
	expect(SIGWINCH, false, true, false, false, false);
	expect(SIGTSTP, false, true, false, false, false);
}

static void who_has_gone_counts(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_true(caller_has_signal(pid, CALLER_END_SIGNALS));
}

static void session_is_found(void **state)
{
	struct caller mine, other;
	int fds[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		setsid();
		(void)!write(fds[1], "r", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	caller_read(getpid(), 3, &mine);
	caller_read(pid, 4, &other);
	end_child(pid);
	/* 0: its leader is outside of our pid namespace. */
	assert_int_equal(mine.sid, getsid(0) ? getsid(0) : CALLER_OUTER_SESSION);
	assert_int_equal(mine.uid, 3);
	assert_int_equal(other.sid, pid);
	assert_true(other.sid_start > 0);
	close(fds[0]);
	close(fds[1]);
	caller_read(0, 5, &other);
	assert_int_equal(other.sid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signals_that_count),
		cmocka_unit_test(signals_that_do_not),
		cmocka_unit_test(who_has_gone_counts),
		cmocka_unit_test(session_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
