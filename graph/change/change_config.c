/* One row of a table for each instruction: how its line is taken apart, and what it does to
 * the configuration, which is a private copy until all have succeeded.
 *
 * The configuration comes from an image, so from outside: a member of the wrong type is
 * replaced by what an instruction sets, as if it had not been there.
 */
#include "graph/change/change_config.h"

#include "base/num.h"
#include "base/utf8.h"
#include "graph/change/change_private.h"
#include "graph/change/change_word.h"

#include <limits.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

struct instruction {
	const char *name;
	/* line: behind the name and blanks, not empty */
	int (*apply)(struct change *change, const char *line, struct error *err);
};

int change_no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "out of memory for an image config");
}

/* --- members ------------------------------------------------------------------ */

int change_set(json_t *object, const char *key, json_t *value, struct error *err)
{
	return json_object_set_new(object, key, value) < 0 ? change_no_memory(err) : 0;
}

json_t *change_copy(const json_t *config)
{
	auto_json json_t *nothing = json_object();

	return nothing ? json_merge_patch(config, nothing) : NULL;
}

json_t *change_get_member(json_t *config, const char *key, bool is_list)
{
	json_t *member = json_object_get(config, key);

	if (is_list ? json_is_array(member) : json_is_object(member))
		return member;
	member = is_list ? json_array() : json_object();
	return json_object_set_new(config, key, member) < 0 ? NULL : member;
}

int change_set_member(json_t *config, const char *key, const char *name, json_t *value,
		      struct error *err)
{
	json_t *object = change_get_member(config, key, false);

	if (object)
		return change_set(object, name, value, err);
	json_decref(value);
	return change_no_memory(err);
}

/* --- words ---------------------------------------------------------------------- */

static const char *find_env(const void *arg, const char *name, size_t len)
{
	const json_t *list = json_get_array(arg, "Env");

	for (size_t i = json_array_size(list); i-- > 0;) {
		const char *entry = json_string_value(json_array_get(list, i));

		if (entry && strncmp(entry, name, len) == 0 && entry[len] == '=')
			return entry + len + 1;
	}
	return NULL;
}

int change_expand(const json_t *config, const char *text, size_t len, struct strbuf *out,
		  struct error *err)
{
	const struct change_env env = { .find = find_env, .arg = config };

	strbuf_reset(out);
	return change_word_expand(text, len, &env, out, err);
}

int change_parse_list(const char *line, json_t **ret, struct error *err)
{
	auto_json json_t *list = NULL;
	const json_t *item;
	size_t i;
	int r = *line == '[' ? json_parse_text(line, strlen(line), &list, NULL) : -EINVAL;

	if (r < 0)
		return r == -ENOMEM ? change_no_memory(err) : 0;
	json_array_foreach(list, i, item)
		if (!json_is_string(item))
			return error_set(err, EINVAL, "a list of something else than strings");
	*ret = steal_ptr(&list);
	return 1;
}

/* --- CMD, ENTRYPOINT --------------------------------------------------------------- */

static json_t *make_shell_line(const json_t *config, const char *line)
{
	json_t *shell = json_get_array(config, "Shell");
	auto_json json_t *argv = json_array_size(shell) > 0 ? json_copy(shell)
							    : json_pack("[s, s]", "/bin/sh", "-c");

	if (!argv || json_array_append_new(argv, json_string(line)) < 0)
		return NULL;
	return steal_ptr(&argv);
}

static int set_argv(struct change *change, const char *key, const char *line, struct error *err)
{
	auto_json json_t *list = NULL;
	int r = change_parse_list(line, &list, err);

	if (r < 0)
		return r;
	if (r == 1 && json_array_size(list) == 0) {
		json_object_del(change->config, key);
		return 0;
	}
	return change_set(change->config, key,
			  r == 1 ? steal_ptr(&list) : make_shell_line(change->config, line), err);
}

static int apply_cmd(struct change *change, const char *line, struct error *err)
{
	change->has_cmd = true;
	return set_argv(change, "Cmd", line, err);
}

static int apply_entrypoint(struct change *change, const char *line, struct error *err)
{
	if (!change->has_cmd)
		json_object_del(change->config, "Cmd");
	return set_argv(change, "Entrypoint", line, err);
}

/* --- one value ----------------------------------------------------------------------------- */

static int set_text(struct change *change, const char *key, const char *line,
		    int (*check)(const char *text, struct error *err), struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int r = change_expand(change->config, line, strlen(line), &text, err);

	if (r == 0 && text.len == 0)
		r = error_set(err, EINVAL, "nothing is left of '%s'", line);
	if (r == 0 && check)
		r = check(strbuf_get_str(&text), err);
	return r < 0 ? r : change_set(change->config, key, json_string(strbuf_get_str(&text)), err);
}

static int apply_user(struct change *change, const char *line, struct error *err)
{
	return set_text(change, "User", line, NULL, err);
}

static bool is_signal_name(const char *name)
{
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	if (strncasecmp(name, "RTMIN", 5) == 0 || strncasecmp(name, "RTMAX", 5) == 0)
		return true;
	for (int signo = 1; signo < SIGRTMIN; signo++) {
		const char *known = sigabbrev_np(signo);

		if (known && strcasecmp(known, name) == 0)
			return true;
	}
	return false;
}

