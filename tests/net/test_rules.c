/* Published ports with real packets: a host in a namespace of the test's own, a container,
 * a neighbour, and a client host behind another interface.
 */
#include "net/link.h"
#include "net/network.h"
#include "net/rules.h"
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
	struct rules *rules;
};

static int run_ip(const char *command)
{
	/* NOLINTNEXTLINE(cert-env33-c): the client's side is not ours to make. */
	return system(command);
}

static int open_namespace(void)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* The client host, then ours, connected by 10.99.0.0/24 and fd99::/64. */
static void make_hosts(struct stage *stage)
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

static int set_up(void **state)
{
	struct network_options options = { .bridge = BRIDGE,
					   .subnet = "10.88.0.0/24",
					   .instance = "fedcba9876543210" };
	struct stage *stage = calloc(1, sizeof(*stage));
	struct network_facts facts;
	struct error err = ERROR_INIT;

	assert_non_null(stage);
	make_hosts(stage);
	assert_ok(network_open(&options, &stage->network, &err), &err);
	assert_ok(network_join(stage->network, &stage->lease, &stage->lease_ns, &err), &err);
	assert_ok(network_join(stage->network, &stage->neighbour, &stage->neighbour_ns, &err),
		  &err);
	network_get_facts(stage->network, &facts);
	assert_ok(rules_new("cf-test", &stage->rules, &err), &err);
	assert_ok(rules_set(stage->rules, BRIDGE, &facts.gateways, NULL, 0, &err), &err);
	*state = stage;
	return 0;
}

static int tear_down(void **state)
{
	struct stage *stage = *state;
	int fds[] = { stage->host_ns, stage->client_ns, stage->lease_ns, stage->neighbour_ns };

	rules_free(stage->rules);
	network_leave(stage->network, &stage->lease);
	network_leave(stage->network, &stage->neighbour);
	network_close(stage->network);
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		close(fds[i]);
	free(stage);
	return 0;
}

/* --- packets ------------------------------------------------------------------------- */

struct name {
	struct sockaddr_storage address;
	socklen_t len;
};

static struct name make_name(const char *text, uint16_t port)
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

static const char *get_text(const struct sockaddr_storage *address)
{
	static char text[INET6_ADDRSTRLEN];
	const void *bytes = &((const struct sockaddr_in *)address)->sin_addr;

	if (address->ss_family == AF_INET6)
		bytes = &((const struct sockaddr_in6 *)address)->sin6_addr;
	return inet_ntop(address->ss_family, bytes, text, sizeof(text));
}

/* A socket of that namespace: the calling thread comes back. */
static int open_socket(const struct stage *stage, int ns_fd, int family, int type)
{
	int fd;

	assert_int_equal(setns(ns_fd, CLONE_NEWNET), 0);
	fd = socket(family, type | SOCK_CLOEXEC, 0);
	assert_int_equal(setns(stage->host_ns, CLONE_NEWNET), 0);
	assert_true(fd >= 0);
	return fd;
}

