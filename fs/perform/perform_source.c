/* The archive that import and load read: a file of the host, or a pipe.
 *
 * It is somebody else's path: it is opened without waiting and without
 * effect (O_PATH first), it must be a file or a pipe, and it must not lie under our
 * own mount, because an engine that waits for itself waits for ever.
 *
 * A pipe may stay silent. The ticket cannot be waited for together with a
 * descriptor, so a silent pipe is left every 100 ms to see whether the caller has gone.
 */
#include "fs/perform/perform_private.h"

#include "fs/render/render.h"
#include "runtime/ticket.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_MS 100

void archive_source_deinit(struct archive_source *source)
{
	if (source->fd >= 0)
		close(source->fd);
}

/* --- opening --------------------------------------------------------------- */

static int refuse_own(const char *path, struct error *err)
{
	return error_set(err, EINVAL, "'%s' lies in this mount; copy it to images/NAME instead",
			 path);
}

/* Does the text of the path begin with the mount point? Found without touching it. */
static bool is_below_mount(const struct job *job, const char *path)
{
	struct render_info info = { .mnt = NULL };
	size_t len;

	if (!job->context->get_info)
		return false;
	job->context->get_info(job->context->arg, &info);
	if (!info.mnt)
		return false;
	len = strlen(info.mnt);
	return strncmp(path, info.mnt, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static int check_source(const struct job *job, int fd, struct stat *ret_st, struct error *err)
{
	const char *path = job->command->source;

	if (fstat(fd, ret_st) < 0)
		return error_set_sys(err, errno, "cannot look at '%s'", path);
	if (job->context->mount_device != 0 && ret_st->st_dev == job->context->mount_device)
		return refuse_own(path, err);
	if (!S_ISREG(ret_st->st_mode) && !S_ISFIFO(ret_st->st_mode))
		return error_set(err, EINVAL, "'%s' is neither a file nor a pipe", path);
	/* An engine that died has read a part of it, which nobody gets again. */
	if (S_ISFIFO(ret_st->st_mode) && perform_was_begun(job))
		return error_set(err, EIO,
				 "the engine ended while it read a pipe; nothing was imported");
	return 0;
}

/* cfs gives us a descriptor of its own: people know that by the file behind it. */
static void take_name(const char *path, const char *self, struct archive_source *source)
{
	ssize_t len = -1;

	if (strncmp(path, "/proc/", strlen("/proc/")) == 0)
		len = readlink(self, source->name, sizeof(source->name) - 1);
	if (len < 0)
		snprintf(source->name, sizeof(source->name), "%s", path);
	else if (source->is_pipe)
		snprintf(source->name, sizeof(source->name), "-");
	else
		source->name[len] = '\0';
}

int archive_source_open(const struct job *job, struct archive_source *ret, struct error *err)
{
	const char *path = job->command->source;
	auto_fd int path_fd = -1;
	char self[64];
	struct stat st;
	int r;

	if (is_below_mount(job, path))
		return refuse_own(path, err);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", path);
	r = check_source(job, path_fd, &st, err);
	if (r < 0)
		return r;
	/* The very file that was looked at, whatever the path leads to by now. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	r = open(self, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (r < 0)
		return error_set_sys(err, errno, "cannot open '%s'", path);
	ret->fd = r;
	ret->is_pipe = S_ISFIFO(st.st_mode);
	ret->size_bytes = ret->is_pipe ? 0 : (uint64_t)st.st_size;
	take_name(path, self, ret);
	return 0;
}

/* --- reading --------------------------------------------------------------- */

static int refuse_cancelled(struct error *err)
{
	return error_set(err, EINTR, "interrupted; nothing was imported");
}

/* Wait until the pipe has bytes or its writers have gone. */
static int wait_for_pipe(struct ticket *ticket, int fd, struct error *err)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	while (!ticket_is_cancelled(ticket)) {
		int ready = poll(&pollfd, 1, LOOK_EVERY_MS);

		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return error_set_sys(err, errno, "cannot wait for the pipe");
	}
	return refuse_cancelled(err);
}

ssize_t archive_source_read(const struct job *job, const struct archive_source *source, char *buf,
			    size_t size, struct error *err)
{
	struct ticket *ticket = job->context->ticket;

	for (;;) {
		ssize_t got;

		if (source->is_pipe && wait_for_pipe(ticket, source->fd, err) < 0)
			return -err->code;
		if (ticket_is_cancelled(ticket))
			return refuse_cancelled(err);
		got = read(source->fd, buf, size);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return error_set_sys(err, errno, "cannot read '%s'", source->name);
	}
}
