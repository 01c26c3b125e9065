/* Names of images as Docker's reference grammar has them, with what this store
 * adds: a component "sha256" in front and names that look like an id are
 * refused, because images/ in the mount lists both side by side.
 *
 *     name      [domain '/'] component ['/' component]... [':' tag]
 *     domain    a first component with a '.', a ':' or an upper-case letter in
 *               it, or "localhost": host or [IPv6], and a port if need be
 *     component [a-z0-9]+ groups, joined by one '.', one or two '_', or any '-'
 *     tag       [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
 *     reference name ['@sha256:' 64 digits]
 *
 * The text is never changed: a part is a pointer and a length.
 * Source: distribution/reference, reference.go and regexp.go.
 */
#include "graph/name.h"

#include "base/num.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define REPOSITORY_MAX 255 /* Docker's NameTotalLengthMax: domain and path */
#define TAG_MAX 128
#define DIGEST_MARK "@sha256:"

struct part {
	const char *at;
	size_t len;
};

/* The C library's classes depend on the locale; the grammar does not. */
static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

static bool part_is(struct part part, const char *text)
{
	return strlen(text) == part.len && memcmp(part.at, text, part.len) == 0;
}

static bool has_upper(struct part part)
{
	for (size_t i = 0; i < part.len; i++)
		if (part.at[i] >= 'A' && part.at[i] <= 'Z')
			return true;
	return false;
}

/* How many bytes of separator stand at text: 0 when there is none. */
static size_t separator_len(const char *text, const char *end)
{
	size_t len = 0;
	if (text == end)
		return 0;
	if (*text == '.')
		return 1;
	if (*text == '_')
		return text + 1 < end && text[1] == '_' ? 2 : 1;
	while (text + len < end && text[len] == '-')
		len++;
	return len;
}

static bool is_component(struct part part)
{
	const char *c = part.at;
	const char *end = part.at + part.len;

	for (;;) {
		const char *group = c;
		while (c < end && is_lower_alnum(*c))
			c++;
		if (c == group)
			return false;
		if (c == end)
			return true;
		size_t len = separator_len(c, end);
		if (!len)
			return false;
		c += len;
	}
}

static bool is_port(struct part part)
{
	if (!part.len || part.len > 5)
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (part.at[i] < '0' || part.at[i] > '9')
			return false;
	return true;
}

/* Labels of letters, digits and inner '-', joined by '.'. */
static bool is_host(struct part part)
{
	bool inner = false; /* the byte before may be followed by '-', '.' or the end */
	for (size_t i = 0; i < part.len; i++) {
		char c = part.at[i];
		bool is_last = i + 1 == part.len || part.at[i + 1] == '.';
		if (is_alnum(c))
			inner = true;
		else if (c == '.' && inner)
			inner = false;
		else if (c != '-' || !inner || is_last)
			return false;
	}
	return inner;
}

static bool is_ipv6(struct part part)
{
	for (size_t i = 0; i < part.len; i++) {
		char c = part.at[i];
		if (c != ':' && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f') &&
		    !(c >= 'A' && c <= 'F'))
			return false;
	}
	return part.len >= 2;
}

static bool is_domain(struct part part)
{
	const char *end = part.at + part.len;
	struct part host = part;

	if (part.len && part.at[0] == '[') {
		const char *bracket = memchr(part.at, ']', part.len);
		if (!bracket ||
		    !is_ipv6((struct part){ part.at + 1, (size_t)(bracket - part.at - 1) }))
			return false;
		if (bracket + 1 == end)
			return true;
		return bracket[1] == ':' &&
		       is_port((struct part){ bracket + 2, (size_t)(end - bracket - 2) });
	}
	const char *colon = memchr(part.at, ':', part.len);
	if (colon) {
		host.len = (size_t)(colon - part.at);
		if (!is_port((struct part){ colon + 1, (size_t)(end - colon - 1) }))
			return false;
	}
	return is_host(host);
}

/* Docker's rule for what a first component is when others follow. */
static bool looks_like_domain(struct part part)
{
	return memchr(part.at, '.', part.len) || memchr(part.at, ':', part.len) ||
	       part_is(part, "localhost") || has_upper(part);
}

static bool is_tag(struct part part)
{
	if (!part.len || part.at[0] == '.' || part.at[0] == '-')
		return false;
	for (size_t i = 0; i < part.len; i++) {
		char c = part.at[i];
		if (!is_alnum(c) && c != '_' && c != '.' && c != '-')
			return false;
	}
	return true;
}

/* text is the whole name for the sentence; a folder may be a domain alone. */
static int check_repository(const char *text, struct part repo, bool is_folder, struct error *err)
{
	const char *end = repo.at + repo.len;
	const char *c = repo.at;

	for (;;) {
		const char *slash = memchr(c, '/', (size_t)(end - c));
		struct part part = { c, (size_t)((slash ? slash : end) - c) };
		bool is_first = c == repo.at;

		if (!part.len)
			return error_set(err, EINVAL, "invalid image name '%s': empty component",
					 text);
		/* Also as a host with a port: "sha256:" begins an id. */
		if (is_first && part.len >= 6 && memcmp(part.at, "sha256", 6) == 0 &&
		    (part.len == 6 || part.at[6] == ':'))
			return error_set(err, EINVAL,
					 "invalid image name '%s': 'sha256' is reserved", text);
		if (is_first && (slash || is_folder) && looks_like_domain(part)) {
			if (!is_domain(part))
				return error_set(err, EINVAL,
						 "invalid image name '%s': '%.*s' is no host name",
						 text, (int)part.len, part.at);
		} else if (!is_component(part)) {
			return error_set(
				err, EINVAL,
				"invalid image name '%s': '%.*s' must be lower-case letters and "
				"digits, separated by '.', '_', '__' or '-'",
				text, (int)part.len, part.at);
		}
		if (!slash)
			return 0;
		c = slash + 1;
	}
}

