/* The devices of this machine, and what is none. */
#include "base/cleanup.h"
#include "runtime/devices.h"
#include "runtime/security.h"
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
		cmocka_unit_test(test_machine),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
