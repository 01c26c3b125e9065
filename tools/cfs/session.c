/* A container joined to the caller's streams and signals until it stops.
 *
 * All that is read is opened before the start, so nothing is missed, and with
 * --rm an open file is all that is left. stdout and stderr are growing files:
 * poll(2) tells of bytes beyond the last read, and when `wait` has the exit code
 * they are whole, so a read of 0 is then their end. Output waits for room in
 * the caller's pipes by poll(2) too, so that signals pass while it is full.
 * Input has a thread (input.c): a container that does not read blocks nobody else.
 *
 * With a terminal the two ends have one size, and the caller's is raw.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
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
	int detached_fd; /* readable when the keys were typed; -1: none */
	bool raw;        /* the terminal is the container's */
	bool detached;
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

/* Both into one file go in the order of arrival, which `logs` has; an entry has `follow`. */
static void open_flows(struct joined *j)
{
	const struct session *s = j->session;
	bool one =
		s->with_stdout && s->with_stderr && copy_is_one_file(STDOUT_FILENO, STDERR_FILENO);

	open_flow(s, &j->flows[0],
		  !one       ? "stdout"
		  : s->entry ? "follow"
			     : "logs",
		  s->with_stdout, STDOUT_FILENO);
	open_flow(s, &j->flows[1], "stderr", s->with_stderr && !one, STDERR_FILENO);
}

/* An ignored HUP stays so (nohup). INT and QUIT, which shells ignore for what they
 * put into the background, are passed on all the same. A raw terminal is never left
 * by a signal's default action. */
static int open_signals(const struct session *s)
{
	struct sigaction hup;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < FORWARDED; i++)
		sigaddset(&set, forwarded[i].signo);
	if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN)
		sigdelset(&set, SIGHUP);
	if (s->tty) {
		sigaddset(&set, SIGTSTP);
		sigaddset(&set, SIGCONT);
	}
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Not there yet, or no longer: its next start asks for the size anew. */
static void send_size(const struct joined *j, unsigned extra_rows)
{
	char line[48];
	unsigned rows, cols;

	if (!terminal_get_size(&rows, &cols))
		return;
	int n = snprintf(line, sizeof(line), "resize %u %u\n", rows + extra_rows, cols);
	(void)!write(j->ctl_fd, line, (size_t)n);
}

/* Of the two sizes one is new to the program, which then draws itself. */
static void fit_terminal(const struct joined *j)
{
	if (j->session->redraw)
		send_size(j, 1);
	send_size(j, 0);
}

/* Stopped by kill -TSTP: our caller has its terminal meanwhile. */
static void pause_terminal(void)
{
	terminal_restore();
	raise(SIGSTOP);
}

static void resume_terminal(const struct joined *j)
{
	if (j->raw)
		terminal_make_raw();
	fit_terminal(j);
}

/* A container that has just ended, or is gone, needs no signal. */
static void pass_signal(const struct joined *j, uint32_t signo)
{
	for (size_t i = 0; i < FORWARDED; i++) {
		char line[32];
		if ((uint32_t)forwarded[i].signo != signo)
			continue;
		int n = snprintf(line, sizeof(line), "kill %s\n", forwarded[i].name);
		if (write(j->ctl_fd, line, (size_t)n) < 0 && errno != ESRCH && errno != ENOENT)
			fprintf(stderr, "cfs: cannot pass on SIG%s: %s\n", forwarded[i].name,
				describe_errno(errno));
	}
}

