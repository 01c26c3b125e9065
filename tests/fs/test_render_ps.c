/* The table of containers: docker's columns, filters, formats, hostile values. */
#include "tests/fs/views.h"

#include "tests/alloc_sweep.h"

/* Two containers, newest first. */
struct two {
	struct container_view views[2];
	struct container_view *pointers[2];
	struct container_list list;
};

static int set_up(void **state)
{
	static struct two two;

	two.views[0] = make_view("{\"Image\": \"demo\", \"Cmd\": [\"sh\", \"-c\", \"sleep 1\"], "
				 "\"Labels\": {\"a\": \"b\", \"c\": \"\"}}");
	two.views[1] = make_view("{\"Image\": \"demo:1\", \"Cmd\": [\"true\"], "
				 "\"Labels\": {\"a\": \"x\"}}");
	snprintf(two.views[1].id, sizeof(two.views[1].id), "%s", ID_B);
	snprintf(two.views[1].name, sizeof(two.views[1].name), "old-web2");
	two.views[1].state = CONTAINER_EXITED;
	two.views[1].exit_code = 3;
	two.views[1].created_ns = NOW - 3 * 24 * 3600 * S;
	two.views[1].finished_ns = NOW - 2 * 3600 * S;
	two.pointers[0] = &two.views[0];
	two.pointers[1] = &two.views[1];
	two.list = (struct container_list){ .count = 2, .views = two.pointers };
	*state = &two;
	return 0;
}

static int tear_down(void **state)
{
	struct two *two = *state;

	drop_view(&two->views[0]);
	drop_view(&two->views[1]);
	return 0;
}

static void check_ps(const struct container_list *list, const struct render_ps_options *options,
		     const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(render_ps(list, options, NOW, &out, &err), &err);
	assert_string_equal(strbuf_get_str(&out), expected);
}

static void check_format(const struct two *two, const char *format, const char *expected)
{
	struct render_ps_options options = { .all = true, .limit = -1, .format = format };

	check_ps(&two->list, &options, expected);
}

/* The names shown with these filters. */
static void check_filter(const struct two *two, char *first, char *second, const char *expected)
{
	char *filters[] = { first, second, NULL };
	struct render_ps_options options = {
		.all = true, .limit = -1, .filters = filters, .format = "{{.Names}}"
	};

	check_ps(&two->list, &options, expected);
}

static void test_table(void **state)
{
	struct two *two = *state;
	struct render_ps_options options = { .all = true, .limit = -1 };
	struct container_list none = { .count = 0, .views = NULL };

	check_ps(&two->list, &options,
		 "CONTAINER ID   IMAGE     COMMAND             CREATED         "
		 "STATUS                   PORTS     NAMES\n"
		 "0123456789ab   demo      \"sh -c 'sleep 1'\"   2 minutes ago   "
		 "Up About a minute                  web\n"
		 "fedcba987654   demo:1    \"true\"              3 days ago      "
		 "Exited (3) 2 hours ago             old-web2\n");
	options.all = false;
	check_ps(&two->list, &options,
		 "CONTAINER ID   IMAGE     COMMAND             CREATED         "
		 "STATUS              PORTS     NAMES\n"
		 "0123456789ab   demo      \"sh -c 'sleep 1'\"   2 minutes ago   "
		 "Up About a minute             web\n");
	check_ps(&none, &options,
		 "CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n");
}

static void test_quiet(void **state)
{
	struct two *two = *state;
	struct render_ps_options options = { .quiet = true, .limit = -1 };

	check_ps(&two->list, &options, "0123456789ab\n");
	options.all = true;
	check_ps(&two->list, &options, "0123456789ab\nfedcba987654\n");
	options.no_trunc = true;
	check_ps(&two->list, &options, ID_A "\n" ID_B "\n");
}

static void test_limit(void **state)
{
	struct two *two = *state;
	struct render_ps_options options = { .limit = 1, .format = "{{.Names}}" };

	two->views[0].state = CONTAINER_CREATED;
	check_ps(&two->list, &options, "web\n");
	options.limit = 5;
	check_ps(&two->list, &options, "web\nold-web2\n");
	options.limit = 0;
	check_ps(&two->list, &options, "");
	options.latest = true;
	check_ps(&two->list, &options, "web\n");
}

