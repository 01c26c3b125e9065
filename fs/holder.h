/* The process that keeps the mount: it outlives engines, and starts the next one.
 */
#ifndef FS_HOLDER_H
#define FS_HOLDER_H

#include "base/error.h"
#include "fs/server.h"

#include <stdbool.h>

struct holder_options {
	const struct server_options *server; /* paths resolved; holder_pid is filled in here */
	bool can_resend;                     /* what the kernel can: holder_can_resend() */
	bool log_to_stderr;                  /* besides RUN/log; else stderr becomes RUN/log */
	int ready_fd; /* fs/readiness.h: told when the mount answers, then closed; -1: nobody */
};

/* Take ROOT and RUN, mount, serve until the mount has ended or SIGTERM, SIGINT
 * or SIGHUP came; then nothing of the mount is left, and containers run on.
 *
 * Call it in a process with one thread and no children: it becomes a subreaper,
 * reaps all children, blocks these signals, changes to "/", and forks engines,
 * which call server_run() with SIGTERM blocked, SIGPIPE ignored and in a
 * session of their own. An engine that dies is started again: at once on the
 * same mount, or, where requests cannot be sent again or after five deaths in ten
 * seconds (those by SIGKILL of one that served are not counted), on a new mount with
 * new memory.
 *
 * Returns 0 at the end. Until the mount has answered once, a failure is -errno
 * with a sentence: of fs/premises.h, fs/mountpoint.h, of server_run(), -EINTR
 * when a signal ended it, -EIO when the engine died. */
int holder_run(const struct holder_options *options, struct error *err);

/* Can the kernel of this release ("6.1.0-18-amd64") send requests again? From 6.9 on. */
bool holder_can_resend(const char *release);

#endif
