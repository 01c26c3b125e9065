/* The table of commands: one row gives a verb its name, usage, options and reader.
 *
 * Parsing makes a struct and does nothing else. A command that cannot be
 * understood is refused whole: the options first, then the words that are left.
 * Sentences begin with the command's word, also when the word itself is unknown
 * to us in this place.
 */
#include "fs/command/command_private.h"

#include <assert.h>
#include <signal.h>
#include <string.h>

/* clang-format off */
static const struct verb_row verb_rows[] = {
	{ VERB_COMMIT, "commit", "[OPTION]... NAME [IMAGE]", "[OPTION]... [IMAGE]",
	  "Make an image of a container and what it changed; replies with its id",
	  &command_commit_options, .interruptible = true, .take_operands = command_take_commit },
	{ VERB_CREATE, "create", "[OPTION]... IMAGE [COMMAND] [ARG]...", NULL,
	  "Make a container and do not start it; replies with its id",
	  &command_create_options, .options_first = true, .has_config = true,
	  .take_operands = command_take_create },
	{ VERB_DIFF, "diff", "NAME", "",
	  "Show what a container changed in its root file system",
	  &command_no_options, .take_operands = command_take_one },
	{ VERB_EXEC, "exec", "[OPTION]... NAME COMMAND [ARG]...", "[OPTION]... COMMAND [ARG]...",
	  "Run a process in a container to its end; replies with its output, the last MiB",
	  &command_exec_options, .options_first = true, .has_config = true,
	  .interruptible = true, .take_operands = command_take_exec },
	{ VERB_HISTORY, "history", "[OPTION]... IMAGE", NULL,
	  "Show how an image was made, newest first",
	  &command_history_options, .take_operands = command_take_history },
	{ VERB_IMAGES, "images", "[OPTION]... [NAME]", NULL,
	  "List the images, or those whose name matches a pattern",
	  &command_images_options, .take_operands = command_take_images },
	{ VERB_IMPORT, "import", "[OPTION]... PATH|URL [NAME]", NULL,
	  "Make an image of a root file system's or an image's archive; replies with its id",
	  &command_import_options, .interruptible = true, .take_operands = command_take_import },
	{ VERB_INFO, "info", "", NULL,
	  "Show facts about this engine",
	  &command_no_options, .take_operands = command_take_none },
	{ VERB_INSPECT, "inspect", "[OPTION]... NAME...", "[OPTION]...",
	  "Show all about containers or images, as JSON",
	  &command_inspect_options, .take_operands = command_take_targets },
	{ VERB_KILL, "kill", "[OPTION]... NAME...", "[OPTION]... [SIGNAL]",
	  "Send a signal, KILL unless said",
	  &command_kill_options, .take_operands = command_take_kill },
	{ VERB_LOAD, "load", "[OPTION]... PATH", NULL,
	  "Take the images of an archive under the names in it; replies with their ids",
	  &command_load_options, .interruptible = true, .take_operands = command_take_load },
	{ VERB_LOGIN, "login", "-u USER -p PASSWORD [REGISTRY]", NULL,
	  "Try a name and password at a registry, and keep them",
	  &command_login_options, .interruptible = true, .take_operands = command_take_login },
	{ VERB_LOGOUT, "logout", "[REGISTRY]", NULL,
	  "Forget the password for a registry",
	  &command_no_options, .take_operands = command_take_logout },
	{ VERB_PAUSE, "pause", "NAME...", "",
	  "Let all processes of containers stand still",
	  &command_no_options, .take_operands = command_take_targets },
	{ VERB_PORT, "port", "NAME [PORT[/PROTOCOL]]", "[PORT[/PROTOCOL]]",
	  "Show where on the host a container's ports are",
	  &command_no_options, .take_operands = command_take_port },
	{ VERB_PRUNE, "prune", "[OPTION]...", NULL,
	  "Remove stopped containers and what nothing uses; with -n only list it",
	  &command_prune_options, .take_operands = command_take_none },
	{ VERB_PS, "ps", "[OPTION]...", NULL,
	  "List containers, the running ones unless said",
	  &command_ps_options, .take_operands = command_take_none },
	{ VERB_PULL, "pull", "[OPTION]... NAME[:TAG|@DIGEST]", NULL,
	  "Fetch an image from a registry",
	  &command_pull_options, .interruptible = true, .take_operands = command_take_transfer },
	{ VERB_PUSH, "push", "[OPTION]... NAME[:TAG]", NULL,
	  "Send an image to the registry that its name leads to",
	  &command_push_options, .interruptible = true, .take_operands = command_take_transfer },
	{ VERB_RENAME, "rename", "NAME NEW", "NEW",
	  "Give a container another name",
	  &command_no_options, .take_operands = command_take_rename },
	{ VERB_RESTART, "restart", "[OPTION]... NAME...", "[OPTION]... [SECONDS]",
	  "Stop containers and start them again",
	  &command_stop_options, .interruptible = true, .take_operands = command_take_stop },
	{ VERB_RM, "rm", "[OPTION]... NAME...", "[OPTION]...",
	  "Remove containers, running ones only with -f",
	  &command_rm_options, .take_operands = command_take_targets },
	{ VERB_RMI, "rmi", "[OPTION]... IMAGE...", NULL,
	  "Remove tags, and images with their last tag",
	  &command_rmi_options, .take_operands = command_take_targets },
	{ VERB_RUN, "run", "[OPTION]... IMAGE [COMMAND] [ARG]...", NULL,
	  "Make a container and start it; replies with its id",
	  &command_run_options, .options_first = true, .has_config = true,
	  .take_operands = command_take_create },
	{ VERB_START, "start", "NAME...", "",
	  "Start containers",
	  &command_no_options, .take_operands = command_take_targets },
	{ VERB_STATS, "stats", "[OPTION]... [NAME]...", "[OPTION]...",
	  "Show once what containers use, the running ones unless said",
	  &command_stats_options, .take_operands = command_take_some },
	{ VERB_STOP, "stop", "[OPTION]... NAME...", "[OPTION]... [SECONDS]",
	  "Ask containers to end, and kill those that have not in time",
	  &command_stop_options, .interruptible = true, .take_operands = command_take_stop },
	{ VERB_TAG, "tag", "[OPTION]... IMAGE NAME", NULL,
	  "Give an image one more name, a taken one only with -f",
	  &command_tag_options, .take_operands = command_take_tag },
	{ VERB_TOP, "top", "NAME", "",
	  "Show the processes of a container",
	  &command_no_options, .take_operands = command_take_one },
	{ VERB_UNPAUSE, "unpause", "NAME...", "",
	  "Let the processes of paused containers go on",
	  &command_no_options, .take_operands = command_take_targets },
	{ VERB_UPDATE, "update", "OPTION... NAME...", "OPTION...",
	  "Change limits, also of running containers",
	  &command_update_options, .has_config = true, .take_operands = command_take_update },
	{ VERB_VERSION, "version", "", NULL,
	  "Show the versions",
	  &command_no_options, .take_operands = command_take_none },
	{ VERB_WAIT, "wait", "NAME...", "",
	  "Wait until containers have stopped; replies with their exit codes",
	  &command_no_options, .interruptible = true, .take_operands = command_take_targets },
	{ VERB_CLOSESTDIN, "closestdin", NULL, "",
	  "Let the main process see the end of its input",
	  &command_no_options, .take_operands = command_take_targets },
	{ VERB_RESIZE, "resize", NULL, "ROWS COLUMNS",
	  "Set the size of the terminal",
	  &command_no_options, .take_operands = command_take_resize },
};
/* clang-format on */

