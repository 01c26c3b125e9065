/* What the files of a container's network share: container_net.c (a run's beginning and end),
 * network_recover.c (after an engine's death), network_record.c (text), network_wish.c (ports
 * asked for), network_link.c, network_isolation.c and network_names.c. Private to runtime/.
 *
 * The record of a run's network is one JSON object, immutable once made: in state.json before
 * the shim starts, so that the next engine knows what is held, and in the view for who shows it.
 *
 *   {"mode": "bridge", "bridge": "cf0", "link": "cf...", "mac": "02:42:...",
 *    "address": "10.88.0.2", "prefix": 24, "gateway": "10.88.0.1",
 *    "address6": "fd...", "prefix6": 64, "gateway6": "fd...::1",      without IPv6: prefix6 is 0
 *    "ports": [{"port": "80/tcp", "ip": "0.0.0.0", "host_port": 8080}, ...],
 *    "exposed": ["80/tcp", ...],
 *    "links": [{"id": 64 digits, "name": "db", "alias": "database"}, ...], "env": ["DB_PORT=..."]}
 *
 * In other modes there is "mode" alone; in "container:NAME" also "owner", the id of the container
 * whose files are shared.
 */
#ifndef RUNTIME_NETWORK_NETWORK_PRIVATE_H
#define RUNTIME_NETWORK_NETWORK_PRIVATE_H

#include "net/network.h"
#include "runtime/engine_private.h"

/* --- network_recover.c ---------------------------------------------------------- */

/* Those that hold a lease, with it. */
struct network_holder {
	struct container *container; /* counted */
	json_t *record;              /* counted */
	struct network_lease lease;
};
struct network_holders {
	struct network_holder *list;
	const char **links; /* of the leases, borrowed from them */
	size_t count;
};
int network_holders_collect(struct engine *engine, struct network_holders *ret); /* -ENOMEM */
void network_holders_deinit(struct network_holders *holders); /* also a failed one */
DEFINE_AUTO_DEINIT(struct network_holders, network_holders_deinit);

/* --- network_record.c ---------------------------------------------------------- */

/* A new record of mode bridge without links; NULL: no memory. */
json_t *network_record_new(const char *bridge, const struct network_lease *lease,
			   const struct network_port *ports, size_t count);
/* False: it holds no lease (another mode, or damaged). */
bool network_record_get_lease(const json_t *record, struct network_lease *ret);
/* Of "ports": a heap array, what cannot be read left out. NULL: no memory. */
struct network_port *network_record_get_ports(const json_t *ports, size_t *ret_count);

/* --- network_wish.c ------------------------------------------------------------- */

/* What PortBindings and PublishAllPorts ask for: a heap array. -ENOTSUP: sctp. */
int network_wish_collect(const json_t *effective, struct network_wish **ret, size_t *ret_count,
			 struct error *err);
/* Does the configuration name ports to publish? */
bool network_wish_is_any(const json_t *effective);
/* The container's ports that others may want to know, ExposedPorts and PortBindings, as names
 * ("80/tcp") in order of number, tcp before udp: a new list of strings. NULL: no memory. */
json_t *network_wish_list_exposed(const json_t *effective);

/* --- network_link.c ------------------------------------------------------------- */

/* Look up what Links names and add "links" and "env" to the record (which nobody sees yet).
 * -ESRCH: one does not run; -EINVAL: itself, or one without an address; -ENOENT. */
int network_link_add(struct container *c, const json_t *effective, json_t *record,
		     struct error *err);
/* The same checks alone, before anything is taken. */
int network_link_check(struct container *c, const json_t *effective, struct error *err);

/* --- network_isolation.c --------------------------------------------------------- */

struct network_isolation;
struct network_isolation *network_isolation_new(void); /* NULL: no memory */
void network_isolation_free(struct network_isolation *isolation);
/* Somebody has a lease, or gives it back: the kernel opens what links ask for, and nothing
 * else. Does nothing on an engine whose containers reach each other. */
int network_isolation_refresh(struct engine *engine, struct error *err);

/* --- network_names.c ------------------------------------------------------------- */

struct network_names;
struct network_names *network_names_new(void); /* NULL: no memory */
void network_names_free(struct network_names *names);
/* Append what tells c of the containers on the bridge, itself with this record among them. */
void network_names_append(struct container *c, const json_t *record, struct strbuf *out);
/* network_names_refresh() of engine_private.h: somebody has come, gone or been renamed; it is in
 * the hosts files of all on the bridge when that returns (with many of them: soon after). */

#endif
