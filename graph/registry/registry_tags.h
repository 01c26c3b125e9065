/* The tags of a repository as its registry lists them: pages of JSON, each with a link to the next one.
 * Text only, but for registries_list_tags(), which is in registry.h. Private to graph/.
 */
#ifndef GRAPH_REGISTRY_REGISTRY_TAGS_H
#define GRAPH_REGISTRY_REGISTRY_TAGS_H

#include "base/strbuf.h"

#include <stdbool.h>

/* One page, {"tags": ["1", ...]} or null: "LOCAL:TAG\n" for each is appended to names. -EINVAL: it is none, or a tag
 * is none. local: the repository as images/ has it. Source: OCI distribution-spec, "Listing tags". */
int tags_parse(const char *text, size_t len, const char *local, struct strbuf *names,
	       struct error *err);
/* The target with rel=next of a Link header, appended; false: there is none. Source: RFC 8288, 3. */
bool tags_find_next(const char *link, struct strbuf *target);

#endif