/* The tag is what follows a ':' behind the last '/'; at is NULL without one. */
static struct part split_tag(const char *text, struct part *ret_repo)
{
	const char *slash = strrchr(text, '/');
	const char *colon = strrchr(slash ? slash : text, ':');

	ret_repo->at = text;
	ret_repo->len = colon ? (size_t)(colon - text) : strlen(text);
	return colon ? (struct part){ colon + 1, strlen(colon + 1) } : (struct part){ NULL, 0 };
}

/* Length of what is behind the last '/'. */
static size_t get_last_len(struct part repo)
{
	const char *slash = memrchr(repo.at, '/', repo.len);

	return slash ? repo.len - (size_t)(slash + 1 - repo.at) : repo.len;
}

int graph_parse_name(const char *text, char ret_name[GRAPH_NAME_SIZE], struct error *err)
{
	struct part repo;
	struct part tag = split_tag(text, &repo);

	if (strchr(text, '@'))
		return error_set(err, EINVAL,
				 "invalid image name '%s': a digest is not part of a name", text);
	if (repo.len > REPOSITORY_MAX)
		return error_set(err, ENAMETOOLONG, "image name '%s' is longer than %d bytes", text,
				 REPOSITORY_MAX);
	if (tag.len > TAG_MAX)
		return error_set(err, ENAMETOOLONG,
				 "tag of image name '%s' is longer than %d bytes", text, TAG_MAX);
	if (!tag.at && (num_is_hex(text, 12) || num_is_hex(text, 64)))
		return error_set(err, EINVAL,
				 "invalid image name '%s': it looks like an image's id", text);
	int ret = check_repository(text, repo, false, err);
	if (ret < 0)
		return ret;
	if (tag.at && !is_tag(tag))
		return error_set(
			err, EINVAL,
			"invalid image name '%s': '%s' is no tag; letters, digits, '_', '.' "
			"and '-', not beginning with '.' or '-'",
			text, tag.at);
	if (!tag.at)
		tag = (struct part){ "latest", strlen("latest") };
	if (get_last_len(repo) + 1 + tag.len > NAME_MAX)
		return error_set(err, ENAMETOOLONG,
				 "the last part of image name '%s' and its tag are longer than %d "
				 "bytes, more than a file's name can be",
				 text, NAME_MAX);
	/* 255 + 1 + 128 and a NUL always fit. */
	memcpy(ret_name, repo.at, repo.len);
	ret_name[repo.len] = ':';
	memcpy(ret_name + repo.len + 1, tag.at, tag.len);
	ret_name[repo.len + 1 + tag.len] = '\0';
	return 0;
}

int name_split_digest(const char *text, char ret_name[GRAPH_NAME_SIZE],
		      char ret_digest[DIGEST_SIZE], struct error *err)
{
	const char *at = strchrnul(text, '@');
	size_t skip = strlen(DIGEST_MARK);
	char bare[GRAPH_NAME_SIZE];
	int ret;

	if (at - text >= GRAPH_NAME_SIZE)
		return error_set(err, ENAMETOOLONG, "image name '%s' is longer than %d bytes", text,
				 GRAPH_NAME_SIZE - 1);
	memcpy(bare, text, (size_t)(at - text));
	bare[at - text] = '\0';
	if (*at && (strncmp(at, DIGEST_MARK, skip) != 0 || !num_is_hex(at + skip, DIGEST_SIZE - 1)))
		return error_set(err, EINVAL,
				 "invalid image name '%s': behind '@' stands sha256: and 64 digits",
				 text);
	ret = graph_parse_name(bare, ret_name, err);
	if (ret < 0)
		return ret;
	snprintf(ret_digest, DIGEST_SIZE, "%s", *at ? at + skip : "");
	return 0;
}

size_t name_get_repository_len(const char *name)
{
	const char *end = strchr(name, '@');

	if (!end)
		end = strrchr(name, ':');
	return end ? (size_t)(end - name) : strlen(name);
}

int graph_parse_reference(const char *text, char ret_name[GRAPH_NAME_SIZE], struct error *err)
{
	char name[GRAPH_NAME_SIZE], digest[DIGEST_SIZE];
	int ret = name_split_digest(text, name, digest, err);

	if (ret < 0)
		return ret;
	if (!*digest)
		memcpy(ret_name, name, GRAPH_NAME_SIZE);
	else
		snprintf(ret_name, GRAPH_NAME_SIZE, "%.*s" DIGEST_MARK "%s",
			 (int)name_get_repository_len(name), name, digest);
	return 0;
}

int name_check_folder(const char *path, struct error *err)
{
	struct part repo = { path, strlen(path) };

	if (repo.len > REPOSITORY_MAX)
		return error_set(err, ENAMETOOLONG, "image name '%s' is longer than %d bytes", path,
				 REPOSITORY_MAX);
	if (num_is_hex(path, 12) || num_is_hex(path, 64))
		return error_set(err, EINVAL,
				 "invalid image name '%s': it looks like an image's id", path);
	return check_repository(path, repo, true, err);
}

bool name_is_below(const char *name, const char *folder)
{
	size_t len = strlen(folder);
	return strncmp(name, folder, len) == 0 && name[len] == '/';
}

size_t name_get_host_len(const char *name)
{
	const char *slash = strchr(name, '/');

	if (!slash || !looks_like_domain((struct part){ name, (size_t)(slash - name) }))
		return 0;
	return (size_t)(slash - name);
}
