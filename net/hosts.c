/* The text of a container's /etc/hosts, /etc/hostname and /etc/resolv.conf.
 *
 * Only text is made here; when and where it is written is runtime's. The files are
 * read line by line by every libc, so a control byte in a name, whoever put it
 * there, is shown as '?' and can never begin another line. Of the host's
 * resolv.conf only what is understood is taken over.
 *
 * Source: hosts(5), resolv.conf(5); the lines as Docker writes them.
 */
#include "net/hosts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* A longer resolv.conf is cut; libc itself looks at 3 servers and 6 domains. */
#define RESOLV_MAX 65536
#define SERVERS_MAX 16

static void append_clean(struct strbuf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		strbuf_append_char(out, c < 0x20 || c == 0x7f ? '?' : (char)c);
	}
}

static void append_clean_str(struct strbuf *out, const char *text)
{
	append_clean(out, text, strlen(text));
}

static void append_entry(struct strbuf *out, const char *address, const char *names)
{
	append_clean_str(out, address);
	strbuf_append_char(out, '\t');
	append_clean_str(out, names);
	strbuf_append_char(out, '\n');
}

void hosts_render(struct strbuf *out, const char *address, const char *hostname,
		  const char *domainname, const struct hosts_entry *extra, size_t extra_count)
{
	strbuf_append_str(out, "127.0.0.1\tlocalhost\n"
			       "::1\tlocalhost ip6-localhost ip6-loopback\n"
			       "fe00::\tip6-localnet\n"
			       "ff00::\tip6-mcastprefix\n"
			       "ff02::1\tip6-allnodes\n"
			       "ff02::2\tip6-allrouters\n");
	if (hostname && *hostname) {
		append_clean_str(out, address ? address : "127.0.1.1");
		strbuf_append_char(out, '\t');
		append_clean_str(out, hostname);
		if (domainname && *domainname) {
			strbuf_append_char(out, '.');
			append_clean_str(out, domainname);
			strbuf_append_char(out, ' ');
			append_clean_str(out, hostname);
		}
		strbuf_append_char(out, '\n');
	}
	for (size_t i = 0; i < extra_count; i++)
		append_entry(out, extra[i].address, extra[i].names);
}

void hosts_render_hostname(struct strbuf *out, const char *hostname)
{
	append_clean_str(out, hostname);
	strbuf_append_char(out, '\n');
}

struct word {
	const char *text;
	size_t len;
};

/* The next blank-separated word of a line. */
static bool next_word(struct word *line, struct word *ret)
{
	while (line->len > 0 && (*line->text == ' ' || *line->text == '\t')) {
		line->text++;
		line->len--;
	}
	ret->text = line->text;
	ret->len = 0;
	while (ret->len < line->len && ret->text[ret->len] != ' ' && ret->text[ret->len] != '\t')
		ret->len++;
	line->text += ret->len;
	line->len -= ret->len;
	return ret->len > 0;
}

static bool word_is(struct word word, const char *text)
{
	return word.len == strlen(text) && memcmp(word.text, text, word.len) == 0;
}

/* An address that means the same server inside the container: not the host's own
 * loopback, and not one with a zone, which names an interface of the host. */
