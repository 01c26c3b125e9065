/* A stream of archive bytes becomes the tree of one layer. */
#ifndef GRAPH_UNPACK_H
#define GRAPH_UNPACK_H

#include "base/strbuf.h"
#include "graph/digest.h"
#include "graph/limits.h"
#include "graph/source.h"

#include <stdbool.h>
#include <stdint.h>

struct unpack_result {
	/* sha256 of the uncompressed bytes; "" when there was no compression: then it
	 * is the digest of the bytes as they came, which the caller has anyway. */
	char diff_id[DIGEST_SIZE];
	char compression[16]; /* "", "gzip", "zstd", "xz", "bzip2", ... */
	int64_t size_bytes;   /* regular files, hard links once */
	/* Directories that the archive does not describe (graph/implied.h); the caller's to free. */
	struct strbuf implied;
};

/* What becomes of an entry that somebody looked at. */
enum unpack_fate {
	UNPACK_WATCHED, /* it is unpacked; the content is wanted too */
	UNPACK_ALONE,   /* it is unpacked, and nothing more is asked of this archive */
	UNPACK_TAKEN    /* it is not unpacked; the content is wanted */
};

struct unpack_item {
	const char *path; /* as the archive has it; borrowed for the call */
	const char *link; /* target of a symbolic link, else NULL */
	const char *hard_link;
	bool is_file, is_dir;
};

/* Looks on, entry by entry: what is unpacked may be an archive of images and no root file
 * system. Each returns an enum unpack_fate or a negative errno with a sentence. */
struct unpack_watch {
	int (*begin)(void *arg, const struct unpack_item *item, struct error *err);
	/* The next bytes of a file, at offset: a gap before it is a hole. */
	int (*data)(void *arg, const void *bytes, size_t len, int64_t offset, struct error *err);
	/* The entry has ended, of a file size_bytes long. */
	int (*end)(void *arg, int64_t size_bytes, struct error *err);
	void *arg;
};

/* Unpack a root file system's tar (ustar, pax, GNU), compressed by gzip, bzip2, xz,
 * lzma, lzip, zstd, lz4 or compress, into a directory.
 *
 * source    read to its end on success; borrowed
 * watch     or NULL
 * limits    borrowed
 * layer_fd  an empty directory, borrowed; on failure, or when entries were taken, it holds rubbish
 *
 * The archive must be whole: blocks of zeros at its end (at least one of the two;
 * without any, one that was cut off between two entries could not be told), every
 * checksum right that the format has, and nothing but zeros behind it.
 *
 * Returns 0; -EINVAL with a sentence when the archive is at fault; -ENAMETOOLONG; what
 * the source gives; what the file system gives (-ENOSPC). Blocks: yes. */
int unpack_archive(const struct source *source, const struct unpack_watch *watch,
		   const struct limits *limits, int layer_fd, struct unpack_result *ret,
		   struct error *err);

#endif
