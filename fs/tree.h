/* The namespace as data: one row per file. Lookup, attributes, listings and opening come from it.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include "base/strbuf.h"
#include "fs/fs.h"
#include "fs/node.h"

#include <sys/stat.h>

enum file_class {
	FILE_NONE,
	FILE_DIR,
	FILE_LINK,
	FILE_TEXT,    /* rendered at lookup, one snapshot */
	FILE_REPORT,  /* the same by a worker thread (fs/reportfile.c) */
	FILE_EXPORT,  /* a stream made while it is read, from front to back */
	FILE_ARCHIVE, /* an image's, from its blobs */
	FILE_CTL,     /* commands in, reply out */
	FILE_CONFIG,  /* a text that can be written */
	FILE_LOG,     /* growing regular file */
	FILE_STREAM,  /* follow, attach, wait, events: reads that wait */
	FILE_STDIN,
	FILE_IMPORT,
	FILE_VOLUME /* fs/volfs/volfs.h; here only as a name */
};

/* Make the text of a FILE_TEXT, FILE_REPORT, FILE_CONFIG or FILE_CTL as this caller sees it now. 0 or -errno. */
typedef int (*tree_render_fn)(struct fs *fs, uint64_t key, const struct caller *caller,
			      struct strbuf *out, struct error *err);

struct tree_row {
	enum node_kind kind;
	enum node_kind parent;
	const char *name; /* NULL: names are found by tree_find() of the parent */
	mode_t mode;      /* type and permissions of the owner */
	enum file_class class;
	tree_render_fn render;
};

/* What works as in a container: a further process's wait is a NODE_C_WAIT. Other kinds are themselves. */
enum node_kind tree_get_role(enum node_kind kind);
/* NULL for a kind that is none. */
const struct tree_row *tree_get_row(enum node_kind kind);
/* Is its text made when it is opened, not when it is looked up? Before, stat knows an estimate. */
bool tree_is_lazy(const struct tree_row *row);
/* The fixed child of that name, or NULL. */
const struct tree_row *tree_find_child(enum node_kind parent, const char *name);
/* The rows of the fixed children of a kind, in order: pass the last one (NULL: first). */
const struct tree_row *tree_next_child(enum node_kind parent, const struct tree_row *last);

/* What a name in a directory is. */
struct tree_entry {
	uint64_t node; /* serial 0 */
	enum node_kind kind;
};
/* Resolve one name, never waiting. 0, -ENOENT (also for a parent that has gone), -ENAMETOOLONG. */
int tree_find(struct fs *fs, uint64_t parent, const char *name, struct tree_entry *ret);

/* The names in a directory, fixed ones first. emit returns false to end. 0, -ENOENT or -ENOMEM. */
int tree_list(struct fs *fs, uint64_t dir, bool (*emit)(void *arg, const char *name, uint64_t node),
	      void *arg, struct error *err);

/* Where a node lies below the mount, for a sentence: "containers/web/status"; of what lies deeper the last name.
 * Appends to out. */
void tree_describe(struct fs *fs, uint64_t node, struct strbuf *out);

/* Attributes of a directory, link or stream; files with a text or log get their size from fs/nodes.h.
 * -ENOENT when the object has gone. */
int tree_stat(struct fs *fs, uint64_t node, struct stat *ret);
/* The target of a link that costs nothing to compute (not rootfs, root); -ENOENT. */
int tree_read_link(struct fs *fs, uint64_t node, struct strbuf *out);

#endif
