/* `ln -sfn` makes a link under a passing name ("CuXXXXXX") and renames it over the old one. Such a
 * name is no image reference, so the link waits here, without a tag, for its rename or removal.
 */
#ifndef FS_TEMPLINK_H
#define FS_TEMPLINK_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct kept;
struct templinks;

/* kept  where they are for a later engine; borrowed. Those of a former one are found. */
int templinks_new(struct kept *kept, struct templinks **ret, struct error *err);
void templinks_free(struct templinks *links);
/* -EEXIST, -ENOMEM. There are at most 64 at a time: one more takes the place of one that was
 * never renamed, in turn. */
int templinks_add(struct templinks *links, const char *path, const char *target, struct error *err);
bool templinks_has(struct templinks *links, const char *path);
/* Append the target of the link whose name has this hash; -ENOENT. */
int templinks_read(struct templinks *links, uint64_t key, struct strbuf *out);
/* False when there is none. */
bool templinks_remove(struct templinks *links, const char *path);

#endif
