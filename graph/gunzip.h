/* gzip with its checksums: libarchive's own decoder skips over them. */
#ifndef GRAPH_GUNZIP_H
#define GRAPH_GUNZIP_H

#include "base/cleanup.h"
#include "graph/source.h"

#include <stdbool.h>
#include <stddef.h>

struct gunzip;

/* Do these first bytes begin a gzip stream? */
bool gunzip_detect(const void *bytes, size_t len);

/* source  borrowed for the life of the decoder
 * NULL when memory ran out. */
struct gunzip *gunzip_new(const struct source *source);
void gunzip_free(struct gunzip *gunzip);
DEFINE_AUTO(struct gunzip *, gunzip_free);

/* A source's read: members one after the other, zeros behind the last are
 * padding. -EINVAL: cut off, damaged, a wrong checksum or length, or other
 * bytes behind; -ENOMEM; and what the source gives. Source: RFC 1952. */
ssize_t gunzip_read(void *gunzip, const void **ret_bytes, struct error *err);

#endif
