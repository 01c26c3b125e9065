/* Real launches, as root: the plan's every item seen from inside, the log, exit
 * codes, stdin, the terminal, and what is left afterwards (nothing).
 */
#include "tests/runtime/launch_fixture.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>

static void test_output(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	assert_int_equal(
		fixture_run(f, "echo out; sleep 0.02; echo err >&2; sleep 0.02; echo -n last"), 0);
	assert_log(f, LOG_STDOUT, "out\nlast");
	assert_log(f, LOG_STDERR, "err\n");
	/* Another run's output follows. */
	f->spec.run++;
	assert_int_equal(fixture_run(f, "echo -n again"), 0);
	assert_log(f, 0, "out\nerr\nlastagain");
}

static void test_exit_codes(void **state)
{
	struct fixture *f = *state;
	struct exit_record record;
	fixture_reset(f);
	assert_int_equal(fixture_run(f, "exit 0"), 0);
	assert_int_equal(fixture_run(f, "exit 3"), 3);
	fixture_start(f, "echo up; exec sleep 100");
	fixture_await_log(f, "up");
	must_work(f, shim_signal(f->shim, 0, SIGKILL, &f->err));
	assert_int_equal(fixture_finish(f), 137);
	must_work(f, exit_record_read(f->run_fd, &record, &f->err));
	assert_int_equal(record.signo, SIGKILL);
	/* Others that still run end with process 1, and are not waited for. */
	assert_int_equal(fixture_run(f, "sleep 100 & exit 5"), 5);
}

static void assert_start_fails(struct fixture *f, int code, bool program, const char *sentence)
{
	int r = fixture_start_argv(f);
	assert_error(r, &f->err, code, sentence);
	assert_int_equal(f->program_failed, program);
	error_clear(&f->err);
	assert_clean(f);
}

static void test_program_failures(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	f->argv[1] = NULL;
	f->argv[0] = "nope";
	assert_start_fails(f, ENOENT, true, "cannot execute 'nope': not found in PATH");
	f->argv[0] = "/bin/nope";
	assert_start_fails(f, ENOENT, true,
			   "cannot execute '/bin/nope': No such file or directory");
	f->argv[0] = "plain";
	assert_start_fails(f, EACCES, true, "cannot execute 'plain': Permission denied");
	f->argv[0] = "/etc";
	assert_start_fails(f, EACCES, true, "cannot execute '/etc': Permission denied");
	f->argv[0] = "lost";
	assert_start_fails(f, ENOENT, true,
			   "cannot execute '/bin/lost': its interpreter is missing");
	f->argv[0] = "noise";
	assert_start_fails(f, ENOEXEC, true, "cannot execute '/bin/noise': Exec format error");
}

static void test_set_up_failures(void **state)
{
	static const struct launch_mount bad = { "x", "/x", "nosuchfs", 0, NULL, -1, false };
	struct fixture *f = *state;
	fixture_reset(f);
	f->argv[0] = "true";
	f->argv[1] = NULL;
	f->spec.cwd = "/bin/plain";
	assert_start_fails(f, ENOTDIR, false,
			   "cannot enter the working directory '/bin/plain': Not a directory");
	fixture_reset(f);
	f->spec.mounts = &bad;
	f->spec.mount_count = 1;
	assert_start_fails(f, ENODEV, false, "cannot mount '/x': No such device");
}

static void test_inside(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	f->spec.domainname = "example";
	f->spec.cwd = "/made/for/me";
	assert_int_equal(fixture_run(f, "hostname; cat /proc/sys/kernel/domainname; pwd; "
					"stat -c '%a %u' /made; echo $$; ls /dev; "
					"ls -l /dev/null | head -c 10; echo; readlink /dev/stdout"),
			 0);
	assert_log(f, LOG_STDOUT,
		   "box\nexample\n/made/for/me\n755 0\n1\n"
		   "core\nfd\nnet\nnull\nptmx\npts\nshm\nstderr\nstdin\nstdout\ntty\nzero\n"
		   "crw-rw-rw-\n/proc/self/fd/1\n");
	fixture_reset(f);
	assert_int_equal(fixture_run(f, "ip link show lo | grep -c UP; ls /sys/class/net; "
					"ls /proc/self/fd | grep -v '^[0-2]$'; ls /proc/1/fd; "
					"cat /proc/self/fd/0; readlink /proc/self/fd/0"),
			 0);
	/* ls has its directory open as 3. */
	assert_log(f, LOG_STDOUT, "1\nlo\n3\n0\n1\n2\n/dev/null\n");
}

