/* After an engine's death: who holds a lease goes on holding it, with its ports and links, and
 * what nobody holds goes.
 *
 * Ports and links come first, so that the first lease, which brings the bridge, replaces the
 * packet rules by the same ones in one transaction.
 */
#include "runtime/network/network_private.h"

#include "base/log.h"

#include <string.h>

void network_holders_deinit(struct network_holders *holders)
{
	for (size_t i = 0; i < holders->count; i++) {
		container_unref(holders->list[i].container);
		json_decref(holders->list[i].record);
	}
	free(holders->list);
	free(holders->links);
}

/* The reference is taken over, or dropped. */
static void add_holder(struct network_holders *holders, struct container *c)
{
	struct network_holder *holder = &holders->list[holders->count];

	pthread_mutex_lock(&c->lock);
	holder->record = json_incref(c->network);
	pthread_mutex_unlock(&c->lock);
	if (!network_record_get_lease(holder->record, &holder->lease)) {
		json_decref(holder->record);
		container_unref(c);
		return;
	}
	holder->container = c;
	holders->links[holders->count++] = holder->lease.link;
}

int network_holders_collect(struct engine *engine, struct network_holders *ret)
{
	struct container **all;
	size_t count;

	if (table_copy(&engine->table, &all, &count) < 0)
		return -ENOMEM;
	ret->list = calloc(count + 1, sizeof(*ret->list));
	ret->links = calloc(count + 1, sizeof(*ret->links));
	for (size_t i = 0; i < count; i++) {
		if (ret->list && ret->links)
			add_holder(ret, all[i]);
		else
			container_unref(all[i]);
	}
	free(all);
	return ret->list && ret->links ? 0 : -ENOMEM;
}

static int adopt_ports(struct engine *engine, const struct network_holder *holder,
		       struct error *err)
{
	AUTO(container_view_unref)
	struct container_view *view = container_get_view(holder->container);
	struct network_publication publication = { .id = holder->container->id,
						   .owner = view->name,
						   .lease = &holder->lease };
	size_t count = 0;
	auto_free struct network_port *ports =
		network_record_get_ports(json_get_array(holder->record, "ports"), &count);

	if (!ports)
		return error_set(err, ENOMEM, "no memory for ports");
	return network_adopt_ports(engine->network, &publication, ports, count, err);
}

/* It may have ended while it was adopted, and nobody has given back what was not held yet. */
static void hold(struct engine *engine, const struct network_holder *holder, bool has_lease)
{
	struct container *c = holder->container;
	bool ended;

	pthread_mutex_lock(&c->lock);
	ended = c->network != holder->record;
	c->network_is_held = !ended && has_lease;
	pthread_mutex_unlock(&c->lock);
	if (!ended)
		return;
	network_withdraw(engine->network, c->id);
	if (has_lease)
		network_leave(engine->network, &holder->lease);
}

static void adopt_all(struct engine *engine, const struct network_holders *holders)
{
	struct error links = ERROR_INIT;

	for (size_t i = 0; i < holders->count; i++) {
		struct error err = ERROR_INIT;

		if (adopt_ports(engine, &holders->list[i], &err) < 0)
			log_warn("container %s: %s", holders->list[i].container->short_id, err.msg);
	}
	if (network_isolation_refresh(engine, &links) < 0)
		log_warn("links between containers: %s", links.msg);
	for (size_t i = 0; i < holders->count; i++) {
		struct error err = ERROR_INIT;
		int ret = network_adopt(engine->network, &holders->list[i].lease, &err);

		if (ret < 0)
			log_warn("container %s: %s", holders->list[i].container->short_id, err.msg);
		hold(engine, &holders->list[i], ret == 0);
	}
}

void network_recover(struct engine *engine)
{
	AUTO(network_holders_deinit) struct network_holders holders = { .count = 0 };
	struct error err = ERROR_INIT;

	/* Without the list a sweep would take away what is in use. */
	if (network_holders_collect(engine, &holders) < 0) {
		log_warn("no memory to look after the network");
		return;
	}
	adopt_all(engine, &holders);
	if (network_sweep(engine->network, holders.links, holders.count, &err) < 0)
		log_warn("cannot look for leftovers of the network: %s", err.msg);
	network_names_refresh(engine);
}
