/* Datagrams: who sends to a port gets a socket of its own towards the container, so that
 * answers find the way back. Who is silent for a while is forgotten.
 */
#include "net/relay/relay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define PEERS_MAX 1024
#define SILENCE_S 90
#define DATAGRAM_MAX 65536

struct peer {
	struct watch watch; /* towards the container */
	struct peer *next;
	struct listener *listener;
	struct sockaddr_in6 address; /* or a struct sockaddr_in */
	socklen_t len;
	time_t heard;
};

static struct peer *peers;
static size_t peer_count;
static char datagram[DATAGRAM_MAX];

bool udp_has_any(void)
{
	return peers != NULL;
}

static void end_peer(struct peer **at)
{
	struct peer *peer = *at;

	*at = peer->next;
	peer_count--;
	relay_unwatch(&peer->watch);
	relay_free_later(&peer->watch);
}

void udp_forget(const struct listener *listener)
{
	time_t now = peers ? relay_now() : 0;

	for (struct peer **at = &peers; *at;) {
		bool goes = listener ? (*at)->listener == listener : now - (*at)->heard > SILENCE_S;

		if (goes)
			end_peer(at);
		else
			at = &(*at)->next;
	}
}

/* From the container: back to who asked. */
static void answer(struct watch *watch, uint32_t events)
{
	struct peer *peer = (struct peer *)watch;
	ssize_t len = recv(watch->fd, datagram, sizeof(datagram), MSG_DONTWAIT);

	(void)events;
	if (len < 0) /* nobody listens there, as the kernel was told: so it is with UDP */
		return;
	peer->heard = relay_now();
	(void)sendto(peer->listener->watch.fd, datagram, (size_t)len, MSG_DONTWAIT,
		     (struct sockaddr *)&peer->address, peer->len);
}

static void drop_quietest(void)
{
	struct peer **quietest = &peers;

	for (struct peer **at = &peers; *at; at = &(*at)->next)
		if ((*at)->heard < (*quietest)->heard)
			quietest = at;
	end_peer(quietest);
}

static struct peer *make_peer(struct listener *listener, const struct sockaddr_in6 *address,
			      socklen_t len)
{
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		return NULL;
	*peer = (struct peer){ .listener = listener, .address = *address, .len = len };
	peer->watch = (struct watch){ .fn = answer,
				      .fd = socket(listener->target.sin6_family,
						   SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	if (peer->watch.fd < 0 ||
	    connect(peer->watch.fd, (struct sockaddr *)&listener->target,
		    relay_get_len(&listener->target)) < 0 ||
	    !relay_watch(&peer->watch, EPOLLIN)) {
		if (peer->watch.fd >= 0)
			close(peer->watch.fd);
		free(peer);
		return NULL;
	}
	if (peer_count >= PEERS_MAX)
		drop_quietest();
	peer->next = peers;
	peers = peer;
	peer_count++;
	return peer;
}

static struct peer *find_peer(const struct listener *listener, const struct sockaddr_in6 *address,
			      socklen_t len)
{
	for (struct peer *at = peers; at; at = at->next)
		if (at->listener == listener && at->len == len &&
		    memcmp(&at->address, address, len) == 0)
			return at;
	return NULL;
}

void udp_receive(struct watch *watch, uint32_t events)
{
	struct listener *listener = (struct listener *)watch;
	struct sockaddr_in6 address = { .sin6_family = AF_UNSPEC };
	socklen_t len = sizeof(address);
	ssize_t got = recvfrom(watch->fd, datagram, sizeof(datagram), MSG_DONTWAIT,
			       (struct sockaddr *)&address, &len);
	struct peer *peer;

	(void)events;
	if (got < 0)
		return;
	peer = find_peer(listener, &address, len);
	if (!peer)
		peer = make_peer(listener, &address, len);
	if (!peer)
		return;
	peer->heard = relay_now();
	(void)send(peer->watch.fd, datagram, (size_t)got, MSG_DONTWAIT);
}
