/* User namespaces: the process that holds one, options and users, and the table of ranges. */
#include "runtime/security/user.h"
#include "runtime/security/userns_table.h"
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct id_range range = { .uid_base = 300000, .gid_base = 500000, .size = 65536 };

static void test_options(void **state)
{
	static const struct {
		const char *given, *expected;
	} cases[] = {
		{ "", "" },
		{ "mode=755,size=65536k", "mode=755,size=65536k" },
		{ "uid=5", "uid=300005" },
		{ "newinstance,gid=5,mode=0620", "newinstance,gid=500005,mode=0620" },
		{ "gid=0,uid=65535,", "gid=500000,uid=365535," },
		/* Not ours to say: the kernel refuses them. */
		{ "uid=65536,gid=,uid=x", "uid=65536,gid=,uid=x" },
		{ "uid=00000000000000000000001", "uid=00000000000000000000001" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_free char *got = userns_shift_options(&range, cases[i].given);

		assert_non_null(got);
		assert_string_equal(got, cases[i].expected);
	}
}

static void test_users(void **state)
{
	struct user user = { .uid = 65535, .gid = 65535, .groups = { 1, 65536 }, .group_count = 1 };
	const struct id_range none = { .size = 0 };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(userns_check_user(&range, &user, &err), 0);
	user.group_count = 2;
	assert_int_equal(userns_check_user(&none, &user, &err), 0);
	assert_int_equal(userns_check_user(&range, &user, &err), -EINVAL);
	assert_string_equal(err.msg, "group 65536 is beyond the 65536 ids of the container's user "
				     "namespace");
	user.uid = 70000;
	error_clear(&err);
	assert_int_equal(userns_check_user(&range, &user, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "user 70000 is beyond"));
}

static void assert_map(pid_t pid, const char *file, const char *expected)
{
	char path[64], text[64];
	int fd;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = read(fd, text, sizeof(text) - 1);
	assert_true(len > 0);
	text[len] = '\0';
	assert_string_equal(text, expected);
	close(fd);
}

static void test_process(void **state)
{
	struct userns ns = USERNS_INIT;
	struct error err = ERROR_INIT;
	pid_t pid;

	(void)state;
	assert_ok(userns_open(&range, CLONE_NEWUTS, &ns, &err), &err);
	pid = ns.pid;
	assert_map(pid, "uid_map", "         0     300000      65536\n");
	assert_map(pid, "gid_map", "         0     500000      65536\n");
	assert_true(ns.pidfd >= 0 && ns.ns_fd >= 0);
	userns_close(&ns);
	assert_int_equal(waitpid(pid, NULL, 0), -1);
	userns_close(&ns); /* and again */
	assert_int_equal(ns.pid, -1);
}

static void test_files(void **state)
{
	char path[] = "/tmp/test-userns.XXXXXX";
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(userns_begin_files(&range), 0);
	fd = mkstemp(path);
	userns_end_files();
	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(st.st_uid, 300000);
	assert_int_equal(st.st_gid, 500000);
	assert_int_equal(setfsuid((uid_t)-1), 0);
}

/* --- the table -------------------------------------------------------------------- */

/* Both files, for this process alone. */
static void write_subids(const char *dir, const char *uids, const char *gids)
{
	static const char *const targets[] = { "/etc/subuid", "/etc/subgid" };
	const char *const texts[] = { uids, gids };
	char path[80];

	for (int i = 0; i < 2; i++) {
		FILE *stream;

		snprintf(path, sizeof(path), "%s/%d", dir, i);
		stream = fopen(path, "we");
		assert_true(stream && fputs(texts[i], stream) >= 0 && fclose(stream) == 0);
		if (mount(path, targets[i], NULL, MS_BIND, NULL) < 0)
			fail_msg("cannot mount on %s: %s", targets[i], strerrordesc_np(errno));
	}
}

static void forget_subids(void)
{
	assert_int_equal(umount2("/etc/subuid", MNT_DETACH), 0);
	assert_int_equal(umount2("/etc/subgid", MNT_DETACH), 0);
}

static void assert_claim(struct userns_table *table, const char *id, int dir_fd, unsigned uid,
			 unsigned gid)
{
	struct error err = ERROR_INIT;
	struct id_range got = { .size = 0 };

	assert_ok(userns_table_claim(table, id, dir_fd, &got, &err), &err);
	assert_int_equal(got.uid_base, uid);
	assert_int_equal(got.gid_base, gid);
	assert_int_equal(got.size, 65536);
}

static void test_table(void **state)
{
	struct userns_table *table = userns_table_new(), *next = userns_table_new();
	struct error err = ERROR_INIT;
	struct id_range got = { .size = 0 };
	char path[64], names[3] = "ab";
	int fd = test_make_dir(path), dirs[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(mkdirat(fd, (char[]){ names[i], '\0' }, 0700), 0);
		dirs[i] = openat(fd, (char[]){ names[i], '\0' }, O_RDONLY | O_CLOEXEC);
	}
	write_subids(path, "root:300000:131072\n", "containers:500000:65536\nroot:9:3\n");
	assert_claim(table, "a", dirs[0], 300000, 500000);
	assert_claim(table, "a", dirs[0], 300000, 500000);
	assert_error(userns_table_claim(table, "b", dirs[1], &got, &err), &err, ENOSPC,
		     "all ranges of 65536 ids that /etc/subgid gives root are in use; add one more "
		     "line like 'root:FIRST:6553600', for a hundred containers");
	assert_false(userns_table_find(table, "b", &got));
	forget_subids();
	write_subids(path, "root:300000:131072\n", "root:500000:131072\n");
	assert_claim(table, "b", dirs[1], 365536, 565536);
	/* Another engine finds what was kept; what was given back can be had again. */
	error_clear(&err);
	assert_ok(userns_table_load(next, "a", dirs[0], &got, &err), &err);
	assert_int_equal(got.uid_base, 300000);
	assert_ok(userns_table_forget(next, "a", dirs[0], &err), &err);
	assert_ok(userns_table_forget(next, "a", dirs[0], &err), &err);
	assert_claim(next, "b", dirs[1], 300000, 500000);
	userns_table_drop(table, "a");
	userns_table_drop(table, "nobody");
	assert_claim(table, "c", dirs[0], 300000, 500000);
	forget_subids();
	write_subids(path, "alice:300000:131072\n", "");
	userns_table_drop(table, "c");
	assert_error(userns_table_claim(table, "c", dirs[0], &got, &err), &err, ENOSPC,
		     "/etc/subuid gives root no ids for user namespaces; add a line like "
		     "'root:1000000:6553600', for a hundred containers");
	forget_subids();
	for (int i = 0; i < 2; i++)
		close(dirs[i]);
	test_remove_dir(fd, path);
	userns_table_free(table);
	userns_table_free(next);
}

static void test_bad_record(void **state)
{
	static const char *const texts[] = {
		"[]",
		"{}",
		"{\"UidBase\":0,\"GidBase\":5,\"Size\":65536}",
		"{\"UidBase\":5,\"GidBase\":4294967295,\"Size\":65536}",
		"{\"UidBase\":5,\"GidBase\":5,\"Size\":1}",
	};
	struct userns_table *table = userns_table_new();
	struct id_range got = { .size = 0 };
	struct error err = ERROR_INIT;
	char path[64];
	int fd = test_make_dir(path);

	(void)state;
	assert_ok(userns_table_load(table, "a", fd, &got, &err), &err);
	assert_int_equal(got.size, 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		int file =
			openat(fd, "userns.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

		assert_true(write(file, texts[i], strlen(texts[i])) > 0);
		close(file);
		error_clear(&err);
		assert_error(userns_table_load(table, "a", fd, &got, &err), &err, EIO,
			     "userns.json holds no range of ids");
		assert_false(userns_table_find(table, "a", &got));
	}
	test_remove_dir(fd, path);
	userns_table_free(table);
}

/* What is mounted here is mounted for this process alone. */
static int set_apart(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options), cmocka_unit_test(test_users),
		cmocka_unit_test(test_process), cmocka_unit_test(test_files),
		cmocka_unit_test(test_table),   cmocka_unit_test(test_bad_record),
	};

	return cmocka_run_group_tests(tests, set_apart, NULL);
}
