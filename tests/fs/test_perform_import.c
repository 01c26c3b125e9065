/* The command import: its reply, its sentences, pipes, and what comes after an engine that died. */
#include "tests/fs/performing.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_import(void **state)
{
	struct fixture *f = *state;
	AUTO(image_unref) struct image *image = NULL;
	AUTO(strbuf_deinit) struct strbuf want = STRBUF_INIT;

	import_image(f, "a:1");
	image = graph_find_image(f->graph, "a:1", NULL);
	assert_non_null(image);
	strbuf_appendf(&want, "%s\n", image->id);
	assert_string_equal(f->reply.data, want.data);
	assert_int_equal(f->keeps, 1);
	/* A later engine has the answer without the source. */
	assert_string_equal(f->ticket.note, "0");
	begin(f, true, "0");
	f->before = want.data;
	check(f, NULL, "import /nope a:1", "", want.data);
	/* There is none yet: it is done again. */
	begin(f, true, "65");
	check_fails(f, "import /nope a:1", ENOENT,
		    "import: cannot open '/nope': No such file or directory", "", want.data);
	f->before = NULL;
	f->ticket.resumed = false;
	/* A taken tag moves. */
	import_image(f, "a:1");
}

static void test_import_bad(void **state)
{
	struct fixture *f = *state;
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = NULL;
	struct stat st;
	int ret;

	check_fails(f, "import /nope/x", ENOENT,
		    "import: cannot open '/nope/x': No such file or directory", "", "");
	check_fails(f, "import /dev/null", EINVAL,
		    "import: '/dev/null' is neither a file nor a pipe", "", "");
	check_fails(f, "import /tmp", EINVAL, "import: '/tmp' is neither a file nor a pipe", "",
		    "");
	check_fails(f, "import /some/mnt/x", EINVAL,
		    "import: '/some/mnt/x' lies in this mount; copy it to images/NAME instead", "",
		    "");
	check_fails(f, "import /some/mnt", EINVAL,
		    "import: '/some/mnt' lies in this mount; copy it to images/NAME instead", "",
		    "");
	assert_int_equal(stat("/proc/self/status", &st), 0);
	f->mount_device = st.st_dev;
	check_fails(f, "import /proc/self/status", EINVAL,
		    "import: '/proc/self/status' lies in this mount; copy it to images/NAME "
		    "instead",
		    "", "");
	f->mount_device = 0;
	/* No archive. */
	ret = path_replace_file(f->fd, "bad", "hello", 5, 0600, false, &f->err);
	assert_int_equal(ret, 0);
	{
		char line[200];

		snprintf(line, sizeof(line), "import %s/bad a:1", f->path);
		begin(f, false, "");
		ret = run(f, NULL, line);
		assert_int_equal(ret, -EINVAL);
		assert_int_equal(strncmp(f->err.msg, "import: ", 8), 0);
		snprintf(line, sizeof(line), "import %s/bad A:1", f->path);
		assert_int_equal(run(f, NULL, line), -EINVAL);
	}
	snapshot = graph_get_snapshot(f->graph);
	assert_int_equal(snapshot->image_count, 0);
	assert_int_equal(snapshot->tag_count, 0);
}

/* A writer that is late, slow, and writes in pieces. */
static void *feed(void *arg)
{
	struct fixture *f = arg;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	auto_fd int fd = -1;

	make_tar(&tar);
	usleep(250000);
	fd = openat(f->fd, "fifo", O_WRONLY | O_CLOEXEC);
	path_write_all(fd, tar.data, 700);
	usleep(150000);
	path_write_all(fd, tar.data + 700, tar.len - 700);
	return NULL;
}

static void *cancel(void *arg)
{
	struct fixture *f = arg;

	usleep(150000);
	ticket_cancel(&f->ticket);
	return NULL;
}

static void test_import_pipe(void **state)
{
	struct fixture *f = *state;
	AUTO(image_unref) struct image *image = NULL;
	pthread_t thread;
	char line[200];
	int ret;

	assert_int_equal(mkfifoat(f->fd, "fifo", 0600), 0);
	snprintf(line, sizeof(line), "import %s/fifo piped", f->path);
	assert_int_equal(pthread_create(&thread, NULL, feed, f), 0);
	begin(f, false, "");
	ret = run(f, NULL, line);
	pthread_join(thread, NULL);
	assert_ok(ret, &f->err);
	image = graph_find_image(f->graph, "piped", NULL);
	assert_non_null(image);
	/* Nobody writes, and the caller goes. */
	assert_int_equal(pthread_create(&thread, NULL, cancel, f), 0);
	begin(f, false, "");
	ret = run(f, NULL, line);
	pthread_join(thread, NULL);
	assert_error(ret, &f->err, EINTR, "import: interrupted; nothing was imported");
	/* What an earlier engine read of it is lost. */
	begin(f, true, "0");
	check_fails(f, line, EIO,
		    "import: the engine ended while it read a pipe; nothing was imported", "", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_import),
		TEST(test_import_bad),
		TEST(test_import_pipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
