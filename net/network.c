/* Leases of addresses, and the bridge, which is there as long as there are leases.
 *
 * `turn` is held by who sets the bridge up or takes it away, across its requests to the
 * kernel; `lock` guards the bookkeeping for a few instructions. Order: turn before lock.
 *
 * The bridge stays for a while after the last lease, for one who runs one container after
 * another. It goes only when it was made here, which its alias tells a later engine.
 */
#include "net/network.h"

#include "net/forwarding.h"
#include "net/link.h"
#include "net/namespace.h"
#include "net/pool.h"
#include "net/ports.h"
#include "net/taken.h"

#include "base/log.h"
#include "base/num.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINGER_S 2
#define PREFIX_DIGITS 5 /* of the instance, in the names of interfaces */
#define ULA_LEN 64

struct network {
	char bridge[IFNAMSIZ];
	char alias[64];
	char prefix[IFNAMSIZ]; /* of our interfaces' names */
	uint64_t seed;         /* of the IPv6 prefix */
	struct subnet subnet;  /* prefix_len 0: not chosen yet */
	uint32_t gateway;
	struct namespaces *namespaces;
	struct ports *ports;

	pthread_mutex_t turn; /* guards the next three */
	struct netlink *host;
	int bridge_index; /* 0: there is no bridge */
	bool made_bridge;

	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t idle;
	struct pool *pool; /* from the first set-up on */
	struct network_addresses gateways;
	size_t leases, joining;
	pthread_t keeper;
	bool has_keeper, ending;
};

/* --- opening ------------------------------------------------------------------------- */

static int check_bridge_name(const char *name, struct error *err)
{
	size_t len = strlen(name);

	if (len == 0 || len >= IFNAMSIZ || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    strpbrk(name, "/: \t\n%\"*\\"))
		return error_set(err, EINVAL, "'%s' is no name for an interface", name);
	return 0;
}

static int take_options(struct network *n, const struct network_options *options, struct error *err)
{
	char digits[16];
	int ret = check_bridge_name(options->bridge, err);

	if (ret < 0)
		return ret;
	snprintf(n->bridge, sizeof(n->bridge), "%s", options->bridge);
	snprintf(n->alias, sizeof(n->alias), "containerfs %.40s", options->instance);
	snprintf(n->prefix, sizeof(n->prefix), "cf%.*s", PREFIX_DIGITS, options->instance);
	snprintf(digits, sizeof(digits), "%.15s", options->instance);
	num_parse_base(digits, 16, UINT64_MAX, &n->seed);
	if (options->subnet) {
		ret = subnet_parse(options->subnet, &n->subnet, &n->gateway, err);
		if (ret == 0 && n->gateway == 0)
			n->gateway = n->subnet.base + 1;
	}
	return ret;
}

static void init_idle(struct network *n)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&n->idle, &attr);
	pthread_condattr_destroy(&attr);
}

int network_open(const struct network_options *options, struct network **ret, struct error *err)
{
	struct network *n AUTO(network_close) = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return error_set(err, ENOMEM, "no memory for the network");
	pthread_mutex_init(&n->turn, NULL);
	pthread_mutex_init(&n->lock, NULL);
	init_idle(n);
	r = take_options(n, options, err);
	if (r == 0)
		r = netlink_open(&n->host, err);
	if (r == 0)
		r = namespaces_new(n->prefix, &n->namespaces, err);
	if (r == 0)
		r = ports_new(options->run_fd, options->bridge, options->instance,
			      options->isolated ? n->prefix : NULL, &n->ports, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&n);
	return 0;
}

/* --- the bridge --------------------------------------------------------------------------- */

/* The range: the option's, else the one that the bridge has, else a free one. */
static int choose_subnet(struct network *n, struct error *err)
{
	AUTO(taken_deinit) struct taken taken = { .count = 0 };
	struct error none = ERROR_INIT;
	struct in_addr address;
	unsigned prefix_len;
	int ret;

	if (n->subnet.prefix_len > 0)
		return 0;
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

static struct network_addresses get_gateways(const struct network *n)
{
	struct network_addresses ret = { .address.s_addr = htonl(n->gateway),
					 .prefix_len = n->subnet.prefix_len };

	if (forwarding_host_has_ipv6()) {
		ret.address6 = subnet_make_ula(n->seed);
		ret.address6.s6_addr[15] = 1;
		ret.prefix6_len = ULA_LEN;
	}
	return ret;
}

/* turn held. */
static int make_bridge(struct network *n, struct error *err)
{
	struct network_addresses gateways = get_gateways(n);
	struct link_bridge bridge = { .name = n->bridge,
				      .addresses = gateways,
				      .mtu = link_get_uplink_mtu(n->host),
				      .alias = n->alias };
	int index = 0;
	int ret = link_ensure_bridge(n->host, &bridge, &index, &n->made_bridge, err);

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

static int set_up(struct network *n, struct error *err)
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

static void drop_if_idle(struct network *n)
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
		drop_if_idle(n);
		pthread_mutex_lock(&n->lock);
	}
	pthread_mutex_unlock(&n->lock);
	return NULL;
}

