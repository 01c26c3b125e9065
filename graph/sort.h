/* Telling archives of images from root file systems, while they are unpacked. Private to
 * graph/.
 *
 * As long as every entry has a name that an archive of images could have, its content goes
 * to the layer and to a blob; the first other name says that it is a root file system, the
 * first blob that is called after its content that it is not. So nothing is read
 * twice, and of nearly all archives the first or second entry decides.
 */
#ifndef GRAPH_SORT_H
#define GRAPH_SORT_H

#include "graph/batch.h"

/* Entries of one archive of images; the largest have some thousands. */
#define SORT_ENTRIES_MAX 32768
#define SORT_LINKS_MAX 16

struct sorter;

/* What the archive may be: anything else is -EINVAL as soon as it is known. */
enum sort_want { SORT_ANY, SORT_IMAGES, SORT_ROOTFS };

/* batch  gets the blobs; borrowed */
struct sorter *sorter_new(struct batch *batch, enum sort_want want);
/* Before the first entry. */
void sorter_set_want(struct sorter *sorter, enum sort_want want);
void sorter_free(struct sorter *sorter); /* NULL is fine */
DEFINE_AUTO(struct sorter *, sorter_free);
/* For unpack_archive(); its thread alone calls it. */
struct unpack_watch sorter_get_watch(struct sorter *sorter);
/* Any thread: is it known to be an archive of images? Then nobody wants its own bytes. */
bool sorter_has_images(const struct sorter *sorter);

/* --- when the archive has ended, without an error (one thread) ----------------------- */

/* Make up its mind. True: an archive of images. */
int sorter_judge(struct sorter *sorter, bool *ret_has_images, struct error *err);
/* The path of the entry with that number, in the order of their bytes; NULL: there are no more. */
const char *sorter_get_path(const struct sorter *sorter, size_t index);
/* Is there an image in the form of before Docker 1.10, "ID/json" beside "ID/layer.tar"? */
bool sorter_has_v1(const struct sorter *sorter);
/* The digest of an entry's content, or NULL: the entry is not there. "./" in front, links
 * from one entry to another are followed. */
const char *sorter_find(const struct sorter *sorter, const char *path);
/* The content of an entry as JSON. -ENOENT with a sentence when it is not there. */
int sorter_read_json(const struct sorter *sorter, const char *path, json_t **ret,
		     struct error *err);

#endif
