/* Options and words of import and load. */
#include "fs/command/command_private.h"

#include "graph/http/download.h"

#include <stddef.h>
#include <string.h>

#define AT(member) .offset = offsetof(struct command, member)
#define TABLE(array)                                                                               \
	{                                                                                          \
		(array), sizeof(array) / sizeof((array)[0])                                        \
	}

/* clang-format off */
static const struct option_spec import_specs[] = {
	{ OPTION('c', "change", "INSTRUCTION"), .take = command_take_word, AT(changes) },
	{ OPTION('m', "message", "TEXT"), .take = command_take_string, AT(message) },
	{ OPTION(0, "platform", "OS/ARCH[/VARIANT]"), .take = command_take_string, AT(platform) },
};
static const struct option_spec load_specs[] = {
	{ OPTION('i', "input", "PATH"), .take = command_take_string, AT(source) },
	{ OPTION('q', "quiet", NULL), .take = command_take_flag, AT(quiet), .hidden = true },
	{ OPTION(0, "platform", "OS/ARCH[/VARIANT]"), .take = command_take_string, AT(platform) },
};
/* clang-format on */

const struct option_table command_import_options = TABLE(import_specs);
const struct option_table command_load_options = TABLE(load_specs);

static int check_path(const char *path, const char *others, struct error *err)
{
	if (path[0] == '/')
		return 0;
	if (strcmp(path, "-") == 0)
		return error_set(err, EINVAL,
				 "a control file has no standard input; use cfs, which has");
	return error_set(err, EINVAL,
			 "'%s' is not an absolute path%s, and a control file has no working "
			 "directory",
			 path, others);
}

int command_take_import(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, 1, 2, "no path or address given", err);

	if (ret == 0 && !download_is_url(p->operands[0]))
		ret = check_path(p->operands[0], " nor an address of http or https", err);
	if (ret == 0)
		ret = command_copy_word(p, 0, &p->command->source, err);
	if (ret == 0 && p->count == 2)
		ret = command_copy_word(p, 1, &p->command->name, err);
	return ret;
}

/* The path is a word, or docker's -i. */
int command_take_load(const struct parse *p, struct error *err)
{
	size_t count = p->command->source ? 0 : 1;
	int ret = command_check_count(p, count, count, "no path given", err);

	if (ret == 0 && count == 1)
		ret = command_copy_word(p, 0, &p->command->source, err);
	return ret < 0 ? ret : check_path(p->command->source, "", err);
}
