/* import and load: an archive of the host, or what comes out of a named pipe, becomes images.
 *
 * The source is somebody else's path: it is opened without waiting and without
 * effect (O_PATH first), it must be a file or a pipe, and it must not lie under our
 * own mount, because an engine that waits for itself waits for ever.
 *
 * A pipe may stay silent. The ticket cannot be waited for together with a
 * descriptor, so a silent pipe is left every 100 ms to see whether the caller has gone.
 */
#include "fs/perform_private.h"

#include "fs/render.h"
#include "runtime/ticket.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEP_BYTES (1024 * 1024)
#define LOOK_EVERY_MS 100

DEFINE_AUTO(struct import *, graph_import_abort);

/* --- the source ------------------------------------------------------------ */

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
	return 0;
}

/* A descriptor for reading, or -errno. */
static int open_source(const struct job *job, bool *ret_is_pipe, struct error *err)
{
	const char *path = job->command->source;
	auto_fd int path_fd = -1;
	char self[64];
	struct stat st;
	int fd, ret;

	if (is_below_mount(job, path))
		return refuse_own(path, err);
	path_fd = open(path, O_PATH | O_CLOEXEC);
	if (path_fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", path);
	ret = check_source(job, path_fd, &st, err);
	if (ret < 0)
		return ret;
	/* The very file that was looked at, whatever the path leads to by now. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", path_fd);
	fd = open(self, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", path);
	*ret_is_pipe = S_ISFIFO(st.st_mode);
	return fd;
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
	return error_set(err, EINTR, "interrupted; nothing was imported");
}

/* --- the copy -------------------------------------------------------------- */

/* The next bytes: their number, 0 at the end. */
static ssize_t read_step(const struct job *job, int fd, bool is_pipe, char *buf, struct error *err)
{
	struct ticket *ticket = job->context->ticket;

	for (;;) {
		ssize_t got;

		if (is_pipe && wait_for_pipe(ticket, fd, err) < 0)
			return -err->code;
		if (ticket_is_cancelled(ticket))
			return error_set(err, EINTR, "interrupted; nothing was imported");
		got = read(fd, buf, STEP_BYTES);
		if (got >= 0)
			return got;
		if (errno != EINTR && errno != EAGAIN)
			return error_set_sys(err, errno, "cannot read '%s'", job->command->source);
	}
}

static int copy_source(const struct job *job, int fd, bool is_pipe, struct import *import,
		       struct error *err)
{
	auto_free char *buf = malloc(STEP_BYTES);
	uint64_t offset = 0;
	ssize_t got;
	int ret = 0;

	if (!buf)
		return error_set_sys(err, ENOMEM, "cannot import");
	for (;;) {
		got = read_step(job, fd, is_pipe, buf, err);
		if (got <= 0)
			return (int)got;
		ret = graph_import_write(import, offset, buf, (size_t)got, err);
		if (ret < 0)
			return ret;
		offset += (uint64_t)got;
	}
}

static int finish_import(const struct job *job, struct import *import, struct strbuf *ids,
			 struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	char id[GRAPH_ID_SIZE];
	int ret;

	if (job->command->message)
		strbuf_append_str(&message, job->command->message);
	else
		strbuf_appendf(&message, "Imported from %s", job->command->source);
	ret = strbuf_check(&message, err);
	if (ret < 0) {
		graph_import_abort(import);
		return ret;
	}
	ret = graph_import_finish(import, true, strbuf_get_str(&message), id, err);
	if (ret == 0)
		strbuf_appendf(ids, "%s\n", id);
	return ret;
}

static int import_source(const struct job *job, struct strbuf *ids, struct error *err)
{
	AUTO(graph_import_abort) struct import *import = NULL;
	struct graph *graph = job->context->graph;
	bool is_load = job->command->verb == VERB_LOAD;
	bool is_pipe = false;
	auto_fd int fd = open_source(job, &is_pipe, err);
	int ret;

	if (fd < 0)
		return fd;
	ret = is_load ? graph_load_begin(graph, &import, err)
		      : graph_import_begin(graph, job->command->name, &import, err);
	if (ret == 0)
		ret = copy_source(job, fd, is_pipe, import, err);
	if (ret < 0)
		return ret;
	return is_load ? graph_load_finish(steal_ptr(&import), ids, err)
		       : finish_import(job, steal_ptr(&import), ids, err);
}

int perform_import(const struct job *job, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf ids = STRBUF_INIT;
	struct ticket *ticket = job->context->ticket;
	int ret;

	/* An earlier engine had published it. */
	if (perform_was_begun(job)) {
		strbuf_appendf(job->reply, "%s\n", ticket->note);
		return 0;
	}
	ret = import_source(job, &ids, err);
	if (ret == 0)
		ret = strbuf_check(&ids, err);
	if (ret < 0)
		return ret;
	/* The two first: more do not fit, and their images are there. */
	ticket_note(ticket, "%.*s",
		    (int)(ids.len < 2 * GRAPH_ID_SIZE ? ids.len : 2 * GRAPH_ID_SIZE) - 1,
		    strbuf_get_str(&ids));
	strbuf_append(job->reply, ids.data, ids.len);
	return 0;
}
