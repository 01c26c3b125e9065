/* Commands that show something: the texts are render.h's, found here is what they show.
 */
#include "fs/perform/perform_private.h"

#include "base/clock.h"
#include "fs/render/image_filter.h"
#include "fs/render/render.h"
#include "fs/render/template.h"

#include <string.h>

/* Bytes that it wrote, and with its image's. False: it has gone, or cannot be measured. */
static bool get_sizes(void *arg, const struct container_view *view, int64_t *ret_own,
		      int64_t *ret_all)
{
	const struct perform_context *context = arg;
	AUTO(container_unref)
	struct container *c = engine_find_key(context->engine, view->key);
	AUTO(image_unref)
	struct image *image =
		*view->image_id ? graph_find_image(context->graph, view->image_id, NULL) : NULL;
	struct error err = ERROR_INIT;

	if (!c || container_get_own_size(c, ret_own, &err) < 0)
		return false;
	*ret_all = *ret_own + (image ? image->size_bytes : 0);
	return true;
}

int perform_ps(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(container_list_deinit) struct container_list list = { .count = 0 };
	struct render_ps_options options = {
		.all = command->all,
		.quiet = command->quiet,
		.latest = command->latest,
		.no_trunc = command->no_trunc,
		.size = command->size,
		.limit = command->limit,
		.filters = command->filters,
		.format = command->format,
		.get_sizes = get_sizes,
		.arg = (void *)(uintptr_t)job->context,
	};

	if (engine_list(job->context->engine, &list) < 0)
		return error_set_sys(err, ENOMEM, "cannot list the containers");
	return render_ps(&list, &options, clock_now_ns(), job->reply, err);
}

int perform_images(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(graph_snapshot_unref)
	struct graph_snapshot *snapshot = graph_get_snapshot(job->context->graph);
	struct image_filter filter = { .filters = NULL };
	struct render_images_options options = {
		.all = command->all,
		.quiet = command->quiet,
		.no_trunc = command->no_trunc,
		.digests = command->digests,
		.pattern = command->image,
		.filter = &filter,
		.format = command->format,
	};
	int r = image_filter_read(job->context->graph, command->filters, &filter, err);

	return r < 0 ? r : render_images(snapshot, &options, clock_now_ns(), job->reply, err);
}

int perform_history(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(image_unref)
	struct image *image = graph_find_image(job->context->graph, command->image, err);

	if (!image)
		return -err->code;
	render_history(image, command->quiet, command->no_trunc, clock_now_ns(), job->reply);
	return 0;
}

int perform_info(const struct job *job, struct error *err)
{
	struct render_info info = { .pid = 0 };

	(void)err;
	job->context->get_info(job->context->arg, &info);
	render_info(&info, job->reply);
	return 0;
}

int perform_version(const struct job *job, struct error *err)
{
	(void)err;
	render_version(job->reply);
	return 0;
}

/* --- inspect --------------------------------------------------------------- */

/* SizeRw and SizeRootFs, into the text of a container. */
static void add_sizes(const struct job *job, const struct container_view *view, struct strbuf *out)
{
	auto_json json_t *object = NULL;
	int64_t own, all;

	if (out->oom || !get_sizes((void *)(uintptr_t)job->context, view, &own, &all) ||
	    json_parse_text(out->data, out->len, &object, NULL) < 0)
		return;
	strbuf_reset(out);
	if (json_object_set_new(object, "SizeRw", json_integer(own)) < 0 ||
	    json_object_set_new(object, "SizeRootFs", json_integer(all)) < 0 ||
	    json_render(object, 4, out, NULL) < 0)
		out->oom = true;
}

static void inspect_container(const struct job *job, const struct render_places *places,
			      struct container *c, struct strbuf *out)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	render_inspect(view, places, out);
	if (job->command->size)
		add_sizes(job, view, out);
}

static int inspect_image(const struct job *job, const char *word, struct strbuf *out,
			 struct error *err)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = NULL;
	AUTO(image_unref)
	struct image *image = graph_find_image(job->context->graph, word, err);

	if (!image)
		return -err->code;
	snapshot = graph_get_snapshot(job->context->graph);
	render_image_inspect(image, snapshot, out);
	return 0;
}

/* The object that the word names: a container first, else an image. */
static int inspect_word(const struct job *job, const struct render_places *places, const char *word,
			struct strbuf *out, struct error *err)
{
	const char *type = job->command->type;
	AUTO(container_unref) struct container *c = NULL;
	int r;

	if (type && strcmp(type, "image") == 0)
		return inspect_image(job, word, out, err);
	c = engine_resolve(job->context->engine, word, err);
	if (c) {
		inspect_container(job, places, c, out);
		return 0;
	}
	if (type || err->code != ENOENT)
		return -err->code;
	error_clear(err);
	r = inspect_image(job, word, out, err);
	if (r == -ENOENT) {
		error_clear(err);
		return error_set(err, ENOENT, "no such container or image: %s", word);
	}
	return r;
}

/* One object's text into the reply: as an element of an array, or through the format. */
static int append_object(const struct job *job, const struct strbuf *object, bool first,
			 struct error *err)
{
	auto_json json_t *value = NULL;
	size_t len = object->len;
	int ret = strbuf_check(object, err);

	if (ret < 0)
		return ret;
	if (!job->command->format) {
		while (len > 0 && object->data[len - 1] == '\n')
			len--;
		strbuf_append_str(job->reply, first ? "[\n" : ",\n");
		strbuf_append(job->reply, object->data, len);
		return 0;
	}
	ret = json_parse_text(object->data, object->len, &value, err);
	if (ret < 0)
		return ret;
	ret = template_render(job->command->format, value, job->reply, err);
	if (ret == 0)
		strbuf_append_char(job->reply, '\n');
	return ret;
}

/* All are found before the first is shown. */
static int inspect_all(const struct job *job, struct strbuf *objects, struct error *err)
{
	const struct command *command = job->command;
	struct render_info info = { .pid = 0 };
	struct render_places places;
	int ret = 0;

	job->context->get_info(job->context->arg, &info);
	places = (struct render_places){ info.run, info.mnt };
	if (job->context->container)
		inspect_container(job, &places, job->context->container, &objects[0]);
	for (size_t i = 0; ret == 0 && i < command->target_count; i++)
		ret = inspect_word(job, &places, command->targets[i], &objects[i], err);
	return ret;
}

int perform_inspect(const struct job *job, struct error *err)
{
	size_t count = job->context->container ? 1 : job->command->target_count;
	struct strbuf *objects = calloc(count, sizeof(*objects));
	size_t start = job->reply->len;
	int ret;

	if (!objects)
		return error_set_sys(err, ENOMEM, "cannot look up the names");
	ret = inspect_all(job, objects, err);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = append_object(job, &objects[i], i == 0, err);
	if (ret < 0)
		strbuf_truncate(job->reply, start); /* a half is none */
	else if (!job->command->format)
		strbuf_append_str(job->reply, "\n]\n");
	for (size_t i = 0; i < count; i++)
		strbuf_deinit(&objects[i]);
	free(objects);
	return ret;
}
