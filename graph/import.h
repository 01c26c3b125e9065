/* What import.c (bytes in) and publish.c (the image out) share. Private to graph/. */
#ifndef GRAPH_IMPORT_H
#define GRAPH_IMPORT_H

#include "graph/pipe.h"
#include "graph/store.h"
#include "graph/unpack.h"

/* Names in an import's directory, tmp/<id>. */
#define IMPORT_BLOB "blob"
#define IMPORT_LAYER "layer"
#define IMPORT_CONFIG "config"
#define IMPORT_MANIFEST "manifest"

struct import {
	struct graph *graph;
	char name[GRAPH_NAME_SIZE]; /* the tag, "" for none */
	char tmp_name[DIGEST_SIZE]; /* "" until its directory is made */
	int dir_fd;
	int layer_fd;
	int blob_fd;

	/* Of the writer. */
	uint64_t offset; /* bytes so far */
	struct digest *digest;
	char blob_digest[DIGEST_SIZE];
	struct error failure; /* of the writer itself; each later call repeats it */

	/* Of the unpacker until it has stopped, then of the writer. */
	struct pipe_buffer *pipe;
	bool is_running;
	pthread_t thread;
	struct unpack_result result;
	struct error unpack_err;
};

/* Make the unpacked import an image of the store, durable and tagged. On failure the
 * store is as it was. ret_id is filled on success. */
int import_publish(struct import *import, bool replace, const char *message,
		   char ret_id[GRAPH_ID_SIZE], struct error *err);

#endif
