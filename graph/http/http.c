/* libcurl, kept small: one exchange at a time, no redirects, no cookies, no passwords of its own, HTTP and
 * HTTPS alone. The loop is ours, so that a cancelled one ends at once and a server that
 * stands still is noticed by what really moved.
 *
 * What a server sends is bounded: headers by HEADERS_MAX, texts by the caller; a long body goes to the
 * caller's sink, which counts.
 */
#include "graph/http/http.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/path.h"

#include <curl/curl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define LOOK_EVERY_MS 100
#define HEADERS_MAX (256U << 10)
#define FAILURE_TEXT_MAX (16U << 10)
#define MS_NS 1000000LL

struct http {
	const struct http_options *options;
	CURLM *multi;
	CURL *easy;
};

/* One exchange, for libcurl's callbacks. */
struct exchange {
	struct http *http;
	const struct http_request *request;
	struct http_answer *answer;
	struct error failure; /* of a callback */
	size_t header_bytes;
	uint64_t sent;
	int64_t moved_ns; /* when something moved last */
	bool is_full;     /* of a failure's text there is enough */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void init_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http *http_new(const struct http_options *options)
{
	struct http *http AUTO(http_free) = calloc(1, sizeof(*http));

	pthread_once(&once, init_library);
	if (!http)
		return NULL;
	http->options = options;
	http->multi = curl_multi_init();
	http->easy = curl_easy_init();
	return http->multi && http->easy ? steal_ptr(&http) : NULL;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	curl_easy_cleanup(http->easy);
	curl_multi_cleanup(http->multi);
	free(http);
}

void http_answer_deinit(struct http_answer *answer)
{
	strbuf_deinit(&answer->location);
	strbuf_deinit(&answer->content_type);
	strbuf_deinit(&answer->digest);
	strbuf_deinit(&answer->range);
	strbuf_deinit(&answer->content_range);
	strbuf_deinit(&answer->link);
	strbuf_deinit(&answer->challenges);
	strbuf_deinit(&answer->text);
}

static void reset_answer(struct http_answer *answer)
{
	http_answer_deinit(answer);
	*answer = (struct http_answer){ .retry_after_s = -1, .content_length = -1 };
}

/* --- callbacks ----------------------------------------------------------------------------- */

static struct strbuf *find_header(struct http_answer *answer, const char *name, size_t len)
{
	const struct {
		const char *name;
		struct strbuf *value;
	} wanted[] = {
		{ "location", &answer->location },
		{ "content-type", &answer->content_type },
		{ "docker-content-digest", &answer->digest },
		{ "range", &answer->range },
		{ "content-range", &answer->content_range },
		{ "link", &answer->link },
		{ "www-authenticate", &answer->challenges },
	};

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strlen(wanted[i].name) == len && strncasecmp(wanted[i].name, name, len) == 0)
			return wanted[i].value;
	return NULL;
}

static void take_number(struct http_answer *answer, const char *name, size_t name_len,
			const char *value, size_t len)
{
	const struct {
		const char *name;
		uint64_t max;
		int64_t *value;
	} wanted[] = {
		{ "retry-after", 3600, &answer->retry_after_s },
		{ "content-length", INT64_MAX, &answer->content_length },
	};
	char text[24] = "";
	uint64_t number;

	if (len < sizeof(text))
		memcpy(text, value, len);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (strlen(wanted[i].name) == name_len &&
		    strncasecmp(wanted[i].name, name, name_len) == 0 &&
		    num_parse_u64(text, 0, wanted[i].max, &number) == 0)
			*wanted[i].value = (int64_t)number;
}

static void take_header(struct http_answer *answer, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	const char *value = colon ? colon + 1 : line;
	const char *end = line + len;
	struct strbuf *member;

	if (!colon)
		return;
	while (value < end && (*value == ' ' || *value == '\t'))
		value++;
	while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' '))
		end--;
	member = find_header(answer, line, (size_t)(colon - line));
	if (member == &answer->challenges && member->len)
		strbuf_append_char(member, ',');
	else if (member)
		strbuf_reset(member);
	if (member)
		strbuf_append(member, value, (size_t)(end - value));
	take_number(answer, line, (size_t)(colon - line), value, (size_t)(end - value));
}

