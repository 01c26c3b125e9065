/* The holder: see holder.h.
 *
 * One thread, one poll(2): signals, what the engine says at its start, changes
 * of the mount table, deadlines. It holds little, because every engine is a fork
 * of it, and does little, because nothing starts it again.
 *
 * The mount ends in one of three ways: the kernel ends it (umount) and the
 * engine returns; a signal, after which the engine is asked to return; or it
 * leaves the mount table while another mount namespace's copy keeps the
 * connection alive, which the engine cannot see and is asked to return too. An
 * engine that does not return when asked is killed: it can die at any moment.
 *
 * A connection is aborted only when its engine has been reaped, and the dead
 * mount stays until the next one is made: nobody writes into the directory
 * below it meanwhile.
 */
#include "fs/holder.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "fs/mountpoint.h"
#include "fs/premises.h"
#include "fs/readiness.h"
#include "fs/slots.h"
#include "fs/volfs/volfs.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECOND_NS INT64_C(1000000000)
#define DEATHS 5
#define DEATHS_WITHIN_NS (10 * SECOND_NS)
#define BACKOFF_MIN_NS (SECOND_NS / 5)
#define BACKOFF_MAX_NS (5 * SECOND_NS)
/* Shorter than the wait of a successor for our locks. */
#define KILL_AFTER_NS (4 * SECOND_NS)
/* The mount table changes with every rootfs: it is read this long after. */
#define LOOK_AFTER_NS (SECOND_NS / 2)

struct holder {
	const struct holder_options *options;
	struct server_options server;
	struct premises premises;
	struct mountpoint mount;
	struct server_memory memory;
	int signal_fd, mounts_fd, ready_fd;
	pid_t engine;    /* 0: none */
	int engine_pipe; /* -1: it has said all */
	int64_t engine_started;
	struct error engine_error;
	bool was_ready;  /* the mount has answered once */
	bool is_serving; /* this engine has answered */
	bool is_missing; /* the mount was not in the table at the last look */
	bool is_ending;  /* the engine was asked to return */
	bool is_over;
	int64_t kill_at, look_at, remount_at; /* monotonic; 0: not planned */
	int64_t deaths[DEATHS];               /* a ring of times */
	unsigned death_count;
	int64_t backoff_ns;
	int result; /* of a start that failed */
};

bool holder_can_resend(const char *release)
{
	char copy[66], *rest = copy, *word;
	uint64_t version[2] = { 0, 0 };

	snprintf(copy, sizeof(copy), "%s", release);
	for (unsigned i = 0; i < 2; i++) {
		word = strsep(&rest, ".-+");
		if (!word || num_parse_u64(word, 0, UINT32_MAX, &version[i]) < 0)
			return false;
	}
	return version[0] > 6 || (version[0] == 6 && version[1] >= 9);
}

/* --- the engine's process ------------------------------------------------- */

static _Noreturn void be_engine(struct holder *h, int ready_fd)
{
	struct error err = ERROR_INIT;
	sigset_t mask;
	int status;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != h->server.holder_pid)
		_exit(SERVER_TERMINATED);
	/* A terminal's Ctrl-C is for the holder alone. The locks are kept: ROOT
	 * is free when we have gone too. */
	setsid();
	close(h->signal_fd);
	close(h->mounts_fd);
	if (h->ready_fd >= 0)
		close(h->ready_fd);
	/* Ours to answer, and nothing for containers. */
	unsetenv("NOTIFY_SOCKET");
	/* A SIGTERM that comes before it is expected must wait, not kill. */
	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigprocmask(SIG_SETMASK, &mask, NULL);

	status = server_run(&h->server, &h->memory, ready_fd, &err);
	if (status == SERVER_FAILED)
		readiness_send_failure(ready_fd, &err);
	exit(status);
}

static int start_engine(struct holder *h, struct error *err)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return error_set_sys(err, errno, "cannot start the engine");
	error_clear(&h->engine_error);
	h->is_serving = false;
	h->memory.engine_number++;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		be_engine(h, fds[1]);
	}
	close(fds[1]);
	if (pid < 0) {
		int code = errno;

		close(fds[0]);
		return error_set_sys(err, code, "cannot start the engine");
	}
	h->engine = pid;
	h->engine_started = clock_monotonic_ns();
	h->engine_pipe = fds[0];
	return 0;
}

