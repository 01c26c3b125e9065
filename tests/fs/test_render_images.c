/* Tables of images and of their history, tags and layers. */
#include "tests/fs/views.h"

#include "tests/alloc_sweep.h"

#define ID_C "cccc000011112222333344445555666677778888999900001111222233334444"

static char some_diff_ids[2][GRAPH_ID_SIZE] = { ID_A, ID_B };

/* Three images: one with two tags, one older with one, the oldest with none. */
struct store {
	struct image images[3];
	int64_t layer_sizes[3][2];
	struct image *pointers[3];
	struct tag tags[3];
	struct graph_snapshot snapshot;
};

static struct image make_image(const char *id, int64_t age_s, int64_t size_bytes)
{
	struct image image = { .size_bytes = size_bytes,
			       .created_ns = NOW - age_s * S,
			       .layer_count = 1,
			       .diff_ids = some_diff_ids };

	snprintf(image.id, sizeof(image.id), "%s", id);
	return image;
}

static int set_up(void **state)
{
	static struct store store;
	static char demo1[] = "demo:1", team[] = "localhost:5000/team/app:1.2",
		    latest[] = "demo:latest";

	store.images[0] = make_image(ID_A, 60, 4260000);
	store.images[1] = make_image(ID_B, 3 * 24 * 3600, 999);
	store.images[2] = make_image(ID_C, 0, 0);
	store.images[2].created_ns = 0;
	for (int i = 0; i < 3; i++) {
		store.pointers[i] = &store.images[i];
		store.layer_sizes[i][0] = store.images[i].size_bytes;
		store.images[i].layer_sizes = store.layer_sizes[i];
	}
	store.tags[0] = (struct tag){ demo1, &store.images[1], NOW };
	store.tags[1] = (struct tag){ latest, &store.images[0], NOW };
	store.tags[2] = (struct tag){ team, &store.images[0], NOW };
	store.snapshot = (struct graph_snapshot){
		.image_count = 3, .images = store.pointers, .tag_count = 3, .tags = store.tags
	};
	*state = &store;
	return 0;
}

static void check_images(const struct store *store, struct render_images_options options,
			 const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	render_images(&store->snapshot, &options, NOW, &out, NULL);
	assert_string_equal(strbuf_get_str(&out), expected);
}

static void test_images(void **state)
{
	struct graph_snapshot none = { .image_count = 0 };
	struct render_images_options options = { .all = false };
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	check_images(
		*state, options,
		"REPOSITORY                TAG       IMAGE ID       CREATED              SIZE\n"
		"demo                      latest    0123456789ab   About a minute ago   4.26MB\n"
		"localhost:5000/team/app   1.2       0123456789ab   About a minute ago   4.26MB\n"
		"demo                      1         fedcba987654   3 days ago           999B\n"
		"<none>                    <none>    cccc00001111   N/A                  0B\n");
	render_images(&none, &options, NOW, &out, NULL);
	assert_string_equal(strbuf_get_str(&out),
			    "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n");
}

static void test_images_quiet(void **state)
{
	check_images(*state, (struct render_images_options){ .quiet = true },
		     "0123456789ab\nfedcba987654\ncccc00001111\n");
	check_images(*state, (struct render_images_options){ .quiet = true, .no_trunc = true },
		     "sha256:" ID_A "\nsha256:" ID_B "\nsha256:" ID_C "\n");
}

static void test_images_pattern(void **state)
{
	static const struct {
		const char *pattern, *ids;
	} cases[] = {
		{ "demo", "0123456789ab\nfedcba987654\n" },
		{ "demo:1", "fedcba987654\n" },
		{ "de*", "0123456789ab\nfedcba987654\n" },
		{ "*:latest", "0123456789ab\n" },
		{ "*", "0123456789ab\nfedcba987654\n" },
		{ "*/*/*", "0123456789ab\n" },
		{ "*5000*/*", "" },
		{ "localhost:5000/team/app", "0123456789ab\n" },
		{ "nope", "" },
		{ "[", "" },
		{ "", "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_images(*state,
			     (struct render_images_options){ .quiet = true,
							     .pattern = cases[i].pattern },
			     cases[i].ids);
}

static void test_sizes(void **state)
{
	static const struct {
		int64_t bytes;
		const char *text;
	} cases[] = {
		{ 0, "0B" },       { -1, "0B" },           { 999, "999B" },
		{ 1000, "1kB" },   { 1024, "1.02kB" },     { 999499, "999kB" },
		{ 999500, "1MB" }, { 77800000, "77.8MB" }, { INT64_MAX, "9.22EB" },
	};
	struct store *store = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct render_images_options options = { .pattern = "demo:1" };
		AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
		char *last;

		store->images[1].size_bytes = cases[i].bytes;
		render_images(&store->snapshot, &options, NOW, &out, NULL);
		last = strrchr(out.data, ' ');
		out.data[out.len - 1] = '\0';
		assert_string_equal(last + 1, cases[i].text);
	}
}

static void test_tags_and_layers(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct store *store = *state;

	render_image_tags(&store->images[0], &store->snapshot, &out);
	assert_string_equal(strbuf_get_str(&out), "demo:latest\nlocalhost:5000/team/app:1.2\n");
	strbuf_reset(&out);
	render_image_tags(&store->images[2], &store->snapshot, &out);
	assert_string_equal(strbuf_get_str(&out), "");
	store->images[0].layer_count = 2;
	render_image_layers(&store->images[0], &out);
	assert_string_equal(strbuf_get_str(&out), "sha256:" ID_A "\nsha256:" ID_B "\n");
}

/* --- history ------------------------------------------------------------------------ */

