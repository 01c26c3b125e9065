/* One HTTP exchange at a time, by libcurl, which only http.c sees. What it knows of registries: which
 * headers of an answer matter. Passwords and repetitions are the caller's. A server of this machine is asked
 * itself, others by the proxies of the environment.
 */
#ifndef GRAPH_HTTP_HTTP_H
#define GRAPH_HTTP_HTTP_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What holds for all exchanges with one server. Borrowed while an http lives. */
struct http_options {
	const char *ca_pem; /* certificates that are trusted besides the system's; NULL: none */
	const char *cert;   /* path of our certificate, and */
	const char *key;    /* of its key; NULL: none */
	bool no_verify;     /* any certificate will do */
	/* Where a root that is missed belongs, for the sentence; NULL: unsaid. */
	const char *ca_place;
	unsigned stall_ms;   /* a server that moves nothing for so long is given up: -ETIMEDOUT */
	unsigned connect_ms; /* likewise for a connection */
	bool (*is_cancelled)(void *arg); /* asked at least ten times a second; NULL: never */
	void *arg;
};

/* Connections of one thread, kept open between exchanges. NULL: no memory. */
struct http *http_new(const struct http_options *options);
void http_free(struct http *http);
DEFINE_AUTO(struct http *, http_free);

struct http_answer;
struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "PATCH" */
	const char *url;
	/* Values of headers; NULL: not sent. */
	const char *authorization, *accept, *content_type, *range, *content_range;
	/* What is sent: body_len bytes of body, or of body_fd from body_offset on. */
	const void *body;
	int body_fd;
	off_t body_offset;
	uint64_t body_len;
	void (*on_sent)(void *arg, uint64_t bytes); /* since the last call; may be NULL */
	/* Takes the body of a 2xx answer while it arrives; NULL: it goes to the answer's text. */
	int (*sink)(void *arg, const struct http_answer *answer, const void *bytes, size_t len,
		    struct error *err);
	void *arg;
	bool is_away; /* somebody else's server: our certificate and no_verify are not for it */
	unsigned deadline_ms; /* for all of it; 0: none */
	size_t text_max;      /* longest text of a 2xx answer; of others a little is kept */
};

struct http_answer {
	int status;
	/* Values of headers, "" when there was none. */
	struct strbuf location, content_type, digest, range, content_range, link;
	struct strbuf challenges; /* all of WWW-Authenticate, joined by commas */
	struct strbuf text;
	int64_t retry_after_s; /* -1: not said, as of the next */
	int64_t content_length;
};
void http_answer_deinit(struct http_answer *answer);
DEFINE_AUTO_DEINIT(struct http_answer, http_answer_deinit);

/* Do it: 0 whatever the status is. Else -EINTR (cancelled), -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET,
 * -ETIMEDOUT, -EACCES (a certificate that is not trusted), -EPROTO (it speaks no TLS), -E2BIG (a text that is too
 * long), or what the sink said. Blocks. */
int http_perform(struct http *http, const struct http_request *request, struct http_answer *ret,
		 struct error *err);

/* --- http_follow.c ------------------------------------------------------------------------- */

/* http_perform(), and the redirects of GET and HEAD are followed, a few of them.
 * That one who is asked by https speaks no TLS is -ECONNRESET here.
 *
 * home          the origin that request->authorization is for: no other gets it; another host is away. One of
 *               https leads to https alone (-EACCES) unless may_lose_tls
 * inout_url     heap: who is asked (not request->url), then who answered; also on failure */
int http_follow(struct http *http, const struct http_request *request, const char *home,
		bool may_lose_tls, struct http_answer *answer, char **inout_url, struct error *err);
/* The errno of a status that is no success: 404 is ENOENT. */
int http_get_errno(int status);
/* "host[:port]" in an address, or in what is one alone: without scheme and password. */
const char *http_find_host(const char *url, size_t *ret_len);
/* Is it this machine's ("127.0.0.1:5000", "http://localhost/", "[::1]:5000")? */
bool http_is_loopback(const char *url);

/* --- addresses ----------------------------------------------------------------------------- */

/* A reference resolved against the URL that it was found at; heap. -EINVAL: neither http nor https. */
int http_resolve(const char *base, const char *reference, char **ret, struct error *err);
bool http_is_tls(const char *url);
/* The same scheme, host and port? */
bool http_is_same_origin(const char *url, const char *other);
bool http_is_same_host(const char *url, const char *other);
/* "name=value" with the value escaped. */
int http_append_query(struct strbuf *url, const char *name, const char *value);

#endif
