/* sha256 as text: what names blobs, layers and images. */
#ifndef GRAPH_DIGEST_H
#define GRAPH_DIGEST_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>

#define DIGEST_SIZE 65 /* 64 lower-case hexadecimal digits and a NUL */

struct digest;

/* Begin a digest; NULL when memory ran out. */
struct digest *digest_new(void);
void digest_free(struct digest *digest);
DEFINE_AUTO(struct digest *, digest_free);

/* Take the next bytes. A failure of the library is kept for digest_finish(). */
void digest_update(struct digest *digest, const void *bytes, size_t len);
/* The digits of all bytes so far; nothing may follow. 0, or -EIO with a sentence. */
int digest_finish(struct digest *digest, char ret_hex[DIGEST_SIZE], struct error *err);

/* The digest of one buffer. 0, -ENOMEM or -EIO with a sentence. */
int digest_compute(const void *bytes, size_t len, char ret_hex[DIGEST_SIZE], struct error *err);

#endif
