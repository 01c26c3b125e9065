/* Real groups on this machine, whatever its mix of versions: the same program
 * runs on a hybrid machine and on pure version 2 in the guest. */
#include "tests/runtime/cgroup_fixture.h"

static void test_host(void **state)
{
	(void)state;
	assert_true(cgroup_host_has(host, "memory"));
	assert_true(cgroup_host_has(host, "cpu"));
	assert_true(cgroup_host_has(host, "pids"));
	assert_true(cgroup_host_has(host, "cpuset"));
	assert_true(cgroup_host_has(host, "devices"));
	assert_true(cgroup_host_has(host, "freezer"));
	assert_false(cgroup_host_has(host, "nonsense"));
	assert_non_null(strstr("v1 v2 hybrid", cgroup_host_get_mode(host)));
}

static void test_bad_names(void **state)
{
	struct cgroup_limits limits = { 0 };
	struct cgroup cgroup = CGROUP_INIT;
	struct cgroup_host *other = NULL;

	(void)state;
	assert_error(cgroup_host_new("../x", &other, &err), &err, EINVAL,
		     "'../x' cannot name a control group");
	error_clear(&err);
	assert_error(cgroup_create(host, "..", &limits, &cgroup, &err), &err, EINVAL,
		     "'..' cannot name a control group");
	error_clear(&err);
	assert_error(cgroup_update(host, ID, &limits, &err), &err, ENOENT,
		     "no control group 'cafe0123': No such file or directory");
}

