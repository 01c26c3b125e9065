/* Options and words of every command but create, run and update.
 *
 * In a container's ctl its name is left out: there the commands about one
 * container take no name, and a bare word is what it can only mean (stop 5,
 * kill HUP, rename NEW). Names are not looked up here.
 */
#include "fs/command/command_private.h"

#include "base/num.h"
#include "runtime/config/config.h"
#include "runtime/config/portspec.h"

#include <stddef.h>
#include <string.h>

#define TAKE_ARGS void *target, const struct option_spec *spec, const char *value, struct error *err

static int no_memory(struct error *err)
{
	return error_set_sys(err, ENOMEM, "cannot read the command");
}

/* --- ways to take a value ------------------------------------------------- */

int command_take_flag(TAKE_ARGS)
{
	(void)err;
	*(bool *)((char *)target + spec->offset) = strcmp(value, "true") == 0;
	return 0;
}

int command_take_string(TAKE_ARGS)
{
	char **member = (char **)(void *)((char *)target + spec->offset);
	char *copy = strdup(value);

	if (!copy)
		return no_memory(err);
	free(*member);
	*member = copy;
	return 0;
}

static int take_type(TAKE_ARGS)
{
	if (strcmp(value, "container") != 0 && strcmp(value, "image") != 0)
		return error_set(err, EINVAL, "'%s' is neither container nor image", value);
	return command_take_string(target, spec, value, err);
}

static int parse_time(struct command *command, const char *text, struct error *err)
{
	if (num_parse_i64(text, 0, INT32_MAX, &command->timeout_s) < 0)
		return error_set(err, EINVAL, "'%s' is not a number of seconds from 0 on", text);
	return 0;
}

static int take_time(TAKE_ARGS)
{
	(void)spec;
	return parse_time(target, value, err);
}

static int take_signal(TAKE_ARGS)
{
	(void)spec;
	return signal_parse(value, &((struct command *)target)->signo, err);
}

static int take_limit(TAKE_ARGS)
{
	struct command *command = target;

	(void)spec;
	if (num_parse_i64(value, 0, INT32_MAX, &command->limit) < 0)
		return error_set(err, EINVAL, "'%s' is not a number", value);
	command->all = true; /* Docker: the last created ones, running or not */
	return 0;
}

static int take_latest(TAKE_ARGS)
{
	struct command *command = target;

	command->latest = strcmp(value, "true") == 0;
	return take_limit(target, spec, command->latest ? "1" : "0", err);
}

int command_take_word(TAKE_ARGS)
{
	char ***member = (char ***)(void *)((char *)target + spec->offset);
	size_t count = 0;
	char **list;

	while (*member && (*member)[count])
		count++;
	list = reallocarray(*member, count + 2, sizeof(*list));
	if (!list)
		return no_memory(err);
	*member = list;
	list[count] = strdup(value);
	list[count + 1] = NULL;
	return list[count] ? 0 : no_memory(err);
}

static int take_filter(TAKE_ARGS)
{
	if (!strchr(value, '=') || *value == '=')
		return error_set(err, EINVAL, "'%s' is not KEY=VALUE", value);
	return command_take_word(target, spec, value, err);
}

/* --- the tables ----------------------------------------------------------- */

#define AT(member) .offset = offsetof(struct command, member)

/* clang-format off */
#define ALL { OPTION('a', "all", NULL), .take = command_take_flag, AT(all) }
#define QUIET { OPTION('q', "quiet", NULL), .take = command_take_flag, AT(quiet) }
#define NO_TRUNC { OPTION(0, "no-trunc", NULL), .take = command_take_flag, AT(no_trunc) }
#define FORMAT { OPTION(0, "format", "FORMAT"), .take = command_take_string, AT(format) }
#define FORCE { OPTION('f', "force", NULL), .take = command_take_flag, AT(force) }
#define TIME \
	{ OPTION('t', "time", "SECONDS"), .take = take_time }, \
	{ OPTION(0, "timeout", "SECONDS"), .take = take_time, .hidden = true }
#define SIGNAL { OPTION('s', "signal", "SIGNAL"), .take = take_signal }

