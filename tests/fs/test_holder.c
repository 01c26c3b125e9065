/* The holder with a server of the test's own in the place of fs/server.c: needs
 * root and /dev/fuse.
 *
 * Holders are children of the test; what their engines did is in memory that
 * all share. The bridge's name says how an engine shall behave.
 */
#include "tests/fs/holder_fixture.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

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
	int64_t since;

	kill(atomic_load(&seen->engine), SIGKILL);
	wait_starts(16);
	starts = atomic_load(&seen->starts);
	since = clock_monotonic_ns();
	usleep(500000);
	/* Ten a second at most, however long that pause was. */
	starts = atomic_load(&seen->starts) - starts;
	assert_true(starts <= 1 + (clock_monotonic_ns() - since) / 100000000);
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
	for (unsigned i = 0; i < 5000 && kill(shims[0], 0) == 0; i++)
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
