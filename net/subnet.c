/* Arithmetic of ranges; no system calls. */
#include "net/subnet.h"

#include "base/num.h"

#include <arpa/inet.h>
#include <string.h>

int subnet_parse(const char *text, struct subnet *ret, uint32_t *ret_address, struct error *err)
{
	const char *slash = strchr(text, '/');
	char address[INET_ADDRSTRLEN];
	struct in_addr parsed;
	uint64_t prefix_len;
	uint32_t host;

	if (!slash || (size_t)(slash - text) >= sizeof(address) ||
	    num_parse_u64(slash + 1, 8, 29, &prefix_len) < 0)
		return error_set(err, EINVAL, "'%s' is no range of addresses like 172.20.0.0/16",
				 text);
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (inet_pton(AF_INET, address, &parsed) != 1)
		return error_set(err, EINVAL, "'%s' is no IPv4 address", address);
	host = ntohl(parsed.s_addr);
	ret->prefix_len = (unsigned)prefix_len;
	ret->base = host & subnet_get_mask(ret->prefix_len);
	*ret_address = host == ret->base ? 0 : host;
	if (host == (ret->base | ~subnet_get_mask(ret->prefix_len)))
		return error_set(err, EINVAL, "'%s' is the broadcast address of its range",
				 address);
	return 0;
}

static bool is_free(const struct subnet *wanted, const struct subnet *taken, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (subnet_overlaps(wanted, &taken[i]))
			return false;
	return true;
}

bool subnet_choose(const struct subnet *taken, size_t count, struct subnet *ret)
{
	for (uint32_t i = 17; i < 32; i++) {
		*ret = (struct subnet){ .base = (172U << 24) | (i << 16), .prefix_len = 16 };
		if (is_free(ret, taken, count))
			return true;
	}
	for (uint32_t i = 0; i < 256; i += 16) {
		*ret = (struct subnet){ .base = (192U << 24) | (168U << 16) | (i << 8),
					.prefix_len = 20 };
		if (is_free(ret, taken, count))
			return true;
	}
	return false;
}

struct in6_addr subnet_make_ula(uint64_t seed)
{
	struct in6_addr ret = { .s6_addr = { 0xfd } };

	for (unsigned i = 1; i < 8; i++) {
		ret.s6_addr[i] = (uint8_t)seed;
		seed >>= 8;
	}
	return ret;
}
