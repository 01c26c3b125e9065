/* Readiness: see readiness.h.
 *
 * 'R', or 'E' and a struct error: it has no pointers, and the other process is
 * a fork of the same program. Both are shorter than PIPE_BUF: whole or not there.
 */
#include "fs/readiness.h"

#include "base/path.h"

#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct failure {
	char word;
	struct error error;
};

_Static_assert(sizeof(struct failure) <= PIPE_BUF, "a failure is written whole");

void readiness_send_ready(int fd)
{
	(void)path_write_all(fd, "R", 1);
}

void readiness_send_failure(int fd, const struct error *failure)
{
	struct failure message;

	memset(&message, 0, sizeof(message));
	message.word = 'E';
	message.error = *failure;
	(void)path_write_all(fd, &message, sizeof(message));
}

enum readiness readiness_receive(int fd, struct error *err)
{
	struct failure message;
	char *bytes = (char *)&message;
	ssize_t n;

	do
		n = read(fd, bytes, 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? READINESS_NONE : READINESS_CLOSED;
	if (n == 1 && message.word == 'R')
		return READINESS_READY;
	if (n != 1 || message.word != 'E')
		return READINESS_CLOSED;
	do
		n = read(fd, bytes + 1, sizeof(message) - 1);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(message) - 1)
		return READINESS_CLOSED;
	message.error.msg[sizeof(message.error.msg) - 1] = '\0';
	*err = message.error;
	return READINESS_FAILED;
}

void readiness_tell_systemd(void)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	size_t len = path ? strlen(path) : 0;
	int fd;

	if (len > 0 && len < sizeof(addr.sun_path)) {
		memcpy(addr.sun_path, path, len);
		if (path[0] == '@')
			addr.sun_path[0] = '\0';
		fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd >= 0) {
			(void)sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&addr,
				     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
			close(fd);
		}
	}
}
