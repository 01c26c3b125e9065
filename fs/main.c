/* containerfs: mount, and keep the mount.
 *
 * Without -f the command that was typed is the parent: it waits for the word
 * that the mount answers, or for the sentence why it does not, and looks at the
 * mount itself before it says so.
 */
#include "base/cleanup.h"
#include "fs/command/arguments.h"
#include "fs/holder.h"
#include "fs/readiness.h"

#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static int fail(const struct error *err)
{
	fprintf(stderr, "containerfs: %s\n", err->msg);
	return EXIT_FAILURE;
}

static int fail_unprivileged(void)
{
	struct error err = ERROR_INIT;

	error_set(&err, EPERM, "only root can mount a container engine; use sudo or su");
	return fail(&err);
}

/* A descriptor 0, 1 or 2 that is closed would become one of our files. */
static void open_missing_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* The C library lets these grow to 32 and 64 MiB when large blocks are freed, after which each of
 * its arenas, one for almost every thread, keeps as much of what an import or a pull once needed.
 * The blocks of ordinary reads and writes, 128 KiB, still go round without the kernel. */
#define LARGE_BLOCK_BYTES (256 << 10)

static void keep_memory_small(void)
{
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES);
	mallopt(M_TRIM_THRESHOLD, LARGE_BLOCK_BYTES);
}

static int hold(const struct arguments *arguments, int ready_fd, struct error *err)
{
	struct server_options server = {
		.root = arguments->root,
		.run = arguments->run,
		.mnt = arguments->mnt,
		.source = arguments->source,
		.bridge = arguments->bridge,
		.subnet = arguments->subnet,
		.isolated = arguments->isolated,
		.registry = arguments->registry,
		.log_opts = arguments->log_opts,
		.image_limits = arguments->image_limits,
		.gid = arguments->gid,
		.group_bits = arguments->has_gid ? 0770 : 0,
	};
	struct holder_options holder = {
		.server = &server,
		.log_to_stderr = arguments->foreground,
		.ready_fd = ready_fd,
	};
	struct utsname name;

	keep_memory_small();
	holder.can_resend = uname(&name) == 0 && holder_can_resend(name.release);
	return holder_run(&holder, err);
}

/* --- in the background ---------------------------------------------------- */

static _Noreturn void be_daemon(const struct arguments *arguments, int ready_fd)
{
	struct error err = ERROR_INIT;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int fd = 0; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(null, fd);
	/* Whatever a shell left open is not ours to keep. */
	if (dup2(ready_fd, 3) == 3)
		close_range(4, UINT_MAX, 0);
	fcntl(3, F_SETFD, FD_CLOEXEC);
	if (hold(arguments, 3, &err) == 0)
		exit(EXIT_SUCCESS);
	readiness_send_failure(3, &err);
	exit(EXIT_FAILURE);
}

static int wait_ready(const struct arguments *arguments, int fd)
{
	struct error err = ERROR_INIT;
	struct statx stx;

	switch (readiness_receive(fd, &err)) {
	case READINESS_READY:
		if (statx(AT_FDCWD, arguments->mnt, AT_STATX_FORCE_SYNC, STATX_TYPE, &stx) == 0)
			return EXIT_SUCCESS;
		error_set_sys(&err, errno, "the mount on '%s' does not answer", arguments->mnt);
		break;
	case READINESS_FAILED:
		break;
	case READINESS_NONE:
	case READINESS_CLOSED:
		error_set(&err, EIO, "it ended before the mount answered; see '%s/log'",
			  arguments->run);
		break;
	}
	return fail(&err);
}

static int launch(const struct arguments *arguments)
{
	struct error err = ERROR_INIT;
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		error_set_sys(&err, errno, "cannot start in the background");
		return fail(&err);
	}
	pid = fork();
	if (pid < 0) {
		error_set_sys(&err, errno, "cannot start in the background");
		return fail(&err);
	}
	if (pid == 0)
		be_daemon(arguments, fds[1]);
	close(fds[1]);
	return wait_ready(arguments, fds[0]);
}

int main(int argc, char **argv)
{
	AUTO(arguments_deinit) struct arguments arguments = ARGUMENTS_INIT;
	struct error err = ERROR_INIT;

	open_missing_stdio();
	if (arguments_parse(argc, argv, &arguments, &err) < 0)
		return err.code == EACCES && geteuid() != 0 ? fail_unprivileged() : fail(&err);
	if (arguments.help) {
		arguments_print_help(stdout);
		return EXIT_SUCCESS;
	}
	if (arguments.version) {
		puts("containerfs " CONTAINERFS_VERSION);
		return EXIT_SUCCESS;
	}
	if (arguments.fake)
		return EXIT_SUCCESS;
	if (geteuid() != 0)
		return fail_unprivileged();
	if (!arguments.foreground)
		return launch(&arguments);
	return hold(&arguments, -1, &err) == 0 ? EXIT_SUCCESS : fail(&err);
}
