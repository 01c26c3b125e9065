/* A growing byte buffer with a sticky out-of-memory flag: append freely, check
 * once at the end. data is always NUL-terminated when it is not NULL; the NUL
 * is not counted in len. The content may hold any byte.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct strbuf {
	char *data;
	size_t len;
	size_t cap;
	bool oom; /* an append failed; everything after it was dropped */
};

/* clang-format off */
#define STRBUF_INIT { .data = NULL, .len = 0, .cap = 0, .oom = false }
/* clang-format on */

void strbuf_deinit(struct strbuf *sb);
DEFINE_AUTO_DEINIT(struct strbuf, strbuf_deinit);

/* Empty it, keep the memory, forget an out-of-memory. */
void strbuf_reset(struct strbuf *sb);
/* Drop what is behind the first len bytes; a larger len changes nothing. */
void strbuf_truncate(struct strbuf *sb, size_t len);
/* Make room for extra more bytes; false (and the flag) when there is none. */
bool strbuf_reserve(struct strbuf *sb, size_t extra);
void strbuf_append(struct strbuf *sb, const void *bytes, size_t len);
void strbuf_append_str(struct strbuf *sb, const char *text);
void strbuf_append_char(struct strbuf *sb, char c);
void strbuf_appendf(struct strbuf *sb, const char *fmt, ...) ERROR_PRINTF(2, 3);
void strbuf_vappendf(struct strbuf *sb, const char *fmt, va_list args) ERROR_PRINTF(2, 0);
/* The text with control bytes, DEL and backslash as \xNN, \n, \t, \\: what comes
 * from outside cannot forge a second line. Valid UTF-8 passes but for the C1
 * controls U+0080 to U+009F; other high bytes become \xNN. */
void strbuf_append_escaped(struct strbuf *sb, const char *bytes, size_t len);
/* Never NULL: "" when empty. Borrowed until the next change. */
const char *strbuf_get_str(const struct strbuf *sb);
/* The content as a heap string that the caller frees ("" when empty); the
 * buffer is empty afterwards. NULL when memory had run out. */
char *strbuf_steal(struct strbuf *sb);
/* 0, or -ENOMEM with a sentence when an append was lost. */
int strbuf_check(const struct strbuf *sb, struct error *err);

#endif
