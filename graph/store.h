/* The inside of a graph: what its files share. Private to graph/.
 *
 * Locks. `turn` is taken by whoever changes the store, for the whole change,
 * across disk I/O; readers never take it. `swap` guards the snapshot pointer for
 * a few instructions. Order: turn before swap. on_change and find_user are called
 * with neither.
 */
#ifndef GRAPH_STORE_H
#define GRAPH_STORE_H

#include "base/worker.h"
#include "graph/digest.h"
#include "graph/graph.h"

#include <pthread.h>

#define BLOB_TEXT_MAX (8u << 20) /* configs and manifests: Docker's own limit is 4 MiB */

struct graph {
	struct graph_options options; /* root is not kept */
	struct limits limits;
	int dir_fd; /* ROOT/images */
	int layers_fd;
	int layers_path_fd; /* O_PATH, for graph_get_layers_fd() */
	int blobs_fd;
	int tmp_fd;
	struct workers *reaper;
	pthread_mutex_t turn;
	/* Guarded by turn: entries of refs.json whose images are damaged, as they
	 * were; written back with each change, so that nothing is lost of an image
	 * whose files come back. */
	json_t *damaged_images;
	json_t *damaged_tags;
	struct batch *batches; /* under way; guarded by turn */
	bool has_reserve;      /* guarded by turn */
	pthread_mutex_t swap;
	struct graph_snapshot *snapshot; /* guarded by swap */
};

/* An image with what only the store needs; image is the first member. */
struct stored_image {
	struct image image;
	char manifest_digest[DIGEST_SIZE];
	size_t blob_count; /* layers as they came, config, manifest */
	char (*blobs)[DIGEST_SIZE];
	atomic_llong archive_bytes; /* graph/measure.h; 0: not counted yet */
};

static inline const struct stored_image *stored_image_of(const struct image *image)
{
	return (const struct stored_image *)image;
}

/* --- image.c ------------------------------------------------------------------- */

/* An image from the text of its blobs, checked; nothing is read from disk.
 * -EINVAL with a sentence: not an image config or manifest that fit together. */
int stored_image_new(const char *config, size_t config_len, const char *manifest,
		     size_t manifest_len, struct image **ret, struct error *err);
/* The same from the store's files, with the digests and the layers' directories
 * checked. -EINVAL or what reading gave: damaged. */
int stored_image_read(const struct graph *graph, const char *id, const char *manifest_digest,
		      struct image **ret, struct error *err);

/* --- snapshot.c ------------------------------------------------------------------ */

/* An empty one with room for so many (tags and digests each); NULL: out of memory. */
struct graph_snapshot *snapshot_new(size_t images, size_t tags, size_t folders);
/* A private copy to be changed, with room for so many images and tags and one folder more.
 * NULL: out of memory. */
struct graph_snapshot *snapshot_dup(const struct graph_snapshot *from, size_t images, size_t tags);
/* Here and below a tag is also what a registry calls an image: "a@sha256:...". */
struct tag *snapshot_find_tag(const struct graph_snapshot *snapshot, const char *name);
struct image *snapshot_find_id(const struct graph_snapshot *snapshot, const char *id);
size_t snapshot_count_tags(const struct graph_snapshot *snapshot, const struct image *image);
/* Has its image no other name that keeps it? */
bool snapshot_is_last(const struct graph_snapshot *snapshot, const struct tag *tag);
bool snapshot_has_below(const struct graph_snapshot *snapshot, const char *folder);
/* Changes of a private copy. Takes a reference of the image. */
void snapshot_add_image(struct graph_snapshot *snapshot, struct image *image);
void snapshot_drop_image(struct graph_snapshot *snapshot, const struct image *image);
/* Set or move a tag; -ENOMEM, or -EEXIST with a sentence when a folder has the
 * name, or a tag the name of a folder that it lies in. */
int snapshot_set_tag(struct graph_snapshot *snapshot, const char *name, struct image *image,
		     int64_t set_ns, struct error *err);
void snapshot_drop_tag(struct graph_snapshot *snapshot, struct tag *tag);
/* A tag of the image has gone: its repository's digests go too, if it was the last there. */
void snapshot_forget_repository(struct graph_snapshot *snapshot, const struct image *image,
				const char *name);
int snapshot_add_folder(struct graph_snapshot *snapshot, const char *path, struct error *err);
/* False when it was not there. */
bool snapshot_drop_folder(struct graph_snapshot *snapshot, const char *path);

/* --- refs.c ------------------------------------------------------------------------ */

/* Read refs.json into a new snapshot and the lists of what is damaged; a missing
 * file is an empty store. A file that is no refs.json is an error: the sweep would
 * take all that it names. */
int refs_read(struct graph *graph, struct graph_snapshot **ret, struct error *err);
/* Write it, durable. */
int refs_write(const struct graph *graph, const struct graph_snapshot *snapshot, struct error *err);
/* Forget a damaged image's entry or tag. True when there was one. */
bool refs_drop_damaged_image(struct graph *graph, const char *id);
bool refs_drop_damaged_tag(struct graph *graph, const char *name);

/* --- sweep.c ----------------------------------------------------------------------- */

/* Which of blobs/ and layers/ something needs: the images, damaged ones, and batches under way. */
struct needed {
	size_t blob_count, layer_count;
	char (*blobs)[DIGEST_SIZE]; /* sorted */
	char (*layers)[DIGEST_SIZE];
};
int needed_collect(const struct graph *graph, const struct graph_snapshot *snapshot,
		   struct needed *ret);
void needed_deinit(struct needed *needed);
DEFINE_AUTO_DEINIT(struct needed, needed_deinit);
bool needed_has_blob(const struct needed *needed, const char *digest);
bool needed_has_layer(const struct needed *needed, const char *diff_id);

/* At open: what a crash left in tmp/, and blobs and layers of no image, go. */
int sweep_store(struct graph *graph, const struct graph_snapshot *snapshot, struct error *err);
/* Put away the blobs and layers of an image that nothing in snapshot needs: gone
 * from their places when it returns, removed by the reaper. Failures are logged:
 * the next open sweeps. */
void sweep_image(struct graph *graph, const struct graph_snapshot *snapshot,
		 const struct image *image);
/* The same into a directory in tmp/ that is there, which needs no room: the caller removes it.
 * -ENOMEM: nothing is put away. */
int sweep_image_into(struct graph *graph, const struct graph_snapshot *snapshot,
		     const struct image *image, int bin_fd);
/* Have the reaper remove a name in tmp/. */
void sweep_tmp(struct graph *graph, const char *name);

/* --- graph.c ----------------------------------------------------------------------- */

/* Begin and end a change. */
void graph_lock(struct graph *graph);
void graph_unlock(struct graph *graph);
/* Write and publish a changed copy, which is taken (freed on failure). turn held. */
int graph_publish_locked(struct graph *graph, struct graph_snapshot *next, struct error *err);
/* An image by all or the first of its id's digits (4 or more), a new reference; NULL
 * and -ENOENT or -EINVAL in err. ref is what the user wrote. */
struct image *graph_find_digits(const struct graph_snapshot *snapshot, const char *digits,
				const char *ref, struct error *err);
void graph_report(struct graph *graph, const char *action, const char *id, const char *name);

#endif
