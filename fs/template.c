/* Paths into JSON between braces. No functions but json, no loops, no pipes: whoever
 * needs more has the JSON itself.
 */
#include "fs/template.h"

#include <string.h>

/* An expression: "json .A.B" or ".A.B", blanks around it dropped. */
struct expression {
	const char *text;
	size_t len;
};

static struct expression trim(const char *text, size_t len)
{
	while (len > 0 && *text == ' ') {
		text++;
		len--;
	}
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return (struct expression){ text, len };
}

/* The value that ".A.B" leads to, borrowed. */
static int find_value(struct expression path, const json_t *value, const json_t **ret,
		      struct error *err)
{
	const char *at = path.text, *end = path.text + path.len;

	if (path.len == 0 || *at != '.')
		return error_set(err, EINVAL, "'{{%.*s}}' is not {{.KEY}} or {{json .KEY}}",
				 (int)path.len, path.text);
	while (at < end && at + 1 < end) {
		const char *name = at + 1;
		const char *next = memchr(name, '.', (size_t)(end - name));
		size_t len = (size_t)((next ? next : end) - name);
		const json_t *member = json_object_getn(value, name, len);

		if (!member)
			return error_set(err, EINVAL, "there is no '%.*s' in '{{%.*s}}'", (int)len,
					 name, (int)path.len, path.text);
		value = member;
		at = name + len;
	}
	*ret = value;
	return 0;
}

static int append_value(const json_t *value, bool as_json, struct strbuf *out, struct error *err)
{
	if (!as_json && json_is_string(value)) {
		strbuf_append_escaped(out, json_string_value(value), json_string_length(value));
		return 0;
	}
	if (!as_json && json_is_null(value)) {
		strbuf_append_str(out, "<no value>");
		return 0;
	}
	return json_render(value, 0, out, err);
}

static int append_expression(struct expression expression, const json_t *value, struct strbuf *out,
			     struct error *err)
{
	bool as_json = expression.len > 5 && strncmp(expression.text, "json ", 5) == 0;
	const json_t *found = NULL;
	int ret;

	if (as_json)
		expression = trim(expression.text + 5, expression.len - 5);
	ret = find_value(expression, value, &found, err);
	return ret < 0 ? ret : append_value(found, as_json, out, err);
}

int template_render(const char *format, const json_t *value, struct strbuf *out, struct error *err)
{
	const char *open;

	while ((open = strstr(format, "{{"))) {
		const char *close = strstr(open, "}}");
		int ret;

		if (!close)
			return error_set(err, EINVAL, "a '{{' in the format has no '}}'");
		strbuf_append(out, format, (size_t)(open - format));
		ret = append_expression(trim(open + 2, (size_t)(close - open - 2)), value, out,
					err);
		if (ret < 0)
			return ret;
		format = close + 2;
	}
	strbuf_append_str(out, format);
	return 0;
}
