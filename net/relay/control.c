/* Engines: whoever can open the control socket (root's, 0600) and says what to hold.
 */
#include "net/relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct client {
	struct watch watch;
};

static void end_listener(struct listener **at)
{
	struct listener *listener = *at;

	*at = listener->next;
	udp_forget(listener);
	relay_unwatch(&listener->watch);
	relay_free_later(&listener->watch);
}

static bool is_of(const struct listener *listener, const struct relay_request *request)
{
	return memcmp(listener->id, request->id, RELAY_ID_SIZE) == 0;
}

static int64_t add(const struct relay_request *request, int fd)
{
	struct listener *listener;
	bool is_tcp = request->protocol == IPPROTO_TCP;

	if (fd < 0 || (!is_tcp && request->protocol != IPPROTO_UDP))
		return -EINVAL;
	listener = calloc(1, sizeof(*listener));
	if (!listener)
		return -ENOMEM;
	listener->watch = (struct watch){ .fn = is_tcp ? tcp_accept : udp_receive, .fd = dup(fd) };
	listener->protocol = request->protocol;
	listener->target = request->target;
	memcpy(listener->id, request->id, RELAY_ID_SIZE);
	if (listener->watch.fd < 0 || !relay_watch(&listener->watch, EPOLLIN)) {
		int code = errno;

		if (listener->watch.fd >= 0)
			close(listener->watch.fd);
		free(listener);
		return -code;
	}
	listener->next = relay.listeners;
	relay.listeners = listener;
	return 0;
}

static int64_t drop(const struct relay_request *request)
{
	struct listener **at = &relay.listeners;
	int64_t count = 0;

	while (*at) {
		bool goes = request->op == RELAY_OP_SWEEP ? (*at)->in_doubt : is_of(*at, request);

		if (goes) {
			end_listener(at);
			count++;
		} else {
			at = &(*at)->next;
		}
	}
	return count;
}

static int64_t count(const struct relay_request *request)
{
	int64_t found = 0;

	for (struct listener *at = relay.listeners; at; at = at->next) {
		if (request->op == RELAY_OP_MARK)
			at->in_doubt = true;
		if (!is_of(at, request))
			continue;
		if (request->op == RELAY_OP_KEEP)
			at->in_doubt = false;
		found++;
	}
	return found;
}

static int64_t carry_out(const struct relay_request *request, int fd)
{
	switch (request->op) {
	case RELAY_OP_ADD:
		return add(request, fd);
	case RELAY_OP_DROP:
	case RELAY_OP_SWEEP:
		return drop(request);
	case RELAY_OP_COUNT:
	case RELAY_OP_MARK:
	case RELAY_OP_KEEP:
		return count(request);
	default:
		return -EINVAL;
	}
}

/* The packet, and the descriptor that came with it or -1. */
static ssize_t receive(int socket_fd, struct relay_request *ret, int *ret_fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} room;
	struct iovec part = { .iov_base = ret, .iov_len = sizeof(*ret) };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = room.bytes,
				  .msg_controllen = sizeof(room.bytes) };
	struct cmsghdr *header;
	ssize_t len = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	*ret_fd = -1;
	if (len < 0)
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
	    header->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
	return len;
}

static void serve(struct watch *watch, uint32_t events)
{
	struct relay_request request = { .op = 0 };
	int64_t answer;
	int fd;
	ssize_t len = receive(watch->fd, &request, &fd);

	(void)events;
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		relay_unwatch(watch);
		relay_free_later(watch);
		relay.connected--;
		return;
	}
	answer = carry_out(&request, fd);
	if (fd >= 0)
		close(fd);
	(void)send(watch->fd, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void control_accept(struct watch *watch, uint32_t events)
{
	int fd = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *client = fd >= 0 ? calloc(1, sizeof(*client)) : NULL;

	(void)events;
	if (!client) {
		if (fd >= 0)
			close(fd);
		return;
	}
	client->watch = (struct watch){ .fn = serve, .fd = fd };
	if (!relay_watch(&client->watch, EPOLLIN)) {
		close(fd);
		free(client);
		return;
	}
	relay.connected++;
}
