/* From the plan to a running program.
 *
 * The channel to the child is a socket pair and not a pipe since a terminal's
 * descriptors come back through it. Its end of file without a message means
 * that the program was executed: the child's end is close-on-exec.
 */
#include "runtime/shim/clock.h"
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"
#include "runtime/shim/shim.h"
#include "runtime/shim/spawn.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* The kernel's numbers of errors are below. */
#define ERRNO_MAX 4095

/* The pointers that execve wants. NULL when memory ran out. */
static char **make_vector(const struct plan *plan, const uint32_t *offsets, uint32_t count)
{
	char **vector = calloc((size_t)count + 1, sizeof(*vector));
	for (uint32_t i = 0; vector && i < count; i++)
		vector[i] = (char *)plan_get_str(plan, offsets[i]);
	return vector;
}

/* A pipe of which the shim keeps ends[kept], not blocking. It is given to the
 * container's user: else /dev/stdout could not be opened again. */
static int make_pipe(const struct plan *plan, int ends[2], int kept, struct error *err)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set_sys(err, errno, "cannot make a pipe");
	if (fcntl(ends[kept], F_SETFL, O_NONBLOCK) < 0)
		return error_set_sys(err, errno, "cannot set up a pipe");
	uint32_t uid = plan->header->uid_base + plan->header->uid;
	uint32_t gid = plan->header->gid_base + plan->header->gid;
	if (uid && fchown(ends[kept], uid, gid) < 0)
		return error_set_sys(err, errno, "cannot give a pipe to user %u", uid);
	return 0;
}

static int make_pipes(struct shim *shim, struct sandbox *box, struct error *err)
{
	int ends[2];
	for (int i = 0; i < 2 && !shim->discard; i++) {
		int r = make_pipe(box->plan, ends, 0, err);
		if (r < 0)
			return r;
		/* As it is when the limit of unprivileged pipe pages is reached. */
		fcntl(ends[0], F_SETPIPE_SZ, (int)SHIM_CHUNK);
		shim->out_fds[i] = ends[0];
		box->stdio[i + 1] = ends[1];
	}
	if (!shim->open_stdin)
		return 0;
	int r = make_pipe(box->plan, ends, 1, err);
	if (r < 0)
		return r;
	box->stdio[0] = ends[0];
	shim->stdin_fd = ends[1];
	return 0;
}

/* Master and slave of the terminal that the child opened. */
static int take_terminal(struct shim *shim, struct msghdr *message, struct error *err)
{
	int fds[2];
	const struct cmsghdr *control = CMSG_FIRSTHDR(message);
	if (!control || control->cmsg_len != CMSG_LEN(sizeof(fds)))
		return error_set(err, EIO, "bug: the terminal was not handed over");
	memcpy(fds, CMSG_DATA(control), sizeof(fds));
	shim->out_fds[0] = fds[0];
	shim->slave_fd = fds[1];
	if (fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_set_sys(err, errno, "cannot set up the terminal");
	if (shim->open_stdin)
		shim->stdin_fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 3);
	return 0;
}

/* What a failure says. Its last words may be those of a process that is in the
 * container already: they are looked at twice. */
static int take_failure(struct shim_failed *failed, bool *ret_program, struct error *err)
{
	failed->error.msg[sizeof(failed->error.msg) - 1] = '\0';
	if (failed->error.code < 1 || failed->error.code > ERRNO_MAX)
		failed->error.code = EIO;
	*ret_program = failed->program != 0;
	*err = failed->error;
	return -err->code;
}

/* Until the child has executed (0) or failed. */
static int await_execution(struct shim *shim, int channel, bool *ret_program, struct error *err)
{
	for (;;) {
		union {
			struct cmsghdr header;
			char space[CMSG_SPACE(2 * sizeof(int))];
		} control;
		struct shim_failed failed;
		struct shim_born born;
		struct iovec iov = { .iov_base = &failed, .iov_len = sizeof(failed) };
		struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		ssize_t n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
		if (n == 0)
			return 0;
		if (n < 0)
			return error_set_sys(err, errno, "cannot hear from the container");
		if (n == (ssize_t)sizeof(failed))
			return take_failure(&failed, ret_program, err);
		if (n == (ssize_t)sizeof(born) && shim->pid == 0) {
			memcpy(&born, &failed, sizeof(born));
			shim->pid = born.pid;
			continue;
		}
		int r = take_terminal(shim, &message, err);
		if (r < 0)
			return r;
	}
}

