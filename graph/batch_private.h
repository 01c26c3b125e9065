/* What the files of a batch share: batch.c (directory, blobs), intake.c (layers),
 * publish.c (images). */
#ifndef GRAPH_BATCH_PRIVATE_H
#define GRAPH_BATCH_PRIVATE_H

#include "graph/batch.h"

/* Finished files in the batch's directory are called KIND-DIGEST. */
#define BATCH_BLOB "blob"
#define BATCH_LAYER "layer"
#define BATCH_NAME_SIZE (DIGEST_SIZE + 8)

struct batch_item {
	char digest[DIGEST_SIZE];
	int64_t size_bytes;
};

struct batch_items {
	size_t count;
	struct batch_item *items;
};
const struct batch_item *batch_items_find(const struct batch_items *items, const char *digest);
bool batch_items_add(struct batch_items *items, const char *digest, int64_t size_bytes);

struct batch_tag {
	char *name;
	size_t image;
};

struct batch {
	struct graph *graph;
	struct batch *next; /* of graph->batches; guarded by its turn, as kept is */
	struct batch_items kept;
	char tmp_name[DIGEST_SIZE]; /* "" until its directory is made */
	int dir_fd;
	bool (*is_cancelled)(void *arg); /* NULL: never */
	void *arg;
	atomic_uint serial;
	pthread_mutex_t lock; /* guards the next two */
	struct batch_items blobs, layers;
	/* Of the one thread that adds images and publishes. */
	struct image **images;
	size_t image_count;
	struct batch_tag *tags;
	size_t tag_count;
	bool published;
};

/* A name for something that has no digest yet. */
void batch_make_name(struct batch *batch, char *ret, size_t size);
/* Give it the name of its digest, and list it. */
int batch_take(struct batch *batch, const char *name, const char *kind, const char *digest,
	       int64_t size_bytes, struct error *err);
/* want NULL: anything. -EBADMSG with both. */
int batch_check_digest(const char *what, const char *want, const char *got, struct error *err);

#endif
