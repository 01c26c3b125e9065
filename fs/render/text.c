/* Finds the object behind a key, hands its immutable picture to fs/render.c. Nothing waits here: these
 * run on the threads that receive requests.
 */
#include "fs/render/text.h"

#include "base/clock.h"
#include "fs/command/command.h"
#include "fs/names.h"
#include "fs/render/render.h"
#include "fs/render/report.h"

#include <stdio.h>
#include <unistd.h>

static int no_object(struct error *err, const char *what)
{
	return error_set(err, ENOENT, "the %s has been removed", what);
}

TEXT_RENDER(text_render_help)
{
	(void)fs, (void)key, (void)caller;
	command_render_help(false, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_error)
{
	(void)key;
	sessions_get(fs->sessions, caller, SESSION_ERROR, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_reply)
{
	if (!sessions_get(fs->sessions, caller, key, out))
		command_render_help(key != SESSION_CTL, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_exec_reply)
{
	if (!sessions_get(fs->sessions, caller, key, out))
		command_render_exec_help(out);
	return strbuf_check(out, err);
}

void text_get_info(struct fs *fs, struct render_info *ret)
{
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);
	struct engine_facts facts;

	engine_get_facts(fs->engine, &facts);
	*ret = (struct render_info){
		.root = fs->options->root,
		.run = fs->options->run,
		.mnt = fs->options->mnt,
		.registry = fs->options->registry,
		.cgroup_mode = facts.cgroup_mode,
		.bridge = facts.bridge,
		.isolated = facts.isolated,
		.forwards = facts.forwards,
		.forwards6 = facts.forwards6,
		.pid = getpid(),
		.holder_pid = fs->options->holder_pid,
		.engine_number = fs->memory->engine_number,
		.seamless = fs->memory->can_resend,
		.mounted_ns = fs->memory->mounted_ns,
		.containers = facts.containers,
		.running = facts.running,
		.paused = facts.paused,
		.images = snapshot->image_count,
	};
	snprintf(ret->subnet, sizeof(ret->subnet), "%s", facts.subnet);
	snprintf(ret->subnet6, sizeof(ret->subnet6), "%s", facts.subnet6);
}

TEXT_RENDER(text_render_info)
{
	struct render_info info;

	(void)key, (void)caller;
	text_get_info(fs, &info);
	render_info(&info, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_version)
{
	(void)fs, (void)key, (void)caller;
	render_version(out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_ps)
{
	AUTO(container_list_deinit) struct container_list list = { 0 };
	struct render_ps_options options = { .all = true, .limit = -1 };
	int r;

	(void)key, (void)caller;
	r = engine_list(fs->engine, &list);
	if (r < 0)
		return error_set(err, -r, "cannot list the containers");
	r = render_ps(&list, &options, clock_now_ns(), out, err);
	return r < 0 ? r : strbuf_check(out, err);
}

typedef void (*render_view_fn)(const struct container_view *view, struct strbuf *out);

static int render_view(struct fs *fs, uint64_t key, render_view_fn render, struct strbuf *out,
		       struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = names_get_view(fs, key);

	if (!view)
		return no_object(err, "container");
	render(view, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_config)
{
	(void)caller;
	return render_view(fs, key, render_config, out, err);
}

TEXT_RENDER(text_render_status)
{
	(void)caller;
	return render_view(fs, key, render_status, out, err);
}

TEXT_RENDER(text_render_exec_status)
{
	(void)caller;
	return render_view(fs, key, render_exec_status, out, err);
}

TEXT_RENDER(text_render_inspect)
{
	AUTO(container_view_unref) struct container_view *view = names_get_view(fs, key);
	const struct render_places places = { fs->options->run, fs->options->mnt };

	(void)caller;
	if (!view)
		return no_object(err, "container");
	render_inspect(view, &places, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_net)
{
	(void)caller;
	return render_view(fs, key, render_net, out, err);
}

typedef int (*report_fn)(struct container *c, struct strbuf *out, struct error *err);

static int render_report(struct fs *fs, uint64_t key, report_fn report, struct strbuf *out,
			 struct error *err)
{
	AUTO(container_unref) struct container *c = engine_find_key(fs->engine, key);
	struct error local = ERROR_INIT;
	int r;

	if (!c)
		return no_object(err, "container");
	r = report(c, out, &local);
	return r < 0 ? error_set(err, local.code, "%s", local.msg) : 0;
}

TEXT_RENDER(text_render_changes)
{
	(void)caller;
	return render_report(fs, key, report_changes, out, err);
}

TEXT_RENDER(text_render_top)
{
	(void)caller;
	return render_report(fs, key, report_top, out, err);
}

TEXT_RENDER(text_render_stats)
{
	(void)caller;
	return render_report(fs, key, report_stats, out, err);
}

TEXT_RENDER(text_render_image_config)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	(void)caller;
	if (!image)
		return no_object(err, "image");
	strbuf_append(out, image->config_text, image->config_len);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_manifest)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	(void)caller;
	if (!image)
		return no_object(err, "image");
	strbuf_append(out, image->manifest_text, image->manifest_len);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_history)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	(void)caller;
	if (!image)
		return no_object(err, "image");
	render_history(image, false, false, clock_now_ns(), out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_layers)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	(void)caller;
	if (!image)
		return no_object(err, "image");
	render_image_layers(image, out);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_size)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);

	(void)caller;
	if (!image)
		return no_object(err, "image");
	strbuf_appendf(out, "%lld\n", (long long)image->size_bytes);
	return strbuf_check(out, err);
}

TEXT_RENDER(text_render_tags)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, key);
	AUTO(graph_snapshot_unref) struct graph_snapshot *snapshot = graph_get_snapshot(fs->graph);

	(void)caller;
	if (!image)
		return no_object(err, "image");
	render_image_tags(image, snapshot, out);
	return strbuf_check(out, err);
}
