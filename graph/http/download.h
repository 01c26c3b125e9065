/* A file of the web, as a stream. */
#ifndef GRAPH_HTTP_DOWNLOAD_H
#define GRAPH_HTTP_DOWNLOAD_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct download {
	const char *url;
	unsigned stall_ms; /* a server that is silent for so long is given up; 0: a minute */
	bool (*is_cancelled)(void *arg); /* asked ten times a second; may be NULL */
	/* The next bytes, and how many there are in all; 0: nobody knows. */
	int (*take)(void *arg, const void *bytes, size_t len, uint64_t total, struct error *err);
	void *arg;
};

/* "http://" or "https://", in any case of letters? */
bool download_is_url(const char *text);
/* Fetch it: http and https alone, with the redirects that lead there, but never from https to http; the system's
 * roots and the proxies of the environment; a user's name and password may stand in the address, and go to its host
 * alone.
 *
 * -ENOENT (404), -EACCES (401, 403, certificate), -ECONNREFUSED, -EHOSTUNREACH, -ECONNRESET (also one that ended
 * too early), -ETIMEDOUT, -EINTR, -EINVAL (the address), or what take said; the sentence names the address without
 * what may be secret in it. Blocks. */
int download_run(const struct download *download, struct error *err);
/* The address without password and query. */
void download_render_name(const char *url, struct strbuf *out);

#endif
