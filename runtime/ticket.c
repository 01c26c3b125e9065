/* The licence under which a command runs.
 *
 * The note is written by the verb that owns the ticket, from one thread at a
 * time; only `cancelled` is shared. Waiters sleep on `changed`, which both a
 * cancellation and the thing waited for signal, so that one sleep watches both.
 */
#include "runtime/ticket.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void ticket_init(struct ticket *ticket, uint64_t number, bool resumed)
{
	pthread_condattr_t attr;

	memset(ticket, 0, sizeof(*ticket));
	ticket->number = number;
	ticket->resumed = resumed;
	pthread_mutex_init(&ticket->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ticket->changed, &attr);
	pthread_condattr_destroy(&attr);
}

void ticket_deinit(struct ticket *ticket)
{
	pthread_cond_destroy(&ticket->changed);
	pthread_mutex_destroy(&ticket->lock);
}

void ticket_note(struct ticket *ticket, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(ticket->note, sizeof(ticket->note), fmt, ap);
	va_end(ap);
	assert(len >= 0 && (size_t)len < sizeof(ticket->note));
	(void)len;
	if (ticket->save)
		ticket->save(ticket);
}

void ticket_cancel(struct ticket *ticket)
{
	pthread_mutex_lock(&ticket->lock);
	ticket->cancelled = true;
	pthread_cond_broadcast(&ticket->changed);
	pthread_mutex_unlock(&ticket->lock);
}

bool ticket_is_cancelled(struct ticket *ticket)
{
	bool cancelled;

	pthread_mutex_lock(&ticket->lock);
	cancelled = ticket->cancelled;
	pthread_mutex_unlock(&ticket->lock);
	return cancelled;
}
