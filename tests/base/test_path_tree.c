/* Removal of what a container may leave behind. */
#include "tests/test.h"

#include "base/path.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int dir_fd;
static char dir_path[64];

static int make_dir(void **state)
{
	(void)state;
	dir_fd = test_make_dir(dir_path);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	test_remove_dir(dir_fd, dir_path);
	return 0;
}

static void put(int at_fd, const char *name)
{
	int fd = openat(at_fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static bool exists(const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_remove(void **state)
{
	(void)state;
	assert_int_equal(mkdirat(dir_fd, "keep", 0700), 0);
	put(dir_fd, "keep/f");
	assert_int_equal(mkdirat(dir_fd, "t", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "t/a", 0700), 0);
	assert_int_equal(mkdirat(dir_fd, "t/a/b", 0), 0);
	assert_int_equal(symlinkat("../keep", dir_fd, "t/link"), 0);
	assert_int_equal(symlinkat("/", dir_fd, "t/a/root"), 0);
	assert_int_equal(mkfifoat(dir_fd, "t/fifo", 0600), 0);
	put(dir_fd, "t/\n\xff name");
	for (int i = 0; i < 1000; i++) {
		char name[20];

		snprintf(name, sizeof(name), "t/a/%d", i);
		put(dir_fd, name);
	}
	assert_int_equal(path_remove_tree(dir_fd, "t"), 0);
	assert_false(exists("t"));
	assert_true(exists("keep/f"));

	assert_int_equal(path_remove_tree(dir_fd, "t"), 0);
	assert_int_equal(symlinkat("keep", dir_fd, "link"), 0);
	assert_int_equal(path_remove_tree(dir_fd, "link"), 0);
	assert_false(exists("link"));
	assert_true(exists("keep/f"));
	put(dir_fd, "file");
	assert_int_equal(path_remove_tree(dir_fd, "file"), 0);
	assert_false(exists("file"));
	assert_int_equal(path_remove_tree(dir_fd, "keep/f/x"), -ENOTDIR);
}

/* Deeper than PATH_MAX and than there are descriptors, with a name on the way
 * that the removal itself would use. */
static void test_remove_deep(void **state)
{
	struct rlimit limit, few = { .rlim_cur = 100 };
	int at = dup(dir_fd);

	(void)state;
	getrlimit(RLIMIT_NOFILE, &limit);
	few.rlim_max = limit.rlim_max;
	for (int i = 0; i < 3000; i++) {
		const char *name = i == 1 ? ".deep-0" : "deep";
		int next;

		assert_int_equal(mkdirat(at, name, 0700), 0);
		next = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		if (i % 100 == 0)
			put(next, "file");
		close(at);
		at = next;
	}
	close(at);
	setrlimit(RLIMIT_NOFILE, &few);
	assert_int_equal(path_remove_tree(dir_fd, "deep"), 0);
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_false(exists("deep"));
}

/* In a mount namespace of its own: 0 when all is as it should be. */
static int try_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 10;
	/* The descriptor is of the other namespace, where nothing can be mounted. */
	dir_fd = open(dir_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fchdir(dir_fd) < 0 || mkdir("t", 0700) < 0 || mkdir("t/bind", 0700) < 0 ||
	    mkdir("t/tmp", 0700) < 0 || mkdir("src", 0700) < 0)
		return 11;
	put(dir_fd, "src/precious");
	put(dir_fd, "t/gone");
	/* A bind mount has the same device number as what it is on. */
	if (mount("src", "t/bind", NULL, MS_BIND, NULL) < 0 ||
	    mount("tmpfs", "t/tmp", "tmpfs", 0, NULL) < 0)
		return 12;
	put(dir_fd, "t/tmp/precious");
	if (path_remove_tree(dir_fd, "t") != -EBUSY)
		return 13;
	if (!exists("src/precious") || !exists("t/tmp/precious") || exists("t/gone"))
		return 14;
	umount("t/bind");
	umount("t/tmp");
	if (path_remove_tree(dir_fd, "t") != 0 || exists("t"))
		return 15;
	return 0;
}

static void test_remove_stops_at_mounts(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(try_mounts());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
#define TEST(func) cmocka_unit_test_setup_teardown(func, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(test_remove),
		TEST(test_remove_deep),
		TEST(test_remove_stops_at_mounts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
