/* Capability lists, and the filter as a process under it meets it. ctest-labels: threads */
#include "runtime/security/seccomp_profile.h"
#include "runtime/security/security.h"
#include "tests/test.h"

#include "base/clock.h"
#include "base/path.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BIT(cap) (UINT64_C(1) << (cap))

static uint64_t parse(const char *add, const char *drop)
{
	struct error err = ERROR_INIT;
	uint64_t caps = security_default_caps();

	assert_ok(security_parse_caps(&add, add != NULL, &drop, drop != NULL, &caps, &err), &err);
	return caps;
}

static void test_caps(void **state)
{
	uint64_t all = security_all_caps(), def = security_default_caps();

	(void)state;
	assert_int_equal(__builtin_popcountll(def), 14);
	assert_int_equal(def, 0xa80425fb); /* CapBnd of a container of Docker's */
	assert_int_equal(def & ~all, 0);
	assert_int_equal(parse(NULL, NULL), def);
	assert_int_equal(parse("NET_ADMIN", NULL), def | BIT(CAP_NET_ADMIN));
	assert_int_equal(parse("cap_Net_Admin", NULL), def | BIT(CAP_NET_ADMIN));
	assert_int_equal(parse("ALL", NULL), all);
	assert_int_equal(parse("all", "CAP_MKNOD"), all & ~BIT(CAP_MKNOD));
	assert_int_equal(parse(NULL, "ALL"), 0);
	assert_int_equal(parse("CHOWN", "all"), BIT(CAP_CHOWN));
	assert_int_equal(parse(NULL, "chown"), def & ~BIT(CAP_CHOWN));
	assert_int_equal(parse("CHOWN", "CHOWN"), def);
}

static void test_caps_unknown(void **state)
{
	static const char *const bad[] = { "",
					   "CAP_",
					   "NOPE",
					   "CAP_CAP_CHOWN",
					   "12",
					   "ALLES",
					   "net admin",
					   "chown,kill",
					   "a_name_much_longer_than_any_that_there_is_now" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error err = ERROR_INIT;
		uint64_t caps = 5;
		char want[128];

		snprintf(want, sizeof(want), "unknown capability '%s'", bad[i]);
		assert_error(security_parse_caps(&bad[i], 1, NULL, 0, &caps, &err), &err, EINVAL,
			     want);
		error_clear(&err);
		assert_error(security_parse_caps(NULL, 0, &bad[i], 1, &caps, &err), &err, EINVAL,
			     want);
		assert_int_equal(caps, 5);
	}
}

/* Every capability can be asked for by name, and is given or refused with a sentence. */
static void test_caps_lacking(void **state)
{
	const char *name = "SYS_RESOURCE";
	struct error err = ERROR_INIT;
	uint64_t caps = 0;
	int ret = security_parse_caps(&name, 1, NULL, 0, &caps, &err);

	(void)state;
	if (security_all_caps() & BIT(CAP_SYS_RESOURCE)) {
		assert_ok(ret, &err);
		assert_int_equal(caps, BIT(CAP_SYS_RESOURCE));
		return;
	}
	assert_error(ret, &err, ENOTSUP,
		     "capability 'cap_sys_resource' cannot be given; containerfs lacks it");
}

static void test_lists(void **state)
{
	(void)state;
	assert_int_equal(security_masked_count, 12);
	assert_int_equal(security_readonly_count, 5);
	assert_int_equal(security_device_count, 6);
	for (size_t i = 0; i < security_device_count; i++) {
		struct stat st;
		char path[64];

		snprintf(path, sizeof(path), "/dev/%s", security_devices[i].path);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_rdev >> 8, security_devices[i].major);
		assert_int_equal(st.st_rdev & 0xff, security_devices[i].minor);
	}
	assert_string_equal(security_mounts[0].target, "/proc");
	assert_int_equal(security_mount_count, 7);
}

