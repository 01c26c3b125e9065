/* One packet of a socket for each name, one byte back. The process holds nothing but its end of that socket and
 * the mount: above all not the locks on ROOT and RUN, which must be free when holder and engine have gone.
 */
#include "fs/teller.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/fuse.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long it may take to see that nobody wants anything of it any more. One that waits for a directory takes
 * longer; it is left to the holder, whose child it becomes. */
#define END_MS 200
/* Of names in a directory: the kernel's FUSE_NAME_MAX. */
#define NAME_SIZE 1025
/* Where the child has its two descriptors. */
#define SOCKET_FD 3
#define FUSE_FD 4

struct teller {
	int fd;
	pid_t pid;
};

struct packet {
	uint64_t dir;
	uint32_t flags; /* the kernel's */
	char name[NAME_SIZE];
};

#define HEAD_SIZE offsetof(struct packet, name)

/* --- the process ---------------------------------------------------------------- */

static void tell_kernel(const struct packet *packet, size_t name_len)
{
	struct fuse_notify_inval_entry_out entry = { .parent = packet->dir,
						     .namelen = (uint32_t)name_len,
						     .flags = packet->flags };
	char end = '\0';
	struct fuse_out_header header = { .error = FUSE_NOTIFY_INVAL_ENTRY };
	struct iovec iov[] = {
		{ &header, sizeof(header) },
		{ &entry, sizeof(entry) },
		{ (void *)(uintptr_t)packet->name, name_len },
		{ &end, 1 },
	};

	header.len = (uint32_t)(sizeof(header) + sizeof(entry) + name_len + 1);
	/* -ENOENT: the kernel does not keep it. */
	if (writev(FUSE_FD, iov, 4) < 0)
		return;
}

static _Noreturn void serve(pid_t engine)
{
	struct packet packet;
	ssize_t len;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "containerfs-tell");
	if (getppid() != engine)
		_exit(0);
	while ((len = recv(SOCKET_FD, &packet, sizeof(packet), 0)) > 0) {
		if ((size_t)len > HEAD_SIZE)
			tell_kernel(&packet, (size_t)len - HEAD_SIZE);
		if (send(SOCKET_FD, "", 1, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

/* Both are moved out of each other's way first. */
static _Noreturn void be_teller(int socket_fd, int fuse_fd, pid_t engine)
{
	socket_fd = fcntl(socket_fd, F_DUPFD_CLOEXEC, FUSE_FD + 1);
	fuse_fd = fcntl(fuse_fd, F_DUPFD_CLOEXEC, FUSE_FD + 1);
	if (socket_fd < 0 || fuse_fd < 0 || dup2(socket_fd, SOCKET_FD) < 0 ||
	    dup2(fuse_fd, FUSE_FD) < 0)
		_exit(1);
	close_range(FUSE_FD + 1, ~0U, 0);
	serve(engine);
}

/* --- the engine's side ---------------------------------------------------------- */

int teller_start(int fuse_fd, struct teller **ret, struct error *err)
{
	AUTO(teller_free) struct teller *teller = calloc(1, sizeof(*teller));
	pid_t engine = getpid();
	int fds[2];

	if (!teller)
		return error_set(err, ENOMEM, "no memory to serve the mount");
	teller->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return error_set_sys(err, errno, "cannot start the teller");
	teller->fd = fds[0];
	teller->pid = fork();
	if (teller->pid == 0)
		be_teller(fds[1], fuse_fd, engine);
	close(fds[1]);
	if (teller->pid < 0)
		return error_set_sys(err, errno, "cannot start the teller");
	*ret = steal_ptr(&teller);
	return 0;
}

int teller_tell(struct teller *teller, uint64_t dir, const char *name, bool only_ask)
{
	struct packet packet = { .dir = dir, .flags = only_ask ? FUSE_EXPIRE_ONLY : 0 };
	size_t len = strnlen(name, NAME_SIZE);
	ssize_t n;
	char byte;

	if (len >= NAME_SIZE)
		return -ENAMETOOLONG;
	memcpy(packet.name, name, len);
	if (send(teller->fd, &packet, HEAD_SIZE + len, MSG_NOSIGNAL) < 0)
		return -EPIPE;
	do
		n = recv(teller->fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	return n == 1 ? 0 : -EPIPE;
}

void teller_cancel(struct teller *teller)
{
	shutdown(teller->fd, SHUT_RDWR);
}

static void wait_gone(pid_t pid)
{
	for (int waited_ms = 0; waited_ms < END_MS; waited_ms++) {
		if (waitpid(pid, NULL, WNOHANG) != 0)
			return;
		poll(NULL, 0, 1);
	}
	kill(pid, SIGKILL);
}

void teller_free(struct teller *teller)
{
	if (!teller)
		return;
	if (teller->fd >= 0) {
		teller_cancel(teller);
		close(teller->fd);
	}
	if (teller->pid > 0)
		wait_gone(teller->pid);
	free(teller);
}
