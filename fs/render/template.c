/* The part of docker's templates that people ask for values with: expressions
 * (template_expr.c), range, if. No pipes, no definitions: whoever needs more has the
 * JSON itself.
 *
 * A block is read again for each element of its range, so a short format could ask for
 * more than there is time or memory for: both are bounded.
 */
#include "fs/render/template_private.h"

#include <string.h>

#define BLOCKS_MAX 16         /* inside each other */
#define STEPS_MAX 100000      /* actions of all rounds */
#define BYTES_MAX (16U << 20) /* of what they make */

struct run {
	struct strbuf *out;
	struct error *err;
	unsigned depth, steps;
};

/* What ended a block. */
enum stop { STOP_TEXT, STOP_ELSE, STOP_END };

static int run_block(struct run *run, const char **at, const struct template_scope *scope,
		     bool shown, enum stop *ret_stop);

/* --- values ------------------------------------------------------------------------ */

static int append_value(const struct run *run, const json_t *value, bool as_json)
{
	if (!as_json && json_is_string(value)) {
		strbuf_append_escaped(run->out, json_string_value(value),
				      json_string_length(value));
		return 0;
	}
	if (!as_json && json_is_null(value)) {
		strbuf_append_str(run->out, "<no value>");
		return 0;
	}
	return json_render(value, 0, run->out, run->err);
}

static int append_expression(const struct run *run, struct template_text text,
			     const struct template_scope *scope)
{
	struct template_text rest = text;
	bool as_json = template_is_word(template_take_word(&rest), "json");
	auto_json json_t *value = NULL;
	int r;

	if (as_json)
		template_skip_blanks(&rest);
	r = template_eval(as_json ? rest : text, scope, &value, run->err);
	return r < 0 ? r : append_value(run, value, as_json);
}

