/* A host in a network namespace of the test's own, a container, a neighbour, and a client
 * host behind another interface; and an exchange of real packets between any two of them.
 */
#ifndef TESTS_NET_STAGE_H
#define TESTS_NET_STAGE_H

#include "net/network.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define BRIDGE "cftest0"
#define WAIT_MS 10000
#define REFUSED_MS 300 /* that nothing comes is no event that could be waited for */

struct stage {
	int host_ns, client_ns;
	struct network *network;
	struct network_lease lease, neighbour;
	int lease_ns, neighbour_ns;
	char run_path[64];
	int run_fd;
};

static inline int run_ip(const char *command)
{
	/* NOLINTNEXTLINE(cert-env33-c): the client's side is not ours to make. */
	return system(command);
}

static inline int open_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The client host, then ours, connected by 10.99.0.0/24 and fd99::/64. */
static inline void make_hosts(struct stage *stage)
{
	char command[600];

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	stage->client_ns = open_namespace();
	assert_int_equal(run_ip("ip link set lo up"), 0);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	stage->host_ns = open_namespace();
	snprintf(command, sizeof(command),
		 "ip link set lo up && ip link add up0 type veth peer name up0 netns "
		 "/proc/%d/fd/%d && "
		 "ip addr add 10.99.0.1/24 dev up0 && "
		 "ip -6 addr add fd99::1/64 dev up0 nodad && ip link set up0 up && "
		 "nsenter --net=/proc/%d/fd/%d sh -c 'ip addr add 10.99.0.2/24 dev up0; "
		 "ip -6 addr add fd99::2/64 dev up0 nodad; ip link set up0 up; "
		 "ip route add default via 10.99.0.1; ip -6 route add default via fd99::1'",
		 (int)getpid(), stage->client_ns, (int)getpid(), stage->client_ns);
	assert_int_equal(run_ip(command), 0);
}

static inline void open_network(struct stage *stage)
{
	struct network_options options = { .run_fd = stage->run_fd,
					   .bridge = BRIDGE,
					   .subnet = "10.88.0.0/24",
					   .instance = "fedcba9876543210" };
	struct error err = ERROR_INIT;

	assert_ok(network_open(&options, &stage->network, &err), &err);
}

static inline int set_up(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));
	struct error err = ERROR_INIT;

	assert_non_null(stage);
	stage->run_fd = test_make_dir(stage->run_path);
	make_hosts(stage);
	open_network(stage);
	assert_ok(network_join(stage->network, &stage->lease, &stage->lease_ns, &err), &err);
	assert_ok(network_join(stage->network, &stage->neighbour, &stage->neighbour_ns, &err),
		  &err);
	*state = stage;
	return 0;
}

static inline int tear_down(void **state)
{
	struct stage *stage = *state;
	int fds[] = { stage->host_ns, stage->client_ns, stage->lease_ns, stage->neighbour_ns };

	network_leave(stage->network, &stage->lease);
	network_leave(stage->network, &stage->neighbour);
	network_close(stage->network);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	test_remove_dir(stage->run_fd, stage->run_path);
	free(stage);
	return 0;
}

/* --- packets ------------------------------------------------------------------------- */

struct name {
	struct sockaddr_storage address;
	socklen_t len;
};

static inline struct name make_name(const char *text, uint16_t port)
{
	struct name name = { .len = 0 };
	struct sockaddr_in *v4 = (struct sockaddr_in *)&name.address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&name.address;

	if (strchr(text, ':')) {
		*v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		name.len = sizeof(*v6);
	} else {
		*v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
		name.len = sizeof(*v4);
	}
	return name;
}

static inline const char *get_text(const struct sockaddr_storage *address)
{
	static char text[INET6_ADDRSTRLEN];
	const void *bytes = &((const struct sockaddr_in *)address)->sin_addr;

	if (address->ss_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)address)->sin6_addr;
	return inet_ntop(address->ss_family, bytes, text, sizeof(text));
}

/* A socket of that namespace: the calling thread comes back. */
static inline int open_socket(const struct stage *stage, int ns_fd, int family, int type)
{
	int fd;

	assert_int_equal(setns(ns_fd, CLONE_NEWNET), 0);
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(stage->host_ns, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	return fd;
}

/* A server in the first container, on its port 80. */
static inline int serve(const struct stage *stage, bool is_v6, int type)
{
	struct name name = make_name(is_v6 ? "::" : "0.0.0.0", 80);
	int fd = open_socket(stage, stage->lease_ns, is_v6 ? AF_INET6 : AF_INET, type);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (is_v6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&name.address, name.len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static inline const char *ask_for(const struct stage *stage, int from_ns, int server, int type,
				  const char *to, uint16_t port, int wait_ms)
{
	struct name name = make_name(to, port);
	auto_fd int client =
		open_socket(stage, from_ns, name.address.ss_family, type | SOCK_NONBLOCK);
	struct pollfd at_server = { .fd = server, .events = POLLIN };
	struct pollfd at_client = { .fd = client, .events = POLLIN };
	static struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	char byte = 'x';

	if (connect(client, (struct sockaddr *)&name.address, name.len) < 0 && errno != EINPROGRESS)
		return NULL;
	if (type == SOCK_DGRAM && send(client, &byte, 1, 0) != 1)
		return NULL;
	at_client.events = type == SOCK_STREAM ? POLLOUT : POLLIN;
	if (poll(&at_server, 1, wait_ms) != 1)
		return NULL;
	if (type == SOCK_STREAM) {
		auto_fd int got = accept(server, (struct sockaddr *)&peer, &len);

		assert_true(got >= 0);
		assert_int_equal(send(got, &byte, 1, 0), 1);
		at_client.events = POLLIN;
		assert_int_equal(poll(&at_client, 1, WAIT_MS), 1);
		assert_int_equal(recv(client, &byte, 1, 0), 1);
		return get_text(&peer);
	}
	assert_int_equal(recvfrom(server, &byte, 1, 0, (struct sockaddr *)&peer, &len), 1);
	assert_int_equal(sendto(server, &byte, 1, 0, (struct sockaddr *)&peer, len), 1);
	assert_int_equal(poll(&at_client, 1, WAIT_MS), 1);
	assert_int_equal(recv(client, &byte, 1, 0), 1);
	return get_text(&peer);
}

/* One exchange; the text of the address that the server saw, or NULL when nothing came. */
static inline const char *ask(const struct stage *stage, int from_ns, int server, int type,
			      const char *to, uint16_t port)
{
	return ask_for(stage, from_ns, server, type, to, port, WAIT_MS);
}

/* Nothing comes of one. */
static inline bool is_out_of_reach(const struct stage *stage, int from_ns, int server, int type,
				   const char *to, uint16_t port)
{
	return !ask_for(stage, from_ns, server, type, to, port, REFUSED_MS);
}

#endif