static void test_create_kill_remove(void **state)
{
	struct cgroup_limits limits = { 0 };
	struct cgroup cgroup = CGROUP_INIT;
	pid_t *pids = NULL, pid;
	char **ids = NULL;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_sleep);
	assert_int_equal(cgroup_list_pids(host, ID, &pids, &err), 1);
	assert_int_equal(pids[0], pid);
	free(pids);
	assert_ok(cgroup_list(host, &ids, &err), &err);
	assert_string_equal(ids[0], ID);
	assert_null(ids[1]);
	free(ids[0]);
	free(ids);
	assert_false(cgroup_was_oom(host, ID));
	/* The id is in use: refused, and what is there lives on. */
	assert_int_equal(cgroup_create(host, ID, &limits, &cgroup, &err), -EBUSY);
	assert_string_equal(err.msg,
			    "control group 'cafe0123' is there already: Device or resource busy");
	error_clear(&err);
	assert_int_equal(kill(pid, 0), 0);
	assert_ok(cgroup_kill(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	assert_ok(cgroup_kill(host, ID, &err), &err);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_ok(cgroup_kill(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
}

/* Processes nobody has reaped yet, groups made below by the container. */
static void test_remove_busy(void **state)
{
	struct cgroup_limits limits = { .pids = 64 };
	struct cgroup cgroup = CGROUP_INIT;
	pid_t pid;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_fork_bomb);
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++) {
		int fd = cgroup_open_group(host, (int)i, ID);

		if (fd < 0)
			continue;
		assert_int_equal(mkdirat(fd, "a", 0755), 0);
		assert_int_equal(mkdirat(fd, "a/b", 0755), 0);
		close(fd);
	}
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	cgroup_deinit(&cgroup);
}

static void test_leftover(void **state)
{
	struct cgroup_limits limits = { .pids = 7 };
	struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	cgroup_deinit(&cgroup);
	limits.pids = 0;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	cgroup_deinit(&cgroup);
	assert_ok(cgroup_remove(host, ID, &err), &err);
}

/* Somebody tidied up the empty parents: they are made anew, as they were. */
static void test_parent_gone(void **state)
{
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;
	struct cgroup_limits limits = { .pids = 5, .memory = 64 << 20 };
	char **ids;

	(void)state;
	cgroup_host_sweep(host);
	assert_int_equal(cgroup_create(host, ID, &limits, &cgroup, &err), 0);
	assert_true(cgroup.leaf_fd >= 0 || cgroup.procs_count > 0);
	assert_int_equal(cgroup_list(host, &ids, &err), 0);
	assert_string_equal(ids[0], ID);
	free(ids[0]);
	free(ids);
	assert_int_equal(cgroup_remove(host, ID, &err), 0);
}

static void test_pids_limit(void **state)
{
	struct cgroup_limits limits = { .pids = 5 };
	struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_value(CGROUP_PIDS, "pids.max", "5", "pids.max", "5");
	assert_int_equal(reap(spawn(&cgroup, work_fork)), 4);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
}

static void test_memory_limit(void **state)
{
	struct cgroup_limits limits = { .memory = 8 << 20 };
	struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_value(CGROUP_MEMORY, "memory.limit_in_bytes", "8388608", "memory.max", "8388608");
	if (cgroup_host_has(host, "swap"))
		assert_value(CGROUP_MEMORY, "memory.memsw.limit_in_bytes", "16777216",
			     "memory.swap.max", "8388608");
	assert_false(cgroup_was_oom(host, ID));
	assert_int_equal(reap(spawn(&cgroup, work_eat)), 128 + SIGKILL);
	/* All have died; the group still knows. */
	assert_true(cgroup_was_oom(host, ID));
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_false(cgroup_was_oom(host, ID));
	cgroup_deinit(&cgroup);
}

static void test_cpu(void **state)
{
	struct cgroup_limits limits = { .cpu_shares = 512, .nano_cpus = 1500000000 };
	struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_value(CGROUP_CPU, "cpu.shares", "512", "cpu.weight", "20");
	assert_value(CGROUP_CPU, "cpu.cfs_quota_us", "150000", "cpu.max", "150000 100000");
	assert_ok(cgroup_remove(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
	limits.cpu_shares = 1;
	assert_error(cgroup_create(host, ID, &limits, &cgroup, &err), &err, EINVAL,
		     "cpu shares of 1 are not in 2..262144");
}

static void test_cpu_period(void **state)
{
	struct cgroup_limits limits = { .cpu_period_us = 50000, .cpu_quota_us = 20000 };
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_value(CGROUP_CPU, "cpu.cfs_period_us", "50000", "cpu.max", "20000 50000");
	assert_value(CGROUP_CPU, "cpu.cfs_quota_us", "20000", "cpu.max", "20000 50000");
	limits = (struct cgroup_limits){ .cpu_quota_us = -1 };
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	assert_value(CGROUP_CPU, "cpu.cfs_period_us", "100000", "cpu.max", "max 100000");
	assert_value(CGROUP_CPU, "cpu.cfs_quota_us", "-1", "cpu.max", "max 100000");
	assert_ok(cgroup_remove(host, ID, &err), &err);
}

/* One that is there for whoever asks, then none, then one with processes in it. */
static void test_cpuset(void **state)
{
	struct cgroup_limits limits = { .cpuset_cpus = "0" };
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;
	char all[64];
	pid_t pid;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_sleep);
	assert_value(CGROUP_CPUSET, "cpuset.cpus", "0", "cpuset.cpus", "0");
	limits.cpuset_cpus = "";
	limits.cpuset_mems = "0";
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	cgroup_read_file(host->trees[cgroup_host_find_tree(host, CGROUP_CPUSET)].parent_fd,
			 is_v2(CGROUP_CPUSET) ? "cpuset.cpus.effective" : "cpuset.cpus", all,
			 sizeof(all));
	assert_value(CGROUP_CPUSET, "cpuset.cpus", all, "cpuset.cpus.effective", all);
	assert_value(CGROUP_CPUSET, "cpuset.mems", "0", "cpuset.mems", "0");
	limits.cpuset_cpus = "0,8000";
	assert_int_equal(cgroup_update(host, ID, &limits, &err), -EINVAL);
	assert_non_null(strstr(err.msg, "processors 0,8000 are not all there; this machine has 0"));
	error_clear(&err);
	assert_value(CGROUP_CPUSET, "cpuset.mems", "0", "cpuset.mems", "0");
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
}

static void test_cpuset_later(void **state)
{
	struct cgroup_limits limits = { 0 };
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;
	pid_t pid;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_sleep);
	limits.cpuset_cpus = "0";
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	assert_value(CGROUP_CPUSET, "cpuset.cpus", "0", "cpuset.cpus", "0");
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
}

static int work_more_devices(void)
{
	/* kmsg may be read alone, the second memory device all, others as before. */
	char path[] = "/tmp/test-cgroup-more-XXXXXX";
	int read_only, both;

	if (!mkdtemp(path) || chdir(path) < 0 || mknod("kmsg", S_IFCHR | 0600, makedev(1, 11)) < 0)
		return 100;
	read_only = open("kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	both = open("kmsg", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	unlink("kmsg");
	if (chdir("/") < 0 || rmdir(path) < 0)
		return 101;
	if (read_only < 0 || both >= 0)
		return 102;
	if (open_device(10, 229) == EPERM || open_device(5, 3) != EPERM)
		return 103;
	return open_device(1, 3);
}

static void test_more_devices(void **state)
{
	static const struct device_rule rules[] = {
		{ .type = 'c', .major = 1, .minor = 11, .access = DEVICE_READ },
		{ .type = 'b', .major = -1, .minor = -1, .access = 7 },
		{ .type = 'a', .major = 10, .minor = -1, .access = 7 },
	};
	struct cgroup_limits limits = { .devices = rules, .device_count = 3 };
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_int_equal(reap(spawn(&cgroup, work_more_devices)), 0);
	assert_ok(cgroup_remove(host, ID, &err), &err);
}

static void test_reservation(void **state)
{
	struct cgroup_limits limits = { .memory_reservation = 4 << 20 };
	AUTO(cgroup_deinit) struct cgroup cgroup = CGROUP_INIT;
	char text[64];

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_value(CGROUP_MEMORY, "memory.soft_limit_in_bytes", "4194304", "memory.low",
		     "4194304");
	limits.memory_reservation = 0;
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	read_value(CGROUP_MEMORY,
		   is_v2(CGROUP_MEMORY) ? "memory.low" : "memory.soft_limit_in_bytes", text);
	assert_string_not_equal(text, "4194304");
	assert_ok(cgroup_remove(host, ID, &err), &err);
}

static void test_bad_limits(void **state)
{
	struct cgroup_limits limits = { .memory = 16 << 20, .memory_swap = 8 << 20 };
	struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_error(cgroup_create(host, ID, &limits, &cgroup, &err), &err, EINVAL,
		     "the limit of memory and swap together is below that of memory");
	error_clear(&err);
	limits = (struct cgroup_limits){ .nano_cpus = 1 };
	assert_error(cgroup_create(host, ID, &limits, &cgroup, &err), &err, EINVAL,
		     "less than 0.01 of a processor");
}

static void test_update(void **state)
{
	struct cgroup_limits limits = { .memory = 32 << 20 };
	struct cgroup cgroup = CGROUP_INIT;
	pid_t pid, *pids = NULL;
	char text[64];

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_fork_bomb);
	wait_for_pids(21);
	/* A raise and a cut; pids and cpu groups that were not needed so far. */
	limits = (struct cgroup_limits){
		.memory = 128 << 20, .pids = 50, .cpu_shares = 2048, .nano_cpus = 500000000
	};
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	assert_value(CGROUP_MEMORY, "memory.limit_in_bytes", "134217728", "memory.max",
		     "134217728");
	assert_value(CGROUP_PIDS, "pids.max", "50", "pids.max", "50");
	assert_value(CGROUP_CPU, "cpu.shares", "2048", "cpu.weight", "79");
	/* Everybody is there. */
	read_value(CGROUP_PIDS, "pids.current", text);
	assert_string_equal(text, "21");
	limits.memory = 64 << 20;
	limits.memory_swap = -1;
	limits.pids = 0;
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	assert_value(CGROUP_MEMORY, "memory.limit_in_bytes", "67108864", "memory.max", "67108864");
	assert_value(CGROUP_PIDS, "pids.max", "max", "pids.max", "max");
	/* Refused: nothing of it happens. */
	limits = (struct cgroup_limits){ .memory = 256 << 20, .cpu_shares = 300000 };
	assert_error(cgroup_update(host, ID, &limits, &err), &err, EINVAL,
		     "cpu shares of 300000 are not in 2..262144");
	error_clear(&err);
	assert_value(CGROUP_MEMORY, "memory.limit_in_bytes", "67108864", "memory.max", "67108864");
	assert_value(CGROUP_CPU, "cpu.shares", "2048", "cpu.weight", "79");
	assert_int_equal(cgroup_list_pids(host, ID, &pids, &err), 21);
	free(pids);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	cgroup_deinit(&cgroup);
}

/* Less than is in use is refused, and nobody is killed for it. */
static void test_update_below_usage(void **state)
{
	struct cgroup_limits limits = { .memory = 128 << 20, .memory_swap = 128 << 20 };
	struct cgroup cgroup = CGROUP_INIT;
	uint64_t used = 0;
	char text[64];
	pid_t pid;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_hold);
	while (used < 64 << 20) {
		int tree = cgroup_host_find_tree(host, CGROUP_MEMORY);
		auto_fd int group_fd = cgroup_open_group(host, tree, ID);

		cgroup_read_file(group_fd,
				 tree == CGROUP_TREE_V2 ? "memory.current"
							: "memory.usage_in_bytes",
				 text, sizeof(text));
		assert_int_equal(num_parse_u64(text, 0, UINT64_MAX, &used), 0);
	}
	limits.memory = limits.memory_swap = 32 << 20;
	limits.pids = 50;
	assert_error(cgroup_update(host, ID, &limits, &err), &err, EBUSY,
		     "memory cannot be limited to 33554432: more is in use");
	error_clear(&err);
	assert_value(CGROUP_MEMORY, "memory.limit_in_bytes", "134217728", "memory.max",
		     "134217728");
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	cgroup_deinit(&cgroup);
}

