/* A container's start, the engine's half: the plan is rendered and sent to a shim, spawned
 * now or before (runtime/spare.h), which says how it went.
 */
#include "runtime/launch.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "runtime/plan.h"
#include "runtime/shim/protocol.h"
#include "runtime/shimclient.h"
#include "runtime/spare.h"

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Mounts and cgroups can be slow, a start that takes longer is stuck. */
#define START_TIMEOUT_MS 60000

struct launcher {
	struct spares *spares;
};
DEFINE_AUTO(struct launcher *, launcher_free);

void launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return;
	spares_free(launcher->spares);
	free(launcher);
}

int launcher_new(struct launcher **ret, struct error *err)
{
	AUTO(launcher_free) struct launcher *launcher = calloc(1, sizeof(*launcher));
	if (!launcher)
		return error_set_sys(err, ENOMEM, "cannot hold the launcher");
	int r = spares_new(&launcher->spares, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&launcher);
	return 0;
}

/* What the shim makes for the container; some are another's, or the host's. */
static uint64_t choose_namespaces(const struct launch_spec *spec)
{
	uint64_t namespaces = CLONE_NEWNS;
	if (spec->join)
		return 0;
	if (!spec->pid_is_host && !spec->join_pidns)
		namespaces |= CLONE_NEWPID;
	if (spec->userns) /* which owns the others */
		return namespaces;
	if (!spec->ipc_is_host && !spec->join_ipcns)
		namespaces |= CLONE_NEWIPC;
	if (!spec->uts_is_host)
		namespaces |= CLONE_NEWUTS;
	return namespaces | (spec->new_netns ? (uint64_t)CLONE_NEWNET : 0);
}

/* The plan in a memfd: it may be larger than a socket takes at once. */
static int write_message(const struct strbuf *message, struct error *err)
{
	auto_fd int fd = memfd_create("launch-plan", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot make a memfd for the launch plan");
	int r = path_write_all(fd, message->data, message->len);
	if (r < 0)
		return error_set_sys(err, -r, "cannot write the launch plan");
	return steal_fd(&fd);
}

/* What goes to the shim. */
struct order {
	int message_fd;
	struct strbuf fds; /* ints, the message's first */
};

static void order_deinit(struct order *order)
{
	cleanup_fd(&order->message_fd);
	strbuf_deinit(&order->fds);
}
DEFINE_AUTO_DEINIT(struct order, order_deinit);

static int make_order(const struct launch_spec *spec, struct order *ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	int r = plan_render(spec, &message, &fds, err);
	if (r < 0)
		return r;
	ret->message_fd = write_message(&message, err);
	if (ret->message_fd < 0)
		return ret->message_fd;
	strbuf_append(&ret->fds, &ret->message_fd, sizeof(int));
	strbuf_append(&ret->fds, fds.data, fds.len);
	return strbuf_check(&ret->fds, err);
}

/* 0 or -errno. */
static int send_packet(int socket_fd, uint32_t total, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SHIM_ORDER_FDS * sizeof(int))];
	} control = { 0 };
	struct shim_order packet = { .fd_count = total };
	struct iovec iov = { .iov_base = &packet, .iov_len = sizeof(packet) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	message.msg_control = &control;
	message.msg_controllen = CMSG_SPACE(count * sizeof(int));
	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_order(int socket_fd, const struct order *order)
{
	const int *fds = (const void *)order->fds.data;
	size_t count = order->fds.len / sizeof(*fds);
	int r = 0;
	for (size_t i = 0; r == 0 && i < count; i += SHIM_ORDER_FDS)
		r = send_packet(socket_fd, (uint32_t)count, fds + i,
				count - i < SHIM_ORDER_FDS ? count - i : SHIM_ORDER_FDS);
	return r;
}

/* A shim that has the plan. One in stock may be found dead at the last moment. */
static int give_order(struct launcher *launcher, const struct launch_spec *spec, struct spare *ret,
		      struct error *err)
{
	AUTO(order_deinit) struct order order = { .message_fd = -1, .fds = STRBUF_INIT };
	int r = make_order(spec, &order, err);
	while (r == 0) {
		r = spares_take(launcher->spares, choose_namespaces(spec), ret, err);
		if (r < 0)
			break;
		bool is_stock = ret->is_stock;
		int sent = send_order(ret->fd, &order);
		if (sent == 0)
			break;
		spare_end(ret);
		if (!is_stock)
			r = error_set_sys(err, -sent, "cannot send the launch plan to the shim");
	}
	return r;
}

/* After a failure, which the shim reports when all it made is gone: it is about
 * to end, and no zombie stays. One that is stuck in its start is killed, and its
 * first process with it. */
static void end_shim(pid_t pid, bool is_stuck)
{
	if (is_stuck)
		kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int launch_start(struct launcher *launcher, const struct launch_spec *spec,
		 struct launch_result *ret_result, bool *ret_program_failed, struct shim **ret_shim,
		 struct error *err)
{
	struct spare spare = SPARE_INIT;
	*ret_program_failed = false;
	int r = give_order(launcher, spec, &spare, err);
	if (r < 0)
		return r;
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, spare.pid, 0);
	bool opened = pidfd >= 0;
	r = !opened ? error_set_sys(err, errno, "cannot hold the container's shim")
		    : shimclient_open(steal_fd(&spare.fd), steal_fd(&pidfd), spare.pid, true,
				      START_TIMEOUT_MS, ret_shim, ret_result, ret_program_failed,
				      err);
	if (r < 0)
		end_shim(spare.pid, r == -ETIMEDOUT || !opened);
	cleanup_fd(&spare.fd);
	spares_refill(launcher->spares, choose_namespaces(spec));
	return r;
}
