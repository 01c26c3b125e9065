/* Splitting command text as a POSIX shell splits words; nothing is expanded. */
#ifndef FS_COMMAND_WORDS_H
#define FS_COMMAND_WORDS_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

#define COMMAND_MAX 65536 /* longest command in bytes */

struct words {
	char **argv; /* NULL-terminated */
	size_t count;
};
void words_deinit(struct words *words);
DEFINE_AUTO_DEINIT(struct words, words_deinit);

/* Take the first command line of text: up to a newline that is not quoted, or, when
 * at_end, to the end of the text.
 *
 * Quotes '...', "...", $'...' with its escapes (\a \b \e \f \n \r \t \v \\ \' \" \?
 * \nnn \xHH \uHHHH \UHHHHHHHH \cX), backslash, backslash-newline (gone), # comment
 * at the start of a word. A NUL byte is -EINVAL, a command longer than COMMAND_MAX
 * (its newline not counted) -E2BIG.
 *
 * Returns 1 and the words (maybe none: an empty line) and the bytes consumed with
 * the newline; 0 when the line is not complete and !at_end; -EINVAL when at_end
 * inside a quote, with *ret_in_quote. */
int words_split(const char *text, size_t len, bool at_end, struct words *ret, size_t *ret_consumed,
		bool *ret_in_quote, struct error *err);

#endif
