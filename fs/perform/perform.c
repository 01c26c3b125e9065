/* The table from verbs to deeds, and the commands that take names of containers.
 *
 * An engine can die between two names. The ticket's note tells the next one how
 * far it was: it begins with the id of the container at work, written here
 * before its verb begins and again by the verbs that add the number of a run. So
 * names before that one are done, that one is resumed, and those behind it are new.
 */
#include "fs/perform/perform_private.h"

#include "runtime/ticket.h"

#include <string.h>

#define ID_LEN 64

bool perform_was_begun(const struct job *job)
{
	const struct ticket *ticket = job->context->ticket;

	return ticket->resumed && ticket->note[0] != '\0';
}

void perform_append_name(const struct job *job, const char *name)
{
	if (job->command->target_count < 2)
		return;
	strbuf_append_escaped(job->reply, name, strlen(name));
	strbuf_append_char(job->reply, '\n');
}

/* --- one container --------------------------------------------------------- */

static int wait_for(const struct job *job, struct container *c, struct error *err)
{
	int code = 0;
	int ret = container_wait(c, job->context->ticket, &code, err);

	if (ret == 0)
		strbuf_appendf(job->reply, "%d\n", code);
	return ret;
}

static int do_container(const struct job *job, struct container *c, struct error *err)
{
	const struct command *command = job->command;
	struct ticket *ticket = job->context->ticket;

	switch (command->verb) {
	case VERB_CLOSESTDIN:
		return container_close_stdin(c, ticket, err);
	case VERB_KILL:
		return container_kill(c, ticket, command->signo, err);
	case VERB_PAUSE:
		return container_pause(c, ticket, err);
	case VERB_RENAME:
		return container_rename(c, ticket, command->name, err);
	case VERB_RESIZE:
		return container_resize(c, ticket, command->rows, command->cols, err);
	case VERB_RESTART:
		return container_restart(c, ticket, command->signo, command->timeout_s, err);
	case VERB_RM:
		return container_remove(c, ticket, command->force, command->volumes, err);
	case VERB_START:
		return container_start(c, ticket, err);
	case VERB_STOP:
		return container_stop(c, ticket, command->signo, command->timeout_s, err);
	case VERB_UNPAUSE:
		return container_unpause(c, ticket, err);
	case VERB_UPDATE:
		return container_update(c, ticket, command->config, err);
	case VERB_WAIT:
		return wait_for(job, c, err);
	default:
		return error_set(err, EIO, "bug: no deed for this command");
	}
}

/* --- several names --------------------------------------------------------- */

struct targets {
	struct container **containers; /* NULL: gone since an earlier engine began */
	size_t count;
};

static void targets_deinit(struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		container_unref(targets->containers[i]);
	free(targets->containers);
}
DEFINE_AUTO_DEINIT(struct targets, targets_deinit);

static int resolve_targets(const struct job *job, struct targets *targets, struct error *err)
{
	const struct command *command = job->command;
	bool here = job->context->container != NULL;
	/* Of one that has gone no exit code is known. */
	bool may_be_gone = perform_was_begun(job) && command->verb != VERB_WAIT;
	size_t count = here ? 1 : command->target_count;

	targets->containers = calloc(count, sizeof(*targets->containers));
	if (!targets->containers)
		return error_set_sys(err, ENOMEM, "cannot look up the names");
	targets->count = count;
	if (here) {
		targets->containers[0] = container_ref(job->context->container);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		targets->containers[i] =
			engine_resolve(job->context->engine, command->targets[i], err);
		if (targets->containers[i])
			continue;
		if (!may_be_gone || err->code != ENOENT)
			return -err->code;
		error_clear(err);
	}
	return 0;
}

static void get_id(struct container *c, char ret_id[ID_LEN + 1])
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);

	memcpy(ret_id, view->id, ID_LEN + 1);
}

/* The name that an earlier engine was at: the one it noted, else the first that has gone. */
static size_t find_begun(const struct job *job, const struct targets *targets)
{
	size_t gone = 0;
	char id[ID_LEN + 1];

	if (!perform_was_begun(job))
		return 0;
	for (size_t i = targets->count; i > 0; i--) {
		if (!targets->containers[i - 1]) {
			gone = i - 1;
			continue;
		}
		get_id(targets->containers[i - 1], id);
		if (strncmp(job->context->ticket->note, id, ID_LEN) == 0)
			return i - 1;
	}
	return gone;
}

