/* The counters of a container as lines: numbers alone, for programs. The table for
 * people is the command stats's.
 */
#include "fs/render/report.h"

#include <inttypes.h>

static void append(struct strbuf *out, const char *key, uint64_t value)
{
	strbuf_appendf(out, "%s:\t%" PRIu64 "\n", key, value);
}

int report_stats(struct container *c, struct strbuf *out, struct error *err)
{
	struct container_stats stats;
	int r = container_read_stats(c, &stats, err);

	if (r <= 0)
		return r;
	append(out, "Memory", stats.memory);
	append(out, "MemoryPeak", stats.memory_peak);
	append(out, "MemoryLimit", stats.memory_limit);
	append(out, "CpuNanos", stats.cpu_ns);
	append(out, "Pids", stats.pids);
	append(out, "BlockRead", stats.block_read);
	append(out, "BlockWritten", stats.block_written);
	append(out, "NetReceived", stats.net_received);
	append(out, "NetSent", stats.net_sent);
	return strbuf_check(out, err);
}
