/* An image made of what a container changed: the upper directory of its overlay becomes a
 * layer above those of the container's image.
 */
#ifndef GRAPH_COMMIT_H
#define GRAPH_COMMIT_H

#include "graph/graph.h"

struct commit;

/* Read the changes of an upper directory into a new layer; nothing is published yet. A pause of the
 * container can end when it returns.
 *
 * upper_fd, lower_fd, made  as for diff_walk(); upper_fd -1: nothing was written
 * check  asked again and again; a negative errno, with a sentence, ends it
 *
 * The layer is in the form of OCI's image-spec (layer.md): an entry for each thing that was added or has
 * changed, and for each directory on the way to it; `.wh.NAME` for what was removed, also
 * of the old content of a directory that was replaced. Attributes as in tar_items_add(). It is hashed,
 * compressed and unpacked while it is made. Without any change there is no layer.
 *
 * 0, or -errno with a sentence; -EINVAL: a name that begins with `.wh.`. Blocks. */
int commit_read(struct graph *graph, int upper_fd, int lower_fd, const char *const *made,
		int (*check)(void *arg, struct error *err), void *arg, struct commit **ret,
		struct error *err);
void commit_free(struct commit *commit); /* NULL is fine */
DEFINE_AUTO(struct commit *, commit_free);

/* What the new image says of itself. All borrowed. */
struct commit_text {
	const struct image *image;    /* that the container was made of */
	const json_t *config;         /* its "config"; NULL: the image's */
	const char *created_by;       /* in the history */
	const char *comment, *author; /* NULL: none */
};

/* Publish the image: the layers of text->image with the new one, its config with what text says, a step
 * more in its history. All else that the config of text->image says stays.
 *
 * name   the tag that it gets, taken or not; NULL: none
 * on_id  told the id before anything is visible: -errno ends it; may be NULL
 *
 * Once. 0, or -errno with a sentence, and the store is as it was. */
int commit_publish(struct commit *commit, const struct commit_text *text, const char *name,
		   int (*on_id)(void *arg, const char *id), void *arg, char ret_id[GRAPH_ID_SIZE],
		   struct error *err);

#endif
