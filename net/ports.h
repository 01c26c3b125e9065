/* The host's ports that lead to containers: who has which, their sockets in the relay, and
 * the packet rules. Private to net/; network.h is what others see. Thread-safe.
 */
#ifndef NET_PORTS_H
#define NET_PORTS_H

#include "net/network.h"

struct ports;

/* run_fd: RUN, borrowed for good. prefix: as rules_new(). Makes nothing. */
int ports_new(int run_fd, const char *bridge, const char *instance, const char *prefix,
	      struct ports **ret, struct error *err);
void ports_free(struct ports *ports); /* what is published stays so */
DEFINE_AUTO(struct ports *, ports_free);

/* The bridge is there: set all packet rules. */
int ports_set_bridge(struct ports *ports, const struct network_addresses *gateways,
		     struct error *err);
/* It goes: so do the rules. */
void ports_drop_bridge(struct ports *ports);

/* As network_publish() and so on. */
int ports_publish(struct ports *ports, const struct network_publication *publication,
		  struct network_port **ret, size_t *ret_count, struct error *err);
void ports_withdraw(struct ports *ports, const char *id);
void ports_rename(struct ports *ports, const char *id, const char *owner);
int ports_adopt(struct ports *ports, const struct network_publication *publication,
		const struct network_port *has, size_t count, struct error *err);
/* As network_set_links(). */
int ports_set_links(struct ports *ports, const struct network_link *links, size_t count,
		    struct error *err);
/* All have been adopted: what nobody has goes. */
int ports_sweep(struct ports *ports, struct error *err);

#endif
