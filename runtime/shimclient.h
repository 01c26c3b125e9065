/* Making a struct shim of a connected socket; the rest of the client is public,
 * in runtime/launch.h.
 */
#ifndef RUNTIME_SHIMCLIENT_H
#define RUNTIME_SHIMCLIENT_H

#include "runtime/launch.h"

/* Wait for the shim's HELLO on fd.
 *
 * fd, pidfd     taken over, closed on failure too
 * is_child      the shim is a child of this process, to be reaped when it ends
 * timeout_ms    for the HELLO
 * ret_program   may be NULL; set when the program was at fault
 *
 * 0; what a FAILED message says; -ESRCH when the shim closed its end;
 * -ETIMEDOUT; -EPROTO when it speaks another version. */
int shimclient_open(int fd, int pidfd, pid_t shim_pid, bool is_child, int timeout_ms,
		    struct shim **ret, struct launch_result *ret_result, bool *ret_program,
		    struct error *err);

#endif
