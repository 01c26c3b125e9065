/* A growing byte buffer: see strbuf.h.
 *
 * Invariants: data is NULL or holds cap bytes; len < cap, data[len] is NUL.
 * Once oom is set nothing is appended any more, so a caller that checks at the
 * end never sees a text with a hole in it.
 */
#include "base/strbuf.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

void strbuf_deinit(struct strbuf *sb)
{
	free(sb->data);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf_reset(struct strbuf *sb)
{
	strbuf_truncate(sb, 0);
	sb->oom = false;
}

void strbuf_truncate(struct strbuf *sb, size_t len)
{
	if (len >= sb->len)
		return;
	sb->len = len;
	sb->data[len] = '\0';
}

bool strbuf_reserve(struct strbuf *sb, size_t extra)
{
	size_t need, cap;
	char *data;

	if (sb->oom)
		return false;
	if (extra < sb->cap - sb->len)
		return true;
	if (extra >= SIZE_MAX / 2 - sb->len) {
		sb->oom = true;
		return false;
	}
	need = sb->len + extra + 1;
	cap = sb->cap + sb->cap / 2;
	if (cap < FIRST_CAP)
		cap = FIRST_CAP;
	if (cap < need)
		cap = need;
	data = realloc(sb->data, cap);
	if (!data) {
		sb->oom = true;
		return false;
	}
	data[sb->len] = '\0';
	sb->data = data;
	sb->cap = cap;
	return true;
}

void strbuf_append(struct strbuf *sb, const void *bytes, size_t len)
{
	if (len == 0 || !strbuf_reserve(sb, len))
		return;
	memcpy(sb->data + sb->len, bytes, len);
	sb->len += len;
	sb->data[sb->len] = '\0';
}

void strbuf_append_str(struct strbuf *sb, const char *text)
{
	strbuf_append(sb, text, strlen(text));
}

void strbuf_append_char(struct strbuf *sb, char c)
{
	strbuf_append(sb, &c, 1);
}

void strbuf_vappendf(struct strbuf *sb, const char *fmt, va_list args)
{
	va_list again;
	size_t room = sb->cap - sb->len;
	int len;

	if (sb->oom)
		return;
	va_copy(again, args);
	len = vsnprintf(sb->data ? sb->data + sb->len : NULL, room, fmt, args);
	if (len >= 0 && (size_t)len >= room && strbuf_reserve(sb, (size_t)len)) {
		room = sb->cap - sb->len;
		len = vsnprintf(sb->data + sb->len, room, fmt, again);
	}
	va_end(again);
	/* A negative length is memory too, inside vsnprintf: widths and
	 * precisions of ours are small. */
	if (len < 0)
		sb->oom = true;
	else if (!sb->oom)
		sb->len += (size_t)len;
	if (sb->data)
		sb->data[sb->len] = '\0';
}

void strbuf_appendf(struct strbuf *sb, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strbuf_vappendf(sb, fmt, args);
	va_end(args);
}

static void append_escape(struct strbuf *sb, unsigned char c)
{
	switch (c) {
	case '\n':
		strbuf_append(sb, "\\n", 2);
		break;
	case '\t':
		strbuf_append(sb, "\\t", 2);
		break;
	case '\\':
		strbuf_append(sb, "\\\\", 2);
		break;
	default:
		strbuf_appendf(sb, "\\x%02x", (unsigned)c);
	}
}

void strbuf_append_escaped(struct strbuf *sb, const char *bytes, size_t len)
{
	const unsigned char *text = (const unsigned char *)bytes;
	size_t done = 0; /* appended up to here */
	size_t i = 0;

	while (i < len) {
		bool plain = text[i] >= 0x20 && text[i] < 0x7f && text[i] != '\\';
		size_t step = plain ? 1 : utf8_get_len(bytes + i, len - i);

		if (step > 0) {
			i += step;
			continue;
		}
		strbuf_append(sb, text + done, i - done);
		append_escape(sb, text[i]);
		done = ++i;
	}
	strbuf_append(sb, text + done, len - done);
}

const char *strbuf_get_str(const struct strbuf *sb)
{
	return sb->data ? sb->data : "";
}

char *strbuf_steal(struct strbuf *sb)
{
	char *text = NULL;

	if (strbuf_reserve(sb, 0))
		text = steal_ptr(&sb->data);
	strbuf_deinit(sb);
	return text;
}

int strbuf_check(const struct strbuf *sb, struct error *err)
{
	return sb->oom ? error_set(err, ENOMEM, "out of memory") : 0;
}
