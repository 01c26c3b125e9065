/* Signals as users write them and as we show them: one table.
 *
 * Numbers are Linux's, which are the same on every architecture we build for
 * (x86, arm, riscv). Real-time signals count from 34, as glibc does and as
 * Docker's names mean, also on a libc that keeps fewer for itself.
 *
 * Sending is left to others.
 */
#include "runtime/config/config.h"

#include "base/num.h"

#include <signal.h>
#include <string.h>
#include <strings.h>

#define SIGNAL_MAX 64 /* _NSIG of the kernel; glibc's SIGRTMAX */

static const char *const signal_names[SIGNAL_MAX + 1] = {
	[SIGHUP] = "HUP",   [SIGINT] = "INT",       [SIGQUIT] = "QUIT", [SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT",     [SIGBUS] = "BUS",   [SIGFPE] = "FPE",
	[SIGKILL] = "KILL", [SIGUSR1] = "USR1",     [SIGSEGV] = "SEGV", [SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM",     [SIGTERM] = "TERM", [SIGSTKFLT] = "STKFLT",
	[SIGCHLD] = "CHLD", [SIGCONT] = "CONT",     [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",
	[SIGTTIN] = "TTIN", [SIGTTOU] = "TTOU",     [SIGURG] = "URG",   [SIGXCPU] = "XCPU",
	[SIGXFSZ] = "XFSZ", [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGWINCH] = "WINCH",
	[SIGIO] = "IO",     [SIGPWR] = "PWR",       [SIGSYS] = "SYS",   [34] = "RTMIN",
	[35] = "RTMIN+1",   [36] = "RTMIN+2",       [37] = "RTMIN+3",   [38] = "RTMIN+4",
	[39] = "RTMIN+5",   [40] = "RTMIN+6",       [41] = "RTMIN+7",   [42] = "RTMIN+8",
	[43] = "RTMIN+9",   [44] = "RTMIN+10",      [45] = "RTMIN+11",  [46] = "RTMIN+12",
	[47] = "RTMIN+13",  [48] = "RTMIN+14",      [49] = "RTMIN+15",  [50] = "RTMAX-14",
	[51] = "RTMAX-13",  [52] = "RTMAX-12",      [53] = "RTMAX-11",  [54] = "RTMAX-10",
	[55] = "RTMAX-9",   [56] = "RTMAX-8",       [57] = "RTMAX-7",   [58] = "RTMAX-6",
	[59] = "RTMAX-5",   [60] = "RTMAX-4",       [61] = "RTMAX-3",   [62] = "RTMAX-2",
	[63] = "RTMAX-1",   [SIGNAL_MAX] = "RTMAX",
};

/* Second names, by which kill(1) and Docker know some of them too. */
static const struct {
	const char *name;
	int signo;
} signal_aliases[] = {
	{ "IOT", SIGABRT },
	{ "CLD", SIGCHLD },
	{ "POLL", SIGIO },
};

/* "RTMIN+n" and "RTMAX-n" for any n, also where the table says it the other way round. */
static int find_realtime(const char *name)
{
	bool from_max = strncasecmp(name, "RTMAX-", 6) == 0;
	uint64_t offset;

	if (!from_max && strncasecmp(name, "RTMIN+", 6) != 0)
		return 0;
	if (num_parse_u64(name + 6, 0, SIGNAL_MAX - 34, &offset) < 0)
		return 0;
	return from_max ? SIGNAL_MAX - (int)offset : 34 + (int)offset;
}

static int find_named(const char *name)
{
	for (int i = 1; i <= SIGNAL_MAX; i++) {
		if (signal_names[i] && strcasecmp(name, signal_names[i]) == 0)
			return i;
	}
	for (size_t i = 0; i < sizeof(signal_aliases) / sizeof(signal_aliases[0]); i++) {
		if (strcasecmp(name, signal_aliases[i].name) == 0)
			return signal_aliases[i].signo;
	}
	return find_realtime(name);
}

int signal_parse(const char *text, int *ret, struct error *err)
{
	uint64_t number;
	int signo;

	if (num_parse_u64(text, 1, SIGNAL_MAX, &number) == 0)
		signo = (int)number;
	else
		signo = find_named(strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text);
	if (signo == 0)
		return error_set(err, EINVAL, "unknown signal '%s'", text);
	*ret = signo;
	return 0;
}

const char *signal_get_name(int signo)
{
	return signo >= 1 && signo <= SIGNAL_MAX ? signal_names[signo] : NULL;
}
