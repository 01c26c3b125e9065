/* An image as an archive that docker load, podman and skopeo read: an OCI image layout with
 * docker's manifest.json beside it.
 *
 * Nothing of it is written anywhere: it is made of texts (headers, lists, padding) and of
 * the blobs as they came, one behind the other, so its size is a sum and any part can be read.
 * The same image with the same tags is the same archive, byte for byte.
 */
#ifndef GRAPH_IMAGE_TAR_H
#define GRAPH_IMAGE_TAR_H

#include "graph/graph.h"

struct image_tar;

/* tags: of the image, one a line. Looks at the blobs' sizes; reads and opens nothing.
 * -ENOENT: a blob has gone. */
int image_tar_new(struct graph *graph, const struct image *image, const char *tags,
		  struct image_tar **ret, struct error *err);
void image_tar_free(struct image_tar *tar); /* NULL is fine */
DEFINE_AUTO(struct image_tar *, image_tar_free);

uint64_t image_tar_get_size(const struct image_tar *tar);
/* Between these two (any thread, counted) it can be read, whatever becomes of the image. */
int image_tar_open(struct image_tar *tar, struct error *err);
void image_tar_close(struct image_tar *tar);
/* As pread(2), but never short before the end. Any thread. Blocks: disk. -EIO: a blob was
 * made shorter. */
ssize_t image_tar_read(struct image_tar *tar, void *buf, size_t len, uint64_t offset,
		       struct error *err);

#endif
