/* Configurations: merging an image, decoding, environment, names, signals, no memory. */
#include "tests/runtime/config_fixture.h"

#include "tests/alloc_sweep.h"

#include <signal.h>

/* --- config_merge_image ----------------------------------------------------- */

static void check_merge(const char *asked, const char *image, const char *want)
{
	auto_json json_t *own = parse(asked);
	auto_json json_t *own_before = parse(asked);
	auto_json json_t *theirs = image ? parse(image) : NULL;
	auto_json json_t *theirs_before = image ? parse(image) : NULL;
	auto_json json_t *merged = NULL;
	struct error err = ERROR_INIT;

	assert_ok(config_merge_image(own, theirs, &merged, &err), &err);
	assert_json(merged, want);
	/* Neither side was touched. */
	assert_true(json_equal(own, own_before));
	assert_true(!theirs || json_equal(theirs, theirs_before));
}

static void test_merge_image(void **state)
{
	(void)state;
	check_merge("{'Tty':true}", NULL, "{'Tty':true}");
	check_merge("{}", "{}", "{}");
	check_merge("{}", "{'config':null}", "{}");
	check_merge("{}",
		    "{'config':{'User':'u','WorkingDir':'/w','StopSignal':'HUP','Hostname':'x',"
		    "'Memory':5,'Tty':true,'Unknown':1,'Cmd':null}}",
		    "{'User':'u','WorkingDir':'/w','StopSignal':'HUP'}");
	check_merge("{'User':'a','WorkingDir':'/a','StopSignal':'INT'}",
		    "{'config':{'User':'u','WorkingDir':'/w','StopSignal':'HUP'}}",
		    "{'User':'a','WorkingDir':'/a','StopSignal':'INT'}");
	check_merge("{'User':''}", "{'config':{'User':'u'}}", "{'User':'u'}");
	check_merge("{}", "{'config':{'WorkingDir':'app'}}", "{'WorkingDir':'/app'}");
}

static void test_merge_maps(void **state)
{
	(void)state;
	check_merge("{'Labels':{'a':'1'},'Volumes':{'/a':{}},'ExposedPorts':{'80/tcp':{}}}",
		    "{'config':{'Labels':{'a':'2','b':'3'},'Volumes':{'/b':{}},"
		    "'ExposedPorts':{'80/tcp':{},'53/udp':{}}}}",
		    "{'Labels':{'a':'1','b':'3'},'Volumes':{'/b':{},'/a':{}},"
		    "'ExposedPorts':{'80/tcp':{},'53/udp':{}}}");
	check_merge("{'Env':['A=1','B','E=']}",
		    "{'config':{'Env':['PATH=/p','A=2','B=3','=x','E=5','AB=6']}}",
		    "{'Env':['A=1','B','E=','PATH=/p','AB=6']}");
	check_merge("{}", "{'config':{'Env':['A=2']}}", "{'Env':['A=2']}");
}

static void test_merge_argv(void **state)
{
	(void)state;
	check_merge("{}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Cmd':['c'],'Entrypoint':['e']}");
	check_merge("{'Cmd':['x']}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Cmd':['x'],'Entrypoint':['e']}");
	check_merge("{'Entrypoint':['x']}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Entrypoint':['x']}");
	check_merge("{'Entrypoint':['x'],'Cmd':['y']}",
		    "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Entrypoint':['x'],'Cmd':['y']}");
	check_merge("{'Entrypoint':['']}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}", "{}");
	check_merge("{'Entrypoint':[''],'Cmd':['y']}", "{'config':{'Entrypoint':['e']}}",
		    "{'Cmd':['y']}");
	check_merge("{'Entrypoint':[]}", "{'config':{'Entrypoint':['e'],'Cmd':['c']}}",
		    "{'Entrypoint':[],'Cmd':['c']}");
	check_merge("{'Cmd':[]}", "{'config':{'Cmd':'c d'}}", "{'Cmd':['c d']}");
}