/* A container's first process, or the one that makes a further one. */
static pid_t make_child(struct sandbox *box, struct error *err)
{
	int cgroup_fd = box->plan->header->cgroup_fd;
	if (plan_has(box->plan, PLAN_JOIN))
		return spawn_child(cgroup_fd, false, join_run, box, err);
	return spawn_child(cgroup_fd, plan_has(box->plan, PLAN_INIT), sandbox_run, box, err);
}

static void end_child(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Of a process in a pid namespace that was there; its maker ends by itself. */
static int await_join(struct shim *shim, pid_t maker, int channel, bool *ret_program,
		      struct error *err)
{
	shim->pid = 0;
	int r = await_execution(shim, channel, ret_program, err);
	if (r == 0 && shim->pid == 0)
		r = error_set(err, ESRCH,
			      "it was killed before it began; has the container ended?");
	end_child(maker);
	return r;
}

static int start_child(struct shim *shim, struct sandbox *box, bool *ret_program, struct error *err)
{
	int channel[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) < 0)
		return error_set_sys(err, errno, "cannot make a channel to the container");
	box->shim_channel = channel[0];
	box->channel = channel[1];
	shim->started_ns = clock_realtime_ns();
	shim->pid = make_child(box, err);
	close(channel[1]);
	for (int i = 0; i < 3; i++)
		if (box->stdio[i] >= 0)
			close(box->stdio[i]);
	if (shim->pid < 0)
		return shim->pid;
	int r = plan_forks(box->plan) ? await_join(shim, shim->pid, channel[0], ret_program, err)
				      : await_execution(shim, channel[0], ret_program, err);
	close(channel[0]);
	if (r == 0)
		r = home_return(&shim->home, err);
	if (r < 0)
		end_child(shim->pid);
	return r;
}

/* A further process is started once by the engine that asked or by its successor,
 * which looks for our socket: when that is there, and who asked is not, it is
 * the successor's turn to ask again. */
static int check_engine(int socket_fd, struct error *err)
{
	struct pollfd fd = { .fd = socket_fd, .events = 0 };
	if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP))
		return error_set(err, ECANCELED, "the engine has gone");
	return 0;
}

int shim_launch(struct shim *shim, const struct plan *plan, int socket_fd, bool *ret_program,
		struct error *err)
{
	const struct plan_header *header = plan->header;
	struct sandbox box = { .plan = plan, .stdio = { -1, -1, -1 }, .root_fd = -1 };
	box.args = shim->args;
	box.args_size = shim->args_size;
	box.argv = make_vector(plan, plan->argv, header->argv.count);
	box.env = make_vector(plan, plan->env, header->env.count);
	if (!box.argv || !box.env)
		return error_set_sys(err, ENOMEM, "cannot hold the arguments");
	box.proc_fd = shim->home.proc_fd;
	/* The bound socket is what keeps two shims of one container apart. */
	int r = server_listen(shim, err);
	if (r < 0)
		return r;
	r = record_write_pid(shim, box.proc_fd, err);
	if (r == 0 && plan_has(plan, PLAN_JOIN))
		r = check_engine(socket_fd, err);
	if (r < 0)
		return r;
	if (chdir("/") < 0)
		return error_set_sys(err, errno, "cannot leave the directory of the run");
	r = logfiles_open(&shim->logs, header->log_dir_fd, shim->run,
			  (struct log_bounds){ header->log_max_size, header->log_max_file }, 0,
			  shim->chunk, SHIM_CHUNK, err);
	if (r < 0)
		return r;
	if (!shim->tty && (r = make_pipes(shim, &box, err)) < 0)
		return r;
	r = start_child(shim, &box, ret_program, err);
	free(box.argv);
	free(box.env);
	return r;
}
