/* The words of a Dockerfile's instruction: where one ends, and what it says when quotes,
 * backslashes and variables are taken out. Private to graph/.
 */
#ifndef GRAPH_CHANGE_CHANGE_WORD_H
#define GRAPH_CHANGE_CHANGE_WORD_H

#include "base/strbuf.h"

#define CHANGE_WORD_MAX ((size_t)128 << 10) /* variables in variables double quickly */

/* The value of a variable, borrowed, or NULL. */
struct change_env {
	const char *(*find)(const void *arg, const char *name, size_t len);
	const void *arg;
};

/* Where blanks end. */
const char *change_word_skip(const char *text);
/* Where the word that begins here ends: at a blank that is in no quotes, or the end. */
const char *change_word_find_end(const char *text);
/* What the len bytes of text say, appended to out. -EINVAL with a sentence: a quote or brace without
 * an end, a name that is none, longer than CHANGE_WORD_MAX; -ENOMEM. */
int change_word_expand(const char *text, size_t len, const struct change_env *env,
		       struct strbuf *out, struct error *err);

#endif
