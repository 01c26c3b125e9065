/* What network.c (leases) and network_bridge.c (the bridge) share. */
#ifndef NET_NETWORK_PRIVATE_H
#define NET_NETWORK_PRIVATE_H

#include "net/namespace.h"
#include "net/network.h"
#include "net/pool.h"

#include <pthread.h>

/* `turn` is held by who sets the bridge up or takes it away, across its requests to the
 * kernel; `lock` guards the bookkeeping for a few instructions. Order: turn before lock. */
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

/* The bridge is there when it returns, and rules and a pool for it. */
int network_set_up(struct network *n, struct error *err);
/* Somebody is about to have a lease, or has it or not: the bridge stays meanwhile. */
void network_begin_joining(struct network *n);
void network_end_joining(struct network *n, bool has_lease);
void network_drop_if_idle(struct network *n);
/* One that a former engine made for containers that have ended meanwhile. */
int network_drop_stale_bridge(struct network *n, struct error *err);

#endif
