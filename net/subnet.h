/* Ranges of addresses: as text, and one that overlaps nothing. */
#ifndef NET_SUBNET_H
#define NET_SUBNET_H

#include "base/error.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct subnet {
	uint32_t base; /* host order, without host bits */
	unsigned prefix_len;
};

/* "172.17.0.0/16"; host bits are allowed ("172.17.0.1/16") and given back in *ret_address
 * (0: none), as dockerd's --bip takes them. A range of 8 to 29 bits. -EINVAL. */
int subnet_parse(const char *text, struct subnet *ret, uint32_t *ret_address, struct error *err);
static inline uint32_t subnet_get_mask(unsigned prefix_len)
{
	return prefix_len == 0 ? 0 : UINT32_MAX << (32 - prefix_len);
}
static inline bool subnet_overlaps(const struct subnet *a, const struct subnet *b)
{
	uint32_t mask =
		subnet_get_mask(a->prefix_len < b->prefix_len ? a->prefix_len : b->prefix_len);
	return (a->base & mask) == (b->base & mask);
}
/* The first of the private ranges (RFC 1918) that Docker tries too (172.17.0.0/16 to
 * 172.31.0.0/16, 192.168.0.0/20 to 192.168.240.0/20) that overlaps none of the taken ones.
 * False: all are taken. */
bool subnet_choose(const struct subnet *taken, size_t count, struct subnet *ret);
/* A unique local prefix of 64 bits (RFC 4193): fd, 40 bits and 16 bits made of seed. */
struct in6_addr subnet_make_ula(uint64_t seed);

#endif
