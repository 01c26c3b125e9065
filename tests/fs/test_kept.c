/* Small texts that outlive the engine, and the passing links that are kept among them.
 */
#include "fs/kept.h"
#include "fs/node.h"
#include "fs/slots.h"
#include "fs/templink.h"

#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 64 /* at a time: templink.h */

static struct kept *open_kept(int fd)
{
	struct error err = ERROR_INIT;
	struct kept *kept = NULL;

	assert_ok(kept_open(fd, &kept, &err), &err);
	return kept;
}

static int make_memory(void)
{
	struct error err = ERROR_INIT;
	int fd = slots_new_memory("test", &err);

	assert_true(fd >= 0);
	return fd;
}

static void check_text(struct kept *kept, uint64_t number, const char *want)
{
	auto_free char *text = kept_dup(kept, number);

	if (!want)
		assert_null(text);
	else
		assert_string_equal(text, want);
}

static void put(struct kept *kept, uint64_t number, const char *text, const char *want_old)
{
	auto_free char *old = NULL;
	bool changed = kept_put(kept, number, text, text ? strlen(text) : 0, &old);

	assert_int_equal(changed, want_old != NULL);
	if (want_old)
		assert_string_equal(old, want_old);
}

/* --- kept.c ------------------------------------------------------------------------- */

static void test_texts(void **state)
{
	auto_fd int fd = make_memory();
	AUTO(kept_close) struct kept *kept = open_kept(fd);

	(void)state;
	check_text(kept, 1, NULL);
	put(kept, 1, NULL, NULL);
	put(kept, 1, "web", NULL);
	put(kept, 1, "web", NULL);
	put(kept, 1, "db", "web");
	put(kept, KEPT_LINKS | 1, "other", NULL);
	check_text(kept, 1, "db");
	put(kept, 1, NULL, "db");
	check_text(kept, 1, NULL);
	check_text(kept, KEPT_LINKS | 1, "other");
	/* Zero is a number, and nothing is a text. */
	put(kept, 0, "", NULL);
	check_text(kept, 0, "");
	put(kept, 0, "x", "");
}

/* The next engine finds them; what it takes away the one after does not. */
static void test_next_engine(void **state)
{
	auto_fd int fd = make_memory();
	struct kept *kept = open_kept(fd);

	(void)state;
	put(kept, 0, "zero", NULL);
	put(kept, 5, "a longer text than before", NULL);
	put(kept, KEPT_UNTOLD | 7, "seven", NULL);
	kept_close(kept);
	kept = open_kept(fd);
	check_text(kept, 0, "zero");
	check_text(kept, 5, "a longer text than before");
	put(kept, 5, NULL, "a longer text than before");
	put(kept, KEPT_UNTOLD | 7, "eight", "seven");
	kept_close(kept);
	kept = open_kept(fd);
	check_text(kept, 5, NULL);
	check_text(kept, KEPT_UNTOLD | 7, "eight");
	kept_close(kept);
}

static void collect(void *arg, uint64_t number, const char *text, size_t len)
{
	char line[80];

	assert_int_equal(text[len], '\0');
	(void)snprintf(line, sizeof(line), "%lu=%zu:%s ", (unsigned long)(number & ~KEPT_KIND_MASK),
		       len, text);
	strbuf_append_str(arg, line);
}

static void test_visit(void **state)
{
	auto_fd int fd = make_memory();
	AUTO(kept_close) struct kept *kept = open_kept(fd);
	AUTO(strbuf_deinit) struct strbuf seen = STRBUF_INIT;

	(void)state;
	put(kept, 3, "name", NULL);
	put(kept, KEPT_UNTOLD | 3, "untold", NULL);
	kept_put(kept, KEPT_LINKS | 3, "path\0target", 11, NULL);
	kept_visit(kept, KEPT_LINKS, collect, &seen);
	assert_string_equal(strbuf_get_str(&seen), "3=11:path ");
	kept_visit(kept, KEPT_NAMES, collect, &seen);
	assert_string_equal(strbuf_get_str(&seen), "3=11:path 3=4:name ");
}

static int attempt(void *arg)
{
	AUTO(kept_close) struct kept *kept = NULL;
	auto_free char *text = NULL;
	int r = kept_open(*(int *)arg, &kept, NULL);

	if (r < 0)
		return r;
	kept_put(kept, 1, "one", 3, NULL);
	text = kept_dup(kept, 1);
	/* What cannot be kept is not: the text is whole or not there. */
	assert_true(!text || strcmp(text, "one") == 0);
	return text ? 0 : -ENOMEM;
}

static void test_no_memory(void **state)
{
	auto_fd int fd = make_memory();

	(void)state;
	assert_true(alloc_sweep(attempt, &fd) > 2);
}

/* --- templink.c --------------------------------------------------------------------- */

static struct templinks *open_links(struct kept *kept)
{
	struct templinks *links = NULL;
	struct error err = ERROR_INIT;

	assert_ok(templinks_new(kept, &links, &err), &err);
	return links;
}

static void check_link(struct templinks *links, const char *path, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf target = STRBUF_INIT;
	int r = templinks_read(links, node_hash_name(path), &target);

	assert_int_equal(r, want ? 0 : -ENOENT);
	assert_string_equal(strbuf_get_str(&target), want ? want : "");
	assert_int_equal(templinks_has(links, path), want != NULL);
}

static void test_links(void **state)
{
	auto_fd int fd = make_memory();
	struct kept *kept = open_kept(fd);
	struct templinks *links = open_links(kept);
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(templinks_add(links, "CuAAAAAA", "demo:1", &err), &err);
	assert_ok(templinks_add(links, "team/CuBBBBBB", "../demo:2", &err), &err);
	assert_error(templinks_add(links, "CuAAAAAA", "x", &err), &err, EEXIST,
		     "the link 'CuAAAAAA' exists");
	check_link(links, "CuAAAAAA", "demo:1");
	check_link(links, "CuCCCCCC", NULL);
	/* Another engine renames it. */
	templinks_free(links);
	kept_close(kept);
	kept = open_kept(fd);
	links = open_links(kept);
	check_link(links, "CuAAAAAA", "demo:1");
	assert_true(templinks_remove(links, "CuAAAAAA"));
	assert_false(templinks_remove(links, "CuAAAAAA"));
	templinks_free(links);
	links = open_links(kept);
	check_link(links, "CuAAAAAA", NULL);
	check_link(links, "team/CuBBBBBB", "../demo:2");
	templinks_free(links);
	kept_close(kept);
}

static void test_many_links(void **state)
{
	auto_fd int fd = make_memory();
	AUTO(kept_close) struct kept *kept = open_kept(fd);
	struct templinks *links = open_links(kept);
	struct error err = ERROR_INIT;
	char path[16];

	(void)state;
	for (int i = 0; i < LINKS_MAX; i++) {
		(void)snprintf(path, sizeof(path), "Cu%06d", i);
		assert_ok(templinks_add(links, path, "demo:1", &err), &err);
	}
	assert_ok(templinks_add(links, "CuAAAAAA", "x", &err), &err);
	check_link(links, "Cu000000", NULL);
	check_link(links, "Cu000001", "demo:1");
	check_link(links, path, "demo:1");
	assert_ok(templinks_add(links, "CuBBBBBB", "x", &err), &err);
	check_link(links, "Cu000001", NULL);
	check_link(links, "CuAAAAAA", "x");
	templinks_free(links);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts), cmocka_unit_test(test_next_engine),
		cmocka_unit_test(test_visit), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_links), cmocka_unit_test(test_many_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
