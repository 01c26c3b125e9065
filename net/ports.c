/* A list of holdings, one a container that has any, in memory; the sockets in the relay and
 * the table of rules are what outlives the engine, and both are made to follow the list.
 *
 * A port is taken by binding and listening on it, which fails when another program has it;
 * the socket then lives in the relay. Rules take packets away before they reach it, so that
 * the client's address is kept and nobody copies bytes.
 *
 * `turn` is held by who changes anything, across requests to relay and kernel.
 */
#include "net/ports_private.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define PORTS_MAX 65536

static void free_holding(struct holding *holding)
{
	free(holding->ports);
	free(holding);
}
DEFINE_AUTO(struct holding *, free_holding);

int ports_new(int run_fd, const char *bridge, const char *instance, const char *prefix,
	      struct ports **ret, struct error *err)
{
	struct ports *ports AUTO(ports_free) = calloc(1, sizeof(*ports));
	char table[64];
	int r;

	if (!ports)
		return error_set(err, ENOMEM, "no memory for ports");
	pthread_mutex_init(&ports->turn, NULL);
	snprintf(ports->bridge, sizeof(ports->bridge), "%s", bridge);
	snprintf(table, sizeof(table), "containerfs-%.16s", instance);
	r = relayclient_new(run_fd, &ports->relay, err);
	if (r == 0)
		r = rules_new(table, prefix, &ports->rules, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&ports);
	return 0;
}

void ports_free(struct ports *ports)
{
	struct holding *next;

	if (!ports)
		return;
	for (struct holding *at = ports->holdings; at; at = next) {
		next = at->next;
		free_holding(at);
	}
	relayclient_free(ports->relay);
	rules_free(ports->rules);
	pthread_mutex_destroy(&ports->turn);
	free(ports);
}

static struct in6_addr get_address(const struct network_addresses *addresses, bool is_v6)
{
	struct in6_addr ret = { .s6_addr = { 0 } };

	if (is_v6)
		ret = addresses->address6;
	else
		memcpy(&ret, &addresses->address, sizeof(struct in_addr));
	return ret;
}

/* With no port left there is nothing to relay. turn held. */
static void rest_if_idle(struct ports *ports)
{
	for (const struct holding *at = ports->holdings; at; at = at->next)
		if (at->count > 0)
			return;
	relayclient_rest(ports->relay);
}

/* --- giving to the relay and the kernel ------------------------------------------------------- */

static struct relay_request make_request(enum relay_op op, const char *id)
{
	struct relay_request request = { .op = (uint32_t)op };

	snprintf(request.id, sizeof(request.id), "%.12s", id);
	return request;
}

static int give_to_relay(struct ports *ports, const struct holding *holding,
			 const struct network_port *port, int fd, struct error *err)
{
	struct relay_request request = make_request(RELAY_OP_ADD, holding->id);
	struct in6_addr target = get_address(&holding->lease.addresses, port->is_v6);
	int64_t ret;

	request.protocol = port->protocol;
	request.target = ports_make_name(port->is_v6, &target, port->container_port);
	ret = relayclient_ask(ports->relay, &request, fd, err);
	return ret < 0 ? (int)ret : 0;
}

static void drop_from_relay(struct ports *ports, const char *id)
{
	struct relay_request request = make_request(RELAY_OP_DROP, id);
	struct error err = ERROR_INIT;

	if (relayclient_ask(ports->relay, &request, -1, &err) < 0)
		log_warn("ports of container %.12s: %s", id, err.msg);
}

static void fill_rules(const struct holding *holding, struct rules_port *out)
{
	for (size_t i = 0; i < holding->count; i++) {
		const struct network_port *port = &holding->ports[i];

		out[i] = (struct rules_port){ .is_v6 = port->is_v6,
					      .protocol = port->protocol,
					      .host = port->host,
					      .host_port = port->host_port,
					      .target = get_address(&holding->lease.addresses,
								    port->is_v6),
					      .target_port = port->container_port };
	}
}

typedef int change_rules(struct rules *rules, const struct rules_port *ports, size_t count,
			 struct error *err);

static int change(struct ports *ports, const struct holding *holding, change_rules *fn,
		  struct error *err)
{
	auto_free struct rules_port *list = calloc(holding->count + 1, sizeof(*list));

	if (!list)
		return error_set(err, ENOMEM, "no memory for packet rules");
	fill_rules(holding, list);
	return ports->has_rules ? fn(ports->rules, list, holding->count, err) : 0;
}

static struct holding *make_holding(const struct network_publication *publication,
				    const struct network_port *has, size_t count, struct error *err)
{
	struct holding *holding AUTO(free_holding) = calloc(1, sizeof(*holding));

	if (holding)
		holding->ports = calloc(count + 1, sizeof(*holding->ports));
	if (!holding || !holding->ports) {
		error_set(err, ENOMEM, "no memory for ports");
		return NULL;
	}
	snprintf(holding->id, sizeof(holding->id), "%s", publication->id);
	snprintf(holding->owner, sizeof(holding->owner), "%s", publication->owner);
	holding->lease = *publication->lease;
	if (count > 0)
		memcpy(holding->ports, has, count * sizeof(*has));
	holding->count = count;
	return steal_ptr(&holding);
}