static void ask_engine_to_end(struct holder *h)
{
	h->is_ending = true;
	kill(h->engine, SIGTERM);
	if (!h->kill_at)
		h->kill_at = clock_monotonic_ns() + KILL_AFTER_NS;
}

/* --- mount and memory ----------------------------------------------------- */

static void drop_memory(struct holder *h)
{
	int *fds[] = { &h->memory.init_fd,     &h->memory.handles_fd, &h->memory.requests_fd,
		       &h->memory.sessions_fd, &h->memory.names_fd,   &h->memory.volumes_fd,
		       &h->memory.keepers_fd };

	volfs_end_keepers(h->memory.keepers_fd);
	for (unsigned i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	h->memory.fuse_fd = -1;
	h->memory.engine_number = 0;
}

static int make_memory(struct holder *h, struct error *err)
{
	static const char *const names[] = { "init",  "handles", "requests", "sessions",
					     "names", "volumes", "keepers" };
	int *fds[] = { &h->memory.init_fd,     &h->memory.handles_fd, &h->memory.requests_fd,
		       &h->memory.sessions_fd, &h->memory.names_fd,   &h->memory.volumes_fd,
		       &h->memory.keepers_fd };

	for (unsigned i = 0; i < sizeof(fds) / sizeof(*fds); i++) {
		*fds[i] = slots_new_memory(names[i], err);
		if (*fds[i] < 0)
			return *fds[i];
	}
	h->memory.fuse_fd = h->mount.fuse_fd;
	h->memory.mounted_ns = clock_now_ns();
	h->memory.can_resend = h->options->can_resend;
	h->memory.crashed = false;
	return 0;
}

/* The descriptor is the connection: without an engine, closing it aborts. */
static void take_mount_away(struct holder *h)
{
	struct error err = ERROR_INIT;

	if (mountpoint_detach(&h->mount, h->server.mnt, &err) < 0)
		log_warn("%s", err.msg);
	mountpoint_abort(&h->mount);
	drop_memory(h);
}

static int mount_anew(struct holder *h, struct error *err)
{
	int r = mountpoint_clear(h->server.mnt, err);

	if (r == 0)
		r = mountpoint_mount(h->server.mnt, h->server.source, h->server.gid, &h->mount,
				     err);
	if (r == 0)
		r = make_memory(h, err);
	if (r == 0)
		r = start_engine(h, err);
	if (r < 0)
		take_mount_away(h);
	h->is_missing = false;
	return r;
}

/* --- when an engine has died ---------------------------------------------- */

/* An engine that served and was killed from outside does not die of what it serves: however often that
 * happens, the next one takes over, and no request is blamed. */
static bool was_killed(const struct holder *h, int status)
{
	return h->is_serving && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

/* True when it was the fifth death within ten seconds. */
static bool count_death(struct holder *h, int status)
{
	int64_t now = clock_monotonic_ns();
	int64_t oldest = h->deaths[(h->death_count + 1) % DEATHS];

	if (was_killed(h, status))
		return false;
	h->deaths[h->death_count % DEATHS] = now;
	h->death_count++;
	return h->death_count >= DEATHS && now - oldest < DEATHS_WITHIN_NS;
}

static void plan_remount(struct holder *h, bool with_pause)
{
	int64_t now = clock_monotonic_ns();

	if (with_pause) {
		h->backoff_ns = h->backoff_ns ? h->backoff_ns * 2 : BACKOFF_MIN_NS;
		if (h->backoff_ns > BACKOFF_MAX_NS)
			h->backoff_ns = BACKOFF_MAX_NS;
	}
	h->remount_at = with_pause ? now + h->backoff_ns : now;
}

static void remount(struct holder *h)
{
	struct error err = ERROR_INIT;

	h->remount_at = 0;
	take_mount_away(h);
	if (mount_anew(h, &err) < 0) {
		log_warn("%s", err.msg);
		plan_remount(h, true);
		return;
	}
	log_info("mounted on '%s' anew", h->server.mnt);
}

static void give_up_mount(struct holder *h, bool with_pause)
{
	log_warn("ending the connection of '%s'; it will be mounted anew", h->server.mnt);
	/* They have descriptors of it too. */
	volfs_end_keepers(h->memory.keepers_fd);
	mountpoint_abort(&h->mount);
	if (with_pause)
		h->death_count = 0;
	plan_remount(h, with_pause);
}

static void describe_end(int status, char *text, size_t size)
{
	if (WIFSIGNALED(status))
		snprintf(text, size, "was killed by signal %d", WTERMSIG(status));
	else
		snprintf(text, size, "ended with status %d", WEXITSTATUS(status));
}

/* Nobody has seen the mount answer: whoever started us gets the sentence. */
static void fail_start(struct holder *h, int status, struct error *err)
{
	char how[60];

	describe_end(status, how, sizeof(how));
	if (h->is_ending)
		h->result = error_set(err, EINTR, "ended by a signal before the mount answered");
	else if (h->engine_error.code)
		h->result = error_set(err, h->engine_error.code, "%s", h->engine_error.msg);
	else
		h->result = error_set(err, EIO, "the engine %s at its start; see '%s/log'", how,
				      h->server.run);
	h->is_over = true;
}

static void replace_engine(struct holder *h, int status)
{
	struct error err = ERROR_INIT;
	bool too_many = count_death(h, status);
	char how[60];

	if (clock_monotonic_ns() - h->engine_started > DEATHS_WITHIN_NS)
		h->backoff_ns = 0;
	h->memory.crashed = !was_killed(h, status);
	describe_end(status, how, sizeof(how));
	log_warn("engine %u %s%s%s", h->memory.engine_number, how, h->engine_error.code ? ": " : "",
		 h->engine_error.msg);
	if (too_many || !h->options->can_resend) {
		give_up_mount(h, too_many);
	} else if (start_engine(h, &err) < 0) {
		log_warn("%s", err.msg);
		give_up_mount(h, true);
	}
}

static void hear_engine(struct holder *h);

static void engine_ended(struct holder *h, int status, struct error *err)
{
	bool on_purpose = WIFEXITED(status) && (WEXITSTATUS(status) == SERVER_UNMOUNTED ||
						WEXITSTATUS(status) == SERVER_TERMINATED);

	/* What it said last may be unread. */
	while (h->engine_pipe >= 0)
		hear_engine(h);
	h->engine = 0;
	h->kill_at = 0;
	if (!h->was_ready)
		fail_start(h, status, err);
	else if (on_purpose || h->is_ending || !mountpoint_is_mounted(&h->mount))
		h->is_over = true;
	else
		replace_engine(h, status);
}

/* --- what happens --------------------------------------------------------- */

static void become_ready(struct holder *h)
{
	if (h->was_ready)
		return;
	h->was_ready = true;
	log_info("mounted on '%s'", h->server.mnt);
	if (h->ready_fd >= 0) {
		readiness_send_ready(h->ready_fd);
		close(h->ready_fd);
		h->ready_fd = -1;
	}
	readiness_tell_systemd();
}

static void hear_engine(struct holder *h)
{
	switch (readiness_receive(h->engine_pipe, &h->engine_error)) {
	case READINESS_READY:
		h->is_serving = true;
		become_ready(h);
		break;
	case READINESS_FAILED:
		break;
	case READINESS_NONE: /* only from one that was reaped: nothing more comes */
	case READINESS_CLOSED:
		close(h->engine_pipe);
		h->engine_pipe = -1;
		break;
	}
}

/* Shims whose engine has died are our children: reaped when they end, never
 * touched. */
static void reap(struct holder *h, struct error *err)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == h->engine)
			engine_ended(h, status, err);
}

