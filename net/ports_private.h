/* What ports.c (who has what) and ports_take.c (finding free ones) share. */
#ifndef NET_PORTS_PRIVATE_H
#define NET_PORTS_PRIVATE_H

#include "net/ports.h"
#include "net/relayclient.h"
#include "net/rules.h"

#include <pthread.h>

struct holding {
	struct holding *next;
	char id[65];
	char owner[256];
	struct network_lease lease;
	struct network_port *ports;
	size_t count;
};

struct ports {
	char bridge[IFNAMSIZ];
	pthread_mutex_t turn; /* guards all below */
	struct relayclient *relay;
	struct rules *rules;
	bool has_rules; /* the bridge is there */
	struct holding *holdings;
	uint16_t last_auto; /* given last: the next one is another */
};

/* One port under way: its socket goes to the relay when all are there. */
struct taken_port {
	struct network_port port;
	int fd;
};

struct taking {
	const struct network_publication *publication;
	struct taken_port *taken;
	size_t count, capacity;
};

/* All wishes, or a sentence; what is in taking either way is untaken by ports_untake(). turn held. */
int ports_take(struct ports *ports, struct taking *taking, struct error *err);
/* Close all but the first `count`. */
void ports_untake(struct taking *taking, size_t count);
/* The host's end of a port, bound (and listening). -EADDRINUSE; no sentence. */
int ports_open(const struct network_port *port);
/* The sentence: owner (may be NULL) has it, or what ports_open() said. */
int ports_fail(const struct network_port *port, const struct holding *owner, int code,
	       struct error *err);
/* family AF_INET6, or a struct sockaddr_in in its place. */
struct sockaddr_in6 ports_make_name(bool is_v6, const struct in6_addr *address, uint16_t port);

#endif
