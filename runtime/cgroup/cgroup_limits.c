/* What limits become: files of a group and the text written to them.
 *
 * cgroup_settings_make() decides, the others read and write. A limit is written
 * in the words of the version that its controller is bound to. The order
 * matters for memory alone: version 1 refuses memory above memory + swap, so a
 * raise begins with the sum and a cut ends with it.
 *
 * Source: the kernel's cgroup-v1/memory.rst, cgroup-v2.rst, sched-bwc.rst.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

/* The kernel's default; Docker's --cpus uses it too. */
#define CPU_PERIOD_US 100000
/* Anything shorter is refused by the kernel. */
#define CPU_QUOTA_MIN_US 1000

struct settings {
	const struct cgroup_host *host;
	const struct cgroup_limits *limits;
	struct cgroup_setting *list;
	int count;
};

static struct cgroup_setting *add(struct settings *s, enum cgroup_controller controller,
				  const char *file, bool is_default)
{
	struct cgroup_setting *setting = &s->list[s->count++];

	setting->controller = controller;
	setting->file = file;
	setting->is_default = is_default;
	setting->parents = NULL;
	return setting;
}

static void add_number(struct settings *s, enum cgroup_controller controller, const char *file,
		       int64_t value, const char *none)
{
	struct cgroup_setting *setting = add(s, controller, file, value < 0);

	if (value < 0)
		snprintf(setting->value, sizeof(setting->value), "%s", none);
	else
		snprintf(setting->value, sizeof(setting->value), "%" PRId64, value);
}

static int lacks(struct error *err, const char *limit, const char *controller)
{
	return error_set(err, ENOTSUP,
			 "%s cannot be limited here; this kernel offers no %s control group", limit,
			 controller);
}

/* Memory and swap together, -1 for no limit; Docker's defaults. */
static int64_t total_memory(const struct cgroup_limits *limits)
{
	if (limits->memory == 0 || limits->memory_swap < 0)
		return -1;
	if (limits->memory_swap > 0)
		return limits->memory_swap;
	return limits->memory > INT64_MAX / 2 ? -1 : limits->memory * 2;
}

