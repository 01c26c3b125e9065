/* The record of a run's network as JSON, both ways: see network_private.h.
 *
 * What is read comes from state.json, which we wrote, or from one that somebody bent: every
 * value is checked, and a record without a whole lease holds none.
 */
#include "runtime/network/network_private.h"

#include "runtime/config/portspec.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define MAC_SIZE 18 /* "02:42:0a:58:00:02" and its NUL */

/* --- writing ------------------------------------------------------------------- */

static void put_text(json_t *object, const char *key, const char *text, bool *ok)
{
	if (json_object_set_new(object, key, json_string(text)) < 0)
		*ok = false;
}

static void put_number(json_t *object, const char *key, json_int_t number, bool *ok)
{
	if (json_object_set_new(object, key, json_integer(number)) < 0)
		*ok = false;
}

static void put_address(json_t *object, const char *key, bool is_v6, const void *address, bool *ok)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(is_v6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
	put_text(object, key, text, ok);
}

static void put_lease(json_t *record, const struct network_lease *lease, bool *ok)
{
	const uint8_t *mac = lease->mac;
	bool has_v6 = lease->addresses.prefix6_len > 0;
	char text[MAC_SIZE];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	put_text(record, "link", lease->link, ok);
	put_text(record, "mac", text, ok);
	put_address(record, "address", false, &lease->addresses.address, ok);
	put_number(record, "prefix", lease->addresses.prefix_len, ok);
	put_address(record, "gateway", false, &lease->gateways.address, ok);
	put_number(record, "prefix6", lease->addresses.prefix6_len, ok);
	if (has_v6) {
		put_address(record, "address6", true, &lease->addresses.address6, ok);
		put_address(record, "gateway6", true, &lease->gateways.address6, ok);
	}
}

static json_t *make_port(const struct network_port *port)
{
	const struct portspec spec = { .protocol = port->protocol == IPPROTO_UDP ? "udp" : "tcp" };
	auto_json json_t *object = json_object();
	char name[PORTSPEC_SIZE];
	bool ok = object != NULL;

	portspec_render(&spec, port->container_port, name);
	put_text(object, "port", name, &ok);
	put_address(object, "ip", port->is_v6, &port->host, &ok);
	put_number(object, "host_port", port->host_port, &ok);
	return ok ? steal_ptr(&object) : NULL;
}

json_t *network_record_new(const char *bridge, const struct network_lease *lease,
			   const struct network_port *ports, size_t count)
{
	auto_json json_t *record = json_object();
	json_t *list = json_array();
	bool ok = record && list;

	put_text(record, "mode", "bridge", &ok);
	put_text(record, "bridge", bridge, &ok);
	put_lease(record, lease, &ok);
	for (size_t i = 0; ok && i < count; i++)
		ok = json_array_append_new(list, make_port(&ports[i])) == 0;
	if (json_object_set_new(record, "ports", list) < 0)
		ok = false;
	return ok ? steal_ptr(&record) : NULL;
}

/* --- reading -------------------------------------------------------------------- */

static bool get_address(const json_t *object, const char *key, bool is_v6, void *ret)
{
	return inet_pton(is_v6 ? AF_INET6 : AF_INET, json_get_str(object, key, ""), ret) == 1;
}

static bool get_prefix(const json_t *record, const char *key, int64_t max, unsigned *ret)
{
	int64_t value = json_get_int(record, key, -1);

	*ret = (unsigned)value;
	return value >= 0 && value <= max;
}

/* The addresses follow from each other, but for this one. */
static void derive_mac(struct network_lease *lease)
{
	lease->mac[0] = 0x02;
	lease->mac[1] = 0x42;
	memcpy(&lease->mac[2], &lease->addresses.address, sizeof(struct in_addr));
}

bool network_record_get_lease(const json_t *record, struct network_lease *ret)
{
	struct network_lease lease = { .link = "" };
	const char *link = json_get_str(record, "link", "");
	bool fine = *link && strlen(link) < sizeof(lease.link) &&
		    get_address(record, "address", false, &lease.addresses.address) &&
		    get_address(record, "gateway", false, &lease.gateways.address) &&
		    get_prefix(record, "prefix", 32, &lease.addresses.prefix_len) &&
		    get_prefix(record, "prefix6", 128, &lease.addresses.prefix6_len);

	if (fine && lease.addresses.prefix6_len > 0)
		fine = get_address(record, "address6", true, &lease.addresses.address6) &&
		       get_address(record, "gateway6", true, &lease.gateways.address6);
	if (!fine)
		return false;
	snprintf(lease.link, sizeof(lease.link), "%s", link);
	lease.gateways.prefix_len = lease.addresses.prefix_len;
	lease.gateways.prefix6_len = lease.addresses.prefix6_len;
	derive_mac(&lease);
	*ret = lease;
	return true;
}

static bool parse_port(const json_t *object, struct network_port *ret)
{
	struct network_port port = { .protocol = IPPROTO_TCP };
	int64_t host_port = json_get_int(object, "host_port", 0);
	struct portspec spec;

	if (portspec_parse(json_get_str(object, "port", ""), &spec, NULL) < 0 || host_port < 1 ||
	    host_port > UINT16_MAX)
		return false;
	port.protocol = strcmp(spec.protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
	port.host_port = (uint16_t)host_port;
	port.container_port = (uint16_t)spec.first;
	port.is_v6 = strchr(json_get_str(object, "ip", ""), ':') != NULL;
	if (!get_address(object, "ip", port.is_v6, &port.host))
		return false;
	*ret = port;
	return true;
}

struct network_port *network_record_get_ports(const json_t *ports, size_t *ret_count)
{
	struct network_port *list = calloc(json_array_size(ports) + 1, sizeof(*list));
	size_t count = 0, i;
	json_t *port;

	if (!list)
		return NULL;
	json_array_foreach(ports, i, port)
		count += parse_port(port, &list[count]);
	*ret_count = count;
	return list;
}