static void test_masks(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	f->spec.cap_bounding = f->spec.cap_effective = f->spec.cap_permitted =
		FIXTURE_CAPS | 1 << 21;
	assert_int_equal(
		fixture_run(
			f,
			"cat /proc/kcore | head -c 1; ls /proc/acpi /sys/firmware;"
			"echo x > /proc/sys/kernel/hostname || echo ro; echo y > /file && echo rw"),
		0);
	assert_log(f, LOG_STDOUT, "/proc/acpi:\n\n/sys/firmware:\nro\nrw\n");
	fixture_reset(f);
	f->spec.readonly_rootfs = true;
	f->spec.cwd = "/made";
	assert_int_equal(fixture_run(f, "echo y > /file2 || echo ro; echo z > /dev/shm/x && pwd"),
			 0);
	assert_log(f, LOG_STDOUT, "ro\n/made\n");
}

static void test_identity(void **state)
{
	static const gid_t groups[] = { 7, 70 };
	static const struct launch_rlimit limit = { RLIMIT_NOFILE, { 100, 200 } };
	struct fixture *f = *state;
	fixture_reset(f);
	assert_int_equal(fixture_run(f,
				     "id; grep -E 'Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|SigBlk|SigIgn' "
				     "/proc/self/status; umask"),
			 0);
	assert_log(f, LOG_STDOUT,
		   "uid=0 gid=0\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n"
		   "CapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
		   "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n0022\n");
	fixture_reset(f);
	f->spec.uid = 1000;
	f->spec.gid = 100;
	f->spec.groups = groups;
	f->spec.group_count = 2;
	f->spec.no_new_privs = true;
	f->spec.cap_inheritable = f->spec.cap_ambient = 1 << 10; /* CAP_NET_BIND_SERVICE */
	f->spec.rlimits = &limit;
	f->spec.rlimit_count = 1;
	f->spec.oom_score_adj = 500;
	assert_int_equal(fixture_run(f,
				     "id; grep -E 'Cap(Eff|Bnd|Amb)|NoNewPrivs' /proc/self/status;"
				     "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj;"
				     "echo again > /dev/stdout; echo e > /dev/stderr"),
			 0);
	assert_log(f, LOG_STDOUT,
		   "uid=1000 gid=100 groups=7,70\nCapEff:\t0000000000000400\n"
		   "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000400\nNoNewPrivs:\t1\n"
		   "100\n200\n500\nagain\n");
	assert_log(f, LOG_STDERR, "e\n");
}

