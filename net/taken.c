/* From the kernel's routes and addresses, and /etc/resolv.conf (resolv.conf(5)), which may
 * name a resolver behind the default route in a private range.
 */
#include "net/taken.h"

#include "base/path.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netlink/route/addr.h>
#include <netlink/route/route.h>
#include <string.h>

#define RESOLV_MAX (64U * 1024)

DEFINE_AUTO(struct nl_cache *, nl_cache_free);

void taken_deinit(struct taken *taken)
{
	free(taken->ranges);
	*taken = (struct taken){ .count = 0 };
}

static int add(struct taken *taken, uint32_t address, unsigned prefix_len, struct error *err)
{
	struct subnet *grown =
		reallocarray(taken->ranges, taken->count + 1, sizeof(*taken->ranges));

	if (!grown)
		return error_set(err, ENOMEM, "no memory for the host's routes");
	taken->ranges = grown;
	grown[taken->count++] = (struct subnet){ .base = address & subnet_get_mask(prefix_len),
						 .prefix_len = prefix_len };
	return 0;
}

static int add_nl(struct taken *taken, struct nl_addr *address, struct error *err)
{
	uint32_t bytes;
	unsigned prefix_len;

	if (!address || nl_addr_get_family(address) != AF_INET ||
	    nl_addr_get_len(address) != sizeof(bytes))
		return 0;
	prefix_len = nl_addr_get_prefixlen(address);
	/* The default route leads everywhere. */
	if (prefix_len == 0 || prefix_len > 32)
		return 0;
	memcpy(&bytes, nl_addr_get_binary_addr(address), sizeof(bytes));
	return add(taken, ntohl(bytes), prefix_len, err);
}

static int add_routes(struct netlink *netlink, struct taken *taken, struct error *err)
{
	struct nl_cache *cache AUTO(nl_cache_free) = NULL;
	int ret = rtnl_route_alloc_cache(netlink_get_sock(netlink), AF_INET, 0, &cache);

	if (ret < 0)
		return error_set(err, EIO, "cannot list routes: %s", nl_geterror(ret));
	ret = 0;
	for (struct nl_object *at = nl_cache_get_first(cache); ret == 0 && at;
	     at = nl_cache_get_next(at))
		ret = add_nl(taken, rtnl_route_get_dst((struct rtnl_route *)at), err);
	return ret;
}

static int add_addresses(struct netlink *netlink, struct taken *taken, struct error *err)
{
	struct nl_cache *cache AUTO(nl_cache_free) = NULL;
	int ret = rtnl_addr_alloc_cache(netlink_get_sock(netlink), &cache);

	if (ret < 0)
		return error_set(err, EIO, "cannot list addresses: %s", nl_geterror(ret));
	ret = 0;
	for (struct nl_object *at = nl_cache_get_first(cache); ret == 0 && at;
	     at = nl_cache_get_next(at))
		ret = add_nl(taken, rtnl_addr_get_local((struct rtnl_addr *)at), err);
	return ret;
}

/* A host without the file, or with an odd one, has no resolvers that we know of. */
static int add_resolvers(struct taken *taken, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	auto_fd int fd = open("/etc/resolv.conf", O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t len;
	int ret = 0;
	char *rest = NULL;

	if (fd < 0 || !strbuf_reserve(&text, RESOLV_MAX))
		return 0;
	len = path_pread_full(fd, text.data, RESOLV_MAX, 0);
	if (len <= 0)
		return 0;
	text.data[len] = '\0';
	for (char *line = strtok_r(text.data, "\n", &rest); ret == 0 && line;
	     line = strtok_r(NULL, "\n", &rest)) {
		struct in_addr address;
		char *word = line + strspn(line, " \t");

		if (strncmp(word, "nameserver", 10) != 0)
			continue;
		word += 10;
		word += strspn(word, " \t");
		word[strcspn(word, " \t#;")] = '\0';
		if (inet_pton(AF_INET, word, &address) == 1)
			ret = add(taken, ntohl(address.s_addr), 32, err);
	}
	return ret;
}

int taken_collect(struct netlink *netlink, struct taken *ret, struct error *err)
{
	AUTO(taken_deinit) struct taken taken = { .count = 0 };
	int r = add_routes(netlink, &taken, err);

	if (r == 0)
		r = add_addresses(netlink, &taken, err);
	if (r == 0)
		r = add_resolvers(&taken, err);
	if (r < 0)
		return r;
	*ret = taken;
	taken = (struct taken){ .count = 0 };
	return 0;
}

static int refuse(const struct subnet *wished, const struct subnet *range, struct error *err)
{
	struct in_addr addresses[2] = { { htonl(wished->base) }, { htonl(range->base) } };
	char texts[2][INET_ADDRSTRLEN];

	for (int i = 0; i < 2; i++)
		inet_ntop(AF_INET, &addresses[i], texts[i], sizeof(texts[i]));
	return error_set(err, EADDRINUSE,
			 "%s/%u overlaps %s/%u, which this host uses; give another "
			 "range with --subnet",
			 texts[0], wished->prefix_len, texts[1], range->prefix_len);
}

int taken_check(struct netlink *netlink, const struct subnet *wished, struct error *err)
{
	AUTO(taken_deinit) struct taken taken = { .count = 0 };
	size_t addresses;
	int ret = add_addresses(netlink, &taken, err);

	addresses = taken.count;
	if (ret == 0)
		ret = add_routes(netlink, &taken, err);
	for (size_t i = 0; ret == 0 && i < taken.count; i++) {
		const struct subnet *range = &taken.ranges[i];

		if (subnet_overlaps(wished, range) &&
		    (i < addresses || range->prefix_len >= wished->prefix_len))
			ret = refuse(wished, range, err);
	}
	return ret;
}
