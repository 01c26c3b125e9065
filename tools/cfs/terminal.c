/* The caller's terminal: raw while a container has it, and given back however cfs ends.
 *
 * What is typed is the container's to interpret: its own terminal makes a signal
 * of Ctrl-C and a newline of a carriage return. Given back at every exit, after
 * a crash, and while cfs is stopped; only kill -9 leaves that to the shell.
 */
#include "cfs.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct {
	struct termios saved;
	bool known;                /* saved holds the caller's settings */
	volatile sig_atomic_t raw; /* they are not in force */
} terminal;

bool terminal_is_there(void)
{
	return isatty(STDIN_FILENO);
}

/* Async-signal-safe. */
void terminal_restore(void)
{
	if (!terminal.raw)
		return;
	terminal.raw = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &terminal.saved);
}

static void restore_and_crash(int signo)
{
	terminal_restore();
	raise(signo); /* its old action is back: SA_RESETHAND */
}

static void watch_crashes(void)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL };
	struct sigaction action = { .sa_handler = restore_and_crash,
				    .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &action, NULL);
}

void terminal_make_raw(void)
{
	struct termios raw;

	if (!terminal.known) {
		if (tcgetattr(STDIN_FILENO, &terminal.saved) < 0)
			return; /* it has gone: reading it tells */
		terminal.known = true;
		atexit(terminal_restore);
		watch_crashes();
	}
	raw = terminal.saved;
	cfmakeraw(&raw);
	terminal.raw = 1;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
}

bool terminal_get_size(unsigned *ret_rows, unsigned *ret_cols)
{
	static const int fds[] = { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO };
	struct winsize size;

	for (size_t i = 0; i < 3; i++) {
		if (ioctl(fds[i], TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
			continue;
		*ret_rows = size.ws_row;
		*ret_cols = size.ws_col;
		return true;
	}
	return false;
}

/* --- detach keys ---------------------------------------------------------- */

/* One key's byte: "a", or "ctrl-" and a letter or one of @[\]^_; 0 when it is none. */
static unsigned char parse_key(const char *name, size_t len)
{
	char c;

	if (len == 1)
		return (unsigned char)*name;
	if (len != 6 || strncmp(name, "ctrl-", 5) != 0)
		return 0;
	c = name[5];
	if (c >= 'a' && c <= 'z')
		return (unsigned char)(c - 'a' + 1);
	/* ctrl-@ is the NUL byte, which marks what is none. */
	return c >= '[' && c <= '_' ? (unsigned char)(c - '@') : 0;
}

int detach_keys_parse(const char *text, struct detach_keys *ret)
{
	struct detach_keys keys = { .count = 0 };

	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		unsigned char key = parse_key(at, len);

		if (key == 0 || keys.count == DETACH_KEYS_MAX)
			return -1;
		keys.bytes[keys.count++] = key;
		at += len;
		if (!*at)
			break;
	}
	*ret = keys;
	return 0;
}

/* How many of the held bytes still begin the sequence when the first of them are let go. */
static size_t find_shorter(const struct detach_keys *keys, size_t held)
{
	for (size_t len = held - 1; len > 0; len--)
		if (memcmp(keys->bytes, keys->bytes + held - len, len) == 0)
			return len;
	return 0;
}

size_t detach_keys_filter(struct detach_keys *keys, const char *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len && keys->held < keys->count; i++) {
		unsigned char c = (unsigned char)in[i];

		while (keys->held > 0 && c != keys->bytes[keys->held]) {
			size_t shorter = find_shorter(keys, keys->held);
			memcpy(out + n, keys->bytes, keys->held - shorter);
			n += keys->held - shorter;
			keys->held = shorter;
		}
		if (c == keys->bytes[keys->held])
			keys->held++;
		else
			out[n++] = (char)c;
	}
	return n;
}