static size_t on_header(char *line, size_t size, size_t count, void *arg)
{
	struct exchange *exchange = arg;
	size_t len = size * count;

	exchange->moved_ns = clock_monotonic_ns();
	exchange->header_bytes += len;
	if (exchange->header_bytes > HEADERS_MAX) {
		error_set(&exchange->failure, E2BIG, "its headers do not end");
		return 0;
	}
	/* 100 Continue, or what a proxy said, comes before the answer's own. */
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
		reset_answer(exchange->answer);
	else
		take_header(exchange->answer, line, len);
	return len;
}

static int take_text(struct exchange *exchange, const char *bytes, size_t len, bool is_good)
{
	struct strbuf *text = &exchange->answer->text;
	size_t max = is_good ? exchange->request->text_max : FAILURE_TEXT_MAX;

	if (len > max - text->len) {
		if (is_good)
			return error_set(&exchange->failure, E2BIG,
					 "its answer is longer than %zu bytes", max);
		exchange->is_full = true;
		return -E2BIG;
	}
	strbuf_append(text, bytes, len);
	return 0;
}

static size_t on_bytes(char *bytes, size_t size, size_t count, void *arg)
{
	struct exchange *exchange = arg;
	const struct http_request *request = exchange->request;
	long status = 0;
	size_t len = size * count;
	int ret;

	curl_easy_getinfo(exchange->http->easy, CURLINFO_RESPONSE_CODE, &status);
	exchange->answer->status = (int)status;
	if (status / 100 == 2 && request->sink)
		ret = request->sink(request->arg, exchange->answer, bytes, len, &exchange->failure);
	else
		ret = take_text(exchange, bytes, len, status / 100 == 2);
	exchange->moved_ns = clock_monotonic_ns();
	return ret < 0 ? CURL_WRITEFUNC_ERROR : len;
}

static size_t on_send(char *buf, size_t size, size_t count, void *arg)
{
	struct exchange *exchange = arg;
	const struct http_request *request = exchange->request;
	uint64_t left = request->body_len - exchange->sent;
	size_t len = size * count < left ? size * count : (size_t)left;

	exchange->moved_ns = clock_monotonic_ns();
	if (request->body) {
		memcpy(buf, (const char *)request->body + exchange->sent, len);
	} else if (len) {
		ssize_t got = path_pread_full(request->body_fd, buf, len,
					      request->body_offset + (off_t)exchange->sent);

		if (got != (ssize_t)len) {
			error_set(&exchange->failure, EIO, "a blob is shorter than it was");
			return CURL_READFUNC_ABORT;
		}
	}
	exchange->sent += len;
	if (request->on_sent)
		request->on_sent(request->arg, len);
	return len;
}

/* libcurl sends a body again when a connection that it had kept turns out dead. Of a long one the server may
 * have taken a part: its owner must ask first. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
	struct exchange *exchange = arg;

	if (!exchange->request->body)
		return CURL_SEEKFUNC_FAIL;
	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > exchange->request->body_len)
		return CURL_SEEKFUNC_FAIL;
	exchange->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

/* Not to be inherited by whoever is executed. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	(void)arg;
	(void)purpose;
	return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

/* --- the exchange ---------------------------------------------------------------------------- */

static int add_header(struct curl_slist **headers, const char *name, const char *value)
{
	AUTO(strbuf_deinit) struct strbuf line = STRBUF_INIT;
	struct curl_slist *grown;

	if (!value)
		return 0;
	/* An empty value takes a header of libcurl's away. */
	strbuf_appendf(&line, *value ? "%s: %s" : "%s:%s", name, value);
	grown = line.oom ? NULL : curl_slist_append(*headers, strbuf_get_str(&line));
	if (!grown)
		return -ENOMEM;
	*headers = grown;
	return 0;
}

static int make_headers(const struct http_request *request, struct curl_slist **ret)
{
	int r = add_header(ret, "Authorization", request->authorization);

	if (r == 0)
		r = add_header(ret, "Accept", request->accept);
	if (r == 0)
		r = add_header(ret, "Content-Type", request->content_type);
	if (r == 0)
		r = add_header(ret, "Range", request->range);
	if (r == 0)
		r = add_header(ret, "Content-Range", request->content_range);
	return r == 0 ? add_header(ret, "Expect", "") : r;
}