/* With a terminal a HUP means that it has gone: the container stays. */
static void handle_signal(const struct joined *j)
{
	const struct session *s = j->session;
	struct signalfd_siginfo info;

	if (read(j->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	if (s->tty && info.ssi_signo == SIGWINCH)
		send_size(j, 0);
	else if (s->tty && info.ssi_signo == SIGTSTP)
		pause_terminal();
	else if (s->tty && info.ssi_signo == SIGCONT)
		resume_terminal(j);
	else if (!s->with_signals || (s->tty && info.ssi_signo == SIGHUP))
		exit(CFS_SIGNAL_BASE + (int)info.ssi_signo);
	else
		pass_signal(j, info.ssi_signo);
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
	const char *stop = j->session->entry ? "kill\n" : "stop -t 1\n";

	if (j->session->ours)
		(void)!write(j->ctl_fd, stop, strlen(stop));
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
static void set_polled(const struct joined *j, struct pollfd polled[5])
{
	for (int i = 0; i < 2; i++) {
		const struct flow *flow = &j->flows[i];
		polled[i] = is_full(flow) ? (struct pollfd){ .fd = flow->out_fd, .events = POLLOUT }
					  : (struct pollfd){ .fd = flow->in_fd, .events = POLLIN };
	}
	polled[2] = (struct pollfd){ .fd = j->stopped ? -1 : j->wait_fd, .events = POLLIN };
	polled[3] = (struct pollfd){ .fd = j->signal_fd, .events = POLLIN };
	polled[4] = (struct pollfd){ .fd = j->detached_fd, .events = POLLIN };
}

/* After the stop nobody tells when a file has no more: read until 0. */
static bool is_ended(const struct joined *j)
{
	return j->stopped && j->flows[0].in_fd < 0 && j->flows[1].in_fd < 0 &&
	       !is_full(&j->flows[0]) && !is_full(&j->flows[1]);
}

static void pass_all(struct joined *j)
{
	struct pollfd polled[5];

	while (!is_ended(j) && !j->detached) {
		set_polled(j, polled);
		bool rest = j->stopped && (wants_input(&j->flows[0]) || wants_input(&j->flows[1]));
		if (poll(polled, 5, rest ? 0 : -1) < 0 && errno != EINTR)
			fail_sys(CFS_RUN_FAILED, "cannot wait for the container");
		if (polled[3].revents)
			handle_signal(j);
		j->detached = polled[4].revents != 0;
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
	} else if (j->session->ours && !j->session->entry) {
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
	int r = ctl_do(j->ctl_fd, j->session->start, &reply, &sentence);
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
	j->detached_fd = -1;
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

/* The next run begins with our size: no program sees another first. */
static void write_size(const struct session *s)
{
	char line[80];
	unsigned rows, cols;

	if (!terminal_get_size(&rows, &cols))
		return;
	int n = snprintf(line, sizeof(line), "{\"HostConfig\": {\"ConsoleSize\": [%u, %u]}}\n",
			 rows, cols);
	int fd = open_file(s, "config", O_WRONLY);
	/* One that runs already says so when it is started. */
	if (write(fd, line, (size_t)n) < 0 && errno != EBUSY)
		fail_sys(CFS_RUN_FAILED, "cannot write 'config'");
	close(fd);
}

void session_check_terminal(bool tty, bool with_stdin, int exit_code)
{
	if (tty && with_stdin && !terminal_is_there())
		fail(exit_code, "the input device is not a TTY");
}

/* The caller's side is the container's from here on. */
static void begin_input(struct joined *j)
{
	const struct session *s = j->session;

	if (s->tty && s->with_stdin) {
		terminal_make_raw();
		j->raw = true;
	}
	if (s->tty && !s->start)
		fit_terminal(j);
	if (s->with_stdin)
		j->detached_fd =
			input_begin(s->dir_fd, s->entry && !s->tty, s->tty ? s->keys : NULL);
}

/* The mount removes it behind the exit code's back. Who has seen cfs end may use the
 * name again. What is removed already would refuse this, and tell of it in `error`. */
static void see_it_gone(const struct joined *j)
{
	if (faccessat(j->session->dir_fd, "status", F_OK, 0) == 0)
		(void)!write(j->ctl_fd, "rm -v\n", 6);
}

int session_run(const struct session *session, bool *ret_detached)
{
	struct joined *j = join(session);

	open_flows(j);
	if (session->with_signals || session->tty)
		j->signal_fd = open_signals(session);
	signal(SIGPIPE, SIG_IGN);
	if (session->start && session->tty && !session->entry)
		write_size(session);
	if (session->start)
		start(j);
	begin_input(j);
	pass_all(j);
	terminal_restore();
	if (session->remove && j->stopped)
		see_it_gone(j);
	if (ret_detached)
		*ret_detached = j->detached;
	/* The thread of stdin may be at work until the program ends. */
	int exit_code = j->detached ? 0 : j->exit_code;
	free(j);
	return exit_code;
}