static void test_merge_bad_image(void **state)
{
	static const struct {
		const char *image, *msg;
	} cases[] = {
		{ "{'config':5}", "the image's configuration: config must be an object" },
		{ "{'config':{'Env':'x'}}",
		  "the image's configuration: Env must be a list of strings" },
		{ "{'config':{'Env':[5]}}",
		  "the image's configuration: Env must be a list of strings" },
		{ "{'config':{'Cmd':{}}}",
		  "the image's configuration: Cmd must be a list of strings or a string" },
		{ "{'config':{'User':[]}}", "the image's configuration: User must be a string" },
		{ "{'config':{'Labels':[]}}",
		  "the image's configuration: Labels must be an object" },
		{ "{'config':{'ExposedPorts':'80'}}",
		  "the image's configuration: ExposedPorts must be an object" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		auto_json json_t *asked = json_object();
		auto_json json_t *image = parse(cases[i].image);
		struct error err = ERROR_INIT;
		json_t *merged = NULL;

		assert_error(config_merge_image(asked, image, &merged, &err), &err, EINVAL,
			     cases[i].msg);
		assert_null(merged);
	}
}

/* --- config_decode ---------------------------------------------------------- */

static void test_decode_defaults(void **state)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *effective = json_object();
	struct error err = ERROR_INIT;

	(void)state;
	assert_error(config_decode(effective, true, &config, &err), &err, EINVAL,
		     "no command specified");
	error_clear(&err);
	assert_ok(config_decode(effective, false, &config, &err), &err);
	assert_string_equal(config.hostname, "");
	assert_string_equal(config.working_dir, "");
	assert_string_equal(config.network_mode, "");
	assert_int_equal(config.stop_signal, SIGTERM);
	assert_int_equal(config.stop_timeout_s, 10);
	assert_null(config.argv[0]);
	assert_null(config.env[0]);
	assert_int_equal(config.ulimit_count, 0);
	assert_false(config.tty || config.privileged || config.no_new_privs);
}

static void test_decode_all(void **state)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *effective = parse(
		"{'Hostname':'h','Domainname':'d','User':'u','Memory':1,'MemorySwap':2,"
		"'CpuShares':3,'Tty':true,'OpenStdin':true,'StdinOnce':true,'Env':['A=1','B=2'],"
		"'Cmd':['c','d'],'Dns':['1.1.1.1'],'Image':'i','WorkingDir':'/w',"
		"'Entrypoint':['e'],'NetworkDisabled':true,'StopSignal':'15','StopTimeout':0,"
		"'HostConfig':{'NetworkMode':'none','AutoRemove':true,'CapAdd':['A'],"
		"'CapDrop':['B','C'],'Privileged':true,'ReadonlyRootfs':true,'Init':true,"
		"'SecurityOpt':['no-new-privileges:true','seccomp=unconfined'],'NanoCpus':4,"
		"'PidsLimit':5,'Ulimits':[{'Name':'nofile','Soft':1,'Hard':-1},"
		"{'Name':'core','Soft':0,'Hard':0}],'MemoryReservation':6,'CpuPeriod':7,"
		"'CpuQuota':8,'CpusetCpus':'0-1','CpusetMems':'0','OomScoreAdj':-9,'ShmSize':10,"
		"'GroupAdd':['g','5']}}");
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(config_decode(effective, true, &config, &err), &err);
	assert_string_equal(config.hostname, "h");
	assert_string_equal(config.domainname, "d");
	assert_string_equal(config.user, "u");
	assert_string_equal(config.image, "i");
	assert_string_equal(config.working_dir, "/w");
	assert_string_equal(config.network_mode, "none");
	assert_true(config.tty && config.open_stdin && config.stdin_once);
	assert_true(config.network_disabled && config.privileged && config.readonly_rootfs);
	assert_true(config.auto_remove && config.init && config.no_new_privs);
	assert_true(config.seccomp_unconfined);
	assert_strings(config.argv, "e|c|d");
	assert_strings(config.env, "A=1|B=2");
	assert_strings(config.dns, "1.1.1.1");
	assert_strings(config.cap_add, "A");
	assert_strings(config.cap_drop, "B|C");
	assert_int_equal(config.stop_signal, 15);
	assert_int_equal(config.stop_timeout_s, 0);
	assert_int_equal(config.limits.memory, 1);
	assert_int_equal(config.limits.memory_swap, 2);
	assert_int_equal(config.limits.cpu_shares, 3);
	assert_int_equal(config.limits.nano_cpus, 4);
	assert_int_equal(config.limits.pids, 5);
	assert_int_equal(config.limits.memory_reservation, 6);
	assert_int_equal(config.limits.cpu_period_us, 7);
	assert_int_equal(config.limits.cpu_quota_us, 8);
	assert_string_equal(config.limits.cpuset_cpus, "0-1");
	assert_string_equal(config.limits.cpuset_mems, "0");
	assert_true(config.limits.all_devices);
	assert_int_equal(config.oom_score_adj, -9);
	assert_int_equal(config.shm_size, 10);
	assert_strings(config.group_add, "g|5");
	assert_int_equal(config.ulimit_count, 2);
	assert_int_equal(config.ulimits[0].resource, RLIMIT_NOFILE);
	assert_int_equal(config.ulimits[0].limit.rlim_cur, 1);
	assert_true(config.ulimits[0].limit.rlim_max == RLIM_INFINITY);
	assert_int_equal(config.ulimits[1].resource, RLIMIT_CORE);
}

