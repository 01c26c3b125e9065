/* Images on their way into the store, whatever they come from: an import, an
 * archive of images, a registry, a commit. Private to graph/.
 *
 * A batch is a directory in tmp/. Blobs and layers are made in it, side by side
 * if need be, each hashed while it is written and judged at its end; then its
 * images are published together, durable and tagged, or not at all. What a batch
 * finds in the store (a blob, a layer) cannot be removed while the batch lives.
 *
 * The directory is the intent: whatever happens before batch_publish() has moved
 * its content to the store's places, the next open removes it.
 */
#ifndef GRAPH_BATCH_H
#define GRAPH_BATCH_H

#include "base/strbuf.h"
#include "graph/store.h"
#include "graph/unpack.h"

struct batch;

int batch_new(struct graph *graph, struct batch **ret, struct error *err);
/* Also removes what was not published. At once, not by the reaper: who was told
 * that the disk is full may try again. NULL is fine. */
void batch_free(struct batch *batch);
DEFINE_AUTO(struct batch *, batch_free);

/* Asked, on any thread, by what takes long in the batch and reads what is there: -EINTR. Before that begins. */
void batch_set_cancel(struct batch *batch, bool (*is_cancelled)(void *arg), void *arg);

/* --- blobs (any thread) ---------------------------------------------------------- */

/* A file that is hashed as it is written. */
struct blob {
	struct batch *batch;
	int fd; /* readable too */
	uint64_t size;
	struct digest *digest;
	char name[24]; /* in the batch's directory */
};

int blob_begin(struct batch *batch, struct blob *ret, struct error *err);
/* The next bytes; zeros (a hole) when bytes is NULL. */
int blob_write(struct blob *blob, const void *bytes, size_t len, struct error *err);
/* All is there. want: the digits that it must have, or NULL; -EBADMSG tells both. */
int blob_finish(struct blob *blob, const char *want, char ret_digest[DIGEST_SIZE],
		struct error *err);
/* Needed in every case; also a zeroed one. Takes away what was not finished. */
void blob_deinit(struct blob *blob);
DEFINE_AUTO_DEINIT(struct blob, blob_deinit);

/* A config or manifest as a blob. */
int batch_put_text(struct batch *batch, const void *text, size_t len, char ret_digest[DIGEST_SIZE],
		   struct error *err);
/* Has this batch the blob, or the store? Then the store keeps it while the batch lives. */
bool batch_has_blob(struct batch *batch, const char *digest);
/* A descriptor to read it by. -ENOENT with a sentence. */
int batch_open_blob(struct batch *batch, const char *digest, struct error *err);
/* A config or manifest, appended to text; at most BLOB_TEXT_MAX bytes. */
int batch_read_text(struct batch *batch, const char *digest, struct strbuf *text,
		    struct error *err);

/* --- layers (any thread) --------------------------------------------------------- */

struct batch_layer {
	char digest[DIGEST_SIZE]; /* of the blob */
	uint64_t blob_size;
	char diff_id[DIGEST_SIZE];
	char compression[16]; /* as in struct unpack_result */
	int64_t size_bytes;   /* unpacked */
};

/* A stream that becomes a blob and, on a thread of its own, the tree of a layer:
 * decompressing and making inodes on one side and hashing on the other are about
 * equal work. */
struct intake;
int intake_begin(struct batch *batch, struct intake **ret, struct error *err);
/* The same of what may be an archive of images instead (graph/sort.h): when it is, its own bytes
 * are not kept, and its entries are the sorter's. Borrowed. */
struct sorter;
int intake_begin_sorted(struct batch *batch, struct sorter *sorter, struct intake **ret,
			struct error *err);
/* The same of a tar that is made here: the blob is its bytes compressed by gzip. None of the
 * bytes that follow may be NULL. */
int intake_begin_packed(struct batch *batch, struct intake **ret, struct error *err);
/* The digest is known beforehand: that the bytes are the wrong ones is to be told before what the unpacker thinks
 * of them, so that its complaints wait for intake_finish(). */
void intake_expect_digest(struct intake *intake);
/* The next bytes, zeros when bytes is NULL. Waits while the unpacker is behind; an
 * error that it found is returned by the next call. */
int intake_write(struct intake *intake, const void *bytes, size_t len, struct error *err);
uint64_t intake_get_size(const struct intake *intake); /* bytes so far */
/* All is there. want_*: the digits that they must have, or NULL; -EBADMSG tells both.
 * The intake is freed in every case. */
int intake_finish(struct intake *intake, const char *want_digest, const char *want_diff_id,
		  struct batch_layer *ret, struct error *err);
/* The same of one that was begun sorted. *ret_has_images: there is no layer, ret is untouched. */
int intake_finish_sorted(struct intake *intake, bool *ret_has_images, struct batch_layer *ret,
			 struct error *err);
/* Waits until the unpacker has stopped. NULL is fine. */
void intake_abort(struct intake *intake);
DEFINE_AUTO(struct intake *, intake_abort);

/* Unpack a blob that is there (also when the layer is: that it holds this layer is known afterwards). */
int batch_unpack_blob(struct batch *batch, const char *digest, const char *want_diff_id,
		      struct batch_layer *ret, struct error *err);
/* Has this batch the layer, or the store? Then the store keeps it while the batch lives.
 * ret_size_bytes  unpacked, may be NULL */
bool batch_has_layer(struct batch *batch, const char *diff_id, int64_t *ret_size_bytes);

/* --- images (one thread) --------------------------------------------------------- */

/* An image of a config and a manifest, both blobs of the batch or the store, whose
 * layers and blobs are there too; -EINVAL when they do not fit together. Its number
 * among the batch's images is *ret (may be NULL); ret_id gets its id. */
int batch_add_image(struct batch *batch, const char *config_digest, const char *manifest_digest,
		    size_t *ret, char ret_id[GRAPH_ID_SIZE], struct error *err);
/* A tag (canonical) that the image gets, or what a registry calls it ("a@sha256:..."). */
int batch_add_tag(struct batch *batch, size_t image, const char *name, struct error *err);
/* All of it into the store, durable. replace: move taken tags, else -EEXIST.
 * action: what on_change() is told of each image ("import", "load", "pull", "commit")
 * before its tags ("tag"). On failure the store is as it was. Once a batch. */
int batch_publish(struct batch *batch, bool replace, const char *action, struct error *err);

#endif
