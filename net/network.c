/* Leases of addresses, and what goes with the last holder of one: see network.h. The bridge that
 * they are on is network_bridge.c's.
 */
#include "net/network_private.h"

#include "net/link.h"
#include "net/ports.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_DIGITS 5 /* of the instance, in the names of interfaces */

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

/* --- closing ----------------------------------------------------------------------------- */

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
		network_drop_if_idle(n);
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

static int configure(struct namespace *made, const struct network_lease *lease, struct error *err)
{
	return link_configure(made->inside, made->eth0_index, &lease->addresses, &lease->gateways,
			      lease->mac, err);
}

static int join(struct network *n, struct network_lease *ret, int *ret_ns_fd, struct error *err)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	struct network_lease lease = { .link = "" };
	int r = network_set_up(n, err);

	if (r == 0)
		r = namespaces_take(n->namespaces, &made, err);
	if (r < 0)
		return r;
	memcpy(lease.link, made.link, sizeof(lease.link));
	r = take_address(n, &lease, err);
	if (r < 0)
		return r;
	r = configure(&made, &lease, err);
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

	network_begin_joining(n);
	r = join(n, ret, ret_ns_fd, err);
	network_end_joining(n, r == 0);
	return r;
}

int network_reserve(struct network *n, struct network_lease *ret, struct error *err)
{
	int r;

	network_begin_joining(n);
	r = network_set_up(n, err);
	*ret = (struct network_lease){ .link = "" };
	if (r == 0)
		r = take_address(n, ret, err);
	if (r == 0)
		namespaces_name_link(n->namespaces, ret->link);
	network_end_joining(n, r == 0);
	return r;
}

int network_connect(struct network *n, const struct network_lease *lease, int ns_fd,
		    struct error *err)
{
	AUTO(namespace_deinit) struct namespace made = { .fd = -1 };
	int r = namespaces_fit(n->namespaces, ns_fd, lease->link, &made, err);

	return r < 0 ? r : configure(&made, lease, err);
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
	int ret = network_set_up(n, err);

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

	network_begin_joining(n);
	ret = adopt(n, lease, err);
	network_end_joining(n, ret == 0);
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
	return ret < 0 ? ret : network_drop_stale_bridge(n, err);
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
