/* A stream of archive bytes becomes the tree of one layer. */
#ifndef GRAPH_UNPACK_H
#define GRAPH_UNPACK_H

#include "graph/digest.h"
#include "graph/source.h"

#include <stdint.h>

/* Uncompressed bytes of one archive; far beyond any image, far below a bomb's. */
#define UNPACK_BYTES_MAX ((int64_t)1 << 40)

struct unpack_result {
	/* sha256 of the uncompressed bytes; "" when there was no compression: then it
	 * is the digest of the bytes as they came, which the caller has anyway. */
	char diff_id[DIGEST_SIZE];
	char compression[16]; /* "", "gzip", "zstd", "xz", "bzip2", ... */
	int64_t size_bytes;   /* regular files, hard links once */
};

/* Unpack a root file system's tar (ustar, pax, GNU), compressed by gzip, bzip2, xz,
 * lzma, lzip, zstd, lz4 or compress, into a directory.
 *
 * source    read to its end on success; borrowed
 * layer_fd  an empty directory, borrowed; on failure it holds rubbish
 *
 * The archive must be whole: blocks of zeros at its end (at least one of the two;
 * without any, one that was cut off between two entries could not be told), every
 * checksum right that the format has, and nothing but zeros behind it.
 *
 * Returns 0; -EINVAL with a sentence when the archive is at fault; -ENAMETOOLONG; what
 * the source gives; what the file system gives (-ENOSPC). Blocks: yes. */
int unpack_archive(const struct source *source, int layer_fd, struct unpack_result *ret,
		   struct error *err);

#endif
