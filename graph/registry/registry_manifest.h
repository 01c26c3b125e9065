/* What a registry says an image is made of: manifests, and indexes of manifests for several platforms, in
 * Docker's form and OCI's. Text only; every number and digest is checked. Private to graph/.
 */
#ifndef GRAPH_REGISTRY_REGISTRY_MANIFEST_H
#define GRAPH_REGISTRY_REGISTRY_MANIFEST_H

#include "base/json.h"
#include "graph/digest.h"
#include "graph/platform.h"

#include <stdbool.h>
#include <stdint.h>

#define MANIFEST_ACCEPT                                                                            \
	"application/vnd.docker.distribution.manifest.v2+json, "                                   \
	"application/vnd.docker.distribution.manifest.list.v2+json, "                              \
	"application/vnd.oci.image.manifest.v1+json, "                                             \
	"application/vnd.oci.image.index.v1+json"

struct manifest_blob {
	char digest[DIGEST_SIZE];
	uint64_t size;
};

struct manifest {
	bool is_index;
	/* Of a manifest. */
	struct manifest_blob config;
	size_t layer_count;
	struct manifest_blob *layers; /* lowest first */
	/* Of an index. */
	json_t *index;
};
void manifest_deinit(struct manifest *manifest);
DEFINE_AUTO_DEINIT(struct manifest, manifest_deinit);

/* -EINVAL: it is none; -ENOTSUP: it is none of an image that we can run (schema 1, foreign or encrypted
 * layers, other artifacts), with a sentence. */
int manifest_parse(const char *text, size_t len, struct manifest *ret, struct error *err);
/* The entry of an index for a platform. -ENOENT with the platforms that there are. */
int manifest_choose(const struct manifest *index, const struct platform *platform,
		    struct manifest_blob *ret, struct error *err);

#endif
