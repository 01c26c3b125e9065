/* Every archive in tests/bad/archives/ is imported: NAME.* gives what NAME.expect
 * says, the name of an errno and the sentence in the next line, or "OK" for one
 * that is odd but harmless. Whatever it is, nothing outside the layer has changed,
 * and a refused one leaves nothing.
 */
#include "tests/graph/fixture.h"

#define ARCHIVES TEST_SOURCE_DIR "/bad/archives"

static const struct {
	const char *name;
	int code;
} codes[] = { { "OK", 0 }, { "EINVAL", EINVAL }, { "ENAMETOOLONG", ENAMETOOLONG } };

/* The first line's number; *text goes on behind it, without the last newline. */
static int take_code(char **text)
{
	char *line = strsep(text, "\n");
	if (*text)
		(*text)[strcspn(*text, "\n")] = '\0';
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (strcmp(line, codes[i].name) == 0)
			return codes[i].code;
	fail_msg("unknown code '%s'", line);
	return 0;
}

/* Names, kinds, sizes and times of all around the store. */
static void note_surroundings(const struct fixture *fixture, const char *to)
{
	char command[600];
	snprintf(command, sizeof(command),
		 "(find . -path ./images -prune -o ! -name 'around-*' ! -name . -printf "
		 "'%%p %%y %%s %%T@ %%i\\n' | sort; stat -c '%%n %%Y %%s' /etc/passwd /etc/shadow; "
		 "ls -d /tmp/escape /escape* /etc/escape 2>&1) > %s; true",
		 to);
	run(fixture, command);
}

static void check_case(struct fixture *fixture, int dir_fd, const char *file)
{
	AUTO(strbuf_deinit) struct strbuf bytes = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf expect = STRBUF_INIT;
	char name[256], id[GRAPH_ID_SIZE];
	struct error err = ERROR_INIT;

	snprintf(name, sizeof(name), "%.*s.expect", (int)strcspn(file, "."), file);
	assert_int_equal(path_read_file(dir_fd, name, 4096, &expect, NULL), 0);
	assert_int_equal(path_read_file(dir_fd, file, 1 << 20, &bytes, NULL), 0);
	char *sentence = expect.data;
	int code = take_code(&sentence);
	int ret = import_bytes(fixture->graph, "bad", bytes.data, bytes.len, 700, id, &err);
	if (ret != -code || strcmp(err.msg, sentence ? sentence : "") != 0)
		print_message("%s: %d '%s'\n", file, ret, err.msg);
	assert_int_equal(ret, -code);
	assert_string_equal(err.msg, sentence ? sentence : "");
	if (ret == 0) {
		auto_fd int layer = open_layer(fixture, "bad");
		assert_int_equal(faccessat(layer, "sda/..", F_OK, 0), -1);
		assert_int_equal(graph_untag(fixture->graph, "bad", NULL, NULL), 0);
	}
}

static void test_archives(void **state)
{
	struct fixture *fixture = *state;
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };
	auto_fd int fd = open(ARCHIVES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t count = 0;

	assert_true(fd >= 0);
	assert_int_equal(path_list_dir(fd, &list, NULL), 0);
	note_surroundings(fixture, "around-before");
	for (size_t i = 0; i < list.count; i++) {
		if (strstr(list.names[i], ".expect") || strcmp(list.names[i], "README") == 0)
			continue;
		check_case(fixture, fd, list.names[i]);
		count++;
	}
	assert_true(count >= 50);
	note_surroundings(fixture, "around-after");
	run(fixture, "cmp around-before around-after");
	assert_store_empty(fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_archives) };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
