/* Holders and their engines as processes of a test, on a mount in a scratch directory.
 * Functions in a header: it is included by one test program.
 */
#ifndef TESTS_FS_HOLDER_FIXTURE_H
#define TESTS_FS_HOLDER_FIXTURE_H

#include "base/clock.h"
#include "base/path.h"
#include "fs/channel.h"
#include "fs/holder.h"
#include "fs/mountpoint.h"
#include "fs/readiness.h"
#include "tests/test.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SECOND_NS INT64_C(1000000000)
#define SHIMS 3

struct seen {
	_Atomic int engine; /* pid of the latest that is ready */
	_Atomic uint32_t engine_number;
	_Atomic uint32_t starts; /* of all engines */
	_Atomic int64_t mounted_ns;
	_Atomic int shims[SHIMS];
};

struct fixture {
	char dir[64];
	int dir_fd;
	char root[100], run[100], mnt[100];
	pid_t children[8];
	size_t child_count;
};

static struct seen *seen; /* shared with every holder and engine */

/* --- the engine ----------------------------------------------------------- */

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st = { .st_ino = ino, .st_mode = S_IFDIR | 0700, .st_nlink = 2 };

	(void)fi;
	fuse_reply_attr(req, &st, 0);
}

static void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fuse_reply_open(req, fi);
}

static const struct fuse_lowlevel_ops ops = { .getattr = fs_getattr, .opendir = fs_opendir };

struct engine {
	struct channel *channel;
	int ready_fd;
	const struct server_memory *memory;
	_Atomic bool stopped;
};

static void tell_ready(void *arg)
{
	struct engine *engine = arg;

	atomic_store(&seen->engine_number, engine->memory->engine_number);
	atomic_store(&seen->mounted_ns, engine->memory->mounted_ns);
	atomic_store(&seen->engine, (int)getpid());
	readiness_send_ready(engine->ready_fd);
}

static void *wait_term(void *arg)
{
	struct engine *engine = arg;
	sigset_t term;
	int signo;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigwait(&term, &signo);
	atomic_store(&engine->stopped, true);
	channel_stop(engine->channel);
	return NULL;
}

/* What a shim is to the engine: a child that goes on without it. */
static void start_shim(void)
{
	for (unsigned i = 0; i < SHIMS; i++) {
		pid_t pid;

		if (atomic_load(&seen->shims[i]) != 0)
			continue;
		pid = fork();
		if (pid == 0) {
			close_range(3, ~0U, 0);
			for (;;)
				pause();
		}
		atomic_store(&seen->shims[i], (int)pid);
		return;
	}
}

static int serve(const struct server_memory *memory, int ready_fd, bool deaf, struct error *err)
{
	struct engine engine = { .ready_fd = ready_fd, .memory = memory };
	pthread_t thread;
	int r;

	if (channel_open(memory->fuse_fd, memory->init_fd, &ops, sizeof(ops), &engine,
			 &engine.channel, err) < 0)
		return SERVER_FAILED;
	if (!deaf)
		pthread_create(&thread, NULL, wait_term, &engine);
	r = channel_run(engine.channel, 2, tell_ready, &engine, err);
	if (!deaf) {
		pthread_cancel(thread);
		pthread_join(thread, NULL);
	}
	channel_close(engine.channel);
	if (r < 0)
		return SERVER_FAILED;
	return atomic_load(&engine.stopped) ? SERVER_TERMINATED : SERVER_UNMOUNTED;
}

int server_run(const struct server_options *options, const struct server_memory *memory,
	       int ready_fd, struct error *err)
{
	const char *how = options->bridge;
	uint32_t starts = atomic_fetch_add(&seen->starts, 1);

	if (options->holder_pid != getppid() || memory->handles_fd < 0 || memory->requests_fd < 0 ||
	    memory->sessions_fd < 0 || memory->mounted_ns == 0) {
		error_set(err, EIO, "the engine was not given what it needs");
		return SERVER_FAILED;
	}
	if (strcmp(how, "fail") == 0 || (strcmp(how, "fail-later") == 0 && starts > 0)) {
		error_set(err, ENOSPC, "cannot read '%s'", options->root);
		return SERVER_FAILED;
	}
	if (strcmp(how, "crash") == 0)
		raise(SIGKILL);
	if (strcmp(how, "shim") == 0)
		start_shim();
	return serve(memory, ready_fd, strcmp(how, "deaf") == 0, err);
}

