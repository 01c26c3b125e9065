/* Just enough of JSON to take a member out of what the mount renders. Text that is no JSON
 * has no members.
 */
#include "cfs.h"

#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* Behind the closing quote; NULL when there is none. */
static const char *skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : NULL;
}

/* Behind a value of any kind. */
static const char *skip_value(const char *at)
{
	unsigned depth = 0;

	do {
		at = skip_space(at);
		if (*at == '"') {
			at = skip_string(at);
		} else if (*at == '{' || *at == '[') {
			depth++;
			at++;
		} else if (*at == '}' || *at == ']') {
			depth--;
			at++;
		} else if (*at == ',' || *at == ':') {
			at++;
		} else {
			size_t len = strcspn(at, ",:{}[]\" \t\r\n");
			at = len > 0 ? at + len : NULL;
		}
		if (at && depth > 0)
			at = skip_space(at);
	} while (at && *at && depth > 0);
	return at;
}

const char *json_member(const char *object, const char *name)
{
	size_t len = strlen(name);
	const char *at = object ? skip_space(object) : "";

	if (*at != '{')
		return NULL;
	at = skip_space(at + 1);
	while (*at == '"') {
		const char *end = skip_string(at);
		if (!end)
			return NULL;
		bool found = (size_t)(end - at) == len + 2 && memcmp(at + 1, name, len) == 0;
		at = skip_space(end);
		if (*at != ':')
			return NULL;
		at = skip_space(at + 1);
		if (found)
			return at;
		at = skip_value(at);
		if (!at)
			return NULL;
		at = skip_space(at);
		if (*at != ',')
			return NULL;
		at = skip_space(at + 1);
	}
	return NULL;
}

static void append_utf8(struct text *out, unsigned code)
{
	char bytes[4];
	size_t n = 0;

	if (code < 0x80) {
		bytes[n++] = (char)code;
	} else if (code < 0x800) {
		bytes[n++] = (char)(0xc0 | code >> 6);
		bytes[n++] = (char)(0x80 | (code & 0x3f));
	} else if (code < 0x10000) {
		bytes[n++] = (char)(0xe0 | code >> 12);
		bytes[n++] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[n++] = (char)(0x80 | (code & 0x3f));
	} else {
		bytes[n++] = (char)(0xf0 | code >> 18);
		bytes[n++] = (char)(0x80 | (code >> 12 & 0x3f));
		bytes[n++] = (char)(0x80 | (code >> 6 & 0x3f));
		bytes[n++] = (char)(0x80 | (code & 0x3f));
	}
	text_append(out, bytes, n);
}

/* Four hexadecimal digits, -1 when they are not. */
static int parse_hex4(const char *at)
{
	int code = 0;

	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *digit = at[i] ? strchr(digits, at[i] | (at[i] > '9' ? 0x20 : 0)) : NULL;
		if (!digit)
			return -1;
		code = code * 16 + (int)(digit - digits);
	}
	return code;
}

/* What stands behind a backslash; the last byte of it, NULL when it is no escape. */
static const char *append_escape(struct text *out, const char *at)
{
	static const char names[] = "\"\\/bfnrt";
	static const char bytes[] = "\"\\/\b\f\n\r\t";
	const char *name = *at ? strchr(names, *at) : NULL;

	if (name) {
		text_append(out, &bytes[name - names], 1);
		return at;
	}
	int code = *at == 'u' ? parse_hex4(at + 1) : -1;
	if (code < 0)
		return NULL;
	at += 4;
	if (code >= 0xd800 && code < 0xdc00 && at[1] == '\\' && at[2] == 'u') {
		int low = parse_hex4(at + 3);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			at += 6;
		}
	}
	append_utf8(out, (unsigned)code);
	return at;
}

bool json_append_text(const char *value, struct text *out)
{
	if (!value || *value != '"')
		return false;
	for (const char *at = value + 1; *at && *at != '"'; at++) {
		size_t plain = strcspn(at, "\\\"");
		text_append(out, at, plain);
		at += plain;
		if (*at != '\\') {
			at--;
			continue;
		}
		at = append_escape(out, at + 1);
		if (!at)
			return false;
	}
	return true;
}

bool json_is_true(const char *value)
{
	return value && strncmp(value, "true", 4) == 0;
}
