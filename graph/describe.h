/* The config and manifest of an image that is made here. Private to graph/. */
#ifndef GRAPH_DESCRIBE_H
#define GRAPH_DESCRIBE_H

#include "base/json.h"
#include "graph/batch.h"
#include "graph/platform.h"

/* Media types. Source: OCI image-spec, media-types.md. */
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_CONFIG "application/vnd.oci.image.config.v1+json"
#define MEDIA_LAYER "application/vnd.oci.image.layer.v1.tar" /* "+gzip", "+zstd" */

/* Go's name for this machine's processor, which image configs use ("amd64"). "" when
 * uname(2) fails, which it does not. */
const char *describe_architecture(void);
/* The config of an image of one layer, imported now. */
struct describe_import {
	const struct batch_layer *layer;
	const char *comment;             /* of its history */
	const json_t *config;            /* its "config"; NULL: an empty one */
	const struct platform *platform; /* that it is for */
	int64_t now_ns;
};
int describe_import(const struct describe_import *import, struct strbuf *out, struct error *err);
/* A step more of an image's history. */
struct describe_step {
	const struct batch_layer *layer; /* that it added; NULL: none */
	size_t layer_count;              /* of the image that it goes on from */
	const json_t *config;            /* the new "config"; NULL: as it was */
	const char *created_by;
	const char *comment, *author; /* NULL: none */
	int64_t now_ns;
};
/* The config of an image that continues another's. */
int describe_step(const json_t *base, const struct describe_step *step, json_t **ret,
		  struct error *err);
/* The descriptors of a manifest's layers, in OCI's media types. NULL: no memory. */
json_t *describe_layers(const json_t *manifest);
/* A descriptor of a layer's blob, with the media type of its compression; NULL: no memory. */
json_t *describe_layer(const struct batch_layer *layer);
/* A manifest; layers: a list of descriptors, lowest first, borrowed. */
int describe_manifest(const struct strbuf *config, json_t *layers, struct strbuf *out,
		      struct error *err);

#endif
