/* containerfs-shim: holds one container. Started by the engine (runtime/spare.c) from a sealed
 * memfd, with the numbers of its socket and of the mount namespace to work in, and the
 * namespaces to make, as arguments. The launch plan may come long after that; until then it
 * is a spare one, which ends with its engine.
 *
 * Then it outlives the engine: no signal but SIGKILL ends it (all are blocked), and it holds
 * none of the plan's descriptors but the run's directory once the program runs.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"
#include "runtime/shim/shim.h"

#include <linux/close_range.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#define NAME "containerfs-shim"
#define SPARE_NAME "containerfs-spare"
#define SHORT_ID_LEN 12
#define TURN_NS 100000 /* the least that there is */

static void *map_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

/* What needs no plan. */
static int init(struct shim *shim, struct error *err)
{
	sigset_t child;
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
	return home_leave(&shim->home, err);
}

/* What ps shows: that of a spare one says nothing yet. */
static void take_plan(struct shim *shim, const struct plan *plan)
{
	char args[sizeof(NAME) + SHORT_ID_LEN + 1] = NAME;
	snprintf(args + sizeof(NAME), SHORT_ID_LEN + 1, "%.*s", SHORT_ID_LEN,
		 plan_get_str(plan, plan->header->id));
	args_set(shim->args, shim->args_size, args, sizeof(args));
	prctl(PR_SET_NAME, "cfs-shim", 0, 0, 0);
	shim->run = plan->header->run;
	shim->run_dir_fd = plan->header->run_dir_fd;
	shim->tty = plan_has(plan, PLAN_TTY);
	shim->open_stdin = plan_has(plan, PLAN_OPEN_STDIN);
	shim->discard = plan_has(plan, PLAN_DISCARD);
}

static int run(struct shim *shim, int socket_fd)
{
	struct shim_failed failed = { .type = SHIM_MESSAGE_FAILED, .error = ERROR_INIT };
	struct order order = { 0 };
	struct plan plan;
	bool program = false;
	int r = init(shim, &failed.error);
	if (r == 0)
		r = order_receive(socket_fd, &order, &plan, &failed.error);
	if (r == 0)
		return 0;
	if (r > 0) {
		take_plan(shim, &plan);
		r = shim_launch(shim, &plan, socket_fd, &program, &failed.error);
	}
	if (r < 0) {
		failed.program = program;
		server_remove(shim);
		send(socket_fd, &failed, sizeof(failed), MSG_NOSIGNAL);
		return 1;
	}
	server_add(shim, socket_fd);
	order_close(&order, shim->run_dir_fd);
	shim_serve(shim);
	server_remove(shim);
	return 0;
}

/* The engine writes the number itself: digits and nothing else. */
static int64_t parse_number(const char *text)
{
	int64_t number = 0;
	for (; *text >= '0' && *text <= '9' && number < INT32_MAX; text++)
		number = number * 10 + (*text - '0');
	return *text ? -1 : number;
}

/* A shim runs for microseconds at a time, and somebody waits for each: it should not queue behind
 * whoever is using up his turn, such as its own container. Short turns let it in at once; its share
 * of the processor stays what it was, and its children are as anybody. Linux before 6.12 takes no
 * notice. Source: sched_setattr(2), kernel sched-eevdf.rst. */
static void ask_for_short_turns(void)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = SCHED_NORMAL,
		.sched_flags = SCHED_FLAG_RESET_ON_FORK,
		.sched_runtime = TURN_NS,
	};
	syscall(SYS_sched_setattr, 0, &attr, 0);
}

int main(int argc, char **argv)
{
	static struct shim shim;
	sigset_t all;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (argc != 4)
		return 1;
	int socket_fd = (int)parse_number(argv[1]);
	shim.home.slim_fd = (int)parse_number(argv[2]);
	shim.home.made = (uint64_t)parse_number(argv[3]);
	if (socket_fd < 3 || shim.home.slim_fd < 3)
		return 1;
	shim.args = argv[0];
	shim.args_size = (size_t)(argv[3] - argv[0]) + strlen(argv[3]) + 1;
	args_set(shim.args, shim.args_size, SPARE_NAME, sizeof(SPARE_NAME));
	ask_for_short_turns();
	setsid();
	prctl(PR_SET_NAME, "cfs-spare", 0, 0, 0);
	/* Nothing of the engine's goes further than the child. */
	kernel_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	return run(&shim, socket_fd);
}
