/* Starting a shim: the engine's half of a container's start.
 *
 * The shim's image is sealed in a memfd, so nothing on disk has to be found or
 * trusted, and a container that got hold of it could not change it. It is
 * spawned with vfork: a fork would copy the page tables of a large engine. All
 * descriptors are made close-on-exec by the child, whose table is a copy, but
 * those that the plan names: the shim finds them under their own numbers.
 */
#include "runtime/launch.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "runtime/plan.h"
#include "runtime/shimclient.h"
#include "runtime/slimns.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC /* Linux 6.3: nor may its mode change */
#define F_SEAL_EXEC 0x0020
#endif

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

/* What the child of vfork needs, computed before. */
struct spawn {
	int image_fd, null_fd;
	char *argv[4];
	const int *fds; /* to be inherited */
	size_t fd_count;
};

static int seal_image(struct error *err)
{
	size_t size = (size_t)(shim_image_end - shim_image_start);
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	auto_fd int fd = memfd_create("containerfs-shim", flags | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("containerfs-shim", flags);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot make a memfd for the shim");
	int r = path_write_all(fd, shim_image_start, size);
	if (r < 0)
		return error_set_sys(err, -r, "cannot copy the shim");
	int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_EXEC) < 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		return error_set_sys(err, errno, "cannot seal the shim");
	return steal_fd(&fd);
}

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
	launcher->image_fd = seal_image(err);
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
	int *fds = calloc(7 + spec->cgroup_procs_count + spec->mount_count, sizeof(*fds));
	if (!fds)
		return NULL;
	for (size_t i = 0; i < 3; i++)
		fds[count++] = own[i];
	fds[count++] = spec->join ? spec->join_fd : spec->rootfs_fd;
	fds[count++] = spec->log_dir_fd;
	fds[count++] = spec->run_dir_fd;
	if (spec->cgroup_fd >= 0)
		fds[count++] = spec->cgroup_fd;
	for (size_t i = 0; i < spec->cgroup_procs_count; i++)
		fds[count++] = spec->cgroup_procs_fds[i];
	for (size_t i = 0; i < spec->mount_count; i++)
		if (!spec->mounts[i].fstype)
			fds[count++] = spec->mounts[i].fd;
	*ret_count = count;
	return fds;
}

/* In the child, which shares our memory: system calls only, nothing changed. */
static __attribute__((noreturn)) void execute_shim(const struct spawn *spawn)
{
	static char *const no_env[] = { NULL };
	/* Also what the engine itself inherited: a shim must not hold the pipe of
	 * whoever started the engine. */
	if (syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		_exit(127);
	for (size_t i = 0; i < spawn->fd_count; i++)
		if (fcntl(spawn->fds[i], F_SETFD, 0) < 0)
			_exit(127);
	for (int fd = 0; fd < 3; fd++)
		if (dup2(spawn->null_fd, fd) < 0)
			_exit(127);
	syscall(SYS_execveat, spawn->image_fd, "", spawn->argv, no_env, AT_EMPTY_PATH);
	_exit(127);
}

/* Returns the pid, or -errno. */
static pid_t spawn_shim(const struct spawn *spawn)
{
	sigset_t all, before;
	/* A handler of ours must not run in the child. The shim sets its own mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid == 0)
		execute_shim(spawn);
	int code = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -code : pid;
}

/* Spawn with the plan; afterwards the shim alone holds its end of the socket. */
static int start_shim(const struct launcher *launcher, const struct launch_spec *spec,
		      int socket_fd, struct error *err)
{
	char id[SHORT_ID_LEN + 1], number[16];
	struct spawn spawn = { .image_fd = launcher->image_fd, .null_fd = launcher->null_fd };
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
	spawn.argv[0] = (char *)"containerfs-shim";
	spawn.argv[1] = id;
	spawn.argv[2] = number;
	pid_t pid = spawn_shim(&spawn);
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