/* What a damaged file might hold must not crash. */
static void test_decode_damaged(void **state)
{
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *effective =
		parse("{'Hostname':5,'Env':['A=1',5,null],'Cmd':{'a':1},'Entrypoint':'x','Tty':'x',"
		      "'HostConfig':{'Ulimits':[5,{},{'Name':'foo'}],'SecurityOpt':[5]}}");
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(config_decode(effective, false, &config, &err), &err);
	assert_string_equal(config.hostname, "");
	assert_strings(config.env, "A=1");
	assert_strings(config.argv, "");
	assert_int_equal(config.ulimit_count, 0);
	json_object_set_new(effective, "StopSignal", json_string("x"));
	config_deinit(&config);
	assert_error(config_decode(effective, false, &config, &err), &err, EINVAL,
		     "StopSignal: unknown signal 'x'");
}

/* --- config_build_env ------------------------------------------------------- */

static void check_env(bool tty, const char *env_json, const char *want)
{
	auto_json json_t *list = parse(env_json);
	auto_json json_t *effective = json_pack("{s:O, s:b}", "Env", list, "Tty", (int)tty);
	AUTO(config_deinit) struct config config = { .argv = NULL };
	struct error err = ERROR_INIT;
	char **env;

	assert_ok(config_decode(effective, false, &config, &err), &err);
	env = config_build_env(&config, "host", "/root");
	assert_non_null(env);
	assert_strings((const char *const *)env, want);
	for (size_t i = 0; env[i]; i++)
		free(env[i]);
	free(env);
}

#define PATH_ENTRY "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static void test_env(void **state)
{
	(void)state;
	check_env(false, "[]", PATH_ENTRY "|HOSTNAME=host|HOME=/root");
	check_env(true, "[]", PATH_ENTRY "|HOSTNAME=host|TERM=xterm|HOME=/root");
	check_env(true, "['TERM=vt100','HOME=/h','PATH=/p','A=1','A=2','HOSTNAME=','AB=x=y']",
		  "PATH=/p|HOSTNAME=|TERM=vt100|HOME=/h|A=2|AB=x=y");
	check_env(false, "['HOME','A=1','B=2','A','NONE','PATHS=1']",
		  PATH_ENTRY "|HOSTNAME=host|B=2|PATHS=1");
	check_env(false, "['A','A=1']", PATH_ENTRY "|HOSTNAME=host|HOME=/root|A=1");
}

/* --- names and signals ------------------------------------------------------ */

static void test_names(void **state)
{
	static const char *const good[] = {
		"a", "web", "0", "a_.-b", "0123456789a", "0123456789abc", "0123456789ag", "Z"
	};
	static const char *const bad[] = { "",    ".",    "-a",  "_a", "a b",         "a/b",
					   "a\n", "/web", "a:b", "..", "caf\xc3\xa9", "*" };
	char long_name[202];
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_ok(config_check_name(good[i], &err), &err);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(config_check_name(bad[i], NULL), -EINVAL);
	assert_error(config_check_name("a b", &err), &err, EINVAL,
		     "invalid container name 'a b'; allowed is [a-zA-Z0-9][a-zA-Z0-9_.-]*");
	error_clear(&err);
	assert_error(config_check_name("0123456789ab", &err), &err, EINVAL,
		     "invalid container name '0123456789ab': 12 hexadecimal digits are an id");
	error_clear(&err);
	assert_int_equal(config_check_name("0123456789AB", NULL), -EINVAL);
	memset(long_name, 'a', 201);
	long_name[201] = '\0';
	assert_error(config_check_name(long_name, &err), &err, ENAMETOOLONG,
		     "container name of 201 bytes is too long; at most 200");
	error_clear(&err);
	long_name[200] = '\0';
	assert_ok(config_check_name(long_name, &err), &err);
	long_name[64] = '\0';
	assert_int_equal(config_check_name(long_name, NULL), -EINVAL);
}

