/* Starting a shim: the engine's half of a container's start. It is a sealed program
 * (base/program.h); the descriptors that its plan names it finds under their own numbers.
 */
#include "runtime/launch.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "base/program.h"
#include "runtime/plan.h"
#include "runtime/shimclient.h"
#include "runtime/slimns.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Mounts and cgroups can be slow, a start that takes longer is stuck. */
#define START_TIMEOUT_MS 60000
#define SHORT_ID_LEN 12

extern const char shim_image_start[], shim_image_end[];

struct launcher {
	int image_fd;
	int slim_fd;
	int null_fd;
};
DEFINE_AUTO(struct launcher *, launcher_free);

void launcher_free(struct launcher *launcher)
{
	if (!launcher)
		return;
	cleanup_fd(&launcher->image_fd);
	cleanup_fd(&launcher->slim_fd);
	cleanup_fd(&launcher->null_fd);
	free(launcher);
}

int launcher_new(struct launcher **ret, struct error *err)
{
	AUTO(launcher_free) struct launcher *launcher = calloc(1, sizeof(*launcher));
	if (!launcher)
		return error_set_sys(err, ENOMEM, "cannot hold the launcher");
	*launcher = (struct launcher){ .image_fd = -1, .slim_fd = -1, .null_fd = -1 };
	launcher->image_fd = program_seal("containerfs-shim", shim_image_start,
					  (size_t)(shim_image_end - shim_image_start), err);
	if (launcher->image_fd < 0)
		return launcher->image_fd;
	launcher->slim_fd = slimns_open(err);
	if (launcher->slim_fd < 0)
		return launcher->slim_fd;
	launcher->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (launcher->null_fd < 0)
		return error_set_sys(err, errno, "cannot open '/dev/null'");
	*ret = steal_ptr(&launcher);
	return 0;
}

/* The plan in a memfd: it may be larger than a socket takes at once. */
static int write_plan(const struct launch_spec *spec, int socket_fd, int slim_fd, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	int r = plan_render(spec, socket_fd, slim_fd, &message, err);
	if (r < 0)
		return r;
	auto_fd int fd = memfd_create("launch-plan", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot make a memfd for the launch plan");
	r = path_write_all(fd, message.data, message.len);
	if (r < 0)
		return error_set_sys(err, -r, "cannot write the launch plan");
	return steal_fd(&fd);
}

/* All descriptors that the shim inherits. NULL when memory ran out. */
static int *collect_fds(const struct launch_spec *spec, const int own[3], size_t *ret_count)
{
	size_t count = 0;
	int *fds = calloc(11 + spec->cgroup_procs_count + spec->mount_count, sizeof(*fds));
	if (!fds)
		return NULL;
	for (size_t i = 0; i < 3; i++)
		fds[count++] = own[i];
	fds[count++] = spec->join ? spec->join_fd : spec->rootfs_fd;
	fds[count++] = spec->log_dir_fd;
	fds[count++] = spec->run_dir_fd;
	if (spec->cgroup_fd >= 0)
		fds[count++] = spec->cgroup_fd;
	if (spec->join_netns)
		fds[count++] = spec->netns_fd;
	if (spec->join_ipcns)
		fds[count++] = spec->ipcns_fd;
	if (spec->join_pidns)
		fds[count++] = spec->pidns_fd;
	if (spec->userns && !spec->join)
		fds[count++] = spec->userns_fd;
	for (size_t i = 0; i < spec->cgroup_procs_count; i++)
		fds[count++] = spec->cgroup_procs_fds[i];
	for (size_t i = 0; i < spec->mount_count; i++)
		if (!spec->mounts[i].fstype)
			fds[count++] = spec->mounts[i].fd;
	*ret_count = count;
	return fds;
}

/* Spawn with the plan; afterwards the shim alone holds its end of the socket. */
static int start_shim(const struct launcher *launcher, const struct launch_spec *spec,
		      int socket_fd, struct error *err)
{
	char id[SHORT_ID_LEN + 1], number[16];
	char *argv[4] = { (char *)"containerfs-shim", id, number };
	struct program_spawn spawn = { .image_fd = launcher->image_fd,
				       .null_fd = launcher->null_fd,
				       .argv = argv };
	auto_fd int plan_fd = write_plan(spec, socket_fd, launcher->slim_fd, err);
	if (plan_fd < 0)
		return plan_fd;
	const int own[3] = { plan_fd, socket_fd, launcher->slim_fd };
	auto_free int *fds = collect_fds(spec, own, &spawn.fd_count);
	if (!fds)
		return error_set_sys(err, ENOMEM, "cannot hold the launch plan");
	snprintf(id, sizeof(id), "%.*s", SHORT_ID_LEN, spec->id);
	snprintf(number, sizeof(number), "%d", plan_fd);
	spawn.fds = fds;
	pid_t pid = program_start(&spawn);
	if (pid < 0)
		return error_set_sys(err, -pid, "cannot start the container's shim");
	return pid;
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
	int ends[2];
	*ret_program_failed = false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set_sys(err, errno, "cannot make a socket for the shim");
	auto_fd int ours = ends[0], theirs = ends[1];
	int pid = start_shim(launcher, spec, theirs, err);
	close(steal_fd(&theirs));
	if (pid < 0)
		return pid;
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool opened = pidfd >= 0;
	int r = !opened ? error_set_sys(err, errno, "cannot hold the container's shim")
			: shimclient_open(steal_fd(&ours), steal_fd(&pidfd), pid, true,
					  START_TIMEOUT_MS, ret_shim, ret_result,
					  ret_program_failed, err);
	if (r < 0)
		end_shim(pid, r == -ETIMEDOUT || !opened);
	return r;
}