/* A server in the first container, on its port 80. */
static int serve(const struct stage *stage, bool is_v6, int type)
{
	struct name name = make_name(is_v6 ? "::" : "0.0.0.0", 80);
	int fd = open_socket(stage, stage->lease_ns, is_v6 ? AF_INET6 : AF_INET, type);
	int one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	assert_int_equal(bind(fd, (struct sockaddr *)&name.address, name.len), 0);
	if (type == SOCK_STREAM)
		assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/* One exchange; the text of the address that the server saw, or NULL when nothing came. */
static const char *ask(const struct stage *stage, int from_ns, int server, int type, const char *to,
		       uint16_t port)
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
	if (poll(&at_server, 1, REFUSED_MS) != 1)
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

static struct rules_port make_port(const struct stage *stage, bool is_v6, uint8_t protocol,
				   const char *host, uint16_t host_port)
{
	struct rules_port port = {
		.is_v6 = is_v6, .protocol = protocol, .host_port = host_port, .target_port = 80
	};

	inet_pton(is_v6 ? AF_INET6 : AF_INET, host, &port.host);
	if (is_v6)
		port.target = stage->lease.addresses.address6;
	else
		memcpy(&port.target, &stage->lease.addresses.address, sizeof(struct in_addr));
	return port;
}

/* From everywhere, by every address. The client's own is kept; what must come back by us is
 * masked: the host's loopback and the bridge's own containers. */
static void check_family(struct stage *stage, bool is_v6, int type)
{
	uint8_t protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
	struct rules_port port = make_port(stage, is_v6, protocol, is_v6 ? "::" : "0.0.0.0", 8080);
	const char *uplink = is_v6 ? "fd99::1" : "10.99.0.1";
	struct error err = ERROR_INIT;
	auto_fd int server = serve(stage, is_v6, type);

	assert_null(ask(stage, stage->client_ns, server, type, uplink, 8080));
	assert_ok(rules_add(stage->rules, &port, 1, &err), &err);
	assert_string_equal(ask(stage, stage->client_ns, server, type, uplink, 8080),
			    is_v6 ? "fd99::2" : "10.99.0.2");
	assert_non_null(ask(stage, stage->host_ns, server, type, uplink, 8080));
	if (!is_v6) {
		assert_string_equal(ask(stage, stage->host_ns, server, type, "127.0.0.1", 8080),
				    "10.88.0.1");
		assert_string_equal(ask(stage, stage->host_ns, server, type, "10.88.0.1", 8080),
				    "10.88.0.1");
	}
	assert_non_null(ask(stage, stage->neighbour_ns, server, type, uplink, 8080));
	assert_non_null(ask(stage, stage->lease_ns, server, type, uplink, 8080));
	assert_ok(rules_remove(stage->rules, &port, 1, &err), &err);
	assert_null(ask(stage, stage->client_ns, server, type, uplink, 8080));
}

static void test_tcp(void **state)
{
	check_family(*state, false, SOCK_STREAM);
	check_family(*state, true, SOCK_STREAM);
}

static void test_udp(void **state)
{
	check_family(*state, false, SOCK_DGRAM);
	check_family(*state, true, SOCK_DGRAM);
}

/* On one address of the host only; and what is not published is out of reach. */
static void test_one_address(void **state)
{
	struct stage *stage = *state;
	struct rules_port port = make_port(stage, false, IPPROTO_TCP, "127.0.0.1", 8081);
	char inside[INET_ADDRSTRLEN];
	struct error err = ERROR_INIT;
	auto_fd int server = serve(stage, false, SOCK_STREAM);

	inet_ntop(AF_INET, &stage->lease.addresses.address, inside, sizeof(inside));
	assert_ok(rules_add(stage->rules, &port, 1, &err), &err);
	assert_non_null(ask(stage, stage->host_ns, server, SOCK_STREAM, "127.0.0.1", 8081));
	assert_null(ask(stage, stage->client_ns, server, SOCK_STREAM, "10.99.0.1", 8081));
	assert_null(ask(stage, stage->client_ns, server, SOCK_STREAM, inside, 80));
	assert_non_null(ask(stage, stage->neighbour_ns, server, SOCK_STREAM, inside, 80));
	assert_non_null(ask(stage, stage->host_ns, server, SOCK_STREAM, inside, 80));
}

static void test_errors(void **state)
{
	struct stage *stage = *state;
	struct rules_port ports[2] = { make_port(stage, false, IPPROTO_TCP, "0.0.0.0", 1),
				       make_port(stage, false, IPPROTO_TCP, "0.0.0.0", 2) };
	struct network_facts facts;
	struct error err = ERROR_INIT;

	network_get_facts(stage->network, &facts);
	assert_ok(rules_add(stage->rules, &ports[1], 1, &err), &err);
	/* The second is there: the first does not come either. */
	assert_int_equal(rules_add(stage->rules, ports, 2, &err), -EEXIST);
	error_clear(&err);
	assert_int_equal(rules_remove(stage->rules, ports, 1, &err), -ENOENT);
	error_clear(&err);
	/* Set anew, it holds what is given and nothing else. */
	assert_ok(rules_set(stage->rules, BRIDGE, &facts.gateways, ports, 1, &err), &err);
	assert_int_equal(rules_remove(stage->rules, &ports[1], 1, &err), -ENOENT);
	error_clear(&err);
	assert_ok(rules_remove(stage->rules, ports, 1, &err), &err);
	assert_ok(rules_drop(stage->rules, &err), &err);
	assert_ok(rules_drop(stage->rules, &err), &err);
	assert_int_equal(rules_add(stage->rules, ports, 1, &err), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tcp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_udp, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
