/* What rules.c (the table, ports) and rules_isolation.c (who may talk to whom) share. */
#ifndef NET_RULES_PRIVATE_H
#define NET_RULES_PRIVATE_H

#include "base/strbuf.h"
#include "net/rules.h"

#include <net/if.h>
#include <nftables/libnftables.h>

struct rules {
	struct nft_ctx *ctx;
	char table[64];
	char prefix[IFNAMSIZ]; /* of the containers' interfaces that are kept apart; "": none */
	struct strbuf links;   /* the elements that are open between them, as nft text */
};

/* As one transaction. -EEXIST, -ENOENT, -ENOTSUP..., by the kernel's words. what: "cannot WHAT". */
int rules_run(struct rules *rules, const struct strbuf *text, const char *what, struct error *err);
void rules_append_address(struct strbuf *out, bool is_v6, const struct in6_addr *address);

/* --- rules_isolation.c: nothing of it unless rules->prefix says so ------------- */

/* Sets, for the inside of a table. */
void rules_append_link_sets(struct strbuf *out);
/* What the forward chain lets pass onto the bridge; what comes behind it is dropped. */
void rules_append_routed(struct strbuf *out, const char *bridge);
/* The table of what the bridge itself passes on, without links. */
void rules_append_bridge_table(struct strbuf *out, const struct rules *rules);

#endif