static int check_signal(const char *text, struct error *err)
{
	uint64_t number;

	if (num_parse_u64(text, 1, 64, &number) == 0 || is_signal_name(text))
		return 0;
	return error_set(err, EINVAL, "unknown signal '%s'", text);
}

static int apply_stopsignal(struct change *change, const char *line, struct error *err)
{
	return set_text(change, "StopSignal", line, check_signal, err);
}

/* Append a path to out, an absolute one, without '.', '..' and doubled slashes. */
static void append_clean(struct strbuf *out, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			const char *slash = out->len ? strrchr(out->data, '/') : NULL;

			strbuf_truncate(out, slash ? (size_t)(slash - out->data) : 0);
		} else if (len > 0 && !(len == 1 && *path == '.')) {
			strbuf_append_char(out, '/');
			strbuf_append(out, path, len);
		}
		path += len;
		path += *path == '/';
	}
}

static int apply_workdir(struct change *change, const char *line, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf given = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	int r = change_expand(change->config, line, strlen(line), &given, err);

	if (r < 0)
		return r;
	if (given.len == 0)
		return error_set(err, EINVAL, "nothing is left of '%s'", line);
	if (*given.data != '/')
		append_clean(&path, json_get_str(change->config, "WorkingDir", ""));
	append_clean(&path, given.data);
	if (path.len == 0)
		strbuf_append_char(&path, '/');
	r = strbuf_check(&path, err);
	if (r == 0 && path.len >= PATH_MAX)
		r = error_set(err, EINVAL, "a path of more than %d bytes", PATH_MAX - 1);
	return r < 0 ? r : change_set(change->config, "WorkingDir", json_string(path.data), err);
}

static bool begins_with_word(const char *line, const char *word)
{
	return strncasecmp(line, word, strlen(word)) == 0 &&
	       change_word_find_end(line) == line + strlen(word);
}

static int apply_onbuild(struct change *change, const char *line, struct error *err)
{
	json_t *list = change_get_member(change->config, "OnBuild", true),
	       *value = json_string(line);

	if (begins_with_word(line, "ONBUILD") || begins_with_word(line, "FROM") ||
	    begins_with_word(line, "MAINTAINER")) {
		json_decref(value);
		return error_set(err, EINVAL, "an instruction that cannot be kept for later");
	}
	if (list && value)
		return json_array_append_new(list, value) < 0 ? change_no_memory(err) : 0;
	json_decref(value);
	return change_no_memory(err);
}

/* --- the table ------------------------------------------------------------------------------ */

static const struct instruction instructions[] = {
	{ "CMD", apply_cmd },
	{ "ENTRYPOINT", apply_entrypoint },
	{ "ENV", change_apply_env },
	{ "EXPOSE", change_apply_expose },
	{ "LABEL", change_apply_label },
	{ "ONBUILD", apply_onbuild },
	{ "STOPSIGNAL", apply_stopsignal },
	{ "USER", apply_user },
	{ "VOLUME", change_apply_volume },
	{ "WORKDIR", apply_workdir },
};

static int apply_line(struct change *change, const char *line, struct error *err)
{
	for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
		const char *name = instructions[i].name, *rest;

		if (!begins_with_word(line, name))
			continue;
		rest = change_word_skip(line + strlen(name));
		if (!*rest)
			return error_set(err, EINVAL, "nothing behind it");
		return instructions[i].apply(change, rest, err);
	}
	return error_set(err, EINVAL,
			 "unknown instruction; CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, "
			 "STOPSIGNAL, USER, VOLUME or WORKDIR");
}

static bool is_utf8(const char *text)
{
	for (size_t len = strlen(text), step; len > 0; text += step, len -= step) {
		/* The C1 controls are no less text. */
		bool is_control = len > 1 && (unsigned char)text[0] == 0xc2 &&
				  ((unsigned char)text[1] & 0xe0) == 0x80;

		step = (unsigned char)*text < 0x80 ? 1 : is_control ? 2 : utf8_get_len(text, len);
		if (step == 0)
			return false;
	}
	return true;
}

/* Without blanks around it. */
static int apply_text(struct change *change, const char *text, struct error *err)
{
	const char *begin = change_word_skip(text);
	size_t len = strlen(begin);
	auto_free char *line = NULL;
	int r;

	while (len > 0 && strchr(" \t\r\n", begin[len - 1]))
		len--;
	line = strndup(begin, len);
	if (!line)
		return change_no_memory(err);
	r = is_utf8(line) ? apply_line(change, line, err)
			  : error_set(err, EINVAL, "not UTF-8 text");
	return error_wrap(err, r, "change '%.100s'", line);
}

int change_config(const json_t *config, char *const *changes, json_t **ret, struct error *err)
{
	struct change change = { .config = change_copy(config) };
	int r = change.config ? 0 : change_no_memory(err);

	for (; r == 0 && changes && *changes; changes++)
		r = apply_text(&change, *changes, err);
	if (r < 0)
		json_decref(change.config);
	else
		*ret = change.config;
	return r;
}
