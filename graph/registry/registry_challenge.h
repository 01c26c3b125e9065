/* What a registry wants to know before it answers: WWW-Authenticate. Text only. */
#ifndef GRAPH_REGISTRY_REGISTRY_CHALLENGE_H
#define GRAPH_REGISTRY_REGISTRY_CHALLENGE_H

#include "base/cleanup.h"

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };

struct challenge {
	enum challenge_scheme scheme;
	/* Of Bearer; NULL when not given. */
	char *realm, *service, *scope;
};

void challenge_deinit(struct challenge *challenge);
DEFINE_AUTO_DEINIT(struct challenge, challenge_deinit);

/* Read the value of one header, which may hold several challenges. What is understood best is taken:
 * Bearer with a realm, else Basic. Unknown schemes are passed over; rubbish gives CHALLENGE_NONE.
 * -ENOMEM alone. Source: RFC 9110, 11.6.1; distribution's token specification. */
int challenge_parse(const char *text, struct challenge *ret);

#endif
