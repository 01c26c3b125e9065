/* The error model: see error.h.
 *
 * Everything a sentence is made of may come from outside (a name in an
 * archive, a word of a command), so the finished text is what gets escaped: a
 * sentence is always one line, and no terminal acts on it. One that is too
 * long is cut between characters and ends in "...".
 *
 * The shim is linked with this file and with musl: it uses nothing else of
 * base/ and allocates nothing, so that it also works when memory has run out.
 */
#include "base/error.h"

#include "base/utf8.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 1000 /* twice a sentence: what is cut is cut once, at the end */

/* The kernel's text of code, NULL when it is no error number. */
static const char *get_code_text(int code, char *buf, size_t size)
{
#ifdef __GLIBC__
	(void)buf;
	(void)size;
	return code > 0 ? strerrordesc_np(code) : NULL;
#else
	if (code <= 0 || code > EHWPOISON || strerror_r(code, buf, size) != 0)
		return NULL;
	return buf;
#endif
}

/* How many bytes at text show as they are; 0 for what a terminal or a reader of
 * lines acts on, and for what is not UTF-8. */
static size_t get_plain_len(const char *text, size_t len)
{
	unsigned char c = (unsigned char)text[0];

	return c >= 0x20 && c < 0x7f ? 1 : utf8_get_len(text, len);
}

/* End a text of len bytes, too long for size, with "...": not in the middle of
 * a character. */
static void mark_cut(char *text, size_t len, size_t size)
{
	size_t at = len < size - 4 ? len : size - 4;

	while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	memcpy(text + at, "...", 4);
}

/* Copy text into msg; what is no printable UTF-8 as \xNN. */
static void copy_escaped(char *msg, size_t size, const char *text)
{
	size_t len = 0, left = strlen(text), step;

	for (; left > 0; text += step, left -= step) {
		step = get_plain_len(text, left);
		bool escaped = step == 0;
		size_t need = escaped ? 4 : step;

		if (len + need >= size) {
			msg[len] = '\0';
			mark_cut(msg, len, size);
			return;
		}
		if (escaped)
			snprintf(msg + len, 5, "\\x%02x", (unsigned)(unsigned char)*text);
		else
			memcpy(msg + len, text, need);
		len += need;
		step = escaped ? 1 : step;
	}
	msg[len] = '\0';
}

/* Append to a text of TEXT_SIZE bytes; what does not fit is lost here, and its
 * being full shows copy_escaped() that it must cut. */
static void add(char *text, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, TEXT_SIZE - len, "%s", more);
}

__attribute__((format(printf, 2, 0))) static void add_format(char *text, const char *fmt,
							     va_list args)
{
	size_t len = strlen(text);

	if (vsnprintf(text + len, TEXT_SIZE - len, fmt, args) < 0)
		snprintf(text + len, TEXT_SIZE - len, "%s", fmt);
}

__attribute__((format(printf, 4, 0))) static int set(struct error *err, int code, bool with_text,
						     const char *fmt, va_list args)
{
	char code_buf[100];
	const char *code_text = get_code_text(code, code_buf, sizeof(code_buf));
	int real_code = code_text ? code : EIO;
	char text[TEXT_SIZE] = "";

	if (!err)
		return -real_code;
	assert(err->code == 0 && "an error is set once, where the cause is known");
	if (err->code != 0)
		return -err->code;

	if (!code_text)
		add(text, "bug: ");
	add_format(text, fmt, args);
	if (with_text && code_text) {
		add(text, ": ");
		add(text, code_text);
	}
	err->code = real_code;
	copy_escaped(err->msg, sizeof(err->msg), text);
	return -real_code;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = set(err, code, false, fmt, args);
	va_end(args);
	return ret;
}

int error_set_sys(struct error *err, int code, const char *fmt, ...)
{
	va_list args;
	int ret;

	va_start(args, fmt);
	ret = set(err, code, true, fmt, args);
	va_end(args);
	return ret;
}

int error_wrap(struct error *err, int ret, const char *fmt, ...)
{
	char text[TEXT_SIZE] = "";
	va_list args;

	if (ret >= 0 || !err)
		return ret;

	va_start(args, fmt);
	if (err->code == 0) {
		/* The cause had no sentence: its number's text must do. */
		set(err, -ret, true, fmt, args);
	} else {
		add_format(text, fmt, args);
		add(text, ": ");
		add(text, err->msg);
		copy_escaped(err->msg, sizeof(err->msg), text);
	}
	va_end(args);
	return ret;
}

void error_clear(struct error *err)
{
	err->code = 0;
	err->msg[0] = '\0';
}