static void check_status(struct two *two, enum container_state state, const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct render_ps_options options = { .limit = 1, .format = "{{.State}} {{.Status}}" };
	struct error err = ERROR_INIT;

	two->views[0].state = state;
	assert_ok(render_ps(&two->list, &options, NOW, &out, &err), &err);
	assert_string_equal(strbuf_get_str(&out), expected);
}

static void test_status(void **state)
{
	struct two *two = *state;

	check_status(two, CONTAINER_CREATED, "created Created\n");
	check_status(two, CONTAINER_RUNNING, "running Up About a minute\n");
	check_status(two, CONTAINER_PAUSED, "paused Up About a minute (Paused)\n");
	two->views[0].exit_code = 137;
	two->views[0].finished_ns = NOW - 5 * S;
	check_status(two, CONTAINER_RESTARTING, "restarting Restarting (137) 5 seconds ago\n");
	check_status(two, CONTAINER_EXITED, "exited Exited (137) 5 seconds ago\n");
	/* A clock that was set back. */
	two->views[0].finished_ns = NOW + 5 * S;
	check_status(two, CONTAINER_EXITED, "exited Exited (137) Less than a second ago\n");
	/* It never ran: the program was not there. */
	two->views[0].finished_ns = 0;
	two->views[0].exit_code = 127;
	check_status(two, CONTAINER_EXITED, "exited Exited (127)\n");
	two->views[0].started_ns = INT64_MIN;
	check_status(two, CONTAINER_RUNNING, "running Up 292 years\n");
}

static void test_formats(void **state)
{
	struct two *two = *state;

	check_format(two, "{{.ID}}\\t{{ .Names }}\\n--",
		     "0123456789ab\tweb\n--\n"
		     "fedcba987654\told-web2\n--\n");
	check_format(two, "x", "x\nx\n");
	check_format(two, "{{.Labels}}|{{.Ports}}|{{.CreatedAt}}",
		     "a=b,c=||2026-01-02T03:02:05.123456789Z\n"
		     "a=x||2025-12-30T03:04:05.123456789Z\n");
	check_format(two, "table {{.Names}}\\t{{.State}}",
		     "NAMES      STATE\n"
		     "web        running\n"
		     "old-web2   exited\n");
	check_format(two, "{{.Size}}", "N/A\nN/A\n");
	check_format(two, "{{.Label \"a\"}}|{{ .Label \"c\" }}|", "b||\nx||\n");
	check_format(two, "table {{.Label \"a\"}}", "a\nb\nx\n");
	check_format(two, "{{.RunningFor}} {{.Image}} {{.Command}}",
		     "2 minutes ago demo \"sh -c 'sleep 1'\"\n3 days ago demo:1 \"true\"\n");
}

static void test_json(void **state)
{
	static const char expected[] =
		"{\"Command\":\"\\\"sh -c 'sleep 1'\\\"\",\"CreatedAt\":"
		"\"2026-01-02T03:02:05.123456789Z\",\"ID\":\"0123456789ab\",\"Image\":\"demo\","
		"\"Labels\":\"a=b,c=\",\"Mounts\":\"\",\"Names\":\"web\",\"Networks\":\"default\","
		"\"Ports\":\"\",\"RunningFor\":"
		"\"2 minutes ago\",\"Size\":\"N/A\",\"State\":\"running\",\"Status\":"
		"\"Up About a minute\"}\n";
	struct two *two = *state;
	struct render_ps_options options = { .limit = -1, .format = "json" };

	check_ps(&two->list, &options, expected);
	options.format = "{{json .}}";
	check_ps(&two->list, &options, expected);
}

static bool get_sizes(void *arg, const struct container_view *view, int64_t *ret_own,
		      int64_t *ret_all)
{
	(void)arg;
	*ret_own = 1024;
	*ret_all = 4260000;
	return view->state == CONTAINER_RUNNING;
}

