/* Which addresses of a range are in use. Not thread-safe. */
#ifndef NET_POOL_H
#define NET_POOL_H

#include "base/cleanup.h"
#include "net/subnet.h"

struct pool;

/* gateway: the bridge's own address, never given. NULL: no memory. */
struct pool *pool_new(const struct subnet *subnet, uint32_t gateway);
void pool_free(struct pool *pool);
DEFINE_AUTO(struct pool *, pool_free);

/* The next free one behind the one given last, so that none is used again soon: a peer may
 * still know its former owner. Never the range's first and last. 0: none is free. */
uint32_t pool_take(struct pool *pool);
/* That one: false when it is taken or none of the range's. */
bool pool_take_this(struct pool *pool, uint32_t address);
void pool_give(struct pool *pool, uint32_t address);

#endif