/* --- fixture -------------------------------------------------------------- */

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	*state = f;
	memset(seen, 0, sizeof(*seen));
	f->dir_fd = test_make_dir(f->dir);
	snprintf(f->root, sizeof(f->root), "%s/lib/root", f->dir);
	snprintf(f->run, sizeof(f->run), "%s/run", f->dir);
	snprintf(f->mnt, sizeof(f->mnt), "%s/mnt", f->dir);
	assert_int_equal(mkdir(f->mnt, 0755), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < f->child_count; i++)
		kill(f->children[i], SIGKILL);
	for (size_t i = 0; i < f->child_count; i++)
		waitpid(f->children[i], NULL, 0);
	for (unsigned i = 0; i < SHIMS; i++)
		if (atomic_load(&seen->shims[i]) > 0)
			kill(atomic_load(&seen->shims[i]), SIGKILL);
	/* Their holders have ended, so they are ours. */
	while (waitpid(-1, NULL, 0) > 0)
		;
	while (umount2(f->mnt, MNT_FORCE | MNT_DETACH) == 0)
		;
	test_remove_dir(f->dir_fd, f->dir);
	free(f);
	return 0;
}

static pid_t fork_child(struct fixture *f)
{
	pid_t pid;

	fflush(NULL);
	assert_true(f->child_count < sizeof(f->children) / sizeof(*f->children));
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		f->children[f->child_count++] = pid;
	else
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

struct start {
	const char *root, *run, *mnt, *how;
	bool no_resend;
};

static _Noreturn void be_holder(const struct start *start, int ready_fd)
{
	static char *const no_opts[] = { NULL };
	struct error err = ERROR_INIT;
	struct server_options server = {
		.root = start->root,
		.run = start->run,
		.mnt = start->mnt,
		.source = "test",
		.bridge = start->how,
		.log_opts = no_opts,
	};
	struct holder_options options = {
		.server = &server,
		.can_resend = !start->no_resend,
		.ready_fd = ready_fd,
	};

	if (holder_run(&options, &err) == 0)
		_exit(0);
	readiness_send_failure(ready_fd, &err);
	_exit(1);
}

/* Its pid, and the word that it gives in *ret_fd. */
static pid_t begin_holder(struct fixture *f, const struct start *start, int *ret_fd)
{
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork_child(f);
	if (pid == 0) {
		close(fds[0]);
		be_holder(start, fds[1]);
	}
	close(fds[1]);
	*ret_fd = fds[0];
	return pid;
}

static void expect_ready(int fd)
{
	struct error err = ERROR_INIT;
	enum readiness word = readiness_receive(fd, &err);

	assert_string_equal(err.msg, "");
	assert_int_equal(word, READINESS_READY);
	close(fd);
}

static void expect_failure(int fd, int code, const char *msg)
{
	struct error err = ERROR_INIT;

	assert_int_equal(readiness_receive(fd, &err), READINESS_FAILED);
	assert_string_equal(err.msg, msg);
	assert_int_equal(err.code, code);
	close(fd);
}

static struct start usual_start(const struct fixture *f, const char *how)
{
	return (struct start){ .root = f->root, .run = f->run, .mnt = f->mnt, .how = how };
}

static pid_t start_holder(struct fixture *f, const char *how)
{
	struct start start = usual_start(f, how);
	pid_t pid;
	int fd;

	pid = begin_holder(f, &start, &fd);
	expect_ready(fd);
	return pid;
}

static void expect_exit(struct fixture *f, pid_t pid, int code)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < f->child_count; i++)
		if (f->children[i] == pid)
			f->children[i] = f->children[--f->child_count];
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static void end_holder(struct fixture *f, pid_t pid)
{
	kill(pid, SIGTERM);
	expect_exit(f, pid, 0);
}

/* Does the mount answer? */
static int look(const struct fixture *f)
{
	struct statx stx;

	if (statx(AT_FDCWD, f->mnt, AT_STATX_FORCE_SYNC, STATX_BASIC_STATS, &stx) < 0)
		return -errno;
	return 0;
}

static void expect_nothing_mounted(const struct fixture *f)
{
	struct stat mnt, dir;

	assert_int_equal(stat(f->mnt, &mnt), 0);
	assert_int_equal(stat(f->dir, &dir), 0);
	assert_int_equal(mnt.st_dev, dir.st_dev);
}

static void wait_starts(uint32_t count)
{
	for (unsigned i = 0; i < 5000 && atomic_load(&seen->starts) < count; i++)
		usleep(1000);
	assert_true(atomic_load(&seen->starts) >= count);
}

/* Kill the engine and wait until another is ready. */
static void end_engine(int signo)
{
	int engine = atomic_load(&seen->engine);

	kill(engine, signo);
	for (unsigned i = 0; i < 5000 && atomic_load(&seen->engine) == engine; i++)
		usleep(1000);
	assert_int_not_equal(atomic_load(&seen->engine), engine);
}

static void kill_engine(void)
{
	end_engine(SIGKILL);
}

#endif
