/* What a running container uses: its groups' counters, and the network's of the
 * namespace that its first process is in.
 */
#include "runtime/engine_private.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sysinfo.h>

/* net/dev has some 130 bytes for each interface; what is behind this is left out. */
#define NET_TEXT_MAX (64U << 10)
#define FIELD_RECEIVED 0
#define FIELD_SENT 8

/* "eth0: BYTES PACKETS ... (8 fields) BYTES ...": add the two. */
static void add_interface(char *line, struct container_stats *stats)
{
	char *colon = strrchr(line, ':'), *save = NULL;
	uint64_t value;
	int field = 0;

	if (!colon)
		return;
	*colon = '\0';
	if (strcmp(line + strspn(line, " "), "lo") == 0)
		return;
	for (char *word = strtok_r(colon + 1, " ", &save); word;
	     word = strtok_r(NULL, " ", &save), field++) {
		if (num_parse_u64(word, 0, UINT64_MAX, &value) < 0)
			continue;
		if (field == FIELD_RECEIVED)
			stats->net_received += value;
		else if (field == FIELD_SENT)
			stats->net_sent += value;
	}
}

static void read_network(pid_t pid, struct container_stats *stats)
{
	auto_free char *text = malloc(NET_TEXT_MAX);
	char path[40], *save = NULL;
	auto_fd int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	len = fd < 0 || !text ? -1 : path_pread_full(fd, text, NET_TEXT_MAX - 1, 0);
	if (len < 0)
		return;
	text[len] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		add_interface(line, stats);
}

static uint64_t get_machine_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 ? 0 : (uint64_t)info.totalram * info.mem_unit;
}

int container_read_stats(struct container *c, struct container_stats *ret, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	struct container_stats stats = { .memory = 0 };
	struct cgroup_stats used;
	int r;

	if (!container_view_is_live(view))
		return 0;
	r = cgroup_read_stats(c->engine->cgroups, c->id, &used, err);
	if (r == -ENOENT) { /* it has just ended */
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return r;
	stats = (struct container_stats){ .memory = used.memory,
					  .memory_peak = used.memory_peak,
					  .memory_limit = used.memory_limit ? used.memory_limit
									    : get_machine_memory(),
					  .cpu_ns = used.cpu_ns,
					  .pids = used.pids,
					  .block_read = used.block_read,
					  .block_written = used.block_written };
	read_network(view->pid, &stats);
	*ret = stats;
	return 1;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t left = *(const pid_t *)a, right = *(const pid_t *)b;

	return left < right ? -1 : left > right;
}

ssize_t container_list_pids(struct container *c, pid_t **ret, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	pid_t *pids = NULL;
	ssize_t count;

	if (!container_view_is_live(view))
		return 0;
	count = cgroup_list_pids(c->engine->cgroups, c->id, &pids, err);
	if (count == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (count > 0)
		qsort(pids, (size_t)count, sizeof(*pids), compare_pids);
	if (count >= 0)
		*ret = pids;
	return count;
}
