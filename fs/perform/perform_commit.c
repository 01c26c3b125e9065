/* commit: an image of a container. */
#include "fs/perform/perform_private.h"

int perform_commit(const struct job *job, struct error *err)
{
	const struct command *command = job->command;
	const struct perform_context *context = job->context;
	const struct container_commit commit = { .name = command->name,
						 .message = command->message,
						 .author = command->author,
						 .changes = command->changes,
						 .pause = command->pause };
	AUTO(container_unref) struct container *c = NULL;
	char id[GRAPH_ID_SIZE];
	int r;

	c = context->container ? container_ref(context->container)
			       : engine_resolve(context->engine, command->targets[0], err);
	if (!c)
		return -err->code;
	r = container_commit(c, context->ticket, &commit, id, err);
	if (r == 0)
		strbuf_appendf(job->reply, "%s\n", id);
	return r;
}