static void check_history(struct image *image, const char *config, bool quiet, bool no_trunc,
			  const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	image->config = parse_json(config);
	render_history(image, quiet, no_trunc, NOW, &out);
	assert_string_equal(strbuf_get_str(&out), expected);
	json_decref(image->config);
	image->config = NULL;
}

static void test_history(void **state)
{
	static const char config[] =
		"{\"history\": ["
		"{\"created\": \"2026-01-01T03:04:05Z\", \"created_by\": \"/bin/sh -c #(nop) ADD "
		"file:0123456789 in / and more\", \"comment\": \"first\"},"
		"{\"created\": \"bad\", \"created_by\": \"ENV a=b\", \"empty_layer\": true},"
		"{\"created\": \"2026-01-02T03:04:00Z\", \"created_by\": \"RUN x\", \"comment\": "
		"\"last\"}]}";
	struct store *store = *state;
	struct image *image = &store->images[0];

	image->layer_count = 2;
	image->layer_sizes[0] = 1500;
	image->layer_sizes[1] = 20;
	check_history(
		image, config, false, false,
		"IMAGE          CREATED         CREATED BY                                      "
		"SIZE      COMMENT\n"
		"0123456789ab   5 seconds ago   RUN x                                           "
		"20B       last\n"
		"<missing>      N/A             ENV a=b                                         "
		"0B        \n"
		"<missing>      24 hours ago    /bin/sh -c #(nop) ADD file:0123456789 in / "
		"a\xe2\x80\xa6   "
		"1.5kB     first\n");
	check_history(image, config, true, false, "0123456789ab\n<missing>\n<missing>\n");
	check_history(image, config, true, true, "sha256:" ID_A "\n<missing>\n<missing>\n");
}

/* An import: one layer, whose size is that of its files. */
static void test_history_of_import(void **state)
{
	struct store *store = *state;

	check_history(
		&store->images[0],
		"{\"history\": [{\"created\": \"2026-01-02T03:03:05Z\", \"comment\": "
		"\"Imported from -\"}]}",
		false, false,
		"IMAGE          CREATED              CREATED BY   SIZE      COMMENT\n"
		"0123456789ab   About a minute ago                4.26MB    Imported from -\n");
}

/* No history, of the wrong type, or of other layers than there are. */
static void test_odd_history(void **state)
{
	struct store *store = *state;
	struct image *image = &store->images[0];

	check_history(image, "{}", false, false,
		      "IMAGE          CREATED              CREATED BY   SIZE      COMMENT\n"
		      "0123456789ab   About a minute ago                4.26MB    \n");
	check_history(image, "{\"history\": 3}", true, false, "0123456789ab\n");
	check_history(image, "{\"history\": [3, {\"created\": 7, \"comment\": []}]}", false, false,
		      "IMAGE          CREATED   CREATED BY   SIZE      COMMENT\n"
		      "0123456789ab   N/A                    4.26MB    \n"
		      "<missing>      N/A                    0B        \n");
}

static void test_hostile_history(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct store *store = *state;
	struct image *image = &store->images[0];

	image->config = parse_json("{\"history\": [{\"created_by\": \"a\\nb\\tc\", \"comment\": "
				   "\"x\\u001b[2J\\nfedcba987654\"}]}");
	render_history(image, false, false, NOW, &out);
	assert_int_equal(count_lines(out.data), 2);
	assert_no_controls(out.data);
	assert_non_null(strstr(out.data, "   a\\nb\\tc     "));
	assert_non_null(strstr(out.data, "   x\\x1b[2J\\nfedcba987654\n"));
	json_decref(image->config);
	image->config = NULL;
}

/* A text has a limit, and says so. */
static void test_long_history(void **state)
{
	AUTO(strbuf_deinit) struct strbuf config = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct store *store = *state;
	struct image *image = &store->images[0];

	strbuf_append_str(&config, "{\"history\": [{}");
	for (int i = 1; i < 5000; i++)
		strbuf_append_str(&config, ",{}");
	strbuf_append_str(&config, "]}");
	image->config = parse_json(strbuf_get_str(&config));
	render_history(image, false, false, NOW, &out);
	assert_int_equal(count_lines(out.data), 1 + 4096 + 1);
	assert_non_null(strstr(out.data, "904 older steps are not shown\n"));
	json_decref(image->config);
	image->config = NULL;
}

/* --- memory --------------------------------------------------------------------------- */

static int attempt(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	const struct store *store = arg;
	struct render_images_options options = { .all = false };

	render_images(&store->snapshot, &options, NOW, &out, NULL);
	options.quiet = true;
	render_images(&store->snapshot, &options, NOW, &out, NULL);
	render_history(&store->images[0], false, false, NOW, &out);
	render_history(&store->images[0], true, true, NOW, &out);
	render_image_tags(&store->images[0], &store->snapshot, &out);
	render_image_layers(&store->images[0], &out);
	return strbuf_check(&out, NULL);
}

static void test_no_memory(void **state)
{
	struct store *store = *state;

	store->images[0].config =
		parse_json("{\"history\": [{\"created_by\": \"sh\"}, {\"comment\": \"a\"}]}");
	assert_true(alloc_sweep(attempt, store) > 5);
	json_decref(store->images[0].config);
	store->images[0].config = NULL;
}

#define CASE(test) cmocka_unit_test_setup(test, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_images),
		CASE(test_images_quiet),
		CASE(test_images_pattern),
		CASE(test_sizes),
		CASE(test_tags_and_layers),
		CASE(test_history),
		CASE(test_history_of_import),
		CASE(test_odd_history),
		CASE(test_hostile_history),
		CASE(test_long_history),
		CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
