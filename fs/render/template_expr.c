/* Expressions between braces: a value by its path, a literal, or a function of such.
 *
 *	call:    operand | FUNCTION operand...
 *	operand: [".NAME"...] | "$NAME" [".NAME"...] | "(" call ")" [".NAME"...] | "TEXT" | NUMBER
 *
 * The functions are len, index and join, whose values are docker's.
 */
#include "fs/render/template_private.h"

#include "base/num.h"

#include <ctype.h>
#include <string.h>

#define DEPTH_MAX 16 /* of parentheses */
#define ARGS_MAX 8

struct expr {
	struct template_text text;  /* what is left */
	struct template_text whole; /* for sentences */
	const struct template_scope *scope;
	unsigned depth;
	struct error *err;
};

void template_skip_blanks(struct template_text *text)
{
	while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
		text->at++;
}

struct template_text template_take_word(struct template_text *text)
{
	struct template_text word = { text->at, text->at };

	if (text->at < text->end && isalpha((unsigned char)*text->at))
		while (word.end < text->end &&
		       (isalnum((unsigned char)*word.end) || *word.end == '_'))
			word.end++;
	text->at = word.end;
	return word;
}

bool template_is_word(struct template_text word, const char *wanted)
{
	size_t len = (size_t)(word.end - word.at);

	return len == strlen(wanted) && memcmp(word.at, wanted, len) == 0;
}

/* Quotes in sentences are cut: a format may be as long as a command. */
#define QUOTED(t) ((t).end - (t).at < 200 ? (int)((t).end - (t).at) : 200), (t).at

static int refuse(const struct expr *expr)
{
	return error_set(expr->err, EINVAL,
			 "'{{%.*s}}' is none of {{.KEY}}, json, len, index, join, range, if, else, "
			 "end",
			 QUOTED(expr->whole));
}

static int take_value(const struct expr *expr, json_t *value, json_t **ret)
{
	if (!value)
		return error_set(expr->err, ENOMEM, "no memory for the format");
	*ret = value;
	return 0;
}

static bool is_at_end(const struct expr *expr)
{
	return expr->text.at == expr->text.end;
}

static bool next_is(const struct expr *expr, char c)
{
	return !is_at_end(expr) && *expr->text.at == c;
}

/* --- operands ------------------------------------------------------------------- */

static struct template_text take_name(struct expr *expr)
{
	struct template_text name = { expr->text.at, expr->text.at };

	while (name.end < expr->text.end && !strchr(" \t.()\"", *name.end))
		name.end++;
	expr->text.at = name.end;
	return name;
}

/* ".A.B" behind a value: its member; takes the value over. */
static int follow_path(struct expr *expr, json_t *value, json_t **ret)
{
	auto_json json_t *found = value;

	while (next_is(expr, '.')) {
		struct template_text name;
		json_t *member;

		expr->text.at++;
		name = take_name(expr);
		/* The dot itself is a value too. */
		if (name.at == name.end && !next_is(expr, '.'))
			break;
		member = json_object_getn(found, name.at, (size_t)(name.end - name.at));
		if (!member)
			return error_set(expr->err, EINVAL, "there is no '%.*s' in '{{%.*s}}'",
					 QUOTED(name), QUOTED(expr->whole));
		json_incref(member);
		json_decref(found);
		found = member;
	}
	*ret = steal_ptr(&found);
	return 0;
}

static int eval_variable(struct expr *expr, json_t **ret)
{
	const struct template_scope *scope = expr->scope;
	struct template_text name;
	size_t len;

	expr->text.at++;
	name = take_name(expr);
	len = (size_t)(name.end - name.at);
	for (; scope; scope = scope->outer) {
		size_t own = (size_t)(scope->name.end - scope->name.at);

		if (len > 0 && len == own && memcmp(scope->name.at, name.at, len) == 0)
			return follow_path(expr, json_incref((json_t *)(uintptr_t)scope->value),
					   ret);
		/* "$" is the whole. */
		if (len == 0 && !scope->outer)
			return follow_path(expr, json_incref((json_t *)(uintptr_t)scope->dot), ret);
	}
	return error_set(expr->err, EINVAL, "there is no variable '$%.*s' in '{{%.*s}}'",
			 QUOTED(name), QUOTED(expr->whole));
}

static int eval_string(struct expr *expr, json_t **ret)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	for (expr->text.at++; !is_at_end(expr) && !next_is(expr, '"'); expr->text.at++) {
		if (*expr->text.at == '\\' && expr->text.at + 1 < expr->text.end)
			expr->text.at++;
		strbuf_append_char(&text, *expr->text.at);
	}
	if (is_at_end(expr))
		return refuse(expr);
	expr->text.at++;
	return take_value(expr, text.oom ? NULL : json_string(strbuf_get_str(&text)), ret);
}

static int eval_number(struct expr *expr, json_t **ret)
{
	struct template_text name = take_name(expr);
	char text[24];
	int64_t number;

	if (name.at == name.end || (size_t)(name.end - name.at) >= sizeof(text))
		return refuse(expr);
	memcpy(text, name.at, (size_t)(name.end - name.at));
	text[name.end - name.at] = '\0';
	if (num_parse_i64(text, INT64_MIN, INT64_MAX, &number) < 0)
		return refuse(expr);
	return take_value(expr, json_integer(number), ret);
}

static int eval_call(struct expr *expr, json_t **ret);

