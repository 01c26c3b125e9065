/* Options and words of commit. */
#include "fs/command/command_private.h"

#include <stddef.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct command, member)

/* clang-format off */
static const struct option_spec commit_specs[] = {
	{ OPTION('a', "author", "TEXT"), .take = command_take_string, AT(author) },
	{ OPTION('c', "change", "INSTRUCTION"), .take = command_take_word, AT(changes) },
	{ OPTION('m', "message", "TEXT"), .take = command_take_string, AT(message) },
	{ OPTION('p', "pause", NULL), .take = command_take_flag, AT(pause) },
};
/* clang-format on */

const struct option_table command_commit_options = {
	commit_specs, sizeof(commit_specs) / sizeof(commit_specs[0])
};

int command_take_commit(const struct parse *p, struct error *err)
{
	size_t names = p->container ? 0 : 1;

	if (p->count < names)
		return command_refuse_usage(p, "no name given", err);
	if (p->count > names + 1)
		return error_set(err, EINVAL, "unexpected word '%s'", p->operands[names + 1]);
	if (p->count > names) {
		p->command->name = strdup(p->operands[names]);
		if (!p->command->name)
			return error_set_sys(err, ENOMEM, "cannot read the command");
	}
	return command_copy_targets(p, names, err);
}
