/* A container's network, wherever it is shown: the file `net`, PORTS of ps, the command port and
 * NetworkSettings of inspect.
 *
 * While it runs, it is what it has (view->network); otherwise only `net` shows anything,
 * which is what is configured. Addresses with a port are written as URLs write them: an IPv6 one
 * in brackets.
 */
#include "fs/render/render_private.h"

#include "runtime/config/portspec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void append_line(struct strbuf *out, const char *key, const char *value)
{
	strbuf_appendf(out, "%s:\t", key);
	render_append_text(out, value);
	strbuf_append_char(out, '\n');
}

/* 0.0.0.0:8080 */
static void append_host(struct strbuf *out, const char *address, const char *port)
{
	bool is_v6 = strchr(address, ':') != NULL;

	strbuf_append_str(out, is_v6 ? "[" : "");
	render_append_text(out, address);
	strbuf_append_str(out, is_v6 ? "]:" : ":");
	render_append_text(out, port);
}

/* --- ports that it has --------------------------------------------------------------- */

static unsigned get_host_port(const json_t *port)
{
	return (unsigned)json_get_int(port, "host_port", 0);
}

static void append_got_host(struct strbuf *out, const json_t *port)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", get_host_port(port));
	append_host(out, json_get_str(port, "ip", ""), number);
}

static int compare_ports(const void *a, const void *b)
{
	const json_t *left = *(const json_t *const *)a, *right = *(const json_t *const *)b;
	struct portspec first = { .first = 0 }, second = { .first = 0 };
	int order = strcmp(json_get_str(left, "port", ""), json_get_str(right, "port", ""));

	if (order != 0 && portspec_parse(json_get_str(left, "port", ""), &first, NULL) == 0 &&
	    portspec_parse(json_get_str(right, "port", ""), &second, NULL) == 0 &&
	    first.first != second.first)
		return first.first < second.first ? -1 : 1;
	if (order != 0)
		return order;
	/* IPv4 first. */
	order = (strchr(json_get_str(left, "ip", ""), ':') != NULL) -
		(strchr(json_get_str(right, "ip", ""), ':') != NULL);
	return order ? order : (int)get_host_port(left) - (int)get_host_port(right);
}

/* By the container's number; a heap array of borrowed ones. NULL: no memory. */
static const json_t **sort_ports(const struct container_view *view, size_t *ret_count)
{
	json_t *list = json_get_array(view->network, "ports"), *port;
	const json_t **ports = calloc(json_array_size(list) + 1, sizeof(*ports));
	size_t i;

	*ret_count = json_array_size(list);
	if (!ports)
		return NULL;
	json_array_foreach(list, i, port)
		ports[i] = port;
	qsort(ports, *ret_count, sizeof(*ports), compare_ports);
	return ports;
}

bool render_append_port(const struct container_view *view, const char *port, struct strbuf *out)
{
	size_t count, start = out->len;
	auto_free const json_t **ports = sort_ports(view, &count);

	if (!ports) {
		out->oom = true;
		return true;
	}
	for (size_t i = 0; i < count; i++) {
		const char *name = json_get_str(ports[i], "port", "");

		if (port && strcmp(port, name) != 0)
			continue;
		if (!port)
			strbuf_appendf(out, "%s -> ", name);
		append_got_host(out, ports[i]);
		strbuf_append_char(out, '\n');
	}
	return out->len > start;
}

/* Does it have this one of its own? */
static bool is_published(const struct container_view *view, const char *name)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_get_array(view->network, "ports"), i, port)
		if (strcmp(json_get_str(port, "port", ""), name) == 0)
			return true;
	return false;
}

/* --- ps ---------------------------------------------------------------------------------- */

/* Ports next to each other, on one address, of one protocol. */
struct run {
	const json_t *first;
	const char *protocol;
	unsigned inside, host, count;
};

static struct run make_run(const json_t *port)
{
	struct portspec spec = { .protocol = "" };

	portspec_parse(json_get_str(port, "port", ""), &spec, NULL);
	return (struct run){ .first = port,
			     .protocol = spec.protocol,
			     .inside = spec.first,
			     .host = get_host_port(port),
			     .count = 1 };
}

