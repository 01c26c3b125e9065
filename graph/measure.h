/* How much lies below a directory. Private to graph/ and runtime/. */
#ifndef GRAPH_MEASURE_H
#define GRAPH_MEASURE_H

#include "graph/graph.h"

struct measure {
	uint64_t entries;
	int64_t bytes;         /* of regular files; of several names of one file once */
	int64_t archive_bytes; /* that export_tree() would make of it, at most */
	bool is_cut;           /* there is more of everything */
};

/* Add to *inout what lies below a directory, without following a link or entering a mount of another file
 * system. It is cut behind max_entries (those that were in *inout count), and what lies deeper than 1024
 * directories. 0 or -errno: -ENOMEM, or what reading gave. Blocks. */
int measure_tree(int dir_fd, uint64_t max_entries, struct measure *inout);
/* The archive_bytes of an image's layers, one by one; counted once. Or -errno. Blocks. */
int64_t measure_image(struct graph *graph, struct image *image);

#endif