static const struct option_spec history_specs[] = { NO_TRUNC, QUIET };
static const struct option_spec images_specs[] = {
	ALL,
	{ OPTION(0, "digests", NULL), .take = command_take_flag, AT(digests) },
	{ OPTION('f', "filter", "KEY=VALUE"), .take = take_filter, AT(filters) },
	FORMAT,
	NO_TRUNC,
	QUIET,
};
static const struct option_spec inspect_specs[] = {
	{ OPTION('s', "size", NULL), .take = command_take_flag, AT(size) },
	{ OPTION('f', "format", "FORMAT"), .take = command_take_string, AT(format) },
	{ OPTION(0, "type", "container|image"), .take = take_type, AT(type) },
};
static const struct option_spec kill_specs[] = { SIGNAL };
static const struct option_spec ps_specs[] = {
	ALL,
	{ OPTION('f', "filter", "KEY=VALUE"), .take = take_filter, AT(filters) },
	FORMAT,
	{ OPTION('n', "last", "N"), .take = take_limit },
	{ OPTION('l', "latest", NULL), .take = take_latest },
	NO_TRUNC,
	QUIET,
	{ OPTION('s', "size", NULL), .take = command_take_flag, AT(size) },
};
static const struct option_spec prune_specs[] = {
	ALL,
	{ OPTION('f', "force", NULL), .take = command_take_flag, AT(force), .hidden = true },
	{ OPTION(0, "filter", "KEY=VALUE"), .take = take_filter, AT(filters) },
	{ OPTION('n', "dry-run", NULL), .take = command_take_flag, AT(dry_run) },
	{ OPTION(0, "volumes", NULL), .take = command_take_flag, AT(volumes) },
};
static const struct option_spec stats_specs[] = {
	ALL,
	FORMAT,
	{ OPTION(0, "no-stream", NULL), .take = command_take_flag, AT(quiet), .hidden = true },
	NO_TRUNC,
};
static const struct option_spec rm_specs[] = {
	FORCE,
	{ OPTION('v', "volumes", NULL), .take = command_take_flag, AT(volumes) },
};
static const struct option_spec force_specs[] = { FORCE };
static const struct option_spec stop_specs[] = { SIGNAL, TIME }; /* of restart too */
/* clang-format on */

#define TABLE(array)                                                                               \
	{                                                                                          \
		(array), sizeof(array) / sizeof((array)[0])                                        \
	}

const struct option_table command_no_options = { NULL, 0 };
const struct option_table command_history_options = TABLE(history_specs);
const struct option_table command_images_options = TABLE(images_specs);
const struct option_table command_inspect_options = TABLE(inspect_specs);
const struct option_table command_kill_options = TABLE(kill_specs);
const struct option_table command_prune_options = TABLE(prune_specs);
const struct option_table command_ps_options = TABLE(ps_specs);
const struct option_table command_stats_options = TABLE(stats_specs);
const struct option_table command_rm_options = TABLE(rm_specs);
const struct option_table command_rmi_options = TABLE(force_specs);
const struct option_table command_stop_options = TABLE(stop_specs);
const struct option_table command_tag_options = TABLE(force_specs);

/* --- words ---------------------------------------------------------------- */

static int refuse_extra(const struct parse *p, size_t index, struct error *err)
{
	return error_set(err, EINVAL, "unexpected word '%s'", p->operands[index]);
}

int command_check_count(const struct parse *p, size_t min, size_t max, const char *missing,
			struct error *err)
{
	if (p->count > max)
		return refuse_extra(p, max, err);
	if (p->count < min)
		return command_refuse_usage(p, missing, err);
	return 0;
}

int command_copy_word(const struct parse *p, size_t index, char **member, struct error *err)
{
	*member = strdup(p->operands[index]);
	return *member ? 0 : no_memory(err);
}

int command_copy_targets(const struct parse *p, size_t count, struct error *err)
{
	struct command *command = p->command;

	command->targets = calloc(count + 1, sizeof(*command->targets));
	if (!command->targets)
		return no_memory(err);
	for (size_t i = 0; i < count; i++) {
		command->targets[i] = strdup(p->operands[i]);
		if (!command->targets[i])
			return no_memory(err);
		command->target_count++;
	}
	return 0;
}

int command_take_none(const struct parse *p, struct error *err)
{
	return command_check_count(p, 0, 0, NULL, err);
}

