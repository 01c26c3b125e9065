/* Names of images as directions. The grammar of names is name.c's; here they are cut into parts, and
 * Docker's own registry gets its three peculiarities: it is served by another host than it is called by,
 * and its images of one component lie in library/.
 */
#include "graph/registry/registry_name.h"

#include "base/num.h"
#include "graph/http/http.h"
#include "graph/name.h"

#include <stdio.h>
#include <string.h>

#define DOCKER_HUB "docker.io"
#define DOCKER_HUB_HOST "registry-1.docker.io"

static void set_registry(struct registry_name *name, const char *text, size_t len)
{
	snprintf(name->registry, sizeof(name->registry), "%.*s", (int)len, text);
	if (strcmp(name->registry, "index." DOCKER_HUB) == 0 ||
	    strcmp(name->registry, DOCKER_HUB_HOST) == 0)
		snprintf(name->registry, sizeof(name->registry), "%s", DOCKER_HUB);
	snprintf(name->host, sizeof(name->host), "%s",
		 strcmp(name->registry, DOCKER_HUB) == 0 ? DOCKER_HUB_HOST : name->registry);
	name->is_loopback = http_is_loopback(name->host);
}

static void set_repository(struct registry_name *name, const char *text, size_t len)
{
	bool is_official = strcmp(name->registry, DOCKER_HUB) == 0 && !memchr(text, '/', len);

	snprintf(name->repository, sizeof(name->repository), "%s%.*s",
		 is_official ? "library/" : "", (int)len, text);
}

int registry_name_parse(const char *text, const char *default_registry, struct registry_name *ret,
			struct error *err)
{
	struct registry_name name = { .text = "" };
	char canonical[GRAPH_NAME_SIZE];
	int r = name_split_digest(text, canonical, name.digest, err);

	if (r < 0)
		return r;
	snprintf(name.text, sizeof(name.text), "%s", text);
	size_t host_len = name_get_host_len(canonical);
	const char *path = canonical + (host_len ? host_len + 1 : 0);
	const char *colon = canonical + name_get_repository_len(canonical);
	set_registry(&name, host_len ? canonical : default_registry,
		     host_len ? host_len : strlen(default_registry));
	set_repository(&name, path, (size_t)(colon - path));
	snprintf(name.local, sizeof(name.local), "%.*s", (int)(colon - canonical), canonical);
	if (!*name.digest) {
		snprintf(name.tag, sizeof(name.tag), "%s", colon + 1);
		memcpy(name.listed, canonical, sizeof(name.listed));
	}
	*ret = name;
	return 0;
}

void registry_name_append_digest(const struct registry_name *name, const char *digest,
				 struct strbuf *out)
{
	strbuf_appendf(out, "%s@sha256:%s", name->local, digest);
}

int registry_name_parse_host(const char *text, const char *default_registry,
			     struct registry_name *ret, struct error *err)
{
	struct registry_name name = { .text = "" };
	const char *host = text && *text ? text : default_registry;
	char probe[REGISTRY_HOST_SIZE + 8], canonical[GRAPH_NAME_SIZE];
	const char *scheme = strstr(host, "://");

	if (scheme)
		host = scheme + 3;
	size_t len = strcspn(host, "/");
	/* A host alone has no dot ("registry"): as the first part of a name it would be none. */
	bool is_plain = len > 0 && len < REGISTRY_HOST_SIZE;
	for (size_t i = 0; is_plain && i < len; i++)
		is_plain = (host[i] >= 'a' && host[i] <= 'z') ||
			   (host[i] >= '0' && host[i] <= '9') || host[i] == '-';
	snprintf(probe, sizeof(probe), "%.*s/x", (int)(len < REGISTRY_HOST_SIZE ? len : 0), host);
	if (!is_plain &&
	    (graph_parse_name(probe, canonical, NULL) < 0 || name_get_host_len(canonical) != len))
		return error_set(err, EINVAL, "'%s' is not a registry; HOST or HOST:PORT",
				 text ? text : default_registry);
	set_registry(&name, host, len);
	snprintf(name.text, sizeof(name.text), "%s", name.registry);
	*ret = name;
	return 0;
}
