/* pull, push, login, logout, and the image that create and run may fetch. All of it can be done again: an
 * engine that takes over begins anew and finds what was published.
 */
#include "fs/perform_private.h"

#include "graph/registry.h"
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

static int pull(const struct job *job, struct strbuf *lines, char ret_id[GRAPH_ID_SIZE],
		struct error *err)
{
	const struct command *command = job->command;
	const struct pull_options options = { .name = command->image,
					      .platform = command->platform };
	const struct registry_watch watch = make_watch(job);

	return registries_pull(job->context->registries, &options, &watch, lines, ret_id, err);
}

int perform_pull(const struct job *job, struct error *err)
{
	char id[GRAPH_ID_SIZE];
	bool is_quiet = job->command->quiet;
	int ret = pull(job, is_quiet ? NULL : job->reply, id, err);

	if (ret == 0 && is_quiet)
		strbuf_appendf(job->reply, "%s\n", id);
	return ret;
}

int perform_fetch_image(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	AUTO(image_unref) struct image *image = NULL;
	char id[GRAPH_ID_SIZE];

	if (command->pull == PULL_NEVER)
		return 0;
	if (command->pull == PULL_ALWAYS)
		return pull(job, NULL, id, err);
	image = graph_find_image(job->context->graph, command->image, NULL);
	if (image)
		return 0;
	return error_wrap(err, pull(job, NULL, id, err),
			  "no such image: %s, and it could not be pulled", command->image);
}

/* --- the others ----------------------------------------------------------------------------------- */

int perform_push(const struct job *job, struct error *err)
{
	const struct registry_watch watch = make_watch(job);

	return registries_push(job->context->registries, job->command->image, &watch,
			       job->command->quiet, job->reply, err);
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
