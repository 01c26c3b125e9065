/* A store of its own for each test, and what tests ask of it. */
#ifndef TESTS_GRAPH_FIXTURE_H
#define TESTS_GRAPH_FIXTURE_H

#include "base/path.h"
#include "tests/graph/tar_maker.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

struct fixture {
	char path[64];
	int fd; /* scratch directory; the store is "images" in it */
	char root[96];
	struct graph *graph;
	char events[1000];
	char user[32]; /* the container that uses every image; "" for none */
};

static inline void note_change(void *arg, const char *action, const char *image_id,
			       const char *name)
{
	struct fixture *fixture = arg;
	size_t len = strlen(fixture->events);
	assert_int_equal(strlen(image_id), 64);
	snprintf(fixture->events + len, sizeof(fixture->events) - len, "%s(%s) ", action, name);
}

static inline const char *find_user(void *arg, const char *image_id)
{
	struct fixture *fixture = arg;
	assert_int_equal(strlen(image_id), 64);
	return *fixture->user ? fixture->user : NULL;
}

static inline void open_graph(struct fixture *fixture)
{
	struct graph_options options = {
		.root = fixture->root,
		.on_change = note_change,
		.find_user = find_user,
		.arg = fixture,
	};
	struct error err = ERROR_INIT;
	int ret = graph_open(&options, &fixture->graph, &err);
	assert_ok(ret, &err);
}

static inline int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	fixture->fd = test_make_dir(fixture->path);
	snprintf(fixture->root, sizeof(fixture->root), "%s/images", fixture->path);
	open_graph(fixture);
	*state = fixture;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *fixture = *state;
	graph_close(fixture->graph);
	test_remove_dir(fixture->fd, fixture->path);
	free(fixture);
	return 0;
}

static inline size_t count_entries(const struct fixture *fixture, const char *dir)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };
	auto_fd int fd = openat(fixture->fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(path_list_dir(fd, &list, NULL), 0);
	return list.count;
}

/* Nothing of a failed import. */
static inline void assert_store_empty(struct fixture *fixture)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	assert_int_equal(snapshot->image_count, 0);
	assert_int_equal(snapshot->tag_count, 0);
	assert_int_equal(count_entries(fixture, "images/layers"), 0);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 0);
	/* The directory that the sweep put rubbish into may be there for a moment. */
	graph_close(fixture->graph);
	assert_int_equal(count_entries(fixture, "images/tmp"), 0);
	open_graph(fixture);
}

/* The directory of the one layer of an image. */
static inline int open_layer(struct fixture *fixture, const char *ref)
{
	struct error err = ERROR_INIT;
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, ref, &err);
	assert_string_equal(err.msg, "");
	assert_int_equal(image->layer_count, 1);
	int fd = openat(graph_get_layers_fd(fixture->graph), image->diff_ids[0],
			O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline void assert_content(int dir_fd, const char *path, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret = path_read_file(dir_fd, path, 1 << 20, &text, &err);
	assert_ok(ret, &err);
	assert_string_equal(strbuf_get_str(&text), want);
}

static inline void run(const struct fixture *fixture, const char *command)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	strbuf_appendf(&text, "cd %s && %s", fixture->path, command);
	/* NOLINTNEXTLINE(cert-env33-c): tools of the machine make the archives. */
	assert_int_equal(system(strbuf_get_str(&text)), 0);
}

/* What is in a file of the scratch directory, in writes of step. */
static inline void import_file(struct fixture *fixture, const char *file, const char *name,
			       size_t step)
{
	AUTO(strbuf_deinit) struct strbuf bytes = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char id[GRAPH_ID_SIZE];

	int ret = path_read_file(fixture->fd, file, 64 << 20, &bytes, &err);
	assert_ok(ret, &err);
	ret = import_bytes(fixture->graph, name, bytes.data, bytes.len, step, id, &err);
	assert_ok(ret, &err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
