/* prune: stopped containers, then images that nothing uses, then (--volumes) anonymous
 * volumes that nothing uses.
 *
 * What would go is decided once, from one picture, and the same for -n and in earnest: an
 * image that only stopped containers use goes with them. In earnest each removal is
 * refused by its own module when somebody has begun to use the thing meanwhile; it stays,
 * and is not in the reply. Done again after an engine's death it removes what is left.
 */
#include "fs/perform/perform_private.h"

#include "base/clock.h"
#include "base/num.h"
#include "fs/render/render_private.h"
#include "runtime/volume/volume.h"

#include <inttypes.h>
#include <string.h>

/* What the filters ask for. */
struct prune {
	const struct job *job;
	int64_t until_ns; /* INT64_MAX: any age */
	struct container_list list;
	bool *goes; /* beside list.views */
	int64_t freed_bytes;
	bool *gone; /* images that have gone, beside the snapshot's */
};

static void prune_deinit(struct prune *prune)
{
	free(prune->gone);
	container_list_deinit(&prune->list);
	free(prune->goes);
}
DEFINE_AUTO_DEINIT(struct prune, prune_deinit);

/* --- filters ------------------------------------------------------------------ */

static const char *get_value(const char *filter, const char *key)
{
	size_t len = strlen(key);

	return strncmp(filter, key, len) == 0 ? filter + len : NULL;
}

static int read_until(struct prune *prune, const char *value, struct error *err)
{
	int64_t ns;

	if (clock_parse(value, &ns) < 0) {
		if (num_parse_duration(value, &ns) < 0)
			return error_set(err, EINVAL,
					 "'%s' is neither a time nor a duration such as 24h",
					 value);
		ns = clock_now_ns() - ns;
	}
	if (ns < prune->until_ns)
		prune->until_ns = ns;
	return 0;
}

static int read_filters(struct prune *prune, struct error *err)
{
	char *const *filters = prune->job->command->filters;
	int r = 0;

	for (; r == 0 && filters && *filters; filters++) {
		const char *until = get_value(*filters, "until=");

		if (until)
			r = read_until(prune, until, err);
		else if (!get_value(*filters, "label=") && !get_value(*filters, "label!="))
			r = error_set(err, EINVAL, "unknown filter '%s'; until, label or label!",
				      *filters);
	}
	return r;
}

static bool has_label(json_t *labels, const char *wanted)
{
	const char *equals = strchr(wanted, '='), *name;
	json_t *value;

	json_object_foreach(labels, name, value) {
		const char *text = json_string_value(value);

		if (!equals && strcmp(name, wanted) == 0)
			return true;
		if (equals && strncmp(name, wanted, (size_t)(equals - wanted)) == 0 &&
		    name[equals - wanted] == '\0' && text && strcmp(text, equals + 1) == 0)
			return true;
	}
	return false;
}

static bool matches(const struct prune *prune, int64_t time_ns, json_t *labels)
{
	char *const *filters = prune->job->command->filters;

	for (; filters && *filters; filters++) {
		const char *with = get_value(*filters, "label=");
		const char *without = get_value(*filters, "label!=");

		if ((with && !has_label(labels, with)) || (without && has_label(labels, without)))
			return false;
	}
	return time_ns <= prune->until_ns;
}

/* --- containers ----------------------------------------------------------------- */

static int choose_containers(struct prune *prune, struct error *err)
{
	if (engine_list(prune->job->context->engine, &prune->list) < 0)
		return error_set_sys(err, ENOMEM, "cannot list the containers");
	prune->goes = calloc(prune->list.count + 1, sizeof(*prune->goes));
	if (!prune->goes)
		return error_set_sys(err, ENOMEM, "cannot list the containers");
	for (size_t i = 0; i < prune->list.count; i++) {
		const struct container_view *view = prune->list.views[i];
		bool stopped = view->state == CONTAINER_CREATED || view->state == CONTAINER_EXITED;

		prune->goes[i] = stopped && matches(prune, view->created_ns,
						    json_get_object(view->effective, "Labels"));
	}
	return 0;
}

