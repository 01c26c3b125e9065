/* The caller's input on its way to a container, in a thread of its own: a program that
 * does not read holds up nothing but this.
 *
 * Closing the container's stdin is what StdinOnce waits for. A terminal's input ends
 * with the detach keys only, which this takes out; the session is told by a descriptor.
 */
#include "cfs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct input {
	int out_fd;
	int ctl_fd;      /* -1: closing out_fd will do */
	int detached_fd; /* -1: nothing to look for */
	struct detach_keys keys;
	char raw[65536];
	char kept[65536 + DETACH_KEYS_MAX];
};

/* False when the container takes no more. */
static bool give(int out_fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(out_fd, bytes, len);
		if (n < 0 && errno != EINTR)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
	}
	return true;
}

/* False at the end of all input. */
static bool pass_some(struct input *input)
{
	ssize_t n = read(STDIN_FILENO, input->raw, sizeof(input->raw));

	if (n < 0 && errno == EINTR)
		return true;
	if (n <= 0)
		return false;
	if (input->detached_fd < 0)
		return give(input->out_fd, input->raw, (size_t)n);
	size_t len = detach_keys_filter(&input->keys, input->raw, (size_t)n, input->kept);
	if (!give(input->out_fd, input->kept, len))
		return false;
	if (input->keys.held < input->keys.count)
		return true;
	eventfd_write(input->detached_fd, 1);
	return false;
}

static void *pass_stdin(void *arg)
{
	struct input *input = arg;

	while (pass_some(input))
		;
	close(input->out_fd);
	if (input->ctl_fd >= 0)
		(void)!write(input->ctl_fd, "closestdin\n", 11);
	free(input);
	return NULL;
}

int input_begin(int dir_fd, bool close_it, const struct detach_keys *keys)
{
	/* One that has ended meanwhile, or is gone, takes nothing. */
	int out_fd = openat(dir_fd, "stdin", O_WRONLY | O_CLOEXEC);
	pthread_t thread;

	if (out_fd < 0)
		return -1;
	struct input *input = malloc(sizeof(*input));
	if (!input)
		fail(CFS_RUN_FAILED, "out of memory");
	input->out_fd = out_fd;
	input->ctl_fd = close_it ? openat(dir_fd, "ctl", O_WRONLY | O_CLOEXEC) : -1;
	input->detached_fd = keys ? eventfd(0, EFD_CLOEXEC) : -1;
	input->keys = keys ? *keys : (struct detach_keys){ .count = 0 };
	int detached_fd = input->detached_fd;
	if (pthread_create(&thread, NULL, pass_stdin, input) != 0)
		fail(CFS_RUN_FAILED, "cannot create a thread for stdin");
	pthread_detach(thread);
	return detached_fd;
}