/* The cgroup2 hierarchy of a pure or of a hybrid machine. */
static int make_cgroup(char path[80])
{
	for (int i = 0; i < 2; i++) {
		snprintf(path, 80, "/sys/fs/cgroup%s/test-launch-%d", i ? "" : "/unified",
			 getpid());
		if (mkdir(path, 0755) == 0)
			return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	fail_msg("no cgroup2 hierarchy in /sys/fs/cgroup");
	return -1;
}

/* Born in its v2 group, in a v1 group before the program runs, and with both
 * as the roots of what it sees; the shim is in neither. */
static void test_cgroups(void **state)
{
	struct fixture *f = *state;
	char path[80], old_path[80], shim_path[64];
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_fd int group = make_cgroup(path);
	snprintf(old_path, sizeof(old_path), "/sys/fs/cgroup/pids/test-launch-%d", getpid());
	bool has_old = mkdir(old_path, 0755) == 0; /* a hybrid machine */
	auto_fd int old = open(old_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int procs = openat(has_old ? old : group, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	assert_true(group >= 0 && procs >= 0);
	fixture_reset(f);
	f->spec.cgroup_fd = group;
	f->spec.cgroup_procs_fds = &procs;
	f->spec.cgroup_procs_count = 1;
	fixture_start(f, "grep -E '^0:|:pids:' /proc/self/cgroup | grep -vc ':/$'; exec sleep 100");
	fixture_await_log(f, "\n");
	assert_log(f, 0, "0\n");
	must_work(f, path_read_file(group, "cgroup.procs", 100, &text, &f->err));
	assert_int_equal(strtol(strbuf_get_str(&text), NULL, 10), f->result.pid);
	strbuf_reset(&text);
	snprintf(shim_path, sizeof(shim_path), "/proc/%d/cgroup", f->result.shim_pid);
	must_work(f, path_read_file(AT_FDCWD, shim_path, 4096, &text, &f->err));
	assert_null(strstr(strbuf_get_str(&text), "test-launch"));
	must_work(f, shim_signal(f->shim, 0, SIGKILL, &f->err));
	assert_int_equal(fixture_finish(f), 137);
	assert_return_code(rmdir(path), errno);
	if (has_old)
		assert_return_code(rmdir(old_path), errno);
}

static void test_seccomp(void **state)
{
	/* uname fails with EXDEV, the rest is allowed. */
	static const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_chmod, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXDEV),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct fixture *f = *state;
	for (int round = 0; round < 2; round++) {
		fixture_reset(f);
		f->spec.seccomp = filter;
		f->spec.seccomp_count = 4;
		f->spec.no_new_privs = round == 1;
		f->spec.uid = round == 1 ? 1000 : 0;
		assert_int_equal(fixture_run(f, "grep ^Seccomp: /proc/self/status;"
						"grep CapEff /proc/self/status;"
						"chmod 600 /tmp 2>&1"),
				 1);
		assert_log(f, 0,
			   round == 0 ? "Seccomp:\t2\nCapEff:\t00000000a80425fb\n"
					"chmod: /tmp: Invalid cross-device link\n"
				      : "Seccomp:\t2\nCapEff:\t0000000000000000\n"
					"chmod: /tmp: Invalid cross-device link\n");
	}
}

static void test_stdin(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	f->spec.open_stdin = true;
	fixture_start(f, "cat");
	assert_int_equal(shim_stdin(f->shim, 7, "hello\n", 6, &f->err), 6);
	assert_int_equal(shim_stdin(f->shim, 7, "hello\n", 6, &f->err), 6);
	assert_int_equal(shim_stdin(f->shim, 8, "world\n", 6, &f->err), 6);
	assert_int_equal(shim_stdin(f->shim, 0, "x\n", 2, &f->err), 2);
	assert_int_equal(shim_stdin(f->shim, 9, "", 0, &f->err), 0);
	fixture_await_log(f, "x\n");
	must_work(f, shim_close_stdin(f->shim, 10, &f->err));
	assert_int_equal(fixture_finish(f), 0);
	assert_log(f, 0, "hello\nworld\nx\n");
	/* Not open: an end of file at once, and EPIPE. */
	fixture_reset(f);
	fixture_start(f, "cat; sleep 100");
	assert_error((int)shim_stdin(f->shim, 0, "x", 1, &f->err), &f->err, EPIPE,
		     "cannot write to stdin: stdin is closed");
	error_clear(&f->err);
	must_work(f, shim_signal(f->shim, 0, SIGKILL, &f->err));
	assert_int_equal(fixture_finish(f), 137);
}

static void test_stdin_reader_gone(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	f->spec.open_stdin = true;
	fixture_start(f, "exec <&-; echo closed; exec sleep 100");
	fixture_await(f, SHIM_STDIN_GONE);
	assert_error((int)shim_stdin(f->shim, 1, "x", 1, &f->err), &f->err, EPIPE,
		     "cannot write to stdin: stdin is closed");
	error_clear(&f->err);
	must_work(f, shim_signal(f->shim, 0, SIGKILL, &f->err));
	assert_int_equal(fixture_finish(f), 137);
}

/* More than a pipe holds: taken in parts, each byte once, whoever repeats. */
static void test_stdin_pressure(void **state)
{
	struct fixture *f = *state;
	size_t len = 3 << 20;
	auto_free char *bytes = malloc(len);
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)(i % 251);
	fixture_reset(f);
	f->spec.open_stdin = true;
	fixture_start(f, "sleep 0.2; cat");
	ssize_t taken = shim_stdin(f->shim, 5, bytes, len, &f->err);
	assert_true(taken > 0 && (size_t)taken < len);
	/* Another engine takes over and knows nothing. */
	shim_free(f->shim);
	must_work(f, shim_connect(f->run_fd, &f->shim, &f->result, &f->err));
	while ((taken = shim_stdin(f->shim, 5, bytes, len, &f->err)) < (ssize_t)len) {
		assert_true(taken > 0);
		fixture_await(f, SHIM_STDIN_READY);
	}
	must_work(f, shim_close_stdin(f->shim, 6, &f->err));
	fixture_await(f, SHIM_EXITED);
	shim_free(f->shim);
	waitpid(f->result.shim_pid, NULL, 0);
	size_t got_len;
	auto_free char *got = fixture_read_log(f, 0, &got_len);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, bytes, len);
	assert_clean(f);
}

