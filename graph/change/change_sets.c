/* Instructions that put several things into a member: variables, labels, ports, volumes. */
#include "base/num.h"
#include "graph/change/change_private.h"
#include "graph/change/change_word.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Each word of the line, in its meaning. */
static int for_each_word(const struct change *change, const char *line,
			 int (*fn)(void *arg, const char *word, struct error *err), void *arg,
			 struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf word = STRBUF_INIT;
	int r = 0;

	while (r == 0 && *line) {
		const char *end = change_word_find_end(line);

		r = change_expand(change->config, line, (size_t)(end - line), &word, err);
		if (r == 0)
			r = fn(arg, strbuf_get_str(&word), err);
		line = change_word_skip(end);
	}
	return r;
}

/* --- ENV, LABEL ---------------------------------------------------------------------- */

struct pairs {
	json_t *config;
	int (*set)(json_t *config, const char *pair, struct error *err);
};

static int set_env(json_t *config, const char *pair, struct error *err)
{
	size_t name_len = strcspn(pair, "=") + 1;
	json_t *list = change_get_member(config, "Env", true), *value = json_string(pair);

	if (!list || !value) {
		json_decref(value);
		return change_no_memory(err);
	}
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *entry = json_string_value(json_array_get(list, i));

		if (entry && strncmp(entry, pair, name_len) == 0)
			return json_array_set_new(list, i, value) < 0 ? change_no_memory(err) : 0;
	}
	return json_array_append_new(list, value) < 0 ? change_no_memory(err) : 0;
}

static int set_label(json_t *config, const char *pair, struct error *err)
{
	auto_free char *name = strndup(pair, strcspn(pair, "="));

	if (!name)
		return change_no_memory(err);
	return change_set_member(config, "Labels", name, json_string(pair + strlen(name) + 1), err);
}

static int take_pair(void *arg, const char *word, struct error *err)
{
	const struct pairs *pairs = arg;
	const char *equals = strchr(word, '=');

	if (!equals || equals == word)
		return error_set(err, EINVAL, "'%s' is not NAME=VALUE", word);
	return pairs->set(pairs->config, word, err);
}

/* NAME REST: the value is all of the rest. */
static int take_old_pair(const struct change *change, const struct pairs *pairs, const char *line,
			 struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf value = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf pair = STRBUF_INIT;
	const char *end = change_word_find_end(line), *rest = change_word_skip(end);
	int r;

	if (!*rest)
		return error_set(err, EINVAL, "'%s' is not NAME=VALUE", line);
	r = change_expand(change->config, line, (size_t)(end - line), &pair, err);
	if (r == 0 && pair.len == 0)
		r = error_set(err, EINVAL, "a variable without a name");
	if (r == 0)
		r = change_expand(change->config, rest, strlen(rest), &value, err);
	if (r < 0)
		return r;
	strbuf_append_char(&pair, '=');
	strbuf_append(&pair, strbuf_get_str(&value), value.len);
	r = strbuf_check(&pair, err);
	return r < 0 ? r : pairs->set(pairs->config, strbuf_get_str(&pair), err);
}

/* All words see the variables of before. */
static int apply_pairs(struct change *change, const char *line,
		       int (*set_pair)(json_t *config, const char *pair, struct error *err),
		       struct error *err)
{
	auto_json json_t *after = change_copy(change->config);
	struct pairs pairs = { .config = after, .set = set_pair };
	const char *equals = strchr(line, '=');
	int r;

	if (!after)
		return change_no_memory(err);
	if (!equals || equals > change_word_find_end(line))
		r = take_old_pair(change, &pairs, line, err);
	else
		r = for_each_word(change, line, take_pair, &pairs, err);
	if (r < 0)
		return r;
	json_decref(change->config);
	change->config = steal_ptr(&after);
	return 0;
}

int change_apply_env(struct change *change, const char *line, struct error *err)
{
	return apply_pairs(change, line, set_env, err);
}

int change_apply_label(struct change *change, const char *line, struct error *err)
{
	return apply_pairs(change, line, set_label, err);
}

/* --- EXPOSE, VOLUME -------------------------------------------------------------------- */

static bool parse_port(const char *text, size_t len, uint64_t *ret)
{
	char digits[8];

	if (len >= sizeof(digits))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	return num_parse_u64(digits, 1, UINT16_MAX, ret) == 0;
}

static int expose(void *arg, const char *word, struct error *err)
{
	const char *slash = strchr(word, '/'), *protocol = slash ? slash + 1 : "tcp";
	size_t len = slash ? (size_t)(slash - word) : strlen(word);
	const char *dash = memchr(word, '-', len);
	size_t first_len = dash ? (size_t)(dash - word) : len;
	uint64_t first, last;
	char port[32];
	int r = 0;

	if (strcasecmp(protocol, "tcp") != 0 && strcasecmp(protocol, "udp") != 0 &&
	    strcasecmp(protocol, "sctp") != 0)
		return error_set(err, EINVAL, "'%s' is no protocol; tcp, udp or sctp", protocol);
	if (!parse_port(word, first_len, &first) ||
	    !parse_port(dash ? dash + 1 : word, dash ? len - first_len - 1 : len, &last) ||
	    last < first)
		return error_set(err, EINVAL, "'%s' is not PORT[-PORT][/PROTOCOL]", word);
	for (; r == 0 && first <= last; first++) {
		snprintf(port, sizeof(port), "%u/%s", (unsigned)first,
			 strcasecmp(protocol, "tcp") == 0   ? "tcp"
			 : strcasecmp(protocol, "udp") == 0 ? "udp"
							    : "sctp");
		r = change_set_member(arg, "ExposedPorts", port, json_object(), err);
	}
	return r;
}

int change_apply_expose(struct change *change, const char *line, struct error *err)
{
	return for_each_word(change, line, expose, change->config, err);
}

static int add_volume(void *arg, const char *word, struct error *err)
{
	if (*word != '/')
		return error_set(err, EINVAL, "'%s' is not an absolute path", word);
	return change_set_member(arg, "Volumes", word, json_object(), err);
}

int change_apply_volume(struct change *change, const char *line, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf word = STRBUF_INIT;
	auto_json json_t *list = NULL;
	int r = change_parse_list(line, &list, err);

	if (r < 0)
		return r;
	if (r == 0)
		return for_each_word(change, line, add_volume, change->config, err);
	if (json_array_size(list) == 0)
		return error_set(err, EINVAL, "no path given");
	r = 0;
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		r = change_expand(change->config, text, strlen(text), &word, err);
		if (r == 0)
			r = add_volume(change->config, strbuf_get_str(&word), err);
	}
	return r;
}