static bool is_next(const struct run *run, const struct run *next)
{
	return run->inside + run->count == next->inside && run->host + run->count == next->host &&
	       strcmp(run->protocol, next->protocol) == 0 &&
	       strcmp(json_get_str(run->first, "ip", ""), json_get_str(next->first, "ip", "")) == 0;
}

/* The run that begins with ports[0]; what it takes of the others becomes NULL. They are in order of
 * the container's numbers. */
static struct run take_run(const json_t **ports, size_t count)
{
	struct run run = make_run(ports[0]);

	for (size_t i = 1; i < count; i++) {
		struct run next = ports[i] ? make_run(ports[i]) : run;

		if (next.inside > run.inside + run.count)
			break;
		if (is_next(&run, &next)) {
			run.count++;
			ports[i] = NULL;
		}
	}
	return run;
}

static void append_run(struct strbuf *out, const struct run *run)
{
	append_got_host(out, run->first);
	if (run->count > 1)
		strbuf_appendf(out, "-%u", run->host + run->count - 1);
	strbuf_appendf(out, "->%u", run->inside);
	if (run->count > 1)
		strbuf_appendf(out, "-%u", run->inside + run->count - 1);
	strbuf_appendf(out, "/%s", run->protocol);
}

void render_append_ports(const struct container_view *view, struct strbuf *out)
{
	const char *comma = "", *name;
	size_t count = 0;
	auto_free const json_t **ports = sort_ports(view, &count);
	json_t *unused;

	out->oom = out->oom || !ports;
	/* Without an address nobody reaches a port. */
	if (!ports || !*json_get_str(view->network, "address", ""))
		return;
	for (size_t i = 0; i < count; i++) {
		struct run run;

		if (!ports[i])
			continue;
		run = take_run(ports + i, count - i);
		strbuf_append_str(out, comma);
		append_run(out, &run);
		comma = ", ";
	}
	json_object_foreach(json_get_object(view->effective, "ExposedPorts"), name, unused) {
		if (is_published(view, name))
			continue;
		strbuf_appendf(out, "%s%s", comma, name);
		comma = ", ";
	}
}

/* --- the file net -------------------------------------------------------------------------- */

/* '80/tcp -> 0.0.0.0:8080'; a host's port that is free to choose is 0. */
static void append_binding(struct strbuf *out, const char *port, const json_t *binding)
{
	const char *address = json_get_str(binding, "HostIp", "");
	const char *host_port = json_get_str(binding, "HostPort", "");

	render_append_text(out, port);
	strbuf_append_str(out, " -> ");
	append_host(out, *address ? address : "0.0.0.0", *host_port ? host_port : "0");
	strbuf_append_char(out, '\n');
}

static void append_configured(struct strbuf *out, const struct container_view *view)
{
	json_t *bindings =
		json_get_object(json_get_object(view->effective, "HostConfig"), "PortBindings");
	const char *port;
	json_t *value, *binding;
	size_t i;

	json_object_foreach(bindings, port, value) {
		json_array_foreach(value, i, binding)
			append_binding(out, port, binding);
	}
	json_object_foreach(json_get_object(view->effective, "ExposedPorts"), port, value) {
		if (json_array_size(json_object_get(bindings, port)) > 0)
			continue;
		render_append_text(out, port);
		strbuf_append_char(out, '\n');
	}
}

static void append_got(struct strbuf *out, const struct container_view *view)
{
	const char *port;
	json_t *unused;

	render_append_port(view, NULL, out);
	json_object_foreach(json_get_object(view->effective, "ExposedPorts"), port, unused) {
		if (is_published(view, port))
			continue;
		render_append_text(out, port);
		strbuf_append_char(out, '\n');
	}
}

static void append_prefix(struct strbuf *out, const char *key, int64_t prefix)
{
	strbuf_appendf(out, "%s:\t", key);
	if (prefix > 0)
		strbuf_appendf(out, "%lld", (long long)prefix);
	strbuf_append_char(out, '\n');
}

