/* The JSON of inspect: Docker's names and types, every key, values from outside. */
#include "tests/fs/views.h"

#include "tests/alloc_sweep.h"

static const struct render_places places = { "/run/cf", "/cf" };

/* The text must be one object and a newline; it is parsed back. */
static json_t *inspect(const struct container_view *view)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	render_inspect(view, &places, &out);
	assert_false(out.oom);
	assert_memory_equal(out.data, "{\n    \"Id\": ", 12);
	assert_string_equal(out.data + out.len - 3, "\n}\n");
	return parse_json(out.data);
}

/* The value at "A.B.C" as compact JSON. */
static void check_at(json_t *object, const char *path, const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;
	char key[64];

	while (*path) {
		size_t len = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		object = json_object_get(object, key);
		if (!object)
			fail_msg("no member '%s'", key);
		path += len + (path[len] == '.');
	}
	assert_ok(json_render(object, 0, &out, &err), &err);
	assert_string_equal(strbuf_get_str(&out), expected);
}

static void test_running(void **state)
{
	struct container_view view =
		make_view("{\"Image\": \"demo\", \"Entrypoint\": [\"sh\", \"-c\"], "
			  "\"Cmd\": [\"echo hi\"], \"Memory\": 1048576, \"Dns\": [\"10.0.0.1\"], "
			  "\"StopTimeout\": 3, \"HostConfig\": {\"PidsLimit\": 7}}");
	json_t *object = inspect(&view);

	(void)state;
	check_at(object, "Id", "\"" ID_A "\"");
	check_at(object, "Created", "\"2026-01-02T03:02:05.123456789Z\"");
	check_at(object, "Path", "\"sh\"");
	check_at(object, "Args", "[\"-c\",\"echo hi\"]");
	check_at(object, "State",
		 "{\"Status\":\"running\",\"Running\":true,\"Paused\":false,\"Restarting\":false,"
		 "\"OOMKilled\":false,\"Dead\":false,\"Pid\":4242,\"ExitCode\":0,\"Error\":\"\","
		 "\"StartedAt\":\"2026-01-02T03:02:06.123456789Z\","
		 "\"FinishedAt\":\"0001-01-01T00:00:00Z\"}");
	check_at(object, "Image", "\"sha256:" IMAGE_ID "\"");
	check_at(object, "Name", "\"web\"");
	check_at(object, "RestartCount", "0");
	check_at(object, "Mounts", "[]");
	check_at(object, "NetworkSettings",
		 "{\"Bridge\":\"\",\"IPAddress\":\"\",\"IPPrefixLen\":0,\"Gateway\":\"\","
		 "\"GlobalIPv6Address\":\"\",\"GlobalIPv6PrefixLen\":0,\"IPv6Gateway\":\"\","
		 "\"MacAddress\":\"\",\"Ports\":{},\"Networks\":{}}");
	check_at(object, "Config.Image", "\"demo\"");
	check_at(object, "Config.Hostname", "\"0123456789ab\"");
	check_at(object, "Config.Memory", "1048576");
	check_at(object, "Config.MemorySwap", "0");
	check_at(object, "Config.CpuShares", "0");
	check_at(object, "Config.Dns", "[\"10.0.0.1\"]");
	check_at(object, "Config.VolumesFrom", "[]");
	check_at(object, "Config.Tty", "false");
	check_at(object, "Config.StopTimeout", "3");
	check_at(object, "HostConfig.PidsLimit", "7");
	check_at(object, "HostConfig.Privileged", "false");
	check_at(object, "HostConfig.RestartPolicy", "{\"Name\":\"no\",\"MaximumRetryCount\":0}");
	check_at(object, "HostConfig.LogConfig", "{\"Type\":\"json-file\"}");
	check_at(object, "Driver", "\"overlay\"");
	check_at(object, "GraphDriver",
		 "{\"Name\":\"overlay\",\"Data\":{\"MergedDir\":\"/cf/containers/web/rootfs\"}}");
	check_at(object, "LogPath", "\"/cf/containers/web/logs.json\"");
	check_at(object, "ResolvConfPath", "\"/run/cf/0123456789ab/resolv.conf\"");
	check_at(object, "HostnamePath", "\"/run/cf/0123456789ab/hostname\"");
	check_at(object, "HostsPath", "\"/run/cf/0123456789ab/hosts\"");
	assert_null(json_object_get(json_object_get(object, "HostConfig"), "Memory"));
	assert_null(json_object_get(json_object_get(object, "Config"), "HostConfig"));
	json_decref(object);
	drop_view(&view);
}