static void test_reconnect(void **state)
{
	struct fixture *f = *state;
	struct exit_record record;
	fixture_reset(f);
	fixture_start(f, "echo up; exec sleep 0.3");
	pid_t pid = f->result.pid;
	shim_free(f->shim);
	must_work(f, shim_connect(f->run_fd, &f->shim, &f->result, &f->err));
	assert_int_equal(f->result.pid, pid);
	shim_free(f->shim);
	/* Nobody is connected when it ends. */
	assert_int_equal(waitpid(f->result.shim_pid, NULL, 0), f->result.shim_pid);
	must_work(f, exit_record_read(f->run_fd, &record, &f->err));
	assert_int_equal(record.exit_code, 0);
	assert_int_equal(record.run, f->spec.run);
	assert_error(shim_connect(f->run_fd, &f->shim, &f->result, &f->err), &f->err, ESRCH,
		     "the container has no shim");
	error_clear(&f->err);
	assert_clean(f);
}

/* A killed shim takes its container along, and its traces stop nobody. */
static void test_killed_shim(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	fixture_start(f, "exec sleep 100");
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, f->result.pid, 0);
	assert_true(pidfd >= 0);
	/* What ends other processes does not end it. */
	kill(f->result.shim_pid, SIGTERM);
	kill(f->result.shim_pid, SIGHUP);
	must_work(f, shim_resize(f->shim, 0, 1, 1, NULL) == -ENOTTY ? 0 : -1);
	kill(f->result.shim_pid, SIGKILL);
	struct pollfd polled = { .fd = pidfd, .events = POLLIN };
	assert_int_equal(poll(&polled, 1, FIXTURE_WAIT_MS), 1);
	fixture_await(f, SHIM_CLOSED);
	shim_free(f->shim);
	assert_error(shim_connect(f->run_fd, &f->shim, &f->result, &f->err), &f->err, ESRCH,
		     "the container has no shim");
	error_clear(&f->err);
	assert_int_equal(fixture_run(f, "true"), 0);
}

static void test_terminal(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	f->spec.tty = true;
	f->spec.open_stdin = true;
	f->spec.tty_rows = 40;
	f->spec.tty_cols = 120;
	fixture_start(f, "tty; stty size; echo err >&2; echo hi > /dev/tty; echo c > /dev/console;"
			 "cat; stty size");
	fixture_await_log(f, "c\r\n");
	must_work(f, shim_resize(f->shim, 1, 50, 130, &f->err));
	assert_int_equal(shim_stdin(f->shim, 2, "in\n", 3, &f->err), 3);
	fixture_await_log(f, "in\r\nin\r\n");
	must_work(f, shim_close_stdin(f->shim, 3, &f->err));
	assert_int_equal(fixture_finish(f), 0);
	assert_log(f, LOG_STDOUT,
		   "/dev/pts/0\r\n40 120\r\nerr\r\nhi\r\nc\r\nin\r\nin\r\n50 130\r\n");
	fixture_reset(f);
	f->spec.tty = true;
	assert_int_equal(fixture_run(f, "seq 1 20000; echo end"), 0);
	size_t len;
	auto_free char *text = fixture_read_log(f, LOG_STDOUT, &len);
	assert_string_equal(text + len - strlen("20000\r\nend\r\n"), "20000\r\nend\r\n");
	assert_int_equal(len, 108894 + 20000 + 5);
}

/* 64 MiB from a fast producer, byte by byte. */
static void test_much_output(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	assert_int_equal(fixture_run(f, "yes 0123456789abcde | head -c 67108864; echo -n end >&2"),
			 0);
	size_t len;
	auto_free char *text = fixture_read_log(f, LOG_STDOUT, &len);
	assert_int_equal(len, 64 << 20);
	for (size_t i = 0; i < len; i += 16)
		if (memcmp(text + i, "0123456789abcde\n", 16) != 0)
			fail_msg("wrong bytes at %zu", i);
	assert_log(f, LOG_STDERR, "end");
}

