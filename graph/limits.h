/* What one archive may become: bounds against bombs. */
#ifndef GRAPH_LIMITS_H
#define GRAPH_LIMITS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Of one archive: of a layer, or of what images come in. */
struct limits {
	int64_t bytes;    /* as it comes, and uncompressed */
	uint64_t entries; /* of a layer: a bound for the inodes that some megabytes can make */
	unsigned depth;   /* directories below the root */
	size_t path_bytes;
};

/* Far more than software uses. Depth and path are also the most that can be asked for: the tools that keep a
 * descriptor a level, and the kernel's longest path with its NUL and a slash. */
#define LIMITS_DEPTH_MAX 256
#define LIMITS_PATH_MAX 4094
/* clang-format off */
#define LIMITS_INIT { (int64_t)1 << 40, 10000000, LIMITS_DEPTH_MAX, LIMITS_PATH_MAX }
/* clang-format on */

/* "size=SIZE", "files=N", "depth=N" or "path=N" into one member. -EINVAL. */
int limits_parse(const char *text, struct limits *inout, struct error *err);

#endif
