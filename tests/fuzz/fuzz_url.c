/* Where a server says that something is: an address, a newline, a reference. It leads to the web or nowhere, and what
 * is told of an address has neither password nor query. fuzz-module: graph */
#include "graph/http/download.h"
#include "graph/http/http.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static void try_name(const char *url)
{
	AUTO(strbuf_deinit) struct strbuf name = STRBUF_INIT;
	size_t len;
	const char *host = http_find_host(url, &len);

	must(host >= url && host + len <= url + strlen(url));
	must(!memchr(host, '@', len) && !memchr(host, '/', len));
	http_is_loopback(url);
	download_render_name(url, &name);
	must(name.len <= strlen(url));
	must(!strpbrk(strbuf_get_str(&name), "?#"));
}

static void try_reference(const char *base, const char *reference)
{
	auto_free char *found = NULL;
	struct error err = ERROR_INIT;

	if (http_resolve(base, reference, &found, &err) < 0) {
		must(err.code && *err.msg && !found);
		return;
	}
	must(download_is_url(found));
	must(http_is_same_origin(found, found));
	try_name(found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_free char *text = malloc(size + 1);
	char *newline;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	newline = strchr(text, '\n');
	if (newline)
		*newline = '\0';
	if (download_is_url(text))
		try_name(text);
	try_reference(text, newline ? newline + 1 : "");
	return 0;
}
