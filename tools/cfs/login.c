/* login: the password comes from the terminal, unseen, or from our input; never from what others can see of us
 * but by -p, which warns. It goes into the write to ctl and nowhere else.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define ANSWER_MAX 4096

struct login {
	const char *user;
	const char *password;
	bool from_stdin;
};

static struct {
	int fd;
	struct termios saved;
	bool is_hidden;
} tty = { .fd = -1 };

static void show_again(void)
{
	if (tty.is_hidden)
		tcsetattr(tty.fd, TCSAFLUSH, &tty.saved);
	tty.is_hidden = false;
}

/* As the terminal itself would: Ctrl-C must not leave it without an echo. */
static void hide(int fd)
{
	struct termios hidden;

	tty.fd = fd;
	if (tcgetattr(fd, &tty.saved) < 0)
		return;
	hidden = tty.saved;
	hidden.c_lflag &= (tcflag_t) ~(tcflag_t)(ECHO | ISIG);
	tty.is_hidden = tcsetattr(fd, TCSAFLUSH, &hidden) == 0;
	atexit(show_again);
}

/* All of a descriptor, or a line of it, without the newline at its end. */
static char *read_text(int fd, bool is_line)
{
	char *text = calloc(1, ANSWER_MAX + 1);
	size_t len = 0;

	if (!text)
		fail(CFS_FAILED, "login: out of memory");
	while (len < ANSWER_MAX) {
		ssize_t n = read(fd, text + len, 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_sys(CFS_FAILED, "login: cannot read");
		/* Ctrl-C, which is only a byte now. */
		if (is_line && n == 1 && text[len] == 3) {
			show_again();
			fputc('\n', stderr);
			exit(CFS_SIGNAL_BASE + 2);
		}
		if (n == 0 || (is_line && text[len] == '\n'))
			break;
		len++;
	}
	if (len >= ANSWER_MAX)
		fail(CFS_FAILED, "login: the answer is too long");
	text[len] = 0;
	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = 0;
	return text;
}

static char *ask(const char *question, bool is_hidden)
{
	if (!terminal_is_there())
		fail(CFS_FAILED, "login: stdin is no terminal; give -u and --password-stdin");
	fprintf(stderr, "%s: ", question);
	if (is_hidden)
		hide(STDIN_FILENO);
	char *answer = read_text(STDIN_FILENO, true);
	if (is_hidden) {
		show_again();
		fputc('\n', stderr);
	}
	return answer;
}

static const struct option names[] = {
	{ "username", required_argument, NULL, 'u' },
	{ "password", required_argument, NULL, 'p' },
	{ "password-stdin", no_argument, NULL, 's' },
	{ NULL, 0, NULL, 0 },
};

static void parse(struct login *login, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "u:p:", names, NULL)) != -1) {
		if (c == 'u')
			login->user = optarg;
		else if (c == 'p')
			login->password = optarg;
		else if (c == 's')
			login->from_stdin = true;
		else
			exit(CFS_FAILED);
	}
	if (argc - optind > 1)
		fail(CFS_FAILED, "login: more than one registry; see 'cfs login --help'");
	if (login->password && login->from_stdin)
		fail(CFS_FAILED, "login: -p and --password-stdin exclude each other");
	if (login->from_stdin && !login->user)
		fail(CFS_FAILED, "login: --password-stdin needs -u");
}

int command_login(int argc, char **argv)
{
	struct login login = { .user = NULL };
	struct text command = { .data = NULL };

	parse(&login, argc, argv);
	if (login.password)
		fputs("cfs: login: others can see a password given by -p; use --password-stdin\n",
		      stderr);
	if (login.from_stdin)
		login.password = read_text(STDIN_FILENO, false);
	if (!login.user)
		login.user = ask("Username", false);
	if (!login.password)
		login.password = ask("Password", true);
	text_append_str(&command, "login -u");
	text_append_word(&command, login.user);
	text_append_str(&command, " -p");
	text_append_word(&command, login.password);
	if (optind < argc) {
		text_append_word(&command, "--");
		text_append_word(&command, argv[optind]);
	}
	ctl_run(mount_open(CFS_FAILED), command.data, CFS_FAILED);
	explicit_bzero(command.data, command.len);
	text_free(&command);
	return 0;
}
