/* Connections: two sockets and a pipe each way, moved by splice(2) without a copy. A side
 * that ends its output has the other side's input ended when the pipe is empty; when both
 * have, or one fails, the connection is over.
 */
#include "net/relay/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define CHUNK 65536

struct half {
	struct watch watch; /* of the socket that is read from */
	struct connection *connection;
	struct half *other;
	int pipe[2];
	size_t filled; /* bytes in the pipe, on their way to the other socket */
	bool ended;    /* nothing more comes in */
	bool shut;     /* and the other socket has been told */
	uint32_t events;
};

struct connection {
	struct half client; /* its watch is the first member */
	struct half server;
	bool connecting;
};

static void end_half(struct half *half)
{
	relay_unwatch(&half->watch);
	for (int i = 0; i < 2; i++)
		if (half->pipe[i] >= 0)
			close(half->pipe[i]);
	half->pipe[0] = half->pipe[1] = -1;
}

static void end(struct connection *connection)
{
	end_half(&connection->client);
	end_half(&connection->server);
	relay_free_later(&connection->client.watch);
}

static bool is_busy(int code)
{
	return code == EAGAIN || code == EINTR;
}

/* As much as goes; false when the connection has failed. */
static bool move(struct half *half)
{
	ssize_t got;

	while (!half->ended && half->filled < CHUNK) {
		got = splice(half->watch.fd, NULL, half->pipe[1], NULL, CHUNK - half->filled,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (got < 0 && is_busy(errno))
			break;
		if (got < 0)
			return false;
		if (got == 0)
			half->ended = true;
		half->filled += (size_t)got;
	}
	while (half->filled > 0) {
		got = splice(half->pipe[0], NULL, half->other->watch.fd, NULL, half->filled,
			     SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
		if (got < 0 && is_busy(errno))
			break;
		if (got <= 0)
			return false;
		half->filled -= (size_t)got;
	}
	if (half->ended && half->filled == 0 && !half->shut) {
		half->shut = true;
		shutdown(half->other->watch.fd, SHUT_WR);
	}
	return true;
}

/* A socket is watched for what can go on: input while its pipe has room, output while the
 * other pipe holds something for it. */
static bool set_events(struct half *half)
{
	uint32_t want = 0;

	if (!half->ended && half->filled < CHUNK)
		want |= EPOLLIN;
	if (half->other->filled > 0)
		want |= EPOLLOUT;
	if (want == half->events)
		return true;
	half->events = want;
	return relay_rewatch(&half->watch, want);
}

static bool finish_connecting(struct connection *connection)
{
	int code = 0;
	socklen_t len = sizeof(code);

	connection->connecting = false;
	return getsockopt(connection->server.watch.fd, SOL_SOCKET, SO_ERROR, &code, &len) == 0 &&
	       code == 0;
}

static void serve(struct watch *watch, uint32_t events)
{
	struct half *half = (struct half *)watch;
	struct connection *connection = half->connection;
	bool going = true;

	if (connection->connecting) {
		if (half != &connection->server) {
			/* The client left before there was anybody to talk to. */
			if (events & (EPOLLHUP | EPOLLERR))
				end(connection);
			return;
		}
		going = finish_connecting(connection);
	}
	going = going && move(&connection->client) && move(&connection->server);
	/* An error that nothing is left to be moved into is seen here alone. */
	if (going && (events & EPOLLERR))
		going = false;
	if (!going || (connection->client.shut && connection->server.shut) ||
	    !set_events(&connection->client) || !set_events(&connection->server))
		end(connection);
}

static int connect_to(const struct sockaddr_in6 *target)
{
	int fd = socket(target->sin6_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, (const struct sockaddr *)target, relay_get_len(target)) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

static bool set_up(struct half *half, struct connection *connection, struct half *other, int fd)
{
	int one = 1;

	*half = (struct half){ .watch = { .fn = serve, .fd = fd },
			       .connection = connection,
			       .other = other,
			       .pipe = { -1, -1 } };
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return pipe2(half->pipe, O_NONBLOCK | O_CLOEXEC) == 0;
}

static bool begin(struct connection *connection, int client_fd, int server_fd)
{
	bool ok = set_up(&connection->client, connection, &connection->server, client_fd);

	ok = set_up(&connection->server, connection, &connection->client, server_fd) && ok;
	connection->connecting = true;
	connection->server.events = EPOLLOUT;
	return ok && relay_watch(&connection->client.watch, 0) &&
	       relay_watch(&connection->server.watch, EPOLLOUT);
}

void tcp_accept(struct watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)watch;
	int client_fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int server_fd = client_fd >= 0 ? connect_to(&listener->target) : -1;
	struct connection *connection = server_fd >= 0 ? calloc(1, sizeof(*connection)) : NULL;

	(void)events;
	if (!connection) {
		/* Closed at once, the client sees a reset: nobody is there. */
		if (client_fd >= 0)
			close(client_fd);
		if (server_fd >= 0)
			close(server_fd);
		return;
	}
	if (!begin(connection, client_fd, server_fd))
		end(connection);
}
