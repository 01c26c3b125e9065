/* What is configured of a container's network: the mode, ports and links. Addresses
 * are those of a network that it is in; one that has only loopback has none.
 */
#include "fs/render_private.h"

#include <string.h>

static void append_line(struct strbuf *out, const char *key, const char *value)
{
	strbuf_appendf(out, "%s:\t", key);
	render_append_text(out, value);
	strbuf_append_char(out, '\n');
}

/* '80/tcp -> 0.0.0.0:8080'; a host's port that is free to choose is 0. */
static void append_binding(struct strbuf *out, const char *port, const json_t *binding)
{
	const char *address = json_get_str(binding, "HostIp", "");
	const char *host_port = json_get_str(binding, "HostPort", "");

	render_append_text(out, port);
	strbuf_append_str(out, " -> ");
	render_append_text(out, *address ? address : "0.0.0.0");
	strbuf_append_char(out, ':');
	render_append_text(out, *host_port ? host_port : "0");
	strbuf_append_char(out, '\n');
}

static void append_ports(struct strbuf *out, const json_t *exposed, const json_t *bindings)
{
	const char *port;
	json_t *value, *binding;
	size_t i;

	json_object_foreach((json_t *)bindings, port, value) {
		json_array_foreach(value, i, binding)
			append_binding(out, port, binding);
	}
	json_object_foreach((json_t *)exposed, port, value) {
		if (json_array_size(json_object_get(bindings, port)) > 0)
			continue;
		render_append_text(out, port);
		strbuf_append_char(out, '\n');
	}
}

void render_net(const struct container_view *view, struct strbuf *out)
{
	json_t *host = json_get_object(view->effective, "HostConfig");
	json_t *links = json_get_array(host, "Links"), *link;
	const char *mode = json_get_str(host, "NetworkMode", "");
	size_t i;

	if (json_get_bool(view->effective, "NetworkDisabled", false))
		mode = "none";
	append_line(out, "Mode", *mode ? mode : "default");
	append_line(out, "IPAddress", "");
	append_line(out, "Gateway", "");
	append_ports(out, json_get_object(view->effective, "ExposedPorts"),
		     json_get_object(host, "PortBindings"));
	json_array_foreach(links, i, link)
		append_line(out, "Link", json_string_value(link) ? json_string_value(link) : "");
}
