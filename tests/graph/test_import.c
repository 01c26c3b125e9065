/* Imports: what comes out is what was put in, in every way of putting it in.
 *
 * ctest-labels: threads
 */
#include "tests/graph/fixture.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

static void import_ok(struct fixture *fixture, const char *name, struct strbuf *tar)
{
	char id[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;
	tar_end(tar);
	int ret = import_tar(fixture->graph, name, tar, id, &err);
	assert_ok(ret, &err);
	assert_int_equal(strlen(id), 64);
}

static void test_image(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct stat st;

	tar_dir(&tar, "./");
	tar_dir(&tar, "./etc");
	tar_file(&tar, "./etc/hello", "hello\n");
	import_ok(fixture, "demo", &tar);
	assert_string_equal(fixture->events, "import(demo:latest) tag(demo:latest) ");

	struct error err = ERROR_INIT;
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "demo", &err);
	assert_non_null(image);
	assert_int_equal(image->size_bytes, 6);
	assert_true(image->created_ns > 0 && image->created_ns <= image->arrived_ns);
	assert_string_equal(json_get_str(image->config, "os", ""), "linux");
	json_t *history = json_array_get(json_get_array(image->config, "history"), 0);
	assert_string_equal(json_get_str(history, "comment", ""), "Imported from -");
	json_t *layer = json_array_get(json_get_array(image->manifest, "layers"), 0);
	assert_int_equal(json_get_int(layer, "size", 0), tar.len);
	assert_string_equal(json_get_str(layer, "mediaType", ""),
			    "application/vnd.oci.image.layer.v1.tar");
	/* Without compression the layer and its blob have one digest. */
	assert_string_equal(json_get_str(layer, "digest", "") + 7, image->diff_ids[0]);

	auto_fd int fd = open_layer(fixture, "demo:latest");
	assert_content(fd, "etc/hello", "hello\n");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	assert_int_equal(st.st_mtime, 1700000000);
	assert_int_equal(fstatat(fd, "etc", &st, 0), 0);
	assert_int_equal(st.st_mtime, 1700000000);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
}

static void test_layer_shared(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char first[GRAPH_ID_SIZE], second[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;

	tar_file(&tar, "a", "a");
	tar_end(&tar);
	assert_int_equal(import_tar(fixture->graph, "a", &tar, first, &err), 0);
	assert_int_equal(import_tar(fixture->graph, "b", &tar, second, &err), 0);
	assert_string_not_equal(first, second);
	assert_int_equal(count_entries(fixture, "images/layers"), 1);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 5);
	/* The layer stays while one of them needs it. */
	assert_int_equal(graph_untag(fixture->graph, "a", NULL, &err), 0);
	assert_int_equal(count_entries(fixture, "images/layers"), 1);
	auto_fd int fd = open_layer(fixture, "b");
	assert_content(fd, "a", "a");
	assert_int_equal(graph_untag(fixture->graph, "b", NULL, &err), 0);
	assert_store_empty(fixture);
}

