/* Containers that do not reach each other (--icc=false), but for what links open.
 *
 * Frames between two of them pass the bridge, and no chain of IP: so a table of the family
 * bridge sees to them. It has no memory of connections on every kernel, so that an answer is
 * known by its port, as in Docker; over TCP it must not begin a connection. What a container
 * sends by the host to a neighbour's address, and all frames on a host where br_netfilter shows
 * bridged ones to the chains of IP, is the forward chain's, which knows the same links.
 *
 * Published ports are open to all who reach the host, neighbours too. What they send there is
 * the host's own packet then, but for br_netfilter, which turns it into a frame between the
 * two: that one is marked on its way through the forward chain, which the bridge's comes after.
 */
#include "net/rules_private.h"

#include <string.h>

#define MARK "0x8000000" /* one bit, of a packet from the bridge onto the bridge alone */

/* Of a datagram in pieces only the first one tells the port: the others go between who has
 * any link at all. */
void rules_append_link_sets(struct strbuf *out)
{
	for (int version = 4; version <= 6; version += 2)
		strbuf_appendf(out,
			       "set link%d { type ipv%d_addr . ipv%d_addr . inet_proto . "
			       "inet_service; }\n"
			       "set pair%d { type ipv%d_addr . ipv%d_addr; }\n",
			       version, version, version, version, version, version);
}

static const char neighbours[] = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept\n";
static const char links[] = "ip saddr . ip daddr . meta l4proto . th dport @link4 accept\n"
			    "ip6 saddr . ip6 daddr . meta l4proto . th dport @link6 accept\n"
			    "ip frag-off & 0x1fff != 0 ip saddr . ip daddr @pair4 accept\n"
			    "frag frag-off != 0 ip6 saddr . ip6 daddr @pair6 accept\n";
static const char answers[] = "tcp flags & (syn | ack) == syn drop\n"
			      "ip daddr . ip saddr . meta l4proto . th sport @link4 accept\n"
			      "ip6 daddr . ip6 saddr . meta l4proto . th sport @link6 accept\n";

void rules_append_routed(struct strbuf *out, const char *bridge)
{
	strbuf_appendf(out,
		       "iifname \"%s\" ct status dnat meta mark set meta mark | " MARK " accept\n"
		       "ct state established,related accept\n"
		       "ct status dnat accept\n"
		       "iifname != \"%s\" drop\n",
		       bridge, bridge);
	strbuf_append_str(out, neighbours);
	strbuf_append_str(out, links);
}

void rules_append_bridge_table(struct strbuf *out, const struct rules *rules)
{
	strbuf_appendf(out, "table bridge %s {\n", rules->table);
	rules_append_link_sets(out);
	strbuf_appendf(out,
		       "chain forward { type filter hook forward priority 100; policy accept;\n"
		       "iifname != \"%s*\" return\n"
		       "oifname != \"%s*\" return\n"
		       "meta mark & " MARK " != 0 meta mark set meta mark ^ " MARK " accept\n"
		       "ether type arp accept\n%s%s%sdrop\n}\n}\n",
		       rules->prefix, rules->prefix, neighbours, links, answers);
}

/* --- links ----------------------------------------------------------------------- */

static void append_pair(struct strbuf *out, const struct rules_link *link, bool back)
{
	rules_append_address(out, link->is_v6, back ? &link->target : &link->client);
	strbuf_append_str(out, " . ");
	rules_append_address(out, link->is_v6, back ? &link->client : &link->target);
}

static void append_link(struct strbuf *out, const struct rules *rules, const char *family,
			const struct rules_link *link)
{
	char version = link->is_v6 ? '6' : '4';

	strbuf_appendf(out, "add element %s %s link%c { ", family, rules->table, version);
	append_pair(out, link, false);
	strbuf_appendf(out, " . %s . %u }\n", link->protocol == IPPROTO_UDP ? "udp" : "tcp",
		       link->port);
	for (int back = 0; back < 2; back++) {
		strbuf_appendf(out, "add element %s %s pair%c { ", family, rules->table, version);
		append_pair(out, link, back);
		strbuf_append_str(out, " }\n");
	}
}

static void append_flush(struct strbuf *out, const struct rules *rules, const char *family)
{
	static const char *const sets[] = { "link4", "pair4", "link6", "pair6" };

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		strbuf_appendf(out, "flush set %s %s %s\n", family, rules->table, sets[i]);
}

int rules_set_links(struct rules *rules, const struct rules_link *list, size_t count, bool now,
		    struct error *err)
{
	static const char *const families[] = { "inet", "bridge" };
	AUTO(strbuf_deinit) struct strbuf elements = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int ret;

	for (size_t family = 0; family < 2; family++) {
		append_flush(&text, rules, families[family]);
		for (size_t i = 0; i < count; i++)
			append_link(&elements, rules, families[family], &list[i]);
	}
	ret = strbuf_check(&elements, err);
	if (ret < 0)
		return ret;
	if (strcmp(strbuf_get_str(&elements), strbuf_get_str(&rules->links)) == 0)
		return 0;
	strbuf_append(&text, elements.data, elements.len);
	ret = now ? rules_run(rules, &text, "open links between containers", err) : 0;
	if (ret < 0)
		return ret;
	strbuf_deinit(&rules->links);
	rules->links = elements;
	elements = (struct strbuf)STRBUF_INIT;
	return 0;
}
