/* Finding a shim again by what it left in RUN: shim.pid, shim.sock, exit.json.
 *
 * A pid alone proves nothing: the process is the shim if it also started when
 * shim.pid says. The pidfd is taken before that is compared, so what was
 * compared is what the pidfd is of.
 */
#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/path.h"
#include "runtime/shim/protocol.h"
#include "runtime/shimclient.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#define HELLO_TIMEOUT_MS 5000
/* A shim that is just being started writes its files within a millisecond. */
#define STARTING_NS (INT64_C(1000) * 1000000)
#define PAUSE_NS 2000000

struct pid_file {
	uint64_t pid, start_time, run;
};

/* The start time of a process, in clock ticks since boot: field 22 of its stat,
 * the 20th after the name, which may hold anything. 0 when it is not there. */
static uint64_t read_start_time(pid_t pid)
{
	char path[40], stat[1024];
	uint64_t value = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, stat, sizeof(stat) - 1);
	if (n <= 0)
		return 0;
	stat[n] = '\0';
	char *at = strrchr(stat, ')');
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (!at)
		return 0;
	at[1 + strcspn(at + 1, " ")] = '\0';
	return num_parse_u64(at + 1, 0, UINT64_MAX, &value) < 0 ? 0 : value;
}

/* "PID START RUN". -ENOENT when there is none, -EINVAL for another shape (an
 * empty file: the shim is just writing it). No sentence. */
static int read_pid_file(int run_dir_fd, struct pid_file *ret)
{
	char text[128];
	auto_fd int fd = openat(run_dir_fd, SHIM_PID_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	char *rest = text;
	const char *pid = strsep(&rest, " ");
	const char *start_time = strsep(&rest, " ");
	const char *run = strsep(&rest, "\n");
	if (!run || num_parse_u64(pid, 1, INT32_MAX, &ret->pid) < 0 ||
	    num_parse_u64(start_time, 1, UINT64_MAX, &ret->start_time) < 0 ||
	    num_parse_u64(run, 0, UINT64_MAX, &ret->run) < 0)
		return -EINVAL;
	return 0;
}

/* A pidfd of the shim that shim.pid names, or -errno. */
static int open_shim(int run_dir_fd, pid_t *ret_pid)
{
	struct pid_file file;
	int r = read_pid_file(run_dir_fd, &file);
	if (r < 0)
		return r;
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)file.pid, 0);
	if (pidfd < 0)
		return -errno;
	struct pollfd dead = { .fd = pidfd, .events = POLLIN };
	if (read_start_time((pid_t)file.pid) != file.start_time || poll(&dead, 1, 0) > 0)
		return -ESRCH;
	*ret_pid = (pid_t)file.pid;
	return steal_fd(&pidfd);
}

/* sun_path is short: the address leads through the directory's descriptor. */
static int connect_socket(int run_dir_fd)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	auto_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", run_dir_fd,
		 SHIM_SOCKET_NAME);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return steal_fd(&fd);
}

/* True for what is seen while a shim has not finished its first steps. */
static bool may_be_starting(int code)
{
	return code == -ENOENT || code == -EINVAL || code == -ECONNREFUSED || code == -EAGAIN;
}

int shim_connect(int run_dir_fd, struct shim **ret, struct launch_result *ret_result,
		 struct error *err)
{
	int64_t until_ns = clock_monotonic_ns() + STARTING_NS;
	for (;;) {
		pid_t pid = 0;
		auto_fd int pidfd = open_shim(run_dir_fd, &pid);
		/* No file and no socket: none, and none on its way. */
		auto_fd int fd = connect_socket(run_dir_fd);
		if (pidfd >= 0 && fd >= 0)
			return shimclient_open(steal_fd(&fd), steal_fd(&pidfd), pid, false,
					       HELLO_TIMEOUT_MS, ret, ret_result, NULL, err);
		bool starting = (pidfd >= 0 && may_be_starting(fd)) ||
				(fd >= 0 && may_be_starting(pidfd)) || pidfd == -EINVAL;
		if (!starting || clock_monotonic_ns() > until_ns)
			return error_set(err, ESRCH, "the container has no shim");
		nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	}
}

int exit_record_read(int run_dir_fd, struct exit_record *ret, struct error *err)
{
	auto_json json_t *json = NULL;
	int r = json_read_file(run_dir_fd, SHIM_EXIT_NAME, &json, err);
	if (r < 0)
		return r;
	int64_t code = json_get_int(json, "ExitCode", -1);
	int64_t run = json_get_int(json, "Run", -1);
	if (code < 0 || code > 255 || run < 0)
		return error_set(err, EINVAL, "'%s' is damaged", SHIM_EXIT_NAME);
	*ret = (struct exit_record){
		.run = (uint64_t)run,
		.exit_code = (int)code,
		.signo = (int)json_get_int(json, "Signal", 0),
		.started_ns = json_get_int(json, "StartedNs", 0),
		.finished_ns = json_get_int(json, "FinishedNs", 0),
	};
	return 0;
}
