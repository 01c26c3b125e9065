/* Texts of 'Key:<tab>value' lines: status, info, version; and config.
 *
 * A key has its line whether it has a value or not, and a value never has two:
 * what comes from outside (an image's name as it was written, an error, a path)
 * is escaped.
 */
#include "fs/render/render_private.h"

#include "base/clock.h"

#include <string.h>
#include <sys/utsname.h>

static void append_line(struct strbuf *out, const char *key, const char *value)
{
	strbuf_appendf(out, "%s:\t", key);
	render_append_text(out, value);
	strbuf_append_char(out, '\n');
}

static void append_number(struct strbuf *out, const char *key, uint64_t value)
{
	strbuf_appendf(out, "%s:\t%llu\n", key, (unsigned long long)value);
}

static void append_time(struct strbuf *out, const char *key, int64_t time_ns)
{
	char text[CLOCK_TEXT_SIZE];

	clock_render(time_ns, text);
	append_line(out, key, text);
}

static void append_end(struct strbuf *out, const struct container_view *view)
{
	strbuf_append_str(out, "Error:\t");
	render_append_sentence(out, view->error);
	strbuf_append_char(out, '\n');
	append_time(out, "Created", view->created_ns);
	append_time(out, "Started", view->started_ns);
	append_time(out, "Finished", view->finished_ns);
}

void render_status(const struct container_view *view, struct strbuf *out)
{
	append_line(out, "Name", view->name);
	append_line(out, "Id", view->id);
	append_line(out, "Image", json_get_str(view->config, "Image", ""));
	append_line(out, "State", container_state_get_name(view->state));
	strbuf_appendf(out, "Pid:\t%d\n", (int)view->pid);
	strbuf_appendf(out, "ExitCode:\t%d\n", view->exit_code);
	append_line(out, "OOMKilled", view->oom_killed ? "yes" : "no");
	append_end(out, view);
	append_number(out, "Restarts", view->restarts);
}

static void append_command(struct strbuf *out, const struct container_view *view)
{
	const json_t *words = json_get_array(view->effective, "Cmd"), *word;
	size_t i;

	strbuf_append_str(out, "Command:\t");
	json_array_foreach(words, i, word) {
		const char *text = json_string_value(word);

		strbuf_append_str(out, i ? " " : "");
		render_append_text(out, text ? text : "");
	}
	strbuf_append_char(out, '\n');
}

void render_exec_status(const struct container_view *view, struct strbuf *out)
{
	const char *name = strrchr(view->name, '/');

	append_line(out, "Name", name ? name + 1 : view->name);
	append_line(out, "State", container_state_get_name(view->state));
	strbuf_appendf(out, "Pid:\t%d\n", (int)view->pid);
	strbuf_appendf(out, "ExitCode:\t%d\n", view->exit_code);
	append_end(out, view);
	append_command(out, view);
}

void render_config(const struct container_view *view, struct strbuf *out)
{
	/* Of a damaged container there may be none. */
	if (view->config)
		render_append_json(out, view->config);
	else
		strbuf_append_str(out, "{}\n");
}

static void append_kernel(struct strbuf *out)
{
	struct utsname host;

	append_line(out, "Kernel", uname(&host) == 0 ? host.release : "");
}

void render_info(const struct render_info *info, struct strbuf *out)
{
	size_t alive = info->running + info->paused;

	append_line(out, "Version", CONTAINERFS_VERSION);
	append_number(out, "Pid", (uint64_t)info->pid);
	append_number(out, "Holder", (uint64_t)info->holder_pid);
	append_line(out, "Root", info->root);
	append_line(out, "Run", info->run);
	append_line(out, "Mount", info->mnt);
	append_kernel(out);
	append_line(out, "Cgroup", info->cgroup_mode);
	append_number(out, "Containers", info->containers);
	append_number(out, "Running", info->running);
	append_number(out, "Paused", info->paused);
	/* The counts may have been taken one after the other. */
	append_number(out, "Stopped", info->containers > alive ? info->containers - alive : 0);
	append_number(out, "Images", info->images);
	append_line(out, "Registry", info->registry);
	append_line(out, "Bridge", info->bridge);
	append_line(out, "Subnet", info->subnet);
	append_line(out, "Subnet6", info->subnet6);
	append_line(out, "Icc", info->isolated ? "no" : "yes");
	append_line(out, "Forwarding",
		    info->forwards && info->forwards6 ? "IPv4 IPv6"
		    : info->forwards                  ? "IPv4"
		    : info->forwards6                 ? "IPv6"
						      : "no");
	append_time(out, "Mounted", info->mounted_ns);
	append_number(out, "Restarts", info->engine_number > 0 ? info->engine_number - 1 : 0);
	append_line(out, "Seamless",
		    info->seamless ? "yes"
				   : "no; before Linux 6.9 a killed engine means errors for those "
				     "waiting, and a new mount");
}

void render_version(struct strbuf *out)
{
	struct utsname host;

	append_line(out, "Version", CONTAINERFS_VERSION);
	append_kernel(out);
	append_line(out, "Arch", uname(&host) == 0 ? host.machine : "");
}
