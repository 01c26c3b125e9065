/* Directories that a layer's archive has entries in but does not describe. Private to graph/.
 *
 * An overlay shows a directory as its uppermost layer has it, so one that was made only to put something
 * in must look like the one below. Which that is depends on the layers that an image has
 * below; a layer is kept once, so the first image that brings it decides.
 */
#ifndef GRAPH_IMPLIED_H
#define GRAPH_IMPLIED_H

#include "base/strbuf.h"
#include "graph/graph.h"

struct batch;

/* made: paths with a NUL behind each, which had to be made, and with them perhaps what they lie
 * in; described: paths, reordered. What is in the first only, and "/" if it is not described, is
 * appended to out. */
void implied_collect(const struct strbuf *made, const char **described, size_t count,
		     struct strbuf *out);
/* Keep the list of a layer in the batch's directory until an image needs it. */
int implied_note(int batch_dir_fd, const char *diff_id, const struct strbuf *list,
		 struct error *err);
/* Give these directories of the batch's new layers owner, mode, time and attributes of those below. */
int implied_fill(struct batch *batch, const struct image *image, struct error *err);

#endif
