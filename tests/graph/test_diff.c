/* diff_walk(): two trees on disk, and what it tells of them. As root: owners,
 * devices (whiteouts) and trusted attributes.
 */
#include "tests/test.h"

#include "base/path.h"
#include "base/strbuf.h"
#include "graph/diff.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct trees {
	char path[64];
	int top_fd, upper_fd, lower_fd;
};

static int set_up(void **state)
{
	struct trees *trees = calloc(1, sizeof(*trees));
	struct error err = ERROR_INIT;

	trees->top_fd = test_make_dir(trees->path);
	trees->upper_fd = path_open_dir(trees->top_fd, "upper", 0755, &err);
	trees->lower_fd = path_open_dir(trees->top_fd, "lower", 0755, &err);
	assert_true(trees->upper_fd >= 0 && trees->lower_fd >= 0);
	*state = trees;
	return 0;
}

static int tear_down(void **state)
{
	struct trees *trees = *state;

	close(trees->upper_fd);
	close(trees->lower_fd);
	close(trees->top_fd);
	path_remove_tree(AT_FDCWD, trees->path);
	free(trees);
	return 0;
}

static void set_time(int dir_fd, const char *name, long ns)
{
	const struct timespec times[2] = { { 1000000000, ns }, { 1000000000, ns } };

	assert_int_equal(utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void put_file(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(path_write_all(fd, text, strlen(text)), 0);
	close(fd);
	set_time(dir_fd, name, 0);
}

static void put_dir(int dir_fd, const char *name)
{
	assert_int_equal(mkdirat(dir_fd, name, 0755), 0);
}

static void put_whiteout(int dir_fd, const char *name)
{
	assert_int_equal(mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)), 0);
}

static void set_xattr(int dir_fd, const char *name, const char *key, const char *value)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(fsetxattr(fd, key, value, strlen(value), 0), 0);
	close(fd);
}

static int note(void *arg, const struct diff_change *change, struct error *err)
{
	(void)err;
	strbuf_appendf(arg, "%c %s\n", (char)change->kind, change->path);
	if (change->kind != DIFF_DELETED) {
		struct stat st;

		assert_int_equal(fstatat(change->dir_fd, change->name, &st, AT_SYMLINK_NOFOLLOW),
				 0);
		assert_int_equal(st.st_ino, change->st->st_ino);
	} else {
		assert_null(change->st);
	}
	return 0;
}

static void expect_made(const struct trees *trees, int lower_fd, const char *const *made,
			const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf said = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int r = diff_walk(trees->upper_fd, lower_fd, made, note, &said, &err);

	assert_ok(r, &err);
	assert_string_equal(strbuf_get_str(&said), expected);
}

static void expect(const struct trees *trees, const char *expected)
{
	expect_made(trees, trees->lower_fd, NULL, expected);
}

static void test_changes_dirs_empty(void **state)
{
	struct trees *trees = *state;

	put_dir(trees->lower_fd, "dir");
	put_file(trees->lower_fd, "dir/file", "x");
	expect(trees, "");
	/* Copied up and not changed. */
	put_dir(trees->upper_fd, "dir");
	put_file(trees->upper_fd, "dir/file", "x");
	set_time(trees->upper_fd, "dir", 5);
	expect(trees, "");
}

static void test_changes_dirs_mutated(void **state)
{
	struct trees *trees = *state;
	int lower = trees->lower_fd, upper = trees->upper_fd;

	for (int i = 1; i <= 3; i++) {
		char name[24];

		snprintf(name, sizeof(name), "dir%d", i);
		put_dir(lower, name);
		snprintf(name, sizeof(name), "dir%d/f", i);
		put_file(lower, name, "x");
	}
	put_file(lower, "file1", "one");
	put_file(lower, "file2", "two");
	put_file(lower, "file3", "three");
	assert_int_equal(symlinkat("file1", lower, "link"), 0);
	/* A directory removed, one with a new file, one turned into a file. */
	put_whiteout(upper, "dir1");
	put_dir(upper, "dir2");
	put_file(upper, "dir2/new", "");
	put_file(upper, "dir3", "");
	/* A file removed, one changed, one turned into a directory; a link turned round; a new one. */
	put_whiteout(upper, "file1");
	put_file(upper, "file2", "TWO");
	put_dir(upper, "file3");
	put_file(upper, "file3/in", "");
	assert_int_equal(symlinkat("file2", upper, "link"), 0);
	put_file(upper, "new", "");
	expect(trees, "D /dir1\n"
		      "C /dir2\nA /dir2/new\n"
		      "C /dir3\nD /dir3/f\n"
		      "D /file1\n"
		      "C /file2\n"
		      "C /file3\nA /file3/in\n"
		      "C /link\n"
		      "A /new\n");
}

static void test_replaced_directory(void **state)
{
	struct trees *trees = *state;
	int lower = trees->lower_fd, upper = trees->upper_fd;

	put_dir(lower, "d");
	put_file(lower, "d/kept", "same");
	put_file(lower, "d/old", "x");
	put_dir(lower, "d/sub");
	put_file(lower, "d/sub/old", "x");
	put_dir(lower, "d/gone");
	put_file(lower, "d/gone/inside", "x");
	put_dir(upper, "d");
	set_xattr(upper, "d", "trusted.overlay.opaque", "y");
	put_file(upper, "d/kept", "same");
	put_file(upper, "d/new", "x");
	/* Inside an opaque directory the mark is not needed any more. */
	put_dir(upper, "d/sub");
	expect(trees, "C /d\nA /d/new\nC /d/sub\nD /d/sub/old\nD /d/gone\nD /d/old\n");
}

