/* export_tree(): what libarchive reads back is what lies on the disk, and an output that
 * fails ends it.
 */
#include "tests/test.h"

#include "base/path.h"
#include "base/strbuf.h"
#include "graph/export.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct scratch {
	char path[64];
	int fd;
};

static int set_up(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	scratch->fd = test_make_dir(scratch->path);
	assert_int_equal(fchmod(scratch->fd, 0755), 0);
	*state = scratch;
	return 0;
}

static int tear_down(void **state)
{
	struct scratch *scratch = *state;

	close(scratch->fd);
	path_remove_tree(AT_FDCWD, scratch->path);
	free(scratch);
	return 0;
}

static void put_file(int dir_fd, const char *name, const char *text)
{
	int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(path_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

static int keep(void *arg, const void *bytes, size_t len)
{
	strbuf_append(arg, bytes, len);
	return ((struct strbuf *)arg)->oom ? -ENOMEM : 0;
}

/* "PATH TYPE SIZE LINK\n" for each entry. */
static void describe(const struct strbuf *tar, struct strbuf *out)
{
	struct archive *archive = archive_read_new();
	struct archive_entry *entry;

	archive_read_support_format_tar(archive);
	assert_int_equal(archive_read_open_memory(archive, tar->data, tar->len), ARCHIVE_OK);
	while (archive_read_next_header(archive, &entry) != ARCHIVE_EOF) {
		const char *link = archive_entry_symlink(entry);
		const char *hard = archive_entry_hardlink(entry);

		strbuf_appendf(out, "%s %o %lld %s\n", archive_entry_pathname(entry),
			       (unsigned)archive_entry_mode(entry),
			       (long long)archive_entry_size(entry),
			       link   ? link
			       : hard ? hard
				      : "");
	}
	archive_read_free(archive);
}

static void expect(const struct scratch *scratch, const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf said = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int r = export_tree(scratch->fd, NULL, keep, &tar, &err);

	assert_ok(r, &err);
	assert_int_equal(tar.len % 10240, 0);
	describe(&tar, &said);
	assert_string_equal(strbuf_get_str(&said), expected);
}

static void test_empty(void **state)
{
	expect(*state, "");
}

static void test_root(void **state)
{
	struct scratch *scratch = *state;

	assert_int_equal(fchmod(scratch->fd, 0750), 0);
	expect(scratch, "./ 40750 0 \n");
}

/* As others read them: seconds and fraction are one number. */
static void test_times(void **state)
{
	static const struct {
		struct timespec time;
		const char *text;
	} cases[] = {
		{ { 1, 500000000 }, " mtime=1.5\n" },
		{ { -5, 0 }, " mtime=-5\n" },
		{ { -4, 750000000 }, " mtime=-3.25\n" },
		{ { -1, 750000000 }, " mtime=-1\n" },
	};
	struct scratch *scratch = *state;

	put_file(scratch->fd, "a", "1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
		struct timespec times[2] = { cases[i].time, cases[i].time };
		struct error err = ERROR_INIT;

		assert_int_equal(utimensat(scratch->fd, "a", times, 0), 0);
		assert_ok(export_tree(scratch->fd, NULL, keep, &tar, &err), &err);
		assert_non_null(memmem(tar.data, tar.len, cases[i].text, strlen(cases[i].text)));
	}
}

static void test_kinds(void **state)
{
	struct scratch *scratch = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkdirat(scratch->fd, "b", 0700), 0);
	put_file(scratch->fd, "b/file", "12345");
	put_file(scratch->fd, "a", "1");
	assert_int_equal(linkat(scratch->fd, "a", scratch->fd, "b/a", 0), 0);
	assert_int_equal(symlinkat("../x", scratch->fd, "link"), 0);
	assert_int_equal(mkfifoat(scratch->fd, "fifo", 0600), 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/sock", scratch->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	expect(scratch, "a 100644 1 \n"
			"b/ 40700 0 \n"
			"b/a 644 0 a\n" /* no type of its own */
			"b/file 100644 5 \n"
			"fifo 10600 0 \n"
			"link 120777 0 ../x\n");
}

static void test_long_name(void **state)
{
	struct scratch *scratch = *state;
	AUTO(strbuf_deinit) struct strbuf expected = STRBUF_INIT;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	put_file(scratch->fd, name, "");
	strbuf_appendf(&expected, "%s 100644 0 \n", name);
	expect(scratch, strbuf_get_str(&expected));
}

/* A hole is no data in the archive, and zeros to who reads it. */
static void test_sparse(void **state)
{
	struct scratch *scratch = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int fd = openat(scratch->fd, "sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, "x", 1, 9000000), 1);
	assert_int_equal(ftruncate(fd, 20000000), 0);
	close(fd);
	expect(scratch, "sparse 100644 20000000 \n");
	assert_ok(export_tree(scratch->fd, NULL, keep, &tar, &err), &err);
	assert_true(tar.len < 1000000);
}

struct narrow {
	size_t room, taken; /* bytes */
};

static int refuse(void *arg, const void *bytes, size_t len)
{
	struct narrow *narrow = arg;

	(void)bytes;
	narrow->taken += len;
	return narrow->taken > narrow->room ? -EPIPE : 0;
}

/* In data and in headers, which libarchive takes differently. */
static void test_output_fails(void **state)
{
	struct scratch *scratch = *state;
	struct error err = ERROR_INIT;
	char name[20];

	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "big%d", i);
		int fd = openat(scratch->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		assert_int_equal(posix_fallocate(fd, 0, 64512), 0);
		close(fd);
	}
	for (size_t room = 0; room < 600000; room += 65536) {
		struct narrow narrow = { .room = room };

		assert_int_equal(export_tree(scratch->fd, NULL, refuse, &narrow, &err), -EPIPE);
		assert_true(narrow.taken < room + 200000);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_empty),     TEST(test_root),   TEST(test_times),        TEST(test_kinds),
		TEST(test_long_name), TEST(test_sparse), TEST(test_output_fails),
	};

	return cmocka_run_group_tests_name("export", tests, NULL, NULL);
}