#define VERB_COUNT (sizeof(verb_rows) / sizeof(verb_rows[0]))

/* What cfs does with files. here: the file beside a container's ctl, NULL if none. */
static const struct {
	const char *name, *file, *here;
} file_words[] = {
	{ "attach", "containers/NAME/attach", "attach" },
	{ "cp", "containers/NAME/rootfs/", "rootfs/" },
	{ "events", "events", NULL },
	{ "export", "containers/NAME/export.tar", "export.tar" },
	{ "logs", "containers/NAME/logs", "logs" },
	{ "save", "images/NAME/image.tar", NULL },
};

static const struct verb_row *get_row(enum verb verb)
{
	assert((size_t)verb < VERB_COUNT && verb_rows[verb].verb == verb);
	return &verb_rows[verb];
}

const struct verb_row *command_find_row(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++) {
		if (strcmp(verb_rows[i].name, name) == 0)
			return &verb_rows[i];
	}
	return NULL;
}

static int refuse_word(const char *word, bool in_container, struct error *err)
{
	for (size_t i = 0; i < sizeof(file_words) / sizeof(file_words[0]); i++) {
		bool here = in_container && file_words[i].here;

		if (strcmp(file_words[i].name, word) != 0)
			continue;
		return error_set(err, ENOTSUP,
				 "%s: not a command of a control file; use the file %s%s", word,
				 here ? file_words[i].here : file_words[i].file,
				 here ? " beside it" : "");
	}
	return error_set(err, EINVAL, "unknown command '%s'; see MNT/help", word);
}

