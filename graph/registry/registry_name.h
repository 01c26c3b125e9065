/* Where a name of an image leads: registry, repository, tag or digest. Text only. */
#ifndef GRAPH_REGISTRY_REGISTRY_NAME_H
#define GRAPH_REGISTRY_REGISTRY_NAME_H

#include "base/strbuf.h"
#include "graph/digest.h"
#include "graph/graph.h"

#include <stdbool.h>

#define REGISTRY_HOST_SIZE 257

struct registry_name {
	char text[GRAPH_NAME_SIZE + 80];   /* as it was written, for sentences */
	char registry[REGISTRY_HOST_SIZE]; /* as people call it: "docker.io", "localhost:5000" */
	char host[REGISTRY_HOST_SIZE];     /* who is asked: "registry-1.docker.io" */
	char repository[GRAPH_NAME_SIZE];  /* there: "library/busybox" */
	char tag[130];                     /* "" when a digest was given */
	char digest[DIGEST_SIZE];          /* digits, or "" */
	char listed[GRAPH_NAME_SIZE];      /* the tag in images/; "" when a digest was given */
	char local[GRAPH_NAME_SIZE];       /* the repository as images/ has it */
	bool is_loopback;                  /* plain http is good enough */
};

/* NAME[:TAG][@sha256:DIGITS]; a digest outweighs a tag. default_registry: where a name without a
 * host leads. -EINVAL, -ENAMETOOLONG, with a sentence. */
int registry_name_parse(const char *text, const char *default_registry, struct registry_name *ret,
			struct error *err);
/* What the registry calls the image of that digest, as the store keeps it: "LOCAL@sha256:DIGITS". */
void registry_name_append_digest(const struct registry_name *name, const char *digest,
				 struct strbuf *out);
/* The registry alone, as login takes it; "https://HOST/v1/" is cut down to the host. */
int registry_name_parse_host(const char *text, const char *default_registry,
			     struct registry_name *ret, struct error *err);

#endif
