/* pull, push, login, logout, and the image that create and run may fetch. All of it can be done again: an
 * engine that takes over begins anew and finds what was published.
 */
#include "fs/perform/perform_private.h"

#include "graph/name.h"
#include "graph/platform.h"
#include "graph/registry/registry.h"
#include "runtime/ticket.h"

#include <string.h>

/* --- what the caller sees meanwhile ---------------------------------------------------------- */

bool perform_is_cancelled(void *arg)
{
	const struct job *job = arg;

	return ticket_is_cancelled(job->context->ticket);
}

void perform_show_lines(void *arg, const struct strbuf *lines)
{
	const struct job *job = arg;
	size_t len = job->reply->len;

	if (!job->context->show_progress)
		return;
	strbuf_append(job->reply, lines->data, lines->len);
	job->context->show_progress(job->context->arg);
	strbuf_truncate(job->reply, len);
}

static struct registry_watch make_watch(const struct job *job)
{
	bool is_silent = job->command->quiet;

	return (struct registry_watch){ .is_cancelled = perform_is_cancelled,
					.show = is_silent ? NULL : perform_show_lines,
					.arg = (void *)(uintptr_t)job };
}

/* --- pull --------------------------------------------------------------------------------------- */

static int pull(const struct job *job, const char *name, struct strbuf *lines, struct error *err)
{
	const struct pull_options options = { .name = name, .platform = job->command->platform };
	const struct registry_watch watch = make_watch(job);
	char id[GRAPH_ID_SIZE];
	bool is_quiet = job->command->quiet;
	int ret = registries_pull(job->context->registries, &options, &watch,
				  is_quiet ? NULL : lines, id, err);

	if (ret == 0 && is_quiet && lines)
		strbuf_appendf(lines, "%s\n", id);
	return ret;
}

/* With -a a name stands for all of its tags. */
static int check_bare(const char *name, struct error *err)
{
	char canonical[GRAPH_NAME_SIZE];
	int ret = graph_parse_reference(name, canonical, err);

	if (ret == 0 && name[name_get_repository_len(canonical)])
		return error_set(err, EINVAL, "'%s' names one image, and -a means all tags", name);
	return ret;
}

/* Each in turn; names: one a line. The first failure ends it, and the reply has what was done. */
static int do_each(const struct job *job, char *names,
		   int (*transfer)(const struct job *job, const char *name, struct strbuf *lines,
				   struct error *err),
		   struct error *err)
{
	char *rest = names;
	int ret = 0;

	for (char *name = strsep(&rest, "\n"); ret == 0 && name && *name;
	     name = strsep(&rest, "\n"))
		ret = transfer(job, name, job->reply, err);
	return ret;
}

static int pull_all(const struct job *job, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;
	const struct registry_watch watch = make_watch(job);
	int ret = check_bare(job->command->image, err);

	if (ret == 0)
		ret = registries_list_tags(job->context->registries, job->command->image, &watch,
					   &names, err);
	return ret < 0 ? ret : do_each(job, names.data, pull, err);
}

int perform_pull(const struct job *job, struct error *err)
{
	return job->command->all ? pull_all(job, err)
				 : pull(job, job->command->image, job->reply, err);
}

int perform_fetch_image(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(image_unref) struct image *image = NULL;
	int r = 0;

	if (command->pull == PULL_ALWAYS)
		return pull(job, command->image, NULL, err);
	image = graph_find_image(job->context->graph, command->image, NULL);
	if (image && command->platform) {
		r = platform_check(command->platform, image->config, err);
		if (r == -EINVAL || (r < 0 && command->pull == PULL_NEVER))
			return error_wrap(err, r, "image '%s'", command->image);
		error_clear(err);
	}
	/* A missing one is told by whoever looks for it. */
	if ((image && r == 0) || command->pull == PULL_NEVER)
		return 0;
	return error_wrap(err, pull(job, command->image, NULL, err),
			  "no such image: %s, and it could not be pulled", command->image);
}

/* --- the others ----------------------------------------------------------------------------------- */

static int push(const struct job *job, const char *name, struct strbuf *lines, struct error *err)
{
	const struct registry_watch watch = make_watch(job);

	return registries_push(job->context->registries, name, &watch, job->command->quiet, lines,
			       err);
}

static int push_all(const struct job *job, struct error *err)
{
	AUTO(graph_snapshot_unref)
	struct graph_snapshot *snapshot = graph_get_snapshot(job->context->graph);
	AUTO(strbuf_deinit) struct strbuf names = STRBUF_INIT;
	const char *repository = job->command->image;
	size_t len = strlen(repository);
	int ret = check_bare(repository, err);

	for (size_t i = 0; ret == 0 && i < snapshot->tag_count; i++) {
		const char *name = snapshot->tags[i].name;

		if (strncmp(name, repository, len) == 0 && name_get_repository_len(name) == len)
			strbuf_appendf(&names, "%s\n", name);
	}
	if (ret == 0)
		ret = strbuf_check(&names, err);
	if (ret == 0 && names.len == 0)
		ret = error_set(err, ENOENT, "no such image: %s, with any tag", repository);
	return ret < 0 ? ret : do_each(job, names.data, push, err);
}

int perform_push(const struct job *job, struct error *err)
{
	return job->command->all ? push_all(job, err)
				 : push(job, job->command->image, job->reply, err);
}

int perform_login(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	const struct registry_watch watch = { .is_cancelled = perform_is_cancelled,
					      .arg = (void *)(uintptr_t)job };
	int ret = registries_login(job->context->registries, command->registry, command->user,
				   command->password, &watch, err);

	if (ret == 0)
		strbuf_append_str(job->reply, "Login Succeeded\n");
	return ret;
}

int perform_logout(const struct job *job, struct error *err)
{
	return registries_logout(job->context->registries, job->command->registry, err);
}