int command_refuse_usage(const struct parse *p, const char *what, struct error *err)
{
	const char *usage = p->container ? p->row->usage_here : p->row->usage;

	return error_set(err, EINVAL, "%s; usage: %s %s", what, p->row->name, usage);
}

/* Is the command one of this control file? */
static int check_place(const struct verb_row *row, bool in_container, struct error *err)
{
	if (in_container && !row->usage_here)
		return error_set(err, EINVAL,
				 "not about one container; write it to the ctl of the mount");
	if (!in_container && !row->usage)
		return error_set(err, EINVAL, "write it to the ctl of a container");
	return 0;
}

static int parse_row(const struct verb_row *row, const struct words *words, const char *container,
		     struct command *command, struct error *err)
{
	auto_free char **operands = NULL;
	struct parse p = { .row = row, .container = container, .command = command };
	int ret = check_place(row, container != NULL, err);

	if (ret == 0)
		ret = options_parse(words->argv, words->count, row->options, row->options_first,
				    command, &operands, &p.count, err);
	if (ret < 0)
		return ret;
	p.operands = operands;
	return row->take_operands(&p, err);
}

int command_parse_row(const struct verb_row *row, const struct words *words, const char *container,
		      struct command *ret, struct error *err)
{
	AUTO(command_deinit) struct command command = { .timeout_s = -1, .limit = -1 };
	int r;

	command.verb = row->verb;
	if (row->verb == VERB_KILL)
		command.signo = SIGKILL;
	command.pause = row->verb == VERB_COMMIT;
	r = parse_row(row, words, container, &command, err);
	if (r < 0)
		return error_wrap(err, r, "%s", row->name);
	*ret = command;
	command = (struct command){ .timeout_s = -1 };
	return 0;
}

int command_parse(const struct words *words, const char *container, struct command *ret,
		  struct error *err)
{
	const struct verb_row *row;

	if (words->count == 0)
		return error_set(err, EINVAL, "no command given; see MNT/help");
	row = command_find_row(words->argv[0]);
	if (!row)
		return refuse_word(words->argv[0], container != NULL, err);
	return command_parse_row(row, words, container, ret, err);
}

static void free_list(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

void command_deinit(struct command *command)
{
	json_decref(command->config);
	free(command->name);
	free(command->image);
	free(command->source);
	free(command->message);
	free(command->author);
	free(command->format);
	free(command->type);
	free(command->platform);
	command_deinit_login(command);
	free_list(command->targets);
	free_list(command->filters);
	free_list(command->changes);
	*command = (struct command){ .timeout_s = -1 };
}

bool command_is_interruptible(const struct command *command)
{
	return get_row(command->verb)->interruptible || command->pull != PULL_NEVER;
}

const char *verb_get_name(enum verb verb)
{
	return get_row(verb)->name;
}

void command_render_row(const struct verb_row *row, bool in_container, struct strbuf *out)
{
	const char *usage = in_container ? row->usage_here : row->usage;

	if (!usage)
		return;
	strbuf_appendf(out, "%s%s%s\n    %s\n", row->name, *usage ? " " : "", usage, row->summary);
	options_render(row->options, out);
}

void command_render_help(bool in_container, struct strbuf *out)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		command_render_row(&verb_rows[i], in_container, out);
}
