/* The state of a shim: one container's process 1, its stdio and its log, and the
 * engines that are connected. One thread, one instance, made by main().
 */
#ifndef RUNTIME_SHIM_SHIM_H
#define RUNTIME_SHIM_SHIM_H

#include "base/error.h"
#include "runtime/shim/logfiles.h"
#include "runtime/shim/plan.h"
#include "runtime/shim/protocol.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What one read takes, and what the pipes are made to hold: 1 MiB is the most
 * without CAP_SYS_RESOURCE. */
#define SHIM_CHUNK (1U << 20)
/* An engine, its successor, and some for tools. */
#define SHIM_CONNECTIONS 16

struct shim_connection {
	int fd;           /* -1: free */
	bool wants_stdin; /* to be told when there is room again */
};

/* The last numbers that were carried out, and with what result. */
struct shim_numbers {
	struct {
		uint64_t number;
		int64_t result;
	} items[SHIM_NUMBERS];
	unsigned next; /* the oldest: to be overwritten */
};

/* home.c: where a shim was before it made a container's namespaces. */
enum { HOME_COUNT = 3 };
struct home {
	uint64_t made; /* CLONE_NEW*: what it makes; that of pids is its child's */
	int slim_fd;   /* its mount namespace */
	int proc_fd;   /* the host's /proc */
	int fds[HOME_COUNT];
};

/* order.c: what an engine sent. */
struct order {
	int *fds; /* the first is the message's memfd */
	size_t count;
	void *message;
	size_t size;
};

struct shim {
	char *args; /* the command line, as it lies in memory */
	size_t args_size;
	struct home home;
	uint64_t run;
	int run_dir_fd;
	bool tty, open_stdin;
	bool discard; /* what comes from the terminal is dropped; of pipes there are none */

	pid_t pid; /* process 1 */
	int64_t started_ns, finished_ns;
	int exit_code, signo;
	bool ended;     /* process 1 was reaped */
	bool announced; /* exit.json is there and the engines were told */

	int out_fds[2];       /* stdout and stderr, or the terminal's master and -1 */
	uint64_t out_left[2]; /* once it ended: bytes that are still to be read */
	int stdin_fd;
	bool stdin_partial; /* the last byte given to a terminal ended no line */
	int slave_fd;       /* of the terminal, held open; else -1 */
	char *chunk;        /* SHIM_CHUNK bytes; holds what logs has pending */
	bool chunk_used;
	unsigned streak; /* short chunks in a row */
	struct logfiles logs;

	char *packet; /* room for the longest packet */
	int signal_fd;
	int listen_fd;
	struct shim_connection connections[SHIM_CONNECTIONS];
	struct shim_numbers numbers;
};

/* home.c: home->made and slim_fd are set. Each 0 or -errno with a sentence, half done. */
int home_leave(struct home *home, struct error *err);
int home_return(struct home *home, struct error *err);

/* order.c: wait for the plan, whose strings lie in order->message. 1; 0: the engine has gone;
 * -errno with a sentence. */
int order_receive(int socket_fd, struct order *order, struct plan *ret_plan, struct error *err);
void order_close(struct order *order, int kept_fd);

/* start.c: carry out the plan of the engine at socket_fd up to the program's execution.
 * On failure nothing is left of it, *ret_program says whose fault it was. */
int shim_launch(struct shim *shim, const struct plan *plan, int socket_fd, bool *ret_program,
		struct error *err);

/* loop.c: serve until process 1 has ended and its output is written. */
void shim_serve(struct shim *shim);

/* output.c: from the pipes or the terminal to the log. */
/* Read what poll found readable. True when many small chunks came in a row:
 * time for a nap. */
bool output_take(struct shim *shim, const struct pollfd polled[2]);
/* Process 1 has ended: note how much there is to be read. */
void output_set_end(struct shim *shim);
/* Read on to that end. True when all is written. */
bool output_finish(struct shim *shim);
/* Give the buffer's memory back. */
void output_trim(struct shim *shim);

/* stdin.c: towards process 1. */
int64_t stdin_give(struct shim *shim, struct shim_connection *from,
		   const struct shim_request *request, const char *bytes, size_t len);
int64_t stdin_close(struct shim *shim);
void stdin_handle(struct shim *shim, short revents);
bool stdin_is_wanted(const struct shim *shim);
/* The result remembered for a number, NULL for none (or number 0). */
const int64_t *numbers_find(const struct shim_numbers *numbers, uint64_t number);
void numbers_set(struct shim_numbers *numbers, uint64_t number, int64_t result);

/* server.c: the socket. */
int server_listen(struct shim *shim, struct error *err);
void server_add(struct shim *shim, int fd);
void server_send_all(struct shim *shim, enum shim_message_type type);
void server_handle(struct shim *shim, const struct pollfd *listener,
		   const struct pollfd polled[SHIM_CONNECTIONS]);
void server_remove(const struct shim *shim);

/* record.c: files in RUN. */
int record_write_pid(const struct shim *shim, int proc_fd, struct error *err);
/* 0 or -errno. */
int record_write_exit(const struct shim *shim);

#endif
