/* Text of nft(8) for libnftables, the only file that sees it. All values in it are our own
 * numbers and checked names: nothing a user wrote is pasted in.
 *
 * A published port is an element of a map, so that adding one costs the same however many
 * there are (60-80 us). Addresses of the host are looked up exactly first, then any.
 *
 *   prerouting, output   to an address of this host: to the container, if the port is
 *                        published. Not [::1]: the kernel cannot send that elsewhere.
 *   postrouting          containers to the world, 127.0.0.1 to containers, and containers
 *                        to their neighbours' published ports (the answer must come back
 *                        by us) take the address of the interface they leave by
 *   guard                nobody behind the bridge talks to the host's 127.0.0.0/8, which
 *                        route_localnet would allow (CVE-2020-8558)
 *   forward              from elsewhere into the bridge only what is published or answers;
 *                        from the bridge back onto it too, if containers are kept apart
 */
#include "net/rules_private.h"

#include <arpa/inet.h>
#include <string.h>

int rules_new(const char *table, const char *prefix, struct rules **ret, struct error *err)
{
	struct rules *rules AUTO(rules_free) = calloc(1, sizeof(*rules));

	if (rules)
		rules->ctx = nft_ctx_new(NFT_CTX_DEFAULT);
	if (!rules || !rules->ctx || nft_ctx_buffer_output(rules->ctx) != 0 ||
	    nft_ctx_buffer_error(rules->ctx) != 0)
		return error_set(err, ENOMEM, "no memory for packet rules");
	snprintf(rules->table, sizeof(rules->table), "%s", table);
	snprintf(rules->prefix, sizeof(rules->prefix), "%s", prefix ? prefix : "");
	*ret = steal_ptr(&rules);
	return 0;
}

void rules_free(struct rules *rules)
{
	if (!rules)
		return;
	if (rules->ctx)
		nft_ctx_free(rules->ctx);
	strbuf_deinit(&rules->links);
	free(rules);
}

/* --- running -------------------------------------------------------------------------- */

/* libnftables tells by words alone; its sentences end with the kernel's. */
static int get_code(const char *text)
{
	static const struct {
		const char *words;
		int code;
	} table[] = {
		{ "File exists", EEXIST },
		{ "No such file or directory", ENOENT },
		{ "Operation not supported", ENOTSUP },
		{ "Protocol not supported", ENOTSUP },
		{ "Operation not permitted", EPERM },
		{ "Cannot allocate memory", ENOMEM },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (strstr(text, table[i].words))
			return table[i].code;
	return EIO;
}

int rules_run(struct rules *rules, const struct strbuf *text, const char *what, struct error *err)
{
	const char *words;

	if (strbuf_check(text, err) < 0)
		return -ENOMEM;
	if (nft_run_cmd_from_buffer(rules->ctx, strbuf_get_str(text)) == 0)
		return 0;
	words = nft_ctx_get_error_buffer(rules->ctx);
	if (!words || !*words)
		words = "unknown error";
	if (strncmp(words, "Error: ", 7) == 0)
		words += 7;
	return error_set(err, get_code(words), "cannot %s: %.*s", what, (int)strcspn(words, "\n"),
			 words);
}

/* --- elements --------------------------------------------------------------------------- */

static bool is_any(const struct in6_addr *address)
{
	static const struct in6_addr zeros;

	return memcmp(address, &zeros, sizeof(zeros)) == 0;
}

void rules_append_address(struct strbuf *out, bool is_v6, const struct in6_addr *address)
{
	char text[INET6_ADDRSTRLEN];

	if (!inet_ntop(is_v6 ? AF_INET6 : AF_INET, address, text, sizeof(text)))
		out->oom = true;
	else
		strbuf_append_str(out, text);
}

/* add or delete. A deletion names the key alone. */
static void append_element(struct strbuf *out, const struct rules *rules, const char *verb,
			   const struct rules_port *port, bool with_value)
{
	bool any = is_any(&port->host);

	strbuf_appendf(out, "%s element inet %s %s%c { ", verb, rules->table, any ? "any" : "at",
		       port->is_v6 ? '6' : '4');
	if (!any) {
		rules_append_address(out, port->is_v6, &port->host);
		strbuf_append_str(out, " . ");
	}
	strbuf_appendf(out, "%s . %u", port->protocol == IPPROTO_UDP ? "udp" : "tcp",
		       port->host_port);
	if (with_value) {
		strbuf_append_str(out, " : ");
		rules_append_address(out, port->is_v6, &port->target);
		strbuf_appendf(out, " . %u", port->target_port);
	}
	strbuf_append_str(out, " }\n");
}

/* "create" fails for what is there, where "add" would change nothing and say nothing. */
int rules_add(struct rules *rules, const struct rules_port *ports, size_t count, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < count; i++)
		append_element(&text, rules, "create", &ports[i], true);
	return count ? rules_run(rules, &text, "publish a port", err) : 0;
}

int rules_remove(struct rules *rules, const struct rules_port *ports, size_t count,
		 struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; i < count; i++)
		append_element(&text, rules, "delete", &ports[i], false);
	return count ? rules_run(rules, &text, "withdraw a published port", err) : 0;
}

/* --- the table ------------------------------------------------------------------------------ */

static void append_maps(struct strbuf *out)
{
	for (int version = 4; version <= 6; version += 2) {
		strbuf_appendf(out,
			       "map any%d { type inet_proto . inet_service : ipv%d_addr . "
			       "inet_service; }\n",
			       version, version);
		strbuf_appendf(out,
			       "map at%d { type ipv%d_addr . inet_proto . inet_service : "
			       "ipv%d_addr . inet_service; }\n",
			       version, version, version);
	}
}

