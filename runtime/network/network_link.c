/* Links: what a container is told of another one that it names, as Docker tells it.
 *
 * In the environment, once, at the start: ALIAS_NAME, ALIAS_PORT, ALIAS_PORT_80_TCP and its _ADDR,
 * _PORT and _PROTO, ALIAS_ENV_X for each variable X of the other but HOME and PATH. The hosts
 * file (network_names.c) has the alias as well, and keeps it right when the other one starts
 * again with another address; it goes by the id, which a rename does not change.
 */
#include "runtime/network/network_private.h"

#include "runtime/config/portspec.h"

#include <ctype.h>
#include <string.h>

/* One link while it is looked at. */
struct link {
	const char *alias;
	char *target_name;
	struct container *target;    /* counted */
	struct container_view *view; /* of the target */
};

static void link_deinit(struct link *link)
{
	free(link->target_name);
	container_unref(link->target);
	container_view_unref(link->view);
}
DEFINE_AUTO_DEINIT(struct link, link_deinit);

/* --- who ------------------------------------------------------------------------- */

static int check_target(const struct link *link, struct error *err)
{
	if (!container_view_is_live(link->view))
		return error_set(err, ESRCH, "cannot link to a non running container: '%s'",
				 link->target_name);
	if (!*json_get_str(link->view->network, "address", ""))
		return error_set(err, EINVAL,
				 "cannot link to container '%s': it is not on the bridge",
				 link->target_name);
	return 0;
}

static int find_target(struct container *c, const char *text, struct link *ret, struct error *err)
{
	const char *colon = strchr(text, ':');

	if (!colon)
		return error_set(err, EINVAL, "'%s' is not CONTAINER:ALIAS", text);
	ret->alias = colon + 1;
	ret->target_name = strndup(text, (size_t)(colon - text));
	if (!ret->target_name)
		return error_set(err, ENOMEM, "no memory for links");
	ret->target = engine_resolve(c->engine, ret->target_name, err);
	if (!ret->target)
		return -err->code;
	if (ret->target == c)
		return error_set(err, EINVAL, "cannot link to itself: '%s'", ret->target_name);
	ret->view = container_get_view(ret->target);
	return check_target(ret, err);
}

/* --- the environment -------------------------------------------------------------- */

static bool add_text(json_t *env, const struct strbuf *text)
{
	return !text->oom && json_array_append_new(env, json_string(strbuf_get_str(text))) == 0;
}

/* PREFIX[suffix]=value... */
static bool add_variable(json_t *env, const char *prefix, const char *suffix, const char *format,
			 ...) __attribute__((format(printf, 4, 5)));
static bool add_variable(json_t *env, const char *prefix, const char *suffix, const char *format,
			 ...)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	va_list ap;

	strbuf_appendf(&text, "%s%s=", prefix, suffix);
	va_start(ap, format);
	strbuf_vappendf(&text, format, ap);
	va_end(ap);
	return add_text(env, &text);
}

/* DB_PORT_5432_TCP and what hangs on it. */
static bool add_port(json_t *env, const char *prefix, const char *address, const char *port)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	struct portspec spec;

	if (portspec_parse(port, &spec, NULL) < 0)
		return true;
	strbuf_appendf(&name, "%s_PORT_%u_%s", prefix, spec.first,
		       strcmp(spec.protocol, "tcp") == 0   ? "TCP"
		       : strcmp(spec.protocol, "udp") == 0 ? "UDP"
							   : "SCTP");
	if (name.oom)
		return false;
	return add_variable(env, name.data, "", "%s://%s:%u", spec.protocol, address, spec.first) &&
	       add_variable(env, name.data, "_ADDR", "%s", address) &&
	       add_variable(env, name.data, "_PORT", "%u", spec.first) &&
	       add_variable(env, name.data, "_PROTO", "%s", spec.protocol);
}

static bool add_ports(json_t *env, const char *prefix, const struct container_view *target)
{
	const char *address = json_get_str(target->network, "address", "");
	auto_json json_t *ports = network_wish_list_exposed(target->effective);
	struct portspec spec;
	json_t *port;
	size_t i;

	if (!ports)
		return false;
	json_array_foreach(ports, i, port) {
		const char *text = json_string_value(port);

		if (i == 0 && portspec_parse(text, &spec, NULL) == 0 &&
		    !add_variable(env, prefix, "_PORT", "%s://%s:%u", spec.protocol, address,
				  spec.first))
			return false;
		if (!add_port(env, prefix, address, text))
			return false;
	}
	return true;
}

static bool is_private(const char *entry)
{
	return !strchr(entry, '=') || !strncmp(entry, "HOME=", 5) || !strncmp(entry, "PATH=", 5);
}

static bool add_others(json_t *env, const char *prefix, const struct container_view *target)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_get_array(target->effective, "Env"), i, entry) {
		AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
		const char *value = json_string_value(entry);

		if (!value || is_private(value))
			continue;
		strbuf_appendf(&text, "%s_ENV_%s", prefix, value);
		if (!add_text(env, &text))
			return false;
	}
	return true;
}

/* "my-db" is MY_DB. */
static char *make_prefix(const char *alias)
{
	char *prefix = strdup(alias);

	for (char *at = prefix; at && *at; at++)
		*at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
	return prefix;
}

static bool add_env(json_t *env, const char *own_name, const struct link *link)
{
	auto_free char *prefix = make_prefix(link->alias);

	return prefix && add_variable(env, prefix, "_NAME", "/%s/%s", own_name, link->alias) &&
	       add_ports(env, prefix, link->view) && add_others(env, prefix, link->view);
}

/* --- all ---------------------------------------------------------------------------- */

static int add_one(struct container *c, const char *text, const char *own_name, json_t *links,
		   json_t *env, struct error *err)
{
	AUTO(link_deinit) struct link link = { .alias = NULL };
	int ret = find_target(c, text, &link, err);

	if (ret < 0 || !links)
		return ret;
	if (json_array_append_new(links, json_pack("{s:s, s:s, s:s}", "id", link.target->id, "name",
						   link.view->name, "alias", link.alias)) < 0 ||
	    !add_env(env, own_name, &link))
		return error_set(err, ENOMEM, "no memory for links");
	return 0;
}

static int add_all(struct container *c, const json_t *effective, json_t *links, json_t *env,
		   struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	json_t *host = json_get_object(effective, "HostConfig"), *text;
	size_t i;

	json_array_foreach(json_get_array(host, "Links"), i, text) {
		const char *value = json_string_value(text);
		int ret = value ? add_one(c, value, view->name, links, env, err) : 0;

		if (ret < 0)
			return ret;
	}
	return 0;
}

int network_link_check(struct container *c, const json_t *effective, struct error *err)
{
	return add_all(c, effective, NULL, NULL, err);
}

int network_link_add(struct container *c, const json_t *effective, json_t *record,
		     struct error *err)
{
	auto_json json_t *links = json_array(), *env = json_array();
	int ret;

	if (!links || !env)
		return error_set(err, ENOMEM, "no memory for links");
	ret = add_all(c, effective, links, env, err);
	if (ret == 0 && (json_object_set(record, "links", links) < 0 ||
			 json_object_set(record, "env", env) < 0))
		ret = error_set(err, ENOMEM, "no memory for links");
	return ret;
}
