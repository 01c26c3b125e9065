/* The one way in and out of jansson: see json.h.
 *
 * Invariants: what was parsed here nests at most MAX_NESTING deep, so that
 * everything that walks a value may recurse; an out-of-memory is told apart
 * from a bad text, which jansson itself does not always do: its parser takes a
 * string it could not allocate for an invalid token, and drops a character
 * where the token's text could not grow. Therefore its allocations go through
 * alloc(), which remembers a failure for the calling thread.
 */
#include "base/json.h"

#include "base/path.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NESTING 64
#define MAX_FILE_BYTES (16 * 1024 * 1024)

static _Thread_local bool alloc_failed;

static void *alloc(size_t size)
{
	void *p = malloc(size);

	if (!p)
		alloc_failed = true;
	return p;
}

/* Before main(): jansson asks that it is done before its first use. */
__attribute__((constructor)) static void set_alloc_funcs(void)
{
	json_set_alloc_funcs(alloc, free);
}

/* Line where brackets nest too deep, 0 when they do not. Wrong texts are left
 * to the parser. */
static unsigned find_deep_line(const char *text, size_t len)
{
	unsigned line = 1, depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '\n':
			line++;
			break;
		case '"':
			in_string = !in_string;
			break;
		case '\\':
			i += in_string;
			break;
		case '[':
		case '{':
			if (!in_string && ++depth > MAX_NESTING)
				return line;
			break;
		case ']':
		case '}':
			if (!in_string && depth > 0)
				depth--;
			break;
		default:
			break;
		}
	}
	return 0;
}

/* A literal or number that the end of the text cuts is an invalid token to jansson. */
static bool ends_in_cut_token(const char *text, size_t len)
{
	static const char *const literals[] = { "true", "false", "null" };
	size_t start = len;

	while (start > 0 && text[start - 1] >= 'a' && text[start - 1] <= 'z')
		start--;
	for (size_t i = 0; i < 3 && start < len; i++) {
		if (len - start < strlen(literals[i]) &&
		    memcmp(text + start, literals[i], len - start) == 0)
			return true;
	}
	return len > 0 && (text[len - 1] == '-' || text[len - 1] == '.');
}

/* *ret_used: bytes of the value. -EAGAIN (without a sentence) when the text ends inside the value and
 * flags allow more behind it. */
static int parse(const char *text, size_t len, size_t flags, json_t **ret, size_t *ret_used,
		 struct error *err)
{
	unsigned deep = find_deep_line(text, len);
	auto_json json_t *value = NULL;
	json_error_t problem;
	int line;

	if (deep > 0)
		return error_set(err, EINVAL, "line %u: nested deeper than %d", deep, MAX_NESTING);
	alloc_failed = false;
	value = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &problem);
	if (alloc_failed)
		return error_set(err, ENOMEM, "out of memory");
	if (value) {
		*ret_used = (size_t)problem.position;
		*ret = steal_ptr(&value);
		return 0;
	}
	if (flags && (json_error_code(&problem) == json_error_premature_end_of_input ||
		      ends_in_cut_token(text, len)))
		return -EAGAIN;
	line = problem.line > 0 ? problem.line : 1;
	/* jansson's own text tells the programmer which flag to set. */
	if (json_error_code(&problem) == json_error_null_character)
		return error_set(err, EINVAL, "line %d: \\u0000 is not allowed in a string", line);
	return error_set(err, EINVAL, "line %d: %s", line, problem.text);
}

int json_parse_text(const char *text, size_t len, json_t **ret, struct error *err)
{
	size_t used;

	return parse(text, len, 0, ret, &used, err);
}

int json_parse_prefix(const char *text, size_t len, json_t **ret, size_t *ret_used,
		      struct error *err)
{
	return parse(text, len, JSON_DISABLE_EOF_CHECK, ret, ret_used, err);
}

int json_read_file(int dir_fd, const char *name, json_t **ret, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int r = path_read_file(dir_fd, name, MAX_FILE_BYTES, &text, err);

	if (r < 0)
		return r;
	r = json_parse_text(strbuf_get_str(&text), text.len, ret, err);
	return error_wrap(err, r, "'%s'", name);
}

static int append_text(const char *text, size_t len, void *out)
{
	strbuf_append(out, text, len);
	return ((struct strbuf *)out)->oom ? -1 : 0;
}

int json_render(const json_t *value, unsigned indent, struct strbuf *out, struct error *err)
{
	size_t flags = JSON_ENCODE_ANY | (indent > 0 ? JSON_INDENT(indent) : JSON_COMPACT);
	size_t start = out->len;

	int r;

	alloc_failed = false;
	r = json_dump_callback(value, append_text, out, flags);
	if (r == 0 && !out->oom && !alloc_failed)
		return 0;
	strbuf_truncate(out, start);
	if (out->oom || alloc_failed)
		return error_set(err, ENOMEM, "out of memory");
	/* No value, or one that contains itself: never from a text. */
	return error_set(err, EIO, "bug: a value cannot be written as JSON");
}

int json_replace_file(int dir_fd, const char *name, const json_t *value, mode_t mode, bool durable,
		      struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int r = json_render(value, 0, &text, err);

	if (r < 0)
		return error_wrap(err, r, "cannot write '%s'", name);
	strbuf_append_char(&text, '\n');
	r = strbuf_check(&text, err);
	if (r < 0)
		return error_wrap(err, r, "cannot write '%s'", name);
	return path_replace_file(dir_fd, name, text.data, text.len, mode, durable, err);
}

/* Merge the members of an object that is a patch into target, an object that is
 * nobody else's. */
static int merge_members(json_t *target, const json_t *patch)
{
	const char *key;
	json_t *value, *old;

	json_object_foreach((json_t *)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(target, key);
			continue;
		}
		if (!json_is_object(value)) {
			if (json_object_set_new(target, key, json_deep_copy(value)) < 0)
				return -ENOMEM;
			continue;
		}
		old = json_object_get(target, key);
		if (!json_is_object(old)) {
			old = json_object();
			if (json_object_set_new(target, key, old) < 0)
				return -ENOMEM;
		}
		if (merge_members(old, value) < 0)
			return -ENOMEM;
	}
	return 0;
}

json_t *json_merge_patch(const json_t *target, const json_t *patch)
{
	auto_json json_t *merged = NULL;

	if (!json_is_object(patch))
		return json_deep_copy(patch);
	alloc_failed = false;
	merged = json_is_object(target) ? json_deep_copy(target) : json_object();
	if (!merged || merge_members(merged, patch) < 0 || alloc_failed)
		return NULL;
	return steal_ptr(&merged);
}

const char *json_get_str(const json_t *object, const char *key, const char *fallback)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : fallback;
}

int64_t json_get_int(const json_t *object, const char *key, int64_t fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool json_get_bool(const json_t *object, const char *key, bool fallback)
{
	const json_t *value = json_object_get(object, key);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

json_t *json_get_array(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_array(value) ? value : NULL;
}

json_t *json_get_object(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_object(value) ? value : NULL;
}