/* Frozen is who is told so by the kernel; a signal waits, SIGKILL does not need to. */
static void test_freeze(void **state)
{
	struct cgroup_limits limits = { 0 };
	struct cgroup cgroup = CGROUP_INIT;
	pid_t pid;

	(void)state;
	assert_error(cgroup_freeze(host, ID, 1000, &err), &err, ENOENT,
		     "no control group 'cafe0123': No such file or directory");
	error_clear(&err);
	assert_ok(cgroup_thaw(host, ID, 1000, &err), &err);
	assert_false(cgroup_is_frozen(host, ID));
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	pid = spawn(&cgroup, work_fork_bomb);
	wait_for_pids(21);
	for (int i = 0; i < 3; i++) {
		assert_ok(cgroup_freeze(host, ID, 5000, &err), &err);
		assert_true(cgroup_is_frozen(host, ID));
		assert_int_equal(kill(pid, SIGCONT), 0);
		assert_ok(cgroup_thaw(host, ID, 5000, &err), &err);
		assert_false(cgroup_is_frozen(host, ID));
	}
	assert_ok(cgroup_freeze(host, ID, 5000, &err), &err);
	assert_ok(cgroup_kill(host, ID, &err), &err);
	assert_int_equal(reap(pid), 128 + SIGKILL);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
}