/* As Go has it: zero, nothing and empty things are false. */
static bool is_true(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return json_string_length(value) > 0;
	case JSON_INTEGER:
		return json_integer_value(value) != 0;
	case JSON_REAL:
		return json_real_value(value) != 0;
	case JSON_ARRAY:
		return json_array_size(value) > 0;
	case JSON_OBJECT:
		return json_object_size(value) > 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

/* --- blocks ------------------------------------------------------------------------- */

/* The part behind else, if there is one: shown when the one before was not. */
static int run_else(struct run *run, const char **at, const struct template_scope *scope,
		    enum stop stop, bool shown)
{
	if (stop == STOP_ELSE) {
		int r = run_block(run, at, scope, shown, &stop);

		if (r < 0)
			return r;
	}
	if (stop != STOP_END)
		return error_set(run->err, EINVAL, "a range or if in the format has no {{end}}");
	return 0;
}

static int run_if(struct run *run, const char **at, struct template_text condition,
		  const struct template_scope *scope, bool shown)
{
	auto_json json_t *value = NULL;
	enum stop stop;
	bool yes;
	int r = shown ? template_eval(condition, scope, &value, run->err) : 0;

	if (r < 0)
		return r;
	yes = shown && is_true(value);
	r = run_block(run, at, scope, yes, &stop);
	return r < 0 ? r : run_else(run, at, scope, stop, shown && !yes);
}

/* "$VALUE :=" or "$KEY, $VALUE :=" in front of what a range goes over. */
struct names {
	struct template_text key, value;
};

static struct template_text take_variable(struct template_text *text)
{
	struct template_text name = { NULL, NULL };

	template_skip_blanks(text);
	if (text->at < text->end && *text->at == '$') {
		text->at++;
		name = template_take_word(text);
		template_skip_blanks(text);
	}
	return name;
}

/* Text without names, and *ret, stay as they are. */
static void take_names(struct template_text *text, struct names *ret)
{
	struct template_text rest = *text;
	struct names names = { .value = take_variable(&rest) };

	if (rest.at < rest.end && *rest.at == ',') {
		rest.at++;
		names.key = names.value;
		names.value = take_variable(&rest);
	}
	if (rest.end - rest.at < 2 || strncmp(rest.at, ":=", 2) != 0)
		return;
	rest.at += 2;
	template_skip_blanks(&rest);
	*text = rest;
	*ret = names;
}

struct range {
	const char *body;
	struct names names;
	const struct template_scope *scope;
};

/* One round; takes the key over. */
static int run_round(struct run *run, const struct range *range, json_t *key, const json_t *item,
		     const char **ret_at, enum stop *ret_stop)
{
	auto_json json_t *held = key;
	const struct template_scope outer = { item, range->names.key, held, range->scope };
	const struct template_scope scope = { item, range->names.value, item, &outer };

	if (!held)
		return error_set(run->err, ENOMEM, "no memory for the format");
	*ret_at = range->body;
	return run_block(run, ret_at, &scope, true, ret_stop);
}

static int run_rounds(struct run *run, const struct range *range, json_t *list, const char **ret_at,
		      enum stop *ret_stop)
{
	const char *name;
	json_t *item;
	size_t i;
	int r = 0;

	json_array_foreach(list, i, item) {
		r = run_round(run, range, json_integer((json_int_t)i), item, ret_at, ret_stop);
		if (r < 0)
			return r;
	}
	json_object_foreach(list, name, item) {
		r = run_round(run, range, json_string(name), item, ret_at, ret_stop);
		if (r < 0)
			return r;
	}
	return r;
}

static int run_range(struct run *run, const char **at, struct template_text over,
		     const struct template_scope *scope, bool shown)
{
	struct range range = { .body = *at, .scope = scope };
	auto_json json_t *list = NULL;
	enum stop stop;
	bool any;
	int r;

	take_names(&over, &range.names);
	r = shown ? template_eval(over, scope, &list, run->err) : 0;
	if (r < 0)
		return r;
	if (list && !json_is_array(list) && !json_is_object(list) && !json_is_null(list))
		return error_set(run->err, EINVAL,
				 "'{{range %.*s}}' is neither a list nor an object",
				 (int)(over.end - over.at), over.at);
	any = list && is_true(list);
	r = any ? run_rounds(run, &range, list, at, &stop)
		: run_block(run, at, scope, false, &stop);
	return r < 0 ? r : run_else(run, at, scope, stop, shown && !any);
}

/* --- the whole ------------------------------------------------------------------------ */

/* What stands between the next braces; text before it is shown. False: there are no more. */
static bool take_action(const struct run *run, const char **at, bool shown,
			struct template_text *ret, int *ret_failure)
{
	const char *open = strstr(*at, "{{");
	const char *close = open ? strstr(open, "}}") : NULL;

	*ret_failure = 0;
	if (open && !close)
		*ret_failure = error_set(run->err, EINVAL, "a '{{' in the format has no '}}'");
	if (*ret_failure < 0)
		return false;
	if (shown)
		strbuf_append(run->out, *at, open ? (size_t)(open - *at) : strlen(*at));
	*at = open ? close + 2 : *at + strlen(*at);
	if (!open)
		return false;
	*ret = (struct template_text){ open + 2, close };
	template_skip_blanks(ret);
	while (ret->end > ret->at && ret->end[-1] == ' ')
		ret->end--;
	return true;
}

/* An action that is neither else nor end. */
static int run_action(struct run *run, const char **at, struct template_text action,
		      const struct template_scope *scope, bool shown)
{
	struct template_text rest = action;
	struct template_text word = template_take_word(&rest);
	bool is_range = template_is_word(word, "range");
	int r;

	if (++run->steps > STEPS_MAX)
		return error_set(run->err, E2BIG, "the format takes more than %d steps", STEPS_MAX);
	if (run->out->len > BYTES_MAX)
		return error_set(run->err, E2BIG, "the format makes more than %u bytes", BYTES_MAX);
	if (!is_range && !template_is_word(word, "if"))
		return shown ? append_expression(run, action, scope) : 0;
	if (++run->depth > BLOCKS_MAX)
		return error_set(run->err, EINVAL,
				 "more than %d blocks inside each other in the "
				 "format",
				 BLOCKS_MAX);
	template_skip_blanks(&rest);
	r = is_range ? run_range(run, at, rest, scope, shown) : run_if(run, at, rest, scope, shown);
	run->depth--;
	return r;
}

/* From *at to the end of the block, behind which *at is then. */
static int run_block(struct run *run, const char **at, const struct template_scope *scope,
		     bool shown, enum stop *ret_stop)
{
	struct template_text action;
	int r;

	while (take_action(run, at, shown, &action, &r)) {
		if (template_is_word(action, "end") || template_is_word(action, "else")) {
			*ret_stop = template_is_word(action, "end") ? STOP_END : STOP_ELSE;
			return 0;
		}
		r = run_action(run, at, action, scope, shown);
		if (r < 0)
			return r;
	}
	*ret_stop = STOP_TEXT;
	return r;
}

int template_render(const char *format, const json_t *value, struct strbuf *out, struct error *err)
{
	const struct template_scope scope = { .dot = value };
	struct run run = { .out = out, .err = err };
	enum stop stop;
	int r = run_block(&run, &format, &scope, true, &stop);

	if (r == 0 && stop != STOP_TEXT)
		return error_set(err, EINVAL, "an {{%s}} in the format belongs to no block",
				 stop == STOP_END ? "end" : "else");
	return r;
}
