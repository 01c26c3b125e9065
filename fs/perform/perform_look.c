/* Commands that take a look at the disk or at processes: diff, top, stats.
 */
#include "fs/perform/perform_private.h"

#include "base/clock.h"
#include "fs/render/render.h"
#include "fs/render/report.h"

#include <unistd.h>

/* Between the two looks that tell how busy a processor is. */
#define SAMPLE_US 200000

/* The container whose ctl it is, else the one named. */
static struct container *find_target(const struct job *job, struct error *err)
{
	if (job->context->container)
		return container_ref(job->context->container);
	return engine_resolve(job->context->engine, job->command->targets[0], err);
}

int perform_diff(const struct job *job, struct error *err)
{
	AUTO(container_unref) struct container *c = find_target(job, err);

	return c ? report_changes(c, job->reply, err) : -err->code;
}

int perform_port(const struct job *job, struct error *err)
{
	AUTO(container_unref) struct container *c = find_target(job, err);
	AUTO(container_view_unref) struct container_view *view = c ? container_get_view(c) : NULL;
	const char *port = job->command->source;

	if (!c)
		return -err->code;
	if (!render_append_port(view, port, job->reply) && port)
		return error_set(err, ENOENT, "no public port '%s' published for container '%s'",
				 port, view->name);
	return 0;
}

int perform_top(const struct job *job, struct error *err)
{
	AUTO(container_unref) struct container *c = find_target(job, err);
	size_t start = job->reply->len;
	int r = c ? report_top(c, job->reply, err) : -err->code;

	if (r == 0 && job->reply->len == start) {
		AUTO(container_view_unref) struct container_view *view = container_get_view(c);

		return error_set(err, ESRCH, "container '%s' is not running", view->name);
	}
	return r;
}

/* --- stats -------------------------------------------------------------------- */

/* Containers of a table, and what two looks at each of them gave. */
struct looks {
	struct container **containers;
	struct render_stats_row *rows;
	struct container_view **views;
	size_t count;
	bool is_any_alive;
};

static void looks_deinit(struct looks *looks)
{
	for (size_t i = 0; i < looks->count; i++) {
		container_unref(looks->containers[i]);
		container_view_unref(looks->views[i]);
	}
	free(looks->containers);
	free(looks->rows);
	free(looks->views);
}
DEFINE_AUTO_DEINIT(struct looks, looks_deinit);

static int reserve(struct looks *looks, size_t count, struct error *err)
{
	looks->containers = calloc(count + 1, sizeof(struct container *));
	looks->views = calloc(count + 1, sizeof(struct container_view *));
	looks->rows = calloc(count + 1, sizeof(*looks->rows));
	if (!looks->containers || !looks->views || !looks->rows)
		return error_set_sys(err, ENOMEM, "cannot look up the names");
	return 0;
}

/* Takes the reference. */
static void add(struct looks *looks, struct container *c)
{
	looks->containers[looks->count] = c;
	looks->views[looks->count] = container_get_view(c);
	looks->rows[looks->count].view = looks->views[looks->count];
	looks->count++;
}

static int find_named(const struct job *job, struct looks *looks, struct error *err)
{
	const struct command *command = job->command;
	int r = reserve(looks, command->target_count, err);

	for (size_t i = 0; r == 0 && i < command->target_count; i++) {
		struct container *c =
			engine_resolve(job->context->engine, command->targets[i], err);

		if (!c)
			return -err->code;
		add(looks, c);
	}
	return r;
}

/* The running ones, with -a all of them. */
static int find_all(const struct job *job, struct looks *looks, struct error *err)
{
	AUTO(container_list_deinit) struct container_list list = { .count = 0 };
	int r;

	if (engine_list(job->context->engine, &list) < 0)
		return error_set_sys(err, ENOMEM, "cannot list the containers");
	r = reserve(looks, list.count, err);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		bool alive = list.views[i]->state == CONTAINER_RUNNING ||
			     list.views[i]->state == CONTAINER_PAUSED;
		struct container *c = NULL;

		if (alive || job->command->all)
			c = engine_find_key(job->context->engine, list.views[i]->key);
		if (c)
			add(looks, c);
	}
	return r;
}

static int find_looks(const struct job *job, struct looks *looks, struct error *err)
{
	int r;

	if (job->context->container) {
		r = reserve(looks, 1, err);
		if (r == 0)
			add(looks, container_ref(job->context->container));
		return r;
	}
	return job->command->target_count > 0 ? find_named(job, looks, err)
					      : find_all(job, looks, err);
}

static int look_first(struct looks *looks, struct error *err)
{
	for (size_t i = 0; i < looks->count; i++) {
		struct render_stats_row *row = &looks->rows[i];
		int r = container_read_stats(looks->containers[i], &row->stats, err);

		if (r < 0)
			return r;
		row->is_alive = r > 0;
		row->first_cpu_ns = row->stats.cpu_ns;
		row->first_ns = clock_monotonic_ns();
		looks->is_any_alive |= row->is_alive;
	}
	return 0;
}

/* One that ended meanwhile keeps what the first look gave. */
static int look_again(struct looks *looks, struct error *err)
{
	for (size_t i = 0; i < looks->count; i++) {
		struct render_stats_row *row = &looks->rows[i];
		int r = row->is_alive ? container_read_stats(looks->containers[i], &row->stats, err)
				      : 0;

		if (r < 0)
			return r;
		row->passed_ns = clock_monotonic_ns() - row->first_ns;
	}
	return 0;
}

int perform_stats(const struct job *job, struct error *err)
{
	AUTO(looks_deinit) struct looks looks = { .count = 0 };
	const struct render_stats_options options = {
		.no_trunc = job->command->no_trunc,
		.format = job->command->format,
	};
	int r = find_looks(job, &looks, err);

	if (r == 0)
		r = look_first(&looks, err);
	if (r == 0 && looks.is_any_alive) {
		usleep(SAMPLE_US);
		r = look_again(&looks, err);
	}
	if (r == 0)
		r = render_stats(looks.rows, looks.count, &options, job->reply, err);
	return r;
}
