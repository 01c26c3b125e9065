/* Free ports of the host: a number that is asked for, the first free one of a range, or an
 * automatic one. To be free is to be had by no container and to be bindable, which no other
 * program's is.
 */
#include "net/ports_private.h"

#include "base/cleanup.h"

#include <string.h>
#include <sys/socket.h>

#define AUTO_FIRST 49153U
#define AUTO_LAST 65535U
#define QUEUE 4096 /* the kernel takes less: somaxconn */

/* --- addresses and sockets ------------------------------------------------------------ */

struct sockaddr_in6 ports_make_name(bool is_v6, const struct in6_addr *address, uint16_t port)
{
	union {
		struct sockaddr_in6 v6;
		struct sockaddr_in v4;
	} name = { .v6 = { .sin6_family = AF_UNSPEC } };

	if (is_v6) {
		name.v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						 .sin6_port = htons(port),
						 .sin6_addr = *address };
	} else {
		name.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&name.v4.sin_addr, address, sizeof(name.v4.sin_addr));
	}
	return name.v6;
}

int ports_open(const struct network_port *port)
{
	struct sockaddr_in6 name = ports_make_name(port->is_v6, &port->host, port->host_port);
	socklen_t len = port->is_v6 ? (socklen_t)sizeof(struct sockaddr_in6)
				    : (socklen_t)sizeof(struct sockaddr_in);
	bool is_tcp = port->protocol == IPPROTO_TCP;
	int one = 1;
	auto_fd int fd =
		socket(port->is_v6 ? AF_INET6 : AF_INET,
		       (is_tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (port->is_v6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)) < 0)
		return -errno;
	/* Old connections in TIME_WAIT do not hold a port; who listens does. */
	if (is_tcp && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&name, len) < 0 || (is_tcp && listen(fd, QUEUE) < 0))
		return -errno;
	return steal_fd(&fd);
}

/* --- who has it -------------------------------------------------------------------------- */

static bool is_any(const struct in6_addr *address)
{
	static const struct in6_addr zeros;

	return memcmp(address, &zeros, sizeof(zeros)) == 0;
}

static bool clash(const struct network_port *a, const struct network_port *b)
{
	return a->protocol == b->protocol && a->host_port == b->host_port && a->is_v6 == b->is_v6 &&
	       (is_any(&a->host) || is_any(&b->host) ||
		memcmp(&a->host, &b->host, sizeof(a->host)) == 0);
}

static const struct holding *find_clash(const struct ports *ports, const struct network_port *port)
{
	for (const struct holding *at = ports->holdings; at; at = at->next)
		for (size_t i = 0; i < at->count; i++)
			if (clash(&at->ports[i], port))
				return at;
	return NULL;
}

int ports_fail(const struct network_port *port, const struct holding *owner, int code,
	       struct error *err)
{
	const char *protocol = port->protocol == IPPROTO_UDP ? "udp" : "tcp";

	if (owner)
		return error_set(err, EADDRINUSE, "host port %u/%s is taken by container '%s'",
				 port->host_port, protocol, owner->owner);
	if (code == EADDRINUSE)
		return error_set(err, EADDRINUSE, "host port %u/%s is taken by another program",
				 port->host_port, protocol);
	if (code == EADDRNOTAVAIL)
		return error_set(err, EINVAL, "host port %u/%s: this host has no such address",
				 port->host_port, protocol);
	return error_set_sys(err, code, "host port %u/%s", port->host_port, protocol);
}

/* --- taking -------------------------------------------------------------------------------- */

static bool is_taken_here(const struct taking *taking, const struct network_port *port)
{
	for (size_t i = 0; i < taking->count; i++)
		if (clash(&taking->taken[i].port, port))
			return true;
	return false;
}

