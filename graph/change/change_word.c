/* A word is read from left to right by a cursor over its bytes; what stands in ${NAME:-...} is
 * a word again, read by the same function, so the depth is bounded. What is not wanted
 * (the other branch of :- and :+) is read all the same, without a place to put it: its
 * quotes tell where it ends.
 */
#include "graph/change/change_word.h"

#include <string.h>

#define DEPTH_MAX 16

struct cursor {
	const char *at, *end;
	const struct change_env *env;
	struct strbuf *out; /* NULL: not wanted */
	struct error *err;
	unsigned depth;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

const char *change_word_skip(const char *text)
{
	while (is_blank(*text))
		text++;
	return text;
}

const char *change_word_find_end(const char *text)
{
	char quote = '\0';

	for (; *text && (quote || !is_blank(*text)); text++) {
		if (*text == '\\' && quote != '\'' && text[1])
			text++;
		else if (quote && *text == quote)
			quote = '\0';
		else if (!quote && (*text == '\'' || *text == '"'))
			quote = *text;
	}
	return text;
}

static int put(struct cursor *cursor, const char *bytes, size_t len)
{
	if (!cursor->out)
		return 0;
	if (cursor->out->len + len > CHANGE_WORD_MAX)
		return error_set(cursor->err, EINVAL, "a word of more than %zu bytes",
				 CHANGE_WORD_MAX);
	strbuf_append(cursor->out, bytes, len);
	return 0;
}

static int read_word(struct cursor *cursor, char until);

/* --- variables ---------------------------------------------------------------- */

static size_t get_name_len(const struct cursor *cursor)
{
	const char *at = cursor->at;

	while (at < cursor->end && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
				    *at == '_' || (at > cursor->at && *at >= '0' && *at <= '9')))
		at++;
	return (size_t)(at - cursor->at);
}

static int put_value(struct cursor *cursor, const char *value)
{
	return value ? put(cursor, value, strlen(value)) : 0;
}

/* Behind the name in braces; the cursor ends behind the brace. */
static int read_modifier(struct cursor *cursor, const char *value)
{
	struct strbuf *out = cursor->out;
	bool is_set = value && *value, wants_word;
	int r;

	if (cursor->at < cursor->end && *cursor->at == '}') {
		cursor->at++;
		return put_value(cursor, value);
	}
	if (cursor->end - cursor->at < 2 || cursor->at[0] != ':' ||
	    (cursor->at[1] != '-' && cursor->at[1] != '+'))
		return error_set(cursor->err, EINVAL,
				 "behind a variable's name in braces only '}', ':-' and ':+' go");
	wants_word = (cursor->at[1] == '-') != is_set;
	if (cursor->at[1] == '-' && is_set && put_value(cursor, value) < 0)
		return -EINVAL;
	cursor->at += 2;
	if (++cursor->depth > DEPTH_MAX)
		return error_set(cursor->err, EINVAL, "variables nested more than %d deep",
				 DEPTH_MAX);
	cursor->out = wants_word ? out : NULL;
	r = read_word(cursor, '}');
	cursor->out = out;
	cursor->depth--;
	return r;
}

/* Behind the dollar. */
static int read_variable(struct cursor *cursor)
{
	bool in_braces = cursor->at < cursor->end && *cursor->at == '{';
	const char *value;
	size_t len;

	cursor->at += in_braces;
	len = get_name_len(cursor);
	if (len == 0 && in_braces)
		return error_set(cursor->err, EINVAL, "'${' without a variable's name");
	if (len == 0)
		return put(cursor, "$", 1);
	value = cursor->env->find(cursor->env->arg, cursor->at, len);
	cursor->at += len;
	return in_braces ? read_modifier(cursor, value) : put_value(cursor, value);
}

/* --- quotes ---------------------------------------------------------------------- */

/* Behind the backslash. In double quotes it only takes away the meaning of what has one there. */
static int read_escape(struct cursor *cursor, bool in_quotes)
{
	char c;

	if (cursor->at == cursor->end)
		return put(cursor, "\\", 1);
	c = *cursor->at++;
	if (in_quotes && c != '"' && c != '$' && c != '\\' && put(cursor, "\\", 1) < 0)
		return -EINVAL;
	return put(cursor, &c, 1);
}

/* Behind the opening quote. */
static int read_quoted(struct cursor *cursor, char quote)
{
	int r = 0;

	while (r == 0 && cursor->at < cursor->end) {
		char c = *cursor->at++;

		if (c == quote)
			return 0;
		if (c == '\\' && quote == '"')
			r = read_escape(cursor, true);
		else if (c == '$' && quote == '"')
			r = read_variable(cursor);
		else
			r = put(cursor, &c, 1);
	}
	return r < 0 ? r : error_set(cursor->err, EINVAL, "a quote without an end");
}

/* To the end, or (until not NUL) behind that byte. */
static int read_word(struct cursor *cursor, char until)
{
	int r = 0;

	while (r == 0 && cursor->at < cursor->end) {
		char c = *cursor->at++;

		if (until && c == until)
			return 0;
		if (c == '\'' || c == '"')
			r = read_quoted(cursor, c);
		else if (c == '\\')
			r = read_escape(cursor, false);
		else if (c == '$')
			r = read_variable(cursor);
		else
			r = put(cursor, &c, 1);
	}
	if (r == 0 && until)
		return error_set(cursor->err, EINVAL, "a brace without an end");
	return r;
}

int change_word_expand(const char *text, size_t len, const struct change_env *env,
		       struct strbuf *out, struct error *err)
{
	struct cursor cursor = {
		.at = text, .end = text + len, .env = env, .out = out, .err = err
	};
	int r = read_word(&cursor, '\0');

	return r < 0 ? r : strbuf_check(out, err);
}
