/* WWW-Authenticate of a server: whatever it says, it is read to its end and means one thing. */
#include "graph/registry/registry_challenge.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct challenge challenge = { .scheme = CHALLENGE_NONE };
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	if (challenge_parse(text, &challenge) == 0) {
		must(challenge.scheme <= CHALLENGE_BEARER);
		must(challenge.scheme != CHALLENGE_BEARER || challenge.realm);
		must(!challenge.realm || strlen(challenge.realm) <= size);
	}
	challenge_deinit(&challenge);
	free(text);
	return 0;
}
