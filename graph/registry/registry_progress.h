/* How far a pull or push is, as lines of its reply: one for the whole, one for each layer, those of the end.
 * Threads say what they do; whoever shows it asks for the text. Private to graph/.
 */
#ifndef GRAPH_REGISTRY_REGISTRY_PROGRESS_H
#define GRAPH_REGISTRY_REGISTRY_PROGRESS_H

#include "base/strbuf.h"

#include <stdint.h>

struct progress;

struct progress *progress_new(void); /* NULL: no memory */
void progress_free(struct progress *progress);
DEFINE_AUTO(struct progress *, progress_free);

/* The line before the layers', and one behind all. */
void progress_set_title(struct progress *progress, const char *fmt, ...) ERROR_PRINTF(2, 3);
void progress_add_end(struct progress *progress, const char *fmt, ...) ERROR_PRINTF(2, 3);
/* A line for each of count layers; their digests are read at once. -ENOMEM. */
int progress_set_layers(struct progress *progress, size_t count,
			const char *(*get_digest)(const void *arg, size_t index), const void *arg);
/* The next two pass over a layer without a line: a config is moved like a layer and shown to nobody.
 * What a layer is at: a word that stays, as Docker says it; total 0: without a count. */
void progress_set_state(struct progress *progress, size_t layer, const char *state, uint64_t total);
/* So many bytes of the total are done. */
void progress_set_done(struct progress *progress, size_t layer, uint64_t done);

/* "TITLE\n" "DIGITS: STATE [DONE/TOTAL]\n"... "END\n"..., appended. */
void progress_render(struct progress *progress, struct strbuf *out);

#endif
