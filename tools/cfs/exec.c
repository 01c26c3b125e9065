/* exec: a further process in a container, through an entry of its own in exec/.
 *
 * The entry goes with cfs, and ends what still runs in it. Two are left: one that runs
 * detached, and one whose terminal was left with the keys; the next exec in that
 * container removes those that have ended.
 */
#include "cfs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Those of cfs, and whom they outlive. */
#define PREFIX "cfs-"

struct exec {
	struct text command; /* what the entry's ctl is told */
	bool detach;
	bool stdin_open;
	bool tty;
	struct detach_keys keys;
};

/* For the end of the program, wherever that is. */
static struct {
	int dir_fd; /* exec/ */
	char name[64];
	bool made;
} entry;

static void remove_entry(void)
{
	if (entry.made)
		unlinkat(entry.dir_fd, entry.name, AT_REMOVEDIR);
	entry.made = false;
}

static bool has_ended(const char *name)
{
	char path[300];
	char *status;

	if (snprintf(path, sizeof(path), "%s/status", name) >= (int)sizeof(path))
		return false;
	status = mount_read_file(entry.dir_fd, path);
	bool ended = status && strstr(status, "\nState:\texited");
	free(status);
	return ended;
}

/* Process numbers come again; nobody else has this one now. */
static bool is_orphan(const char *name)
{
	char path[64];

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	const char *pid = name + strlen(PREFIX);
	snprintf(path, sizeof(path), "/proc/%.*s", (int)strcspn(pid, "-"), pid);
	return access(path, F_OK) < 0 && has_ended(name);
}

static void sweep_entries(void)
{
	int dup_fd = openat(entry.dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = dup_fd >= 0 ? fdopendir(dup_fd) : NULL;
	const struct dirent *found;

	while (dir && (found = readdir(dir)))
		if (is_orphan(found->d_name))
			unlinkat(entry.dir_fd, found->d_name, AT_REMOVEDIR);
	if (dir)
		closedir(dir);
}

/* The entry as a directory. */
static int make_entry(int mnt_fd, int container_fd)
{
	struct timespec now;

	entry.dir_fd = openat(container_fd, "exec", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (entry.dir_fd < 0)
		fail_sys(CFS_RUN_FAILED, "cannot open 'exec'");
	sweep_entries();
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(entry.name, sizeof(entry.name), PREFIX "%ld-%09ld", (long)getpid(), now.tv_nsec);
	if (mkdirat(entry.dir_fd, entry.name, 0755) < 0)
		fail_from_mount(mnt_fd, errno, "exec", CFS_RUN_FAILED);
	entry.made = true;
	atexit(remove_entry);
	int fd = openat(entry.dir_fd, entry.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		fail_sys(CFS_RUN_FAILED, "cannot open 'exec/%s'", entry.name);
	return fd;
}

static const struct option names[] = {
	{ "detach", optional_argument, NULL, 'd' },
	{ "detach-keys", required_argument, NULL, 'k' },
	{ "env", required_argument, NULL, 'e' },
	{ "env-file", required_argument, NULL, 'f' },
	{ "interactive", optional_argument, NULL, 'i' },
	{ "privileged", optional_argument, NULL, 'p' },
	{ "tty", optional_argument, NULL, 't' },
	{ "user", required_argument, NULL, 'u' },
	{ "workdir", required_argument, NULL, 'w' },
	{ NULL, 0, NULL, 0 },
};

static void pass_option(struct exec *exec, const char *option, const char *value)
{
	text_append_word(&exec->command, option);
	if (value)
		text_append_word(&exec->command, value);
}

/* Its size is ours from before the program runs. */
static void add_terminal(struct exec *exec)
{
	char size[32];
	unsigned rows, cols;

	pass_option(exec, "-t", NULL);
	if (!terminal_get_size(&rows, &cols))
		return;
	snprintf(size, sizeof(size), "%ux%u", rows, cols);
	pass_option(exec, "--console-size", size);
}

static void take_option(struct exec *exec, int c)
{
	if (c == 'd')
		exec->detach = join_take_flag("exec", "detach", optarg);
	else if (c == 'i')
		exec->stdin_open = join_take_flag("exec", "interactive", optarg);
	else if (c == 't')
		exec->tty = join_take_flag("exec", "tty", optarg);
	else if (c == 'k')
		join_take_keys("exec", optarg, &exec->keys);
	else if (c == 'e')
		options_add_env(&exec->command, optarg);
	else if (c == 'u')
		pass_option(exec, "-u", optarg);
	else if (c == 'w')
		pass_option(exec, "-w", optarg);
	else if (c == 'p' && join_take_flag("exec", "privileged", optarg))
		pass_option(exec, "--privileged", NULL);
	else if (c == 'f' && !options_add_env_file(&exec->command, optarg))
		fail_sys(CFS_RUN_FAILED, "exec: cannot read '%s'", optarg);
}

/* Everything but the container, whose place in argv is returned. */
static int parse(struct exec *exec, int argc, char **argv)
{
	int c;

	detach_keys_parse(DETACH_KEYS, &exec->keys);
	text_append_str(&exec->command, "run");
	while ((c = getopt_long(argc, argv, "+dde:itu:w:", names, NULL)) != -1) {
		if (c == '?')
			exit(CFS_RUN_FAILED);
		take_option(exec, c);
	}
	if (argc - optind < 2)
		fail(CFS_RUN_FAILED,
		     "exec: a container and a command are needed; see 'cfs exec --help'");
	if (exec->stdin_open && !exec->detach)
		pass_option(exec, "-i", NULL);
	if (exec->tty)
		add_terminal(exec);
	text_append_word(&exec->command, "--");
	for (int i = optind + 1; i < argc; i++)
		text_append_word(&exec->command, argv[i]);
	return optind;
}

int command_exec(int argc, char **argv)
{
	struct exec exec = { .detach = false };
	const char *name = argv[parse(&exec, argc, argv)];

	if (!exec.detach)
		session_check_terminal(exec.tty, exec.stdin_open, CFS_RUN_FAILED);
	int mnt_fd = mount_open(CFS_RUN_FAILED);
	struct session session = {
		.dir_fd = make_entry(mnt_fd, mount_open_container(mnt_fd, name, CFS_RUN_FAILED)),
		.start = exec.command.data,
		.ours = true,
		.entry = true,
		.with_stdin = exec.stdin_open,
		.with_stdout = true,
		.with_stderr = true,
		.with_signals = true,
		.tty = exec.tty,
		.keys = &exec.keys,
	};
	if (exec.detach) {
		session_start(&session);
		entry.made = false;
		return 0;
	}
	bool detached = false;
	int code = session_run(&session, &detached);
	entry.made = !detached;
	text_free(&exec.command);
	return code;
}
