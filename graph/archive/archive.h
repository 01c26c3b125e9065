/* The images of an archive that was sorted into blobs: what index.json (OCI) or
 * manifest.json (docker save) says of them. Private to graph/.
 */
#ifndef GRAPH_ARCHIVE_ARCHIVE_H
#define GRAPH_ARCHIVE_ARCHIVE_H

#include "graph/sort.h"

/* Images of one archive, and layers of one image (Docker's own limit is 127). */
#define ARCHIVE_IMAGES_MAX 1024
#define ARCHIVE_LAYERS_MAX 1024
/* Different layers of all its images. */
#define ARCHIVE_UNPACK_MAX 8192
/* An index may name another. */
#define ARCHIVE_INDEX_DEPTH_MAX 4

/* Unpack the layers of all images, two side by side, and add the images to the batch.
 *
 * name       the tag of the one image, "" for none; NULL: each gets those of the archive
 * platform   "os/arch[/variant]": an image that is for no such one is -ENOENT; NULL: any will do where there is
 *            none for this machine
 * ret_ids    the images' ids, one a line, are appended
 *
 * Of several platforms this machine's counts. -EINVAL: it is no archive of images after all,
 * or holds several where a name was given; -EBADMSG: a digest or size is not what another
 * part of the archive says. Blocks: disk, processor. Source: OCI image-spec (image-layout.md,
 * image-index.md, annotations.md), Docker image specification v1.2. */
int archive_add_images(struct batch *batch, const struct sorter *sorter, const char *name,
		       const char *platform, struct strbuf *ret_ids, struct error *err);

#endif
