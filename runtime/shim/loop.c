/* The shim's life after the start: one loop, asleep in ppoll.
 *
 * It sleeps without a limit but in three cases: the nap after a short read (the
 * pipes are left alone for a moment, everything else still wakes it), the wait
 * for room on a full disk, and once after activity, to give memory back.
 *
 * The end: process 1 reaped, output read and written, exit.json, and only then
 * the engines are told. With a disk that takes nothing the exit is announced
 * before the output is written, and the shim stays until it is, or is dropped.
 */
#include "runtime/shim/clock.h"
#include "runtime/shim/shim.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAP_NS 200000      /* 0.2 ms: a collector's wake-ups are its whole cost */
#define RETRY_NS 200000000 /* 0.2 s: a full disk, looked at again */
#define TRIM_NS 1000000000 /* 1 s without anything to do */

enum {
	AT_SIGNAL,
	AT_LISTENER,
	AT_STDIN,
	AT_OUT,
	AT_CONNECTIONS = AT_OUT + 2,
	AT_COUNT = AT_CONNECTIONS + SHIM_CONNECTIONS
};

static void fill(const struct shim *shim, bool nap, struct pollfd polled[AT_COUNT])
{
	bool blind = nap || shim->ended || logfiles_is_pending(&shim->logs);
	polled[AT_SIGNAL] = (struct pollfd){ .fd = shim->signal_fd, .events = POLLIN };
	polled[AT_LISTENER] = (struct pollfd){ .fd = shim->listen_fd, .events = POLLIN };
	polled[AT_STDIN] = (struct pollfd){
		.fd = shim->stdin_fd,
		.events = stdin_is_wanted(shim) ? POLLOUT : 0,
	};
	for (unsigned i = 0; i < 2; i++)
		polled[AT_OUT + i] = (struct pollfd){
			.fd = blind ? -1 : shim->out_fds[i],
			.events = POLLIN,
		};
	for (unsigned i = 0; i < SHIM_CONNECTIONS; i++)
		polled[AT_CONNECTIONS + i] = (struct pollfd){
			.fd = shim->connections[i].fd,
			.events = POLLIN,
		};
}

/* Sleep. True when nothing happened in the time that was given. */
static bool wait_for_events(const struct shim *shim, bool nap, struct pollfd polled[AT_COUNT])
{
	struct timespec limit = { 0 };
	bool stuck = logfiles_is_pending(&shim->logs) || (shim->ended && !shim->announced);
	fill(shim, nap, polled);
	if (nap)
		limit.tv_nsec = NAP_NS;
	else if (stuck)
		limit.tv_nsec = RETRY_NS;
	else
		limit.tv_sec = TRIM_NS / 1000000000;
	bool limited = nap || stuck || shim->chunk_used;
	int n = ppoll(polled, AT_COUNT, limited ? &limit : NULL, NULL);
	if (n < 0)
		for (unsigned i = 0; i < AT_COUNT; i++)
			polled[i].revents = 0;
	return n == 0;
}

/* Every child, or process 1 could not end: a zombie in its pid namespace whose
 * parent is the shim keeps it waiting. */
static void reap(struct shim *shim)
{
	struct signalfd_siginfo info[4];
	int status;
	pid_t pid;
	while (read(shim->signal_fd, info, sizeof(info)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != shim->pid || shim->ended)
			continue;
		shim->ended = true;
		shim->finished_ns = clock_realtime_ns();
		shim->signo = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
		shim->exit_code = shim->signo ? 128 + shim->signo : WEXITSTATUS(status);
		output_set_end(shim);
	}
}

/* After the end: true when there is nothing left to do. */
static bool finish(struct shim *shim)
{
	bool written = output_finish(shim);
	if (!shim->announced && record_write_exit(shim) == 0) {
		shim->announced = true;
		server_send_all(shim, SHIM_MESSAGE_EXITED);
	}
	return written && shim->announced;
}

void shim_serve(struct shim *shim)
{
	struct pollfd polled[AT_COUNT];
	bool nap = false;
	for (;;) {
		bool idle = wait_for_events(shim, nap, polled);
		if (polled[AT_SIGNAL].revents)
			reap(shim);
		stdin_handle(shim, polled[AT_STDIN].revents);
		server_handle(shim, &polled[AT_LISTENER], &polled[AT_CONNECTIONS]);
		if (shim->ended) {
			if (finish(shim))
				return;
			nap = false;
			continue;
		}
		if (idle && !nap)
			output_trim(shim);
		nap = logfiles_flush(&shim->logs) && output_take(shim, &polled[AT_OUT]);
	}
}
