/* The commands: which word is whose, help, and the way through for all that is the mount's.
 *
 * A word that is not in the table goes to MNT/ctl with its arguments quoted:
 * a verb that the engine learns is a command of cfs the same day.
 */
#include "cfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage;
};

static int command_help_word(int argc, char **argv);

#define JOIN_OPTIONS                                                                               \
	"      --detach-keys KEYS   to leave its terminal (ctrl-p,ctrl-q)\n"                       \
	"      --sig-proxy=false    our signals end us\n"

#define CREATE_OPTIONS                                                                             \
	"  -a, --attach STREAM      stdin, stdout or stderr (all three)\n"                         \
	"  -i, --interactive        keep stdin open\n"                                             \
	"  -e, --env K[=V]          set a variable; K alone takes the caller's\n"                  \
	"      --env-file FILE      lines K=V or K; # begins a comment\n"                          \
	"      --cidfile FILE       write the id to a new file\n"                                  \
	"      --name NAME          call it so (its 12 digits)\n"                                  \
	"      --platform OS/ARCH   that the image must be for\n"                                  \
	"      --pull WHEN          never, missing or always fetch the image (missing)\n"          \
	"      --rm                 remove it when it has ended\n"                                 \
	"  -u, --user USER[:GROUP]  run as\n"                                                      \
	"  -w, --workdir DIR        run in\n"                                                      \
	"      --entrypoint PROGRAM instead of the image's\n"                                      \
	"  -m, --memory SIZE        limit, such as 256m\n"                                         \
	"  -c, --cpu-shares N       weight beside others (1024)\n"                                 \
	"All other options of Docker's create are passed on; containerfs-commands(5) lists\n"      \
	"what the mount takes.\n"