static void set_server(CURL *easy, const struct http_options *options, bool is_away)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "containerfs/" CONTAINERFS_VERSION);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)options->connect_ms);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
	if (options->no_verify && !is_away) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	/* The system's directory of roots stays in force besides. */
	if (options->ca_pem) {
		struct curl_blob blob = { .data = (void *)(uintptr_t)options->ca_pem,
					  .len = strlen(options->ca_pem),
					  .flags = CURL_BLOB_COPY };

		curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob);
	}
	if (options->cert && !is_away) {
		curl_easy_setopt(easy, CURLOPT_SSLCERT, options->cert);
		curl_easy_setopt(easy, CURLOPT_SSLKEY, options->key);
	}
}

static void set_body(CURL *easy, struct exchange *exchange)
{
	const struct http_request *request = exchange->request;

	if (strcmp(request->method, "HEAD") == 0) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	} else if (strcmp(request->method, "GET") != 0) {
		curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
		curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)request->body_len);
		curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
		curl_easy_setopt(easy, CURLOPT_READDATA, exchange);
		curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(easy, CURLOPT_SEEKDATA, exchange);
		curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
	}
}

static void set_request(CURL *easy, struct exchange *exchange, struct curl_slist *headers,
			char *message)
{
	const struct http_request *request = exchange->request;

	curl_easy_reset(easy);
	set_server(easy, exchange->http->options, request->is_away);
	curl_easy_setopt(easy, CURLOPT_URL, request->url);
	if (http_is_loopback(request->url))
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, message);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange);
	/* A compressed transfer would have another length than its blob. */
	curl_easy_setopt(easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	set_body(easy, exchange);
}

/* Why it must end although libcurl would go on: 0, or a negative errno. */
static int check_patience(struct exchange *exchange, int64_t begin_ns)
{
	const struct http_options *options = exchange->http->options;
	unsigned deadline_ms = exchange->request->deadline_ms;
	int64_t now_ns = clock_monotonic_ns();

	if (options->is_cancelled && options->is_cancelled(options->arg))
		return error_set(&exchange->failure, EINTR, "interrupted");
	if (now_ns - exchange->moved_ns > options->stall_ms * MS_NS)
		return error_set(&exchange->failure, ETIMEDOUT, "it sent nothing for %u seconds",
				 options->stall_ms / 1000);
	if (deadline_ms && now_ns - begin_ns > deadline_ms * MS_NS)
		return error_set(&exchange->failure, ETIMEDOUT, "it took more than %u seconds",
				 deadline_ms / 1000);
	return 0;
}

static CURLcode run(struct exchange *exchange)
{
	struct http *http = exchange->http;
	int64_t begin_ns = exchange->moved_ns;
	CURLcode code = CURLE_ABORTED_BY_CALLBACK;
	CURLMsg *message;
	int running = 1, queued;

	if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK)
		return CURLE_OUT_OF_MEMORY;
	while (curl_multi_perform(http->multi, &running) == CURLM_OK && running &&
	       check_patience(exchange, begin_ns) == 0)
		curl_multi_poll(http->multi, NULL, 0, LOOK_EVERY_MS, NULL);
	message = curl_multi_info_read(http->multi, &queued);
	if (message && message->msg == CURLMSG_DONE)
		code = message->data.result;
	curl_multi_remove_handle(http->multi, http->easy);
	return code;
}

/* --- failures -------------------------------------------------------------------------------- */

static int find_connect_errno(CURL *easy)
{
	long code = 0;

	curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &code);
	if (code == ETIMEDOUT)
		return ETIMEDOUT;
	if (code == EHOSTUNREACH || code == ENETUNREACH || code == EHOSTDOWN || code == ENETDOWN)
		return EHOSTUNREACH;
	return ECONNREFUSED;
}

