/* For which machine an image is, in Go's words. */
#ifndef GRAPH_PLATFORM_H
#define GRAPH_PLATFORM_H

#include "base/json.h"

struct platform {
	char os[32], architecture[32], variant[32]; /* variant "": any */
};
#define PLATFORM_TEXT_SIZE 100

/* "os/arch[/variant]", or "arch"; NULL: this machine's. -EINVAL. */
int platform_parse(const char *text, struct platform *ret, struct error *err);
/* How well one serves that an index or an image's config describes so: 0 not at all. */
int platform_rate(const struct platform *platform, const json_t *described);
/* Is an image with that config for the platform ("os/arch[/variant]"; NULL: this machine's)? -ENOENT: the sentence
 * names both; -EINVAL: the text. */
int platform_check(const char *text, const json_t *config, struct error *err);
/* "linux/arm/v7", in ret, which is returned. */
const char *platform_get_text(const struct platform *platform, char ret[PLATFORM_TEXT_SIZE]);
/* The same of a description, cut where it is too long to be one. */
void platform_render_described(const json_t *described, struct strbuf *out);

#endif
