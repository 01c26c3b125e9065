/* A container joined to the caller's streams and signals until it stops.
 *
 * All that is read is opened before the start, so nothing is missed, and with
 * --rm an open file is all that is left. stdout and stderr are growing files:
 * poll(2) tells of bytes beyond the last read, and when `wait` has the exit code
 * they are whole, so a read of 0 is then their end. Output waits for room in
 * the caller's pipes by poll(2) too, so that signals pass while it is full.
 * Input has a thread: a container that does not read blocks nobody else.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a container is sent that cfs is sent. */
static const struct {
	int signo;
	const char *name;
} forwarded[] = {
	{ SIGHUP, "HUP" },   { SIGINT, "INT" },   { SIGQUIT, "QUIT" },   { SIGTERM, "TERM" },
	{ SIGUSR1, "USR1" }, { SIGUSR2, "USR2" }, { SIGWINCH, "WINCH" }, { SIGALRM, "ALRM" },
};
#define FORWARDED (sizeof(forwarded) / sizeof(forwarded[0]))

/* One of the two ways out. */
struct flow {
	int in_fd; /* -1: not wanted, or ended */
	int out_fd;
	size_t start;
	size_t end;
	char buf[65536];
};

struct joined {
	const struct session *session;
	int wait_fd;
	int ctl_fd;
	int signal_fd;
	bool stopped; /* wait has answered */
	int exit_code;
	struct flow flows[2];
};

static int open_file(const struct session *s, const char *name, int flags)
{
	int fd = openat(s->dir_fd, name, flags | O_CLOEXEC);

	if (fd < 0)
		fail_sys(CFS_RUN_FAILED, "cannot open '%s'", name);
	return fd;
}

static void open_flow(const struct session *s, struct flow *flow, const char *name, bool wanted,
		      int out_fd)
{
	flow->in_fd = wanted ? open_file(s, name, O_RDONLY) : -1;
	flow->out_fd = out_fd;
	if (wanted && s->from_now && lseek(flow->in_fd, 0, SEEK_END) < 0)
		fail_sys(CFS_RUN_FAILED, "cannot seek in '%s'", name);
}

/* The same terminal, or 2>&1? */
static bool is_one_file(int fd, int other_fd)
{
	struct stat st, other;

	return fstat(fd, &st) == 0 && fstat(other_fd, &other) == 0 && st.st_dev == other.st_dev &&
	       st.st_ino == other.st_ino;
}

/* Both into one file go in the order of arrival, which `logs` has. */
static void open_flows(struct joined *j)
{
	const struct session *s = j->session;
	bool one = s->with_stdout && s->with_stderr && is_one_file(STDOUT_FILENO, STDERR_FILENO);

	open_flow(s, &j->flows[0], one ? "logs" : "stdout", s->with_stdout, STDOUT_FILENO);
	open_flow(s, &j->flows[1], "stderr", s->with_stderr && !one, STDERR_FILENO);
}

/* An ignored HUP stays so (nohup). INT and QUIT, which shells ignore for what they
 * put into the background, are passed on all the same. */
static int open_signals(void)
{
	struct sigaction hup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < FORWARDED; i++)
		sigaddset(&set, forwarded[i].signo);
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN)
		sigdelset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A container that has just ended, or is gone, needs no signal. */