/* What a killed shim can leave is mended by the next one. */
static void test_mended_log(void **state)
{
	struct fixture *f = *state;
	fixture_reset(f);
	assert_int_equal(fixture_run(f, "echo one"), 0);
	auto_fd int log = openat(f->log_fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	auto_fd int index = openat(f->log_fd, "log.index", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(path_write_all(log, "lost\n", 5), 0);
	assert_int_equal(path_write_all(index, "torn", 4), 0);
	assert_int_equal(fixture_run(f, "echo two"), 0);
	assert_log(f, LOG_STDOUT, "one\nlost\ntwo\n");
}

/* A disk that is full: the exit is announced, the output waits; a drop ends it. */
static void test_full_disk(void **state)
{
	struct fixture *f = *state;
	int log_fd = f->log_fd;
	char path[80];
	fixture_reset(f);
	snprintf(path, sizeof(path), "%s/log", f->dir);
	assert_return_code(syscall(SYS_mount, "tmpfs", path, "tmpfs", 0UL, "size=64k"), errno);
	f->mount_count++;
	for (int round = 0; round < 2; round++) {
		auto_fd int small = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		f->log_fd = f->spec.log_dir_fd = small;
		unlinkat(small, "log", 0);
		unlinkat(small, "log.index", 0);
		f->spec.run++;
		fixture_start(f, "yes 0123456789abcde | head -c 200000");
		fixture_await(f, SHIM_EXITED);
		/* The next run must wait for it. */
		f->argv[0] = "true";
		struct shim *shim = f->shim;
		assert_error(fixture_start_argv(f), &f->err, EBUSY,
			     "the log of the run before is not written yet");
		error_clear(&f->err);
		f->shim = shim;
		if (round == 0)
			must_work(f, shim_drop(f->shim, &f->err));
		else
			assert_return_code(
				syscall(SYS_mount, "tmpfs", path, "tmpfs", 32UL, "size=1m"), errno);
		fixture_await(f, SHIM_CLOSED);
		shim_free(f->shim);
		size_t len = 200000;
		if (round == 1)
			free(fixture_read_log(f, 0, &len));
		assert_int_equal(len, 200000);
		assert_clean(f);
	}
	f->log_fd = log_fd;
	assert_return_code(syscall(SYS_umount2, path, 2), errno);
	f->mount_count--;
}

static uint64_t read_private_kib(pid_t pid)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	return strtoul(strstr(text, "Private_Dirty:") + 14, NULL, 10);
}

/* An idle shim costs tens of KiB and no time; it gives back what it took after a second. */
static void test_idle_cost(void **state)
{
	struct fixture *f = *state;
	uint64_t private_kib = UINT64_MAX;
	fixture_reset(f);
	fixture_start(f, "yes | head -c 3000000; echo up >&2; exec sleep 100");
	fixture_await_log(f, "up");
	for (int i = 0; i < FIXTURE_WAIT_MS / 5 && private_kib > 100; i++) {
		usleep(5000);
		private_kib = read_private_kib(f->result.shim_pid);
	}
	assert_in_range(private_kib, 4, 100);
	must_work(f, shim_signal(f->shim, 0, SIGKILL, &f->err));
	assert_int_equal(fixture_finish(f), 137);
}

/* test_launch [PATTERN]: without the tests of these names, where they take too long. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_program_failures),
		cmocka_unit_test(test_set_up_failures),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_masks),
		cmocka_unit_test(test_identity),
		cmocka_unit_test(test_seccomp),
		cmocka_unit_test(test_cgroups),
		cmocka_unit_test(test_stdin),
		cmocka_unit_test(test_stdin_reader_gone),
		cmocka_unit_test(test_stdin_pressure),
		cmocka_unit_test(test_reconnect),
		cmocka_unit_test(test_killed_shim),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_much_output),
		cmocka_unit_test(test_mended_log),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_idle_cost),
	};
	if (argc > 1)
		cmocka_set_skip_filter(argv[1]);
	return cmocka_run_group_tests(tests, fixture_set_up, fixture_tear_down);
}
