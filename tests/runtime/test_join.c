/* Further processes in a container that runs: same namespaces and rights, nothing
 * of the host's, ends that are reaped, and what is left afterwards (nothing).
 */
#include "tests/runtime/launch_fixture.h"

#include <signal.h>

struct further {
	struct fixture box; /* whose directories, spec, shim are the further process's */
	int pidfd;
};

/* Begin with a container that waits, and a second set of directories. */
static struct further begin(struct fixture *f)
{
	struct further x = { .box = *f };
	fixture_reset(f);
	f->argv[0] = "sh";
	f->argv[1] = "-c";
	f->argv[2] = "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done";
	f->argv[3] = NULL;
	must_work(f, fixture_start_argv(f));
	fixture_await_log(f, "up");
	x.pidfd = (int)syscall(SYS_pidfd_open, f->result.pid, 0);
	assert_true(x.pidfd >= 3);
	mkdirat(f->dir_fd, "x-log", 0700);
	mkdirat(f->dir_fd, "x-run", 0700);
	x.box.log_fd = openat(f->dir_fd, "x-log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	x.box.run_fd = openat(f->dir_fd, "x-run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fixture_reset(&x.box);
	x.box.spec.join = true;
	x.box.spec.join_fd = x.pidfd;
	x.box.spec.argv = x.box.argv;
	x.box.spec.envp = x.box.envp;
	x.box.spec.mount_count = x.box.spec.device_count = 0;
	x.box.spec.masked_count = x.box.spec.readonly_count = 0;
	x.box.spec.hostname = NULL;
	x.box.spec.new_netns = false;
	x.box.mount_count = count_mounts();
	return x;
}

static void start(struct further *x, const char *script)
{
	x->box.argv[0] = "sh";
	x->box.argv[1] = "-c";
	x->box.argv[2] = script;
	x->box.argv[3] = NULL;
	x->box.spec.argv = x->box.argv;
	x->box.spec.envp = x->box.envp;
	must_work(&x->box, launch_start(x->box.launcher, &x->box.spec, &x->box.result,
					&x->box.program_failed, &x->box.shim, &x->box.err));
	assert_true(x->box.result.pid > 0);
}

/* Until it has ended; its shim's directories are then empty. Returns the exit code. */
static int finish(struct further *x)
{
	struct shim_event event = fixture_await(&x->box, SHIM_EXITED);
	fixture_await(&x->box, SHIM_CLOSED);
	shim_free(x->box.shim);
	assert_int_equal(faccessat(x->box.run_fd, "shim.sock", F_OK, 0), -1);
	return event.exit_code;
}

static int run(struct further *x, const char *script)
{
	start(x, script);
	return finish(x);
}

static void end(struct further *x, struct fixture *f, int code)
{
	must_work(f, shim_signal(f->shim, 0, SIGTERM, &f->err));
	assert_int_equal(fixture_finish(f), code);
	close(x->pidfd);
	close(x->box.log_fd);
	close(x->box.run_fd);
	must_work(f, path_remove_tree(f->dir_fd, "x-log"));
	must_work(f, path_remove_tree(f->dir_fd, "x-run"));
}

static void read_host_link(pid_t pid, const char *name, char *ret, size_t size)
{
	char path[64];
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	ssize_t n = readlink(path, ret, size - 1);
	assert_true(n > 0);
	ret[n] = '\0';
}

static void test_namespaces(void **state)
{
	static const char *const names[] = { "mnt", "pid", "ipc", "uts", "net", "cgroup" };
	struct fixture *f = *state;
	struct further x = begin(f);
	start(&x, "hostname; exec sleep 100");
	fixture_await_log(&x.box, "box\n");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char first[64], further[64];
		read_host_link(f->result.pid, names[i], first, sizeof(first));
		read_host_link(x.box.result.pid, names[i], further, sizeof(further));
		assert_string_equal(first, further);
	}
	must_work(&x.box, shim_signal(x.box.shim, 0, SIGKILL, &x.box.err));
	assert_int_equal(finish(&x), 137);
	assert_log(&x.box, LOG_STDOUT, "box\n");
	end(&x, f, 9);
}

static void test_rights(void **state)
{
	struct fixture *f = *state;
	struct further x = begin(f);
	x.box.spec.no_new_privs = true;
	assert_int_equal(run(&x, "grep -E 'CapBnd|CapEff|NoNewPrivs' /proc/self/status"), 0);
	assert_log(&x.box, LOG_STDOUT,
		   "CapEff:\t00000000a80425fb\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\n");
	unlinkat(x.box.log_fd, "log", 0);
	unlinkat(x.box.log_fd, "log.index", 0);
	x.box.spec.uid = 1000;
	x.box.spec.gid = 100;
	x.box.spec.cap_effective = x.box.spec.cap_permitted = 0;
	x.box.spec.cwd = "/tmp";
	assert_int_equal(run(&x, "id -u; id -g; pwd; ls /proc/self/fd; exit 7"), 7);
	/* 3 is the directory that ls reads. */
	assert_log(&x.box, LOG_STDOUT, "1000\n100\n/tmp\n0\n1\n2\n3\n");
	end(&x, f, 9);
}

