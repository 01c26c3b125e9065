/* Real containers for the tests of the launcher: a scratch directory on a tmpfs
 * in a mount namespace of the test's own, with a root file system made of the
 * machine's static busybox, and the spec of an ordinary container. Functions in
 * a header: it is included by one test program.
 */
#ifndef TESTS_RUNTIME_LAUNCH_FIXTURE_H
#define TESTS_RUNTIME_LAUNCH_FIXTURE_H

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/path.h"
#include "runtime/launch.h"
#include "runtime/log/logformat.h"
#include "tests/test.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define FIXTURE_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define FIXTURE_CAPS UINT64_C(0xa80425fb) /* Docker's default set */
#define FIXTURE_WAIT_MS 10000

struct fixture {
	char dir[64];
	int dir_fd, log_fd, run_fd;
	struct launcher *launcher;
	size_t mount_count;      /* lines of mountinfo at the start */
	struct launch_spec spec; /* of the next start */
	const char *argv[8];
	const char *envp[8];
	struct launch_result result;
	struct shim *shim;
	bool program_failed;
	struct error err;
};

/* The call first, then what it left in f->err. */
#define must_work(f, call)                                                                         \
	do {                                                                                       \
		int result_ = (call);                                                              \
		assert_ok(result_, &(f)->err);                                                     \
	} while (0)

static const struct launch_mount fixture_mounts[] = {
	{ "proc", "/proc", "proc", 14, NULL, -1, false },
	{ "tmpfs", "/dev", "tmpfs", 2, "mode=755,size=65536k", -1, false },
	{ "devpts", "/dev/pts", "devpts", 10, "newinstance,ptmxmode=0666,mode=0620,gid=5", -1,
	  false },
	{ "shm", "/dev/shm", "tmpfs", 14, "mode=1777", -1, false },
	{ "sysfs", "/sys", "sysfs", 15, NULL, -1, false },
};
static const struct launch_device fixture_devices[] = {
	{ "null", S_IFCHR | 0666, 1, 3, 0, 0 },
	{ "zero", S_IFCHR | 0666, 1, 5, 0, 0 },
	{ "tty", S_IFCHR | 0666, 5, 0, 0, 5 },
	{ "net/tun", S_IFCHR | 0600, 10, 200, 0, 0 },
};
static const char *const fixture_masked[] = { "/proc/kcore", "/proc/acpi", "/proc/scsi",
					      "/proc/no/such", "/sys/firmware" };
static const char *const fixture_readonly[] = { "/proc/sys", "/proc/irq", "/proc/no-such" };

static size_t count_mounts(void)
{
	size_t count = 0;
	int c;
	auto_file FILE *file = fopen("/proc/self/mountinfo", "re");
	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		count += c == '\n';
	return count;
}

