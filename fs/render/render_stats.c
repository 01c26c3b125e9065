/* The table of `stats`, as docker stats --no-stream has it, in any of its formats. */
#include "fs/render/render_private.h"

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

#define TABLE                                                                                      \
	"table {{.ID}}\\t{{.Name}}\\t{{.CPUPerc}}\\t{{.MemUsage}}\\t{{.MemPerc}}\\t{{.NetIO}}\\t"  \
	"{{.BlockIO}}\\t{{.PIDs}}"

/* docker's names of the columns, with their headings. */
static json_t *make_headings(void)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "BlockIO", "BLOCK I/O",
			 "CPUPerc", "CPU %", "Container", "CONTAINER", "ID", "CONTAINER ID",
			 "MemPerc", "MEM %", "MemUsage", "MEM USAGE / LIMIT", "Name", "NAME",
			 "NetIO", "NET I/O", "PIDs", "PIDS");
}

static void put_numbers(json_t *object, const struct render_stats_row *row, bool *ok)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	const struct container_stats *stats = &row->stats;
	uint64_t used_ns =
		stats->cpu_ns > row->first_cpu_ns ? stats->cpu_ns - row->first_cpu_ns : 0;

	append_percent(&text, used_ns, row->passed_ns > 0 ? (uint64_t)row->passed_ns : 0);
	render_put(object, "CPUPerc", render_make_text(&text), ok);
	append_memory(&text, stats->memory);
	strbuf_append_str(&text, " / ");
	append_memory(&text, stats->memory_limit);
	render_put(object, "MemUsage", render_make_text(&text), ok);
	append_percent(&text, stats->memory, stats->memory_limit);
	render_put(object, "MemPerc", render_make_text(&text), ok);
	append_pair(&text, stats->net_received, stats->net_sent);
	render_put(object, "NetIO", render_make_text(&text), ok);
	append_pair(&text, stats->block_read, stats->block_written);
	render_put(object, "BlockIO", render_make_text(&text), ok);
	render_put(object, "PIDs", json_sprintf("%llu", (unsigned long long)stats->pids), ok);
}

static void put_dashes(json_t *object, bool *ok)
{
	static const char *const keys[] = { "BlockIO", "CPUPerc", "MemPerc", "NetIO", "PIDs" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		render_put(object, keys[i], json_string("--"), ok);
	render_put(object, "MemUsage", json_string("-- / --"), ok);
}

struct stats_rows {
	const struct render_stats_row *rows;
	bool no_trunc;
};

static json_t *make_row(void *arg, size_t index)
{
	const struct stats_rows *rows = arg;
	const struct render_stats_row *row = &rows->rows[index];
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_json json_t *object = json_object();
	bool ok = object != NULL;

	render_append_id(&text, row->view->id, "", rows->no_trunc);
	render_put(object, "ID", render_make_text(&text), &ok);
	render_put(object, "Name", render_make_string(row->view->name), &ok);
	render_put(object, "Container", render_make_string(row->view->name), &ok);
	if (row->is_alive)
		put_numbers(object, row, &ok);
	else
		put_dashes(object, &ok);
	return ok ? steal_ptr(&object) : NULL;
}

int render_stats(const struct render_stats_row *rows, size_t count,
		 const struct render_stats_options *options, struct strbuf *out, struct error *err)
{
	struct stats_rows shown = { rows, options->no_trunc };
	const char *format = options->format && *options->format ? options->format : TABLE;

	return render_rows(format, &(struct render_rows){ make_headings, make_row, &shown, count },
			   out, err);
}
