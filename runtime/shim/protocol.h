/* What the engine and a shim say to each other, over SOCK_SEQPACKET: one struct
 * a packet, the engine's STDIN followed by its bytes. Engine and shim may come
 * from different builds (an upgrade leaves shims running), so the structs only
 * ever grow at their ends, and SHIM_PROTOCOL_VERSION counts what is not so.
 *
 * The connection that the shim was started with begins with the engine's ORDER, of the
 * same build, and the shim's HELLO when the program was executed, else FAILED; any other
 * with a HELLO. Every request but POKE is
 * answered by one REPLY with the same seq; events come in between, unasked.
 */
#ifndef RUNTIME_SHIM_PROTOCOL_H
#define RUNTIME_SHIM_PROTOCOL_H

#include "base/error.h"

#include <stdint.h>

#define SHIM_PROTOCOL_VERSION 1U
#define SHIM_SOCKET_NAME "shim.sock"
#define SHIM_PID_NAME "shim.pid"   /* "PID START RUN\n", START as in /proc/PID/stat */
#define SHIM_EXIT_NAME "exit.json" /* {"Run","ExitCode","Signal","StartedNs","FinishedNs"} */
#define SHIM_EXIT_TEMPORARY ".exit.json.new" /* its room, while the container runs */

/* A packet must fit a socket's send buffer (212,992 bytes by default). */
#define SHIM_STDIN_CHUNK 65536U
/* Numbers of requests that a shim remembers. */
#define SHIM_NUMBERS 1024U

/* The launch plan comes as descriptors, the first of them a memfd with its message, in as many
 * packets as they take; each packet is this struct. */
struct shim_order {
	uint32_t fd_count; /* of all packets together */
};
#define SHIM_ORDER_FDS 250U /* in a packet; the kernel's SCM_MAX_FD is 253 */

enum shim_op {
	SHIM_OP_SIGNAL = 1, /* a: the signal */
	SHIM_OP_RESIZE,     /* a: rows, b: columns */
	SHIM_OP_STDIN,      /* offset: of the bytes in their request */
	SHIM_OP_CLOSE_STDIN,
	SHIM_OP_DROP, /* give up what cannot be written to the log, now and later */
	SHIM_OP_POKE  /* send a POKE message back: makes the socket readable */
};

struct shim_request {
	uint32_t op;
	uint32_t seq;
	uint64_t number; /* of the user's request, 0: not to be remembered */
	uint64_t offset;
	uint32_t a, b;
};

enum shim_message_type {
	SHIM_MESSAGE_HELLO = 1, /* result: the version; pid, run, started_ns */
	SHIM_MESSAGE_FAILED,    /* a struct shim_failed */
	SHIM_MESSAGE_REPLY,     /* result: 0, a count or a negative errno */
	SHIM_MESSAGE_EXITED,    /* exit_code, signo, finished_ns: exit.json is there */
	SHIM_MESSAGE_STDIN_READY,
	SHIM_MESSAGE_STDIN_GONE,
	SHIM_MESSAGE_POKE
};

struct shim_message {
	uint32_t type;
	uint32_t seq;
	int64_t result;
	uint64_t run;
	int64_t started_ns;
	int64_t finished_ns;
	int32_t pid; /* process 1, in the shim's pid namespace */
	int32_t exit_code;
	int32_t signo;
	uint32_t reserved;
};

/* The start did not succeed; the shim ends after this. */
struct shim_failed {
	uint32_t type;
	uint32_t program; /* 1: the program itself is missing or cannot run */
	struct error error;
};

/* Inside a shim only: the process that will be the program of an exec was made. */
struct shim_born {
	uint32_t type; /* SHIM_MESSAGE_HELLO */
	int32_t pid;   /* in the shim's pid namespace */
};

_Static_assert(sizeof(struct shim_request) == 32, "what older shims read");
_Static_assert(sizeof(struct shim_message) == 56, "what older engines read");

#endif