static void begin_joining(struct network *n)
{
	sigset_t everything, before;

	pthread_mutex_lock(&n->lock);
	n->joining++;
	if (!n->has_keeper) {
		sigfillset(&everything);
		pthread_sigmask(SIG_SETMASK, &everything, &before);
		/* Without it the bridge stays until the end. */
		n->has_keeper = pthread_create(&n->keeper, NULL, keep, n) == 0;
		pthread_sigmask(SIG_SETMASK, &before, NULL);
	}
	pthread_cond_signal(&n->idle);
	pthread_mutex_unlock(&n->lock);
}

static void end_joining(struct network *n, bool has_lease)
{
	pthread_mutex_lock(&n->lock);
	n->joining--;
	n->leases += has_lease;
	pthread_cond_signal(&n->idle);
	pthread_mutex_unlock(&n->lock);
}

void network_close(struct network *n)
{
	if (!n)
		return;
	pthread_mutex_lock(&n->lock);
	n->ending = true;
	pthread_cond_signal(&n->idle);
	pthread_mutex_unlock(&n->lock);
	if (n->has_keeper)
		pthread_join(n->keeper, NULL);
	if (n->ports)
		drop_if_idle(n);
	namespaces_free(n->namespaces);
	ports_free(n->ports);
	netlink_close(n->host);
	pool_free(n->pool);
	pthread_cond_destroy(&n->idle);
	pthread_mutex_destroy(&n->lock);
	pthread_mutex_destroy(&n->turn);
	free(n);
}

/* --- leases -------------------------------------------------------------------------------------- */

/* The low bits of the IPv6 address and all of the hardware address follow from the IPv4
 * address: neighbours find the same ones again, and no two are alike. */
static void fill_lease(struct network *n, uint32_t address, struct network_lease *lease)
{
	uint32_t in_order = htonl(address);

	lease->gateways = n->gateways;
	lease->addresses = (struct network_addresses){ .address.s_addr = in_order,
						       .prefix_len = n->subnet.prefix_len };
	lease->mac[0] = 0x02; /* locally administered */
	lease->mac[1] = 0x42;
	memcpy(&lease->mac[2], &in_order, sizeof(in_order));
	if (n->gateways.prefix6_len == 0)
		return;
	lease->addresses.prefix6_len = n->gateways.prefix6_len;
	lease->addresses.address6 = n->gateways.address6;
	lease->addresses.address6.s6_addr[15] = 0;
	/* One of the host's bits, so that none is the gateway's ...::1. */
	lease->addresses.address6.s6_addr[11] = 1;
	memcpy(&lease->addresses.address6.s6_addr[12], &in_order, sizeof(in_order));
}

static int take_address(struct network *n, struct network_lease *ret, struct error *err)
{
	uint32_t address;

	pthread_mutex_lock(&n->lock);
	address = pool_take(n->pool);
	if (address)
		fill_lease(n, address, ret);
	pthread_mutex_unlock(&n->lock);
	if (!address)
		return error_set(err, ENOSPC, "the network '%s' has no address left", n->bridge);
	return 0;
}

static void give_address(struct network *n, const struct network_lease *lease)
{
	pthread_mutex_lock(&n->lock);
	if (n->pool)
		pool_give(n->pool, ntohl(lease->addresses.address.s_addr));
	pthread_mutex_unlock(&n->lock);
}

static int join(struct network *n, struct network_lease *ret, int *ret_ns_fd, struct error *err)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	struct network_lease lease = { .link = "" };
	int r = set_up(n, err);

	if (r == 0)
		r = namespaces_take(n->namespaces, &made, err);
	if (r < 0)
		return r;
	memcpy(lease.link, made.link, sizeof(lease.link));
	r = take_address(n, &lease, err);
	if (r < 0)
		return r;
	r = link_configure(made.inside, made.eth0_index, &lease.addresses, &lease.gateways,
			   lease.mac, err);
	if (r < 0) {
		give_address(n, &lease);
		return r;
	}
	*ret_ns_fd = steal_fd(&made.fd);
	*ret = lease;
	return 0;
}