static int take_port(const struct ports *ports, struct taking *taking,
		     const struct network_port *port, struct error *err)
{
	const struct holding *owner = find_clash(ports, port);
	int fd;

	if (owner)
		return ports_fail(port, owner, EADDRINUSE, err);
	if (is_taken_here(taking, port))
		return error_set(err, EADDRINUSE, "host port %u is asked for twice",
				 port->host_port);
	if (taking->count == taking->capacity)
		return error_set(err, E2BIG, "more than %zu ports", taking->capacity);
	fd = ports_open(port);
	if (fd < 0)
		return ports_fail(port, NULL, -fd, err);
	taking->taken[taking->count++] = (struct taken_port){ .port = *port, .fd = fd };
	return 0;
}

void ports_untake(struct taking *taking, size_t count)
{
	while (taking->count > count)
		close(taking->taken[--taking->count].fd);
}

/* That number on all that the wish is about: both families, or one address. */
static int take_number(const struct ports *ports, struct taking *taking,
		       const struct network_wish *wish, uint16_t number, struct error *err)
{
	bool has_v6 = taking->publication->lease->addresses.prefix6_len > 0;
	size_t before = taking->count;
	struct network_port port = { .protocol = wish->protocol,
				     .is_v6 = wish->is_v6,
				     .host = wish->host,
				     .host_port = number,
				     .container_port = wish->container_port };
	int ret;

	if (!wish->on_all && wish->is_v6 && !has_v6)
		return error_set(err, ENOTSUP, "host port %u: this network has no IPv6", number);
	ret = take_port(ports, taking, &port, err);
	if (ret == 0 && wish->on_all && has_v6) {
		port.is_v6 = true;
		ret = take_port(ports, taking, &port, err);
	}
	if (ret < 0)
		ports_untake(taking, before);
	return ret;
}

static int take_first_of(const struct ports *ports, struct taking *taking,
			 const struct network_wish *wish, struct error *err)
{
	int ret = 0;

	for (unsigned number = wish->first_port; number <= wish->last_port; number++) {
		struct error why = ERROR_INIT;

		ret = take_number(ports, taking, wish, (uint16_t)number, &why);
		if (ret == 0)
			return 0;
		if (ret != -EADDRINUSE || number == wish->last_port)
			return error_set(err, why.code, "%s", why.msg);
	}
	return ret;
}

static uint16_t find_preferred(const struct taking *taking, const struct network_wish *wish)
{
	const struct network_publication *publication = taking->publication;

	for (size_t i = 0; i < publication->preferred_count; i++) {
		const struct network_port *port = &publication->preferred[i];

		if (port->protocol == wish->protocol &&
		    port->container_port == wish->container_port)
			return port->host_port;
	}
	return 0;
}

static int take_automatic(struct ports *ports, struct taking *taking,
			  const struct network_wish *wish, struct error *err)
{
	uint16_t preferred = find_preferred(taking, wish);
	unsigned number = ports->last_auto; /* 0 before the first */

	if (preferred && take_number(ports, taking, wish, preferred, NULL) == 0)
		return 0;
	for (unsigned i = AUTO_FIRST; i <= AUTO_LAST; i++) {
		struct error why = ERROR_INIT;
		int ret;

		number = number < AUTO_FIRST || number >= AUTO_LAST ? AUTO_FIRST : number + 1;
		ret = take_number(ports, taking, wish, (uint16_t)number, &why);
		if (ret == 0) {
			ports->last_auto = (uint16_t)number;
			return 0;
		}
		if (ret != -EADDRINUSE)
			return error_set(err, why.code, "%s", why.msg);
	}
	return error_set(err, ENOSPC, "no host port from %u to %u is free", AUTO_FIRST, AUTO_LAST);
}

int ports_take(struct ports *ports, struct taking *taking, struct error *err)
{
	const struct network_publication *publication = taking->publication;
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < publication->count; i++) {
		const struct network_wish *wish = &publication->wishes[i];

		if (wish->first_port)
			ret = take_first_of(ports, taking, wish, err);
		else
			ret = take_automatic(ports, taking, wish, err);
	}
	return ret;
}
