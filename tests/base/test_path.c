/* Files through descriptors: what stays inside a root, what is replaced whole,
 * what a failure leaves behind. */
#include "tests/test.h"

#include "base/path.h"
#include "tests/alloc_sweep.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
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

static void put(const char *name, const char *text)
{
	auto_fd int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(path_write_all(fd, text, strlen(text)), 0);
}

static void check_content(const char *name, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(path_read_file(dir_fd, name, 1000, &text, &err), &err);
	assert_string_equal(strbuf_get_str(&text), want);
}

static unsigned count_entries(const char *name)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };
	struct error err = ERROR_INIT;
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_ok(path_list_dir(fd, &list, &err), &err);
	return (unsigned)list.count;
}

static bool exists(int fd, const char *name)
{
	struct stat st;

	return fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void test_open_in_root(void **state)
{
	static const char *const ways[] = {
		"in/f", "/in/f", "../../in/f", "abs", "up", "in/../abs"
	};
	char outside[80];
	auto_fd int magic = -1;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "root", 0755), 0);
	assert_int_equal(mkdirat(dir_fd, "root/in", 0755), 0);
	put("root/in/f", "inside");
	put("secret", "outside");
	assert_int_equal(symlinkat("/in/f", dir_fd, "root/abs"), 0);
	assert_int_equal(symlinkat("../../../../in/f", dir_fd, "root/up"), 0);
	snprintf(outside, sizeof(outside), "%s/secret", dir_path);
	assert_int_equal(symlinkat(outside, dir_fd, "root/out"), 0);
	assert_int_equal(symlinkat("../secret", dir_fd, "root/out2"), 0);

	auto_fd int root = openat(dir_fd, "root", O_PATH | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		auto_fd int fd = path_open_in_root(root, ways[i], O_RDONLY, 0);
		char text[7] = "";

		assert_true(fd >= 0);
		assert_int_equal(path_pread_full(fd, text, 6, 0), 6);
		assert_string_equal(text, "inside");
		assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	}
	assert_int_equal(path_open_in_root(root, "out", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in_root(root, "out2", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in_root(root, "../secret", O_RDONLY, 0), -ENOENT);
	assert_int_equal(path_open_in_root(root, "abs", O_RDONLY | O_NOFOLLOW, 0), -ELOOP);

	magic = open("/proc", O_PATH | O_CLOEXEC);
	assert_int_equal(path_open_in_root(magic, "self/exe", O_RDONLY, 0), -ELOOP);
}

static void test_open_in_root_mode(void **state)
{
	struct stat st;
	mode_t mask = umask(0);
	auto_fd int made = path_open_in_root(dir_fd, "/made", O_WRONLY | O_CREAT | O_EXCL, 0640);
	/* A mode that means nothing is not a failure. */
	auto_fd int again = path_open_in_root(dir_fd, "/made", O_RDONLY, 0640);

	(void)state;
	umask(mask);
	assert_true(made >= 0);
	assert_true(again >= 0);
	assert_int_equal(fstat(made, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void test_make_dirs_in_root(void **state)
{
	struct error err = ERROR_INIT;
	auto_fd int root = -1, one = -1, two = -1, three = -1, top = -1;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "root", 0755), 0);
	assert_int_equal(mkdirat(dir_fd, "outside", 0755), 0);
	root = openat(dir_fd, "root", O_PATH | O_CLOEXEC);
	assert_int_equal(symlinkat("/run", root, "varrun"), 0);
	assert_int_equal(symlinkat("../outside", root, "escape"), 0);
	assert_int_equal(symlinkat("loop", root, "loop"), 0);

	one = path_make_dirs_in_root(root, "/a//b/../c/", 0755, &err);
	assert_ok(one, &err);
	assert_true(exists(root, "a/b") && exists(root, "a/c"));
	/* A link that points nowhere yet: its target is made, inside. */
	two = path_make_dirs_in_root(root, "varrun/x", 0755, &err);
	assert_ok(two, &err);
	assert_true(exists(root, "run/x"));
	three = path_make_dirs_in_root(root, "../escape/y", 0755, &err);
	assert_ok(three, &err);
	assert_true(exists(root, "outside/y"));
	assert_false(exists(dir_fd, "outside/y"));
	top = path_make_dirs_in_root(root, "/", 0755, &err);
	assert_ok(top, &err);
	assert_true(exists(top, "a"));

	assert_error(path_make_dirs_in_root(root, "loop/z", 0755, &err), &err, ELOOP,
		     "cannot make directory 'loop/z': Too many levels of symbolic links");
	error_clear(&err);
	put("root/file", "");
	assert_error(path_make_dirs_in_root(root, "file/z", 0755, &err), &err, ENOTDIR,
		     "cannot make directory 'file/z': Not a directory");
}

static void test_make_dirs(void **state)
{
	struct error err = ERROR_INIT;
	char path[100], want[200];

	(void)state;
	snprintf(path, sizeof(path), "%s/x//y/z/", dir_path);
	assert_ok(path_make_dirs(path, 0700, &err), &err);
	assert_ok(path_make_dirs(path, 0700, &err), &err);
	assert_ok(path_make_dirs("/", 0700, &err), &err);
	assert_true(exists(dir_fd, "x/y/z"));

	put("file", "");
	snprintf(path, sizeof(path), "%s/file", dir_path);
	snprintf(want, sizeof(want), "cannot make directory '%s': Not a directory", path);
	assert_error(path_make_dirs(path, 0700, &err), &err, ENOTDIR, want);
	error_clear(&err);
	assert_error(path_make_dirs("", 0700, &err), &err, ENOENT,
		     "cannot make directory '': No such file or directory");
}

static void test_open_dir(void **state)
{
	struct error err = ERROR_INIT;
	auto_fd int made = path_open_dir(dir_fd, "sub", 0700, &err);
	auto_fd int found = path_open_dir(dir_fd, "sub", 0700, &err);
	auto_fd int linked = -1;
	char path[100];

	(void)state;
	assert_ok(made, &err);
	assert_ok(found, &err);
	assert_int_equal(symlinkat("sub", dir_fd, "link"), 0);
	assert_error(path_open_dir(dir_fd, "link", 0700, &err), &err, ENOTDIR,
		     "cannot open directory 'link': Not a directory");
	error_clear(&err);
	snprintf(path, sizeof(path), "%s/link", dir_path);
	linked = path_open_dir(AT_FDCWD, path, 0700, &err);
	assert_ok(linked, &err);
	assert_error(path_open_dir(dir_fd, "no/where", 0700, &err), &err, ENOENT,
		     "cannot make directory 'no/where': No such file or directory");
}

static void test_read_file(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	put("five", "12345");
	strbuf_append_str(&text, "before ");
	assert_ok(path_read_file(dir_fd, "five", 5, &text, &err), &err);
	assert_string_equal(strbuf_get_str(&text), "before 12345");

	assert_error(path_read_file(dir_fd, "five", 4, &text, &err), &err, EFBIG,
		     "cannot read 'five': larger than 4 bytes");
	error_clear(&err);
	assert_error(path_read_file(dir_fd, "none", 4, &text, &err), &err, ENOENT,
		     "cannot open 'none': No such file or directory");
	error_clear(&err);
	assert_error(path_read_file(dir_fd, ".", 4, &text, &err), &err, EISDIR,
		     "cannot read '.': Is a directory");
	error_clear(&err);
	assert_int_equal(mkfifoat(dir_fd, "fifo", 0600), 0);
	assert_error(path_read_file(dir_fd, "fifo", 4, &text, &err), &err, EINVAL,
		     "cannot read 'fifo': not a regular file");
	error_clear(&err);
	assert_int_equal(symlinkat("five", dir_fd, "link"), 0);
	assert_error(path_read_file(dir_fd, "link", 9, &text, &err), &err, ELOOP,
		     "cannot open 'link': Too many levels of symbolic links");
	assert_string_equal(strbuf_get_str(&text), "before 12345");
}

/* st_size says 0. */
static void test_read_proc(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(path_read_file(AT_FDCWD, "/proc/self/status", 100000, &text, &err), &err);
	assert_non_null(strstr(strbuf_get_str(&text), "\nPid:\t"));
}

static int attempt_read(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	return path_read_file(dir_fd, arg, 1000000, &text, NULL);
}

static void test_read_no_memory(void **state)
{
	auto_fd int fd = openat(dir_fd, "big", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(ftruncate(fd, 500000), 0);
	assert_true(alloc_sweep(attempt_read, (void *)(uintptr_t) "big") >= 2);
}

static void handle(int number)
{
	(void)number;
}

/* A pipe that is drained slowly while a timer interrupts the writer. */
static void test_write_all(void **state)
{
	struct sigaction action = { .sa_handler = handle }, old;
	struct itimerval often = { .it_interval = { 0, 500 }, .it_value = { 0, 500 } };
	struct itimerval never = { .it_value = { 0, 0 } };
	const size_t len = 1 << 20;
	auto_free char *bytes = malloc(len);
	int ends[2];
	pid_t child;
	int status;

	(void)state;
	assert_non_null(bytes);
	memset(bytes, 'x', len);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char part[4096];
		size_t got = 0;
		ssize_t n;

		close(ends[1]);
		while ((n = read(ends[0], part, sizeof(part))) > 0) {
			got += (size_t)n;
			usleep(100);
		}
		_exit(got == len ? 0 : 1);
	}
	close(ends[0]);
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &often, NULL);
	assert_int_equal(path_write_all(ends[1], bytes, len), 0);
	setitimer(ITIMER_REAL, &never, NULL);
	sigaction(SIGALRM, &old, NULL);
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(path_write_all(-1, "x", 1), -EBADF);
	assert_int_equal(path_write_all(-1, "x", 0), 0);
}

static void test_positioned(void **state)
{
	auto_fd int fd = openat(dir_fd, "f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char text[10] = "";

	(void)state;
	assert_int_equal(path_pwrite_all(fd, "world", 5, 6), 0);
	assert_int_equal(path_pwrite_all(fd, "hello ", 6, 0), 0);
	assert_int_equal(path_pread_full(fd, text, 9, 2), 9);
	assert_string_equal(text, "llo world");
	assert_int_equal(path_pread_full(fd, text, 9, 8), 3);
	assert_int_equal(path_pread_full(fd, text, 9, 100), 0);
	assert_int_equal(path_pread_full(-1, text, 9, 0), -EBADF);
	assert_int_equal(path_pwrite_all(-1, text, 9, 0), -EBADF);
}

static void test_replace_file(void **state)
{
	struct error err = ERROR_INIT;
	struct stat st;
	mode_t mask = umask(0777);

	(void)state;
	assert_ok(path_replace_file(dir_fd, "f", "one", 3, 0640, false, &err), &err);
	umask(mask);
	check_content("f", "one");
	assert_ok(path_replace_file(dir_fd, "f", "second", 6, 0600, true, &err), &err);
	check_content("f", "second");
	assert_int_equal(fstatat(dir_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_ok(path_replace_file(dir_fd, "f", NULL, 0, 0600, false, &err), &err);
	check_content("f", "");

	/* Below a descriptor, and through one that cannot be synced itself. */
	assert_int_equal(mkdirat(dir_fd, "sub", 0700), 0);
	auto_fd int path_only = openat(dir_fd, ".", O_PATH | O_CLOEXEC);
	assert_ok(path_replace_file(path_only, "sub/g", "deep", 4, 0600, true, &err), &err);
	check_content("sub/g", "deep");
	assert_int_equal(count_entries("."), 2);
	assert_int_equal(count_entries("sub"), 1);
}

static void test_replace_file_fails(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(mkdirat(dir_fd, "taken", 0700), 0);
	assert_error(path_replace_file(dir_fd, "taken", "x", 1, 0600, true, &err), &err, EISDIR,
		     "cannot write 'taken': Is a directory");
	error_clear(&err);
	assert_error(path_replace_file(dir_fd, "no/where", "x", 1, 0600, true, &err), &err, ENOENT,
		     "cannot write 'no/where': No such file or directory");
	assert_int_equal(count_entries("."), 1);
}

/* A file system without room: the old content stays, nothing is left. */
static void test_replace_file_full(void **state)
{
	const size_t len = 1 << 20;
	auto_free char *bytes = calloc(1, len);
	struct error err = ERROR_INIT;
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;

	(void)state;
	put("f", "old");
	/* EFBIG by RLIMIT_FSIZE needs no mount and no root. */
	sigaction(SIGXFSZ, &ignore, &old);
	struct rlimit limit, small = { .rlim_cur = 4096 };
	getrlimit(RLIMIT_FSIZE, &limit);
	small.rlim_max = limit.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	assert_error(path_replace_file(dir_fd, "f", bytes, len, 0600, false, &err), &err, EFBIG,
		     "cannot write 'f': File too large");
	setrlimit(RLIMIT_FSIZE, &limit);
	sigaction(SIGXFSZ, &old, NULL);
	check_content("f", "old");
	assert_int_equal(count_entries("."), 1);
}

static int attempt_replace(void *arg)
{
	return path_replace_file(dir_fd, arg, "new", 3, 0600, true, NULL);
}

static void test_replace_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt_replace, (void *)(uintptr_t) "f") >= 2);
	check_content("f", "new");
	assert_int_equal(count_entries("."), 1);
}

static void test_list_dir(void **state)
{
	static const char *const names[] = { "B", "a", "a.b", "a0", "\xc3\xa4" };
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };
	struct error err = ERROR_INIT;
	auto_fd int file = -1;

	(void)state;
	for (size_t i = 5; i > 0; i--)
		put(names[i - 1], "");
	/* Twice: the caller's position does not matter. */
	for (int round = 0; round < 2; round++) {
		path_list_deinit(&list);
		assert_ok(path_list_dir(dir_fd, &list, &err), &err);
		assert_int_equal(list.count, 5);
		for (size_t i = 0; i < 5; i++)
			assert_string_equal(list.names[i], names[i]);
	}
	file = openat(dir_fd, "a", O_RDONLY | O_CLOEXEC);
	assert_error(path_list_dir(file, &list, &err), &err, ENOTDIR,
		     "cannot list a directory: Not a directory");
	assert_int_equal(list.count, 5);
}

static int attempt_list(void *arg)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };

	(void)arg;
	return path_list_dir(dir_fd, &list, NULL);
}

static void test_list_no_memory(void **state)
{
	(void)state;
	for (int i = 0; i < 40; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		put(name, "");
	}
	assert_true(alloc_sweep(attempt_list, NULL) > 40);
}

int main(void)
{
#define TEST(func) cmocka_unit_test_setup_teardown(func, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(test_open_in_root),      TEST(test_open_in_root_mode),
		TEST(test_make_dirs_in_root), TEST(test_make_dirs),
		TEST(test_open_dir),          TEST(test_read_file),
		TEST(test_read_proc),         TEST(test_read_no_memory),
		TEST(test_write_all),         TEST(test_positioned),
		TEST(test_replace_file),      TEST(test_replace_file_fails),
		TEST(test_replace_file_full), TEST(test_replace_no_memory),
		TEST(test_list_dir),          TEST(test_list_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