/* Runs probe() under the filter for these capabilities, as root: what it returns. */
static int under_filter(uint64_t caps, int (*probe)(void))
{
	const struct sock_filter *filter = NULL;
	struct error err = ERROR_INIT;
	struct sock_fprog program;
	size_t count = 0;
	int status;
	pid_t pid;

	assert_ok(security_get_seccomp(caps, -1, &filter, &count, &err), &err);
	program = (struct sock_fprog){ (unsigned short)count, (struct sock_filter *)filter };
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
			_exit(99);
		_exit(probe());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* Does this call fail with this errno? Otherwise the probe ends with the line. */
#define EXPECT(call, want)                                                                         \
	do {                                                                                       \
		errno = 0;                                                                         \
		if ((call) >= 0 || errno != (want))                                                \
			return __LINE__ & 0x7f ? (__LINE__ & 0x7f) : 1;                            \
	} while (0)
#define EXPECT_OK(call)                                                                            \
	do {                                                                                       \
		if ((call) < 0)                                                                    \
			return __LINE__ & 0x7f ? (__LINE__ & 0x7f) : 1;                            \
	} while (0)

static int probe_refused(void)
{
	EXPECT(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
	EXPECT(mount("x", "/", "tmpfs", 0, NULL), EPERM);
	EXPECT(umount2("/", MNT_DETACH), EPERM);
	EXPECT(unshare(CLONE_NEWUSER), EPERM);
	EXPECT(setns(0, 0), EPERM);
	EXPECT(syscall(SYS_bpf, 0, NULL, 0), EPERM);
	EXPECT(syscall(SYS_io_uring_setup, 1, NULL), EPERM);
	EXPECT(syscall(SYS_open_by_handle_at, -1, NULL, 0), EPERM);
	EXPECT(syscall(SYS_reboot, 0, 0, 0, NULL), EPERM);
	EXPECT(syscall(SYS_kexec_load, 0, 0, NULL, 0), EPERM);
	EXPECT(syscall(SYS_userfaultfd, 0), EPERM);
	EXPECT(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
	EXPECT(syscall(SYS_clone3, NULL, 0), ENOSYS);
	EXPECT(personality(ADDR_NO_RANDOMIZE), EPERM);
	EXPECT(socket(AF_VSOCK, SOCK_STREAM, 0), EPERM);
	EXPECT(socket(AF_ALG, SOCK_SEQPACKET, 0), EPERM);
	EXPECT(syscall(460, 0, 0, 0, 0), EPERM);  /* lsm_set_self_attr */
	EXPECT(syscall(467, 0, 0, 0, 0), ENOSYS); /* newer than the policy */
	EXPECT(syscall(5000, 0, 0, 0, 0), ENOSYS);
	return 0;
}

static int probe_allowed(void)
{
	int fds[2];
	pid_t pid;

	EXPECT_OK(pipe2(fds, O_CLOEXEC));
	EXPECT_OK(open("/", O_RDONLY | O_CLOEXEC));
	EXPECT_OK(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	EXPECT_OK(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	EXPECT_OK(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
	EXPECT_OK(personality(0xffffffff));
	EXPECT_OK(personality(PER_LINUX));
	EXPECT_OK(chroot("/")); /* CAP_SYS_CHROOT is a default one */
	EXPECT_OK(syscall(SYS_getrandom, fds, sizeof(fds), 0));
	EXPECT(syscall(SYS_openat2, -1, NULL, NULL, 0), EINVAL);
	/* The kernel's answer, whatever it is, and not the filter's. */
	EXPECT(syscall(462, 1, 1, 1),
	       syscall(462, 1, 1, 1) < 0 && errno == ENOSYS ? ENOSYS : EINVAL);
	pid = fork();
	EXPECT_OK(pid);
	if (pid == 0)
		_exit(0);
	EXPECT_OK(waitpid(pid, NULL, 0));
	return 0;
}

static int probe_admin(void)
{
	EXPECT(mount("x", "/nonexistent/x", "tmpfs", 0, NULL), ENOENT);
	EXPECT(syscall(SYS_clone3, NULL, 0), EINVAL);
	EXPECT(syscall(SYS_bpf, -1, NULL, 0), EINVAL);
	EXPECT(syscall(SYS_reboot, 0, 0, 0, NULL), EPERM); /* needs CAP_SYS_BOOT */
	EXPECT(syscall(SYS_keyctl, 0, 0, 0, 0, 0), EPERM);
	return 0;
}

static int probe_no_chroot(void)
{
	EXPECT(chroot("/"), EPERM);
	return 0;
}

static void test_filter(void **state)
{
	uint64_t def = security_default_caps();

	(void)state;
	assert_int_equal(under_filter(def, probe_refused), 0);
	assert_int_equal(under_filter(def, probe_allowed), 0);
	assert_int_equal(under_filter(def | BIT(CAP_SYS_ADMIN), probe_allowed), 0);
	assert_int_equal(under_filter(def | BIT(CAP_SYS_ADMIN), probe_admin), 0);
	assert_int_equal(under_filter(0, probe_no_chroot), 0);
}

static void *get_in_thread(void *arg)
{
	const struct sock_filter *filter = NULL;
	size_t count = 0;

	(void)arg;
	if (security_get_seccomp(BIT(CAP_SYS_TIME), -1, &filter, &count, NULL) < 0)
		return NULL;
	return (void *)(uintptr_t)filter;
}

static void test_cache(void **state)
{
	const struct sock_filter *first = NULL, *second = NULL;
	struct error err = ERROR_INIT;
	pthread_t threads[4];
	void *results[4];
	size_t count = 0;
	int64_t begin;

	(void)state;
	assert_ok(security_get_seccomp(security_default_caps(), -1, &first, &count, &err), &err);
	begin = clock_monotonic_ns();
	for (int i = 0; i < 100; i++)
		/* CAP_NET_RAW makes no difference to the policy. */
		assert_ok(security_get_seccomp(security_default_caps() ^ BIT(CAP_NET_RAW), -1,
					       &second, &count, &err),
			  &err);
	assert_true(clock_monotonic_ns() - begin < 100 * 1000000);
	assert_ptr_equal(first, second);
	assert_in_range(count, 100, 4096);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, get_in_thread, NULL), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], &results[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_non_null(results[i]);
		assert_ptr_equal(results[i], results[0]);
	}
}

/* In a process of its own, which has nothing cached: the program's digest. */
static unsigned digest_in_child(int dir_fd)
{
	int fds[2], status;
	unsigned sum = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		const struct sock_filter *filter = NULL;
		size_t count = 0;

		if (security_get_seccomp(BIT(CAP_SYS_PACCT), dir_fd, &filter, &count, NULL) < 0)
			_exit(1);
		for (size_t i = 0; i < count; i++)
			sum = sum * 31 + filter[i].code + filter[i].k;
		_exit(write(fds[1], &sum, sizeof(sum)) != sizeof(sum));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(read(fds[0], &sum, sizeof(sum)), sizeof(sum));
	close(fds[0]);
	close(fds[1]);
	return sum;
}

static void test_disk_cache(void **state)
{
	struct path_list list = { NULL, 0 };
	struct error err = ERROR_INIT;
	struct stat before, after;
	char path[64];
	int dir_fd = test_make_dir(path), fd;
	unsigned sum;

	(void)state;
	sum = digest_in_child(dir_fd);
	assert_ok(path_list_dir(dir_fd, &list, &err), &err);
	assert_int_equal(list.count, 1);
	assert_int_equal(fstatat(dir_fd, list.names[0], &before, 0), 0);
	assert_int_equal(before.st_mode & 0777, 0600);
	assert_int_equal(digest_in_child(dir_fd), sum);
	assert_int_equal(fstatat(dir_fd, list.names[0], &after, 0), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	/* One flipped byte, then half a file: compiled again. */
	fd = openat(dir_fd, list.names[0], O_RDWR | O_CLOEXEC);
	assert_int_equal(pwrite(fd, "\xff", 1, 100), 1);
	assert_int_equal(digest_in_child(dir_fd), sum);
	close(fd);
	fd = openat(dir_fd, list.names[0], O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 333), 0);
	close(fd);
	assert_int_equal(digest_in_child(dir_fd), sum);
	path_list_deinit(&list);
	test_remove_dir(dir_fd, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_caps),         cmocka_unit_test(test_caps_unknown),
		cmocka_unit_test(test_caps_lacking), cmocka_unit_test(test_lists),
		cmocka_unit_test(test_filter),       cmocka_unit_test(test_cache),
		cmocka_unit_test(test_disk_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
