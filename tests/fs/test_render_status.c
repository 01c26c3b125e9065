/* 'Key:<tab>value' files: exact texts, values that try to be more than one line. */
#include "tests/fs/views.h"

#include "tests/alloc_sweep.h"

#include <sys/utsname.h>

static void check_status(const struct container_view *view, const char *expected)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	render_status(view, &out);
	assert_string_equal(strbuf_get_str(&out), expected);
}

static void test_running(void **state)
{
	struct container_view view = make_view("{\"Image\": \"demo\"}");

	(void)state;
	check_status(&view, "Name:\tweb\n"
			    "Id:\t" ID_A "\n"
			    "Image:\tdemo\n"
			    "State:\trunning\n"
			    "Pid:\t4242\n"
			    "ExitCode:\t0\n"
			    "OOMKilled:\tno\n"
			    "Error:\t\n"
			    "Created:\t2026-01-02T03:02:05.123456789Z\n"
			    "Started:\t2026-01-02T03:02:06.123456789Z\n"
			    "Finished:\t0001-01-01T00:00:00Z\n"
			    "Restarts:\t0\n");
	drop_view(&view);
}

static void test_exited(void **state)
{
	struct container_view view = make_view("{\"Image\": \"demo:1\"}");

	(void)state;
	view.state = CONTAINER_EXITED;
	view.pid = 0;
	view.exit_code = 137;
	view.oom_killed = true;
	view.finished_ns = NOW;
	view.restarts = 3;
	snprintf(view.error, sizeof(view.error), "out of memory");
	check_status(&view, "Name:\tweb\n"
			    "Id:\t" ID_A "\n"
			    "Image:\tdemo:1\n"
			    "State:\texited\n"
			    "Pid:\t0\n"
			    "ExitCode:\t137\n"
			    "OOMKilled:\tyes\n"
			    "Error:\tout of memory\n"
			    "Created:\t2026-01-02T03:02:05.123456789Z\n"
			    "Started:\t2026-01-02T03:02:06.123456789Z\n"
			    "Finished:\t2026-01-02T03:04:05.123456789Z\n"
			    "Restarts:\t3\n");
	drop_view(&view);
}

/* Its files could not be read: no configuration at all. */
static void test_damaged(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct container_view view = { .id = ID_A,
				       .name = "0123456789ab",
				       .state = CONTAINER_EXITED,
				       .damaged = true,
				       .error = "config.json: line 1: '{' expected" };

	(void)state;
	check_status(&view, "Name:\t0123456789ab\n"
			    "Id:\t" ID_A "\n"
			    "Image:\t\n"
			    "State:\texited\n"
			    "Pid:\t0\n"
			    "ExitCode:\t0\n"
			    "OOMKilled:\tno\n"
			    "Error:\tconfig.json: line 1: '{' expected\n"
			    "Created:\t0001-01-01T00:00:00Z\n"
			    "Started:\t0001-01-01T00:00:00Z\n"
			    "Finished:\t0001-01-01T00:00:00Z\n"
			    "Restarts:\t0\n");
	render_config(&view, &out);
	assert_string_equal(strbuf_get_str(&out), "{}\n");
}

static void test_hostile(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct container_view view =
		make_view("{\"Image\": \"x\\nState:\\texited\\r\\u001b[2J\\u0085\\u007f\"}");

	(void)state;
	snprintf(view.error, sizeof(view.error), "a\nPid:\t1\\x0a\xff\x01");
	render_status(&view, &out);
	assert_int_equal(count_lines(out.data), 12);
	assert_no_controls(out.data);
	assert_non_null(
		strstr(out.data, "\nImage:\tx\\nState:\\texited\\x0d\\x1b[2J\\xc2\\x85\\x7f\n"));
	/* A sentence that was escaped when it was made is not escaped again. */
	assert_non_null(strstr(out.data, "\nError:\ta\\nPid:\\t1\\x0a\\xff\\x01\n"));
	drop_view(&view);
}

