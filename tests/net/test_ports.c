/* Publishing: numbers, who has them, the relay, and an engine's successor.
 *
 * ctest-labels: threads
 */
#include "base/path.h"
#include "tests/net/stage.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>

#define ID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER_ID "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct got {
	struct network_port *ports;
	size_t count;
};

static int publish(struct stage *stage, const char *id, const char *owner,
		   const struct network_wish *wishes, size_t count, struct got *got,
		   struct error *err)
{
	struct network_publication publication = { .id = id,
						   .owner = owner,
						   .lease = &stage->lease,
						   .wishes = wishes,
						   .count = count,
						   .preferred = got->ports,
						   .preferred_count = got->count };
	struct network_port *before = got->ports;
	int ret;

	*err = (struct error)ERROR_INIT;
	ret = network_publish(stage->network, &publication, &got->ports, &got->count, err);
	free(before);
	return ret;
}

/* That port of all addresses to the container's port 80; 0: an automatic one. */
static struct network_wish make_wish(uint8_t protocol, uint16_t port)
{
	return (struct network_wish){ .protocol = protocol,
				      .on_all = true,
				      .first_port = port,
				      .last_port = port,
				      .container_port = 80 };
}

static void test_both_families(void **state)
{
	struct stage *stage = *state;
	struct network_wish wish = make_wish(IPPROTO_TCP, 8080);
	struct got got = { .count = 0 };
	struct error err;

	assert_int_equal(publish(stage, ID, "web", &wish, 1, &got, &err), 0);
	assert_int_equal(got.count, 2);
	assert_int_equal(got.ports[1].host_port, 8080);
	assert_true(got.ports[1].is_v6);
	for (int is_v6 = 0; is_v6 < 2; is_v6++) {
		auto_fd int server = serve(stage, is_v6, SOCK_STREAM);

		/* The last one passes through the relay. */
		assert_string_equal(ask(stage, stage->client_ns, server, SOCK_STREAM,
					is_v6 ? "fd99::1" : "10.99.0.1", 8080),
				    is_v6 ? "fd99::2" : "10.99.0.2");
		assert_non_null(ask(stage, stage->host_ns, server, SOCK_STREAM,
				    is_v6 ? "::1" : "127.0.0.1", 8080));
	}
	network_withdraw(stage->network, ID);
	network_withdraw(stage->network, ID);
	free(got.ports);
}

static void test_udp_relay(void **state)
{
	struct stage *stage = *state;
	struct network_wish wish = make_wish(IPPROTO_UDP, 5353);
	struct got got = { .count = 0 };
	struct error err;
	auto_fd int server = serve(stage, true, SOCK_DGRAM);

	assert_int_equal(publish(stage, ID, "dns", &wish, 1, &got, &err), 0);
	assert_non_null(ask(stage, stage->host_ns, server, SOCK_DGRAM, "::1", 5353));
	assert_non_null(ask(stage, stage->host_ns, server, SOCK_DGRAM, "::1", 5353));
	network_withdraw(stage->network, ID);
	assert_true(is_out_of_reach(stage, stage->host_ns, server, SOCK_DGRAM, "::1", 5353));
	free(got.ports);
}

/* Bytes both ways through the relay, more than any buffer holds, and both ends of file. */
static void test_relay_bytes(void **state)
{
	struct stage *stage = *state;
	struct network_wish wish = make_wish(IPPROTO_TCP, 8080);
	struct name to = make_name("::1", 8080);
	struct got got = { .count = 0 };
	static char bytes[1 << 20], back[1 << 20];
	struct error err;
	auto_fd int server = serve(stage, true, SOCK_STREAM);
	pid_t child;
	size_t have = 0;
	ssize_t len;
	int status;

	assert_int_equal(publish(stage, ID, "web", &wish, 1, &got, &err), 0);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 31 + i / 4096);
	child = fork();
	if (child == 0) {
		/* Gives all back when it has all. */
		int fd = accept(server, NULL, NULL);

		while ((len = read(fd, back + have, sizeof(back) - have)) > 0)
			have += (size_t)len;
		_exit(path_write_all(fd, back, have) < 0 || have != sizeof(back));
	}
	auto_fd int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to.address, to.len), 0);
	assert_int_equal(path_write_all(client, bytes, sizeof(bytes)), 0);
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	while ((len = read(client, back + have, sizeof(back) - have)) > 0)
		have += (size_t)len;
	assert_int_equal(have, sizeof(bytes));
	assert_memory_equal(bytes, back, sizeof(bytes));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	network_withdraw(stage->network, ID);
	free(got.ports);
}

