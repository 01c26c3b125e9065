/* One file by HTTP. What arrives goes to the caller at once: nothing is stored here. */
#include "graph/http/download.h"

#include "graph/http/http.h"

#include <string.h>
#include <strings.h>

#define STALL_MS 60000
#define CONNECT_MS 30000

bool download_is_url(const char *text)
{
	return strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

void download_render_name(const char *url, struct strbuf *out)
{
	const char *scheme_end = strstr(url, "://");
	size_t host_len;
	const char *host = http_find_host(url, &host_len);

	if (scheme_end)
		strbuf_append(out, url, (size_t)(scheme_end + 3 - url));
	strbuf_append(out, host, strcspn(host, "?#"));
}

static int take_bytes(void *arg, const struct http_answer *answer, const void *bytes, size_t len,
		      struct error *err)
{
	const struct download *download = arg;
	uint64_t total = answer->content_length > 0 ? (uint64_t)answer->content_length : 0;

	return download->take(download->arg, bytes, len, total, err);
}

static int refuse(const struct http_answer *answer, struct error *err)
{
	int code = http_get_errno(answer->status);

	if (code == ENOENT)
		return error_set(err, code, "there is no such file: status %d", answer->status);
	if (code == EACCES)
		return error_set(err, code, "it is not for everybody: status %d", answer->status);
	return error_set(err, code, "status %d", answer->status);
}

static int fetch(const struct download *download, struct error *err)
{
	AUTO(http_answer_deinit) struct http_answer answer = { .status = 0 };
	const unsigned stall_ms = download->stall_ms ? download->stall_ms : STALL_MS;
	const struct http_options options = { .stall_ms = stall_ms,
					      .connect_ms =
						      stall_ms < CONNECT_MS ? stall_ms : CONNECT_MS,
					      .is_cancelled = download->is_cancelled,
					      .arg = download->arg };
	const struct http_request request = { .method = "GET",
					      .sink = take_bytes,
					      .arg = (void *)(uintptr_t)download };
	struct http *http AUTO(http_free) = http_new(&options);
	auto_free char *url = strdup(download->url);
	int ret;

	if (!http || !url)
		return error_set(err, ENOMEM, "out of memory for a connection");
	ret = http_follow(http, &request, download->url, false, &answer, &url, err);
	if (ret == 0 && answer.status / 100 != 2)
		ret = refuse(&answer, err);
	return ret;
}

int download_run(const struct download *download, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	int ret = fetch(download, err);

	download_render_name(download->url, &name);
	return error_wrap(err, ret, "%s", strbuf_get_str(&name));
}