static void forward_signal(struct joined *j)
{
	struct signalfd_siginfo info;

	if (read(j->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	for (size_t i = 0; i < FORWARDED; i++) {
		char line[32];
		if ((uint32_t)forwarded[i].signo != info.ssi_signo)
			continue;
		int n = snprintf(line, sizeof(line), "kill %s\n", forwarded[i].name);
		if (write(j->ctl_fd, line, (size_t)n) < 0 && errno != ESRCH && errno != ENOENT)
			fprintf(stderr, "cfs: cannot pass on SIG%s: %s\n", forwarded[i].name,
				describe_errno(errno));
	}
}

/* The number in wait: what the container exited with. */
static void read_exit_code(struct joined *j)
{
	char text[16];
	ssize_t n = read(j->wait_fd, text, sizeof(text) - 1);
	char *end;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0)
		fail_sys(CFS_RUN_FAILED, "cannot read 'wait'");
	text[n] = 0;
	errno = 0;
	long code = strtol(text, &end, 10);
	if (errno || end == text || *end != '\n' || code < 0 || code > 255)
		fail(CFS_RUN_FAILED, "'wait' says '%.*s'", (int)strcspn(text, "\n"), text);
	j->stopped = true;
	j->exit_code = (int)code;
}

static void fill_flow(struct joined *j, struct flow *flow)
{
	ssize_t n = read(flow->in_fd, flow->buf, sizeof(flow->buf));

	if (n < 0 && errno != EINTR && errno != EAGAIN)
		fail_sys(CFS_RUN_FAILED, "cannot read the output");
	flow->start = 0;
	flow->end = n > 0 ? (size_t)n : 0;
	if (n == 0 && j->stopped) {
		close(flow->in_fd);
		flow->in_fd = -1;
	}
}

/* Nobody reads the output: a program in a pipe would be ended by SIGPIPE. What was
 * run for this pipe is; what was only attached to goes on. */
static __attribute__((noreturn)) void end_unread(const struct joined *j)
{
	static const char stop[] = "stop -t 1\n";

	if (j->session->ours)
		(void)!write(j->ctl_fd, stop, sizeof(stop) - 1);
	exit(CFS_SIGNAL_BASE + SIGPIPE);
}

/* No more than a pipe takes at once when poll(2) has said that it has room. */
static void drain_flow(const struct joined *j, struct flow *flow)
{
	size_t len = flow->end - flow->start;

	if (len > PIPE_BUF)
		len = PIPE_BUF;
	ssize_t n = write(flow->out_fd, flow->buf + flow->start, len);
	if (n < 0 && errno == EPIPE)
		end_unread(j);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		fail_sys(CFS_RUN_FAILED, "cannot write %s",
			 flow->out_fd == STDOUT_FILENO ? "stdout" : "stderr");
	if (n > 0)
		flow->start += (size_t)n;
}

static bool is_full(const struct flow *flow)
{
	return flow->start < flow->end;
}

static bool wants_input(const struct flow *flow)
{
	return flow->in_fd >= 0 && !is_full(flow);
}

/* Descriptors to wait for; a flow waits for room, else for output. */
static void set_polled(const struct joined *j, struct pollfd polled[4])
{
	for (int i = 0; i < 2; i++) {
		const struct flow *flow = &j->flows[i];
		polled[i] = is_full(flow) ? (struct pollfd){ .fd = flow->out_fd, .events = POLLOUT }
					  : (struct pollfd){ .fd = flow->in_fd, .events = POLLIN };
	}
	polled[2] = (struct pollfd){ .fd = j->stopped ? -1 : j->wait_fd, .events = POLLIN };
	polled[3] = (struct pollfd){ .fd = j->signal_fd, .events = POLLIN };
}

/* After the stop nobody tells when a file has no more: read until 0. */
static bool is_ended(const struct joined *j)
{
	return j->stopped && j->flows[0].in_fd < 0 && j->flows[1].in_fd < 0 &&
	       !is_full(&j->flows[0]) && !is_full(&j->flows[1]);
}

static void pass_all(struct joined *j)
{
	struct pollfd polled[4];

	while (!is_ended(j)) {
		set_polled(j, polled);
		bool rest = j->stopped && (wants_input(&j->flows[0]) || wants_input(&j->flows[1]));
		if (poll(polled, 4, rest ? 0 : -1) < 0 && errno != EINTR)
			fail_sys(CFS_RUN_FAILED, "cannot wait for the container");
		if (polled[3].revents)
			forward_signal(j);
		if (polled[2].revents)
			read_exit_code(j);
		for (int i = 0; i < 2; i++) {
			struct flow *flow = &j->flows[i];
			if (is_full(flow) && polled[i].revents)
				drain_flow(j, flow);
			else if (wants_input(flow) && (polled[i].revents || j->stopped))
				fill_flow(j, flow);
		}
	}
}

/* Until the caller's end of file, or until the container takes no more. The
 * close is what StdinOnce waits for. */
static void *pass_stdin(void *arg)
{
	int out_fd = (int)(intptr_t)arg;
	static char buf[65536];
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t done = 0; done < n;) {
			ssize_t m = write(out_fd, buf + done, (size_t)(n - done));
			if (m < 0 && errno != EINTR) {
				n = -1;
				break;
			}
			done += m > 0 ? m : 0;
		}
		if (n < 0 && errno != EINTR)
			break;
	}
	close(out_fd);
	return NULL;
}

