/* Paths and the mount table; the mounts themselves are test_holder's. */
#include "tests/test.h"

#include "base/cleanup.h"
#include "fs/mountpoint.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void test_lines(void **state)
{
	char line[] = "36 35 0:98 / /mnt/a\\040b\\134c rw,noatime master:1 shared:7 - "
		      "fuse.containerfs my\\040source rw,user_id=0\n";
	char plain[] = "21 1 254:0 / / rw - ext4 /dev/vda rw";
	char empty_source[] = "21 1 0:5 / /x rw -  fstype rw";
	struct mountinfo info;

	(void)state;
	assert_int_equal(mountinfo_parse(line, &info), 0);
	assert_int_equal(info.dev_major, 0);
	assert_int_equal(info.dev_minor, 98);
	assert_string_equal(info.mnt, "/mnt/a b\\c");
	assert_string_equal(info.fstype, "fuse.containerfs");
	assert_string_equal(info.source, "my source");
	assert_int_equal(mountinfo_parse(plain, &info), 0);
	assert_int_equal(info.dev_major, 254);
	assert_string_equal(info.mnt, "/");
	assert_string_equal(info.source, "/dev/vda");
	assert_int_equal(mountinfo_parse(empty_source, &info), 0);
}

static void test_bad_lines(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"36 35 0:98 /",
		"36 35 0:98 / /mnt rw",
		"36 35 0:98 / /mnt rw shared:1 ext4 /dev/vda rw",
		"36 35 0:98 / /mnt rw -",
		"36 35 0:98 / /mnt rw - ext4",
		"36 35 098 / /mnt rw - ext4 /dev/vda rw",
		"36 35 x:98 / /mnt rw - ext4 /dev/vda rw",
		"36 35 0: / /mnt rw - ext4 /dev/vda rw",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
		auto_free char *line = strdup(lines[i]);
		struct mountinfo info;

		assert_non_null(line);
		assert_int_equal(mountinfo_parse(line, &info), -EINVAL);
	}
}

static void test_escapes(void **state)
{
	static const char *const pairs[][2] = {
		{ "a\\011b", "a\tb" }, { "\\12", "\\12" },   { "\\", "\\" },
		{ "\\999", "\\999" },  { "\\777", "\\777" }, { "\\040\\040", "  " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		char line[100];
		struct mountinfo info;

		snprintf(line, sizeof(line), "1 2 0:3 / /%s rw - t s rw", pairs[i][0]);
		assert_int_equal(mountinfo_parse(line, &info), 0);
		assert_string_equal(info.mnt + 1, pairs[i][1]);
	}
}

static void test_within(void **state)
{
	(void)state;
	assert_true(mountpoint_is_within("/a/b", "/a"));
	assert_true(mountpoint_is_within("/a", "/a"));
	assert_true(mountpoint_is_within("/a", "/"));
	assert_false(mountpoint_is_within("/ab", "/a"));
	assert_false(mountpoint_is_within("/", "/a"));
	assert_false(mountpoint_is_within("/b", "/a"));
}

static void expect_path(const char *path, const char *want)
{
	struct error err = ERROR_INIT;
	auto_free char *got = NULL;

	assert_ok(mountpoint_resolve_path(path, &got, &err), &err);
	assert_string_equal(got, want);
}

static void test_resolve(void **state)
{
	struct error err = ERROR_INIT;
	char dir[64], path[100], want[100], *none = NULL;
	int fd = test_make_dir(dir);

	(void)state;
	assert_int_equal(mkdirat(fd, "real", 0700), 0);
	assert_int_equal(symlinkat("real", fd, "link"), 0);
	snprintf(want, sizeof(want), "%s/real", dir);
	snprintf(path, sizeof(path), "%s/link/", dir);
	expect_path(path, want);
	snprintf(path, sizeof(path), "%s/link/../real/.", dir);
	expect_path(path, want);
	snprintf(want, sizeof(want), "%s/real/new/er", dir);
	snprintf(path, sizeof(path), "%s/link/new//er//", dir);
	expect_path(path, want);
	expect_path("/", "/");
	expect_path("/nowhere-at-all", "/nowhere-at-all");
	assert_error(mountpoint_resolve_path("/nowhere-at-all/..", &none, &err), &err, ENOENT,
		     "cannot resolve '/nowhere-at-all/..': No such file or directory");
	error_clear(&err);
	assert_error(mountpoint_resolve_path("", &none, &err), &err, ENOENT,
		     "cannot resolve '': No such file or directory");
	assert_null(none);
	test_remove_dir(fd, dir);
}

static void test_clear(void **state)
{
	struct error err = ERROR_INIT;
	char dir[64];
	int fd = test_make_dir(dir);

	(void)state;
	assert_ok(mountpoint_clear(dir, &err), &err);
	test_remove_dir(fd, dir);
	assert_int_equal(mountpoint_clear(dir, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),   cmocka_unit_test(test_bad_lines),
		cmocka_unit_test(test_escapes), cmocka_unit_test(test_within),
		cmocka_unit_test(test_resolve), cmocka_unit_test(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
