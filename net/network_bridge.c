/* The bridge, which is there as long as there are leases.
 *
 * It stays for a while after the last lease, for one who runs one container after another. It
 * goes only when it was made here, which its alias tells a later engine.
 */
#include "net/network_private.h"

#include "net/forwarding.h"
#include "net/link.h"
#include "net/ports.h"
#include "net/taken.h"

#include "base/log.h"
#include "base/worker.h"

#include <arpa/inet.h>
#include <time.h>

#define LINGER_S 2
#define ULA_LEN 64

/* The option's; a bridge that is there has it already. */
static int check_subnet(struct network *n, struct error *err)
{
	if (n->pool || if_nametoindex(n->bridge) > 0)
		return 0;
	return taken_check(n->host, &n->subnet, err);
}

/* The range: the option's, else the one that the bridge has, else a free one. */
static int choose_subnet(struct network *n, struct error *err)
{
	AUTO(taken_deinit) struct taken taken = { .count = 0 };
	struct error none = ERROR_INIT;
	struct in_addr address;
	unsigned prefix_len;
	int ret;

	if (n->subnet.prefix_len > 0)
		return check_subnet(n, err);
	ret = link_find_bridge(n->host, n->bridge, &address, &prefix_len, &none);
	if (ret == -EEXIST)
		return error_set(err, EEXIST, "%s", none.msg);
	if (ret == 0 && prefix_len >= 8 && prefix_len <= 29) {
		n->gateway = ntohl(address.s_addr);
		n->subnet = (struct subnet){ .base = n->gateway & subnet_get_mask(prefix_len),
					     .prefix_len = prefix_len };
		return 0;
	}
	ret = taken_collect(n->host, &taken, err);
	if (ret < 0)
		return ret;
	if (!subnet_choose(taken.ranges, taken.count, &n->subnet)) {
		n->subnet.prefix_len = 0;
		return error_set(err, ENOSPC,
				 "every private range of addresses is in use here; give one with "
				 "--subnet");
	}
	n->gateway = n->subnet.base + 1;
	return 0;
}

static int get_gateways(const struct network *n, struct network_addresses *ret, struct error *err)
{
	int has_ipv6 = forwarding_host_has_ipv6(err);

	if (has_ipv6 < 0)
		return has_ipv6;
	*ret = (struct network_addresses){ .address.s_addr = htonl(n->gateway),
					   .prefix_len = n->subnet.prefix_len };
	if (has_ipv6) {
		ret->address6 = subnet_make_ula(n->seed);
		ret->address6.s6_addr[15] = 1;
		ret->prefix6_len = ULA_LEN;
	}
	return 0;
}

/* turn held. */
static int make_bridge(struct network *n, struct error *err)
{
	struct network_addresses gateways;
	struct link_bridge bridge = { .name = n->bridge, .alias = n->alias };
	int index = 0;
	int ret = get_gateways(n, &gateways, err);

	if (ret < 0)
		return ret;
	bridge.addresses = gateways;
	bridge.mtu = link_get_uplink_mtu(n->host);
	ret = link_ensure_bridge(n->host, &bridge, &index, &n->made_bridge, err);
	if (ret < 0)
		return ret;
	/* One that an engine before us made is ours too. */
	n->made_bridge = n->made_bridge || link_has_alias(n->host, n->bridge, n->alias);
	n->bridge_index = index;
	ret = forwarding_set_up(n->bridge, gateways.prefix6_len > 0, err);
	if (ret == 0)
		ret = ports_set_bridge(n->ports, &gateways, err);
	if (ret < 0)
		return ret;
	namespaces_set_bridge(n->namespaces, index, bridge.mtu);
	pthread_mutex_lock(&n->lock);
	n->gateways = gateways;
	pthread_mutex_unlock(&n->lock);
	return 0;
}

/* turn held. */
static void drop_bridge(struct network *n)
{
	struct error err = ERROR_INIT;

	if (n->bridge_index == 0)
		return;
	namespaces_set_bridge(n->namespaces, 0, 0);
	ports_drop_bridge(n->ports);
	if (n->made_bridge && link_delete(n->host, n->bridge, &err) < 0)
		log_warn("network: %s", err.msg);
	n->bridge_index = 0;
	pthread_mutex_lock(&n->lock);
	n->gateways = (struct network_addresses){ .prefix_len = 0 };
	pthread_mutex_unlock(&n->lock);
}

static int make_pool(struct network *n, struct error *err)
{
	struct pool *pool = n->pool ? n->pool : pool_new(&n->subnet, n->gateway);

	if (!pool)
		return error_set(err, ENOMEM, "no memory for the network's addresses");
	pthread_mutex_lock(&n->lock);
	n->pool = pool;
	pthread_mutex_unlock(&n->lock);
	return 0;
}

int network_set_up(struct network *n, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&n->turn);
	/* Somebody may have deleted it. */
	if (n->bridge_index > 0 && if_nametoindex(n->bridge) != (unsigned)n->bridge_index)
		n->bridge_index = 0;
	if (n->bridge_index == 0) {
		ret = choose_subnet(n, err);
		if (ret == 0)
			ret = make_bridge(n, err);
		if (ret == 0)
			ret = make_pool(n, err);
		if (ret < 0) {
			drop_bridge(n);
			error_wrap(err, ret, "the network '%s'", n->bridge);
		}
	}
	pthread_mutex_unlock(&n->turn);
	return ret;
}

/* --- the last one gone ------------------------------------------------------------------------ */

static bool is_idle_locked(const struct network *n)
{
	return n->leases == 0 && n->joining == 0;
}

void network_drop_if_idle(struct network *n)
{
	bool idle;

	pthread_mutex_lock(&n->turn);
	pthread_mutex_lock(&n->lock);
	idle = is_idle_locked(n);
	pthread_mutex_unlock(&n->lock);
	if (idle)
		drop_bridge(n);
	pthread_mutex_unlock(&n->turn);
}

/* Takes the bridge away when nobody has had a lease for a while. */
static void *keep(void *arg)
{
	struct network *n = arg;
	struct timespec until;

	pthread_mutex_lock(&n->lock);
	while (!n->ending) {
		if (!is_idle_locked(n) || n->gateways.prefix_len == 0) {
			pthread_cond_wait(&n->idle, &n->lock);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += LINGER_S;
		if (pthread_cond_timedwait(&n->idle, &n->lock, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&n->lock);
		network_drop_if_idle(n);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

void network_begin_joining(struct network *n)
{
	pthread_mutex_lock(&n->lock);
	n->joining++;
	/* Without it the bridge stays until the end. */
	if (!n->has_keeper)
		n->has_keeper = worker_start_thread(&n->keeper, keep, n) == 0;
	pthread_cond_signal(&n->idle);
	pthread_mutex_unlock(&n->lock);
}

void network_end_joining(struct network *n, bool has_lease)
{
	pthread_mutex_lock(&n->lock);
	n->joining--;
	n->leases += has_lease;
	pthread_cond_signal(&n->idle);
	pthread_mutex_unlock(&n->lock);
}

int network_drop_stale_bridge(struct network *n, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&n->turn);
	if (n->bridge_index == 0 && link_has_alias(n->host, n->bridge, n->alias))
		ret = link_delete(n->host, n->bridge, err);
	pthread_mutex_unlock(&n->turn);
	return ret;
}