static int eval_parentheses(struct expr *expr, json_t **ret)
{
	json_t *value = NULL;
	int r;

	if (++expr->depth > DEPTH_MAX)
		return refuse(expr);
	expr->text.at++;
	r = eval_call(expr, &value);
	if (r < 0)
		return r;
	expr->depth--;
	if (!next_is(expr, ')')) {
		json_decref(value);
		return refuse(expr);
	}
	expr->text.at++;
	return follow_path(expr, value, ret);
}

static int eval_operand(struct expr *expr, json_t **ret)
{
	if (next_is(expr, '.'))
		return follow_path(expr, json_incref((json_t *)(uintptr_t)expr->scope->dot), ret);
	if (next_is(expr, '$'))
		return eval_variable(expr, ret);
	if (next_is(expr, '('))
		return eval_parentheses(expr, ret);
	return next_is(expr, '"') ? eval_string(expr, ret) : eval_number(expr, ret);
}

/* --- functions -------------------------------------------------------------------- */

static int apply_len(struct expr *expr, json_t *const *args, size_t count, json_t **ret)
{
	const json_t *of = count == 1 ? args[0] : NULL;

	if (json_is_string(of))
		return take_value(expr, json_integer((json_int_t)json_string_length(of)), ret);
	if (!json_is_array(of) && !json_is_object(of))
		return error_set(expr->err, EINVAL, "'{{%.*s}}': only what has parts has a len",
				 QUOTED(expr->whole));
	return take_value(expr,
			  json_integer((json_int_t)(json_is_array(of) ? json_array_size(of)
								      : json_object_size(of))),
			  ret);
}

/* One step into a list or an object. A member that is not there is an empty text, as it is of
 * docker's labels. */
static int step_into(struct expr *expr, json_t *of, const json_t *index, json_t **ret)
{
	json_t *member = NULL;

	if (json_is_object(of) && json_is_string(index))
		member = json_object_getn(of, json_string_value(index), json_string_length(index));
	else if (json_is_array(of) && json_is_integer(index) && json_integer_value(index) >= 0)
		member = json_array_get(of, (size_t)json_integer_value(index));
	if (member) {
		*ret = json_incref(member);
		return 0;
	}
	if (json_is_object(of) && json_is_string(index))
		return take_value(expr, json_string(""), ret);
	return error_set(expr->err, EINVAL, "'{{%.*s}}': there is no such element",
			 QUOTED(expr->whole));
}

static int apply_index(struct expr *expr, json_t *const *args, size_t count, json_t **ret)
{
	auto_json json_t *value = count > 0 ? json_incref(args[0]) : NULL;

	if (count < 2)
		return refuse(expr);
	for (size_t i = 1; i < count; i++) {
		json_t *member = NULL;
		int r = step_into(expr, value, args[i], &member);

		if (r < 0)
			return r;
		json_decref(value);
		value = member;
	}
	*ret = steal_ptr(&value);
	return 0;
}

static int apply_join(struct expr *expr, json_t *const *args, size_t count, json_t **ret)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	json_t *item;
	size_t i;

	if (count != 2 || !json_is_array(args[0]) || !json_is_string(args[1]))
		return refuse(expr);
	json_array_foreach(args[0], i, item) {
		if (!json_is_string(item))
			return refuse(expr);
		strbuf_append_str(&text, i > 0 ? json_string_value(args[1]) : "");
		strbuf_append_str(&text, json_string_value(item));
	}
	return take_value(expr, text.oom ? NULL : json_string(strbuf_get_str(&text)), ret);
}

static const struct function {
	const char *name;
	int (*apply)(struct expr *expr, json_t *const *args, size_t count, json_t **ret);
} functions[] = { { "len", apply_len }, { "index", apply_index }, { "join", apply_join } };

/* Operands to the end of the call. *inout_count of args are to be freed, also after a failure. */
static int eval_args(struct expr *expr, json_t *args[ARGS_MAX], size_t *inout_count)
{
	int r = 0;

	template_skip_blanks(&expr->text);
	while (r == 0 && !is_at_end(expr) && !next_is(expr, ')')) {
		if (*inout_count == ARGS_MAX)
			return refuse(expr);
		r = eval_operand(expr, &args[*inout_count]);
		if (r == 0)
			++*inout_count;
		template_skip_blanks(&expr->text);
	}
	return r;
}

static int eval_function(struct expr *expr, const struct function *function, json_t **ret)
{
	json_t *args[ARGS_MAX];
	size_t count = 0;
	int r = eval_args(expr, args, &count);

	if (r == 0)
		r = function->apply(expr, args, count, ret);
	while (count > 0)
		json_decref(args[--count]);
	return r;
}

static int eval_call(struct expr *expr, json_t **ret)
{
	struct template_text word;
	int r;

	template_skip_blanks(&expr->text);
	word = template_take_word(&expr->text);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (template_is_word(word, functions[i].name))
			return eval_function(expr, &functions[i], ret);
	if (word.at != word.end)
		return refuse(expr);
	r = eval_operand(expr, ret);
	template_skip_blanks(&expr->text);
	return r;
}

int template_eval(struct template_text expression, const struct template_scope *scope, json_t **ret,
		  struct error *err)
{
	struct expr expr = { .text = expression, .whole = expression, .scope = scope, .err = err };
	json_t *value = NULL;
	int r = eval_call(&expr, &value);

	if (r == 0 && !is_at_end(&expr)) {
		json_decref(value);
		return refuse(&expr);
	}
	if (r == 0)
		*ret = value;
	return r;
}
