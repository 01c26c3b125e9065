/* Published ports with real packets: a host in a namespace of the test's own, a container,
 * a neighbour, and a client host behind another interface.
 */
#include "net/rules.h"
#include "tests/net/stage.h"

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

static struct rules *rules;

static int set_up_rules(void **state)
{
	struct network_facts facts;
	struct error err = ERROR_INIT;
	int ret = set_up(state);

	network_get_facts(((struct stage *)*state)->network, &facts);
	assert_ok(rules_new("cf-test", NULL, &rules, &err), &err);
	assert_ok(rules_set(rules, BRIDGE, &facts.gateways, NULL, 0, &err), &err);
	return ret;
}

static int tear_down_rules(void **state)
{
	rules_free(rules);
	return tear_down(state);
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

	assert_true(is_out_of_reach(stage, stage->client_ns, server, type, uplink, 8080));
	assert_ok(rules_add(rules, &port, 1, &err), &err);
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
	assert_ok(rules_remove(rules, &port, 1, &err), &err);
	assert_true(is_out_of_reach(stage, stage->client_ns, server, type, uplink, 8080));
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
	assert_ok(rules_add(rules, &port, 1, &err), &err);
	assert_non_null(ask(stage, stage->host_ns, server, SOCK_STREAM, "127.0.0.1", 8081));
	assert_true(
		is_out_of_reach(stage, stage->client_ns, server, SOCK_STREAM, "10.99.0.1", 8081));
	assert_true(is_out_of_reach(stage, stage->client_ns, server, SOCK_STREAM, inside, 80));
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
	assert_ok(rules_add(rules, &ports[1], 1, &err), &err);
	/* The second is there: the first does not come either. */
	assert_int_equal(rules_add(rules, ports, 2, &err), -EEXIST);
	error_clear(&err);
	assert_int_equal(rules_remove(rules, ports, 1, &err), -ENOENT);
	error_clear(&err);
	/* Set anew, it holds what is given and nothing else. */
	assert_ok(rules_set(rules, BRIDGE, &facts.gateways, ports, 1, &err), &err);
	assert_int_equal(rules_remove(rules, &ports[1], 1, &err), -ENOENT);
	error_clear(&err);
	assert_ok(rules_remove(rules, ports, 1, &err), &err);
	assert_ok(rules_drop(rules, &err), &err);
	assert_ok(rules_drop(rules, &err), &err);
	assert_int_equal(rules_add(rules, ports, 1, &err), -ENOENT);
}

/* --- kept apart ----------------------------------------------------------------------- */