static void make_rootfs(int dir_fd)
{
	static const char *const dirs[] = { "rootfs",      "rootfs/bin", "rootfs/etc", "rootfs/tmp",
					    "rootfs/proc", "log",        "run" };
	static const char *const names[] = { "sh",   "echo",  "cat", "true", "ls",    "id",
					     "yes",  "sleep", "tty", "stty", "mount", "hostname",
					     "head", "dd",    "ip",  "seq",  "stat",  "grep",
					     "test", "pwd",   "env", "kill", "chmod", "readlink" };
	auto_fd int source = open("/bin/busybox", O_RDONLY | O_CLOEXEC);
	char path[64];
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		assert_return_code(mkdirat(dir_fd, dirs[i], 0755), errno);
	assert_return_code(fchmodat(dir_fd, "rootfs/tmp", 01777, 0), errno);
	auto_fd int copy =
		openat(dir_fd, "rootfs/bin/busybox", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_true(source >= 0 && copy >= 0);
	while (sendfile(copy, source, NULL, 1 << 20) > 0)
		;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "rootfs/bin/%s", names[i]);
		assert_return_code(symlinkat("busybox", dir_fd, path), errno);
	}
	auto_fd int plain =
		openat(dir_fd, "rootfs/bin/plain", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(plain >= 0);
	auto_fd int script =
		openat(dir_fd, "rootfs/bin/lost", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(path_write_all(script, "#!/no/such/sh\n", 14), 0);
	auto_fd int noise =
		openat(dir_fd, "rootfs/bin/noise", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	assert_int_equal(path_write_all(noise, "\1\2\3", 3), 0);
}

/* A new container: its own logs, defaults in spec. */
static void fixture_reset(struct fixture *f)
{
	uint64_t run = f->spec.run + 1;
	unlinkat(f->log_fd, "log", 0);
	unlinkat(f->log_fd, "log.index", 0);
	error_clear(&f->err);
	f->envp[0] = FIXTURE_PATH;
	f->envp[1] = NULL;
	f->spec = (struct launch_spec){
		.id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
		.run = run,
		.rootfs_fd = -1,
		.log_dir_fd = f->log_fd,
		.run_dir_fd = f->run_fd,
		.cgroup_fd = -1,
		.mounts = fixture_mounts,
		.mount_count = sizeof(fixture_mounts) / sizeof(fixture_mounts[0]),
		.devices = fixture_devices,
		.device_count = sizeof(fixture_devices) / sizeof(fixture_devices[0]),
		.masked_paths = fixture_masked,
		.masked_count = sizeof(fixture_masked) / sizeof(fixture_masked[0]),
		.readonly_paths = fixture_readonly,
		.readonly_count = sizeof(fixture_readonly) / sizeof(fixture_readonly[0]),
		.argv = f->argv,
		.envp = f->envp,
		.cwd = "/",
		.hostname = "box",
		.cap_bounding = FIXTURE_CAPS,
		.cap_effective = FIXTURE_CAPS,
		.cap_permitted = FIXTURE_CAPS,
		.new_netns = true,
	};
}

static int fixture_set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/test-launch-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_return_code(unshare(CLONE_NEWNS), errno);
	assert_return_code(syscall(SYS_mount, NULL, "/", NULL, 16384UL | 1UL << 18, NULL), errno);
	assert_return_code(syscall(SYS_mount, "tmpfs", f->dir, "tmpfs", 0UL, NULL), errno);
	f->dir_fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_rootfs(f->dir_fd);
	f->log_fd = openat(f->dir_fd, "log", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->run_fd = openat(f->dir_fd, "run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must_work(f, launcher_new(&f->launcher, &f->err));
	f->mount_count = count_mounts();
	fixture_reset(f);
	*state = f;
	return 0;
}

static int fixture_tear_down(void **state)
{
	struct fixture *f = *state;
	launcher_free(f->launcher);
	close(f->run_fd);
	close(f->log_fd);
	close(f->dir_fd);
	syscall(SYS_umount2, f->dir, 2);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* launch_start() with argv as set. */
static int fixture_start_argv(struct fixture *f)
{
	char path[80];
	snprintf(path, sizeof(path), "%s/rootfs", f->dir);
	auto_fd int root =
		(int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	assert_true(root >= 0);
	f->spec.rootfs_fd = root;
	return launch_start(f->launcher, &f->spec, &f->result, &f->program_failed, &f->shim,
			    &f->err);
}

/* Start sh -c script, which must succeed. */
static void fixture_start(struct fixture *f, const char *script)
{
	f->argv[0] = "sh";
	f->argv[1] = "-c";
	f->argv[2] = script;
	f->argv[3] = NULL;
	must_work(f, fixture_start_argv(f));
	assert_true(f->result.pid > 0 && f->result.shim_pid > 0);
}

/* The next event of that type; others are passed over. */
static struct shim_event fixture_await(struct fixture *f, enum shim_event_type type)
{
	int64_t until_ns = clock_monotonic_ns() + FIXTURE_WAIT_MS * INT64_C(1000000);
	while (clock_monotonic_ns() < until_ns) {
		struct shim_event event = shim_read_event(f->shim);
		if (event.type == type)
			return event;
		assert_int_not_equal(event.type, SHIM_CLOSED);
		struct pollfd polled = { .fd = shim_get_fd(f->shim), .events = POLLIN };
		if (event.type == SHIM_NONE)
			poll(&polled, 1, FIXTURE_WAIT_MS);
	}
	fail_msg("no event of type %d within %d ms", (int)type, FIXTURE_WAIT_MS);
	return (struct shim_event){ 0 };
}

/* Nothing is left: no socket and pid file, process, mount. (Shims in stock are children that
 * have not ended.) */
static void assert_clean(struct fixture *f)
{
	siginfo_t ended = { 0 };
	assert_int_equal(faccessat(f->run_fd, "shim.sock", F_OK, 0), -1);
	assert_int_equal(faccessat(f->run_fd, "shim.pid", F_OK, 0), -1);
	waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT);
	assert_int_equal(ended.si_pid, 0);
	if (f->result.shim_pid > 0)
		assert_int_equal(kill(f->result.shim_pid, 0), -1);
	/* Fewer: another's mount went with its directory, for all namespaces. */
	assert_true(count_mounts() <= f->mount_count);
}

/* Wait for the exit and the end of the shim. Returns the exit code. */
static int fixture_finish(struct fixture *f)
{
	struct exit_record record;
	struct shim_event event = fixture_await(f, SHIM_EXITED);
	must_work(f, exit_record_read(f->run_fd, &record, &f->err));
	assert_int_equal(record.exit_code, event.exit_code);
	assert_int_equal(record.finished_ns, event.finished_ns);
	assert_int_equal(record.run, f->spec.run);
	assert_true(record.started_ns <= record.finished_ns && record.started_ns > 0);
	fixture_await(f, SHIM_CLOSED);
	shim_free(f->shim);
	f->shim = NULL;
	assert_clean(f);
	return event.exit_code;
}

__attribute__((unused)) static int fixture_run(struct fixture *f, const char *script)
{
	fixture_start(f, script);
	return fixture_finish(f);
}

/* The bytes of one stream (0: of both), NUL-terminated, the caller's. The
 * records are checked against them and their sums. */
static char *fixture_read_log(struct fixture *f, unsigned stream, size_t *ret_len)
{
	AUTO(strbuf_deinit) struct strbuf log = STRBUF_INIT, index = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct log_record record, last = { 0 };
	must_work(f, path_read_file(f->log_fd, "log", 1 << 28, &log, &f->err));
	must_work(f, path_read_file(f->log_fd, "log.index", 1 << 28, &index, &f->err));
	assert_int_equal(index.len % sizeof(record), 0);
	for (size_t at = 0; at < index.len; at += sizeof(record)) {
		memcpy(&record, index.data + at, sizeof(record));
		assert_int_equal(record.offset, last.offset + last.length);
		assert_true(record.length > 0 && record.offset + record.length <= log.len);
		assert_true(record.time_ns >= last.time_ns);
		bool is_out = record.stream == LOG_STDOUT;
		assert_true(is_out || record.stream == LOG_STDERR);
		const char *chunk = log.data + record.offset;
		assert_int_equal(record.stdout_bytes,
				 last.stdout_bytes + (is_out ? record.length : 0));
		assert_int_equal(record.stderr_bytes,
				 last.stderr_bytes + (is_out ? 0 : record.length));
		assert_int_equal(record.json_bytes - last.json_bytes,
				 logformat_json_size(chunk, record.length, record.stream));
		if (stream == 0 || stream == record.stream)
			strbuf_append(&out, chunk, record.length);
		last = record;
	}
	assert_int_equal(last.offset + last.length, log.len);
	if (ret_len)
		*ret_len = out.len;
	return strbuf_steal(&out);
}

static void assert_log(struct fixture *f, unsigned stream, const char *want)
{
	auto_free char *text = fixture_read_log(f, stream, NULL);
	assert_string_equal(text, want);
}

/* Wait until the log holds text. */
static void fixture_await_log(struct fixture *f, const char *text)
{
	for (int i = 0; i < FIXTURE_WAIT_MS / 5; i++) {
		AUTO(strbuf_deinit) struct strbuf log = STRBUF_INIT;
		path_read_file(f->log_fd, "log", 1 << 28, &log, NULL);
		if (strstr(strbuf_get_str(&log), text))
			return;
		usleep(5000);
	}
	fail_msg("'%s' is not in the log", text);
}

#endif