static void assert_fails(struct further *x, int code, bool program, const char *sentence)
{
	x->box.spec.argv = x->box.argv;
	x->box.spec.envp = x->box.envp;
	int r = launch_start(x->box.launcher, &x->box.spec, &x->box.result, &x->box.program_failed,
			     &x->box.shim, &x->box.err);
	assert_error(r, &x->box.err, code, sentence);
	assert_int_equal(x->box.program_failed, program);
	error_clear(&x->box.err);
	assert_int_equal(faccessat(x->box.run_fd, "shim.sock", F_OK, 0), -1);
	assert_int_equal(faccessat(x->box.run_fd, "shim.pid", F_OK, 0), -1);
}

static void test_failures(void **state)
{
	struct fixture *f = *state;
	struct further x = begin(f);
	x.box.argv[0] = "nope";
	x.box.argv[1] = NULL;
	assert_fails(&x, ENOENT, true, "cannot execute 'nope': not found in PATH");
	x.box.argv[0] = "plain";
	assert_fails(&x, EACCES, true, "cannot execute 'plain': Permission denied");
	x.box.argv[0] = "true";
	x.box.spec.cwd = "/no/such";
	assert_fails(&x, ENOENT, false,
		     "cannot enter the working directory '/no/such': No such file or directory");
	x.box.spec.cwd =
		"/proc/1/fd/1"; /* a link out of the container's root, if it were followed */
	assert_fails(&x, ELOOP, false,
		     "cannot enter the working directory '/proc/1/fd/1': "
		     "Symbolic link loop");
	x.box.spec.cwd = "/";
	end(&x, f, 9);
}

static void test_stdin_and_terminal(void **state)
{
	struct fixture *f = *state;
	struct further x = begin(f);
	x.box.spec.open_stdin = true;
	start(&x, "cat; exit 4");
	assert_int_equal(shim_stdin(x.box.shim, 0, "hello\n", 6, &x.box.err), 6);
	must_work(&x.box, shim_close_stdin(x.box.shim, 0, &x.box.err));
	assert_int_equal(finish(&x), 4);
	assert_log(&x.box, LOG_STDOUT, "hello\n");
	unlinkat(x.box.log_fd, "log", 0);
	unlinkat(x.box.log_fd, "log.index", 0);
	x.box.spec.tty = true;
	x.box.spec.tty_rows = 33;
	x.box.spec.tty_cols = 99;
	/* A controlling terminal: Ctrl-C reaches the foreground. */
	start(&x, "tty >/dev/null || exit 1; stty size </dev/tty; trap 'exit 12' INT; "
		  "echo ready; while :; do sleep 0.05; done");
	fixture_await_log(&x.box, "ready");
	assert_int_equal(shim_stdin(x.box.shim, 0, "\3", 1, &x.box.err), 1);
	assert_int_equal(finish(&x), 12);
	auto_free char *log = fixture_read_log(&x.box, LOG_STDOUT, NULL);
	assert_non_null(strstr(log, "33 99"));
	end(&x, f, 9);
}

/* Nobody wants it: nothing is kept, and nothing blocks. */
static void test_discarded(void **state)
{
	struct fixture *f = *state;
	struct further x = begin(f);
	x.box.spec.discard_output = true;
	assert_int_equal(run(&x, "seq 100000; readlink /proc/self/fd/1 >&2; exit 3"), 3);
	assert_log(&x.box, 0, "");
	x.box.spec.tty = true;
	assert_int_equal(run(&x, "seq 100000; exit 5"), 5);
	assert_log(&x.box, 0, "");
	end(&x, f, 9);
}

/* It ends with the container, and the container can end. */
static void test_container_ends(void **state)
{
	struct fixture *f = *state;
	struct further x = begin(f);
	start(&x, "echo on; exec sleep 100");
	fixture_await_log(&x.box, "on");
	must_work(f, shim_signal(f->shim, 0, SIGKILL, &f->err));
	assert_int_equal(finish(&x), 137);
	assert_int_equal(fixture_finish(f), 137);
	x.box.argv[0] = "true";
	x.box.argv[1] = NULL;
	assert_fails(&x, ESRCH, false, "cannot join the container's namespaces: No such process");
	close(x.pidfd);
	close(x.box.log_fd);
	close(x.box.run_fd);
	path_remove_tree(f->dir_fd, "x-log");
	path_remove_tree(f->dir_fd, "x-run");
}

/* Its shim is killed: it goes too, and the container does not notice. */
static void test_killed_shim(void **state)
{
	struct fixture *f = *state;
	struct further x = begin(f);
	start(&x, "echo on; exec sleep 100");
	fixture_await_log(&x.box, "on");
	int pidfd = (int)syscall(SYS_pidfd_open, x.box.result.pid, 0);
	kill(x.box.result.shim_pid, SIGKILL);
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };
	assert_int_equal(poll(&polled, 1, FIXTURE_WAIT_MS), 1);
	close(pidfd);
	fixture_await(&x.box, SHIM_CLOSED);
	shim_free(x.box.shim);
	end(&x, f, 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_namespaces),  cmocka_unit_test(test_rights),
		cmocka_unit_test(test_failures),    cmocka_unit_test(test_stdin_and_terminal),
		cmocka_unit_test(test_discarded),   cmocka_unit_test(test_container_ends),
		cmocka_unit_test(test_killed_shim),
	};
	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
