/* What /proc tells of the thread behind a request. Reads are bounded and never wait: /proc/TID/stat
 * and status are made by the kernel on the spot.
 */
#include "fs/caller.h"

#include "base/cleanup.h"
#include "base/num.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static ssize_t read_proc(pid_t pid, const char *file, char *buf, size_t size)
{
	char path[64];
	auto_fd int fd = -1;
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	len = read(fd, buf, size - 1);
	if (len >= 0)
		buf[len] = '\0';
	return len;
}

/* The n-th blank-separated field behind the command's closing parenthesis; field 3 is the first. */
static bool get_stat_field(const char *stat, unsigned field, uint64_t *ret)
{
	const char *at = strrchr(stat, ')');
	char number[24];
	size_t len;

	if (!at)
		return false;
	at++;
	for (unsigned i = 3; i <= field; i++) {
		at += strspn(at, " ");
		len = strcspn(at, " \n");
		if (len == 0)
			return false;
		if (i < field)
			at += len;
	}
	len = strcspn(at, " \n");
	if (len >= sizeof(number))
		return false;
	memcpy(number, at, len);
	number[len] = '\0';
	return num_parse_u64(number, 0, UINT64_MAX, ret) == 0;
}

void caller_read(pid_t tid, uid_t uid, struct caller *ret)
{
	char stat[1024];
	uint64_t sid = 0, start = 0;

	*ret = (struct caller){ .tid = tid, .uid = uid };
	if (tid <= 0 || read_proc(tid, "stat", stat, sizeof(stat)) <= 0 ||
	    !get_stat_field(stat, 6, &sid))
		return;
	if (sid == 0) {
		ret->sid = CALLER_OUTER_SESSION;
		return;
	}
	/* A session may outlive its leader; it then has no start time but is still one session. */
	if (read_proc((pid_t)sid, "stat", stat, sizeof(stat)) > 0)
		get_stat_field(stat, 22, &start);
	ret->sid = (pid_t)sid;
	ret->sid_start = start;
}

/* Is the descriptor's file this inode, by its fdinfo, and below mnt, by its link? Neither asks the mount. */
static bool is_descriptor_of(pid_t tid, const char *number, const char *mnt, uint64_t ino)
{
	char name[64], info[512], target[PATH_MAX], want[40];
	size_t mnt_len = strlen(mnt);
	ssize_t len;

	snprintf(name, sizeof(name), "fdinfo/%s", number);
	snprintf(want, sizeof(want), "\nino:\t%llu\n", (unsigned long long)ino);
	if (read_proc(tid, name, info, sizeof(info)) <= 0 || !strstr(info, want))
		return false;
	snprintf(name, sizeof(name), "/proc/%d/fd/%s", (int)tid, number);
	len = readlink(name, target, sizeof(target));
	return len > (ssize_t)mnt_len && memcmp(target, mnt, mnt_len) == 0 &&
	       target[mnt_len] == '/';
}

bool caller_has_open(pid_t tid, const char *mnt, uint64_t ino)
{
	char path[64];
	auto_dir DIR *dir = NULL;
	struct dirent *entry;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", (int)tid);
	dir = tid > 0 ? opendir(path) : NULL;
	while (dir && (entry = readdir(dir))) {
		if (strlen(entry->d_name) <= 10 && entry->d_name[0] != '.' &&
		    is_descriptor_of(tid, entry->d_name, mnt, ino))
			return true;
	}
	return false;
}

bool caller_is_open_anywhere(const char *mnt, uint64_t ino)
{
	auto_dir DIR *dir = opendir("/proc");
	struct dirent *entry;
	uint64_t pid;

	while (dir && (entry = readdir(dir))) {
		if (num_parse_u64(entry->d_name, 1, INT32_MAX, &pid) == 0 &&
		    caller_has_open((pid_t)pid, mnt, ino))
			return true;
	}
	return false;
}

static uint64_t get_mask(const char *status, const char *key)
{
	const char *at = strstr(status, key);
	char digits[17];
	uint64_t mask = 0;
	size_t len;

	if (!at)
		return 0;
	at += strlen(key);
	at += strspn(at, " \t");
	len = strcspn(at, "\n");
	if (len >= sizeof(digits))
		return 0;
	memcpy(digits, at, len);
	digits[len] = '\0';
	num_parse_base(digits, 16, UINT64_MAX, &mask);
	return mask;
}

static uint64_t bit(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

bool caller_has_signal(pid_t tid, enum caller_signals which)
{
	char status[4096];
	uint64_t pending, blocked, ignored, caught, harmless;

	if (tid <= 0)
		return true; /* nobody to ask: trust the kernel's word */
	if (read_proc(tid, "status", status, sizeof(status)) <= 0)
		return true;
	pending = get_mask(status, "\nSigPnd:") | get_mask(status, "\nShdPnd:");
	blocked = get_mask(status, "\nSigBlk:");
	ignored = get_mask(status, "\nSigIgn:");
	caught = get_mask(status, "\nSigCgt:");
	pending &= ~ignored & (~blocked | bit(SIGKILL));
	if (which == CALLER_END_SIGNALS)
		return pending &
		       (bit(SIGINT) | bit(SIGTERM) | bit(SIGHUP) | bit(SIGQUIT) | bit(SIGKILL));
	/* What stops, goes on or reports a child ends no read; nor does what is ignored by default. */
	harmless = bit(SIGCHLD) | bit(SIGSTOP) | bit(SIGTSTP) | bit(SIGTTIN) | bit(SIGTTOU) |
		   bit(SIGCONT);
	if (!(caught & bit(SIGURG)))
		harmless |= bit(SIGURG);
	if (!(caught & bit(SIGWINCH)))
		harmless |= bit(SIGWINCH);
	return pending & ~harmless;
}