/* Do the chains of IP see what the bridge passes on? False: they cannot on this host. */
static bool show_bridged(bool shown)
{
	static const char *const settings[] = { "/proc/sys/net/bridge/bridge-nf-call-iptables",
						"/proc/sys/net/bridge/bridge-nf-call-ip6tables" };

	for (size_t i = 0; i < 2; i++) {
		auto_fd int fd = open(settings[i], O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return !shown;
		assert_int_equal(write(fd, shown ? "1" : "0", 1), 1);
	}
	return true;
}

static struct rules_link make_link(const struct stage *stage, bool is_v6, int type, bool back)
{
	struct rules_port from = make_port(stage, is_v6, 0, "", 0);
	struct rules_link link = { .is_v6 = is_v6,
				   .protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
				   .port = 80 };
	struct in6_addr *other = back ? &link.target : &link.client;

	*(back ? &link.client : &link.target) = from.target;
	if (is_v6)
		*other = stage->neighbour.addresses.address6;
	else
		memcpy(other, &stage->neighbour.addresses.address, sizeof(struct in_addr));
	return link;
}

static void check_apart(struct stage *stage, bool is_v6, int type)
{
	struct rules_port port =
		make_port(stage, is_v6, type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP,
			  is_v6 ? "::" : "0.0.0.0", 8080);
	struct rules_link link = make_link(stage, is_v6, type, false);
	struct rules_link back = make_link(stage, is_v6, type, true);
	const char *uplink = is_v6 ? "fd99::1" : "10.99.0.1";
	auto_fd int server = serve(stage, is_v6, type);
	char inside[INET6_ADDRSTRLEN], neighbour[INET6_ADDRSTRLEN];
	struct error err = ERROR_INIT;

	inet_ntop(is_v6 ? AF_INET6 : AF_INET, &link.target, inside, sizeof(inside));
	inet_ntop(is_v6 ? AF_INET6 : AF_INET, &link.client, neighbour, sizeof(neighbour));
	assert_true(is_out_of_reach(stage, stage->neighbour_ns, server, type, inside, 80));
	assert_ok(rules_set_links(rules, &back, 1, true, &err), &err);
	assert_true(is_out_of_reach(stage, stage->neighbour_ns, server, type, inside, 80));
	assert_ok(rules_set_links(rules, &link, 1, true, &err), &err);
	assert_string_equal(ask(stage, stage->neighbour_ns, server, type, inside, 80), neighbour);
	/* The host, and what is published, are as ever. */
	assert_ok(rules_set_links(rules, NULL, 0, true, &err), &err);
	assert_true(is_out_of_reach(stage, stage->neighbour_ns, server, type, inside, 80));
	assert_non_null(ask(stage, stage->host_ns, server, type, inside, 80));
	assert_ok(rules_add(rules, &port, 1, &err), &err);
	assert_non_null(ask(stage, stage->neighbour_ns, server, type, uplink, 8080));
	assert_non_null(ask(stage, stage->client_ns, server, type, uplink, 8080));
	assert_ok(rules_remove(rules, &port, 1, &err), &err);
}

static void test_apart(void **state)
{
	struct network_facts facts;
	struct error err = ERROR_INIT;

	network_get_facts(((struct stage *)*state)->network, &facts);
	rules_free(rules);
	assert_ok(rules_new("cf-test", "cffedcb", &rules, &err), &err);
	assert_ok(rules_set(rules, BRIDGE, &facts.gateways, NULL, 0, &err), &err);
	for (int shown = 0; shown < 2; shown++) {
		if (!show_bridged(shown))
			continue;
		for (int is_v6 = 0; is_v6 < 2; is_v6++) {
			check_apart(*state, is_v6, SOCK_STREAM);
			check_apart(*state, is_v6, SOCK_DGRAM);
		}
	}
	assert_ok(rules_drop(rules, &err), &err);
}

/* What an engine that kept them apart left behind does so no longer; links of a bridge that is
 * not there yet come with it. */
static void test_apart_no_more(void **state)
{
	struct stage *stage = *state;
	struct rules_link link = make_link(stage, false, SOCK_STREAM, false);
	auto_fd int server = serve(stage, false, SOCK_STREAM);
	struct network_facts facts;
	char inside[INET_ADDRSTRLEN];
	struct error err = ERROR_INIT;

	network_get_facts(stage->network, &facts);
	inet_ntop(AF_INET, &link.target, inside, sizeof(inside));
	rules_free(rules);
	assert_ok(rules_new("cf-test", "cffedcb", &rules, &err), &err);
	assert_ok(rules_set_links(rules, &link, 1, false, &err), &err);
	assert_ok(rules_set(rules, BRIDGE, &facts.gateways, NULL, 0, &err), &err);
	assert_non_null(ask(stage, stage->neighbour_ns, server, SOCK_STREAM, inside, 80));
	assert_ok(rules_set_links(rules, NULL, 0, true, &err), &err);
	assert_true(is_out_of_reach(stage, stage->neighbour_ns, server, SOCK_STREAM, inside, 80));
	rules_free(rules);
	assert_ok(rules_new("cf-test", NULL, &rules, &err), &err);
	assert_ok(rules_set(rules, BRIDGE, &facts.gateways, NULL, 0, &err), &err);
	assert_non_null(ask(stage, stage->neighbour_ns, server, SOCK_STREAM, inside, 80));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_tcp, set_up_rules, tear_down_rules),
		cmocka_unit_test_setup_teardown(test_udp, set_up_rules, tear_down_rules),
		cmocka_unit_test_setup_teardown(test_one_address, set_up_rules, tear_down_rules),
		cmocka_unit_test_setup_teardown(test_apart, set_up_rules, tear_down_rules),
		cmocka_unit_test_setup_teardown(test_apart_no_more, set_up_rules, tear_down_rules),
		cmocka_unit_test_setup_teardown(test_errors, set_up_rules, tear_down_rules),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
