/* exec: a further process in a container, run to its end, or (in the ctl of an
 * entry of exec/) started.
 *
 * The reply is the end of its output. An exit code other than 0 is a failure of its
 * own kind, EREMOTEIO, so that a shell's `until` can wait for a program to
 * succeed; that the program is missing is another one.
 */
#include "fs/perform/perform_private.h"

#include "runtime/exec/exec.h"

/* The container that the words name, or whose ctl it is: a reference. */
static struct container *find_target(const struct job *job, struct error *err)
{
	if (job->context->container)
		return container_ref(job->context->container);
	return engine_resolve(job->context->engine, job->command->targets[0], err);
}

/* The sentence that follows begins a line. */
static void end_line(struct strbuf *reply)
{
	if (reply->len > 0 && reply->data[reply->len - 1] != '\n')
		strbuf_append_char(reply, '\n');
}

static int run(const struct job *job, struct container *c, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	const struct command *command = job->command;
	int code = 0;
	int ret = exec_run(c, job->context->ticket, command->config, command->detach, job->reply,
			   job->context->show_progress, job->context->arg, &code, err);

	if (ret == 0 && code == 0)
		return 0;
	end_line(job->reply);
	return ret < 0 ? ret : error_set(err, EREMOTEIO, "%s: exit code %d", view->name, code);
}

int perform_exec(const struct job *job, struct error *err)
{
	AUTO(container_unref) struct container *c = find_target(job, err);

	if (!c)
		return -err->code;
	if (container_is_exec(c))
		return exec_start(c, job->context->ticket, job->command->config, err);
	return run(job, c, err);
}