/* Before what may take long; the others are over before anybody looks. */
static void show_progress(const struct job *job)
{
	switch (job->command->verb) {
	case VERB_COMMIT:
	case VERB_IMPORT:
	case VERB_LOAD:
	case VERB_RESTART:
	case VERB_STOP:
	case VERB_WAIT:
		if (job->context->show_progress)
			job->context->show_progress(job->context->arg);
		break;
	default:
		break;
	}
}

/* One name; container NULL: it has gone, so its deed was done. */
static int do_target(const struct job *job, struct container *c, size_t index, struct error *err)
{
	char id[ID_LEN + 1];
	int ret = 0;

	if (c) {
		if (!perform_was_begun(job)) {
			get_id(c, id);
			ticket_note(job->context->ticket, "%s", id);
		}
		ret = do_container(job, c, err);
	}
	if (ret == 0 && job->command->verb != VERB_WAIT && job->command->target_count > 1)
		perform_append_name(job, job->command->targets[index]);
	return ret;
}

int perform_containers(const struct job *job, struct error *err)
{
	AUTO(targets_deinit) struct targets targets = { .count = 0 };
	struct ticket *ticket = job->context->ticket;
	size_t begun;
	int ret = resolve_targets(job, &targets, err);

	if (ret < 0)
		return ret;
	begun = find_begun(job, &targets);
	/* To wait again for what has ended costs nothing, and its code is wanted. */
	if (job->command->verb == VERB_WAIT)
		begun = 0;
	for (size_t i = 0; i < begun; i++)
		perform_append_name(job, job->command->targets[i]);
	for (size_t i = begun; ret == 0 && i < targets.count; i++) {
		if (i > begun) {
			ticket->resumed = false;
			ticket->note[0] = '\0';
			show_progress(job);
		}
		ret = do_target(job, targets.containers[i], i, err);
	}
	return ret;
}

/* --- the table ------------------------------------------------------------- */

static int (*const deeds[])(const struct job *job, struct error *err) = {
	[VERB_COMMIT] = perform_commit,
	[VERB_CREATE] = perform_create,
	[VERB_DIFF] = perform_diff,
	[VERB_PRUNE] = perform_prune,
	[VERB_STATS] = perform_stats,
	[VERB_TOP] = perform_top,
	[VERB_EXEC] = perform_exec,
	[VERB_HISTORY] = perform_history,
	[VERB_IMAGES] = perform_images,
	[VERB_IMPORT] = perform_import,
	[VERB_INFO] = perform_info,
	[VERB_INSPECT] = perform_inspect,
	[VERB_KILL] = perform_containers,
	[VERB_LOGIN] = perform_login,
	[VERB_LOGOUT] = perform_logout,
	[VERB_PULL] = perform_pull,
	[VERB_PUSH] = perform_push,
	[VERB_LOAD] = perform_import,
	[VERB_PS] = perform_ps,
	[VERB_PORT] = perform_port,
	[VERB_PAUSE] = perform_containers,
	[VERB_UNPAUSE] = perform_containers,
	[VERB_RENAME] = perform_containers,
	[VERB_RESTART] = perform_containers,
	[VERB_RM] = perform_containers,
	[VERB_RMI] = perform_rmi,
	[VERB_RUN] = perform_create,
	[VERB_START] = perform_containers,
	[VERB_STOP] = perform_containers,
	[VERB_TAG] = perform_tag,
	[VERB_UPDATE] = perform_containers,
	[VERB_VERSION] = perform_version,
	[VERB_WAIT] = perform_containers,
	[VERB_CLOSESTDIN] = perform_containers,
	[VERB_RESIZE] = perform_containers,
};

int perform(const struct perform_context *context, const struct command *command,
	    struct strbuf *reply, struct error *err)
{
	struct job job = { .context = context, .command = command, .reply = reply };
	int ret;

	show_progress(&job);
	ret = deeds[command->verb](&job, err);
	if (ret == 0)
		ret = strbuf_check(reply, err);
	return error_wrap(err, ret, "%s", verb_get_name(command->verb));
}
