/* What the readers of the two kinds of archives fill in, for archive.c. */
#ifndef GRAPH_ARCHIVE_ARCHIVE_PRIVATE_H
#define GRAPH_ARCHIVE_ARCHIVE_PRIVATE_H

#include "graph/archive/archive.h"
#include "graph/platform.h"

struct archive_image {
	char config[DIGEST_SIZE];
	char manifest[DIGEST_SIZE]; /* "": made here */
	size_t layer_count;
	char (*layers)[DIGEST_SIZE]; /* blobs, lowest first */
	char **names;                /* canonical tags */
	size_t name_count;
};

struct archive_images {
	struct archive_image *items;
	size_t count;
};

/* The image of that config, made when there is none yet; *ret is borrowed until the next call. */
int archive_images_get(struct archive_images *images, const char *config,
		       struct archive_image **ret, bool *ret_is_new, struct error *err);
/* A name as the archive has it; docker.io/ and docker.io/library/ in front are left out, as
 * docker load does. */
int archive_image_add_name(struct archive_image *image, const char *name, struct error *err);
/* Room for so many layers, whose digests are the caller's to fill in. */
int archive_image_set_layers(struct archive_image *image, size_t count, struct error *err);

/* archive_oci.c, archive_docker.c, archive_v1.c */
/* Of several platforms that one; is_asked: no other will do. */
int archive_read_oci(struct batch *batch, const struct sorter *sorter,
		     const struct platform *platform, bool is_asked, struct archive_images *images,
		     struct error *err);
int archive_read_docker(const struct sorter *sorter, struct archive_images *images,
			struct error *err);
int archive_read_v1(struct batch *batch, const struct sorter *sorter, struct archive_images *images,
		    struct error *err);

#endif
