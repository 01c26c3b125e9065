/* Containers that do not reach each other (--icc=false): what their links open all the same.
 *
 * A link opens the ports that its target exposes, to the container that links alone. Who links
 * to whom, and which addresses they have, is in the records of those that hold a lease: the
 * whole is made anew from them whenever one has come or goes, and the kernel gets it in one
 * transaction. So a target that comes back with another address, or an engine that comes after
 * another, needs nothing special. An address is closed before it is given back.
 */
#include "runtime/network/network_private.h"

#include "runtime/config/portspec.h"

#include <string.h>

struct network_isolation {
	pthread_mutex_t turn; /* held from the look at the records until the kernel knows */
};

struct network_isolation *network_isolation_new(void)
{
	struct network_isolation *isolation = calloc(1, sizeof(*isolation));

	if (isolation)
		pthread_mutex_init(&isolation->turn, NULL);
	return isolation;
}

void network_isolation_free(struct network_isolation *isolation)
{
	if (!isolation)
		return;
	pthread_mutex_destroy(&isolation->turn);
	free(isolation);
}

struct links {
	struct network_link *list;
	size_t count, capacity;
};

static bool add(struct links *links, const struct network_link *link)
{
	if (links->count == links->capacity) {
		size_t capacity = links->capacity ? 2 * links->capacity : 16;
		struct network_link *grown = reallocarray(links->list, capacity, sizeof(*grown));

		if (!grown)
			return false;
		links->list = grown;
		links->capacity = capacity;
	}
	links->list[links->count++] = *link;
	return true;
}

static bool add_exposed(struct links *links, const struct network_holder *client,
			const struct network_holder *target)
{
	json_t *port;
	size_t i;

	json_array_foreach(json_get_array(target->record, "exposed"), i, port) {
		struct network_link link = { .client = client->lease.addresses,
					     .target = target->lease.addresses };
		struct portspec spec;

		if (portspec_parse(json_string_value(port), &spec, NULL) < 0 ||
		    strcmp(spec.protocol, "sctp") == 0)
			continue;
		link.protocol = strcmp(spec.protocol, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
		link.port = (uint16_t)spec.first;
		if (!add(links, &link))
			return false;
	}
	return true;
}

static const struct network_holder *find(const struct network_holders *holders, const char *id)
{
	for (size_t i = 0; i < holders->count; i++)
		if (strcmp(holders->list[i].container->id, id) == 0)
			return &holders->list[i];
	return NULL;
}

static bool collect(const struct network_holders *holders, struct links *ret)
{
	for (size_t at = 0; at < holders->count; at++) {
		const struct network_holder *client = &holders->list[at];
		json_t *link;
		size_t i;

		json_array_foreach(json_get_array(client->record, "links"), i, link) {
			const struct network_holder *target =
				find(holders, json_get_str(link, "id", ""));

			if (target && !add_exposed(ret, client, target))
				return false;
		}
	}
	return true;
}

int network_isolation_refresh(struct engine *engine, struct error *err)
{
	AUTO(network_holders_deinit) struct network_holders holders = { .count = 0 };
	struct links links = { .list = NULL };
	int ret;

	if (!engine->isolation)
		return 0;
	pthread_mutex_lock(&engine->isolation->turn);
	if (network_holders_collect(engine, &holders) < 0 || !collect(&holders, &links))
		ret = error_set(err, ENOMEM, "no memory for links");
	else
		ret = network_set_links(engine->network, links.list, links.count, err);
	pthread_mutex_unlock(&engine->isolation->turn);
	free(links.list);
	return ret;
}
