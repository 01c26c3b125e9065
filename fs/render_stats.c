/* The table of `stats`, as docker stats --no-stream has it. */
#include "fs/render_private.h"

/* Memory in binary units, four significant digits: "1.207MiB". Source: docker/go-units BytesSize. */
static void append_memory(struct strbuf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double size = (double)bytes;
	size_t unit = 0;

	for (; size >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		size /= 1024;
	strbuf_appendf(out, "%.4g%s", size, units[unit]);
}

static void append_pair(struct strbuf *out, uint64_t a, uint64_t b)
{
	render_append_size(out, a > INT64_MAX ? INT64_MAX : (int64_t)a);
	strbuf_append_str(out, " / ");
	render_append_size(out, b > INT64_MAX ? INT64_MAX : (int64_t)b);
}

static void append_percent(struct strbuf *out, uint64_t part, uint64_t whole)
{
	strbuf_appendf(out, "%.2f%%", whole ? 100.0 * (double)part / (double)whole : 0.0);
}

static void append_numbers(struct strbuf *out, const struct render_stats_row *row)
{
	const struct container_stats *stats = &row->stats;
	uint64_t used_ns =
		stats->cpu_ns > row->first_cpu_ns ? stats->cpu_ns - row->first_cpu_ns : 0;

	append_percent(out, used_ns, row->passed_ns > 0 ? (uint64_t)row->passed_ns : 0);
	strbuf_append_char(out, '\t');
	append_memory(out, stats->memory);
	strbuf_append_str(out, " / ");
	append_memory(out, stats->memory_limit);
	strbuf_append_char(out, '\t');
	append_percent(out, stats->memory, stats->memory_limit);
	strbuf_append_char(out, '\t');
	append_pair(out, stats->net_received, stats->net_sent);
	strbuf_append_char(out, '\t');
	append_pair(out, stats->block_read, stats->block_written);
	strbuf_appendf(out, "\t%llu", (unsigned long long)stats->pids);
}

void render_stats(const struct render_stats_row *rows, size_t count, bool no_trunc,
		  struct strbuf *out)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;

	strbuf_append_str(&lines, "CONTAINER ID\tNAME\tCPU %\tMEM USAGE / LIMIT\tMEM %\tNET I/O\t"
				  "BLOCK I/O\tPIDS\n");
	for (size_t i = 0; i < count; i++) {
		render_append_id(&lines, rows[i].view->id, "", no_trunc);
		strbuf_append_char(&lines, '\t');
		render_append_text(&lines, rows[i].view->name);
		strbuf_append_char(&lines, '\t');
		if (rows[i].is_alive)
			append_numbers(&lines, &rows[i]);
		else
			strbuf_append_str(&lines, "--\t-- / --\t--\t--\t--\t--");
		strbuf_append_char(&lines, '\n');
	}
	render_append_table(out, &lines);
}
