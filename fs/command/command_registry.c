/* Options and words of the commands that speak with registries. A password may stand among them: no sentence
 * of login quotes a word.
 */
#include "fs/command/command_private.h"

#include <stddef.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct command, member)
#define TABLE(array)                                                                               \
	{                                                                                          \
		(array), sizeof(array) / sizeof((array)[0])                                        \
	}

static int take_password(void *target, const struct option_spec *spec, const char *value,
			 struct error *err)
{
	struct command *command = target;

	if (command->password)
		explicit_bzero(command->password, strlen(command->password));
	return command_take_string(target, spec, value, err);
}

static int refuse_stdin(void *target, const struct option_spec *spec, const char *value,
			struct error *err)
{
	(void)target;
	(void)spec;
	(void)value;
	return error_set(err, EINVAL,
			 "a control file has no standard input; give it -p, or use cfs login");
}

/* clang-format off */
#define ALL_TAGS { OPTION('a', "all-tags", NULL), .take = command_take_flag, AT(all) }
#define QUIET { OPTION('q', "quiet", NULL), .take = command_take_flag, AT(quiet) }

static const struct option_spec login_specs[] = {
	{ OPTION('u', "username", "USER"), .take = command_take_string, AT(user) },
	{ OPTION('p', "password", "PASSWORD"), .take = take_password, AT(password) },
	{ OPTION(0, "password-stdin", NULL), .take = refuse_stdin, .hidden = true },
};
static const struct option_spec pull_specs[] = {
	ALL_TAGS,
	{ OPTION(0, "platform", "OS/ARCH[/VARIANT]"), .take = command_take_string, AT(platform) },
	QUIET,
};
static const struct option_spec push_specs[] = {
	ALL_TAGS,
	QUIET,
};
/* clang-format on */

const struct option_table command_login_options = TABLE(login_specs);
const struct option_table command_pull_options = TABLE(pull_specs);
const struct option_table command_push_options = TABLE(push_specs);

static int copy_word(const char *word, char **member, struct error *err)
{
	*member = strdup(word);
	return *member ? 0 : error_set_sys(err, ENOMEM, "cannot read the command");
}

static int take_registry(const struct parse *p, struct error *err)
{
	if (p->count > 1)
		return command_refuse_usage(p, "more than one registry", err);
	return p->count ? copy_word(p->operands[0], &p->command->registry, err) : 0;
}

int command_take_logout(const struct parse *p, struct error *err)
{
	return take_registry(p, err);
}

int command_take_login(const struct parse *p, struct error *err)
{
	if (!p->command->user || !*p->command->user)
		return command_refuse_usage(p, "no user's name given", err);
	if (!p->command->password || !*p->command->password)
		return command_refuse_usage(p, "no password given", err);
	return take_registry(p, err);
}

int command_take_transfer(const struct parse *p, struct error *err)
{
	if (p->count == 0)
		return command_refuse_usage(p, "no image given", err);
	if (p->count > 1)
		return error_set(err, EINVAL, "unexpected word '%s'", p->operands[1]);
	return copy_word(p->operands[0], &p->command->image, err);
}

void command_deinit_login(struct command *command)
{
	if (command->password)
		explicit_bzero(command->password, strlen(command->password));
	free(command->password);
	free(command->user);
	free(command->registry);
}
