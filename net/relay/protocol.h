/* What an engine says to the relay, over SOCK_SEQPACKET: one struct a packet, ADD with a
 * listening or bound socket as SCM_RIGHTS. Each request is answered by one int64_t: 0, a
 * count, or a negative errno. Engine and relay may come from different builds, so the struct
 * only ever grows at its end.
 */
#ifndef NET_RELAY_PROTOCOL_H
#define NET_RELAY_PROTOCOL_H

#include <netinet/in.h>
#include <stdint.h>

#define RELAY_ID_SIZE 16 /* 12 digits of a container, with zeros behind */

enum relay_op {
	RELAY_OP_ADD = 1, /* serve this socket: what comes goes to target */
	RELAY_OP_DROP,    /* end all of that container; the count */
	RELAY_OP_COUNT,   /* how many sockets has it? */
	RELAY_OP_MARK,    /* all are in doubt */
	RELAY_OP_KEEP,    /* but this container's; the count of its sockets */
	RELAY_OP_SWEEP    /* end those still in doubt; the count */
};

struct relay_request {
	uint32_t op;
	uint32_t protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	char id[RELAY_ID_SIZE];
	struct sockaddr_in6 target; /* or a struct sockaddr_in, by its family */
};

#endif