static void test_signals(void **state)
{
	static const struct {
		const char *text;
		int signo;
	} good[] = {
		{ "TERM", 15 },       { "SIGTERM", 15 }, { "15", 15 },       { "term", 15 },
		{ "sigkill", 9 },     { "1", 1 },        { "64", 64 },       { "CLD", 17 },
		{ "IOT", 6 },         { "POLL", 29 },    { "RTMIN", 34 },    { "RTMIN+3", 37 },
		{ "SIGRTMIN+0", 34 }, { "RTMAX", 64 },   { "rtmax-14", 50 }, { "RTMIN+16", 50 },
		{ "RTMAX-30", 34 },   { "STKFLT", 16 },
	};
	static const char *const bad[] = { "",        "0",       "65",
					   "-1",      "TER",     "SIG",
					   " 9",      "TERM ",   "RTMIN+31",
					   "RTMIN-1", "RTMAX+1", "SIGSIGTERM",
					   "9x",      "RTMIN+",  "99999999999999999999" };
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		int signo = 0;

		assert_ok(signal_parse(good[i].text, &signo, &err), &err);
		assert_int_equal(signo, good[i].signo);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int signo = 77;

		assert_int_equal(signal_parse(bad[i], &signo, NULL), -EINVAL);
		assert_int_equal(signo, 77);
	}
	assert_error(signal_parse("FOO", &(int){ 0 }, &err), &err, EINVAL, "unknown signal 'FOO'");
	/* Every name reads back. */
	for (int signo = -1; signo < 70; signo++) {
		const char *name = signal_get_name(signo);
		int back = 0;

		assert_int_equal(name != NULL,
				 (signo >= 1 && signo <= 31) || (signo >= 34 && signo <= 64));
		if (name)
			assert_int_equal(signal_parse(name, &back, NULL), 0);
		if (name)
			assert_int_equal(back, signo);
	}
}

/* --- out of memory ---------------------------------------------------------- */

struct sweep {
	json_t *asked, *patch, *image;
};

static int attempt_all(void *arg)
{
	const struct sweep *sweep = arg;
	AUTO(config_deinit) struct config config = { .argv = NULL };
	auto_json json_t *asked = NULL;
	auto_json json_t *effective = NULL;
	struct error err = ERROR_INIT;
	char **env;
	int ret = config_apply(sweep->asked, sweep->patch, false, &asked, &err);

	if (ret == 0)
		ret = config_merge_image(asked, sweep->image, &effective, &err);
	if (ret == 0)
		ret = config_decode(effective, true, &config, &err);
	assert_int_equal(ret, -err.code);
	if (ret < 0)
		return ret;
	env = config_build_env(&config, "h", "/");
	for (size_t i = 0; env && env[i]; i++)
		free(env[i]);
	free(env);
	return env ? 0 : -ENOMEM;
}

static void test_no_memory(void **state)
{
	struct sweep sweep = {
		.asked = parse("{'Tty':true,'Labels':{'a':'b'},'HostConfig':{'Init':true}}"),
		.patch = parse(
			"{'Cmd':'c','Image':'a@sha256:0123456789abcdef0123456789abcdef"
			"0123456789abcdef0123456789abcdef','ExposedPorts':{'80':{}},"
			"'Env':['A=1','PATH'],'HostConfig':{'Binds':['/a:/b'],'Memory':1048576,"
			"'Ulimits':[{'Name':'core','Soft':1,'Hard':1}]}}"),
		.image = parse("{'config':{'Env':['B=1'],'Entrypoint':'x','WorkingDir':'w',"
			       "'Labels':{'c':'d'}}}"),
	};

	(void)state;
	assert_true(alloc_sweep(attempt_all, &sweep) > 20);
	json_decref(sweep.asked);
	json_decref(sweep.patch);
	json_decref(sweep.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge_image),     cmocka_unit_test(test_merge_maps),
		cmocka_unit_test(test_merge_argv),      cmocka_unit_test(test_merge_bad_image),
		cmocka_unit_test(test_decode_defaults), cmocka_unit_test(test_decode_all),
		cmocka_unit_test(test_decode_damaged),  cmocka_unit_test(test_env),
		cmocka_unit_test(test_names),           cmocka_unit_test(test_signals),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
