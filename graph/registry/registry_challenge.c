/* The grammar of WWW-Authenticate: schemes, each with parameters, all joined by commas, so that only what
 * follows a word tells whether it begins a challenge or a parameter.
 *
 *     Bearer realm="https://auth.example/token",service="registry",scope="repository:x:pull", Basic realm="y"
 *
 * Bytes from outside: every step moves forward and stops at the end.
 */
#include "graph/registry/registry_challenge.h"

#include "base/strbuf.h"

#include <string.h>
#include <strings.h>

void challenge_deinit(struct challenge *challenge)
{
	free(challenge->realm);
	free(challenge->service);
	free(challenge->scope);
	*challenge = (struct challenge){ .scheme = CHALLENGE_NONE };
}

/* RFC 9110's tchar. */
static size_t token_len(const char *at)
{
	return strspn(at, "!#$%&'*+-.^_`|~0123456789"
			  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static const char *skip_blanks(const char *at)
{
	return at + strspn(at, " \t");
}

static const char *skip_commas(const char *at)
{
	return at + strspn(at, " \t,");
}

/* A quoted text or a token, appended to out; what is behind it. */
static const char *read_value(const char *at, struct strbuf *out)
{
	size_t len;

	if (*at != '"') {
		len = strcspn(at, " \t,");
		strbuf_append(out, at, len);
		return at + len;
	}
	for (at++; *at && *at != '"'; at++) {
		if (*at == '\\' && at[1])
			at++;
		strbuf_append_char(out, *at);
	}
	return *at ? at + 1 : at;
}

static int keep_parameter(struct challenge *challenge, const char *name, size_t len,
			  struct strbuf *value)
{
	char **member = NULL;

	if (len == 5 && strncasecmp(name, "realm", len) == 0)
		member = &challenge->realm;
	else if (len == 7 && strncasecmp(name, "service", len) == 0)
		member = &challenge->service;
	else if (len == 5 && strncasecmp(name, "scope", len) == 0)
		member = &challenge->scope;
	if (!member || *member)
		return 0;
	*member = strbuf_steal(value);
	return *member ? 0 : -ENOMEM;
}

/* One parameter, if there is one at *at: 1. 0: another challenge begins, or the end. */
static int read_parameter(const char **at, struct challenge *challenge)
{
	AUTO(strbuf_deinit) struct strbuf value = STRBUF_INIT;
	size_t len = token_len(*at);
	const char *next = skip_blanks(*at + len);
	int ret;

	if (len == 0 || *next != '=')
		return 0;
	next = read_value(skip_blanks(next + 1), &value);
	ret = keep_parameter(challenge, *at, len, &value);
	*at = skip_commas(next);
	return ret < 0 ? ret : 1;
}

static enum challenge_scheme find_scheme(const char *name, size_t len)
{
	if (len == 5 && strncasecmp(name, "basic", len) == 0)
		return CHALLENGE_BASIC;
	if (len == 6 && strncasecmp(name, "bearer", len) == 0)
		return CHALLENGE_BEARER;
	return CHALLENGE_NONE;
}

static int read_challenge(const char **at, struct challenge *ret)
{
	size_t len = token_len(*at);
	int more;

	ret->scheme = find_scheme(*at, len);
	*at = skip_commas(*at + len);
	do
		more = read_parameter(at, ret);
	while (more > 0);
	if (ret->scheme == CHALLENGE_BEARER && !ret->realm)
		ret->scheme = CHALLENGE_NONE;
	return more;
}

int challenge_parse(const char *text, struct challenge *ret)
{
	AUTO(challenge_deinit) struct challenge best = { .scheme = CHALLENGE_NONE };
	const char *at = skip_commas(text);

	while (token_len(at) > 0) {
		AUTO(challenge_deinit) struct challenge next = { .scheme = CHALLENGE_NONE };

		if (read_challenge(&at, &next) < 0)
			return -ENOMEM;
		if (next.scheme > best.scheme) {
			struct challenge former = best;

			best = next;
			next = former;
		}
	}
	*ret = best;
	best = (struct challenge){ .scheme = CHALLENGE_NONE };
	return 0;
}