static void test_taken(void **state)
{
	struct stage *stage = *state;
	struct network_wish wishes[2] = { make_wish(IPPROTO_TCP, 90), make_wish(IPPROTO_TCP, 91) };
	struct got got = { .count = 0 }, other = { .count = 0 };
	struct name name = make_name("0.0.0.0", 91);
	struct error err;
	auto_fd int foreign = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(foreign, (struct sockaddr *)&name.address, name.len), 0);
	assert_int_equal(listen(foreign, 1), 0);
	/* The second is not to be had, so the first is free again. */
	assert_int_equal(publish(stage, ID, "web", wishes, 2, &got, &err), -EADDRINUSE);
	assert_string_equal(err.msg, "host port 91/tcp is taken by another program");
	assert_int_equal(got.count, 0);
	assert_int_equal(publish(stage, OTHER_ID, "other", wishes, 1, &other, &err), 0);
	assert_int_equal(publish(stage, ID, "web", wishes, 1, &got, &err), -EADDRINUSE);
	assert_string_equal(err.msg, "host port 90/tcp is taken by container 'other'");
	/* The same number of the other protocol, and on another address, is another port. */
	wishes[0].protocol = IPPROTO_UDP;
	assert_int_equal(publish(stage, ID, "web", wishes, 1, &got, &err), 0);
	network_withdraw(stage->network, ID);
	/* A range: the first that is free. */
	wishes[0].protocol = IPPROTO_TCP;
	wishes[0].last_port = 95;
	assert_int_equal(publish(stage, ID, "web", wishes, 1, &got, &err), 0);
	assert_int_equal(got.ports[0].host_port, 92);
	network_withdraw(stage->network, ID);
	network_withdraw(stage->network, OTHER_ID);
	wishes[0].on_all = false;
	assert_int_equal(inet_pton(AF_INET, "127.0.0.1", &wishes[0].host), 1);
	wishes[1] = wishes[0];
	wishes[1].host.s6_addr[3] = 2;
	assert_int_equal(publish(stage, ID, "web", wishes, 2, &got, &err), 0);
	assert_int_equal(got.count, 2);
	network_withdraw(stage->network, ID);
	wishes[0].host.s6_addr[0] = 8; /* nobody's */
	assert_int_equal(publish(stage, ID, "web", wishes, 1, &got, &err), -EINVAL);
	free(got.ports);
	free(other.ports);
}

static void test_automatic(void **state)
{
	struct stage *stage = *state;
	struct network_wish wishes[2] = { make_wish(IPPROTO_TCP, 0), make_wish(IPPROTO_UDP, 0) };
	struct got got = { .count = 0 }, other = { .count = 0 };
	struct error err;
	uint16_t first;

	assert_int_equal(publish(stage, ID, "web", wishes, 2, &got, &err), 0);
	assert_int_equal(got.count, 4);
	first = got.ports[0].host_port;
	assert_int_equal(first, 49153);
	assert_int_equal(got.ports[1].host_port, first);
	network_withdraw(stage->network, ID);
	/* What it had it gets again, when it is free; else another. */
	assert_int_equal(publish(stage, ID, "web", wishes, 1, &got, &err), 0);
	assert_int_equal(got.ports[0].host_port, first);
	network_withdraw(stage->network, ID);
	wishes[1] = wishes[0];
	wishes[1].first_port = wishes[1].last_port = first;
	assert_int_equal(publish(stage, OTHER_ID, "other", &wishes[1], 1, &other, &err), 0);
	assert_int_equal(publish(stage, ID, "web", wishes, 1, &got, &err), 0);
	assert_int_not_equal(got.ports[0].host_port, first);
	network_withdraw(stage->network, ID);
	network_withdraw(stage->network, OTHER_ID);
	free(got.ports);
	free(other.ports);
}

