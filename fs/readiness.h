/* One word from a process that starts to the one that waits for it: it answers, or why not.
 *
 * Engine to holder, holder to the command that was typed, holder to systemd.
 */
#ifndef FS_READINESS_H
#define FS_READINESS_H

#include "base/error.h"

enum readiness {
	READINESS_NONE, /* nothing said yet (a descriptor that does not block) */
	READINESS_READY,
	READINESS_FAILED, /* the sentence is in err */
	READINESS_CLOSED  /* the other end has gone */
};

/* Both write at most once each, into a pipe; nobody listening is no error. */
void readiness_send_ready(int fd);
void readiness_send_failure(int fd, const struct error *failure);
/* The next word. */
enum readiness readiness_receive(int fd, struct error *err);
/* READY=1 to $NOTIFY_SOCKET, if there is one. Source: sd_notify(3). */
void readiness_tell_systemd(void);

#endif