static struct holding *hold_taken(const struct taking *taking, struct error *err)
{
	auto_free struct network_port *list = calloc(taking->count + 1, sizeof(*list));

	if (!list) {
		error_set(err, ENOMEM, "no memory for ports");
		return NULL;
	}
	for (size_t i = 0; i < taking->count; i++)
		list[i] = taking->taken[i].port;
	return make_holding(taking->publication, list, taking->count, err);
}

static void list_holding(struct ports *ports, struct holding *holding)
{
	holding->next = ports->holdings;
	ports->holdings = holding;
}

/* All to the relay, then the rules in one change; or nothing. */
static int give(struct ports *ports, const struct taking *taking, struct holding *holding,
		struct error *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < taking->count; i++)
		ret = give_to_relay(ports, holding, &taking->taken[i].port, taking->taken[i].fd,
				    err);
	if (ret == 0)
		ret = change(ports, holding, rules_add, err);
	if (ret < 0)
		drop_from_relay(ports, holding->id);
	return ret;
}

static int copy_ports(const struct holding *holding, struct network_port **ret, size_t *ret_count,
		      struct error *err)
{
	*ret = calloc(holding->count + 1, sizeof(**ret));
	if (!*ret)
		return error_set(err, ENOMEM, "no memory for ports");
	memcpy(*ret, holding->ports, holding->count * sizeof(**ret));
	*ret_count = holding->count;
	return 0;
}

static int publish(struct ports *ports, struct taking *taking, struct network_port **ret,
		   size_t *ret_count, struct error *err)
{
	struct holding *holding AUTO(free_holding) = NULL;
	int r = ports_take(ports, taking, err);

	if (r < 0)
		return r;
	holding = hold_taken(taking, err);
	if (!holding)
		return -ENOMEM;
	r = copy_ports(holding, ret, ret_count, err);
	if (r == 0)
		r = give(ports, taking, holding, err);
	if (r < 0) {
		free(*ret);
		*ret = NULL;
		return r;
	}
	list_holding(ports, steal_ptr(&holding));
	return 0;
}

int ports_publish(struct ports *ports, const struct network_publication *publication,
		  struct network_port **ret, size_t *ret_count, struct error *err)
{
	struct taking taking = { .publication = publication, .capacity = 2 * publication->count };
	int r;

	*ret = NULL;
	*ret_count = 0;
	if (publication->count > PORTS_MAX)
		return error_set(err, E2BIG, "more than %d ports", PORTS_MAX);
	taking.taken = calloc(taking.capacity + 1, sizeof(*taking.taken));
	if (!taking.taken)
		return error_set(err, ENOMEM, "no memory for ports");
	pthread_mutex_lock(&ports->turn);
	r = publish(ports, &taking, ret, ret_count, err);
	if (r < 0)
		rest_if_idle(ports);
	pthread_mutex_unlock(&ports->turn);
	ports_untake(&taking, 0); /* the relay has its own */
	free(taking.taken);
	return r;
}

void ports_withdraw(struct ports *ports, const char *id)
{
	struct holding *gone AUTO(free_holding) = NULL;
	struct error err = ERROR_INIT;

	pthread_mutex_lock(&ports->turn);
	for (struct holding **at = &ports->holdings; *at && !gone;) {
		if (strcmp((*at)->id, id) == 0) {
			gone = *at;
			*at = gone->next;
		} else {
			at = &(*at)->next;
		}
	}
	if (gone && gone->count > 0) {
		if (change(ports, gone, rules_remove, &err) < 0)
			log_warn("ports of container '%s': %s", gone->owner, err.msg);
		drop_from_relay(ports, id);
		rest_if_idle(ports);
	}
	pthread_mutex_unlock(&ports->turn);
}

void ports_rename(struct ports *ports, const char *id, const char *owner)
{
	pthread_mutex_lock(&ports->turn);
	for (struct holding *at = ports->holdings; at; at = at->next)
		if (strcmp(at->id, id) == 0)
			snprintf(at->owner, sizeof(at->owner), "%s", owner);
	pthread_mutex_unlock(&ports->turn);
}

/* --- the bridge comes and goes ------------------------------------------------------------------ */

static struct rules_port *collect_rules(const struct ports *ports, size_t *ret_count)
{
	struct rules_port *list;
	size_t count = 0;

	for (const struct holding *at = ports->holdings; at; at = at->next)
		count += at->count;
	list = calloc(count + 1, sizeof(*list));
	*ret_count = 0;
	for (const struct holding *at = ports->holdings; list && at; at = at->next) {
		fill_rules(at, list + *ret_count);
		*ret_count += at->count;
	}
	return list;
}

