/* The processes of a container, in the columns of `ps -ef`.
 *
 * All of it is read from /proc; one that ends meanwhile is left out. Users have the
 * names of this machine's passwd, as ps would show them. Text from the container (its
 * command lines, which it can make what it likes) is escaped.
 */
#include "fs/render/report.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/path.h"
#include "fs/render/render_private.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#define STAT_MAX 2048
#define CMD_MAX 4096 /* as ps cuts it, about */
#define DAY_S (24 * 60 * 60)

/* Fields of /proc/PID/stat that are shown; source: proc(5). */
struct process {
	pid_t pid;
	uid_t uid;
	uint64_t ppid, tty, ticks, start_ticks;
	char comm[64];
};

/* One look: what is the same for all processes. */
struct look {
	int64_t now_s, boot_s;
	uint64_t hz;
	struct strbuf *out;
};

static int open_file(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* "PID (COMM) STATE PPID PGRP SESSION TTY ...": COMM may hold anything, ')' too. */
static bool parse_stat(char *text, struct process *ret)
{
	char *open = strchr(text, '('), *close = strrchr(text, ')'), *save = NULL;
	uint64_t value;
	int field = 2;

	if (!open || !close || close < open)
		return false;
	snprintf(ret->comm, sizeof(ret->comm), "%.*s", (int)(close - open - 1), open + 1);
	for (char *word = strtok_r(close + 1, " ", &save); word;
	     word = strtok_r(NULL, " ", &save)) {
		field++;
		if (num_parse_u64(word, 0, UINT64_MAX, &value) < 0)
			continue;
		if (field == 4)
			ret->ppid = value;
		else if (field == 7)
			ret->tty = value;
		else if (field == 14 || field == 15)
			ret->ticks += value;
		else if (field == 22)
			ret->start_ticks = value;
	}
	return field >= 22;
}

static bool read_process(pid_t pid, struct process *ret)
{
	auto_fd int fd = open_file(pid, "stat");
	char text[STAT_MAX];
	ssize_t len = fd < 0 ? -1 : path_pread_full(fd, text, sizeof(text) - 1, 0);
	struct stat st;

	if (len <= 0 || fstat(fd, &st) < 0)
		return false;
	text[len] = '\0';
	*ret = (struct process){ .pid = pid, .uid = st.st_uid };
	return parse_stat(text, ret);
}

/* --- columns --------------------------------------------------------------------- */

static void append_user(struct look *look, uid_t uid)
{
	auto_file FILE *file = fopen("/etc/passwd", "re");
	struct passwd entry, *found = NULL;
	char buf[1024];

	while (file && fgetpwent_r(file, &entry, buf, sizeof(buf), &found) == 0 && found) {
		if (entry.pw_uid == uid) {
			render_append_text(look->out, entry.pw_name);
			return;
		}
	}
	strbuf_appendf(look->out, "%u", uid);
}

/* Percent of a processor over its whole life, as ps counts it. */
static uint64_t get_percent(const struct look *look, const struct process *process)
{
	int64_t life_s = look->now_s - look->boot_s - (int64_t)(process->start_ticks / look->hz);

	return life_s <= 0 ? 0 : process->ticks / look->hz * 100 / (uint64_t)life_s;
}

static void append_start(struct look *look, const struct process *process)
{
	time_t start_s = look->boot_s + (int64_t)(process->start_ticks / look->hz);
	struct tm tm, today;
	time_t now = look->now_s;
	char text[16];

	localtime_r(&start_s, &tm);
	localtime_r(&now, &today);
	strftime(text, sizeof(text),
		 tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year ? "%H:%M"
		 : look->now_s - start_s < 300 * (int64_t)DAY_S             ? "%b%d"
									    : "%Y",
		 &tm);
	strbuf_append_str(look->out, text);
}

/* Majors 136 to 143 are the pseudo terminals; source: devices.txt of the kernel. */
static void append_terminal(struct look *look, uint64_t tty)
{
	unsigned high = major(tty), low = minor(tty);

	if (tty == 0)
		strbuf_append_char(look->out, '?');
	else if (high >= 136 && high <= 143)
		strbuf_appendf(look->out, "pts/%u", low + (high - 136) * 256);
	else if (high == 4 && low < 64)
		strbuf_appendf(look->out, "tty%u", low);
	else
		strbuf_appendf(look->out, "%u:%u", high, low);
}

static void append_time(struct look *look, uint64_t ticks)
{
	uint64_t s = ticks / look->hz;

	strbuf_appendf(look->out, "%02llu:%02llu:%02llu", (unsigned long long)(s / 3600),
		       (unsigned long long)(s / 60 % 60), (unsigned long long)(s % 60));
}

/* Words with blanks between; a process that has none (it is ending) is called in brackets. */
static void append_command(struct look *look, const struct process *process)
{
	auto_fd int fd = open_file(process->pid, "cmdline");
	char text[CMD_MAX];
	ssize_t len = fd < 0 ? -1 : path_pread_full(fd, text, sizeof(text), 0);

	while (len > 0 && text[len - 1] == '\0')
		len--;
	for (ssize_t i = 0; i < len; i++) {
		if (text[i] == '\0')
			text[i] = ' ';
	}
	if (len > 0) {
		strbuf_append_escaped(look->out, text, (size_t)len);
		return;
	}
	strbuf_append_char(look->out, '[');
	render_append_text(look->out, process->comm);
	strbuf_append_char(look->out, ']');
}

static void append_process(struct look *look, const struct process *process)
{
	append_user(look, process->uid);
	strbuf_appendf(look->out, "\t%d\t%llu\t%llu\t", (int)process->pid,
		       (unsigned long long)process->ppid,
		       (unsigned long long)get_percent(look, process));
	append_start(look, process);
	strbuf_append_char(look->out, '\t');
	append_terminal(look, process->tty);
	strbuf_append_char(look->out, '\t');
	append_time(look, process->ticks);
	strbuf_append_char(look->out, '\t');
	append_command(look, process);
	strbuf_append_char(look->out, '\n');
}

int report_top(struct container *c, struct strbuf *out, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf lines = STRBUF_INIT;
	struct timespec up;
	struct look look = { .now_s = clock_now_ns() / 1000000000,
			     .hz = (uint64_t)sysconf(_SC_CLK_TCK),
			     .out = &lines };
	auto_free pid_t *pids = NULL;
	ssize_t count = container_list_pids(c, &pids, err);
	struct process process;

	if (count <= 0)
		return (int)count;
	clock_gettime(CLOCK_BOOTTIME, &up);
	look.boot_s = look.now_s - up.tv_sec;
	strbuf_append_str(&lines, "UID\tPID\tPPID\tC\tSTIME\tTTY\tTIME\tCMD\n");
	for (ssize_t i = 0; i < count; i++) {
		if (read_process(pids[i], &process))
			append_process(&look, &process);
	}
	render_append_table(out, &lines);
	return strbuf_check(out, err);
}