static void end_by_signal(struct holder *h, int signo)
{
	log_info("ending: signal %d", signo);
	h->remount_at = 0;
	if (h->engine > 0)
		ask_engine_to_end(h);
	else
		h->is_over = true;
}

static void hear_signals(struct holder *h, struct error *err)
{
	struct signalfd_siginfo info;

	while (read(h->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo != SIGCHLD)
			end_by_signal(h, (int)info.ssi_signo);
	reap(h, err);
}

/* After a usual umount the engine returns by itself within this time. */
static void look_at_mounts(struct holder *h)
{
	h->look_at = 0;
	if (h->engine == 0 || h->is_ending || mountpoint_is_mounted(&h->mount))
		return;
	if (h->is_missing) {
		log_info("'%s' was unmounted, but something keeps its connection", h->server.mnt);
		ask_engine_to_end(h);
		return;
	}
	h->is_missing = true;
	h->look_at = clock_monotonic_ns() + LOOK_AFTER_NS;
}

static void keep_deadlines(struct holder *h)
{
	int64_t now = clock_monotonic_ns();

	if (h->kill_at && now >= h->kill_at) {
		log_warn("the engine does not end: killing it");
		h->kill_at = 0;
		kill(h->engine, SIGKILL);
	}
	if (h->look_at && now >= h->look_at)
		look_at_mounts(h);
	if (h->remount_at && now >= h->remount_at)
		remount(h);
}

static int get_timeout_ms(const struct holder *h)
{
	int64_t at[] = { h->kill_at, h->look_at, h->remount_at }, first = 0, now;

	for (unsigned i = 0; i < 3; i++)
		if (at[i] && (!first || at[i] < first))
			first = at[i];
	if (!first)
		return -1;
	now = clock_monotonic_ns();
	return first <= now ? 0 : (int)((first - now) / 1000000 + 1);
}

static void hold(struct holder *h, struct error *err)
{
	while (!h->is_over) {
		struct pollfd fds[] = {
			{ .fd = h->signal_fd, .events = POLLIN },
			{ .fd = h->mounts_fd, .events = POLLPRI },
			{ .fd = h->engine_pipe, .events = POLLIN },
		};

		if (poll(fds, 3, get_timeout_ms(h)) < 0)
			continue;
		if (fds[2].revents)
			hear_engine(h);
		if (fds[0].revents)
			hear_signals(h, err);
		if (fds[1].revents && !h->look_at)
			h->look_at = clock_monotonic_ns() + LOOK_AFTER_NS;
		if (!h->is_over)
			keep_deadlines(h);
	}
}

/* --- beginning and end ---------------------------------------------------- */

static int set_up_process(struct holder *h, struct error *err)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	h->server.holder_pid = getpid();
	h->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	h->mounts_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (h->signal_fd < 0 || h->mounts_fd < 0 || chdir("/") < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return error_set_sys(err, errno, "cannot set up the holder's process");
	return 0;
}

static void open_log(struct holder *h)
{
	log_set_fd(h->premises.log_fd);
	if (h->options->log_to_stderr)
		log_set_copy_fd(STDERR_FILENO);
	else
		dup2(h->premises.log_fd, STDERR_FILENO);
}

static void tear_down(struct holder *h)
{
	take_mount_away(h);
	if (h->premises.log_fd >= 0) {
		log_info("ended");
		log_set_copy_fd(-1);
		log_set_fd(-1);
	}
	premises_close(&h->premises);
	close(h->signal_fd);
	close(h->mounts_fd);
}

int holder_run(const struct holder_options *options, struct error *err)
{
	struct holder h = {
		.options = options,
		.server = *options->server,
		.premises = PREMISES_INIT,
		.mount = MOUNTPOINT_INIT,
		.memory = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, false, false },
		.signal_fd = -1,
		.mounts_fd = -1,
		.ready_fd = options->ready_fd,
		.engine_pipe = -1,
	};
	int r = set_up_process(&h, err);

	if (r == 0)
		r = premises_open(&h.server, &h.premises, err);
	if (r == 0) {
		open_log(&h);
		r = mount_anew(&h, err);
	}
	if (r == 0) {
		hold(&h, err);
		r = h.result;
	}
	tear_down(&h);
	return r;
}
