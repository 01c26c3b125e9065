/* Who we are, in the form that a registry wants: a name and password (Basic), or a token that another server
 * gives for them, or for nothing (Bearer). Source: distribution, docs/spec/auth/token.md.
 *
 * Tokens are for the scopes of the session, not for those that the registry names: one
 * token is enough for all that a command does. When none is named, the registry's own is asked for.
 */
#include "graph/registry/registry_session.h"

#include "base/json.h"

#include <string.h>

#define TOKEN_MAX (1U << 20)
#define TOKEN_MS 60000

static void set_authorization(struct session *session, char *value)
{
	pthread_mutex_lock(&session->lock);
	if (session->authorization)
		explicit_bzero(session->authorization, strlen(session->authorization));
	free(session->authorization);
	session->authorization = value;
	session->generation++;
	pthread_mutex_unlock(&session->lock);
}

static int make_url(const struct session *session, const struct challenge *challenge,
		    struct strbuf *url, struct error *err)
{
	bool ok;

	strbuf_append_str(url, challenge->realm);
	ok = url->data &&
	     (!challenge->service || http_append_query(url, "service", challenge->service) == 0);
	for (size_t i = 0; ok && session->scopes[i]; i++)
		ok = http_append_query(url, "scope", session->scopes[i]) == 0;
	if (ok && !session->scopes[0] && challenge->scope)
		ok = http_append_query(url, "scope", challenge->scope) == 0;
	if (!ok || url->oom)
		return error_set(err, ENOMEM, "out of memory for a token");
	return 0;
}

/* A password in the clear stays on this machine, or goes to the host that is spoken to in the clear because somebody
 * has said so. */
static int check_realm(const struct session *session, const char *realm, struct error *err)
{
	const char *base = strbuf_get_str(&session->base);

	if (http_is_tls(realm))
		return 0;
	if (strncasecmp(realm, "http://", 7) != 0)
		return error_set(err, EINVAL, "it sends us for a token to '%.100s'", realm);
	if (!session->login.text || http_is_loopback(realm) ||
	    (!http_is_tls(base) && http_is_same_host(realm, base)))
		return 0;
	return error_set(err, EACCES, "it wants the password to be sent in the clear, to '%.100s'",
			 realm);
}

static int take_token(struct session *session, const struct http_answer *answer, struct error *err)
{
	json_t *object auto_json = NULL;
	const char *token;
	char *value = NULL;

	/* A sentence of the parser's could quote it. */
	if (json_parse_text(strbuf_get_str(&answer->text), answer->text.len, &object, NULL) < 0)
		return error_set(err, EINVAL, "the token that it gives is not JSON");
	token = json_get_str(object, "token", NULL);
	if (!token)
		token = json_get_str(object, "access_token", NULL);
	if (!token || strpbrk(token, "\r\n"))
		return error_set(err, EINVAL, "its answer has no token");
	if (asprintf(&value, "Bearer %s", token) < 0)
		return error_set(err, ENOMEM, "out of memory for a token");
	set_authorization(session, value);
	return 0;
}

static int get_token(struct session *session, struct http *http, const struct challenge *challenge,
		     struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf url = STRBUF_INIT;
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	struct http_request request = { .method = "GET",
					.text_max = TOKEN_MAX,
					.deadline_ms = TOKEN_MS };
	auto_free char *basic = NULL;
	int ret = check_realm(session, challenge->realm, err);

	if (ret == 0)
		ret = make_url(session, challenge, &url, err);
	if (ret < 0)
		return ret;
	if (session->login.text)
		basic = login_dup_basic(&session->login);
	request.url = strbuf_get_str(&url);
	request.authorization = basic;
	request.is_away = !http_is_same_host(request.url, strbuf_get_str(&session->base));
	ret = http_perform(http, &request, &answer, err);
	if (basic)
		explicit_bzero(basic, strlen(basic));
	if (ret < 0)
		return error_wrap(err, ret, "the token");
	if (answer.status != 200)
		return session_refuse(session, &answer, "token", err);
	return take_token(session, &answer, err);
}

static int refuse(const struct session *session, struct error *err)
{
	if (session->login.text)
		return error_set(err, EACCES, "wrong user name or password, or not allowed");
	return error_set(err, EACCES, "it wants a user name and password; use login");
}

int session_authorize(struct session *session, struct http *http, const char *challenges,
		      unsigned generation, struct error *err)
{
	AUTO(challenge_deinit) struct challenge challenge = { .scheme = CHALLENGE_NONE };
	bool is_newer;
	char *basic;

	pthread_mutex_lock(&session->lock);
	is_newer = session->generation != generation;
	pthread_mutex_unlock(&session->lock);
	/* Another thread was faster. */
	if (is_newer)
		return 0;
	if (challenge_parse(challenges, &challenge) < 0)
		return error_set(err, ENOMEM, "out of memory for a password");
	if (challenge.scheme == CHALLENGE_BEARER)
		return get_token(session, http, &challenge, err);
	if (challenge.scheme == CHALLENGE_NONE || !session->login.text)
		return refuse(session, err);
	basic = login_dup_basic(&session->login);
	if (!basic)
		return error_set(err, ENOMEM, "out of memory for a password");
	set_authorization(session, basic);
	return 0;
}
