/* The engine's end of a shim's socket.
 *
 * Requests are answered in turn, so a call sends one and reads until its reply.
 * Events that come in between are kept as flags: each kind happens once or is
 * only a hint, so their order is known. What was kept would no longer make the
 * socket readable; so the shim is asked for a packet that does (POKE).
 */
#include "runtime/shimclient.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "runtime/shim/protocol.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define REPLY_TIMEOUT_MS 5000
#define END_TIMEOUT_MS 1000
#define NS_PER_MS 1000000

struct shim {
	int fd;
	int pidfd;
	bool is_child;
	uint32_t seq; /* of the last request */
	/* Events that came while a reply was awaited. */
	bool stdin_ready, stdin_gone, has_exited, closed;
	struct shim_event exited;
};

void shim_free(struct shim *shim)
{
	if (!shim)
		return;
	/* One that closed its end is about to be gone: no zombie may stay. (Or it
	 * lives, and cut us off for not reading.) */
	if (shim->is_child && shim->closed)
		poll(&(struct pollfd){ .fd = shim->pidfd, .events = POLLIN }, 1, END_TIMEOUT_MS);
	if (shim->is_child)
		waitid(P_PIDFD, (id_t)shim->pidfd, &(siginfo_t){ 0 }, WEXITED | WNOHANG);
	close(shim->fd);
	close(shim->pidfd);
	free(shim);
}

int shim_get_fd(const struct shim *shim)
{
	return shim->fd;
}

int shim_get_pidfd(const struct shim *shim)
{
	return shim->pidfd;
}

/* Wait for events of a descriptor until a time. 0 or -ETIMEDOUT. */
static int wait_until(int fd, short events, int64_t until_ns)
{
	for (;;) {
		struct pollfd polled = { .fd = fd, .events = events };
		int64_t left_ms = (until_ns - clock_monotonic_ns()) / NS_PER_MS;
		int n = poll(&polled, 1, left_ms < 0 ? 0 : (int)left_ms + 1);
		if (n > 0)
			return 0;
		if (n == 0 && left_ms <= 0)
			return -ETIMEDOUT;
	}
}

/* Read one packet. 1, 0 when there is none now, -ESRCH when there never will. */
static int receive(struct shim *shim, void *packet, size_t size, size_t *ret_len)
{
	if (shim->closed)
		return -ESRCH;
	ssize_t n = recv(shim->fd, packet, size, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		shim->closed = true;
		return -ESRCH;
	}
	*ret_len = (size_t)n;
	return 1;
}

static void keep_event(struct shim *shim, const struct shim_message *message)
{
	if (message->type == SHIM_MESSAGE_STDIN_READY)
		shim->stdin_ready = true;
	if (message->type == SHIM_MESSAGE_STDIN_GONE)
		shim->stdin_gone = true;
	if (message->type == SHIM_MESSAGE_EXITED) {
		shim->has_exited = true;
		shim->exited = (struct shim_event){
			.type = SHIM_EXITED,
			.exit_code = message->exit_code,
			.finished_ns = message->finished_ns,
		};
	}
}

/* Give out what was kept, in the order in which it can only have come. */
static enum shim_event_type take_kept(struct shim *shim)
{
	enum shim_event_type type = shim->stdin_ready  ? SHIM_STDIN_READY
				    : shim->stdin_gone ? SHIM_STDIN_GONE
				    : shim->has_exited ? SHIM_EXITED
						       : SHIM_NONE;
	if (type == SHIM_STDIN_READY)
		shim->stdin_ready = false;
	else if (type == SHIM_STDIN_GONE)
		shim->stdin_gone = false;
	else if (type == SHIM_EXITED)
		shim->has_exited = false;
	return type;
}

struct shim_event shim_read_event(struct shim *shim)
{
	for (;;) {
		struct shim_message message = { 0 };
		size_t len;
		enum shim_event_type type = take_kept(shim);
		if (type == SHIM_EXITED)
			return shim->exited;
		if (type != SHIM_NONE)
			return (struct shim_event){ .type = type };
		int r = receive(shim, &message, sizeof(message), &len);
		if (r <= 0)
			return (struct shim_event){ .type = r < 0 ? SHIM_CLOSED : SHIM_NONE };
		keep_event(shim, &message); /* a late reply or a POKE is passed over */
	}
}