/* The words of a state agree with each other. */
static void test_states(void **state)
{
	static const struct {
		enum container_state state;
		const char *status, *running, *paused, *restarting;
	} cases[] = {
		{ CONTAINER_CREATED, "\"created\"", "false", "false", "false" },
		{ CONTAINER_RUNNING, "\"running\"", "true", "false", "false" },
		{ CONTAINER_PAUSED, "\"paused\"", "true", "true", "false" },
		{ CONTAINER_RESTARTING, "\"restarting\"", "true", "false", "true" },
		{ CONTAINER_EXITED, "\"exited\"", "false", "false", "false" },
	};
	struct container_view view = make_view("{}");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *object;

		view.state = cases[i].state;
		object = inspect(&view);
		check_at(object, "State.Status", cases[i].status);
		check_at(object, "State.Running", cases[i].running);
		check_at(object, "State.Paused", cases[i].paused);
		check_at(object, "State.Restarting", cases[i].restarting);
		json_decref(object);
	}
	drop_view(&view);
}

static void test_damaged(void **state)
{
	struct container_view view = { .id = ID_A,
				       .name = "web",
				       .state = CONTAINER_EXITED,
				       .damaged = true,
				       .error = "config.json: gone" };
	json_t *object = inspect(&view);

	(void)state;
	check_at(object, "State.Error", "\"config.json: gone\"");
	check_at(object, "Path", "\"\"");
	check_at(object, "Args", "[]");
	check_at(object, "Image", "\"\"");
	check_at(object, "HostsPath", "\"\"");
	check_at(object, "Config.Cmd", "null");
	check_at(object, "Config.StopSignal", "\"\"");
	assert_null(json_object_get(json_object_get(object, "Config"), "StopTimeout"));
	json_decref(object);
}

/* JSON keeps a text as it was; bytes that no JSON can hold are shown as \xNN. */
static void test_hostile(void **state)
{
	struct container_view view = make_view(
		"{\"Labels\": {\"a\\n\\\"b\": \"\\u0001\\u2028\"}, \"Cmd\": [\"\\n\\u001b\"]}");
	json_t *object;

	(void)state;
	snprintf(view.error, sizeof(view.error), "odd: \xff\n\x01\"\\ \xc3\xa9");
	object = inspect(&view);
	check_at(object, "State.Error", "\"odd: \\\\xff\\n\\u0001\\\"\\\\ \xc3\xa9\"");
	check_at(object, "Path", "\"\\n\\u001B\"");
	check_at(object, "Config.Labels", "{\"a\\n\\\"b\":\"\\u0001\xe2\x80\xa8\"}");
	json_decref(object);
	drop_view(&view);
}

/* What is shown must not be what is kept: the next inspect is the same. */
static void test_view_is_untouched(void **state)
{
	struct container_view view = make_view("{\"Cmd\": [\"a\", \"b\"]}");
	json_t *before = json_deep_copy(view.effective);

	(void)state;
	json_decref(inspect(&view));
	assert_true(json_equal(before, view.effective));
	json_decref(before);
	drop_view(&view);
}

/* --- images ------------------------------------------------------------------- */

static char some_diff_ids[2][GRAPH_ID_SIZE] = { ID_A, ID_B };

