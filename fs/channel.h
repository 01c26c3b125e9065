/* The FUSE connection as the engine sees it: libfuse's session on a descriptor
 * that the holder owns, taken over by a new engine without the kernel's clients
 * noticing.
 *
 * Uses fuse_session_custom_io(). The first engine keeps the kernel's INIT
 * request in init_fd (a memfd of the holder); a later one feeds itself that
 * request and swallows the reply. The loop threads read and dispatch; what they
 * are dispatching is known per thread. */
#ifndef FS_CHANNEL_H
#define FS_CHANNEL_H

#define FUSE_USE_VERSION 314

#include "base/error.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

struct channel;

/* fuse_fd   the mounted /dev/fuse descriptor, borrowed
 * init_fd   memfd for the INIT request; not empty: take over
 * ops       libfuse's handlers; userdata as fuse_req_userdata() gives it
 */
int channel_open(int fuse_fd, int init_fd, const struct fuse_lowlevel_ops *ops, size_t ops_size,
		 void *userdata, struct channel **ret, struct error *err);
void channel_close(struct channel *channel);
/* Serve with that many threads (SIGURG is theirs; all other signals are blocked
 * in them) until the mount has gone (0) or channel_stop() (0); -errno else.
 * When the channel was taken over, on_ready is called after the synthetic INIT
 * and before FUSE_NOTIFY_RESEND goes out; when it is the first, before the loop
 * reads. */
int channel_run(struct channel *channel, unsigned threads, void (*on_ready)(void *arg), void *arg,
		struct error *err);
/* From any thread (not a signal handler): the loops end. */
void channel_stop(struct channel *channel);
bool channel_was_taken_over(const struct channel *channel);

/* The request that this thread is dispatching: its number without the resend
 * bit (Linux 6.9: bit 63, FUSE_UNIQUE_RESEND), and whether it was sent again.
 * Only inside a handler. */
uint64_t channel_get_unique(void);
bool channel_is_resent(void);
/* The same request as the kernel sent it, behind its header: what libfuse does not hand on. */
const void *channel_get_request_body(void);
/* The kernel reads and writes a file by itself when told which one (Linux 6.9: FUSE_PASSTHROUGH), and leaves
 * set-id bits to us (FUSE_HANDLE_KILLPRIV_V2). Known once INIT was answered. */
bool channel_can_pass_through(const struct channel *channel);
/* Inside the POLL handler: the kernel's poll handle number, which is never 0; 0 when the
 * kernel does not want to be notified (no FUSE_POLL_SCHEDULE_NOTIFY). */
uint64_t channel_get_poll_kh(void);
/* Inside the OPEN, CREATE... handlers etc. nothing else is offered. */

/* This thread has another descriptor table, where that number is the connection: its replies go there. */
void channel_set_reply_fd(int fd);

/* Tell the kernel that a polled file changed. Any thread, holding no lock that
 * a handler takes. 0 or -errno; a handle that the kernel has forgotten is no
 * error. */
int channel_notify_poll(struct channel *channel, uint64_t kh);
/* For fuse_lowlevel_notify_inval_entry, _inval_inode, _delete, _store. */
struct fuse_session *channel_get_session(struct channel *channel);

#endif