static void append_addresses(struct strbuf *out, const json_t *record)
{
	append_line(out, "IPAddress", json_get_str(record, "address", ""));
	append_prefix(out, "IPPrefixLen", json_get_int(record, "prefix", 0));
	append_line(out, "Gateway", json_get_str(record, "gateway", ""));
	append_line(out, "GlobalIPv6Address", json_get_str(record, "address6", ""));
	append_prefix(out, "GlobalIPv6PrefixLen", json_get_int(record, "prefix6", 0));
	append_line(out, "IPv6Gateway", json_get_str(record, "gateway6", ""));
	append_line(out, "MacAddress", json_get_str(record, "mac", ""));
}

void render_net(const struct container_view *view, struct strbuf *out)
{
	json_t *host = json_get_object(view->effective, "HostConfig");
	json_t *links = json_get_array(host, "Links"), *link;
	const char *mode = json_get_str(host, "NetworkMode", "");
	size_t i;

	if (json_get_bool(view->effective, "NetworkDisabled", false))
		mode = "none";
	append_line(out, "Mode", json_get_str(view->network, "mode", *mode ? mode : "default"));
	append_addresses(out, view->network);
	if (view->network)
		append_got(out, view);
	else
		append_configured(out, view);
	json_array_foreach(links, i, link)
		append_line(out, "Link", json_string_value(link) ? json_string_value(link) : "");
}

/* --- inspect --------------------------------------------------------------------------------- */

static void put_binding(json_t *list, const json_t *port, bool *ok)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", get_host_port(port));
	if (json_array_append_new(list,
				  json_pack("{s:s, s:s}", "HostIp", json_get_str(port, "ip", ""),
					    "HostPort", number)) < 0)
		*ok = false;
}

/* {"80/tcp": [{"HostIp", "HostPort"}, ...], "81/tcp": null} */
static json_t *make_ports(const struct container_view *view)
{
	json_t *exposed = json_get_object(view->effective, "ExposedPorts"), *unused;
	size_t count = 0;
	auto_free const json_t **ports = sort_ports(view, &count);
	auto_json json_t *object = json_object();
	bool ok = object && ports;
	const char *name;

	for (size_t i = 0; ok && i < count; i++) {
		name = json_get_str(ports[i], "port", "");
		if (!json_object_get(object, name))
			render_put(object, name, json_array(), &ok);
		if (ok)
			put_binding(json_object_get(object, name), ports[i], &ok);
	}
	if (*json_get_str(view->network, "address", ""))
		json_object_foreach(exposed, name, unused)
			if (!json_object_get(object, name))
				render_put(object, name, json_null(), &ok);
	return ok ? steal_ptr(&object) : NULL;
}

static void put_addresses(json_t *object, const json_t *record, bool *ok)
{
	static const struct {
		const char *shown, *name;
		bool is_number;
	} members[] = {
		{ "IPAddress", "address", false },
		{ "IPPrefixLen", "prefix", true },
		{ "Gateway", "gateway", false },
		{ "GlobalIPv6Address", "address6", false },
		{ "GlobalIPv6PrefixLen", "prefix6", true },
		{ "IPv6Gateway", "gateway6", false },
		{ "MacAddress", "mac", false },
	};

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		render_put(object, members[i].shown,
			   members[i].is_number
				   ? json_integer(json_get_int(record, members[i].name, 0))
				   : json_string(json_get_str(record, members[i].name, "")),
			   ok);
}

/* The one that it is in, by the name that Docker gives it. */
static json_t *make_networks(const json_t *record)
{
	auto_json json_t *networks = json_object();
	json_t *network = json_object();
	bool ok = networks && network;

	put_addresses(network, record, &ok);
	if (!record)
		json_decref(network);
	else
		render_put(networks, json_get_str(record, "mode", ""), network, &ok);
	return ok ? steal_ptr(&networks) : NULL;
}

json_t *render_make_network(const struct container_view *view)
{
	auto_json json_t *network = json_object();
	bool ok = network != NULL;

	render_put(network, "Bridge", json_string(json_get_str(view->network, "bridge", "")), &ok);
	put_addresses(network, view->network, &ok);
	render_put(network, "Ports", make_ports(view), &ok);
	render_put(network, "Networks", make_networks(view->network), &ok);
	return ok ? steal_ptr(&network) : NULL;
}
