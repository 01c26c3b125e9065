/* What a container's groups have used.
 *
 * Each number is asked of the tree that has it: memory of the memory controller's,
 * time of version 2's leaf, which counts it without a controller, else of a version 1
 * group that cpuacct shares. What no group counts is added up of the processes: their
 * blocks read and written, where children that were waited for are counted in.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Version 1 writes a limit that is none as a number near this. */
#define V1_UNLIMITED (INT64_MAX / 4096 * 4096)

static bool read_number(int group_fd, const char *name, uint64_t *ret)
{
	char text[64];

	cgroup_read_file(group_fd, name, text, sizeof(text));
	return num_parse_u64(text, 0, UINT64_MAX, ret) == 0;
}

static int open_group_of(const struct cgroup_host *host, enum cgroup_controller controller,
			 const char *id)
{
	return cgroup_open_group(host, cgroup_host_find_tree(host, controller), id);
}

static void read_memory(const struct cgroup_host *host, const char *id, struct cgroup_stats *stats)
{
	bool v2 = cgroup_host_find_tree(host, CGROUP_MEMORY) == CGROUP_TREE_V2;
	auto_fd int fd = open_group_of(host, CGROUP_MEMORY, id);

	if (fd < 0)
		return;
	read_number(fd, v2 ? "memory.current" : "memory.usage_in_bytes", &stats->memory);
	read_number(fd, v2 ? "memory.peak" : "memory.max_usage_in_bytes", &stats->memory_peak);
	/* "max" is no number, and stays 0. */
	read_number(fd, v2 ? "memory.max" : "memory.limit_in_bytes", &stats->memory_limit);
	if (stats->memory_limit >= V1_UNLIMITED)
		stats->memory_limit = 0;
	/* Two files, one after the other. */
	if (stats->memory_peak < stats->memory)
		stats->memory_peak = stats->memory;
}

/* --- of the processes --------------------------------------------------------------- */

/* The file of a process, whole; "" when it has gone. */
static void read_process(pid_t pid, const char *name, char *ret_text, size_t size)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	cgroup_read_file(AT_FDCWD, path, ret_text, size);
}

/* "key: N" in such a file. */
static uint64_t find_number(const char *text, const char *key)
{
	const char *at = strstr(text, key);
	char digits[24];
	size_t len;
	uint64_t value;

	if (!at)
		return 0;
	at += strlen(key);
	len = strspn(at, "0123456789");
	if (len == 0 || len >= sizeof(digits))
		return 0;
	memcpy(digits, at, len);
	digits[len] = '\0';
	return num_parse_u64(digits, 0, UINT64_MAX, &value) == 0 ? value : 0;
}

static void add_blocks(pid_t pid, struct cgroup_stats *stats)
{
	char text[512];

	read_process(pid, "io", text, sizeof(text));
	stats->block_read += find_number(text, "\nread_bytes: ");
	stats->block_written += find_number(text, "\nwrite_bytes: ");
}

/* User and system time, its own and of the children that it waited for: fields 14 to 17 of proc(5). */
static uint64_t read_ticks(pid_t pid)
{
	char text[1024], *save = NULL, *at;
	uint64_t ticks = 0, value;
	int field = 2;

	read_process(pid, "stat", text, sizeof(text));
	at = strrchr(text, ')');
	if (!at)
		return 0;
	for (char *word = strtok_r(at + 1, " ", &save); word && field < 17;
	     word = strtok_r(NULL, " ", &save)) {
		field++;
		if (field >= 14 && num_parse_u64(word, 0, UINT64_MAX, &value) == 0)
			ticks += value;
	}
	return ticks;
}

static void read_cpu(const struct cgroup_host *host, const char *id, const struct cgroup_pids *pids,
		     struct cgroup_stats *stats)
{
	auto_fd int leaf_fd = cgroup_open_group(host, CGROUP_TREE_V2, id);
	auto_fd int v1_fd = leaf_fd >= 0 ? -1 : open_group_of(host, CGROUP_CPU, id);

	if (leaf_fd >= 0) {
		stats->cpu_ns = cgroup_read_key(leaf_fd, "cpu.stat", "usage_usec") * 1000;
		return;
	}
	if (v1_fd >= 0 && read_number(v1_fd, "cpuacct.usage", &stats->cpu_ns))
		return;
	for (size_t i = 0; i < pids->count; i++)
		stats->cpu_ns += read_ticks(pids->pids[i]) *
				 (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

int cgroup_read_stats(struct cgroup_host *host, const char *id, struct cgroup_stats *ret,
		      struct error *err)
{
	AUTO(cgroup_pids_deinit) struct cgroup_pids pids = { 0 };
	auto_fd int main_fd = cgroup_open_group(host, cgroup_host_main_tree(host), id);
	struct cgroup_stats stats = { .memory = 0 };
	int r = main_fd < 0 ? main_fd : cgroup_pids_read(main_fd, &pids);

	if (r < 0)
		return error_set_sys(err, -r, "cannot read the control group of '%.12s'", id);
	stats.pids = pids.count;
	read_memory(host, id, &stats);
	read_cpu(host, id, &pids, &stats);
	for (size_t i = 0; i < pids.count; i++)
		add_blocks(pids.pids[i], &stats);
	*ret = stats;
	return 0;
}
