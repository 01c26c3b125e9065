/* Writing a tar archive as a stream: pax, so that names, links, sizes and times may be
 * what they like. libarchive's writer, and the only file that sees it.
 */
#ifndef GRAPH_TAR_OUT_H
#define GRAPH_TAR_OUT_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

struct tar_out;

struct tar_xattr {
	const char *name;
	const void *value;
	size_t len;
};

/* A part of a file that is no hole. */
struct tar_extent {
	int64_t offset, len;
};

struct tar_entry {
	const char *path; /* "etc/passwd", bytes as they are */
	struct stat st;
	const char *link;      /* target of a symbolic link, else NULL */
	const char *hard_link; /* path of an earlier entry that is the same file, else NULL */
	const struct tar_xattr *xattrs;
	size_t xattr_count;
	/* Of a file with holes: its data; with none (count 0) it is written whole. */
	const struct tar_extent *extents;
	size_t extent_count;
};

/* write  takes the bytes in order; 0, or a negative errno that ends the archive: it is what the
 *        functions below then return, without a sentence unless write's side has one
 * NULL: out of memory. The thread must stay the same until tar_out_free(). */
struct tar_out *tar_out_new(int (*write)(void *arg, const void *bytes, size_t len), void *arg);
void tar_out_free(struct tar_out *out); /* NULL is fine */
DEFINE_AUTO(struct tar_out *, tar_out_free);

/* Begin an entry. Of a regular file that is no hard link st_size bytes follow, holes as zeros; what is missing of
 * them when the next entry begins becomes zeros. */
int tar_out_add(struct tar_out *out, const struct tar_entry *entry, struct error *err);
int tar_out_write(struct tar_out *out, const void *bytes, size_t len, struct error *err);
/* The header alone, of an entry whose bytes somebody else puts behind it, up to a multiple of 512:
 * appended to ret. Plain names; pax only where a size needs it. */
int tar_out_render_header(const struct tar_entry *entry, struct strbuf *ret, struct error *err);
/* The end of the archive. */
int tar_out_finish(struct tar_out *out, struct error *err);

#endif
