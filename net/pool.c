/* A bitmap over the range and the place where the last search ended. Ranges beyond 64k
 * addresses are used as far as that: a bridge takes 1,024 ports.
 */
#include "net/pool.h"

#define SIZE_MAX_USED 65536U

struct pool {
	struct subnet subnet;
	uint32_t gateway;
	uint32_t size; /* addresses that are looked at, the range's first included */
	uint32_t last; /* offset of the one given last */
	uint64_t bits[];
};

static bool is_taken(const struct pool *pool, uint32_t at)
{
	return (pool->bits[at / 64] >> (at % 64)) & 1;
}

struct pool *pool_new(const struct subnet *subnet, uint32_t gateway)
{
	uint64_t all = UINT64_C(1) << (32 - subnet->prefix_len);
	uint32_t size = all - 1 < SIZE_MAX_USED ? (uint32_t)all - 1 : SIZE_MAX_USED;
	struct pool *pool = calloc(1, sizeof(*pool) + (size / 64 + 1) * sizeof(uint64_t));

	if (!pool)
		return NULL;
	pool->subnet = *subnet;
	pool->gateway = gateway;
	pool->size = size;
	pool->bits[0] = 1; /* the range's own */
	pool_take_this(pool, gateway);
	return pool;
}

void pool_free(struct pool *pool)
{
	free(pool);
}

uint32_t pool_take(struct pool *pool)
{
	for (uint32_t i = 1; i <= pool->size; i++) {
		uint32_t at = (pool->last + i) % pool->size;

		if (is_taken(pool, at))
			continue;
		pool->bits[at / 64] |= UINT64_C(1) << (at % 64);
		pool->last = at;
		return pool->subnet.base + at;
	}
	return 0;
}

bool pool_take_this(struct pool *pool, uint32_t address)
{
	uint32_t at = address - pool->subnet.base;

	if (address < pool->subnet.base || at >= pool->size || is_taken(pool, at))
		return false;
	pool->bits[at / 64] |= UINT64_C(1) << (at % 64);
	if (address != pool->gateway && at > pool->last)
		pool->last = at;
	return true;
}

void pool_give(struct pool *pool, uint32_t address)
{
	uint32_t at = address - pool->subnet.base;

	if (address >= pool->subnet.base && at > 0 && at < pool->size && address != pool->gateway)
		pool->bits[at / 64] &= ~(UINT64_C(1) << (at % 64));
}
