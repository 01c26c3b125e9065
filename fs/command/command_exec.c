/* exec, and the commands of an entry in exec/, which are its `run` and three of a
 * container's. The words make a configuration of Docker's keys, checked as one.
 */
#include "fs/command/command_private.h"

#include "runtime/config/config.h"

#include <string.h>

/* Of a container's ctl, also in an entry's. */
static const char *const shared[] = { "closestdin", "kill", "resize" };

int command_take_exec(const struct parse *p, struct error *err)
{
	struct command *command = p->command;
	size_t first = p->container ? 0 : 1;
	json_t *checked;
	int ret = 0;

	if (p->count < first)
		return command_refuse_usage(p, "no container given", err);
	if (p->count == first)
		return command_refuse_usage(p, "no command given", err);
	ret = command_copy_targets(p, first, err);
	for (size_t i = first; ret == 0 && i < p->count; i++)
		ret = command_append_text(command, false, "Cmd", p->operands[i], err);
	if (ret == 0)
		ret = config_apply(NULL, command->config, false, &checked, err);
	if (ret < 0)
		return ret;
	json_decref(command->config);
	command->config = checked;
	return 0;
}

/* An entry's `run`: detached by its nature. */
static const struct verb_row run_row = {
	.verb = VERB_EXEC,
	.name = "run",
	.usage_here = "[OPTION]... COMMAND [ARG]...",
	.summary = "Start the process",
	.options = &command_exec_run_options,
	.options_first = true,
	.has_config = true,
	.take_operands = command_take_exec,
};

static bool is_shared(const char *word)
{
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		if (strcmp(shared[i], word) == 0)
			return true;
	return false;
}

int command_parse_exec(const struct words *words, const char *name, struct command *ret,
		       struct error *err)
{
	if (words->count == 0)
		return error_set(err, EINVAL,
				 "no command given; read ctl for those that there are");
	if (is_shared(words->argv[0]))
		return command_parse(words, name, ret, err);
	if (strcmp(words->argv[0], "run") == 0)
		return command_parse_row(&run_row, words, name, ret, err);
	return error_set(err, EINVAL,
			 "unknown command '%s'; an exec has run, kill, resize, closestdin",
			 words->argv[0]);
}

void command_render_exec_help(struct strbuf *out)
{
	command_render_row(&run_row, true, out);
	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++)
		command_render_row(command_find_row(shared[i]), true, out);
}