static int make_memory(struct settings *s, uint64_t memsw_now, struct error *err)
{
	const struct cgroup_limits *limits = s->limits;
	int64_t memory = limits->memory > 0 ? limits->memory : -1, total = total_memory(limits);
	int64_t reservation = limits->memory_reservation > 0 ? limits->memory_reservation : -1;
	int tree = cgroup_host_find_tree(s->host, CGROUP_MEMORY);

	if (limits->memory < 0)
		return error_set(err, EINVAL, "a negative memory limit");
	if (limits->memory_swap > 0 && limits->memory_swap < limits->memory)
		return error_set(err, EINVAL,
				 "the limit of memory and swap together is below that of memory");
	if (limits->memory_swap > 0 && limits->memory == 0)
		return error_set(err, EINVAL, "a limit of memory and swap needs one of memory");
	if (tree < 0)
		return memory < 0 && reservation < 0 ? 0 : lacks(err, "memory", "memory");
	if (!s->host->has_swap && limits->memory_swap > 0)
		return lacks(err, "swap", "swap accounting memory");
	if (tree == CGROUP_TREE_V2) {
		add_number(s, CGROUP_MEMORY, "memory.low", reservation, "0");
		add_number(s, CGROUP_MEMORY, "memory.max", memory, "max");
		if (s->host->has_swap)
			add_number(s, CGROUP_MEMORY, "memory.swap.max",
				   total < 0 ? -1 : total - memory, "max");
		return 0;
	}
	if (s->host->has_swap && (memory < 0 || (uint64_t)memory > memsw_now))
		add_number(s, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", total, "-1");
	add_number(s, CGROUP_MEMORY, "memory.limit_in_bytes", memory, "-1");
	if (s->host->has_swap)
		add_number(s, CGROUP_MEMORY, "memory.memsw.limit_in_bytes", total, "-1");
	add_number(s, CGROUP_MEMORY, "memory.soft_limit_in_bytes", reservation, "-1");
	return 0;
}

static int make_cpu(struct settings *s, struct error *err)
{
	const struct cgroup_limits *limits = s->limits;
	int64_t shares = limits->cpu_shares ? limits->cpu_shares : 1024;
	int64_t period = limits->cpu_period_us ? limits->cpu_period_us : CPU_PERIOD_US;
	int64_t quota = limits->nano_cpus ? limits->nano_cpus / (1000000000 / CPU_PERIOD_US)
					  : limits->cpu_quota_us;
	int tree = cgroup_host_find_tree(s->host, CGROUP_CPU);
	struct cgroup_setting *setting;

	if (shares < 2 || shares > 262144)
		return error_set(err, EINVAL, "cpu shares of %" PRId64 " are not in 2..262144",
				 shares);
	if (limits->nano_cpus < 0 || (limits->nano_cpus > 0 && quota < CPU_QUOTA_MIN_US))
		return error_set(err, EINVAL, "less than 0.01 of a processor");
	if (quota < 0)
		quota = 0;
	if (tree < 0)
		return limits->cpu_shares || quota ? lacks(err, "cpu", "cpu") : 0;
	if (tree == CGROUP_TREE_V2) {
		setting = add(s, CGROUP_CPU, "cpu.weight", limits->cpu_shares == 0);
		snprintf(setting->value, sizeof(setting->value), "%" PRId64,
			 limits->cpu_shares ? 1 + (shares - 2) * 9999 / 262142 : 100);
		setting = add(s, CGROUP_CPU, "cpu.max", quota == 0 && limits->cpu_period_us == 0);
		if (quota)
			snprintf(setting->value, sizeof(setting->value), "%" PRId64 " %" PRId64,
				 quota, period);
		else
			snprintf(setting->value, sizeof(setting->value), "max %" PRId64, period);
		return 0;
	}
	add_number(s, CGROUP_CPU, "cpu.shares", shares, "1024");
	s->list[s->count - 1].is_default = limits->cpu_shares == 0;
	add_number(s, CGROUP_CPU, "cpu.cfs_period_us", period, "100000");
	s->list[s->count - 1].is_default = limits->cpu_period_us == 0;
	add_number(s, CGROUP_CPU, "cpu.cfs_quota_us", quota ? quota : -1, "-1");
	return 0;
}

/* A list of processors or nodes. An empty one, for all, is written as the parent's: version 1 has no other way,
 * and version 2 refuses an empty list for a group with processes. */
static int add_list(struct settings *s, int tree, const char *what, const char *file,
		    const char *effective, const char *list, struct error *err)
{
	struct cgroup_setting *setting = add(s, CGROUP_CPUSET, file, !list || !*list);
	int parent_fd = s->host->trees[tree].parent_fd;
	char here[CPULIST_TEXT_MAX + 1];
	struct cpulist wanted, all;

	setting->parents = tree == CGROUP_TREE_V2 ? effective : file;
	setting->value[0] = '\0';
	if (setting->is_default)
		return 0;
	cgroup_read_file(parent_fd, effective, here, sizeof(here));
	if (cpulist_parse(list, &wanted) < 0)
		return error_set(err, EINVAL, "'%s' is not a list of %s", list, what);
	if (cpulist_parse(here, &all) == 0 && !cpulist_includes(&all, &wanted))
		return error_set(err, EINVAL, "%s %s are not all there; this machine has %s", what,
				 list, here);
	snprintf(setting->value, sizeof(setting->value), "%s", list);
	return 0;
}

static int make_cpuset(struct settings *s, struct error *err)
{
	const char *cpus = s->limits->cpuset_cpus, *mems = s->limits->cpuset_mems;
	int tree = cgroup_host_find_tree(s->host, CGROUP_CPUSET), ret;
	bool v2 = tree == CGROUP_TREE_V2;

	if (tree < 0)
		return (cpus && *cpus) || (mems && *mems) ? lacks(err, "the processors", "cpuset")
							  : 0;
	ret = add_list(s, tree, "processors", "cpuset.cpus",
		       v2 ? "cpuset.cpus.effective" : "cpuset.effective_cpus", cpus, err);
	if (ret == 0)
		ret = add_list(s, tree, "memory nodes", "cpuset.mems",
			       v2 ? "cpuset.mems.effective" : "cpuset.effective_mems", mems, err);
	return ret;
}

int cgroup_settings_make(const struct cgroup_host *host, const struct cgroup_limits *limits,
			 uint64_t memsw_now, struct cgroup_setting ret[CGROUP_SETTINGS_MAX],
			 struct error *err)
{
	struct settings s = { host, limits, ret, 0 };
	int result = make_memory(&s, memsw_now, err);

	if (result == 0)
		result = make_cpu(&s, err);
	if (result == 0)
		result = make_cpuset(&s, err);
	if (result < 0)
		return result;
	if (cgroup_host_find_tree(host, CGROUP_PIDS) >= 0)
		add_number(&s, CGROUP_PIDS, "pids.max", limits->pids > 0 ? limits->pids : -1,
			   "max");
	else if (limits->pids > 0)
		return lacks(err, "the number of processes", "pids");
	return s.count;
}

static int refuse_used(const struct cgroup_setting *setting, struct error *err)
{
	const char *what = setting->file;

	if (strstr(what, "memsw"))
		what = "memory and swap";
	else if (setting->controller == CGROUP_MEMORY)
		what = "memory";
	return error_set(err, EBUSY, "%s cannot be limited to %s: more is in use", what,
			 setting->value);
}

static void read_of_parent(int group_fd, const char *file, char *ret_text, size_t size)
{
	auto_fd int fd = openat(group_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	cgroup_read_file(fd, file, ret_text, size);
}

int cgroup_setting_write(int group_fd, const struct cgroup_setting *setting, struct error *err)
{
	auto_fd int fd = openat(group_fd, setting->file, O_WRONLY | O_CLOEXEC);
	char parents[CPULIST_TEXT_MAX + 1];
	const char *text = setting->value;
	int ret;

	if (*text == '\0' && setting->parents) {
		cgroup_read_file(group_fd, setting->file, parents, sizeof(parents));
		if (*parents == '\0')
			return 0;
		read_of_parent(group_fd, setting->parents, parents, sizeof(parents));
		text = parents;
	}
	ret = fd < 0 ? -errno : path_write_all(fd, text, strlen(text));

	if (ret == -ENOENT && setting->is_default)
		return 0;
	if (ret == -ENOENT)
		return error_set(err, ENOTSUP, "this kernel has no %s", setting->file);
	if (ret == -EBUSY)
		return refuse_used(setting, err);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot set %s to '%s'", setting->file,
				     setting->value);
	return 0;
}

/* What is in use may be freed first: caches are. */
static int make_room(int group_fd, uint64_t limit)
{
	auto_fd int fd = openat(group_fd, "memory.reclaim", O_WRONLY | O_CLOEXEC);
	char text[32];
	uint64_t used = 0;

	for (int tries = 0; tries < 2; tries++) {
		cgroup_read_file(group_fd, "memory.current", text, sizeof(text));
		if (num_parse_u64(text, 0, UINT64_MAX, &used) < 0 || used <= limit)
			return 0;
		snprintf(text, sizeof(text), "%" PRIu64, used - limit);
		if (tries == 0 && fd >= 0)
			path_write_all(fd, text, strlen(text)); /* what it achieved is looked at */
	}
	return -EBUSY;
}

int cgroup_setting_check(int group_fd, const struct cgroup_setting *setting, struct error *err)
{
	uint64_t limit;

	if (strcmp(setting->file, "memory.max") != 0 ||
	    num_parse_u64(setting->value, 0, UINT64_MAX, &limit) < 0)
		return 0;
	return make_room(group_fd, limit) < 0 ? refuse_used(setting, err) : 0;
}

void cgroup_read_file(int group_fd, const char *name, char *ret_text, size_t size)
{
	auto_fd int fd = openat(group_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : path_pread_full(fd, ret_text, size - 1, 0);

	ret_text[n < 0 ? 0 : n] = '\0';
	while (n > 0 && ret_text[n - 1] == '\n')
		ret_text[--n] = '\0';
}

uint64_t cgroup_read_key(int group_fd, const char *name, const char *key)
{
	char text[1024], *save = NULL;
	size_t len = strlen(key);
	uint64_t value;

	cgroup_read_file(group_fd, name, text, sizeof(text));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strncmp(line, key, len) == 0 && line[len] == ' ' &&
		    num_parse_u64(line + len + 1, 0, UINT64_MAX, &value) == 0)
			return value;
	return 0;
}