int command_take_targets(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, p->container ? 0 : 1, p->container ? 0 : SIZE_MAX,
				      "no name given", err);

	return ret < 0 ? ret : command_copy_targets(p, p->count, err);
}

int command_take_one(const struct parse *p, struct error *err)
{
	size_t count = p->container ? 0 : 1;
	int ret = command_check_count(p, count, count, "no name given", err);

	return ret < 0 ? ret : command_copy_targets(p, count, err);
}

int command_take_some(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, 0, p->container ? 0 : SIZE_MAX, NULL, err);

	return ret < 0 ? ret : command_copy_targets(p, p->count, err);
}

int command_take_stop(const struct parse *p, struct error *err)
{
	int ret;

	if (!p->container)
		return command_take_targets(p, err);
	ret = command_check_count(p, 0, 1, NULL, err);
	if (ret == 0 && p->count == 1)
		ret = parse_time(p->command, p->operands[0], err);
	return ret < 0 ? ret : command_copy_targets(p, 0, err);
}

int command_take_kill(const struct parse *p, struct error *err)
{
	int ret;

	if (!p->container)
		return command_take_targets(p, err);
	ret = command_check_count(p, 0, 1, NULL, err);
	if (ret == 0 && p->count == 1)
		ret = signal_parse(p->operands[0], &p->command->signo, err);
	return ret < 0 ? ret : command_copy_targets(p, 0, err);
}

int command_take_rename(const struct parse *p, struct error *err)
{
	size_t old = p->container ? 0 : 1;
	int ret = command_check_count(p, old + 1, old + 1,
				      p->count < old ? "no name given" : "no new name", err);

	if (ret == 0)
		ret = config_check_name(p->operands[old], err);
	if (ret == 0)
		ret = command_copy_word(p, old, &p->command->name, err);
	return ret < 0 ? ret : command_copy_targets(p, old, err);
}

/* NAME [PORT], kept as "80/tcp". */
int command_take_port(const struct parse *p, struct error *err)
{
	size_t names = p->container ? 0 : 1;
	int ret = command_check_count(p, names, names + 1, "no name given", err);
	char text[PORTSPEC_SIZE];
	struct portspec spec;

	if (ret == 0 && p->count > names) {
		ret = portspec_parse(p->operands[names], &spec, err);
		if (ret == 0 && spec.first != spec.last)
			ret = error_set(err, EINVAL, "'%s' is a range; one port",
					p->operands[names]);
		if (ret < 0)
			return ret;
		portspec_render(&spec, spec.first, text);
		p->command->source = strdup(text);
		if (!p->command->source)
			return no_memory(err);
	}
	return ret < 0 ? ret : command_copy_targets(p, names, err);
}

int command_take_tag(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, 2, 2, p->count == 0 ? "no image given" : "no name given",
				      err);

	if (ret == 0)
		ret = command_copy_word(p, 0, &p->command->image, err);
	return ret < 0 ? ret : command_copy_word(p, 1, &p->command->name, err);
}

int command_take_history(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, 1, 1, "no image given", err);

	return ret < 0 ? ret : command_copy_word(p, 0, &p->command->image, err);
}

int command_take_images(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, 0, 1, NULL, err);

	if (ret < 0 || p->count == 0)
		return ret;
	return command_copy_word(p, 0, &p->command->image, err);
}

/* A terminal's side: TIOCSWINSZ takes 16 bits, and 0 helps nobody. */
static int parse_side(const char *text, unsigned *ret, struct error *err)
{
	uint64_t number;

	if (num_parse_u64(text, 1, UINT16_MAX, &number) < 0)
		return error_set(err, EINVAL, "'%s' is not a number from 1 to 65535", text);
	*ret = (unsigned)number;
	return 0;
}

int command_take_resize(const struct parse *p, struct error *err)
{
	int ret = command_check_count(p, 2, 2, p->count == 0 ? "no rows given" : "no columns given",
				      err);

	if (ret == 0)
		ret = parse_side(p->operands[0], &p->command->rows, err);
	if (ret == 0)
		ret = parse_side(p->operands[1], &p->command->cols, err);
	return ret < 0 ? ret : command_copy_targets(p, 0, err);
}
