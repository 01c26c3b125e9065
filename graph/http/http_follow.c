/* Where an exchange leads: redirects, what a status means, and whose address it is. */
#include "graph/http/http.h"

#include <string.h>
#include <strings.h>

#define REDIRECTS_MAX 5

/* --- addresses ------------------------------------------------------------------------------- */

const char *http_find_host(const char *url, size_t *ret_len)
{
	const char *scheme_end = strstr(url, "://");
	const char *host = scheme_end ? scheme_end + 3 : url;
	size_t len = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', len);

	if (at) {
		len -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	*ret_len = len;
	return host;
}

bool http_is_loopback(const char *url)
{
	static const char v4[] = "127.", name[] = "localhost", v6[] = "[::1]";
	size_t len;
	const char *host = http_find_host(url, &len);
	const char *colon = memchr(host, ':', len);
	size_t end = colon ? (size_t)(colon - host) : len;

	if (strncmp(host, v6, strlen(v6)) == 0)
		return true;
	if (end == strlen(name) && strncmp(host, name, end) == 0)
		return true;
	/* A name may begin with digits too: 127.example.com is no address. */
	return strncmp(host, v4, strlen(v4)) == 0 && strspn(host, "0123456789.") == end;
}

bool http_is_tls(const char *url)
{
	return strncasecmp(url, "https://", 8) == 0;
}

/* --- redirects --------------------------------------------------------------------------------- */

static bool is_redirect(const struct http_request *request, const struct http_answer *answer)
{
	if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0)
		return false;
	return answer->location.len &&
	       (answer->status == 301 || answer->status == 302 || answer->status == 303 ||
		answer->status == 307 || answer->status == 308);
}

/* *inout_url becomes the address that the answer leads to. */
static int take_redirect(const struct http_answer *answer, bool needs_tls, char **inout_url,
			 struct error *err)
{
	char *next = NULL;
	int ret = http_resolve(*inout_url, strbuf_get_str(&answer->location), &next, err);

	if (ret < 0)
		return ret;
	free(*inout_url);
	*inout_url = next;
	if (needs_tls && !http_is_tls(next))
		return error_set(err, EACCES, "it leads from https to '%.100s'", next);
	return 0;
}

/* What TLS says of a server that was chosen to be spoken to so is that it broke off. */
static int perform_tls(struct http *http, const struct http_request *request,
		       struct http_answer *answer, struct error *err)
{
	int ret = http_perform(http, request, answer, err);

	if (ret == -EPROTO && err)
		err->code = ECONNRESET;
	return ret == -EPROTO ? -ECONNRESET : ret;
}

int http_follow(struct http *http, const struct http_request *request, const char *home,
		bool may_lose_tls, struct http_answer *answer, char **inout_url, struct error *err)
{
	struct http_request hop = *request;

	for (int hops = 0;; hops++) {
		int ret;

		hop.url = *inout_url;
		hop.authorization =
			http_is_same_origin(hop.url, home) ? request->authorization : NULL;
		hop.is_away = !http_is_same_host(hop.url, home);
		ret = perform_tls(http, &hop, answer, err);
		if (ret < 0 || !is_redirect(&hop, answer))
			return ret;
		if (hops == REDIRECTS_MAX)
			return error_set(err, EINVAL, "it leads in circles, by %d redirects",
					 REDIRECTS_MAX);
		ret = take_redirect(answer, http_is_tls(home) && !may_lose_tls, inout_url, err);
		if (ret < 0)
			return ret;
	}
}

/* --- statuses ------------------------------------------------------------------------------------ */

int http_get_errno(int status)
{
	switch (status) {
	case 401:
	case 403:
	case 407:
		return EACCES;
	case 404:
	case 410:
		return ENOENT;
	case 405:
	case 501:
		return ENOTSUP;
	case 408:
	case 504:
		return ETIMEDOUT;
	case 429:
		return EAGAIN;
	case 507:
		return ENOSPC;
	default:
		return status >= 500 ? ECONNRESET : EINVAL;
	}
}
