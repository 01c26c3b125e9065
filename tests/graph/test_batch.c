/* Batches: digests that must match, what is kept in the store, all images or none. */
#include "graph/batch.h"
#include "graph/describe.h"
#include "tests/graph/fixture.h"

static void make_tar(struct strbuf *tar, const char *content)
{
	tar_file(tar, "file", content);
	tar_end(tar);
}

/* A layer of one file, by a stream. */
static int take_layer(struct batch *batch, const char *content, const char *want,
		      const char *want_diff_id, struct batch_layer *ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	struct intake *intake = NULL;

	*err = (struct error)ERROR_INIT;
	make_tar(&tar, content);
	assert_int_equal(intake_begin(batch, &intake, err), 0);
	assert_int_equal(intake_write(intake, tar.data, tar.len, err), 0);
	return intake_finish(intake, want, want_diff_id, ret, err);
}

static void add_image(struct batch *batch, const struct batch_layer *layer, const char *message,
		      const char *name)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT, manifest = STRBUF_INIT;
	char config_digest[DIGEST_SIZE], manifest_digest[DIGEST_SIZE], id[GRAPH_ID_SIZE];
	json_t *layers auto_json = json_array();
	struct error err = ERROR_INIT;
	struct platform platform;
	size_t image;

	json_array_append_new(layers, describe_layer(layer));
	assert_ok(platform_parse(NULL, &platform, &err), &err);
	assert_ok(describe_import(&(struct describe_import){ .layer = layer,
							     .comment = message,
							     .platform = &platform,
							     .now_ns = 1 },
				  &config, &err),
		  &err);
	assert_ok(describe_manifest(&config, layers, &manifest, &err), &err);
	assert_ok(batch_put_text(batch, config.data, config.len, config_digest, &err), &err);
	assert_ok(batch_put_text(batch, manifest.data, manifest.len, manifest_digest, &err), &err);
	assert_ok(batch_add_image(batch, config_digest, manifest_digest, &image, id, &err), &err);
	assert_string_equal(id, config_digest);
	assert_ok(batch_add_tag(batch, image, name, &err), &err);
}

static void test_wrong_digests(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch AUTO(batch_free) = NULL;
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	char right[DIGEST_SIZE], wrong[DIGEST_SIZE];
	struct batch_layer layer;
	struct error err = ERROR_INIT;

	make_tar(&tar, "hello");
	assert_ok(digest_compute(tar.data, tar.len, right, &err), &err);
	memset(wrong, 'a', DIGEST_SIZE - 1);
	wrong[DIGEST_SIZE - 1] = '\0';
	assert_ok(batch_new(fixture->graph, &batch, &err), &err);

	assert_int_equal(take_layer(batch, "hello", wrong, NULL, &layer, &err), -EBADMSG);
	assert_non_null(strstr(err.msg, right));
	assert_non_null(strstr(err.msg, wrong));
	assert_int_equal(take_layer(batch, "hello", right, wrong, &layer, &err), -EBADMSG);
	assert_false(batch_has_layer(batch, right, NULL));
	assert_int_equal(take_layer(batch, "hello", right, right, &layer, &err), 0);
	assert_true(batch_has_layer(batch, right, NULL));
	assert_true(batch_has_blob(batch, right));

	/* From the blob again: the same layer. */
	assert_ok(batch_unpack_blob(batch, right, right, &layer, &err), &err);
	assert_int_equal(layer.size_bytes, 5);
	assert_int_equal(batch_unpack_blob(batch, right, wrong, &layer, &err), -EBADMSG);
	err = (struct error)ERROR_INIT;
	assert_int_equal(batch_unpack_blob(batch, wrong, NULL, &layer, &err), -ENOENT);
	batch_free(steal_ptr(&batch));
	assert_store_empty(fixture);
}

static void test_several_images(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch AUTO(batch_free) = NULL;
	struct batch_layer a, b;
	struct error err = ERROR_INIT;

	assert_ok(batch_new(fixture->graph, &batch, &err), &err);
	assert_int_equal(take_layer(batch, "a", NULL, NULL, &a, &err), 0);
	assert_int_equal(take_layer(batch, "bb", NULL, NULL, &b, &err), 0);
	add_image(batch, &a, "first", "one:1");
	add_image(batch, &b, "second", "two:1");
	assert_ok(batch_publish(batch, false, "load", &err), &err);
	assert_string_equal(fixture->events, "load(one:1) load(two:1) tag(one:1) tag(two:1) ");
	batch_free(steal_ptr(&batch));

	graph_close(fixture->graph);
	open_graph(fixture);
	struct image *image AUTO(image_unref) = graph_find_image(fixture->graph, "two:1", &err);
	assert_non_null(image);
	assert_int_equal(image->layer_sizes[0], 2);
	assert_int_equal(image->size_bytes, 2);
}

/* One tag of two is taken: neither image comes. */
static void test_all_or_nothing(void **state)
{
	struct fixture *fixture = *state;
	struct batch_layer layer;
	struct error err = ERROR_INIT;

	for (int round = 0; round < 2; round++) {
		struct batch *batch AUTO(batch_free) = NULL;
		struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = NULL;

		assert_ok(batch_new(fixture->graph, &batch, &err), &err);
		assert_int_equal(
			take_layer(batch, round ? "other" : "same", NULL, NULL, &layer, &err), 0);
		if (round)
			add_image(batch, &layer, "new", "free:1");
		add_image(batch, &layer, "taken", "taken:1");
		assert_int_equal(batch_publish(batch, false, "load", &err), round ? -EEXIST : 0);
		batch_free(steal_ptr(&batch));
		snapshot = graph_get_snapshot(fixture->graph);
		assert_int_equal(snapshot->image_count, 1);
		assert_int_equal(snapshot->tag_count, 1);
		assert_int_equal(count_entries(fixture, "images/layers"), 1);
		assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 3);
	}
}

/* What a batch has found stays when the image that brought it goes. */
static void test_kept(void **state)
{
	struct fixture *fixture = *state;
	struct batch *batch AUTO(batch_free) = NULL, *later AUTO(batch_free) = NULL;
	struct batch_layer layer;
	struct error err = ERROR_INIT;
	int64_t size_bytes = 0;

	assert_ok(batch_new(fixture->graph, &batch, &err), &err);
	assert_int_equal(take_layer(batch, "shared", NULL, NULL, &layer, &err), 0);
	add_image(batch, &layer, "first", "one:1");
	assert_ok(batch_publish(batch, false, "load", &err), &err);

	assert_ok(batch_new(fixture->graph, &later, &err), &err);
	assert_true(batch_has_layer(later, layer.diff_id, &size_bytes));
	assert_int_equal(size_bytes, 6);
	assert_true(batch_has_blob(later, layer.digest));
	add_image(later, &layer, "second", "two:1");
	assert_ok(graph_untag(fixture->graph, "one:1", NULL, &err), &err);
	assert_ok(batch_publish(later, false, "load", &err), &err);
	batch_free(steal_ptr(&later));
	assert_int_equal(count_entries(fixture, "images/layers"), 1);

	assert_ok(graph_untag(fixture->graph, "two:1", NULL, &err), &err);
	assert_int_equal(count_entries(fixture, "images/layers"), 0);
	assert_int_equal(count_entries(fixture, "images/blobs/sha256"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_digests),
		TEST(test_several_images),
		TEST(test_all_or_nothing),
		TEST(test_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