static struct image make_image(const char *config)
{
	struct image image = { .id = IMAGE_ID,
			       .layer_count = 2,
			       .diff_ids = some_diff_ids,
			       .size_bytes = 4711,
			       .created_ns = NOW };

	image.config = parse_json(config);
	return image;
}

static void test_image(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct image image =
		make_image("{\"architecture\": \"amd64\", \"os\": \"linux\", \"author\": \"me\", "
			   "\"config\": {\"Cmd\": [\"sh\"]}, \"history\": [{\"comment\": \"old\"}, "
			   "{\"comment\": \"new\"}]}");
	struct tag tags[] = { { "demo:1", &image, NOW }, { "demo:2", &image, NOW } };
	struct graph_snapshot snapshot = { .tag_count = 2, .tags = tags };
	json_t *object;

	(void)state;
	render_image_inspect(&image, &snapshot, &out);
	object = parse_json(strbuf_get_str(&out));
	check_at(object, "Id", "\"sha256:" IMAGE_ID "\"");
	check_at(object, "RepoTags", "[\"demo:1\",\"demo:2\"]");
	check_at(object, "Comment", "\"new\"");
	check_at(object, "Created", "\"2026-01-02T03:04:05.123456789Z\"");
	check_at(object, "Author", "\"me\"");
	check_at(object, "Config", "{\"Cmd\":[\"sh\"]}");
	check_at(object, "Architecture", "\"amd64\"");
	check_at(object, "Os", "\"linux\"");
	check_at(object, "Size", "4711");
	check_at(object, "RootFS",
		 "{\"Type\":\"layers\",\"Layers\":[\"sha256:" ID_A "\",\"sha256:" ID_B "\"]}");
	json_decref(object);
	json_decref(image.config);
}

/* Members of other types than they should have. */
static void test_odd_image(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct image image = make_image(
		"{\"architecture\": 7, \"config\": null, \"history\": [3], \"author\": [\"x\"]}");
	struct graph_snapshot snapshot = { .tag_count = 0 };
	json_t *object;

	(void)state;
	render_image_inspect(&image, &snapshot, &out);
	object = parse_json(strbuf_get_str(&out));
	check_at(object, "RepoTags", "[]");
	check_at(object, "Architecture", "\"\"");
	check_at(object, "Author", "\"\"");
	check_at(object, "Comment", "\"\"");
	check_at(object, "Config", "{}");
	json_decref(object);
	json_decref(image.config);
}

/* --- memory --------------------------------------------------------------------- */

static int attempt_container(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	render_inspect(arg, &places, &out);
	return strbuf_check(&out, NULL);
}

static int attempt_image(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct tag tags[] = { { "demo:1", arg, NOW } };
	struct graph_snapshot snapshot = { .tag_count = 1, .tags = tags };

	render_image_inspect(arg, &snapshot, &out);
	return strbuf_check(&out, NULL);
}

static void test_no_memory(void **state)
{
	struct container_view view = make_view("{\"Image\": \"demo\", \"Entrypoint\": [\"sh\"], "
					       "\"Cmd\": [\"-c\", \"true\"], \"Labels\": {\"a\": "
					       "\"b\"}, \"HostConfig\": {\"PidsLimit\": 7}}");
	struct image image = make_image("{\"author\": \"\xc3\xa9\", \"history\": [{}]}");

	(void)state;
	snprintf(view.error, sizeof(view.error), "caf\xc3\xa9");
	assert_true(alloc_sweep(attempt_container, &view) > 50);
	assert_true(alloc_sweep(attempt_image, &image) > 10);
	json_decref(image.config);
	drop_view(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_running),           cmocka_unit_test(test_states),
		cmocka_unit_test(test_damaged),           cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_view_is_untouched), cmocka_unit_test(test_image),
		cmocka_unit_test(test_odd_image),         cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