/* The kernel refuses the second of two changes: the first is taken back. */
static void test_update_undone(void **state)
{
	struct cgroup_limits limits = { .memory = 32 << 20 };
	struct cgroup cgroup = CGROUP_INIT;
	int ret;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	limits.memory = 64 << 20;
	limits.pids = INT64_MAX; /* above the kernel's PID_MAX_LIMIT */
	ret = cgroup_update(host, ID, &limits, &err);
	assert_error(ret, &err, EINVAL,
		     "cannot set pids.max to '9223372036854775807': Invalid argument");
	assert_value(CGROUP_MEMORY, "memory.limit_in_bytes", "33554432", "memory.max", "33554432");
	error_clear(&err);
	limits.pids = 10;
	assert_ok(cgroup_update(host, ID, &limits, &err), &err);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
}

static void test_devices(void **state)
{
	struct cgroup_limits limits = { 0 };
	struct cgroup cgroup = CGROUP_INIT;

	(void)state;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_int_equal(reap(spawn(&cgroup, work_devices)), 0);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
	limits.all_devices = true;
	assert_ok(cgroup_create(host, ID, &limits, &cgroup, &err), &err);
	assert_int_equal(reap(spawn(&cgroup, work_fuse)), 0);
	assert_ok(cgroup_remove(host, ID, &err), &err);
	cgroup_deinit(&cgroup);
}

