/* Replies and error sentences, kept per session and user, so that a plain
 * `echo start web > ctl; cat ctl` shows what came of it. They outlive the engine (fs/slots.h).
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include "base/error.h"
#include "base/strbuf.h"
#include "fs/caller.h"

#include <stdbool.h>
#include <stdint.h>

struct sessions;

#define SESSION_CTL 0                     /* the key of MNT/ctl; a container's ctl has its own */
#define SESSION_ERROR (UINT64_C(1) << 60) /* the key of MNT/error */

/* memory_fd  for fs/slots.h, borrowed. At most 4096 replies are kept; the oldest makes room. */
int sessions_open(int memory_fd, struct sessions **ret, struct error *err);
void sessions_close(struct sessions *sessions);

/* Remember the text as this session's last, and as its user's last, on that control file. Thread-safe. */
void sessions_put(struct sessions *sessions, const struct caller *caller, uint64_t key,
		  const void *text, size_t len);
/* This session's last text on it, else its user's. False (and nothing appended) when there is none. */
bool sessions_get(struct sessions *sessions, const struct caller *caller, uint64_t key,
		  struct strbuf *out);
/* "error: SENTENCE\n" as this session's last failure. */
void sessions_put_error(struct sessions *sessions, const struct caller *caller,
			const struct error *failure);

#endif