static void poke(struct shim *shim)
{
	struct shim_request request = { .op = SHIM_OP_POKE };
	if (!shim->stdin_ready && !shim->stdin_gone && !shim->has_exited)
		return;
	/* When this fails there is an end of file, or much else, to be read. */
	send(shim->fd, &request, sizeof(request), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static int send_request(struct shim *shim, const struct shim_request *request, const void *bytes,
			size_t len, int64_t until_ns, struct error *err)
{
	struct iovec iov[2] = {
		{ .iov_base = (void *)request, .iov_len = sizeof(*request) },
		{ .iov_base = (void *)bytes, .iov_len = len },
	};
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 2 };
	for (;;) {
		if (sendmsg(shim->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
			return 0;
		if (errno != EAGAIN && errno != EINTR)
			return error_set(err, ESRCH, "the container's shim has gone");
		if (wait_until(shim->fd, POLLOUT, until_ns) < 0)
			return error_set(err, ETIMEDOUT, "the container's shim takes no request");
	}
}

/* Send one request and wait for its reply. The reply's result, or -ESRCH or
 * -ETIMEDOUT with a sentence. */
static int64_t ask(struct shim *shim, struct shim_request request, const void *bytes, size_t len,
		   struct error *err)
{
	int64_t until_ns = clock_monotonic_ns() + (int64_t)REPLY_TIMEOUT_MS * NS_PER_MS;
	request.seq = ++shim->seq;
	int r = send_request(shim, &request, bytes, len, until_ns, err);
	while (r == 0) {
		struct shim_message message = { 0 };
		size_t got;
		int n = receive(shim, &message, sizeof(message), &got);
		if (n < 0) {
			r = error_set(err, ESRCH, "the container's shim has gone");
		} else if (n == 0) {
			if (wait_until(shim->fd, POLLIN, until_ns) < 0)
				r = error_set(err, ETIMEDOUT,
					      "the container's shim does not answer");
		} else if (message.type == SHIM_MESSAGE_REPLY && message.seq == request.seq) {
			poke(shim);
			return message.result;
		} else {
			keep_event(shim, &message);
		}
	}
	poke(shim);
	return r;
}

/* A result of the shim as one of ours. */
static int judge(int64_t result, const char *what, struct error *err)
{
	if (result >= 0)
		return 0;
	if (err && err->code)
		return (int)result;
	if (result == -ESRCH)
		return error_set(err, ESRCH, "cannot %s: the container is not running", what);
	if (result == -EPIPE)
		return error_set(err, EPIPE, "cannot %s: stdin is closed", what);
	if (result == -ENOTTY)
		return error_set(err, ENOTTY, "cannot %s: the container has no terminal", what);
	return error_set_sys(err, (int)-result, "cannot %s", what);
}

int shim_signal(struct shim *shim, uint64_t number, int signo, struct error *err)
{
	struct shim_request request = {
		.op = SHIM_OP_SIGNAL,
		.number = number,
		.a = (uint32_t)signo,
	};
	return judge(ask(shim, request, NULL, 0, err), "send a signal", err);
}

int shim_resize(struct shim *shim, uint64_t number, unsigned rows, unsigned cols, struct error *err)
{
	struct shim_request request = {
		.op = SHIM_OP_RESIZE,
		.number = number,
		.a = rows,
		.b = cols,
	};
	return judge(ask(shim, request, NULL, 0, err), "resize the terminal", err);
}

int shim_close_stdin(struct shim *shim, uint64_t number, struct error *err)
{
	struct shim_request request = { .op = SHIM_OP_CLOSE_STDIN, .number = number };
	return judge(ask(shim, request, NULL, 0, err), "close stdin", err);
}

int shim_drop(struct shim *shim, struct error *err)
{
	struct shim_request request = { .op = SHIM_OP_DROP };
	return judge(ask(shim, request, NULL, 0, err), "drop the output", err);
}

ssize_t shim_stdin(struct shim *shim, uint64_t number, const void *bytes, size_t len,
		   struct error *err)
{
	size_t taken = 0;
	for (;;) {
		size_t chunk = len - taken < SHIM_STDIN_CHUNK ? len - taken : SHIM_STDIN_CHUNK;
		struct shim_request request = {
			.op = SHIM_OP_STDIN,
			.number = number,
			.offset = taken,
		};
		int64_t r = ask(shim, request, (const char *)bytes + taken, chunk, err);
		if (r < 0)
			return judge(r, "write to stdin", err);
		/* Less than was sent: it is full; when nothing is left: done. */
		if ((uint64_t)r >= len || (uint64_t)r < taken + chunk)
			return (uint64_t)r < len ? (ssize_t)r : (ssize_t)len;
		taken = (size_t)r;
	}
}

/* What the shim's first packet says. */
static int greet(struct shim *shim, int timeout_ms, struct launch_result *ret_result,
		 bool *ret_program, struct error *err)
{
	union {
		struct shim_message message;
		struct shim_failed failed;
	} packet;
	size_t len;
	int64_t until_ns = clock_monotonic_ns() + (int64_t)timeout_ms * NS_PER_MS;
	int r;
	memset(&packet, 0, sizeof(packet));
	while ((r = receive(shim, &packet, sizeof(packet), &len)) == 0)
		if (wait_until(shim->fd, POLLIN, until_ns) < 0)
			return error_set(err, ETIMEDOUT, "the container's shim does not answer");
	if (r < 0)
		return error_set(err, ESRCH, "the container's shim has gone");
	if (packet.message.type == SHIM_MESSAGE_FAILED && len == sizeof(packet.failed)) {
		if (ret_program)
			*ret_program = packet.failed.program != 0;
		return error_set(err, packet.failed.error.code, "%s", packet.failed.error.msg);
	}
	if (packet.message.type != SHIM_MESSAGE_HELLO ||
	    packet.message.result != SHIM_PROTOCOL_VERSION)
		return error_set(err, EPROTO, "the container's shim is of another version");
	ret_result->pid = packet.message.pid;
	return 0;
}

int shimclient_open(int fd, int pidfd, pid_t shim_pid, bool is_child, int timeout_ms,
		    struct shim **ret, struct launch_result *ret_result, bool *ret_program,
		    struct error *err)
{
	struct launch_result result = { .shim_pid = shim_pid };
	struct shim *shim = calloc(1, sizeof(*shim));
	if (!shim) {
		close(fd);
		close(pidfd);
		return error_set_sys(err, ENOMEM, "cannot hold a connection to a shim");
	}
	*shim = (struct shim){ .fd = fd, .pidfd = pidfd };
	int r = greet(shim, timeout_ms, &result, ret_program, err);
	if (r < 0) {
		shim_free(shim);
		return r;
	}
	shim->is_child = is_child; /* not before: a failed start is reaped by the caller */
	*ret = shim;
	*ret_result = result;
	return 0;
}
