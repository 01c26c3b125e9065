/* start and attach: joining a container that is there already. */
#include "cfs.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void join_take_keys(const char *command, const char *text, struct detach_keys *ret)
{
	if (detach_keys_parse(text, ret) < 0)
		fail(CFS_RUN_FAILED,
		     "%s: '%s' are no keys to detach with; write them as 'ctrl-p,ctrl-q' or 'a,b'",
		     command, text);
}

bool join_take_flag(const char *command, const char *name, const char *text)
{
	bool flag = true;

	if (text && options_parse_flag(text, &flag) < 0)
		fail(CFS_RUN_FAILED, "%s: --%s is true or false, not '%s'", command, name, text);
	return flag;
}

/* What the container is decides what can be joined: no terminal, no input, none passed. */
static void fit_session(struct session *session, const char *name)
{
	session->dir_fd = mount_open_container(mount_open(CFS_RUN_FAILED), name, CFS_RUN_FAILED);
	session->tty = mount_is_set(session->dir_fd, "Tty");
	session->with_stdin = session->with_stdin && mount_is_set(session->dir_fd, "OpenStdin");
	session_check_terminal(session->tty, session->with_stdin, CFS_RUN_FAILED);
}

struct joining {
	struct session session;
	struct detach_keys keys;
	bool wanted; /* start: -a or -i */
};

static struct joining make_joining(void)
{
	struct joining joining = {
		.session = {
			.from_now = true,
			.with_stdout = true,
			.with_stderr = true,
			.with_signals = true,
		},
	};

	detach_keys_parse(DETACH_KEYS, &joining.keys);
	return joining;
}

static const struct option names[] = {
	{ "attach", no_argument, NULL, 'a' },
	{ "detach-keys", required_argument, NULL, 'k' },
	{ "interactive", no_argument, NULL, 'i' },
	{ "no-stdin", optional_argument, NULL, 'n' },
	{ "sig-proxy", optional_argument, NULL, 's' },
	{ NULL, 0, NULL, 0 },
};

static void take_option(struct joining *joining, const char *command, int c)
{
	struct session *session = &joining->session;

	if (c == 'k')
		join_take_keys(command, optarg, &joining->keys);
	else if (c == 's')
		session->with_signals = join_take_flag(command, "sig-proxy", optarg);
	else if (c == 'n')
		session->with_stdin = !join_take_flag(command, "no-stdin", optarg);
	else if (c == 'i')
		session->with_stdin = true;
	joining->wanted = joining->wanted || c == 'a' || c == 'i';
}

/* start -a, start -i: one container, joined; otherwise the mount's command. */
int command_start(int argc, char **argv)
{
	struct joining joining = make_joining();
	int c;

	while ((c = getopt_long(argc, argv, "+ai", names, NULL)) != -1) {
		if (c == '?' || c == 'n')
			return CFS_RUN_FAILED;
		take_option(&joining, "start", c);
	}
	if (!joining.wanted)
		return command_pass(argc, argv);
	if (argc - optind != 1)
		fail(CFS_RUN_FAILED, "start: -a and -i take one container");
	joining.session.start = "start";
	joining.session.keys = &joining.keys;
	fit_session(&joining.session, argv[optind]);
	return session_run(&joining.session, NULL);
}

static bool has_state(int dir_fd, const char *state)
{
	char *status = mount_read_file(dir_fd, "status");
	const char *line = status ? strstr(status, "\nState:\t") : NULL;
	bool has = line && strncmp(line + 8, state, strlen(state)) == 0;

	free(status);
	return has;
}

int command_attach(int argc, char **argv)
{
	struct joining joining = make_joining();
	struct session *session = &joining.session;
	int c;

	session->with_stdin = true;
	while ((c = getopt_long(argc, argv, "+", names, NULL)) != -1) {
		if (c == '?')
			return CFS_RUN_FAILED;
		take_option(&joining, "attach", c);
	}
	if (argc - optind != 1)
		fail(CFS_RUN_FAILED, "attach: one container is needed; see 'cfs attach --help'");
	session->redraw = true;
	session->keys = &joining.keys;
	fit_session(session, argv[optind]);
	if (has_state(session->dir_fd, "exited"))
		fail(CFS_RUN_FAILED, "attach: container '%s' is not running; start it first",
		     argv[optind]);
	if (has_state(session->dir_fd, "paused"))
		fail(CFS_RUN_FAILED, "attach: container '%s' is paused; unpause it first",
		     argv[optind]);
	return session_run(session, NULL);
}
