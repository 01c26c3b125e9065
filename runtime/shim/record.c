/* shim.pid and exit.json, in the container's directory below RUN.
 *
 * shim.pid is written before the container exists (intent first) and removed as
 * the last thing. exit.json appears whole, by rename, before anyone is told; its
 * room is taken at the start, since an end must not wait for room in RUN.
 */
#include "runtime/shim/shim.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Longer than any record, so that writing one takes no more room. */
#define EXIT_ROOM 256

/* The start time, field 22 of /proc/PID/stat: the 20th after the name, which
 * may hold blanks and parentheses itself. NULL when it is not there. */
static const char *find_start_time(char *stat)
{
	char *at = strrchr(stat, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return NULL;
	at[1 + strspn(at + 1, "0123456789")] = '\0';
	return at + 1;
}

static int reserve_exit(const struct shim *shim, struct error *err)
{
	char blanks[EXIT_ROOM];
	int fd = openat(shim->run_dir_fd, SHIM_EXIT_TEMPORARY,
			O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	memset(blanks, ' ', sizeof(blanks));
	ssize_t n = fd < 0 ? -1 : write(fd, blanks, sizeof(blanks));
	if (n != (ssize_t)sizeof(blanks))
		return error_set_sys(err, n < 0 ? errno : ENOSPC, "cannot write '%s'",
				     SHIM_EXIT_TEMPORARY);
	close(fd);
	return 0;
}

int record_write_pid(const struct shim *shim, int proc_fd, struct error *err)
{
	char stat[1024], text[80];
	int fd = openat(proc_fd, "self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (n < 0)
		return error_set_sys(err, errno, "cannot read the shim's start time");
	close(fd);
	stat[n] = '\0';
	const char *start = find_start_time(stat);
	if (!start)
		return error_set(err, EIO, "cannot read the shim's start time: odd format");
	int len = snprintf(text, sizeof(text), "%d %s %" PRIu64 "\n", getpid(), start, shim->run);
	fd = openat(shim->run_dir_fd, SHIM_PID_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		    0600);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return error_set_sys(err, errno, "cannot write '%s'", SHIM_PID_NAME);
	close(fd);
	unlinkat(shim->run_dir_fd, SHIM_EXIT_NAME, 0); /* of the run before */
	return reserve_exit(shim, err);
}

int record_write_exit(const struct shim *shim)
{
	char text[EXIT_ROOM];
	int len = snprintf(
		text, sizeof(text),
		"{\"Run\":%" PRIu64 ",\"ExitCode\":%d,\"Signal\":%d,\"StartedNs\":%" PRId64
		",\"FinishedNs\":%" PRId64 "}\n",
		shim->run, shim->exit_code, shim->signo, shim->started_ns, shim->finished_ns);
	int fd =
		openat(shim->run_dir_fd, SHIM_EXIT_TEMPORARY, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, text, (size_t)len);
	int code = n < 0 ? errno : ENOSPC;
	if (n == len)
		n = ftruncate(fd, len) < 0 ? 0 : n;
	close(fd);
	if (n != len)
		return -code;
	if (renameat(shim->run_dir_fd, SHIM_EXIT_TEMPORARY, shim->run_dir_fd, SHIM_EXIT_NAME) < 0)
		return -errno;
	return 0;
}
