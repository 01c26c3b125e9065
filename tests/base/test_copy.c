/* A directory copied whole: what comes out is what went in, as tar and getfattr see it. */
#include "tests/test.h"

#include "base/copy.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void shell(const char *dir, const char *script)
{
	AUTO(strbuf_deinit) struct strbuf command = STRBUF_INIT;

	strbuf_appendf(&command, "set -e; cd '%s'; %s", dir, script);
	if (system(strbuf_get_str(&command)) != 0) /* NOLINT(bugprone-command-processor) */
		fail_msg("failed: %s", strbuf_get_str(&command));
}

static int copy(const char *dir, struct error *err)
{
	auto_fd int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int from = openat(top, "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int to = openat(top, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_fd int links = openat(top, "links", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int ret = copy_tree(from, to, links, err);

	return ret < 0 ? ret : copy_attributes(from, to, err);
}

#define COMPARE                                                                                    \
	"for d in from to; do tar -C $d --sort=name --xattrs --xattrs-include='*' --acls "         \
	"--numeric-owner --format=posix --pax-option=delete=atime,delete=ctime -cf $d.tar .; "     \
	"done; cmp from.tar to.tar; "

static void test_everything(void **state)
{
	struct error err = ERROR_INIT;
	char dir[64];
	int dir_fd = test_make_dir(dir);

	(void)state;
	shell(dir,
	      "mkdir from to links; cd from; echo text > file; ln file hard; ln -s /etc/passwd "
	      "abs; ln -s nowhere dangling; ln -s . loop; mkdir -p d/e 'odd\nname'; ln file "
	      "d/e/hard; mkfifo -m 640 pipe; mknod -m 620 null c 1 3; mknod block b 7 99; "
	      "truncate -s 5M sparse; printf x | dd of=sparse bs=1 seek=3000000 conv=notrunc "
	      "2>/dev/null; chown 12:34 file abs d; chmod 6711 file; chmod 1777 d; chmod 0 "
	      "'odd\nname'; touch -h -d 2001-02-03T04:05:06.123456789 file abs d/e null; "
	      "chmod 2751 .; touch -d 2002-02-02 d .");
	shell(dir, "setfattr -n user.a -v b from/file 2>/dev/null || true; "
		   "setfattr -n trusted.x -v y from/d 2>/dev/null || true");
	assert_ok(copy(dir, &err), &err);
	shell(dir,
	      COMPARE "[ $(stat -c %i to/file) = $(stat -c %i to/d/e/hard) ]; "
		      "[ $(stat -c %b to/sparse) -lt 100 ]; [ $(stat -c %A to) = drwxr-s--x ]; "
		      "[ \"$(stat -c %y from/d)\" = \"$(stat -c %y to/d)\" ]");
	test_remove_dir(dir_fd, dir);
}

#define DEPTH 200
#define LONG_NAME "a-name-that-makes-the-path-longer-than-any-may-be"

static void make_deep(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < DEPTH; i++) {
		int next;

		assert_int_equal(mkdirat(fd, i ? LONG_NAME : "from", 0755), 0);
		next = openat(fd, i ? LONG_NAME : "from", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(fd);
		fd = next;
	}
	assert_true(fd >= 0);
	close(fd);
}

/* Deeper than there are descriptors, and than a path may be long. */
static void test_deep(void **state)
{
	struct error err = ERROR_INIT;
	char dir[64];
	int dir_fd = test_make_dir(dir);
	struct rlimit few = { .rlim_cur = 40, .rlim_max = 40 }, before;

	(void)state;
	shell(dir, "mkdir to links");
	make_deep(dir);
	getrlimit(RLIMIT_NOFILE, &before);
	few.rlim_max = before.rlim_max;
	setrlimit(RLIMIT_NOFILE, &few);
	assert_ok(copy(dir, &err), &err);
	setrlimit(RLIMIT_NOFILE, &before);
	shell(dir, "[ $(find to -type d | wc -l) = 200 ]");
	test_remove_dir(dir_fd, dir);
}

static void test_failures(void **state)
{
	struct error err = ERROR_INIT;
	char dir[64];
	int dir_fd = test_make_dir(dir);

	(void)state;
	shell(dir, "mkdir from to links; touch from/a to/a");
	assert_error(copy(dir, &err), &err, EEXIST, "cannot copy 'a': File exists");
	test_remove_dir(dir_fd, dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
