/* Names that come and go: containers, images, tags and their folders.
 */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include "fs/tree.h"

/* tree_find() and tree_list() for what has no row of its own. */
int names_find(struct fs *fs, uint64_t parent, const char *name, struct tree_entry *ret);
int names_list(struct fs *fs, uint64_t dir,
	       bool (*emit)(void *arg, const char *name, uint64_t node), void *arg,
	       struct error *err);
/* mtime of a node's object; -ENOENT when it has gone. */
int names_get_time(struct fs *fs, uint64_t node, int64_t *ret_ns);

/* Counted references by key, NULL when gone. */
struct container_view *names_get_view(struct fs *fs, uint64_t key);
struct image *names_get_image(struct fs *fs, uint64_t key);

/* The full tag or folder name of `name` in a directory: "localhost:5000/team/" and name for a folder.
 * dir is NODE_IMAGES or NODE_FOLDER. -ENOENT, -ENAMETOOLONG. */
int names_make_path(struct fs *fs, uint64_t dir, const char *name, char ret[GRAPH_NAME_SIZE]);

#endif
