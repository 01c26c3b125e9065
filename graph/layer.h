/* Writing the entries of an archive into a layer's directory, hostile-safe: see
 * layer_tree.h for how paths are taken. Knows nothing of archive formats.
 *
 * Later entries replace earlier ones of the same name, as Docker unpacks: a
 * directory over a directory keeps what is in it and takes the new attributes,
 * anything else replaces what is there, whole trees too.
 *
 * Whiteouts are converted to overlayfs's form: `.wh.NAME` makes a character
 * device 0:0 (or NAME opaque, when this layer has a directory of that name: in
 * either order), `.wh..wh..opq` makes its directory opaque. Other names that
 * begin with `.wh..wh.` are bookkeeping of aufs and left out.
 * Source: OCI image-spec layer.md, Linux overlayfs.rst.
 */
#ifndef GRAPH_LAYER_H
#define GRAPH_LAYER_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "graph/limits.h"

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct layer_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* Everything borrowed for the call. */
struct layer_entry {
	const char *path;
	const char *target; /* of a symbolic link */
	mode_t mode;        /* type and permissions; sockets are refused */
	uid_t uid;
	gid_t gid;
	dev_t rdev;
	int64_t size_bytes; /* of a regular file */
	struct timespec mtime;
	const struct layer_xattr *xattrs;
	size_t xattr_count;
};

struct layer;

/* dir_fd  the empty directory of the layer, borrowed as limits is; NULL when memory ran out */
struct layer *layer_new(int dir_fd, const struct limits *limits);
void layer_free(struct layer *layer);
DEFINE_AUTO(struct layer *, layer_free);

/* Make one entry. For a regular file *ret_fd is a descriptor to write its content
 * to, owned by the caller, who then calls layer_finish_file(); else it is -1.
 *
 * Attributes kept: owner, mode with setuid, setgid and sticky, mtime, extended
 * attributes user.*, security.capability and trusted.*. The trusted.overlay.*
 * of an archive are left out: they would steer the overlay of a container.
 *
 * Returns 0, -EINVAL, -ENAMETOOLONG (the archive is at fault), -ENOSPC, ... with a
 * sentence that begins "entry 'PATH': ". */
int layer_add(struct layer *layer, const struct layer_entry *entry, int *ret_fd, struct error *err);
/* The content is written: set size (holes at the end) and attributes. */
int layer_finish_file(struct layer *layer, const struct layer_entry *entry, int fd,
		      struct error *err);
/* Another name for a file that an earlier entry made; target is resolved inside
 * the layer, a link at its end is not followed. */
int layer_add_hard_link(struct layer *layer, const char *path, const char *target,
			struct error *err);
/* Directories that entries lie in and that no entry describes, after layer_finish(): paths, each with a
 * NUL behind it, are appended; "/" is the root. What they look like the layers below say. */
int layer_append_implied(struct layer *layer, struct strbuf *out, struct error *err);
/* All entries are there: set the times of directories.
 * ret_size_bytes  bytes of regular files, hard links once */
int layer_finish(struct layer *layer, int64_t *ret_size_bytes, struct error *err);

#endif