static bool is_reachable(struct word word)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr v4;
	struct in6_addr v6;

	if (word.len >= sizeof(text) || memchr(word.text, '\0', word.len))
		return false;
	memcpy(text, word.text, word.len);
	text[word.len] = '\0';
	if (inet_pton(AF_INET, text, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 != 127 && v4.s_addr != INADDR_ANY;
	if (inet_pton(AF_INET6, text, &v6) != 1)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		return v6.s6_addr[12] != 127;
	return !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_UNSPECIFIED(&v6);
}

/* What the host's file says. The last search or domain line counts, as in libc. */
struct resolv {
	struct word servers[SERVERS_MAX];
	size_t server_count;
	struct word search;
	struct strbuf options;
	bool keeps_loopback;
};

static void parse_line(struct resolv *resolv, struct word line)
{
	struct word key, value;

	if (!next_word(&line, &key))
		return;
	if (word_is(key, "nameserver")) {
		if (next_word(&line, &value) && (resolv->keeps_loopback || is_reachable(value)) &&
		    resolv->server_count < SERVERS_MAX)
			resolv->servers[resolv->server_count++] = value;
	} else if (word_is(key, "search")) {
		resolv->search = line;
	} else if (word_is(key, "domain")) {
		next_word(&line, &resolv->search);
	} else if (word_is(key, "options")) {
		while (next_word(&line, &value)) {
			strbuf_append_char(&resolv->options, ' ');
			append_clean(&resolv->options, value.text, value.len);
		}
	}
}

static void parse_host(struct resolv *resolv, const char *text, size_t len)
{
	if (len > RESOLV_MAX)
		len = RESOLV_MAX;
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t line_len = end ? (size_t)(end - text) : len;

		if (*text != '#' && *text != ';')
			parse_line(resolv, (struct word){ text, line_len });
		text += line_len + (end != NULL);
		len -= line_len + (end != NULL);
	}
}

static void render_search(struct strbuf *out, const struct resolv *resolv,
			  const char *const *search, size_t search_count)
{
	struct word rest = resolv->search, word;
	bool any = false;

	for (size_t i = 0; i < search_count; i++) {
		strbuf_append_str(out, i ? " " : "search ");
		append_clean_str(out, search[i]);
		any = true;
	}
	while (search_count == 0 && next_word(&rest, &word)) {
		strbuf_append_str(out, any ? " " : "search ");
		append_clean(out, word.text, word.len);
		any = true;
	}
	if (any)
		strbuf_append_char(out, '\n');
}

static void render_options(struct strbuf *out, const struct resolv *resolv,
			   const struct hosts_resolv *asked)
{
	if (asked->option_count == 0 && resolv->options.len == 0)
		return;
	strbuf_append_str(out, "options");
	for (size_t i = 0; i < asked->option_count; i++) {
		strbuf_append_char(out, ' ');
		append_clean_str(out, asked->options[i]);
	}
	if (asked->option_count == 0)
		strbuf_append(out, resolv->options.data, resolv->options.len);
	strbuf_append_char(out, '\n');
}

static void render_fallback(struct strbuf *out, const char *const *servers)
{
	for (; *servers; servers++)
		strbuf_appendf(out, "nameserver %s\n", *servers);
}

bool hosts_has_server(const char *host_text, size_t host_len)
{
	struct resolv resolv = { .search = { "", 0 }, .options = STRBUF_INIT };

	parse_host(&resolv, host_text, host_len);
	strbuf_deinit(&resolv.options);
	return resolv.server_count > 0;
}

void hosts_render_resolv(struct strbuf *out, const struct hosts_resolv *asked,
			 const char *host_text, size_t host_len)
{
	struct resolv resolv = { .search = { "", 0 },
				 .options = STRBUF_INIT,
				 .keeps_loopback = asked->keeps_loopback };
	size_t server_count = asked->server_count;

	parse_host(&resolv, host_text, host_len);
	for (size_t i = 0; i < server_count; i++) {
		strbuf_append_str(out, "nameserver ");
		append_clean_str(out, asked->servers[i]);
		strbuf_append_char(out, '\n');
	}
	for (size_t i = 0; server_count == 0 && i < resolv.server_count; i++) {
		strbuf_append_str(out, "nameserver ");
		append_clean(out, resolv.servers[i].text, resolv.servers[i].len);
		strbuf_append_char(out, '\n');
	}
	if (server_count == 0 && resolv.server_count == 0 && asked->fallback)
		render_fallback(out, asked->fallback);
	else if (server_count == 0 && resolv.server_count == 0)
		strbuf_append_str(out, "# no name server: the host's are on its own loopback; "
				       "say which with Dns\n");
	render_search(out, &resolv, asked->search, asked->search_count);
	render_options(out, &resolv, asked);
	if (resolv.options.oom)
		out->oom = true;
	strbuf_deinit(&resolv.options);
}
