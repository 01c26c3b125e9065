/* What the parts of a push share. Private to registry_push*.c. */
#ifndef GRAPH_REGISTRY_REGISTRY_PUSH_H
#define GRAPH_REGISTRY_REGISTRY_PUSH_H

#include "graph/registry/registry_lanes.h"
#include "graph/registry/registry_transfer.h"
#include "graph/store.h"

#define MOUNTS_MAX 2 /* repositories to mount blobs from: each is a scope of the token */

struct push {
	struct registries *registries;
	struct registry_name name;
	struct image *image;
	struct transfer transfer;
	struct session *session;
	/* Repositories of that registry that an image of ours is in which shares a blob. */
	char *mounts[MOUNTS_MAX];
};

/* One blob; for lanes_run(). index: as in the image's list of blobs, whose last but one is the config. */
int push_blob(void *arg, struct http *http, size_t index, struct error *err);

#endif
