/* containerfs-shim: holds one container. Started by launch_start() of the engine
 * (runtime/launch.c) from a sealed memfd, with the launch plan in another one
 * whose descriptor is the second argument; the first is there for ps.
 *
 * It outlives the engine: no signal but SIGKILL ends it (all are blocked), and
 * it holds none of the engine's descriptors but those of the plan, which it
 * closes once the program runs.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/shim.h"

#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* The plan's message, mapped. NULL when there is none. */
static void *map_plan(int fd, size_t *ret_size)
{
	struct stat st;
	if (fstat(fd, &st) < 0 || st.st_size <= 0)
		return NULL;
	void *message = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	*ret_size = (size_t)st.st_size;
	return message == MAP_FAILED ? NULL : message;
}

static int init(struct shim *shim, const struct plan *plan, struct error *err)
{
	sigset_t child;
	shim->run = plan->header->run;
	shim->run_dir_fd = plan->header->run_dir_fd;
	shim->tty = plan_has(plan, PLAN_TTY);
	shim->open_stdin = plan_has(plan, PLAN_OPEN_STDIN);
	shim->discard = plan_has(plan, PLAN_DISCARD);
	shim->out_fds[0] = shim->out_fds[1] = shim->stdin_fd = shim->slave_fd = -1;
	shim->listen_fd = -1;
	for (unsigned i = 0; i < SHIM_CONNECTIONS; i++)
		shim->connections[i].fd = -1;
	shim->chunk = map_memory(SHIM_CHUNK);
	shim->packet = map_memory(sizeof(struct shim_request) + SHIM_STDIN_CHUNK);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	shim->signal_fd = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!shim->chunk || !shim->packet || shim->signal_fd < 0)
		return error_set_sys(err, errno, "cannot set up the shim");
	return 0;
}

/* Descriptors that only the start needed. */
static void close_plan(const struct plan *plan, int plan_fd)
{
	const struct plan_header *header = plan->header;
	close(plan_fd);
	close(header->slim_fd);
	close(plan_has(plan, PLAN_JOIN) ? header->join_fd : header->rootfs_fd);
	if (header->log_dir_fd != header->run_dir_fd)
		close(header->log_dir_fd);
	if (header->cgroup_fd >= 0)
		close(header->cgroup_fd);
	if (header->netns_fd >= 0)
		close(header->netns_fd); /* it goes with the last process in it */
	if (header->ipcns_fd >= 0)
		close(header->ipcns_fd);
	if (header->pidns_fd >= 0)
		close(header->pidns_fd);
	if (header->userns_fd >= 0)
		close(header->userns_fd);
	for (uint32_t i = 0; i < header->cgroup_procs.count; i++)
		close(plan->cgroup_procs[i]);
	for (uint32_t i = 0; i < header->mounts.count; i++)
		if (plan->mounts[i].fd >= 0)
			close(plan->mounts[i].fd);
}

static int run(struct shim *shim, int plan_fd)
{
	struct shim_failed failed = { .type = SHIM_MESSAGE_FAILED, .error = ERROR_INIT };
	struct plan plan;
	bool program = false;
	size_t size = 0;
	void *message = map_plan(plan_fd, &size);
	if (!message || plan_parse(message, size, &plan, &failed.error) < 0)
		return 1; /* no socket to say so: the engine reports its closing */
	int socket_fd = plan.header->socket_fd;
	int r = init(shim, &plan, &failed.error);
	if (r == 0)
		r = shim_launch(shim, &plan, &program, &failed.error);
	if (r < 0) {
		failed.program = program;
		server_remove(shim);
		send(socket_fd, &failed, sizeof(failed), MSG_NOSIGNAL);
		return 1;
	}
	server_add(shim, socket_fd);
	close_plan(&plan, plan_fd);
	munmap(message, size);
	shim_serve(shim);
	server_remove(shim);
	return 0;
}

/* The engine writes the number itself: digits and nothing else. */
static int parse_fd(const char *text)
{
	int fd = 0;
	for (; *text >= '0' && *text <= '9' && fd < 1 << 24; text++)
		fd = fd * 10 + (*text - '0');
	return *text ? -1 : fd;
}

int main(int argc, char **argv)
{
	static struct shim shim;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (argc != 3)
		return 1;
	int plan_fd = parse_fd(argv[2]);
	if (plan_fd < 3)
		return 1;
	shim.args = argv[0];
	shim.args_size = (size_t)(argv[2] - argv[0]) + strlen(argv[2]) + 1;
	setsid();
	prctl(PR_SET_NAME, "cfs-shim", 0, 0, 0);
	/* None of the plan's descriptors goes further than the child. */
	kernel_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	return run(&shim, plan_fd);
}
