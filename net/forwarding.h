/* The host's own settings that a bridge of containers needs. Private to net/. */
#ifndef NET_FORWARDING_H
#define NET_FORWARDING_H

#include "base/error.h"

#include <stdbool.h>

/* Has this host IPv6 at all? 1, 0 or -errno. */
int forwarding_host_has_ipv6(struct error *err);
/* Have packets passed on between the bridge and the world, and the host's loopback addresses
 * on the bridge. What is so already is left alone; each change is logged, for it stays.
 * Called in the namespace that is meant. Source: ip-sysctl.rst of Linux. */
int forwarding_set_up(const char *bridge, bool with_ipv6, struct error *err);

#endif