int ports_set_bridge(struct ports *ports, const struct network_addresses *gateways,
		     struct error *err)
{
	auto_free struct rules_port *list = NULL;
	size_t count;
	int ret = 0;

	pthread_mutex_lock(&ports->turn);
	list = collect_rules(ports, &count);
	if (!list)
		ret = error_set(err, ENOMEM, "no memory for packet rules");
	if (ret == 0)
		ret = rules_set(ports->rules, ports->bridge, gateways, list, count, err);
	ports->has_rules = ret == 0;
	pthread_mutex_unlock(&ports->turn);
	return ret;
}

void ports_drop_bridge(struct ports *ports)
{
	struct error err = ERROR_INIT;

	pthread_mutex_lock(&ports->turn);
	ports->has_rules = false;
	if (rules_drop(ports->rules, &err) < 0)
		log_warn("network '%s': %s", ports->bridge, err.msg);
	pthread_mutex_unlock(&ports->turn);
}

/* --- links ------------------------------------------------------------------------------------- */

static size_t add_links(const struct network_link *link, struct rules_link *out)
{
	bool has_v6 = link->client.prefix6_len > 0 && link->target.prefix6_len > 0;

	for (int is_v6 = 0; is_v6 <= has_v6; is_v6++)
		out[is_v6] = (struct rules_link){ .is_v6 = is_v6,
						  .protocol = link->protocol,
						  .client = get_address(&link->client, is_v6),
						  .target = get_address(&link->target, is_v6),
						  .port = link->port };
	return has_v6 ? 2 : 1;
}

int ports_set_links(struct ports *ports, const struct network_link *links, size_t count,
		    struct error *err)
{
	auto_free struct rules_link *list = calloc(2 * count + 1, sizeof(*list));
	size_t used = 0;
	int ret;

	if (!list)
		return error_set(err, ENOMEM, "no memory for links");
	for (size_t i = 0; i < count; i++)
		used += add_links(&links[i], list + used);
	pthread_mutex_lock(&ports->turn);
	ret = rules_set_links(ports->rules, list, used, ports->has_rules, err);
	pthread_mutex_unlock(&ports->turn);
	return ret;
}

/* --- after an engine's death ---------------------------------------------------------------------- */

/* The relay has them still, or (it died as well) takes them anew. */
static int hold_again(struct ports *ports, const struct holding *holding, struct error *err)
{
	struct relay_request request = make_request(RELAY_OP_KEEP, holding->id);
	int64_t has = relayclient_ask(ports->relay, &request, -1, err);
	int ret = has < 0 ? (int)has : 0;

	if (ret < 0 || (size_t)has == holding->count)
		return ret;
	drop_from_relay(ports, holding->id);
	for (size_t i = 0; ret == 0 && i < holding->count; i++) {
		auto_fd int fd = ports_open(&holding->ports[i]);

		if (fd < 0)
			return ports_fail(&holding->ports[i], NULL, -fd, err);
		ret = give_to_relay(ports, holding, &holding->ports[i], fd, err);
	}
	return ret;
}

int ports_adopt(struct ports *ports, const struct network_publication *publication,
		const struct network_port *has, size_t count, struct error *err)
{
	struct holding *holding AUTO(free_holding) = NULL;
	struct error why = ERROR_INIT;
	int ret;

	if (count == 0)
		return 0;
	holding = make_holding(publication, has, count, err);
	if (!holding)
		return -ENOMEM;
	pthread_mutex_lock(&ports->turn);
	ret = hold_again(ports, holding, &why);
	/* Without their sockets the ports still work by the rules. */
	if (ret < 0)
		log_warn("ports of container '%s': %s", holding->owner, why.msg);
	ret = change(ports, holding, rules_add, err);
	if (ret == -EEXIST) {
		error_clear(err);
		ret = 0;
	}
	if (ret == 0)
		list_holding(ports, steal_ptr(&holding));
	pthread_mutex_unlock(&ports->turn);
	return ret;
}

int ports_sweep(struct ports *ports, struct error *err)
{
	struct relay_request request = make_request(RELAY_OP_MARK, "");
	int64_t ret;

	pthread_mutex_lock(&ports->turn);
	ret = relayclient_ask(ports->relay, &request, -1, err);
	request.op = RELAY_OP_KEEP;
	for (struct holding *at = ports->holdings; ret >= 0 && at; at = at->next) {
		snprintf(request.id, sizeof(request.id), "%.12s", at->id);
		ret = relayclient_ask(ports->relay, &request, -1, err);
	}
	request.op = RELAY_OP_SWEEP;
	if (ret >= 0)
		ret = relayclient_ask(ports->relay, &request, -1, err);
	if (ret >= 0 && !ports->has_rules)
		ret = rules_drop(ports->rules, err);
	rest_if_idle(ports);
	pthread_mutex_unlock(&ports->turn);
	return ret < 0 ? (int)ret : 0;
}