int network_join(struct network *n, struct network_lease *ret, int *ret_ns_fd, struct error *err)
{
	int r;

	begin_joining(n);
	r = join(n, ret, ret_ns_fd, err);
	end_joining(n, r == 0);
	return r;
}

void network_leave(struct network *n, const struct network_lease *lease)
{
	give_address(n, lease);
	pthread_mutex_lock(&n->lock);
	if (n->leases > 0)
		n->leases--;
	pthread_cond_signal(&n->idle);
	pthread_mutex_unlock(&n->lock);
}

static int adopt(struct network *n, const struct network_lease *lease, struct error *err)
{
	uint32_t address = ntohl(lease->addresses.address.s_addr);
	bool taken;
	int ret = set_up(n, err);

	if (ret < 0)
		return ret;
	pthread_mutex_lock(&n->lock);
	taken = pool_take_this(n->pool, address);
	pthread_mutex_unlock(&n->lock);
	if (!taken)
		return error_set(err, EADDRINUSE,
				 "the address of a running container is not free in network '%s'",
				 n->bridge);
	return 0;
}

int network_adopt(struct network *n, const struct network_lease *lease, struct error *err)
{
	int ret;

	begin_joining(n);
	ret = adopt(n, lease, err);
	end_joining(n, ret == 0);
	return ret;
}

int network_make_empty(struct network *n, int *ret_ns_fd, struct error *err)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	int ret = namespaces_make_empty(n->namespaces, &made, err);

	if (ret == 0)
		ret = link_raise_lo(made.inside, err);
	if (ret == 0)
		*ret_ns_fd = steal_fd(&made.fd);
	return ret;
}

void network_get_facts(struct network *n, struct network_facts *ret)
{
	pthread_mutex_lock(&n->lock);
	*ret = (struct network_facts){ .bridge = n->bridge,
				       .gateways = n->gateways,
				       .leases = n->leases };
	pthread_mutex_unlock(&n->lock);
}

/* --- what nobody leases ---------------------------------------------------------------------------- */

struct leftovers {
	const char *const *kept;
	size_t kept_count;
	char (*names)[IFNAMSIZ];
	size_t count;
	bool failed;
};

static void note_leftover(void *arg, const char *name)
{
	struct leftovers *left = arg;
	char(*grown)[IFNAMSIZ];

	for (size_t i = 0; i < left->kept_count; i++)
		if (strcmp(left->kept[i], name) == 0)
			return;
	grown = reallocarray(left->names, left->count + 1, sizeof(*grown));
	if (!grown) {
		left->failed = true;
		return;
	}
	left->names = grown;
	snprintf(grown[left->count++], IFNAMSIZ, "%s", name);
}

/* One that a former engine made for containers that have ended meanwhile. */
static int drop_stale_bridge(struct network *n, struct error *err)
{
	int ret = 0;

	pthread_mutex_lock(&n->turn);
	if (n->bridge_index == 0 && link_has_alias(n->host, n->bridge, n->alias))
		ret = link_delete(n->host, n->bridge, err);
	pthread_mutex_unlock(&n->turn);
	return ret;
}

int network_sweep(struct network *n, const char *const *links, size_t count, struct error *err)
{
	struct leftovers left = { .kept = links, .kept_count = count };
	int ret;

	pthread_mutex_lock(&n->turn);
	ret = link_list(n->host, n->prefix, note_leftover, &left, err);
	for (size_t i = 0; ret == 0 && i < left.count; i++)
		ret = link_delete(n->host, left.names[i], err);
	pthread_mutex_unlock(&n->turn);
	free(left.names);
	if (ret == 0 && left.failed)
		ret = error_set(err, ENOMEM, "no memory for a list of interfaces");
	if (ret == 0)
		ret = ports_sweep(n->ports, err);
	return ret < 0 ? ret : drop_stale_bridge(n, err);
}

/* --- ports ---------------------------------------------------------------------------------------- */

int network_publish(struct network *n, const struct network_publication *publication,
		    struct network_port **ret, size_t *ret_count, struct error *err)
{
	return ports_publish(n->ports, publication, ret, ret_count, err);
}

void network_withdraw(struct network *n, const char *id)
{
	ports_withdraw(n->ports, id);
}

void network_rename(struct network *n, const char *id, const char *owner)
{
	ports_rename(n->ports, id, owner);
}

int network_adopt_ports(struct network *n, const struct network_publication *publication,
			const struct network_port *has, size_t count, struct error *err)
{
	return ports_adopt(n->ports, publication, has, count, err);
}

int network_set_links(struct network *n, const struct network_link *links, size_t count,
		      struct error *err)
{
	return ports_set_links(n->ports, links, count, err);
}
