/* The record of a run's network, both ways and bent; which ports a configuration asks for.
 */
#include "runtime/network/network_private.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <arpa/inet.h>
#include <string.h>

static json_t *parse(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *value = NULL;

	assert_ok(json_parse_text(text, strlen(text), &value, &err), &err);
	return value;
}

static struct network_lease make_lease(void)
{
	struct network_lease lease = {
		.link = "cf01234deadbeef",
		.mac = { 0x02, 0x42, 10, 88, 0, 2 },
		.addresses = { .prefix_len = 24, .prefix6_len = 64 },
		.gateways = { .prefix_len = 24, .prefix6_len = 64 },
	};

	assert_int_equal(inet_pton(AF_INET, "10.88.0.2", &lease.addresses.address), 1);
	assert_int_equal(inet_pton(AF_INET, "10.88.0.1", &lease.gateways.address), 1);
	assert_int_equal(inet_pton(AF_INET6, "fd00::2", &lease.addresses.address6), 1);
	assert_int_equal(inet_pton(AF_INET6, "fd00::1", &lease.gateways.address6), 1);
	return lease;
}

static const struct network_port some_ports[] = {
	{ .protocol = IPPROTO_TCP, .host_port = 8080, .container_port = 80 },
	{ .protocol = IPPROTO_UDP, .is_v6 = true, .host_port = 53, .container_port = 5353 },
};

static void test_both_ways(void **state)
{
	struct network_lease lease = make_lease(), again;
	auto_json json_t *record = network_record_new("cf0", &lease, some_ports, 2);
	auto_free struct network_port *ports = NULL;
	size_t count = 0;

	(void)state;
	assert_non_null(record);
	assert_true(network_record_get_lease(record, &again));
	assert_memory_equal(&again, &lease, sizeof(lease));
	ports = network_record_get_ports(json_get_array(record, "ports"), &count);
	assert_int_equal(count, 2);
	assert_memory_equal(ports, some_ports, sizeof(some_ports));
	assert_string_equal(json_get_str(record, "mode", ""), "bridge");
	assert_string_equal(json_get_str(record, "mac", ""), "02:42:0a:58:00:02");
}

/* What somebody bent holds no lease, and no port that it does not name. */
static void test_bent(void **state)
{
	static const char *const bent[] = {
		"{}",
		"{\"mode\": \"none\"}",
		"{\"link\": \"much-too-long-for-one\", \"address\": \"10.0.0.2\"}",
		"{\"link\": \"x\", \"address\": \"10.0.0\", \"gateway\": \"10.0.0.1\"}",
		"{\"link\": \"x\", \"address\": \"10.0.0.2\", \"gateway\": \"10.0.0.1\"}",
		"{\"link\": 1, \"address\": {}, \"gateway\": [], \"prefix\": \"\"}",
	};
	auto_json json_t *list =
		parse("[1, {}, {\"port\": \"0/tcp\", \"ip\": \"0.0.0.0\", \"host_port\": 1}, "
		      "{\"port\": \"1/tcp\", \"ip\": \"x\", \"host_port\": 1}, "
		      "{\"port\": \"1/tcp\", \"ip\": \"::\", \"host_port\": 65536}, "
		      "{\"port\": \"7/udp\", \"ip\": \"127.0.0.1\", \"host_port\": 9}]");
	auto_free struct network_port *ports = NULL;
	size_t count = 9;

	(void)state;
	for (size_t i = 0; i < sizeof(bent) / sizeof(bent[0]); i++) {
		auto_json json_t *record = parse(bent[i]);
		struct network_lease lease;

		assert_false(network_record_get_lease(record, &lease));
	}
	ports = network_record_get_ports(list, &count);
	assert_int_equal(count, 1);
	assert_int_equal(ports[0].container_port, 7);
	assert_int_equal(ports[0].protocol, IPPROTO_UDP);
}

static void test_wishes(void **state)
{
	auto_json json_t *config = parse(
		"{\"ExposedPorts\": {\"80/tcp\": {}, \"81/tcp\": {}}, \"HostConfig\": {"
		"\"PublishAllPorts\": true, \"PortBindings\": {\"80/tcp\": [{\"HostIp\": \"\", "
		"\"HostPort\": \"8000-8010\"}, {\"HostIp\": \"::1\", \"HostPort\": \"80\"}], "
		"\"53/udp\": [{\"HostIp\": \"127.0.0.1\", \"HostPort\": \"\"}], \"9/tcp\": []}}}");
	auto_free struct network_wish *wishes = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;

	(void)state;
	assert_true(network_wish_is_any(config));
	assert_ok(network_wish_collect(config, &wishes, &count, &err), &err);
	assert_int_equal(count, 5);
	assert_true(wishes[0].on_all);
	assert_int_equal(wishes[0].first_port, 8000);
	assert_int_equal(wishes[0].last_port, 8010);
	assert_true(wishes[1].is_v6 && !wishes[1].on_all);
	assert_int_equal(wishes[2].protocol, IPPROTO_UDP);
	assert_int_equal(wishes[2].first_port, 0);
	/* Exposed, or named by an empty list: any port. */
	assert_int_equal(wishes[3].container_port, 9);
	assert_int_equal(wishes[4].container_port, 81);
	assert_true(wishes[4].on_all && wishes[4].first_port == 0);
}

static void test_refused(void **state)
{
	auto_json json_t *config = parse("{\"HostConfig\": {\"PortBindings\": {\"5/sctp\": "
					 "[{\"HostPort\": \"5\"}]}}}");
	auto_json json_t *plain = parse("{\"HostConfig\": {\"PortBindings\": {\"5/tcp\": []}}}");
	struct network_wish *wishes = NULL;
	struct error err = ERROR_INIT;
	size_t count = 0;

	(void)state;
	assert_error(network_wish_collect(config, &wishes, &count, &err), &err, ENOTSUP,
		     "5/sctp: sctp cannot be published, tcp and udp can");
	assert_false(network_wish_is_any(plain));
}

static void test_exposed(void **state)
{
	auto_json json_t *config =
		parse("{\"ExposedPorts\": {\"90/tcp\": {}, \"9/udp\": {}, \"100/tcp\": {}}, "
		      "\"HostConfig\": {\"PortBindings\": {\"9/tcp\": [], \"90/tcp\": []}}}");
	auto_json json_t *list = network_wish_list_exposed(config);
	auto_json json_t *expected = parse("[\"9/tcp\", \"9/udp\", \"90/tcp\", \"100/tcp\"]");

	(void)state;
	assert_true(json_equal(list, expected));
}

static int attempt(void *arg)
{
	struct network_lease lease = make_lease();
	auto_json json_t *record = network_record_new("cf0", &lease, some_ports, 2);

	(void)arg;
	return record ? 0 : -ENOMEM;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(attempt, NULL) >= 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways), cmocka_unit_test(test_bent),
		cmocka_unit_test(test_wishes),    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_exposed),   cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