static void test_sizes(void **state)
{
	struct two *two = *state;
	struct render_ps_options options = {
		.all = true, .limit = -1, .size = true, .get_sizes = get_sizes
	};
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(render_ps(&two->list, &options, NOW, &out, &err), &err);
	assert_non_null(strstr(out.data, "   PORTS     NAMES      SIZE\n"));
	assert_non_null(strstr(out.data, "   web        1.02kB (virtual 4.26MB)\n"));
	assert_non_null(strstr(out.data, "   old-web2   N/A\n"));
}

static void test_filters(void **state)
{
	static char running[] = "status=running", exited[] = "status=exited", three[] = "exited=3",
		    zero[] = "exited=0", web[] = "name=web", exact[] = "name=^/web$",
		    head[] = "name=^old", tail[] = "name=web2$", label[] = "label=a",
		    label_b[] = "label=a=b", label_c[] = "label=c",
		    empty[] = "label=c=", latest[] = "ancestor=demo:latest",
		    demo[] = "ancestor=demo", one[] = "ancestor=demo:1",
		    digest[] = "ancestor=sha256:aaaabbbb", id[] = "id=fed", dead[] = "status=dead",
		    no_name[] = "name=";
	struct two *two = *state;

	check_filter(two, running, NULL, "web\n");
	check_filter(two, running, exited, "web\nold-web2\n");
	check_filter(two, three, NULL, "old-web2\n");
	check_filter(two, zero, NULL, "");
	check_filter(two, web, NULL, "web\nold-web2\n");
	check_filter(two, web, running, "web\n");
	check_filter(two, exact, NULL, "web\n");
	check_filter(two, head, NULL, "old-web2\n");
	check_filter(two, tail, NULL, "old-web2\n");
	check_filter(two, no_name, NULL, "web\nold-web2\n");
	check_filter(two, label, NULL, "web\nold-web2\n");
	check_filter(two, label_b, NULL, "web\n");
	check_filter(two, label, label_c, "web\n");
	check_filter(two, empty, NULL, "web\n");
	check_filter(two, demo, NULL, "web\n");
	check_filter(two, latest, NULL, "web\n");
	check_filter(two, one, NULL, "old-web2\n");
	check_filter(two, digest, NULL, "web\nold-web2\n");
	check_filter(two, id, NULL, "old-web2\n");
	check_filter(two, dead, NULL, "");
}

/* What speaks of states need not be told -a. */
static void test_filter_of_states(void **state)
{
	struct two *two = *state;
	char exited[] = "status=exited", three[] = "exited=3", name[] = "name=old";
	char *filters[] = { exited, NULL };
	struct render_ps_options options = { .limit = -1,
					     .filters = filters,
					     .format = "{{.Names}}" };

	check_ps(&two->list, &options, "old-web2\n");
	filters[0] = three;
	check_ps(&two->list, &options, "old-web2\n");
	filters[0] = name;
	check_ps(&two->list, &options, "");
}

static void check_refused(const struct two *two, char *filter, const char *format,
			  const char *sentence)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	char *filters[] = { filter, NULL };
	struct render_ps_options options = { .limit = -1, .filters = filters, .format = format };
	struct error err = ERROR_INIT;

	assert_error(render_ps(&two->list, &options, NOW, &out, &err), &err, EINVAL, sentence);
	assert_int_equal(out.len, 0);
}

static void test_refused(void **state)
{
	static char bare[] = "running", unknown[] = "color=red", status[] = "status=up",
		    code[] = "exited=3x", newline[] = "a\nb=c";

	check_refused(*state, bare, NULL, "filter 'running' is not KEY=VALUE");
	check_refused(*state, unknown, NULL,
		      "unknown filter 'color=red'; status, exited, name, id, ancestor, label, "
		      "before, since, volume or network");
	check_refused(*state, status, NULL,
		      "unknown status 'up'; created, running, paused, restarting or exited");
	check_refused(*state, code, NULL, "'3x' is not an exit code");
	check_refused(*state, newline, NULL,
		      "unknown filter 'a\\x0ab=c'; status, exited, name, id, ancestor, label, "
		      "before, since, volume or network");
	check_refused(*state, NULL, "{{.ID}", "a '{{' in the format has no '}}'");
	check_refused(*state, NULL, "{{.Nope}}",
		      "unknown column '{{.Nope}}' in the format; .ID .Image .Command .CreatedAt "
		      ".RunningFor .Status .Ports .Names .State .Size .Labels .Label \"NAME\" "
		      ".Mounts .Networks");
	check_refused(*state, NULL, "table {{ID}}",
		      "unknown column '{{ID}}' in the format; .ID .Image .Command .CreatedAt "
		      ".RunningFor .Status .Ports .Names .State .Size .Labels .Label \"NAME\" "
		      ".Mounts .Networks");
	check_refused(*state, NULL, "{{}}",
		      "unknown column '{{}}' in the format; .ID .Image .Command .CreatedAt "
		      ".RunningFor .Status .Ports .Names .State .Size .Labels .Label \"NAME\" "
		      ".Mounts .Networks");
}

