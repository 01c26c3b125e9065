/* How the plan comes: the engine's packets with descriptors, and a memfd among them with the
 * message. Until then the shim has done nothing that anybody could see, and when the engine
 * goes instead, so does it.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/protocol.h"
#include "runtime/shim/shim.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

/* Append the descriptors of one packet. 1, 0 at the end of the connection, -errno. */
static int take_packet(int socket_fd, struct order *order, uint32_t *ret_total)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(SHIM_ORDER_FDS * sizeof(int))];
	} control;
	struct shim_order packet;
	struct iovec iov = { .iov_base = &packet, .iov_len = sizeof(packet) };
	struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };
	message.msg_control = &control;
	message.msg_controllen = sizeof(control);
	ssize_t n = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
	if (n <= 0)
		return n < 0 ? -errno : 0;
	const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (n != (ssize_t)sizeof(packet) || !header || packet.fd_count > PLAN_FDS_MAX ||
	    (message.msg_flags & MSG_CTRUNC))
		return -EPROTO;
	size_t bytes = header->cmsg_len - CMSG_LEN(0);
	size_t count = order->count + bytes / sizeof(int);
	int *fds = count <= packet.fd_count ? realloc(order->fds, count * sizeof(int)) : NULL;
	if (!fds)
		return -ENOMEM;
	memcpy(fds + order->count, CMSG_DATA(header), bytes);
	order->fds = fds;
	order->count = count;
	*ret_total = packet.fd_count;
	return 1;
}

static int map_message(struct order *order, struct plan *ret_plan, struct error *err)
{
	struct stat st;
	if (fstat(order->fds[0], &st) < 0 || st.st_size <= 0)
		return error_set(err, EPROTO, "launch plan: it is empty");
	void *message = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE,
			     order->fds[0], 0);
	if (message == MAP_FAILED)
		return error_set_sys(err, errno, "cannot read the launch plan");
	order->message = message;
	order->size = (size_t)st.st_size;
	int r = plan_parse(message, order->size, ret_plan, err);
	return r < 0 ? r : plan_place_fds(message, order->fds + 1, order->count - 1, err);
}

int order_receive(int socket_fd, struct order *order, struct plan *ret_plan, struct error *err)
{
	uint32_t total = 1;
	while (order->count < total) {
		int r = take_packet(socket_fd, order, &total);
		if (r < 0)
			return error_set_sys(err, -r, "cannot receive the launch plan");
		if (r == 0)
			return 0;
	}
	int r = map_message(order, ret_plan, err);
	return r < 0 ? r : 1;
}

void order_close(struct order *order, int kept_fd)
{
	for (size_t i = 0; i < order->count; i++)
		if (order->fds[i] != kept_fd)
			close(order->fds[i]);
	free(order->fds);
	munmap(order->message, order->size);
}
