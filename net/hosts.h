/* The three files that tell a container its name and whom to ask: text only. */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/strbuf.h"

#include <stdbool.h>

struct hosts_entry {
	const char *address;
	const char *names; /* separated by blanks */
};

/* /etc/hosts: localhost and the IPv6 lines as Docker writes them, then "ADDRESS\tHOST[.DOMAIN] HOST"
 * (address NULL: 127.0.1.1, a container without a network), then the extra entries. */
void hosts_render(struct strbuf *out, const char *address, const char *hostname,
		  const char *domainname, const struct hosts_entry *extra, size_t extra_count);
/* "HOST\n" */
void hosts_render_hostname(struct strbuf *out, const char *hostname);
/* /etc/resolv.conf: with servers given, those; else the host's text with
 * nameservers on loopback left out (when none is left the fallback's, or a comment line).
 * host_text is untrusted: bounded, comments kept out, unknown lines dropped. */
struct hosts_resolv {
	const char *const *servers; /* none: the host's */
	size_t server_count;
	const char *const *search; /* none: the host's */
	size_t search_count;
	const char *const *options; /* none: the host's */
	size_t option_count;
	/* The host's network is the container's own: its loopback is as good as any. */
	bool keeps_loopback;
	const char *const *fallback; /* when there is no server at all; NULL-terminated, or NULL */
};
/* Does the host's text name a server that a container can reach? */
bool hosts_has_server(const char *host_text, size_t host_len);
void hosts_render_resolv(struct strbuf *out, const struct hosts_resolv *asked,
			 const char *host_text, size_t host_len);

#endif
