/* The bridge network, in a network namespace of the test's own: leases that work from
 * inside, both families, and nothing left behind.
 *
 * ctest-labels: threads
 */
#include "net/link.h"
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
#include <time.h>
#include <unistd.h>

#define BRIDGE "cftest0"

/* A host of its own, with lo. The test's only thread changes its namespace. */
static int enter_host(void **state)
{
	struct netlink *inside AUTO(netlink_close) = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_ok(netlink_open(&inside, &err), &err);
	assert_ok(link_raise_lo(inside, &err), &err);
	return 0;
}

static struct network *open_network(const char *subnet)
{
	/* No ports here: nothing is made in it. */
	struct network_options options = {
		.run_fd = -1, .bridge = BRIDGE, .subnet = subnet, .instance = "0123456789abcdef"
	};
	struct network *network = NULL;
	struct error err = ERROR_INIT;

	assert_ok(network_open(&options, &network, &err), &err);
	return network;
}

static void count_link(void *arg, const char *name)
{
	(void)name;
	++*(size_t *)arg;
}

static size_t count_links(const char *prefix)
{
	struct netlink *netlink AUTO(netlink_close) = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;

	assert_ok(netlink_open(&netlink, &err), &err);
	assert_ok(link_list(netlink, prefix, count_link, &count, &err), &err);
	return count;
}

/* The kernel takes its time over the end of a namespace. */
static void wait_for_links(const char *prefix, size_t want)
{
	struct timespec nap = { .tv_nsec = 10000000 };

	for (int i = 0; i < 1000 && count_links(prefix) != want; i++)
		nanosleep(&nap, NULL);
	assert_int_equal(count_links(prefix), want);
}

/* A listener on the bridge's address; its port. */
static int listen_at(int family, const void *address, uint16_t *ret_port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr *name = family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t len = family == AF_INET ? sizeof(v4) : sizeof(v6);
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
	else
		memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	assert_int_equal(bind(fd, name, len), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, name, &len), 0);
	*ret_port = ntohs(family == AF_INET ? v4.sin_port : v6.sin6_port);
	return fd;
}

static int try_connect(int family, const void *address, uint16_t port)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (family == AF_INET)
		memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
	else
		memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
	if (family == AF_INET)
		return connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	return connect(fd, (struct sockaddr *)&v6, sizeof(v6));
}

