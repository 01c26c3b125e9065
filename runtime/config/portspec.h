/* Ports of a container as text: "80", "53/udp", "8000-8010/tcp". */
#ifndef RUNTIME_CONFIG_PORTSPEC_H
#define RUNTIME_CONFIG_PORTSPEC_H

#include "base/error.h"

#include <stddef.h>

#define PORTSPEC_SIZE 16 /* "65535/sctp" and its NUL */

struct portspec {
	unsigned first, last; /* 1..65535, first <= last; equal for a single port */
	const char *protocol; /* "tcp", "udp" or "sctp": static */
};

/* Read PORT[-PORT][/PROTOCOL]; the protocol is tcp when not given, in any case.
 * -EINVAL with a sentence quoting the text. */
int portspec_parse(const char *text, struct portspec *ret, struct error *err);

/* Read PORT[-PORT] of a host: as above without protocol; 0 is refused. */
int portspec_parse_range(const char *text, size_t len, unsigned *ret_first, unsigned *ret_last);

/* "80/tcp" for one port of spec. */
void portspec_render(const struct portspec *spec, unsigned port, char ret_text[PORTSPEC_SIZE]);

#endif
