/* A small init as process 1, with the program as its child: what docker-init does,
 * by the shim's own code, so that nothing of the host has to be in the container.
 *
 * It is made of a copy of the shim's memory, not of a share (spawn.h), since it stays.
 * By the time it forks it has given up all that the program shall not have; then it
 * closes every descriptor and keeps two tasks: to reap whatever becomes its child, and to
 * hand each signal on to the program. It ends when the program does, as it did, and the
 * kernel ends the rest. Its memory cannot be traced or read from within.
 *
 * All signals are blocked before the fork. A blocked signal is kept for process 1 even where
 * an unhandled one would be dropped, and none can come between the fork and the wait.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/protocol.h"
#include "runtime/shim/sandbox.h"

#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define NAME "init"
#define KERNEL_SIGSET_SIZE 8
static const char all_signals[KERNEL_SIGSET_SIZE] = { -1, -1, -1, -1, -1, -1, -1, -1 };

/* Else it would be the shim's. */
void init_set_name(const struct sandbox *box)
{
	prctl(PR_SET_NAME, NAME, 0, 0, 0);
	args_set(box->args, box->args_size, NAME, sizeof(NAME));
}

/* In the child: a process group of its own, at the terminal if there is one. */
static void become_program(const struct sandbox *box, struct shim_failed *failed)
{
	int group = (int)getpid();
	if (setpgid(0, 0) < 0) {
		error_set_sys(&failed->error, errno, "cannot make a process group");
		return;
	}
	if (plan_has(box->plan, PLAN_TTY) && ioctl(0, TIOCSPGRP, &group) < 0) {
		error_set_sys(&failed->error, errno, "cannot give the terminal to the program");
		return;
	}
	sandbox_reset_signals();
	failed->program = 1;
	program_execute(box->argv, box->env, &failed->error);
}

/* Every child that has ended. True when the program has: then its exit code. */
static bool reap(pid_t program, int *ret_code)
{
	bool ended = false;
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != program)
			continue;
		ended = true;
		*ret_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	}
	return ended;
}

static _Noreturn void watch(pid_t program)
{
	int code = 0;
	for (;;) {
		long signo =
			syscall(SYS_rt_sigtimedwait, all_signals, NULL, NULL, KERNEL_SIGSET_SIZE);
		if (signo == SIGCHLD && reap(program, &code))
			_exit(code);
		if (signo > 0 && signo != SIGCHLD)
			kill(program, (int)signo);
	}
}

void init_run(const struct sandbox *box, struct shim_failed *failed)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) {
		error_set_sys(&failed->error, errno, "cannot set up init");
		return;
	}
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, all_signals, NULL, KERNEL_SIGSET_SIZE);
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		become_program(box, failed);
		return;
	}
	if (pid < 0 && errno == EAGAIN) {
		error_set(&failed->error, EAGAIN, "the container's limit of processes is reached");
		return;
	}
	if (pid < 0) {
		error_set_sys(&failed->error, errno, "cannot make a process");
		return;
	}
	/* The program's ends of its pipes are its own alone. */
	for (int fd = 0; fd < 3; fd++)
		dup2(box->null_fd, fd);
	kernel_close_range(3, ~0U, 0);
	watch((pid_t)pid);
}
