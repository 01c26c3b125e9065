/* The relay: it holds the host's sockets of all published ports, so that nobody else takes
 * them, and passes on what no packet rule does: connections to [::1], and whatever comes in
 * while there are no rules. One thread, one epoll; it outlives the engine and ends by itself
 * when it has nothing to hold and nobody is connected.
 */
#ifndef NET_RELAY_RELAY_H
#define NET_RELAY_RELAY_H

#include "net/relay/protocol.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

/* Something that epoll watches: the first member of what it belongs to. */
struct watch {
	void (*fn)(struct watch *watch, uint32_t events);
	int fd;
	struct watch *next_late;
};

struct listener {
	struct watch watch;
	struct listener *next;
	char id[RELAY_ID_SIZE];
	uint32_t protocol;
	struct sockaddr_in6 target;
	bool in_doubt;
};

struct relay {
	int epoll_fd;
	struct listener *listeners;
	size_t connected; /* engines */
};
extern struct relay relay;

/* Add, change or end the watching of watch->fd. False: errno. */
bool relay_watch(struct watch *watch, uint32_t events);
bool relay_rewatch(struct watch *watch, uint32_t events);
void relay_unwatch(struct watch *watch); /* and close */
/* What begins with this watch is freed when no event of this round can name it any more. */
void relay_free_later(struct watch *watch);
time_t relay_now(void); /* seconds of CLOCK_MONOTONIC */
socklen_t relay_get_len(const struct sockaddr_in6 *address);

/* control.c: take engines in. */
void control_accept(struct watch *watch, uint32_t events);
/* tcp.c: a connection has come to a listener. */
void tcp_accept(struct watch *watch, uint32_t events);
/* udp.c: datagrams have come; those who have been silent for long are forgotten. */
void udp_receive(struct watch *watch, uint32_t events);
void udp_forget(const struct listener *listener); /* NULL: who is silent */
bool udp_has_any(void);

#endif