/* From inside the namespace to a listener on the host's side of the bridge. */
static void assert_reaches(int ns_fd, int family, const void *gateway, const void *address)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	uint16_t port;
	auto_fd int listener = listen_at(family, gateway, &port);
	struct pollfd waiting = { .fd = listener, .events = POLLIN };
	pid_t child = fork();
	const void *from;
	int status;

	if (child == 0)
		_exit(setns(ns_fd, CLONE_NEWNET) < 0 ? 2 : try_connect(family, gateway, port) != 0);
	assert_int_equal(poll(&waiting, 1, 10000), 1);
	auto_fd int got = accept(listener, (struct sockaddr *)&peer, &len);
	assert_true(got >= 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	from = family == AF_INET ? (void *)&((struct sockaddr_in *)&peer)->sin_addr
				 : (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr;
	assert_memory_equal(from, address, family == AF_INET ? 4 : 16);
}

static void test_join(void **state)
{
	struct network *network AUTO(network_close) = open_network(NULL);
	struct network_lease first, second;
	struct network_facts facts;
	struct error err = ERROR_INIT;
	auto_fd int ns = -1, other = -1;

	(void)state;
	network_get_facts(network, &facts);
	assert_int_equal(facts.gateways.prefix_len, 0);
	assert_int_equal(count_links(BRIDGE), 0); /* nothing before it is needed */
	assert_ok(network_join(network, &first, &ns, &err), &err);
	assert_ok(network_join(network, &second, &other, &err), &err);
	assert_string_equal(inet_ntoa(first.addresses.address), "172.17.0.2");
	assert_string_equal(inet_ntoa(second.addresses.address), "172.17.0.3");
	assert_string_equal(inet_ntoa(first.gateways.address), "172.17.0.1");
	assert_int_equal(first.addresses.prefix_len, 16);
	assert_reaches(ns, AF_INET, &first.gateways.address, &first.addresses.address);
	assert_reaches(other, AF_INET, &second.gateways.address, &second.addresses.address);
	assert_int_equal(first.addresses.prefix6_len, 64);
	assert_reaches(ns, AF_INET6, &first.gateways.address6, &first.addresses.address6);
	network_get_facts(network, &facts);
	assert_int_equal(facts.leases, 2);
	network_leave(network, &first);
	network_leave(network, &second);
}

/* An address is not used again at once, and the namespace goes with its descriptor. */
static void test_leave(void **state)
{
	struct network *network AUTO(network_close) = open_network("10.77.0.0/24");
	struct network_lease lease;
	struct error err = ERROR_INIT;
	char last[INET_ADDRSTRLEN] = "";

	(void)state;
	for (int i = 0; i < 5; i++) {
		auto_fd int ns = -1;

		assert_ok(network_join(network, &lease, &ns, &err), &err);
		assert_string_not_equal(inet_ntoa(lease.addresses.address), last);
		snprintf(last, sizeof(last), "%s", inet_ntoa(lease.addresses.address));
		network_leave(network, &lease);
	}
	assert_string_equal(last, "10.77.0.6");
	/* Some time after the last one the bridge goes, and the stock. */
	wait_for_links("cf", 0);
	auto_fd int ns = -1;
	assert_ok(network_join(network, &lease, &ns, &err), &err);
	assert_string_equal(inet_ntoa(lease.addresses.address), "10.77.0.7");
	network_leave(network, &lease);
	network_close(steal_ptr(&network));
	close(steal_fd(&ns));
	wait_for_links("cf", 0);
}

static void test_full(void **state)
{
	struct network *network AUTO(network_close) = open_network("10.78.0.0/29");
	struct network_lease leases[6];
	struct error err = ERROR_INIT;
	int fds[6];

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_ok(network_join(network, &leases[i], &fds[i], &err), &err);
	assert_int_equal(network_join(network, &leases[5], &fds[5], &err), -ENOSPC);
	assert_string_equal(err.msg, "the network '" BRIDGE "' has no address left");
	error_clear(&err);
	network_leave(network, &leases[2]);
	close(fds[2]);
	assert_ok(network_join(network, &leases[5], &fds[2], &err), &err);
	assert_string_equal(inet_ntoa(leases[5].addresses.address), "10.78.0.4");
	leases[2] = leases[5];
	for (int i = 0; i < 5; i++) {
		network_leave(network, &leases[i]);
		close(fds[i]);
	}
}

/* The next engine: the bridge as it is, leases adopted, what nobody leases deleted. */
static void test_successor(void **state)
{
	struct network *network AUTO(network_close) = open_network(NULL);
	struct network_lease kept, lost, fresh;
	struct error err = ERROR_INIT;
	auto_fd int ns = -1, lost_ns = -1, fresh_ns = -1;
	const char *links[1];

	(void)state;
	assert_ok(network_join(network, &kept, &ns, &err), &err);
	assert_ok(network_join(network, &lost, &lost_ns, &err), &err);
	network_close(steal_ptr(&network)); /* with leases: all stays */
	wait_for_links("cf01234", 2);
	assert_int_equal(count_links(BRIDGE), 1);

	network = open_network(NULL);
	assert_ok(network_adopt(network, &kept, &err), &err);
	assert_int_equal(network_adopt(network, &kept, &err), -EADDRINUSE);
	error_clear(&err);
	links[0] = kept.link;
	assert_ok(network_sweep(network, links, 1, &err), &err);
	assert_int_equal(count_links("cf01234"), 1);
	assert_reaches(ns, AF_INET, &kept.gateways.address, &kept.addresses.address);
	assert_ok(network_join(network, &fresh, &fresh_ns, &err), &err);
	assert_int_not_equal(fresh.addresses.address.s_addr, kept.addresses.address.s_addr);
	network_leave(network, &kept);
	network_leave(network, &fresh);
	network_close(steal_ptr(&network));
	assert_int_equal(count_links(BRIDGE), 0);

	/* A bridge that is left is taken away by a successor with nobody to adopt. */
	network = open_network(NULL);
	assert_ok(network_join(network, &fresh, &lost_ns, &err), &err);
	network_close(steal_ptr(&network));
	assert_int_equal(count_links(BRIDGE), 1);
	network = open_network(NULL);
	assert_ok(network_sweep(network, NULL, 0, &err), &err);
	assert_int_equal(count_links("cf"), 0);
}

static void test_foreign(void **state)
{
	struct network_options options = { .bridge = "lo", .instance = "0123456789abcdef" };
	struct network *network AUTO(network_close) = NULL;
	struct network_lease lease;
	struct error err = ERROR_INIT;
	int ns;

	(void)state;
	assert_ok(network_open(&options, &network, &err), &err);
	assert_int_equal(network_join(network, &lease, &ns, &err), -EEXIST);
	assert_non_null(strstr(err.msg, "'lo' is no bridge"));
	error_clear(&err);
	options.bridge = "much-too-long-a-name";
	assert_int_equal(network_open(&options, &network, &err), -EINVAL);
	error_clear(&err);
	options.bridge = BRIDGE;
	options.subnet = "10.0.0.0/31";
	assert_int_equal(network_open(&options, &network, &err), -EINVAL);
}

static void test_empty(void **state)
{
	struct network *network AUTO(network_close) = open_network(NULL);
	struct in_addr loopback = { .s_addr = htonl(INADDR_LOOPBACK) };
	struct error err = ERROR_INIT;
	auto_fd int ns = -1;
	pid_t child;
	int status;

	(void)state;
	assert_ok(network_make_empty(network, &ns, &err), &err);
	child = fork();
	if (child == 0) {
		uint16_t port;

		if (setns(ns, CLONE_NEWNET) < 0 || count_links("") != 1)
			_exit(2);
		/* Open until the end of the process. */
		if (listen_at(AF_INET, &loopback, &port) < 0)
			_exit(3);
		_exit(try_connect(AF_INET, &loopback, port) != 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(count_links(BRIDGE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_join, enter_host),
		cmocka_unit_test_setup(test_leave, enter_host),
		cmocka_unit_test_setup(test_full, enter_host),
		cmocka_unit_test_setup(test_successor, enter_host),
		cmocka_unit_test_setup(test_foreign, enter_host),
		cmocka_unit_test_setup(test_empty, enter_host),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
