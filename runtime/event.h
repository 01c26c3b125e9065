/* What happened, as Docker's events: one line of JSON each, numbered.
 *
 * Kept in RUN/events (append only, two generations of a bounded size), so that a
 * restarted engine goes on with the numbers and a reader with its place.
 */
#ifndef RUNTIME_EVENT_H
#define RUNTIME_EVENT_H

#include "base/json.h"

#include <stdint.h>
#include <sys/types.h>

struct events;

/* What the line of one event may take, its newline included: more comes only from a user's labels. */
#define EVENT_LINE_MAX_BYTES (64U << 10)

/* dir_fd  RUN; borrowed for the life
 * on_event is called after each event is readable, with no lock held. */
int events_open(int dir_fd, void (*on_event)(void *arg), void *arg, struct events **ret,
		struct error *err);
void events_close(struct events *events);

/* Append {"Type","Action","Actor":{"ID","Attributes"},"time","timeNano","seq"} and a newline.
 * attributes may be NULL (an empty object), borrowed. Never fails visibly: a full disk is
 * logged once and the number is skipped, which a reader sees as a gap. Thread-safe. */
void events_emit(struct events *events, const char *type, const char *action, const char *id,
		 const json_t *attributes);

/* Which of some actions happened to an object last, as far as can still be read: its index in actions (ended by
 * NULL), or -1 for none. For who takes over from an engine that was killed and wonders what it had told.
 * Reads up to all events. Thread-safe. */
int events_find_last(struct events *events, const char *id, const char *const actions[]);
/* The line of the last event of an object, heap, the caller's, NUL for its newline; NULL: none. Likewise. */
char *events_dup_last(struct events *events, const char *id);
/* When the last event was appended; 0: there is none. */
int64_t events_get_time_ns(struct events *events);

/* The sequence number that the next event gets: where a new reader begins. */
uint64_t events_get_next(struct events *events);
/* Copy whole lines from event *inout_seq on into buf (as many as fit in len, at least one
 * if any is there and len >= its size; a longer one than len is split by the caller's buffer: -EMSGSIZE),
 * advance *inout_seq. When events before it were dropped, one line {"Type":"gap","lost":N} comes
 * first and *inout_seq jumps. 0: nothing new. Count or -errno. Thread-safe. */
ssize_t events_read(struct events *events, uint64_t *inout_seq, char *buf, size_t len);

#endif
