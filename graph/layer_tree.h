/* Names inside a layer that is being unpacked: what an archive calls a path
 * becomes a descriptor of its parent and a last component, inside the layer's
 * root whatever it says. Private to the layer writer.
 */
#ifndef GRAPH_LAYER_TREE_H
#define GRAPH_LAYER_TREE_H

#include "base/error.h"
#include "base/strbuf.h"
#include "graph/limits.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct tree {
	int root_fd; /* borrowed */
	const struct limits *limits;
	int64_t size_bytes; /* regular files that are there, hard links once */
	/* The last parent opened: archives list a directory's entries in a row. */
	char parent_path[PATH_MAX];
	int parent_fd; /* -1: none */
	/* Each that was missing, with a NUL behind it. */
	struct strbuf made;
};

/* Opened with root_fd (a directory); both are borrowed. */
void tree_init(struct tree *tree, int root_fd, const struct limits *limits);
void tree_deinit(struct tree *tree);

struct tree_name {
	char path[PATH_MAX];   /* without empty and '.' components; "" is the root itself */
	char parent[PATH_MAX]; /* "/" for what lies in the root */
	const char *last;      /* in path */
};

/* Take a path of the archive apart. A leading '/' counts for nothing. -EINVAL: a
 * '..' component, too deep; -ENAMETOOLONG. */
int tree_parse_name(const struct tree *tree, const char *text, struct tree_name *ret,
		    struct error *err);

/* The parent directory, resolved inside the root (links that earlier entries made
 * are followed there, and end there); missing ones are made, root's and 0755.
 * Borrowed until the next call. -EINVAL: it is no directory, or too deep. */
int tree_open_parent(struct tree *tree, const char *parent, struct error *err);

enum tree_found {
	TREE_FOUND_NOTHING,
	TREE_FOUND_DIR,      /* it was kept */
	TREE_FOUND_WHITEOUT, /* it is gone, as is the next */
	TREE_FOUND_OTHER,
};

/* Make way for a new entry: what has the name goes, a directory with all below
 * it, unless it is a directory and keep_dir. enum tree_found or a negative errno. */
int tree_replace(struct tree *tree, int parent_fd, const char *name, bool keep_dir,
		 struct error *err);

/* What a system call said of a path that an archive chose: faults of the archive
 * are EINVAL, the machine's stay what they are. Sets the sentence. */
int tree_fail(struct error *err, int code, const char *what);

#endif