static void test_kinds(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char link[64];
	struct stat st, other;

	tar_file(&tar, "file", "0123456789");
	tar_header(&tar, '1', "hard", 0644, "./file", 0);
	tar_header(&tar, '2', "soft", 0777, "/etc/passwd", 0);
	tar_header(&tar, '6', "fifo", 0622, NULL, 0);
	tar_header(&tar, '0', "suid", 06755, NULL, 0);
	tar_header(&tar, '5', "sticky", 01777, NULL, 0);
	tar_header(&tar, '3', "null", 0666, NULL, 0);
	import_ok(fixture, "demo", &tar);

	auto_fd int fd = open_layer(fixture, "demo");
	assert_int_equal(fstatat(fd, "file", &st, 0), 0);
	assert_int_equal(fstatat(fd, "hard", &other, 0), 0);
	assert_int_equal(st.st_ino, other.st_ino);
	assert_int_equal(st.st_nlink, 2);
	ssize_t len = readlinkat(fd, "soft", link, sizeof(link));
	assert_int_equal(len, 11);
	assert_int_equal(fstatat(fd, "soft", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_mtime, 1700000000);
	assert_int_equal(fstatat(fd, "fifo", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0622);
	assert_int_equal(fstatat(fd, "suid", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFREG | 06755);
	assert_int_equal(fstatat(fd, "sticky", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 01777);
	assert_int_equal(fstatat(fd, "null", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFCHR | 0666);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "demo", NULL);
	assert_int_equal(image->size_bytes, 10);
}

/* Bytes are bytes, whatever the locale: pax names too, which libarchive would
 * normalise in a UTF-8 locale. */
static void test_names(void **state)
{
	static const char *const names[] = {
		"caf\xc3\xa9", "cafe\xcc\x81", "latin\xe9", "new\nline",
		"tab\t\\back", " blank ",      "-dash",     "\x01\x7f",
	};
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char longest[256], deep[3000];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf pax = STRBUF_INIT;
		tar_file(&tar, names[i], "ustar");
		strbuf_appendf(&pax, "pax/%s", names[i]);
		tar_pax(&tar, "path", pax.data, pax.len);
		tar_file(&tar, "short", "pax");
	}
	memset(longest, 'n', 255);
	longest[255] = '\0';
	tar_pax(&tar, "path", longest, 255);
	tar_file(&tar, "short", "long");
	/* GNU's way, 2999 bytes. */
	memset(deep, 'd', sizeof(deep));
	for (size_t i = 200; i < sizeof(deep); i += 200)
		deep[i] = '/';
	deep[sizeof(deep) - 1] = '\0';
	tar_header(&tar, 'L', "././@LongLink", 0644, NULL, sizeof(deep));
	tar_data(&tar, deep, sizeof(deep));
	tar_file(&tar, "short", "deep");
	import_ok(fixture, "demo", &tar);

	auto_fd int fd = open_layer(fixture, "demo");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf pax = STRBUF_INIT;
		assert_content(fd, names[i], "ustar");
		strbuf_appendf(&pax, "pax/%s", names[i]);
		assert_content(fd, pax.data, "pax");
	}
	assert_content(fd, longest, "long");
	assert_content(fd, deep, "deep");
}

static void test_attributes(void **state)
{
	static const unsigned char capability[20] = { 0, 0, 0, 2, 0, 4 };
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char value[64];
	struct stat st;

	tar_pax(&tar, "SCHILY.xattr.user.note", "a\0b\n", 4);
	tar_file(&tar, "noted", "x");
	tar_pax(&tar, "SCHILY.xattr.security.capability", capability, sizeof(capability));
	tar_file(&tar, "ping", "x");
	tar_pax(&tar, "SCHILY.xattr.trusted.overlay.redirect", "/etc", 4);
	tar_dir(&tar, "dir");
	tar_pax(&tar, "SCHILY.xattr.user.dir", "d", 1);
	tar_dir(&tar, "dir2");
	tar_pax(&tar, "mtime", "1600000000.123456789", 20);
	tar_file(&tar, "late", "x");
	tar_pax(&tar, "mtime", "-3.25", 5);
	tar_file(&tar, "early", "x");
	import_ok(fixture, "demo", &tar);

	auto_fd int fd = open_layer(fixture, "demo");
	auto_fd int noted = openat(fd, "noted", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(noted, "user.note", value, sizeof(value)), 4);
	assert_memory_equal(value, "a\0b\n", 4);
	auto_fd int ping = openat(fd, "ping", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(ping, "security.capability", value, sizeof(value)), 20);
	auto_fd int dir = openat(fd, "dir", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(dir, "trusted.overlay.redirect", value, sizeof(value)), -1);
	auto_fd int dir2 = openat(fd, "dir2", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fgetxattr(dir2, "user.dir", value, sizeof(value)), 1);
	assert_int_equal(fstatat(fd, "late", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, 1600000000);
	assert_int_equal(st.st_mtim.tv_nsec, 123456789);
	assert_int_equal(fstatat(fd, "early", &st, 0), 0);
	assert_int_equal(st.st_mtim.tv_sec, -4);
	assert_int_equal(st.st_mtim.tv_nsec, 750000000);
}

static bool is_whiteout(int fd, const char *path)
{
	struct stat st;
	return fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(0, 0);
}

static bool is_opaque(int fd, const char *path)
{
	char value = 0;
	auto_fd int dir = openat(fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(dir >= 0);
	return fgetxattr(dir, "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

static void test_whiteouts(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;

	tar_file(&tar, ".wh.gone", "");
	tar_file(&tar, "dir/.wh.gone", "");
	tar_file(&tar, "all/.wh..wh..opq", "");
	tar_file(&tar, "all/kept", "kept");
	tar_file(&tar, ".wh..wh.plnk", "aufs");
	/* Both a directory and its whiteout, in either order. */
	tar_dir(&tar, "before");
	tar_file(&tar, ".wh.before", "");
	tar_file(&tar, ".wh.after", "");
	tar_dir(&tar, "after");
	/* A file and its whiteout. */
	tar_file(&tar, ".wh.file", "");
	tar_file(&tar, "file", "file");
	tar_file(&tar, ".wh.file", "");
	import_ok(fixture, "demo", &tar);

	auto_fd int fd = open_layer(fixture, "demo");
	assert_true(is_whiteout(fd, "gone"));
	assert_true(is_whiteout(fd, "dir/gone"));
	assert_true(is_opaque(fd, "all"));
	assert_content(fd, "all/kept", "kept");
	assert_false(is_opaque(fd, "dir"));
	assert_true(is_opaque(fd, "before"));
	assert_true(is_opaque(fd, "after"));
	assert_content(fd, "file", "file");
	assert_int_equal(faccessat(fd, ".wh..wh.plnk", F_OK, 0), -1);
}

static void test_replacing(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct stat st;

	tar_file(&tar, "a", "first");
	tar_header(&tar, '1', "b", 0644, "a", 0);
	tar_file(&tar, "a", "second!");
	tar_file(&tar, "tree/x/y", "twelve bytes");
	tar_header(&tar, '1', "tree/z", 0644, "tree/x/y", 0);
	tar_file(&tar, "tree", "now a file");
	tar_header(&tar, '2', "link", 0777, "target", 0);
	tar_dir(&tar, "link");
	tar_file(&tar, "link/in", "in");
	tar_dir(&tar, "again");
	tar_file(&tar, "again/kept", "kept");
	tar_header(&tar, '5', "again", 0700, NULL, 0);
	tar_header(&tar, '1', "again/kept", 0644, "again/kept", 0);
	import_ok(fixture, "demo", &tar);

	auto_fd int fd = open_layer(fixture, "demo");
	assert_content(fd, "a", "second!");
	assert_content(fd, "b", "first");
	assert_content(fd, "tree", "now a file");
	assert_content(fd, "link/in", "in");
	assert_content(fd, "again/kept", "kept");
	assert_int_equal(fstatat(fd, "again", &st, 0), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "demo", NULL);
	assert_int_equal(image->size_bytes, 5 + 7 + 10 + 2 + 4);
}

/* Links that earlier entries made lead to places inside the layer. */
static void test_links_stay_inside(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;

	tar_dir(&tar, "usr/lib");
	tar_header(&tar, '2', "lib", 0777, "usr/lib", 0);
	tar_file(&tar, "lib/libc", "libc");
	tar_header(&tar, '2', "abs", 0777, "/usr", 0);
	tar_file(&tar, "abs/x", "x");
	tar_header(&tar, '2', "up", 0777, "../../../../../../../../", 0);
	tar_file(&tar, "up/made-at-the-top", "top");
	tar_header(&tar, '1', "hard", 0644, "up/usr/x", 0);
	import_ok(fixture, "demo", &tar);

	auto_fd int fd = open_layer(fixture, "demo");
	assert_content(fd, "usr/lib/libc", "libc");
	assert_content(fd, "usr/x", "x");
	assert_content(fd, "hard", "x");
	assert_content(fd, "made-at-the-top", "top");
	assert_int_equal(access("/made-at-the-top", F_OK), -1);
}

/* --- ways of writing ----------------------------------------------------------------- */

static void test_small_writes(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char id[GRAPH_ID_SIZE];

	tar_file(&tar, "a", "a");
	tar_end(&tar);
	int ret = import_bytes(fixture->graph, "demo", tar.data, tar.len, 1, id, &err);
	assert_ok(ret, &err);
	auto_fd int fd = open_layer(fixture, "demo");
	assert_content(fd, "a", "a");
}

/* As cp writes a sparse archive: it skips holes and ends with a truncate. */
static void test_holes(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf again = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char id[GRAPH_ID_SIZE];
	struct import *import;
	static const char zeros[8192];

	tar_header(&tar, '0', "zeros", 0644, NULL, sizeof(zeros));
	strbuf_append(&again, tar.data, tar.len);
	tar_data(&again, zeros, sizeof(zeros));
	size_t head = again.len;
	tar_file(&again, "after", "x");
	size_t end = again.len;
	tar_end(&again);

	assert_int_equal(graph_import_begin(fixture->graph, "a", &import, &err), 0);
	assert_int_equal(graph_import_write(import, 0, tar.data, tar.len, &err), 0);
	int ret = graph_import_write(import, head, again.data + head, end - head, &err);
	assert_ok(ret, &err);
	ret = graph_import_truncate(import, again.len, &err);
	assert_ok(ret, &err);
	ret = graph_import_finish(import, false, "by cp", id, &err);
	assert_ok(ret, &err);
	assert_int_equal(import_bytes(fixture->graph, "b", again.data, again.len, 512, id, &err),
			 0);
	assert_int_equal(count_entries(fixture, "images/layers"), 1);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "a", NULL);
	json_t *history = json_array_get(json_get_array(image->config, "history"), 0);
	assert_string_equal(json_get_str(history, "comment", ""), "by cp");
}

static void test_going_back(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct import *import;
	char id[GRAPH_ID_SIZE];

	assert_int_equal(graph_import_begin(fixture->graph, "a", &import, &err), 0);
	assert_int_equal(graph_import_write(import, 0, "abc", 3, &err), 0);
	int ret = graph_import_write(import, 1, "abc", 3, &err);
	assert_error(ret, &err, EINVAL, "an archive must be written from front to back, once");
	error_clear(&err);
	ret = graph_import_truncate(import, 0, &err);
	assert_int_equal(ret, -EINVAL);
	error_clear(&err);
	ret = graph_import_finish(import, false, NULL, id, &err);
	assert_error(ret, &err, EINVAL, "an archive must be written from front to back, once");
	assert_store_empty(fixture);
}

static void test_bad_name(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct import *import;
	int ret = graph_import_begin(fixture->graph, "sha256/a", &import, &err);
	assert_error(ret, &err, EINVAL, "invalid image name 'sha256/a': 'sha256' is reserved");
	assert_store_empty(fixture);
}

static void test_taken_name(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char first[GRAPH_ID_SIZE], id[GRAPH_ID_SIZE];
	struct import *import;

	tar_file(&tar, "a", "a");
	tar_end(&tar);
	assert_int_equal(import_tar(fixture->graph, "a", &tar, first, &err), 0);
	int ret = import_tar(fixture->graph, "a", &tar, id, &err);
	assert_error(ret, &err, EEXIST,
		     "tag 'a:latest' is taken; import under another name and rename it");
	error_clear(&err);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	/* The command moves it; the first image stays. */
	assert_int_equal(graph_import_begin(fixture->graph, "a", &import, &err), 0);
	assert_int_equal(graph_import_write(import, 0, tar.data, tar.len, &err), 0);
	ret = graph_import_finish(import, true, NULL, id, &err);
	assert_ok(ret, &err);
	struct image *now AUTO(image_unref) = graph_find_image(fixture->graph, "a", NULL);
	assert_string_equal(now->id, id);
	struct image *old AUTO(image_unref) = graph_find_image(fixture->graph, first, NULL);
	assert_non_null(old);
}

/* --- cut off, damaged, given up -------------------------------------------------------- */

/* Wherever an archive is cut off it is refused, and nothing stays. */
static void test_cut_off(void **state)
{
	static const char *const packers[] = {
		"cat", "gzip", "bzip2", "xz -T1", "zstd -q", "lz4 -q"
	};
	struct fixture *fixture = *state;

	run(fixture, "mkdir -p t && seq 100 > t/a && seq 1000 > t/b && : > t/c && tar cf plain.tar "
		     "-b 4 -C t .");
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf bytes = STRBUF_INIT;
		char command[200], id[GRAPH_ID_SIZE];
		snprintf(command, sizeof(command), "%s < plain.tar > packed", packers[i]);
		run(fixture, command);
		assert_int_equal(path_read_file(fixture->fd, "packed", 1 << 20, &bytes, NULL), 0);
		/* Uncompressed, one of the two zero blocks and no padding is whole. */
		size_t end = bytes.len;
		while (i == 0 && end && !bytes.data[end - 1])
			end--;
		if (i == 0)
			end = (end + 511) / 512 * 512 + 511;
		size_t step = end > 2000 ? 97 : 13;
		for (size_t len = 0; len < end; len += step) {
			struct error err = ERROR_INIT;
			int ret = import_bytes(fixture->graph, "demo", bytes.data, len, 4096, id,
					       &err);
			if (ret != -EINVAL)
				print_message("%s cut to %zu of %zu\n", packers[i], len, bytes.len);
			assert_int_equal(ret, -EINVAL);
			assert_string_not_equal(err.msg, "");
		}
	}
	assert_store_empty(fixture);
}

/* One bit flipped anywhere in a stream with checksums is found, unless it makes no
 * difference (a match of zeros at another distance). */
static void test_flipped(void **state)
{
	static const char *const packers[] = { "gzip -n", "bzip2", "xz -T1", "zstd -q" };
	struct fixture *fixture = *state;

	run(fixture, "mkdir -p t && seq 300 > t/a && tar cf plain.tar -b 4 -C t .");
	import_file(fixture, "plain.tar", "plain", 4096);
	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++) {
		AUTO(strbuf_deinit) struct strbuf bytes = STRBUF_INIT;
		char command[200], id[GRAPH_ID_SIZE];
		snprintf(command, sizeof(command), "%s < plain.tar > packed", packers[i]);
		run(fixture, command);
		assert_int_equal(path_read_file(fixture->fd, "packed", 1 << 20, &bytes, NULL), 0);
		/* gzip's header has fields that nothing checks. */
		for (size_t at = 10; at < bytes.len; at += 7) {
			struct error err = ERROR_INIT;
			bytes.data[at] ^= 0x10;
			int ret = import_bytes(fixture->graph, "demo", bytes.data, bytes.len, 4096,
					       id, &err);
			bytes.data[at] ^= 0x10;
			if (ret == 0) {
				print_message("%s flipped at %zu of %zu\n", packers[i], at,
					      bytes.len);
				assert_int_equal(count_entries(fixture, "images/layers"), 1);
				assert_int_equal(graph_untag(fixture->graph, "demo", NULL, &err),
						 0);
			} else {
				assert_int_equal(ret, -EINVAL);
			}
		}
	}
}

static void test_given_up(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct import *import;

	graph_import_abort(NULL);
	assert_int_equal(graph_import_begin(fixture->graph, "a", &import, &err), 0);
	graph_import_abort(import);
	for (int i = 0; i < 100; i++) {
		char name[32];
		snprintf(name, sizeof(name), "dir%d/f", i);
		tar_file(&tar, name, "content");
	}
	assert_int_equal(graph_import_begin(fixture->graph, "a", &import, &err), 0);
	assert_int_equal(graph_import_write(import, 0, tar.data, tar.len, &err), 0);
	graph_import_abort(import);
	assert_store_empty(fixture);
}

/* The unpacker has failed while there is much to come: the next write says so and
 * does not wait for room. */
static void test_early_failure(void **state)
{
	struct fixture *fixture = *state;
	struct error err = ERROR_INIT;
	struct import *import;
	char *bytes auto_free = malloc(1 << 20);
	int ret = 0;

	assert_non_null(bytes);
	memset(bytes, 'x', 1 << 20);
	assert_int_equal(graph_import_begin(fixture->graph, "a", &import, &err), 0);
	for (unsigned i = 0; ret == 0; i++) {
		assert_true(i < 16);
		ret = graph_import_write(import, (uint64_t)i << 20, bytes, 1 << 20, &err);
	}
	assert_error(ret, &err, EINVAL, "not a tar archive, nor one compressed in a known way");
	graph_import_abort(import);
	assert_store_empty(fixture);
}

static void test_full_disk(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char command[200], id[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;
	char *big auto_free = calloc(1, 3 << 20);

	memset(big, 'x', (3 << 20) - 1);
	tar_file(&tar, "big", big);
	tar_end(&tar);
	graph_close(fixture->graph);
	run(fixture, "rm -r images && mkdir images && mount -t tmpfs -o size=4m none images");
	open_graph(fixture);
	int ret = import_tar(fixture->graph, "a", &tar, id, &err);
	assert_int_equal(ret, -ENOSPC);
	assert_string_not_equal(err.msg, "");
	assert_store_empty(fixture);
	graph_close(fixture->graph);
	snprintf(command, sizeof(command), "umount images");
	run(fixture, command);
	open_graph(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_image),      TEST(test_layer_shared),      TEST(test_kinds),
		TEST(test_names),      TEST(test_attributes),        TEST(test_whiteouts),
		TEST(test_replacing),  TEST(test_links_stay_inside), TEST(test_small_writes),
		TEST(test_holes),      TEST(test_going_back),        TEST(test_bad_name),
		TEST(test_taken_name), TEST(test_cut_off),           TEST(test_flipped),
		TEST(test_given_up),   TEST(test_early_failure),     TEST(test_full_disk),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