/* Opened after the start: its writers are counted by run. One that has ended
 * meanwhile, or is gone, takes nothing. */
static void begin_stdin(const struct session *s)
{
	int fd = openat(s->dir_fd, "stdin", O_WRONLY | O_CLOEXEC);
	pthread_t thread;

	if (fd < 0)
		return;
	if (pthread_create(&thread, NULL, pass_stdin, (void *)(intptr_t)fd) != 0)
		fail(CFS_RUN_FAILED, "cannot create a thread for stdin");
	pthread_detach(thread);
}

static bool has_stopped(const struct joined *j)
{
	struct pollfd waiting = { .fd = j->wait_fd, .events = POLLIN };

	return poll(&waiting, 1, 0) == 1;
}

/* The program could not be run: its 126 or 127 is in wait already. Otherwise
 * the container never ran, and what this command made goes again. */
static __attribute__((noreturn)) void fail_start(struct joined *j, int code, const char *sentence)
{
	int exit_code = CFS_RUN_FAILED;

	if (has_stopped(j)) {
		read_exit_code(j);
		if (j->exit_code == CFS_CANNOT_EXEC || j->exit_code == CFS_NO_PROGRAM)
			exit_code = j->exit_code;
	} else if (j->session->ours) {
		(void)!write(j->ctl_fd, "rm\n", 3);
	}
	if (sentence)
		fail(exit_code, "%s", sentence);
	errno = code;
	fail_sys(exit_code, "start");
}

static void start(struct joined *j)
{
	struct text reply = { .data = NULL };
	char *sentence;

	/* Opened now, the wait of one that ran before is about that run. */
	bool ran_before = has_stopped(j);
	int r = ctl_do(j->ctl_fd, "start", &reply, &sentence);
	if (ran_before) {
		close(j->wait_fd);
		j->wait_fd = open_file(j->session, "wait", O_RDONLY);
	}
	if (r < 0)
		fail_start(j, -r, sentence);
	text_free(&reply);
}

static struct joined *join(const struct session *session)
{
	struct joined *j = calloc(1, sizeof(*j));

	if (!j)
		fail(CFS_RUN_FAILED, "out of memory");
	j->session = session;
	j->signal_fd = -1;
	j->wait_fd = open_file(session, "wait", O_RDONLY);
	j->ctl_fd = open_file(session, "ctl", O_RDWR);
	return j;
}

void session_start(const struct session *session)
{
	struct joined *j = join(session);

	start(j);
	close(j->ctl_fd);
	close(j->wait_fd);
	free(j);
}

int session_run(const struct session *session)
{
	struct joined *j = join(session);

	open_flows(j);
	if (session->with_signals)
		j->signal_fd = open_signals();
	signal(SIGPIPE, SIG_IGN);
	if (session->start)
		start(j);
	if (session->with_stdin)
		begin_stdin(session);
	pass_all(j);
	/* The thread of stdin may be at work until the program ends. */
	int exit_code = j->exit_code;
	free(j);
	return exit_code;
}