/* The relay is the youngest child: those of tests before this have ended, or are about to. */
static pid_t find_relay(void)
{
	auto_dir DIR *dir = opendir("/proc/self/task");
	char path[128], text[512], *at = text;
	FILE *children;
	long pid;

	assert_non_null(dir);
	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	children = fopen(path, "r");
	assert_non_null(children);
	assert_non_null(fgets(text, sizeof(text), children));
	fclose(children);
	pid = 0;
	for (char *end = text; *at && (end = at, strtol(at, &end, 10)) > 0; at = end)
		pid = strtol(at, NULL, 10);
	assert_true(pid > 0);
	return (pid_t)pid;
}

/* An engine dies: ports go on. Its successor knows them, whether the relay lives or not, and
 * ends what nobody has. */
static void test_successor(void **state)
{
	struct stage *stage = *state;
	struct network_wish wish = make_wish(IPPROTO_TCP, 8080);
	struct network_wish lost = wish;
	struct got got = { .count = 0 }, gone = { .count = 0 };
	const char *links[2] = { stage->lease.link, stage->neighbour.link };
	struct network_publication kept = { .id = ID, .owner = "web", .lease = &stage->lease };
	struct error err;
	auto_fd int server = serve(stage, false, SOCK_STREAM);
	auto_fd int server6 = serve(stage, true, SOCK_STREAM);

	lost.first_port = lost.last_port = 8081;
	assert_int_equal(publish(stage, ID, "web", &wish, 1, &got, &err), 0);
	assert_int_equal(publish(stage, OTHER_ID, "lost", &lost, 1, &gone, &err), 0);
	for (int round = 0; round < 2; round++) {
		network_close(stage->network); /* leases are left: as if it had died */
		assert_non_null(
			ask(stage, stage->client_ns, server, SOCK_STREAM, "10.99.0.1", 8080));
		assert_non_null(ask(stage, stage->host_ns, server6, SOCK_STREAM, "::1", 8080));
		if (round == 1) {
			pid_t relay = find_relay();

			assert_int_equal(kill(relay, SIGKILL), 0);
			assert_int_equal(waitpid(relay, NULL, 0), relay);
		}
		err = (struct error)ERROR_INIT;
		open_network(stage);
		assert_ok(network_adopt_ports(stage->network, &kept, got.ports, got.count, &err),
			  &err);
		assert_ok(network_adopt(stage->network, &stage->lease, &err), &err);
		assert_ok(network_adopt(stage->network, &stage->neighbour, &err), &err);
		assert_ok(network_sweep(stage->network, links, 2, &err), &err);
		assert_non_null(
			ask(stage, stage->client_ns, server, SOCK_STREAM, "10.99.0.1", 8080));
		assert_non_null(ask(stage, stage->host_ns, server6, SOCK_STREAM, "::1", 8080));
		assert_true(is_out_of_reach(stage, stage->client_ns, server, SOCK_STREAM,
					    "10.99.0.1", 8081));
		assert_int_equal(publish(stage, OTHER_ID, "lost", &wish, 1, &gone, &err),
				 -EADDRINUSE);
	}
	network_withdraw(stage->network, ID);
	free(got.ports);
	free(gone.ports);
}

/* The relay ends with the last port. */
static int withdraw_all(void **state)
{
	struct stage *stage = *state;

	network_withdraw(stage->network, ID);
	network_withdraw(stage->network, OTHER_ID);
	return tear_down(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_both_families, set_up, withdraw_all),
		cmocka_unit_test_setup_teardown(test_udp_relay, set_up, withdraw_all),
		cmocka_unit_test_setup_teardown(test_relay_bytes, set_up, withdraw_all),
		cmocka_unit_test_setup_teardown(test_taken, set_up, withdraw_all),
		cmocka_unit_test_setup_teardown(test_automatic, set_up, withdraw_all),
		cmocka_unit_test_setup_teardown(test_successor, set_up, withdraw_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
