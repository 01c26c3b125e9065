/* A further process of a container that runs: what the shim of an exec does
 * between clone3 and execve.
 *
 * Two processes. The outer one, like sandbox_run()'s, joins the container's
 * cgroups and namespaces and gives up all that the program shall not have. But it
 * stays outside of the container's pid namespace, which only its children enter:
 * while it holds the shim's memory, descriptors of the host and capabilities, no
 * process of the container can see it, let alone trace it. The inner one is
 * made when nothing of that is left: its memory is a copy, its descriptors are
 * the program's and the channel, its privileges the program's. CLONE_PARENT
 * makes it the shim's own child, to be reaped there, for process 1 cannot end
 * before all others in its pid namespace were reaped.
 *
 * That fork happens under the container's limits: a container that is full says so.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/protocol.h"
#include "runtime/shim/sandbox.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define NAMESPACES                                                                                 \
	(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)
/* The lowest number that is not the program's. */
#define CHANNEL_FD 3

static int enter_namespaces(struct sandbox *box, struct error *err)
{
	/* All or none. */
	if (syscall(SYS_setns, box->plan->header->join_fd, NAMESPACES) < 0)
		return error_set_sys(err, errno, "cannot join the container's namespaces");
	box->root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (box->root_fd < 0)
		return error_set_sys(err, errno, "cannot open the container's root");
	return 0;
}

/* Nothing is made here, as `docker exec` makes nothing; and no link leads out. */
static int enter_directory(const struct sandbox *box, struct error *err)
{
	const char *cwd = plan_get_str(box->plan, box->plan->header->cwd);
	int fd = kernel_open_in(box->root_fd, cwd, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 || fchdir(fd) < 0)
		return error_set_sys(err, errno, "cannot enter the working directory '%s'", cwd);
	close(fd);
	return 0;
}

/* For good, and not only at the execve: the table is a copy. */
static int drop_descriptors(struct sandbox *box, struct error *err)
{
	if (box->channel != CHANNEL_FD && dup3(box->channel, CHANNEL_FD, O_CLOEXEC) < 0)
		return error_set_sys(err, errno, "cannot keep the channel to the shim");
	box->channel = CHANNEL_FD;
	if (kernel_close_range(CHANNEL_FD + 1, ~0U, 0) < 0)
		return error_set_sys(err, errno, "cannot close the descriptors");
	return 0;
}

int join_enter_pid(struct sandbox *box, struct error *err)
{
	if (box->plan->header->pidns_fd < 0)
		return 0;
	if (syscall(SYS_setns, box->plan->header->pidns_fd, CLONE_NEWPID) < 0)
		return error_set_sys(err, errno, "cannot enter the other container's processes");
	return drop_descriptors(box, err);
}

static int prepare(struct sandbox *box, struct error *err)
{
	int r = sandbox_set_oom_score(box, err);
	if (r < 0)
		return r;
	r = sandbox_join_cgroups(box->plan, err);
	if (r < 0)
		return r;
	r = enter_namespaces(box, err);
	if (r < 0)
		return r;
	r = userns_prepare(box, err);
	if (r < 0)
		return r;
	r = plan_has(box->plan, PLAN_TTY) ? dev_open_terminal(box, err) : dev_set_stdio(box, err);
	if (r < 0)
		return r;
	r = enter_directory(box, err);
	if (r < 0)
		return r;
	r = sandbox_leave_keyring(err);
	if (r < 0)
		return r;
	r = identity_set_limits(box->plan, err);
	if (r < 0)
		return r;
	umask(022);
	sandbox_reset_signals();
	r = userns_enter(box, err);
	if (r < 0)
		return r;
	r = drop_descriptors(box, err);
	if (r < 0)
		return r;
	return identity_drop(box, err);
}

/* In the container now, with its own rights. Returns when it failed. */
static void run_inner(const struct sandbox *box, struct shim_failed *failed)
{
	/* Also of a privileged one: until the execve it is ours. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setsid() < 0) {
		error_set_sys(&failed->error, errno, "cannot make a session");
		return;
	}
	if (plan_has(box->plan, PLAN_TTY) && ioctl(0, TIOCSCTTY, 0) < 0) {
		error_set_sys(&failed->error, errno, "cannot take the terminal");
		return;
	}
	if (identity_die_with_shim(box->channel, &failed->error) < 0)
		return;
	failed->program = 1;
	program_execute(box->argv, box->env, &failed->error);
}

int join_make_inner(const struct sandbox *box, struct shim_failed *failed)
{
	struct shim_born born = { .type = SHIM_MESSAGE_HELLO };
	long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		run_inner(box, failed);
		return -1;
	}
	if (pid < 0 && errno == EAGAIN)
		return error_set(&failed->error, EAGAIN,
				 "the container's limit of processes is reached");
	/* No memory is also what a pid namespace says that has lost its process 1. */
	if (pid < 0)
		return error_set_sys(&failed->error, errno == ENOMEM ? ESRCH : errno,
				     "cannot make a process; has the container ended?");
	born.pid = (int32_t)pid;
	send(box->channel, &born, sizeof(born), MSG_NOSIGNAL);
	return 0;
}

int join_run(void *arg)
{
	struct sandbox *box = arg;
	struct shim_failed failed = { .type = SHIM_MESSAGE_FAILED, .error = ERROR_INIT };
	close(box->shim_channel);
	if (prepare(box, &failed.error) == 0 && join_make_inner(box, &failed) == 0)
		return 0;
	send(box->channel, &failed, sizeof(failed), MSG_NOSIGNAL);
	return 1;
}
