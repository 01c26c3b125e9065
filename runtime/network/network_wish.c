/* Which ports a configuration wants published, and which it tells its neighbours of.
 *
 * PortBindings and ExposedPorts stand for themselves: a binding needs no exposure. A binding
 * without a host's port, and every exposed port with PublishAllPorts, gets a free one.
 */
#include "runtime/network/network_private.h"

#include "runtime/config/portspec.h"

#include <arpa/inet.h>
#include <string.h>

struct wishes {
	struct network_wish *list;
	size_t count, capacity;
};

static struct network_wish *add_wish(struct wishes *wishes, struct error *err)
{
	if (wishes->count == wishes->capacity) {
		size_t capacity = wishes->capacity ? 2 * wishes->capacity : 8;
		struct network_wish *grown = reallocarray(wishes->list, capacity, sizeof(*grown));

		if (!grown) {
			error_set(err, ENOMEM, "no memory for ports");
			return NULL;
		}
		wishes->list = grown;
		wishes->capacity = capacity;
	}
	return &wishes->list[wishes->count++];
}

/* "" is all addresses; the text was checked when it was written. */
static bool parse_host(const char *text, struct network_wish *wish)
{
	wish->on_all = *text == '\0';
	wish->is_v6 = strchr(text, ':') != NULL;
	return wish->on_all || inet_pton(wish->is_v6 ? AF_INET6 : AF_INET, text, &wish->host) == 1;
}

static int wish_for(struct wishes *wishes, const struct portspec *spec, const json_t *binding,
		    struct error *err)
{
	const char *address = json_get_str(binding, "HostIp", "");
	const char *port = json_get_str(binding, "HostPort", "");
	unsigned first = 0, last = 0;
	struct network_wish *wish = add_wish(wishes, err);

	if (!wish)
		return -ENOMEM;
	*wish = (struct network_wish){
		.protocol = strcmp(spec->protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP,
		.container_port = (uint16_t)spec->first,
	};
	if (!parse_host(address, wish))
		return error_set(err, EINVAL, "'%s' is not an IP address", address);
	if (*port && strcmp(port, "0") != 0 &&
	    portspec_parse_range(port, strlen(port), &first, &last) < 0)
		return error_set(err, EINVAL, "HostPort '%s' is not a port from 1 to 65535", port);
	wish->first_port = (uint16_t)first;
	wish->last_port = (uint16_t)last;
	return 0;
}

static int parse_name(const char *name, struct portspec *spec, struct error *err)
{
	int ret = portspec_parse(name, spec, err);

	if (ret == 0 && strcmp(spec->protocol, "sctp") == 0)
		ret = error_set(err, ENOTSUP, "%s: sctp cannot be published, tcp and udp can",
				name);
	return ret;
}

static int wish_bound(struct wishes *wishes, json_t *bindings, struct error *err)
{
	const char *name;
	json_t *list, *binding;
	size_t i;

	json_object_foreach(bindings, name, list) {
		json_array_foreach(list, i, binding) {
			struct portspec spec;
			int ret = parse_name(name, &spec, err);

			if (ret == 0)
				ret = wish_for(wishes, &spec, binding, err);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

/* Those exposed that no binding names. */
static int wish_exposed(struct wishes *wishes, const json_t *effective, const json_t *bindings,
			struct error *err)
{
	auto_json json_t *exposed = network_wish_list_exposed(effective);
	json_t *name;
	size_t i;

	if (!exposed)
		return error_set(err, ENOMEM, "no memory for ports");
	json_array_foreach(exposed, i, name) {
		struct portspec spec;
		int ret;

		if (json_array_size(json_object_get(bindings, json_string_value(name))) > 0)
			continue;
		ret = parse_name(json_string_value(name), &spec, err);
		if (ret == 0)
			ret = wish_for(wishes, &spec, NULL, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int network_wish_collect(const json_t *effective, struct network_wish **ret, size_t *ret_count,
			 struct error *err)
{
	json_t *host = json_get_object(effective, "HostConfig");
	json_t *bindings = json_get_object(host, "PortBindings");
	struct wishes wishes = { .list = NULL };
	int failure = wish_bound(&wishes, bindings, err);

	if (failure == 0 && json_get_bool(host, "PublishAllPorts", false))
		failure = wish_exposed(&wishes, effective, bindings, err);
	if (failure < 0) {
		free(wishes.list);
		return failure;
	}
	*ret = wishes.list;
	*ret_count = wishes.count;
	return 0;
}

bool network_wish_is_any(const json_t *effective)
{
	json_t *host = json_get_object(effective, "HostConfig");
	const char *name;
	json_t *list;

	json_object_foreach(json_get_object(host, "PortBindings"), name, list)
		if (json_array_size(list) > 0)
			return true;
	return false;
}

/* --- what is exposed -------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	struct portspec left, right;

	if (portspec_parse(*(const char *const *)a, &left, NULL) < 0 ||
	    portspec_parse(*(const char *const *)b, &right, NULL) < 0)
		return 0;
	if (left.first != right.first)
		return left.first < right.first ? -1 : 1;
	return strcmp(left.protocol, right.protocol);
}

static size_t collect_names(json_t *object, json_t *other, const char **names)
{
	const char *name;
	size_t count = 0;
	json_t *unused;

	json_object_foreach(object, name, unused) {
		struct portspec spec;

		if (!json_object_get(other, name) && portspec_parse(name, &spec, NULL) == 0)
			names[count++] = name;
	}
	return count;
}

json_t *network_wish_list_exposed(const json_t *effective)
{
	json_t *exposed = json_get_object(effective, "ExposedPorts");
	json_t *bound = json_get_object(json_get_object(effective, "HostConfig"), "PortBindings");
	size_t most = json_object_size(exposed) + json_object_size(bound), count;
	auto_free const char **names = calloc(most + 1, sizeof(*names));
	auto_json json_t *list = json_array();

	if (!names || !list)
		return NULL;
	count = collect_names(exposed, NULL, names);
	count += collect_names(bound, exposed, names + count);
	qsort(names, count, sizeof(*names), compare);
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, json_string(names[i])) < 0)
			return NULL;
	return steal_ptr(&list);
}
