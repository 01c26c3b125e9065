/* What the kernel does with packets of a bridge's containers, in one table of our own:
 * masquerade towards the world, published ports, and what may not reach whom. The table
 * outlives the engine; its content is always set whole or changed in one transaction.
 * Tables of others are not looked at: what they drop stays dropped.
 */
#ifndef NET_RULES_H
#define NET_RULES_H

#include "base/cleanup.h"
#include "base/error.h"
#include "net/network.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rules;

/* One published port in one family. */
struct rules_port {
	bool is_v6;
	uint8_t protocol;     /* IPPROTO_TCP or IPPROTO_UDP */
	struct in6_addr host; /* IPv4: the first four bytes; all zero: any address of the host */
	uint16_t host_port;
	struct in6_addr target; /* of the container, in the same form */
	uint16_t target_port;
};

/* What one container may ask another one for although they are kept apart, in one family. */
struct rules_link {
	bool is_v6;
	uint8_t protocol;               /* IPPROTO_TCP or IPPROTO_UDP */
	struct in6_addr client, target; /* IPv4: the first four bytes */
	uint16_t port;                  /* of the target */
};

/* table: its name (letters, digits, '-'), in the family inet. prefix: the interfaces called so
 * do not reach each other, which takes a table of that name in the family bridge as well; NULL:
 * they do. Makes nothing. Not thread-safe: the caller serialises. */
int rules_new(const char *table, const char *prefix, struct rules **ret, struct error *err);
void rules_free(struct rules *rules); /* the table stays */
DEFINE_AUTO(struct rules *, rules_free);

/* The whole table anew, in one transaction: the static part for the bridge, and these ports.
 * gateways: the bridge's addresses. -ENOTSUP: the kernel has no nftables, or (with a
 * prefix) none for bridges. */
int rules_set(struct rules *rules, const char *bridge, const struct network_addresses *gateways,
	      const struct rules_port *ports, size_t count, struct error *err);
/* All of them in one transaction, or none. -EEXIST: one is there. */
int rules_add(struct rules *rules, const struct rules_port *ports, size_t count, struct error *err);
/* -ENOENT: one is not there. */
int rules_remove(struct rules *rules, const struct rules_port *ports, size_t count,
		 struct error *err);
/* With a prefix: from now on these links are open and no others, in one transaction; none at all
 * when they are so already. now: the table is there; else rules_set() sees to it. */
int rules_set_links(struct rules *rules, const struct rules_link *links, size_t count, bool now,
		    struct error *err);
/* Away with the tables; one that is not there is fine. */
int rules_drop(struct rules *rules, struct error *err);

#endif