static void append_dnat(struct strbuf *out, const char *chain, const char *hook)
{
	strbuf_appendf(out, "chain %s { type nat hook %s priority -100; policy accept;\n", chain,
		       hook);
	strbuf_append_str(out, "ip6 daddr ::1 return\n"
			       "fib daddr type != local return\n"
			       "dnat ip to ip daddr . meta l4proto . th dport map @at4\n"
			       "dnat ip to meta l4proto . th dport map @any4\n"
			       "dnat ip6 to ip6 daddr . meta l4proto . th dport map @at6\n"
			       "dnat ip6 to meta l4proto . th dport map @any6\n}\n");
}

static void append_subnet(struct strbuf *out, const struct network_addresses *gateways, bool is_v6)
{
	char text[INET6_ADDRSTRLEN];

	if (is_v6)
		inet_ntop(AF_INET6, &gateways->address6, text, sizeof(text));
	else
		inet_ntop(AF_INET, &gateways->address, text, sizeof(text));
	strbuf_appendf(out, "%s/%u", text, is_v6 ? gateways->prefix6_len : gateways->prefix_len);
}

/* Of one family: its containers' packets that leave, by the bridge only when they were sent
 * to a published port. */
static void append_masquerade(struct strbuf *out, const char *bridge,
			      const struct network_addresses *gateways, bool is_v6)
{
	const char *family = is_v6 ? "ip6" : "ip";

	strbuf_appendf(out, "%s saddr ", family);
	append_subnet(out, gateways, is_v6);
	strbuf_appendf(out, " oifname != \"%s\" masquerade\n", bridge);
	strbuf_appendf(out, "%s saddr ", family);
	append_subnet(out, gateways, is_v6);
	strbuf_appendf(out, " oifname \"%s\" ct status dnat masquerade\n", bridge);
}

static void append_postrouting(struct strbuf *out, const char *bridge,
			       const struct network_addresses *gateways)
{
	strbuf_append_str(out, "chain postrouting { type nat hook postrouting priority 100; "
			       "policy accept;\n");
	append_masquerade(out, bridge, gateways, false);
	if (gateways->prefix6_len > 0)
		append_masquerade(out, bridge, gateways, true);
	strbuf_appendf(out, "oifname \"%s\" ip saddr 127.0.0.0/8 masquerade\n}\n", bridge);
}

static void append_forward(struct strbuf *out, const struct rules *rules, const char *bridge)
{
	strbuf_appendf(out,
		       "chain forward { type filter hook forward priority 0; policy accept;\n"
		       "oifname != \"%s\" return\n",
		       bridge);
	if (*rules->prefix)
		rules_append_routed(out, bridge);
	else
		strbuf_appendf(out,
			       "iifname \"%s\" return\n"
			       "ct state established,related accept\n"
			       "ct status dnat accept\n",
			       bridge);
	strbuf_append_str(out, "drop\n}\n");
}

static void append_guard(struct strbuf *out, const char *bridge)
{
	strbuf_appendf(out,
		       "chain guard { type filter hook prerouting priority -300; policy accept;\n"
		       "iifname \"%s\" ip daddr 127.0.0.0/8 drop\n}\n",
		       bridge);
}

/* One that is not there could not be deleted. */
static void append_deletion(struct strbuf *out, const struct rules *rules, const char *family)
{
	strbuf_appendf(out, "add table %s %s\ndelete table %s %s\n", family, rules->table, family,
		       rules->table);
}

/* Of an engine that kept containers apart, or that could not: the kernel may not know the
 * family, so this is no part of another transaction. */
static int drop_bridge_table(struct rules *rules, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error why = ERROR_INIT;
	int ret;

	strbuf_appendf(&text, "delete table bridge %s\n", rules->table);
	ret = rules_run(rules, &text, "delete the packet rules of the bridge", &why);
	if (ret == 0 || ret == -ENOENT || ret == -ENOTSUP)
		return 0;
	return error_set(err, why.code, "%s", why.msg);
}

int rules_set(struct rules *rules, const char *bridge, const struct network_addresses *gateways,
	      const struct rules_port *ports, size_t count, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int ret = *rules->prefix ? 0 : drop_bridge_table(rules, err);

	if (ret < 0)
		return ret;
	append_deletion(&text, rules, "inet");
	strbuf_appendf(&text, "table inet %s {\n", rules->table);
	append_maps(&text);
	if (*rules->prefix)
		rules_append_link_sets(&text);
	append_dnat(&text, "prerouting", "prerouting");
	append_dnat(&text, "output", "output");
	append_postrouting(&text, bridge, gateways);
	append_guard(&text, bridge);
	append_forward(&text, rules, bridge);
	strbuf_append_str(&text, "}\n");
	if (*rules->prefix) {
		append_deletion(&text, rules, "bridge");
		rules_append_bridge_table(&text, rules);
		strbuf_append_str(&text, strbuf_get_str(&rules->links));
	}
	for (size_t i = 0; i < count; i++)
		append_element(&text, rules, "add", &ports[i], true);
	return rules_run(rules, &text, "set the packet rules of the network", err);
}

int rules_drop(struct rules *rules, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int ret;

	append_deletion(&text, rules, "inet");
	ret = rules_run(rules, &text, "delete the packet rules of the network", err);
	return ret < 0 ? ret : drop_bridge_table(rules, err);
}