static const struct command commands[] = {
	{ "run", command_run,
	  "usage: cfs run [-d] [OPTION...] IMAGE [COMMAND [ARG...]]\n"
	  "Create a container, start it, pass its streams and our signals, exit as it exits.\n"
	  "  -d, --detach             print its id and leave it alone\n" CREATE_OPTIONS },
	{ "create", command_create,
	  "usage: cfs create [OPTION...] IMAGE [COMMAND [ARG...]]\n"
	  "Create a container and print its id.\n" CREATE_OPTIONS },
	{ "start", command_start,
	  "usage: cfs start NAME...\n"
	  "       cfs start -a|-i [OPTION...] NAME\n"
	  "Start containers.\n"
	  "  -a, --attach             pass its output and our signals, exit as it exits\n"
	  "  -i, --interactive        pass our input too\n" JOIN_OPTIONS },
	{ "exec", command_exec,
	  "usage: cfs exec [OPTION...] NAME COMMAND [ARG...]\n"
	  "Run a further process in a running container, pass its streams and our signals,\n"
	  "exit as it exits.\n"
	  "  -d, --detach             leave it alone\n"
	  "      --detach-keys KEYS   to leave its terminal (ctrl-p,ctrl-q)\n"
	  "  -e, --env K[=V]          set a variable; K alone takes the caller's\n"
	  "      --env-file FILE      lines K=V or K; # begins a comment\n"
	  "  -i, --interactive        pass our input\n"
	  "  -t, --tty                give it a terminal\n"
	  "  -u, --user USER[:GROUP]  run as\n"
	  "  -w, --workdir DIR        run in\n" },
	{ "attach", command_attach,
	  "usage: cfs attach [OPTION...] NAME\n"
	  "Pass the streams of a running container from now on, and exit as it exits.\n"
	  "      --no-stdin           not our input\n" JOIN_OPTIONS },
	{ "logs", command_logs,
	  "usage: cfs logs [OPTION...] NAME\n"
	  "Print the output of a container, each stream to its own.\n"
	  "  -f, --follow             go on until it ends\n"
	  "      --since TIME         what is as new, 2026-01-31T15:04:05Z or 10m ago\n"
	  "  -n, --tail N             the last N lines (all)\n"
	  "  -t, --timestamps         before each line\n"
	  "      --until TIME         what is as old\n" },
	{ "cp", command_cp,
	  "usage: cfs cp [-aL] NAME:PATH PATH|-\n"
	  "       cfs cp [-aL] PATH|- NAME:PATH\n"
	  "Copy files from or to a container; - is a tar stream.\n"
	  "  -a, --archive            keep owners\n"
	  "  -L, --follow-link        copy what a link leads to\n" },
	{ "export", command_export,
	  "usage: cfs export [-o FILE] NAME\n"
	  "Write a container's root file system as a tar stream.\n" },
	{ "load", command_load,
	  "usage: cfs load [-i FILE]\n"
	  "Take the images of an archive, from a file or stdin, under the names in it.\n"
	  "  -i, --input FILE         the archive\n"
	  "      --platform OS/ARCH[/VARIANT]  what they must be for, not this machine's\n" },
	{ "save", command_save,
	  "usage: cfs save [-o FILE] IMAGE...\n"
	  "Write images as an archive that docker load, podman and skopeo read.\n"
	  "  -o, --output FILE        not to stdout\n" },
	{ "stats", command_stats,
	  "usage: cfs stats [OPTION...] [NAME...]\n"
	  "Show what containers use, on a terminal each second.\n"
	  "  -a, --all                also those that do not run\n"
	  "      --format FORMAT      such as {{.Name}} {{.CPUPerc}}; table in front, or json\n"
	  "      --no-stream          once\n"
	  "      --no-trunc           whole ids\n" },
	{ "events", command_events,
	  "usage: cfs events [-f KEY=VALUE]... [--until TIME]\n"
	  "Print a line of JSON for each event from now on.\n"
	  "  -f, --filter KEY=VALUE   key: type, event, container, image, label\n"
	  "      --until TIME         go on until then\n" },
	{ "import", command_import,
	  "usage: cfs import [OPTION...] FILE|URL|- [NAME[:TAG]]\n"
	  "Make an image of a root file system's or an image's archive and print its id.\n"
	  "  -c, --change INSTRUCTION of a Dockerfile, to the configuration; more than once\n"
	  "  -m, --message TEXT       in its history\n"
	  "      --platform OS/ARCH[/VARIANT]  that it is for, not this machine's\n" },
	{ "pull", command_transfer,
	  "usage: cfs pull [-q] [--platform OS/ARCH[/VARIANT]] NAME[:TAG|@DIGEST]\n"
	  "Fetch an image from a registry.\n"
	  "      --platform PLATFORM  not this machine's\n"
	  "  -q, --quiet              print its id alone\n" },
	{ "push", command_transfer,
	  "usage: cfs push [-q] NAME[:TAG]\n"
	  "Send an image to the registry that its name leads to.\n"
	  "  -q, --quiet              print its manifest's digest alone\n" },
	{ "login", command_login,
	  "usage: cfs login [-u USER] [--password-stdin] [REGISTRY]\n"
	  "Try a name and password at a registry, and keep them.\n"
	  "      --password-stdin     the password is our input\n"
	  "  -u, --username USER      asked for on a terminal unless given\n" },
	{ "help", command_help_word, "usage: cfs help [COMMAND]\n" },
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static FILE *open_mount_help(void)
{
	int mnt_fd = mount_open_quietly();
	int fd = mnt_fd < 0 ? -1 : openat(mnt_fd, "help", O_RDONLY | O_CLOEXEC);

	if (mnt_fd >= 0)
		close(mnt_fd);
	return fd < 0 ? NULL : fdopen(fd, "r");
}

static bool line_is_about(const char *line, const char *name)
{
	size_t len = strlen(name);

	return strncmp(line, name, len) == 0 && strchr(" \t\n", line[len]);
}

/* MNT/help: what is about one command, or all. A line that begins with a blank
 * belongs to the command above it. */
static bool print_mount_help(const char *name)
{
	FILE *file = open_mount_help();
	bool found = false, wanted = !name;
	char *line = NULL;
	size_t cap = 0;

	while (file && getline(&line, &cap, file) > 0) {
		if (name && line[0] != ' ') {
			wanted = line_is_about(line, name);
			found = found || wanted;
			fputs(wanted ? "usage: cfs " : "", stdout);
		}
		if (wanted)
			fputs(line, stdout);
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

int command_help(const char *name)
{
	const struct command *command = find_command(name);

	if (command)
		fputs(command->usage, stdout);
	else if (!print_mount_help(name))
		fail(CFS_FAILED, "no such command: '%s'; see 'cfs help'", name);
	return 0;
}

void command_print_usage(FILE *out)
{
	fputs("usage: cfs COMMAND [ARGUMENT...]\n"
	      "Containers of the containerfs mount that $CONTAINERFS names, else of the first one\n"
	      "in the mount table.\n\n"
	      "  attach cp create events exec export import load logs run save start stats help: "
	      "'cfs "
	      "COMMAND --help' says more.\n"
	      "  Every other word is a command of the mount.\n",
	      out);
}

static int command_help_word(int argc, char **argv)
{
	if (argc > 1)
		return command_help(argv[1]);
	command_print_usage(stdout);
	fputs("\n", stdout);
	print_mount_help(NULL);
	return 0;
}

int command_pass(int argc, char **argv)
{
	struct text line = { .data = NULL };

	for (int i = 0; i < argc; i++)
		text_append_word(&line, argv[i]);
	int mnt_fd = mount_open(CFS_FAILED);
	ctl_run(mnt_fd, line.data, CFS_FAILED);
	text_free(&line);
	close(mnt_fd);
	return 0;
}

int command_do(int argc, char **argv)
{
	const struct command *command = find_command(argv[0]);

	return command ? command->run(argc, argv) : command_pass(argc, argv);
}
