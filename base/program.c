/* Spawning with vfork(2): the child shares our memory until it executes, and our thread
 * sleeps. All descriptors are made close-on-exec by the child, whose table is a copy, but
 * those that it is to have.
 */
#include "base/program.h"

#include "base/cleanup.h"
#include "base/path.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef MFD_EXEC /* Linux 6.3 */
#define MFD_EXEC 0x0010U
#endif
#ifndef F_SEAL_EXEC /* Linux 6.3: nor may its mode change */
#define F_SEAL_EXEC 0x0020
#endif

int program_seal(const char *name, const void *bytes, size_t size, struct error *err)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
	auto_fd int fd = memfd_create(name, flags | MFD_EXEC);
	int ret;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, flags);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot make a memfd for %s", name);
	ret = path_write_all(fd, bytes, size);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot copy %s", name);
	if (fcntl(fd, F_ADD_SEALS, seals | F_SEAL_EXEC) < 0 && fcntl(fd, F_ADD_SEALS, seals) < 0)
		return error_set_sys(err, errno, "cannot seal %s", name);
	return steal_fd(&fd);
}

/* In the child, which shares our memory: system calls only, nothing changed. */
static __attribute__((noreturn)) void execute(const struct program_spawn *spawn)
{
	static char *const no_env[] = { NULL };

	/* Also what the engine itself inherited: nobody of ours must hold the pipe of
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

pid_t program_start(const struct program_spawn *spawn)
{
	sigset_t all, before;
	pid_t pid;
	int code;

	/* A handler of ours must not run in the child. The program sets its own mask. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = vfork(); /* NOLINT(clang-analyzer-security.insecureAPI.vfork) */
	if (pid == 0)
		execute(spawn);
	code = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -code : pid;
}