static void test_metadata(void **state)
{
	struct trees *trees = *state;
	int lower = trees->lower_fd, upper = trees->upper_fd;

	for (int i = 0; i < 2; i++) {
		int fd = i == 0 ? lower : upper;

		put_dir(fd, "dir");
		put_file(fd, "mode", "x");
		put_file(fd, "owner", "x");
		put_file(fd, "same", "x");
		put_file(fd, "time", "x");
		put_file(fd, "fraction", "x");
		put_file(fd, "xattr", "x");
		put_file(fd, "bytes", i == 0 ? "abc" : "abd");
	}
	assert_int_equal(fchmodat(upper, "dir", 0700, 0), 0);
	assert_int_equal(fchmodat(upper, "mode", 0600, 0), 0);
	assert_int_equal(fchownat(upper, "owner", 1, 1, 0), 0);
	set_time(lower, "time", 7);
	set_time(upper, "time", 8);
	/* An archive had no fraction. */
	set_time(upper, "fraction", 9);
	set_xattr(upper, "xattr", "trusted.test", "1");
	/* Overlayfs's own are nobody's change. */
	set_xattr(upper, "same", "trusted.overlay.origin", "1");
	expect(trees, "C /bytes\nC /dir\nC /mode\nC /owner\nC /time\nC /xattr\n");
	set_xattr(lower, "xattr", "trusted.test", "1");
	expect(trees, "C /bytes\nC /dir\nC /mode\nC /owner\nC /time\n");
}

static void test_hard_links(void **state)
{
	struct trees *trees = *state;

	put_file(trees->lower_fd, "a", "x");
	put_file(trees->upper_fd, "a", "x");
	assert_int_equal(linkat(trees->upper_fd, "a", trees->upper_fd, "b", 0), 0);
	expect(trees, "A /b\n");
}

static void test_no_image(void **state)
{
	struct trees *trees = *state;

	put_dir(trees->upper_fd, "d");
	put_file(trees->upper_fd, "d/f", "x");
	put_whiteout(trees->upper_fd, "gone");
	expect_made(trees, -1, NULL, "A /d\nA /d/f\n");
}

static void test_mount_points(void **state)
{
	static const char *const made[] = { "/etc", "/etc/hosts", "/proc", NULL };
	struct trees *trees = *state;

	put_dir(trees->upper_fd, "etc");
	put_dir(trees->upper_fd, "proc");
	put_file(trees->upper_fd, "etc/hosts", "");
	expect_made(trees, trees->lower_fd, made, "");
	put_file(trees->upper_fd, "etc/hosts", "1");
	put_file(trees->upper_fd, "proc/x", "");
	expect_made(trees, trees->lower_fd, made, "A /etc\nA /etc/hosts\nA /proc\nA /proc/x\n");
}

static void test_hostile_names(void **state)
{
	struct trees *trees = *state;

	assert_int_equal(symlinkat("/etc", trees->upper_fd, "link"), 0);
	put_dir(trees->lower_fd, "link");
	put_file(trees->lower_fd, "link/passwd", "x");
	put_file(trees->upper_fd, "a\nb", "");
	put_file(trees->upper_fd, "\xff", "");
	assert_int_equal(mkfifoat(trees->upper_fd, "fifo", 0600), 0);
	put_file(trees->lower_fd, "fifo", "");
	expect(trees, "A /a\nb\nC /fifo\nC /link\nD /link/passwd\nA /\xff\n");
}

static void test_too_deep(void **state)
{
	struct trees *trees = *state;
	struct error err = ERROR_INIT;
	int fd = dup(trees->upper_fd);
	int r;

	for (int i = 0; i <= DIFF_DEPTH_MAX; i++) {
		int next;

		assert_int_equal(mkdirat(fd, "d", 0755), 0);
		next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	AUTO(strbuf_deinit) struct strbuf said = STRBUF_INIT;
	r = diff_walk(trees->upper_fd, trees->lower_fd, NULL, note, &said, &err);
	assert_int_equal(r, -ENAMETOOLONG);
	assert_non_null(strstr(err.msg, "lies deeper than 1024 directories"));
}

static int refuse(void *arg, const struct diff_change *change, struct error *err)
{
	(void)arg;
	return error_set(err, ENOSPC, "no room for %s", change->path);
}

static void test_refusal_ends_it(void **state)
{
	struct trees *trees = *state;
	struct error err = ERROR_INIT;
	int r;

	put_file(trees->upper_fd, "a", "");
	put_file(trees->upper_fd, "b", "");
	r = diff_walk(trees->upper_fd, trees->lower_fd, NULL, refuse, NULL, &err);
	assert_error(r, &err, ENOSPC, "no room for /a");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changes_dirs_empty), TEST(test_changes_dirs_mutated),
		TEST(test_replaced_directory), TEST(test_metadata),
		TEST(test_hard_links),         TEST(test_no_image),
		TEST(test_mount_points),       TEST(test_hostile_names),
		TEST(test_too_deep),           TEST(test_refusal_ends_it),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
