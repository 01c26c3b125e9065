/* The shim's socket: engines connect, ask, and are told what happens.
 *
 * The shim never waits for an engine. One that does not read what it is sent is
 * cut off: it can connect again and finds all it needs in RUN.
 */
#include "runtime/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A socket of an earlier run: left behind by a killed shim (removed here), or
 * of one that still waits for room to write its log. */
static int clear_stale(const struct sockaddr_un *address, struct error *err)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot make a socket");
	int r = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	int code = errno;
	close(fd);
	if (r == 0 || code == EAGAIN)
		return error_set(err, EBUSY, "the log of the run before is not written yet");
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return error_set_sys(err, errno, "cannot remove an old '%s'", SHIM_SOCKET_NAME);
	return 0;
}

int server_listen(struct shim *shim, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = SHIM_SOCKET_NAME };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* sun_path is short: the address is relative to the directory. */
	if (fd < 0 || fchdir(shim->run_dir_fd) < 0)
		return error_set_sys(err, errno, "cannot make the shim's socket");
	umask(077);
	int r = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	if (r < 0 && errno == EADDRINUSE) {
		r = clear_stale(&address, err);
		if (r < 0)
			return r;
		r = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	}
	if (r < 0)
		return error_set_sys(err, errno, "cannot bind '%s'", SHIM_SOCKET_NAME);
	shim->listen_fd = fd; /* from here on the file is ours to remove */
	if (listen(fd, SHIM_CONNECTIONS) < 0)
		return error_set_sys(err, errno, "cannot listen on '%s'", SHIM_SOCKET_NAME);
	return 0;
}

void server_remove(const struct shim *shim)
{
	if (shim->listen_fd < 0)
		return; /* what is there belongs to another shim */
	unlinkat(shim->run_dir_fd, SHIM_SOCKET_NAME, 0);
	unlinkat(shim->run_dir_fd, SHIM_EXIT_TEMPORARY, 0);
	unlinkat(shim->run_dir_fd, SHIM_PID_NAME, 0);
}

static void close_connection(struct shim_connection *connection)
{
	close(connection->fd);
	*connection = (struct shim_connection){ .fd = -1 };
}

static void send_message(struct shim_connection *connection, const struct shim_message *message)
{
	ssize_t n = send(connection->fd, message, sizeof(*message), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n != (ssize_t)sizeof(*message))
		close_connection(connection);
}

static struct shim_message make_message(const struct shim *shim, enum shim_message_type type)
{
	return (struct shim_message){
		.type = type,
		.result = type == SHIM_MESSAGE_HELLO ? SHIM_PROTOCOL_VERSION : 0,
		.run = shim->run,
		.started_ns = shim->started_ns,
		.finished_ns = shim->finished_ns,
		.pid = shim->pid,
		.exit_code = shim->exit_code,
		.signo = shim->signo,
	};
}

void server_add(struct shim *shim, int fd)
{
	for (unsigned i = 0; i < SHIM_CONNECTIONS; i++) {
		struct shim_connection *connection = &shim->connections[i];
		struct shim_message hello = make_message(shim, SHIM_MESSAGE_HELLO);
		struct shim_message exited = make_message(shim, SHIM_MESSAGE_EXITED);
		if (connection->fd >= 0)
			continue;
		*connection = (struct shim_connection){ .fd = fd };
		send_message(connection, &hello);
		if (connection->fd >= 0 && shim->announced)
			send_message(connection, &exited);
		return;
	}
	close(fd);
}

void server_send_all(struct shim *shim, enum shim_message_type type)
{
	struct shim_message message = make_message(shim, type);
	for (unsigned i = 0; i < SHIM_CONNECTIONS; i++) {
		struct shim_connection *connection = &shim->connections[i];
		if (connection->fd < 0 ||
		    (type == SHIM_MESSAGE_STDIN_READY && !connection->wants_stdin))
			continue;
		connection->wants_stdin = false;
		send_message(connection, &message);
	}
}

static int64_t resize(const struct shim *shim, const struct shim_request *request)
{
	struct winsize size = {
		.ws_row = (unsigned short)request->a,
		.ws_col = (unsigned short)request->b,
	};
	if (!shim->tty)
		return -ENOTTY;
	if (request->a > UINT16_MAX || request->b > UINT16_MAX)
		return -EINVAL;
	return ioctl(shim->slave_fd, TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

/* What is done at most once per number. */
static int64_t carry_out(struct shim *shim, const struct shim_request *request)
{
	const int64_t *known = numbers_find(&shim->numbers, request->number);
	int64_t result = -ENOTSUP;
	if (known)
		return *known;
	if (shim->ended && request->op != SHIM_OP_DROP)
		return -ESRCH;
	if (request->op == SHIM_OP_SIGNAL)
		result = kill(shim->pid, (int)request->a) < 0 ? -errno : 0;
	else if (request->op == SHIM_OP_RESIZE)
		result = resize(shim, request);
	else if (request->op == SHIM_OP_CLOSE_STDIN)
		result = stdin_close(shim);
	else if (request->op == SHIM_OP_DROP)
		result = 0;
	if (request->op == SHIM_OP_DROP)
		shim->logs.dropped = true;
	if (result >= 0)
		numbers_set(&shim->numbers, request->number, result);
	return result;
}

static void answer(struct shim *shim, struct shim_connection *connection, const char *packet,
		   size_t len)
{
	struct shim_request request;
	struct shim_message reply = make_message(shim, SHIM_MESSAGE_REPLY);
	memcpy(&request, packet, sizeof(request));
	reply.seq = request.seq;
	if (request.op == SHIM_OP_POKE)
		reply.type = SHIM_MESSAGE_POKE;
	else if (request.op == SHIM_OP_STDIN)
		reply.result = stdin_give(shim, connection, &request, packet + sizeof(request),
					  len - sizeof(request));
	else
		reply.result = carry_out(shim, &request);
	if (connection->fd >= 0)
		send_message(connection, &reply);
}

static void handle_connection(struct shim *shim, struct shim_connection *connection)
{
	size_t most = sizeof(struct shim_request) + SHIM_STDIN_CHUNK;
	ssize_t n = recv(connection->fd, shim->packet, most, MSG_DONTWAIT | MSG_TRUNC);
	if (n >= (ssize_t)sizeof(struct shim_request) && (size_t)n <= most) {
		shim->chunk_used = true;
		answer(shim, connection, shim->packet, (size_t)n);
	} else if (n >= 0 || errno != EAGAIN) {
		close_connection(connection);
	}
}

void server_handle(struct shim *shim, const struct pollfd *listener,
		   const struct pollfd polled[SHIM_CONNECTIONS])
{
	for (unsigned i = 0; i < SHIM_CONNECTIONS; i++)
		if (polled[i].revents && shim->connections[i].fd == polled[i].fd)
			handle_connection(shim, &shim->connections[i]);
	if (listener->revents) {
		int fd = accept4(shim->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0)
			server_add(shim, fd);
	}
}
