/* Which images `images` shows: its --filter KEY=VALUE and its pattern. */
#ifndef FS_RENDER_IMAGE_FILTER_H
#define FS_RENDER_IMAGE_FILTER_H

#include "graph/graph.h"

/* As docker does it: several references are alternatives, all else adds up. */
struct image_filter {
	char *const *filters;  /* borrowed */
	bool tagged, dangling; /* dangling=false, dangling=true */
	int64_t before_ns;     /* created earlier than that; INT64_MAX: any */
	int64_t since_ns;      /* created later than that; INT64_MIN: any */
	bool has_reference;
};

/* filters  "dangling=true", "reference=GLOB", "before=IMAGE", "since=IMAGE", "label=K[=V]",
 *          NULL-terminated, or NULL; must outlive *ret
 *
 * -EINVAL with a sentence for what is no filter, -ENOENT for an image that is not there. */
int image_filter_read(struct graph *graph, char *const *filters, struct image_filter *ret,
		      struct error *err);
/* name  "repository:tag", or of an image without a tag "repository@digest" or NULL. pattern may be NULL. */
bool image_filter_match(const struct image_filter *filter, const char *pattern,
			const struct image *image, const char *name);
#endif
