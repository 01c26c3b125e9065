/* The holder with a server of the test's own in the place of fs/server.c: needs
 * root and /dev/fuse.
 *
 * Holders are children of the test; what their engines did is in memory that
 * all share. The bridge's name says how an engine shall behave.
 */
#include "tests/test.h"

#include "base/clock.h"
#include "base/path.h"
#include "fs/channel.h"
#include "fs/holder.h"
#include "fs/mountpoint.h"
#include "fs/readiness.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
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

/* --- beginning and end ---------------------------------------------------- */

static void test_signal_ends(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve");
	struct stat st;
	int cwd;

	assert_int_equal(look(f), 0);
	assert_int_equal(stat(f->root, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(f->run, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	/* In use is no hindrance. */
	cwd = open(f->mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(cwd >= 0);
	end_holder(f, holder);
	expect_nothing_mounted(f);
	close(cwd);
	/* And once more on what is there now. */
	holder = start_holder(f, "serve");
	kill(holder, SIGINT);
	expect_exit(f, holder, 0);
	expect_nothing_mounted(f);
}

static void test_signal_to_engine_ends(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve");

	kill(atomic_load(&seen->engine), SIGTERM);
	expect_exit(f, holder, 0);
	expect_nothing_mounted(f);
}

static void test_umount_ends(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve");

	assert_int_equal(umount2(f->mnt, 0), 0);
	expect_exit(f, holder, 0);
	expect_nothing_mounted(f);
	assert_int_equal(atomic_load(&seen->starts), 1);
}

/* Another mount namespace's copy of the mount keeps the connection. */
static void test_umount_ends_pinned(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve"), other;
	int64_t start;
	int fds[2];
	char byte;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	other = fork_child(f);
	if (other == 0) {
		if (unshare(CLONE_NEWNS) == 0 &&
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
			readiness_send_ready(fds[1]);
		for (;;)
			pause();
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(umount2(f->mnt, 0), 0);
	start = clock_monotonic_ns();
	expect_exit(f, holder, 0);
	assert_true(clock_monotonic_ns() - start < 3 * SECOND_NS);
	close(fds[0]);
	close(fds[1]);
}

static void test_deaf_engine(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "deaf");
	int64_t start = clock_monotonic_ns(), took;

	end_holder(f, holder);
	took = clock_monotonic_ns() - start;
	assert_true(took > 3 * SECOND_NS && took < 5 * SECOND_NS);
	expect_nothing_mounted(f);
}

static void test_failing_starts(void **state)
{
	struct fixture *f = *state;
	struct start start = usual_start(f, "fail");
	char msg[500];
	pid_t holder;
	int fd;

	holder = begin_holder(f, &start, &fd);
	snprintf(msg, sizeof(msg), "cannot read '%s'", f->root);
	expect_failure(fd, ENOSPC, msg);
	expect_exit(f, holder, 1);
	expect_nothing_mounted(f);

	start.how = "crash";
	holder = begin_holder(f, &start, &fd);
	snprintf(msg, sizeof(msg), "the engine was killed by signal 9 at its start; see '%s/log'",
		 f->run);
	expect_failure(fd, EIO, msg);
	expect_exit(f, holder, 1);
	expect_nothing_mounted(f);
}

/* --- places and locks ----------------------------------------------------- */

static void expect_refused(struct fixture *f, const struct start *start, int code, const char *msg)
{
	pid_t holder;
	int fd;

	holder = begin_holder(f, start, &fd);
	expect_failure(fd, code, msg);
	expect_exit(f, holder, 1);
}

static void test_places(void **state)
{
	struct fixture *f = *state;
	struct start start = usual_start(f, "serve");
	char inner[120], msg[500];

	snprintf(inner, sizeof(inner), "%s/inner", f->mnt);
	start.root = inner;
	snprintf(msg, sizeof(msg), "the root directory '%s' lies in the mount point '%s'", inner,
		 f->mnt);
	expect_refused(f, &start, EINVAL, msg);

	start = usual_start(f, "serve");
	start.run = f->dir;
	snprintf(msg, sizeof(msg), "the mount point '%s' lies in the run directory '%s'", f->mnt,
		 f->dir);
	expect_refused(f, &start, EINVAL, msg);

	start = usual_start(f, "serve");
	start.run = f->root;
	snprintf(msg, sizeof(msg), "root and run are the same directory '%s'", f->root);
	expect_refused(f, &start, EINVAL, msg);

	start = usual_start(f, "serve");
	snprintf(inner, sizeof(inner), "%s/nowhere", f->dir);
	start.mnt = inner;
	snprintf(msg, sizeof(msg), "the mount point '%s' does not exist; make the directory first",
		 inner);
	expect_refused(f, &start, ENOENT, msg);

	snprintf(inner, sizeof(inner), "%s/file", f->dir);
	close(open(inner, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	snprintf(msg, sizeof(msg), "the mount point '%s' is not a directory", inner);
	expect_refused(f, &start, ENOTDIR, msg);
}

static void test_second_is_refused(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve"), same_root, same_run, same_mnt;
	char other[120], other2[120], third[120], mnt2[120], msg[500];
	struct start start = usual_start(f, "serve"), start2 = start, start3 = start;
	int fd, fd2, fd3;

	snprintf(other, sizeof(other), "%s/other", f->dir);
	snprintf(other2, sizeof(other2), "%s/other2", f->dir);
	snprintf(third, sizeof(third), "%s/third", f->dir);
	snprintf(mnt2, sizeof(mnt2), "%s/mnt2", f->dir);
	assert_int_equal(mkdir(mnt2, 0755), 0);

	start.run = other;
	start.mnt = mnt2;
	same_root = begin_holder(f, &start, &fd);
	start2.root = other2;
	start2.mnt = mnt2;
	same_run = begin_holder(f, &start2, &fd2);
	start3.root = third;
	start3.run = mnt2;
	same_mnt = begin_holder(f, &start3, &fd3);

	snprintf(msg, sizeof(msg), "another containerfs (pid %d) uses root '%s'", (int)holder,
		 f->root);
	expect_failure(fd, EBUSY, msg);
	snprintf(msg, sizeof(msg), "another containerfs (pid %d) uses run directory '%s'",
		 (int)holder, f->run);
	expect_failure(fd2, EBUSY, msg);
	snprintf(msg, sizeof(msg), "a containerfs is mounted on '%s' already", f->mnt);
	expect_failure(fd3, EBUSY, msg);
	expect_exit(f, same_root, 1);
	expect_exit(f, same_run, 1);
	expect_exit(f, same_mnt, 1);
	assert_int_equal(look(f), 0);
	end_holder(f, holder);
}

static void test_waits_for_predecessor(void **state)
{
	struct fixture *f = *state;
	pid_t first = start_holder(f, "serve"), second;
	struct start start = usual_start(f, "serve");
	int fd;

	second = begin_holder(f, &start, &fd);
	usleep(500000);
	end_holder(f, first);
	expect_ready(fd);
	assert_int_equal(look(f), 0);
	end_holder(f, second);
	expect_nothing_mounted(f);
}

/* --- deaths --------------------------------------------------------------- */

static void test_engine_dies_with_holder(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve");
	int engine, status, r = 0;

	kill_engine();
	engine = atomic_load(&seen->engine);
	assert_int_equal(kill(engine, 0), 0);
	kill(holder, SIGKILL);
	waitpid(holder, &status, 0);
	f->child_count = 0;
	for (unsigned i = 0; i < 5000 && r == 0; i++) {
		usleep(1000);
		r = look(f);
	}
	assert_true(r == -ENOTCONN || r == -ECONNABORTED);
	/* Taken away and replaced. */
	holder = start_holder(f, "serve");
	assert_int_equal(look(f), 0);
	end_holder(f, holder);
	expect_nothing_mounted(f);
}

static void test_dead_mounts(void **state)
{
	struct fixture *f = *state;
	pid_t holder;

	for (unsigned i = 0; i < 3; i++) {
		struct mountpoint mount = MOUNTPOINT_INIT;
		struct error err = ERROR_INIT;

		assert_ok(mountpoint_mount(f->mnt, "test", 0, &mount, &err), &err);
		mountpoint_abort(&mount);
	}
	assert_true(look(f) < 0);
	holder = start_holder(f, "serve");
	end_holder(f, holder);
	expect_nothing_mounted(f);
}

static void test_engine_is_replaced(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "serve");
	int64_t first = atomic_load(&seen->mounted_ns);

	/* Killed from outside: as often as one likes. */
	for (uint32_t i = 2; i <= 12; i++) {
		kill_engine();
		assert_int_equal(look(f), 0);
		assert_int_equal(atomic_load(&seen->engine_number), i);
		assert_true(atomic_load(&seen->mounted_ns) == first);
	}
	for (uint32_t i = 13; i <= 16; i++) {
		end_engine(SIGABRT);
		assert_int_equal(look(f), 0);
		assert_int_equal(atomic_load(&seen->engine_number), i);
		assert_true(atomic_load(&seen->mounted_ns) == first);
	}
	/* The fifth crash in ten seconds. */
	end_engine(SIGABRT);
	assert_int_equal(look(f), 0);
	assert_true(atomic_load(&seen->mounted_ns) > first);
	assert_int_equal(atomic_load(&seen->engine_number), 1);
	kill_engine();
	assert_int_equal(atomic_load(&seen->engine_number), 2);
	assert_int_equal(look(f), 0);
	end_holder(f, holder);
	expect_nothing_mounted(f);
}

static void test_without_resend(void **state)
{
	struct fixture *f = *state;
	struct start start = usual_start(f, "serve");
	int64_t first;
	pid_t holder;
	int fd;

	start.no_resend = true;
	holder = begin_holder(f, &start, &fd);
	expect_ready(fd);
	first = atomic_load(&seen->mounted_ns);
	kill_engine();
	assert_int_equal(atomic_load(&seen->engine_number), 1);
	assert_int_equal(look(f), 0);
	assert_true(atomic_load(&seen->mounted_ns) > first);
	end_holder(f, holder);
	expect_nothing_mounted(f);
}

/* It never gives up, goes slower, and still ends when told. */
static void test_failing_for_ever(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "fail-later");
	uint32_t starts;

	kill(atomic_load(&seen->engine), SIGKILL);
	wait_starts(16);
	starts = atomic_load(&seen->starts);
	usleep(500000);
	assert_true(atomic_load(&seen->starts) - starts <= 5);
	end_holder(f, holder);
	expect_nothing_mounted(f);
}

static pid_t get_parent(pid_t pid)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char path[40];
	const char *line;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	assert_ok(path_read_file(AT_FDCWD, path, 65536, &text, &err), &err);
	line = strstr(strbuf_get_str(&text), "\nPPid:\t");
	assert_non_null(line);
	return (pid_t)strtol(line + 7, NULL, 10);
}

static void test_shims_go_on(void **state)
{
	struct fixture *f = *state;
	pid_t holder = start_holder(f, "shim");
	int shims[SHIMS] = { 0 };

	kill_engine();
	for (unsigned i = 0; i < 2; i++) {
		shims[i] = atomic_load(&seen->shims[i]);
		assert_true(shims[i] > 0);
	}
	/* The first one's engine has died: its end is the holder's to see. */
	assert_int_equal(get_parent(shims[0]), holder);
	kill(shims[0], SIGKILL);
	for (unsigned i = 0; i < 1000 && kill(shims[0], 0) == 0; i++)
		usleep(1000);
	assert_int_equal(kill(shims[0], 0), -1);
	atomic_store(&seen->shims[0], 0);
	end_holder(f, holder);
	assert_int_equal(kill(shims[1], 0), 0);
}

static void test_releases(void **state)
{
	(void)state;
	assert_true(holder_can_resend("6.9.0"));
	assert_true(holder_can_resend("6.18.44-fc-v669"));
	assert_true(holder_can_resend("7.0-rc1"));
	assert_true(holder_can_resend("6.9"));
	assert_true(holder_can_resend("6.12-amd64"));
	assert_false(holder_can_resend("6.8.12"));
	assert_false(holder_can_resend("6.1.0-18-amd64"));
	assert_false(holder_can_resend("5.10"));
	assert_false(holder_can_resend("6"));
	assert_false(holder_can_resend(""));
	assert_false(holder_can_resend("linux"));
}

#define WITH_DIR(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(test_signal_ends),
		WITH_DIR(test_signal_to_engine_ends),
		WITH_DIR(test_umount_ends),
		WITH_DIR(test_umount_ends_pinned),
		WITH_DIR(test_deaf_engine),
		WITH_DIR(test_failing_starts),
		WITH_DIR(test_places),
		WITH_DIR(test_second_is_refused),
		WITH_DIR(test_waits_for_predecessor),
		WITH_DIR(test_engine_dies_with_holder),
		WITH_DIR(test_dead_mounts),
		WITH_DIR(test_engine_is_replaced),
		WITH_DIR(test_without_resend),
		WITH_DIR(test_failing_for_ever),
		WITH_DIR(test_shims_go_on),
		cmocka_unit_test(test_releases),
	};

	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (seen == MAP_FAILED)
		return 1;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
