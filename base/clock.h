/* Times as the product shows them. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_TEXT_SIZE 31 /* "2026-01-02T03:04:05.123456789Z" and its NUL */

int64_t clock_now_ns(void);       /* CLOCK_REALTIME */
int64_t clock_monotonic_ns(void); /* CLOCK_MONOTONIC */

/* RFC 3339 in UTC with nine digits of a second; always 30 characters. 0 gives
 * Docker's zero time "0001-01-01T00:00:00Z" (20 characters). */
void clock_render(int64_t time_ns, char ret_text[CLOCK_TEXT_SIZE]);
/* RFC 3339 with any offset and 0 to 9 digits of a second. 0 or -EINVAL. */
int clock_parse(const char *text, int64_t *ret_ns);
/* "Less than a second", "5 seconds", "About a minute", "3 hours", "2 weeks"...
 * as Docker's tables show them; ret_text of at least 32 bytes. */
void clock_render_duration(int64_t duration_ns, char ret_text[32]);

#endif
