/* What the parts of a pull share. Private to registry_pull*.c. */
#ifndef GRAPH_REGISTRY_REGISTRY_PULL_H
#define GRAPH_REGISTRY_REGISTRY_PULL_H

#include "graph/batch.h"
#include "graph/registry/registry_lanes.h"
#include "graph/registry/registry_manifest.h"
#include "graph/registry/registry_transfer.h"

struct pull {
	struct registries *registries;
	struct pull *next; /* of those under way; guarded by the registries' lock, as waiting is */
	unsigned waiting;  /* who asked for it */
	char *key;         /* what makes two of them the same */
	struct registry_name name;
	struct platform platform;
	bool has_platform; /* it was asked for */
	struct transfer transfer;
	/* Of its thread alone. */
	struct session *session;
	struct batch *batch;
	struct manifest manifest;
	struct strbuf manifest_text, config_text;
	char manifest_digest[DIGEST_SIZE];
	char first_digest[DIGEST_SIZE]; /* of what the tag named: an index, or the manifest */
	char (*diff_ids)[DIGEST_SIZE];
	char id[GRAPH_ID_SIZE]; /* the result */
};

/* registry_pull_image.c: all of it, on the pull's thread. */
int pull_image(struct pull *pull, char ret_id[GRAPH_ID_SIZE], struct error *err);
/* registry_pull_layer.c: one layer into the batch; for lanes_run(). */
int pull_layer(void *arg, struct http *http, size_t index, struct error *err);
/* Ask, again if need be, for a text of at most max bytes. */
int pull_text(struct pull *pull, struct http *http, const char *path, size_t max, const char *what,
	      struct http_answer *answer, struct error *err);

#endif
