/* The devices of this machine, and what is none. */
#include "base/cleanup.h"
#include "runtime/security/devices.h"
#include "runtime/security/security.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int open_dev(void)
{
	int fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void test_machine(void **state)
{
	auto_fd int fd = open_dev();
	AUTO(devices_deinit) struct devices devices = { .list = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(devices_find(fd, &devices, &err), &err);
	assert_true(devices.count >= security_device_count);
	for (size_t i = 0; i < devices.count; i++) {
		const struct launch_device *device = &devices.list[i];
		struct stat st;

		if (i < security_device_count) {
			assert_string_equal(device->path, security_devices[i].path);
			continue;
		}
		assert_int_equal(fstatat(fd, device->path, &st, AT_SYMLINK_NOFOLLOW), 0);
		assert_int_equal(device->mode, st.st_mode);
		assert_int_equal(makedev(device->major, device->minor), st.st_rdev);
		assert_true(strncmp(device->path, "pts/", 4) != 0);
		assert_true(strcmp(device->path, "console") != 0);
	}
}

/* Files, pipes and links to devices are none, at any depth. */
static void test_none(void **state)
{
	char path[64];
	int fd = test_make_dir(path);
	AUTO(devices_deinit) struct devices devices = { .list = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mkdirat(fd, "a", 0700), 0);
	assert_int_equal(mkdirat(fd, "a/b", 0700), 0);
	assert_int_equal(mkfifoat(fd, "a/b/pipe", 0600), 0);
	assert_int_equal(symlinkat("/dev/null", fd, "a/link"), 0);
	assert_int_equal(symlinkat("/dev", fd, "dev"), 0);
	assert_int_equal(symlinkat(".", fd, "a/b/loop"), 0);
	assert_ok(devices_find(fd, &devices, &err), &err);
	assert_int_equal(devices.count, security_device_count);
	test_remove_dir(fd, path);
}

/* One of Devices; the path on the host is dir with name behind it. */
static json_t *make(const char *dir, const char *name, const char *inside, const char *access)
{
	return json_pack("{s:s+, s:s, s:s}", "PathOnHost", dir, name, "PathInContainer", inside,
			 "CgroupPermissions", access);
}

/* One with another name and less rights, and a rule without a device. */
static void test_asked(void **state)
{
	char path[64];
	int fd = test_make_dir(path);
	auto_json json_t *devices = json_pack("[o, o]", make(path, "/node", "/dev/a/b", "rm"),
					      make(path, "", "/dev/all", ""));
	auto_json json_t *rules = json_pack("[s]", "b 7:* w");
	AUTO(devices_deinit) struct devices found = { .list = NULL };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mkdirat(fd, "sub", 0700), 0);
	assert_int_equal(mknodat(fd, "sub/block", S_IFBLK | 0604, makedev(7, 9)), 0);
	assert_int_equal(mknodat(fd, "other", S_IFCHR | 0640, makedev(1, 3)), 0);
	assert_int_equal(fchownat(fd, "other", 5, 6, 0), 0);
	assert_int_equal(symlinkat("other", fd, "node"), 0);
	assert_ok(devices_take(devices, rules, &found, &err), &err);
	assert_int_equal(found.count, 3);
	assert_string_equal(found.list[0].path, "a/b");
	assert_int_equal(found.list[0].mode, S_IFCHR | 0640);
	assert_int_equal(found.list[0].uid, 5);
	assert_int_equal(found.list[0].gid, 6);
	assert_string_equal(found.list[1].path, "all/other");
	assert_string_equal(found.list[2].path, "all/sub/block");
	assert_int_equal(found.rule_count, 4);
	assert_int_equal(found.rules[0].access, DEVICE_READ | DEVICE_MKNOD);
	assert_int_equal(found.rules[2].type, 'b');
	assert_int_equal(found.rules[2].minor, 9);
	assert_int_equal(found.rules[2].access, 7);
	assert_int_equal(found.rules[3].minor, -1);
	test_remove_dir(fd, path);
}

static void check_refused(const char *host, int code, const char *want)
{
	auto_json json_t *devices = json_pack("[o]", make(host, "", "/dev/x", ""));
	AUTO(devices_deinit) struct devices found = { .list = NULL };
	struct error err = ERROR_INIT;

	assert_error(devices_take(devices, NULL, &found, &err), &err, code, want);
}

static void test_asked_for_nothing(void **state)
{
	AUTO(strbuf_deinit) struct strbuf want = STRBUF_INIT;
	char path[64];
	int fd = test_make_dir(path);

	(void)state;
	check_refused("/etc/passwd", EINVAL, "'/etc/passwd' is not a device");
	check_refused("/nope", ENOENT, "no device '/nope' on the host: No such file or directory");
	strbuf_appendf(&want, "no device is below '%s'", path);
	check_refused(path, EINVAL, want.data);
	test_remove_dir(fd, path);
}

static int find(void *arg)
{
	AUTO(devices_deinit) struct devices devices = { .list = NULL };
	struct error err = ERROR_INIT;

	return devices_find(*(int *)arg, &devices, &err);
}

static void test_no_memory(void **state)
{
	char path[64];
	int fd = test_make_dir(path);

	(void)state;
	assert_int_equal(mkdirat(fd, "a", 0700), 0);
	assert_true(alloc_sweep(find, &fd) > security_device_count);
	test_remove_dir(fd, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine),   cmocka_unit_test(test_none),
		cmocka_unit_test(test_asked),     cmocka_unit_test(test_asked_for_nothing),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
