/* Names against hostile passwd and group files. */
#include "runtime/security/user.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char passwd[] = "# comment\n"
			     "root:x:0:0:root:/root:/bin/sh\n"
			     "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
			     "short:x:5\n"
			     ":x:6:6::/:\n"
			     "neg:x:-7:7::/:\n"
			     "big:x:4294967296:8::/home/big:\n"
			     "relative:x:9:9::home/rel:\n"
			     "app:x:1000:100:App,,,:/home/app:/bin/sh\n"
			     "app:x:2000:200::/home/second:\n"
			     "1000:x:3000:300::/home/number:\n"
			     "last:x:4000:400::/home/last:";
static const char group[] = "root:x:0:root\n"
			    "wheel:x:10:root,app\n"
			    "audio:x:29:app\n"
			    "audio2:x:29:app\n"
			    "primary:x:100:app\n"
			    "near:x:30:apple,xapp\n"
			    "broken:x:31\n"
			    "users:x:50:last";

static int resolve(const char *spec, struct user *user, struct error *err)
{
	error_clear(err);
	return user_resolve_text(passwd, sizeof(passwd) - 1, group, sizeof(group) - 1, spec, NULL,
				 user, err);
}

static void check(const char *spec, uid_t uid, gid_t gid, const char *home, size_t group_count)
{
	struct error err = ERROR_INIT;
	struct user user;

	assert_ok(resolve(spec, &user, &err), &err);
	assert_int_equal(user.uid, uid);
	assert_int_equal(user.gid, gid);
	assert_string_equal(user.home, home);
	assert_int_equal(user.group_count, group_count);
}

static void test_names(void **state)
{
	struct error err = ERROR_INIT;
	struct user user;

	(void)state;
	check("", 0, 0, "/root", 1);
	check("root", 0, 0, "/root", 1);
	check("0", 0, 0, "/root", 1);
	check("daemon", 1, 1, "/usr/sbin", 0);
	check("app", 1000, 100, "/home/app", 2);
	check("1000", 1000, 100, "/home/app", 2);
	check("last", 4000, 400, "/home/last", 1);
	check("relative", 9, 9, "/", 0);
	check("4242", 4242, 0, "/", 0);
	check("app:audio", 1000, 29, "/home/app", 0);
	check("app:77", 1000, 77, "/home/app", 0);
	check("4242:wheel", 4242, 10, "/", 0);
	check("4242:4343", 4242, 4343, "/", 0);
	check(":wheel", 0, 10, "/root", 0);
	assert_ok(resolve("app", &user, &err), &err);
	assert_int_equal(user.groups[0], 10);
	assert_int_equal(user.groups[1], 29);
}

static void test_unknown(void **state)
{
	static const char *const bad[] = { "nobody", "short",      "neg",        "big",
					   "-1",     "4294967295", "2147483648", "app ",
					   "#",      "# comment",  "+5",         "0x0" };
	struct error err = ERROR_INIT;
	struct user user = { .uid = 5 };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char want[100];

		snprintf(want, sizeof(want), "no user '%s' in the container's /etc/passwd", bad[i]);
		assert_error(resolve(bad[i], &user, &err), &err, EINVAL, want);
	}
	assert_error(resolve("app:nope", &user, &err), &err, EINVAL,
		     "no group 'nope' in the container's /etc/group");
	assert_error(resolve("app:wheel:x", &user, &err), &err, EINVAL,
		     "no group 'wheel:x' in the container's /etc/group");
	assert_error(resolve("app:", &user, &err), &err, EINVAL,
		     "no group behind the colon of user 'app:'");
	assert_int_equal(user.uid, 5);
}

static void test_nuls(void **state)
{
	static const char text[] =
		"a\0b:x:5:5::/a\0b:\n\0\0\0\nroot:x:0\0:0::/:\nok:x:7:7::/ok\0:\n";
	struct error err = ERROR_INIT;
	struct user user;

	(void)state;
	assert_error(user_resolve_text(text, sizeof(text) - 1, NULL, 0, "a", NULL, &user, &err),
		     &err, EINVAL, "no user 'a' in the container's /etc/passwd");
	error_clear(&err);
	assert_error(user_resolve_text(text, sizeof(text) - 1, NULL, 0, "root", NULL, &user, &err),
		     &err, EINVAL, "no user 'root' in the container's /etc/passwd");
	error_clear(&err);
	assert_ok(user_resolve_text(text, sizeof(text) - 1, NULL, 0, "ok", NULL, &user, &err),
		  &err);
	assert_int_equal(user.uid, 7);
	assert_string_equal(user.home, "/");
}

static void test_many_groups(void **state)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct user user;

	(void)state;
	for (int i = 0; i < USER_GROUPS_MAX; i++)
		strbuf_appendf(&text, "g%d:x:%d:u,app\n", i, 500 + i);
	assert_ok(user_resolve_text(passwd, sizeof(passwd) - 1, text.data, text.len, "app", NULL,
				    &user, &err),
		  &err);
	assert_int_equal(user.group_count, USER_GROUPS_MAX);
	strbuf_append_str(&text, "one:x:900:app\n");
	assert_error(user_resolve_text(passwd, sizeof(passwd) - 1, text.data, text.len, "app", NULL,
				       &user, &err),
		     &err, E2BIG, "user 'app' is in more than 64 groups");
}

