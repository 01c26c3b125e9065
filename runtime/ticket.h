/* The licence under which one command runs: who asked, whether it was begun
 * before by an engine that died, and whether the caller has gone.
 *
 * A verb that must not be done twice writes what identifies its effect (an id, a run
 * number) with ticket_note() before it acts; when ticket->resumed, it reads that
 * note and finishes or recognises the deed instead of repeating it.
 */
#ifndef RUNTIME_TICKET_H
#define RUNTIME_TICKET_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TICKET_NOTE_SIZE 192

struct ticket {
	uint64_t number; /* of the request, the same when it is sent again; 0: internal */
	bool resumed;    /* an earlier engine began this command */
	char note[TICKET_NOTE_SIZE]; /* text; "" until something was noted */
	/* Make the note outlive this process; NULL: not wanted (internal work). */
	void (*save)(struct ticket *ticket);
	void *owner; /* of whoever made it */

	pthread_mutex_t lock;
	pthread_cond_t changed; /* CLOCK_MONOTONIC; also signalled by what is waited for */
	bool cancelled;         /* guarded by lock */
};

void ticket_init(struct ticket *ticket, uint64_t number, bool resumed);
void ticket_deinit(struct ticket *ticket);
/* Replace the note and save it. Longer text than fits is a bug (asserted). */
void ticket_note(struct ticket *ticket, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The caller was interrupted: waits end with -EINTR. Any thread. */
void ticket_cancel(struct ticket *ticket);
bool ticket_is_cancelled(struct ticket *ticket);

#endif
