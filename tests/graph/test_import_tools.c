/* Archives that the machine's tools write: every compression, and what GNU tar makes of a tree.
 *
 * ctest-labels: threads
 */
#include "tests/graph/fixture.h"

static void test_compressions(void **state)
{
	static const struct {
		const char *command;
		const char *media;
	} cases[] = {
		{ "gzip", "+gzip" },
		{ "bzip2", "+bzip2" },
		{ "xz -T1", "+xz" },
		{ "zstd -q", "+zstd" },
		{ "lz4 -q", "+lz4" },
		{ "xz --format=lzma", "+lzma" },
		/* Two members are one stream. */
		{ "head -c 3000 plain.tar | gzip; tail -c +3001 plain.tar | gzip", "+gzip" },
		{ "head -c 3000 plain.tar | bzip2; tail -c +3001 plain.tar | bzip2", "+bzip2" },
		{ "head -c 3000 plain.tar | xz; tail -c +3001 plain.tar | xz", "+xz" },
		{ "head -c 3000 plain.tar | zstd -q; printf 'P*M\\030\\004\\0\\0\\0skip';"
		  "tail -c +3001 plain.tar | zstd -q",
		  "+zstd" },
		{ "printf 'P*M\\030\\004\\0\\0\\0skip'; zstd -q", "+zstd" },
		/* Padding to a tape's record. */
		{ "gzip | dd bs=10240 iflag=fullblock conv=sync status=none", "+gzip" },
		{ "bzip2 | dd bs=10240 iflag=fullblock conv=sync status=none", "+bzip2" },
	};
	struct fixture *fixture = *state;
	char diff_id[GRAPH_ID_SIZE] = "";

	run(fixture, "mkdir -p t/etc && seq 100000 > t/etc/numbers && tar cf plain.tar -C t .");
	import_file(fixture, "plain.tar", "plain", 1 << 20);
	struct image *plain AUTO(image_unref) = graph_find_image(fixture->graph, "plain", NULL);
	memcpy(diff_id, plain->diff_ids[0], sizeof(diff_id));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char command[200], name[32];
		print_message("%s\n", cases[i].command);
		snprintf(command, sizeof(command), "(%s) < plain.tar > packed", cases[i].command);
		run(fixture, command);
		snprintf(name, sizeof(name), "packed:%zu", i);
		import_file(fixture, "packed", name, 4096);
		struct image *image AUTO(image_unref) =
			graph_find_image(fixture->graph, name, NULL);
		assert_string_equal(image->diff_ids[0], diff_id);
		json_t *layer = json_array_get(json_get_array(image->manifest, "layers"), 0);
		assert_string_equal(strchr(json_get_str(layer, "mediaType", "+"), '+'),
				    cases[i].media);
	}
	assert_int_equal(count_entries(fixture, "images/layers"), 1);
}

/* What GNU tar makes of a tree with everything in it is what comes out. */
static void test_gnu_tar(void **state)
{
	struct fixture *fixture = *state;
	static const char *const formats[] = {
		"gnu --sparse",
		"pax --sparse",
		"ustar --exclude=sparse --exclude=0*",
		"v7 --exclude=sparse --exclude=null --exclude=fifo --exclude=0*",
	};
	struct stat st;

	run(fixture,
	    "mkdir -p t/d && cd t && seq 1000 > f && ln f hard && ln f d/far && ln -s f soft && "
	    "mkdir -p $(printf %0200d 1)/$(printf %0200d 2) && "
	    "chmod 4755 f && mkfifo fifo && mknod null c 1 3 && chown 1000:2000 d && "
	    "truncate -s 100M sparse && echo end >> sparse && "
	    "echo mid | dd of=sparse seek=50M oflag=seek_bytes conv=notrunc status=none && "
	    "touch -d @1500000000.5 d f hard soft");
	for (size_t i = 0; i < 4; i++) {
		char command[1000], name[32];
		snprintf(command, sizeof(command),
			 "tar -c --numeric-owner --format=%s -C t -f t.tar .", formats[i]);
		run(fixture, command);
		snprintf(name, sizeof(name), "tar:%zu", i);
		import_file(fixture, "t.tar", name, 1 << 20);
		auto_fd int fd = open_layer(fixture, name);
		snprintf(command, sizeof(command),
			 "ls t > want && ls /proc/%d/fd/%d/ > got && diff -r --no-dereference "
			 "-x null -x fifo %s t /proc/%d/fd/%d/",
			 getpid(), fd, i >= 2 ? "-x sparse -x '0*'" : "", getpid(), fd);
		run(fixture, command);
		assert_int_equal(fstatat(fd, "d", &st, 0), 0);
		assert_int_equal(st.st_uid, 1000);
		assert_int_equal(st.st_gid, 2000);
		assert_int_equal(st.st_mtime, 1500000000);
		if (i < 2) {
			assert_int_equal(fstatat(fd, "sparse", &st, 0), 0);
			assert_int_equal(st.st_size, 100 * 1024 * 1024 + 4);
			assert_true(st.st_blocks < 1000);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_compressions),
		TEST(test_gnu_tar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