static void test_more_groups(void **state)
{
	static const char *const more[] = { "wheel", "4000", "wheel", NULL };
	static const char *const missing[] = { "wheel", "no\nsuch", NULL };
	struct error err = ERROR_INIT;
	struct user user;

	(void)state;
	/* Also with an explicit group, and none twice. */
	assert_ok(user_resolve_text(passwd, sizeof(passwd) - 1, group, sizeof(group) - 1, "5:7",
				    more, &user, &err),
		  &err);
	assert_int_equal(user.gid, 7);
	assert_int_equal(user.group_count, 2);
	assert_int_equal(user.groups[0], 10);
	assert_int_equal(user.groups[1], 4000);
	assert_error(user_resolve_text(passwd, sizeof(passwd) - 1, group, sizeof(group) - 1, "",
				       missing, &user, &err),
		     &err, EINVAL, "no group 'no\\x0asuch' in the container's /etc/group");
}

/* A root with an etc of its own. */
static int make_root(char path[64])
{
	int fd = test_make_dir(path);

	assert_int_equal(mkdirat(fd, "etc", 0755), 0);
	return fd;
}

static void put(int root_fd, const char *name, const void *bytes, size_t len)
{
	struct error err = ERROR_INIT;
	int etc_fd = openat(root_fd, "etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_ok(path_replace_file(etc_fd, name, bytes, len, 0644, false, &err), &err);
	close(etc_fd);
}

static void test_files(void **state)
{
	struct error err = ERROR_INIT;
	struct user user;
	char path[64];
	int fd = make_root(path);

	(void)state;
	/* No files at all. */
	assert_ok(user_resolve(fd, "", NULL, &user, &err), &err);
	assert_int_equal(user.uid, 0);
	assert_string_equal(user.home, "/");
	assert_ok(user_resolve(fd, "5:6", NULL, &user, &err), &err);
	assert_error(user_resolve(fd, "app", NULL, &user, &err), &err, EINVAL,
		     "no user 'app' in the container's /etc/passwd");
	error_clear(&err);
	put(fd, "passwd", passwd, sizeof(passwd) - 1);
	put(fd, "group", group, sizeof(group) - 1);
	assert_ok(user_resolve(fd, "app", NULL, &user, &err), &err);
	assert_int_equal(user.uid, 1000);
	assert_int_equal(user.group_count, 2);
	put(fd, "passwd", "", 0);
	assert_ok(user_resolve(fd, "", NULL, &user, &err), &err);
	test_remove_dir(fd, path);
}

static void expect_bad(int fd, const char *want)
{
	struct error err = ERROR_INIT;
	struct user user;

	assert_error(user_resolve(fd, "root", NULL, &user, &err), &err, EINVAL, want);
}

static void test_hostile_files(void **state)
{
	char path[64];
	struct error err = ERROR_INIT;
	struct user user;
	int fd = make_root(path);
	char *huge = malloc((1 << 20) + 1);

	(void)state;
	/* Links lead to the container's own files, never to ours. */
	assert_int_equal(symlinkat("/../../../../../../etc/shadow", fd, "etc/passwd"), 0);
	put(fd, "shadow", "app:x:77:7::/in:\n", 17);
	assert_ok(user_resolve(fd, "app", NULL, &user, &err), &err);
	assert_int_equal(user.uid, 77);
	assert_int_equal(unlinkat(fd, "etc/shadow", 0), 0);
	/* The host has one, the container has none: an empty file. */
	assert_error(user_resolve(fd, "root", NULL, &user, &err), &err, EINVAL,
		     "no user 'root' in the container's /etc/passwd");
	assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("passwd", fd, "etc/passwd"), 0);
	expect_bad(fd, "the container's /etc/passwd is a loop of links");
	assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
	assert_int_equal(mkfifoat(fd, "etc/passwd", 0600), 0);
	expect_bad(fd, "the container's /etc/passwd is not a regular file");
	assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
	assert_int_equal(mknodat(fd, "etc/passwd", S_IFCHR | 0600, makedev(1, 5)), 0);
	expect_bad(fd, "the container's /etc/passwd is not a regular file");
	assert_int_equal(unlinkat(fd, "etc/passwd", 0), 0);
	assert_int_equal(mkdirat(fd, "etc/passwd", 0755), 0);
	expect_bad(fd, "the container's /etc/passwd is not a regular file");
	assert_int_equal(unlinkat(fd, "etc/passwd", AT_REMOVEDIR), 0);
	assert_non_null(huge);
	memset(huge, 'x', (1 << 20) + 1);
	put(fd, "passwd", huge, (1 << 20) + 1);
	expect_bad(fd, "the container's /etc/passwd is larger than 1048576 bytes");
	memset(huge, ':', 1 << 20);
	put(fd, "passwd", huge, 1 << 20);
	expect_bad(fd, "no user 'root' in the container's /etc/passwd");
	free(huge);
	test_remove_dir(fd, path);
}

static int sweep_fd;

static int attempt(void *arg)
{
	struct error err = ERROR_INIT;
	struct user user;
	int ret = user_resolve(sweep_fd, "app", NULL, &user, &err);

	(void)arg;
	if (ret == -ENOMEM)
		assert_int_not_equal(err.msg[0], '\0');
	return ret;
}

static void test_no_memory(void **state)
{
	char path[64];

	(void)state;
	sweep_fd = make_root(path);
	put(sweep_fd, "passwd", passwd, sizeof(passwd) - 1);
	put(sweep_fd, "group", group, sizeof(group) - 1);
	assert_true(alloc_sweep(attempt, NULL) >= 3);
	test_remove_dir(sweep_fd, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),     cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_nuls),      cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_files),     cmocka_unit_test(test_hostile_files),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_more_groups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
