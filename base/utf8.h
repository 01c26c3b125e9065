/* Which bytes may be shown as they are: used by what escapes the rest. Inline, for the shim
 * has errors but no buffers.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>

/* Length of the valid UTF-8 sequence of two bytes or more at bytes; 0 if there is
 * none or it is a C1 control. Source: table 3-7 of the Unicode standard (no
 * overlong forms, no surrogates, nothing above U+10FFFF). */
static inline size_t utf8_get_len(const char *bytes, size_t len)
{
	const unsigned char *text = (const unsigned char *)bytes;
	unsigned char c = len ? text[0] : 0, low = 0x80, high = 0xbf;
	size_t need;

	if (c >= 0xc2 && c <= 0xdf)
		need = 2;
	else if (c >= 0xe0 && c <= 0xef)
		need = 3;
	else if (c >= 0xf0 && c <= 0xf4)
		need = 4;
	else
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (len < need || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < need; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* The C1 controls are valid, and terminals act on them. */
	if (c == 0xc2 && text[1] < 0xa0)
		return 0;
	return need;
}

#endif