/* libcurl's numbers become ours here and nowhere else; its sentence is kept where it knows more. */
static int translate(const struct http *http, CURLcode code, const char *message, struct error *err)
{
	const char *ca_place = http->options->ca_place;

	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return error_set(err, ENOMEM, "out of memory for a request");
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return error_set(err, EHOSTUNREACH, "no address is known: %s", message);
	case CURLE_COULDNT_CONNECT:
		return error_set_sys(err, find_connect_errno(http->easy), "cannot connect");
	case CURLE_OPERATION_TIMEDOUT:
		return error_set_sys(err, ETIMEDOUT, "cannot connect");
	case CURLE_SSL_CONNECT_ERROR:
		return error_set(err, EPROTO, "no TLS: %s", message);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CACERT_BADFILE:
		return error_set(err, EACCES, "its certificate is not trusted: %s%s%s", message,
				 ca_place ? "; its root belongs into " : "",
				 ca_place ? ca_place : "");
	case CURLE_URL_MALFORMAT:
		return error_set(err, EINVAL, "%s", message);
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return error_set(err, EINVAL, "it does not speak HTTP: %s", message);
	default:
		return error_set(err, ECONNRESET, "it broke off: %s", message);
	}
}

int http_perform(struct http *http, const struct http_request *request, struct http_answer *ret,
		 struct error *err)
{
	struct exchange exchange = {
		.http = http, .request = request, .answer = ret, .moved_ns = clock_monotonic_ns()
	};
	char message[CURL_ERROR_SIZE] = "";
	struct curl_slist *headers = NULL;
	long status = 0;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	reset_answer(ret);
	if (make_headers(request, &headers) == 0) {
		set_request(http->easy, &exchange, headers, message);
		code = run(&exchange);
		curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
		/* It pointed into this frame. */
		curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
	}
	curl_slist_free_all(headers);
	ret->status = (int)status;
	if (exchange.failure.code) {
		if (err)
			*err = exchange.failure;
		return -exchange.failure.code;
	}
	if (code != CURLE_OK && !exchange.is_full)
		return translate(http, code, *message ? message : curl_easy_strerror(code), err);
	return 0;
}

/* --- addresses ---------------------------------------------------------------------------------- */

static bool is_web(CURLU *url)
{
	char *scheme = NULL;
	bool ret = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
		   (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

	curl_free(scheme);
	return ret;
}

int http_resolve(const char *base, const char *reference, char **ret, struct error *err)
{
	CURLU *url = curl_url();
	char *text = NULL;
	bool ok = url && curl_url_set(url, CURLUPART_URL, base, 0) == CURLUE_OK &&
		  curl_url_set(url, CURLUPART_URL, reference, 0) == CURLUE_OK && is_web(url) &&
		  curl_url_get(url, CURLUPART_URL, &text, 0) == CURLUE_OK;
	char *copy = ok ? strdup(text) : NULL;

	curl_free(text);
	curl_url_cleanup(url);
	if (!ok)
		return error_set(err, EINVAL, "it leads to '%.100s', which is no web address",
				 reference);
	if (!copy)
		return error_set(err, ENOMEM, "out of memory for an address");
	*ret = copy;
	return 0;
}

static bool is_same_part(CURLU *url, CURLU *other, CURLUPart part)
{
	char *a = NULL, *b = NULL;
	bool ret = curl_url_get(url, part, &a, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		   curl_url_get(other, part, &b, CURLU_DEFAULT_PORT) == CURLUE_OK &&
		   strcasecmp(a, b) == 0;

	curl_free(a);
	curl_free(b);
	return ret;
}

static bool are_same(const char *url, const char *other, const CURLUPart *parts, size_t count)
{
	CURLU *a = curl_url(), *b = curl_url();
	bool ret = a && b && curl_url_set(a, CURLUPART_URL, url, 0) == CURLUE_OK &&
		   curl_url_set(b, CURLUPART_URL, other, 0) == CURLUE_OK;

	for (size_t i = 0; ret && i < count; i++)
		ret = is_same_part(a, b, parts[i]);
	curl_url_cleanup(a);
	curl_url_cleanup(b);
	return ret;
}

bool http_is_same_origin(const char *url, const char *other)
{
	static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };

	return are_same(url, other, parts, 3);
}

bool http_is_same_host(const char *url, const char *other)
{
	static const CURLUPart parts[] = { CURLUPART_HOST };

	return are_same(url, other, parts, 1);
}

int http_append_query(struct strbuf *url, const char *name, const char *value)
{
	char *escaped = curl_easy_escape(NULL, value, 0);

	if (!escaped)
		return -ENOMEM;
	strbuf_appendf(url, "%c%s=%s", memchr(url->data, '?', url->len) ? '&' : '?', name, escaped);
	curl_free(escaped);
	return 0;
}