/* No value of a container makes a second line or a column. */
static void test_hostile(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct render_ps_options options = {
		.limit = -1,
		.no_trunc = true,
		.format = "table {{.Image}}\\t{{.Command}}\\t{{.Labels}}\\t{{.Names}}"
	};
	struct container_view view =
		make_view("{\"Image\": \"a\\nb\\tc\\u001b\", \"Cmd\": [\"\\\"q\\\"\\n\\t\\\\\", "
			  "\"\\u007fx\"], \"Labels\": {\"k\\n\": \"v\\r\\n0123456789ab\"}}");
	struct container_view *pointers[] = { &view };
	struct container_list list = { .count = 1, .views = pointers };
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(render_ps(&list, &options, NOW, &out, &err), &err);
	assert_int_equal(count_lines(out.data), 2);
	assert_no_controls(out.data);
	assert_null(strchr(out.data, '\t'));
	assert_non_null(strstr(out.data, "a\\nb\\tc\\x1b   \"\\\"q\\\"\\n\\t\\\\ \\x7fx\"   "));
	assert_non_null(strstr(out.data, "k\\n=v\\x0d\\n0123456789ab   web\n"));
	drop_view(&view);
}

/* Cut by characters, not in one; padded by characters. */
static void test_characters(void **state)
{
	struct container_view view =
		make_view("{\"Image\": \"d\", \"Cmd\": "
			  "[\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
			  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
			  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\"]}");
	struct render_ps_options options = { .limit = -1,
					     .format = "table {{.Command}}\\t{{.Names}}" };
	struct container_view *pointers[] = { &view };
	struct container_list list = { .count = 1, .views = pointers };

	(void)state;
	check_ps(
		&list, &options,
		"COMMAND                  NAMES\n"
		"\"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
		"\xe2\x80\xa6\"   web\n");
	drop_view(&view);
}

/* More columns than are aligned. */
static void test_many_columns(void **state)
{
	AUTO(strbuf_deinit) struct strbuf format = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct render_ps_options options = { .limit = -1 };
	struct error err = ERROR_INIT;
	struct two *two = *state;

	strbuf_append_str(&format, "table {{.State}}");
	for (int i = 0; i < 100; i++)
		strbuf_append_str(&format, "\\t{{.State}}");
	options.format = strbuf_get_str(&format);
	assert_ok(render_ps(&two->list, &options, NOW, &out, &err), &err);
	assert_int_equal(count_lines(out.data), 2);
	assert_null(strchr(out.data, '\t'));
	assert_non_null(strstr(out.data, "running   running   running\n"));
}

struct memory_case {
	const struct two *two;
	const char *format;
};

static int attempt(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	const struct memory_case *c = arg;
	struct render_ps_options options = { .all = true, .limit = -1, .format = c->format };

	return render_ps(&c->two->list, &options, NOW, &out, NULL);
}

static void test_no_memory(void **state)
{
	static const char *const formats[] = { NULL, "json", "{{.Labels}}" };

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		struct memory_case c = { *state, formats[i] };

		assert_true(alloc_sweep(attempt, &c) > 2);
	}
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_table),        CASE(test_quiet),     CASE(test_limit),
		CASE(test_status),       CASE(test_formats),   CASE(test_json),
		CASE(test_sizes),        CASE(test_filters),   CASE(test_filter_of_states),
		CASE(test_refused),      CASE(test_hostile),   CASE(test_characters),
		CASE(test_many_columns), CASE(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
