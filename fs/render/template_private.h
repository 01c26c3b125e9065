/* What the two parts of inspect's templates share: template.c has the blocks, template_expr.c what stands
 * between braces.
 */
#ifndef FS_RENDER_TEMPLATE_PRIVATE_H
#define FS_RENDER_TEMPLATE_PRIVATE_H

#include "fs/render/template.h"

/* Bytes still to be read. */
struct template_text {
	const char *at, *end;
};

/* What names mean in a place: the dot, and variables ("$name") of the ranges around it. */
struct template_scope {
	const json_t *dot;
	struct template_text name; /* of a variable of this range, without the $; empty: none */
	const json_t *value;
	const struct template_scope *outer; /* NULL: the whole */
};

/* Drop the blanks in front. */
void template_skip_blanks(struct template_text *text);
/* Take a word in front, such as a function's name; empty when there is none. */
struct template_text template_take_word(struct template_text *text);
bool template_is_word(struct template_text word, const char *wanted);

/* The value of a whole expression; *ret is the caller's. -EINVAL quoting it. */
int template_eval(struct template_text expression, const struct template_scope *scope, json_t **ret,
		  struct error *err);

#endif