static void test_config(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct container_view view =
		make_view("{\"Image\": \"a\\nb\", \"HostConfig\": {\"PidsLimit\": 7}}");

	(void)state;
	render_config(&view, &out);
	assert_string_equal(strbuf_get_str(&out), "{\n"
						  "    \"Image\": \"a\\nb\",\n"
						  "    \"HostConfig\": {\n"
						  "        \"PidsLimit\": 7\n"
						  "    }\n"
						  "}\n");
	drop_view(&view);
}

static const struct render_info some_info = {
	.root = "/var/lib/containerfs",
	.run = "/run/containerfs",
	.mnt = "/cf",
	.registry = "docker.io",
	.cgroup_mode = "hybrid",
	.pid = 101,
	.holder_pid = 100,
	.engine_number = 3,
	.seamless = true,
	.mounted_ns = NOW,
	.containers = 7,
	.running = 3,
	.paused = 1,
	.images = 2,
	.bridge = "cf0",
	.subnet = "10.88.0.1/24",
	.subnet6 = "",
	.forwards = true,
};

static void test_info(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	char expected[1000];
	struct utsname host;

	(void)state;
	assert_int_equal(uname(&host), 0);
	snprintf(expected, sizeof(expected),
		 "Version:\t" CONTAINERFS_VERSION "\n"
		 "Pid:\t101\n"
		 "Holder:\t100\n"
		 "Root:\t/var/lib/containerfs\n"
		 "Run:\t/run/containerfs\n"
		 "Mount:\t/cf\n"
		 "Kernel:\t%s\n"
		 "Cgroup:\thybrid\n"
		 "Containers:\t7\n"
		 "Running:\t3\n"
		 "Paused:\t1\n"
		 "Stopped:\t3\n"
		 "Images:\t2\n"
		 "Registry:\tdocker.io\n"
		 "Bridge:\tcf0\n"
		 "Subnet:\t10.88.0.1/24\n"
		 "Subnet6:\t\n"
		 "Icc:\tyes\n"
		 "Forwarding:\tIPv4\n"
		 "Mounted:\t2026-01-02T03:04:05.123456789Z\n"
		 "Restarts:\t2\n"
		 "Seamless:\tyes\n",
		 host.release);
	render_info(&some_info, &out);
	assert_string_equal(strbuf_get_str(&out), expected);
}

static void test_info_extremes(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	struct render_info info = some_info;

	(void)state;
	info.engine_number = 0;
	info.seamless = false;
	info.containers = 1; /* fewer than run: counted earlier */
	info.mnt = "/c\nPid:\t1";
	info.registry = NULL;
	render_info(&info, &out);
	assert_int_equal(count_lines(out.data), 22);
	assert_non_null(strstr(out.data, "\nMount:\t/c\\nPid:\\t1\n"));
	assert_non_null(strstr(out.data, "\nStopped:\t0\n"));
	assert_non_null(strstr(out.data, "\nRegistry:\t\n"));
	assert_non_null(strstr(out.data, "\nRestarts:\t0\n"));
	assert_non_null(strstr(out.data, "\nSeamless:\tno; before Linux 6.9 "));
}

static void test_version(void **state)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;
	const char first[] = "Version:\t" CONTAINERFS_VERSION "\n";

	(void)state;
	render_version(&out);
	assert_memory_equal(out.data, first, strlen(first));
	assert_int_equal(count_lines(out.data), 3);
}

static int attempt(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	render_status(arg, &out);
	render_config(arg, &out);
	render_info(&some_info, &out);
	render_version(&out);
	return strbuf_check(&out, NULL);
}

static void test_no_memory(void **state)
{
	struct container_view view = make_view("{\"Image\": \"demo\"}");

	(void)state;
	assert_true(alloc_sweep(attempt, &view) > 0);
	drop_view(&view);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_running),       cmocka_unit_test(test_exited),
		cmocka_unit_test(test_damaged),       cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_config),        cmocka_unit_test(test_info),
		cmocka_unit_test(test_info_extremes), cmocka_unit_test(test_version),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