static const char hybrid[] =
	"32 31 0:29 / /sys/fs/cgroup/cpu\\040x rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
	"nonsense\n"
	"35 31 0:32 /docker/x /wrong rw - cgroup cgroup rw,memory\n"
	"35 31 0:32 / /m rw shared:9 master:2 - cgroup cgroup rw,memory\n"
	"35 31 0:32 / /later rw - cgroup cgroup rw,memory\n"
	"40 31 0:37 / /named rw - cgroup cgroup rw,name=pids\n"
	"41 31 0:38 / /u rw - cgroup2 cgroup2 rw,nsdelegate\n"
	"42 31 0:38 / /f rw - cgroup";

static void test_parse(void **state)
{
	struct cgroup_mounts *mounts = calloc(1, sizeof(*mounts));

	(void)state;
	assert_non_null(mounts);
	cgroup_mounts_parse(hybrid, mounts);
	assert_string_equal(mounts->paths[CGROUP_CPU], "/sys/fs/cgroup/cpu x");
	assert_string_equal(mounts->paths[CGROUP_MEMORY], "/m");
	assert_string_equal(mounts->paths[CGROUP_PIDS], "");
	assert_string_equal(mounts->paths[CGROUP_TREE_V2], "/u");
	cgroup_mounts_parse("", mounts);
	assert_string_equal(mounts->paths[CGROUP_TREE_V2], "");
	free(mounts);
}

/* The same machine as if version 2 were not mounted. */
static int setup_v1(void **state)
{
	AUTO(strbuf_deinit) struct strbuf all = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf rest = STRBUF_INIT;
	char *save = NULL;

	(void)state;
	error_clear(&err);
	if (path_read_file(AT_FDCWD, "/proc/self/mountinfo", 1 << 20, &all, &err) < 0)
		return -1;
	for (char *line = strtok_r(all.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (!strstr(line, " - cgroup2 "))
			strbuf_appendf(&rest, "%s\n", line);
	return cgroup_host_new_from(get_instance(), strbuf_get_str(&rest), &host, &err);
}

static bool has_v1(void)
{
	bool has = setup_v1(NULL) == 0;

	if (has)
		teardown(NULL);
	error_clear(&err);
	return has;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),    CASE(test_host, setup),
		CASE(test_bad_names, setup),     CASE(test_create_kill_remove, setup),
		CASE(test_remove_busy, setup),   CASE(test_leftover, setup),
		CASE(test_parent_gone, setup),   CASE(test_pids_limit, setup),
		CASE(test_memory_limit, setup),  CASE(test_cpu, setup),
		CASE(test_bad_limits, setup),    CASE(test_update_below_usage, setup),
		CASE(test_freeze, setup),        CASE(test_update, setup),
		CASE(test_update_undone, setup), CASE(test_devices, setup),
		CASE(test_cpu_period, setup),    CASE(test_cpuset, setup),
		CASE(test_cpuset_later, setup),  CASE(test_reservation, setup),
		CASE(test_more_devices, setup),
	};
	const struct CMUnitTest v1_tests[] = {
		CASE(test_host, setup_v1),
		CASE(test_create_kill_remove, setup_v1),
		CASE(test_remove_busy, setup_v1),
		CASE(test_pids_limit, setup_v1),
		CASE(test_memory_limit, setup_v1),
		CASE(test_cpu, setup_v1),
		CASE(test_update_below_usage, setup_v1),
		CASE(test_freeze, setup_v1),
		CASE(test_update, setup_v1),
		CASE(test_update_undone, setup_v1),
		CASE(test_devices, setup_v1),
		CASE(test_cpu_period, setup_v1),
		CASE(test_cpuset, setup_v1),
		CASE(test_cpuset_later, setup_v1),
		CASE(test_reservation, setup_v1),
		CASE(test_more_devices, setup_v1),
	};
	int failed = cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);

	/* Pure version 2 has no version 1 to be tried. */
	if (has_v1())
		failed += cmocka_run_group_tests_name("cgroup v1", v1_tests, NULL, NULL);
	return failed;
}
