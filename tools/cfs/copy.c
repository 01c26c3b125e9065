/* Bytes to the caller. */
#include "cfs.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void copy_out(int out_fd, const char *bytes, size_t len)
{
	fflush(stdout);
	while (len > 0) {
		ssize_t n = write(out_fd, bytes, len);
		if (n < 0 && errno == EAGAIN) {
			/* Somebody made the terminal that we share non-blocking. */
			struct pollfd pfd = { .fd = out_fd, .events = POLLOUT };
			poll(&pfd, 1, -1);
			continue;
		}
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			fail_sys(CFS_RUN_FAILED, "cannot write %s",
				 out_fd == STDOUT_FILENO ? "stdout" : "stderr");
		bytes += n;
		len -= (size_t)n;
	}
}

int copy_to_stdout(int in_fd)
{
	char buf[65536];
	ssize_t n;

	while ((n = read(in_fd, buf, sizeof(buf))) != 0) {
		if (n > 0)
			copy_out(STDOUT_FILENO, buf, (size_t)n);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

bool copy_is_one_file(int fd, int other_fd)
{
	struct stat st, other;

	return fstat(fd, &st) == 0 && fstat(other_fd, &other) == 0 && st.st_dev == other.st_dev &&
	       st.st_ino == other.st_ino;
}
