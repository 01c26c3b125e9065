/* What docker save wrote before Docker 1.10, and names that stand in an archive twice. */
#include "tests/graph/archive_maker.h"
#include "tests/graph/fixture.h"

/* Directory number `id` of the archive: a layer of one file, or an empty one; more goes into its json. */
static void tar_v1(struct strbuf *tar, int id, const char *content, const char *more)
{
	AUTO(strbuf_deinit) struct strbuf layer = STRBUF_INIT, json = STRBUF_INIT;
	char path[100];

	if (content)
		make_layer(&layer, content, content);
	else
		tar_end(&layer);
	snprintf(path, sizeof(path), "%064d/", id);
	tar_dir(tar, path);
	snprintf(path, sizeof(path), "%064d/VERSION", id);
	tar_file(tar, path, "1.0");
	strbuf_appendf(
		&json,
		"{\"id\":\"%064d\",\"created\":\"2014-01-0%dT00:00:00Z\",\"Size\":7,"
		"\"container_config\":{\"Cmd\":[\"/bin/sh\",\"-c\",\"make %d\"]},"
		"\"config\":{\"Env\":[\"N=%d\"]},\"os\":\"linux\",\"architecture\":\"amd64\"%s}",
		id, id, id, id, more);
	snprintf(path, sizeof(path), "%064d/json", id);
	tar_bytes(tar, path, &json);
	snprintf(path, sizeof(path), "%064d/layer.tar", id);
	tar_bytes(tar, path, &layer);
}

static void tar_on(struct strbuf *tar, int id, int parent, const char *content)
{
	char more[120];

	snprintf(more, sizeof(more), ",\"parent\":\"%064d\"", parent);
	tar_v1(tar, id, content, more);
}

static void tar_repositories(struct strbuf *tar, const char *text)
{
	tar_file(tar, "repositories", text);
	tar_end(tar);
}

static void test_chain(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, ids = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;
	struct error err = ERROR_INIT;

	/* 3 on 2 on 1, 4 on 1: of the first and of 2 there are names, nobody builds on 4. */
	tar_on(&tar, 3, 2, "three");
	tar_on(&tar, 2, 1, NULL);
	tar_v1(&tar, 1, "one", "");
	tar_on(&tar, 4, 1, "four");
	strbuf_appendf(&names, "{\"host:5/team/a\":{\"1\":\"%064d\",\"2\":\"%064d\"}}", 3, 2);
	tar_repositories(&tar, strbuf_get_str(&names));
	assert_ok(load_bytes(fixture->graph, &tar, &ids, &err), &err);
	assert_int_equal(ids.len, 3 * GRAPH_ID_SIZE);
	assert_string_equal(fixture->events, "load(host:5/team/a:1) load(host:5/team/a:2) load() "
					     "tag(host:5/team/a:1) tag(host:5/team/a:2) ");
	struct image *image AUTO(image_unref) =
		graph_find_image(fixture->graph, "host:5/team/a:1", &err);
	assert_int_equal(image->layer_count, 3);
	assert_int_equal(image->size_bytes, 8);
	assert_null(json_object_get(image->config, "id"));
	assert_null(json_object_get(image->config, "parent"));
	assert_null(json_object_get(image->config, "Size"));
	json_t *history = json_get_array(image->config, "history");
	assert_int_equal(json_array_size(history), 3);
	for (size_t i = 0; i < 3; i++) {
		char command[40];

		snprintf(command, sizeof(command), "/bin/sh -c make %zu", i + 1);
		assert_string_equal(json_get_str(json_array_get(history, i), "created_by", ""),
				    command);
	}
	json_t *env = json_get_array(json_get_object(image->config, "config"), "Env");
	assert_string_equal(json_string_value(json_array_get(env, 0)), "N=3");
	struct image *other AUTO(image_unref) =
		graph_find_image(fixture->graph, "host:5/team/a:2", &err);
	assert_int_equal(other->layer_count, 2);
	assert_string_equal(other->diff_ids[0], image->diff_ids[0]);
	/* The same archive again is the same images. */
	assert_ok(load_bytes(fixture->graph, &tar, &ids, &err), &err);
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) =
		graph_get_snapshot(fixture->graph);
	assert_int_equal(snapshot->image_count, 3);
}

/* docker save of an id had no names at all. */
static void test_nameless(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char id[GRAPH_ID_SIZE];

	tar_v1(&tar, 1, "one", "");
	tar_on(&tar, 2, 1, "two");
	tar_end(&tar);
	assert_ok(import_tar(fixture->graph, "mine", &tar, id, &err), &err);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "mine", &err);
	assert_int_equal(image->layer_count, 2);
}

static void refuse(struct fixture *fixture, const struct strbuf *tar, const char *sentence)
{
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_int_equal(load_bytes(fixture->graph, tar, &ids, &err), -EINVAL);
	if (!strstr(err.msg, sentence))
		print_message("'%s' where '%s' was expected\n", err.msg, sentence);
	assert_non_null(strstr(err.msg, sentence));
	assert_store_empty(fixture);
}

static void test_bad(void **state)
{
	AUTO(strbuf_deinit) struct strbuf orphan = STRBUF_INIT, circle = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf wrong = STRBUF_INIT, list = STRBUF_INIT;
	char names[120], path[100];

	snprintf(names, sizeof(names), "{\"a\":{\"1\":\"%064d\"}}", 2);
	tar_on(&orphan, 2, 1, "two");
	tar_repositories(&orphan, names);
	refuse(*state, &orphan, "the archive has no image '000000000000', on which");
	tar_on(&circle, 1, 2, "one");
	tar_on(&circle, 2, 1, "two");
	tar_repositories(&circle, names);
	refuse(*state, &circle, "has more than 1024 layers");
	tar_v1(&wrong, 1, "one", "");
	tar_repositories(&wrong, names);
	refuse(*state, &wrong, "repositories: the archive has no image '0");
	tar_v1(&list, 1, "one", "");
	snprintf(path, sizeof(path), "%064d/json", 1);
	tar_file(&list, path, "[]");
	tar_end(&list);
	refuse(*state, &list, "its json is no object");
}

/* The last one has it, as with every other load. */
static void test_one_name_twice(void **state)
{
	struct fixture *fixture = *state;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT, ids = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf index = STRBUF_INIT;
	static const char name[] = ",\"annotations\":{\"io.containerd.image.name\":\"a:1\"}";
	struct error err = ERROR_INIT;
	struct made_image a, b;

	make_image(&a, "a", "of a");
	make_image(&b, "b", "of b");
	strbuf_append_str(&index, "{\"manifests\":[");
	append_descriptor(&index, &a.manifest, name);
	strbuf_append_str(&index, ",");
	append_descriptor(&index, &b.manifest, name);
	strbuf_append_str(&index, ",");
	append_descriptor(&index, &b.manifest, name);
	strbuf_append_str(&index, "]}");
	tar_bytes(&tar, "index.json", &index);
	tar_image_blobs(&tar, &a);
	tar_image_blobs(&tar, &b);
	tar_end(&tar);
	assert_ok(load_bytes(fixture->graph, &tar, &ids, &err), &err);
	assert_int_equal(ids.len, 2 * GRAPH_ID_SIZE);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "a:1", &err);
	assert_string_equal(image->id, b.id);
	made_image_deinit(&a);
	made_image_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_chain),
		TEST(test_nameless),
		TEST(test_bad),
		TEST(test_one_name_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