static int remove_container(struct prune *prune, size_t index, struct error *err)
{
	const struct container_view *view = prune->list.views[index];
	const struct perform_context *context = prune->job->context;
	AUTO(container_unref)
	struct container *c = engine_find_key(context->engine, view->key);
	int64_t bytes = 0;
	int r = 0;

	if (!c)
		return 0;
	/* What cannot be measured can be removed all the same. */
	if (container_get_own_size(c, &bytes, err) < 0)
		error_clear(err);
	if (!prune->job->command->dry_run)
		r = container_remove(c, context->ticket, false, false, err);
	if (r == -EBUSY || r == -ENOENT) {
		prune->goes[index] = r == -ENOENT;
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return error_wrap(err, r, "container '%s'", view->name);
	prune->freed_bytes += bytes;
	strbuf_appendf(prune->job->reply, "container\t%.12s\t", view->id);
	render_append_text(prune->job->reply, view->name);
	strbuf_appendf(prune->job->reply, "\t%" PRId64 "\n", bytes);
	return 0;
}

/* --- images --------------------------------------------------------------------- */

static bool is_used(const struct prune *prune, const struct image *image)
{
	for (size_t i = 0; i < prune->list.count; i++) {
		if (!prune->goes[i] && strcmp(prune->list.views[i]->image_id, image->id) == 0)
			return true;
	}
	return false;
}

/* The first of its tags, NULL: it has none. */
static const char *find_tag(const struct graph_snapshot *snapshot, const struct image *image)
{
	for (size_t i = 0; i < snapshot->tag_count; i++) {
		if (strcmp(snapshot->tags[i].image->id, image->id) == 0)
			return snapshot->tags[i].name;
	}
	return NULL;
}

static bool has_layer(const struct image *image, const char *diff_id)
{
	for (size_t i = 0; i < image->layer_count; i++)
		if (strcmp(image->diff_ids[i], diff_id) == 0)
			return true;
	return false;
}

/* Bytes of the layers that no image has that is left. */
static int64_t count_freed(const struct prune *prune, const struct graph_snapshot *snapshot,
			   const struct image *image)
{
	int64_t bytes = 0;

	for (size_t i = 0; i < image->layer_count; i++) {
		bool is_shared = false;

		for (size_t k = 0; !is_shared && k < snapshot->image_count; k++)
			is_shared = !prune->gone[k] && snapshot->images[k] != image &&
				    has_layer(snapshot->images[k], image->diff_ids[i]);
		if (!is_shared)
			bytes += image->layer_sizes[i];
	}
	return bytes;
}

static int remove_image(struct prune *prune, const struct graph_snapshot *snapshot, size_t index,
			struct error *err)
{
	const struct image *image = snapshot->images[index];
	const struct job *job = prune->job;
	int64_t bytes;
	json_t *config = json_get_object(image->config, "config");
	const char *tag = find_tag(snapshot, image);
	int r = 0;

	if ((tag && !job->command->all) || is_used(prune, image) ||
	    !matches(prune, image->arrived_ns, json_get_object(config, "Labels")))
		return 0;
	if (!job->command->dry_run)
		r = graph_remove_image(job->context->graph, image->id, true, err);
	if (r == -EBUSY || r == -ENOENT) {
		error_clear(err);
		return 0;
	}
	if (r < 0)
		return error_wrap(err, r, "image '%.12s'", image->id);
	bytes = count_freed(prune, snapshot, image);
	prune->gone[index] = true;
	prune->freed_bytes += bytes;
	strbuf_appendf(job->reply, "image\t%.12s\t", image->id);
	render_append_text(job->reply, tag ? tag : "<none>");
	strbuf_appendf(job->reply, "\t%" PRId64 "\n", bytes);
	return 0;
}

static int prune_images(struct prune *prune, struct error *err)
{
	AUTO(graph_snapshot_unref)
	struct graph_snapshot *snapshot = graph_get_snapshot(prune->job->context->graph);
	int r = 0;

	prune->gone = calloc(snapshot->image_count + 1, sizeof(*prune->gone));
	if (!prune->gone)
		return error_set_sys(err, ENOMEM, "cannot list the images");
	for (size_t i = 0; r == 0 && i < snapshot->image_count; i++)
		r = remove_image(prune, snapshot, i, err);
	return r;
}

/* --- volumes -------------------------------------------------------------------- */

static void tell_volume(void *arg, const char *name)
{
	struct prune *prune = arg;

	strbuf_append_str(prune->job->reply, "volume\t");
	render_append_text(prune->job->reply, name);
	strbuf_append_char(prune->job->reply, '\n');
}

/* Is it one of those that go with this prune? */
static bool is_gone(void *arg, const struct container_view *view)
{
	const struct prune *prune = arg;

	for (size_t i = 0; i < prune->list.count; i++) {
		if (prune->list.views[i]->key == view->key)
			return prune->goes[i];
	}
	return false;
}

static int prune_volumes(struct prune *prune, struct error *err)
{
	const struct job *job = prune->job;

	const struct volume_prune how = {
		.dry_run = job->command->dry_run,
		.is_gone = is_gone,
		.tell = tell_volume,
		.arg = prune,
	};

	return engine_prune_volumes(job->context->engine, job->context->ticket, &how, err);
}

int perform_prune(const struct job *job, struct error *err)
{
	AUTO(prune_deinit) struct prune prune = { .job = job, .until_ns = INT64_MAX };
	int r = read_filters(&prune, err);

	if (r == 0)
		r = choose_containers(&prune, err);
	for (size_t i = 0; r == 0 && i < prune.list.count; i++) {
		if (prune.goes[i])
			r = remove_container(&prune, i, err);
	}
	if (r == 0)
		r = prune_images(&prune, err);
	if (r == 0 && job->command->volumes)
		r = prune_volumes(&prune, err);
	if (r == 0)
		strbuf_appendf(job->reply, "total\t%" PRId64 "\n", prune.freed_bytes);
	return r;
}
