/* A command parsed, and shown as one line of text to be compared. */
#ifndef TESTS_FS_COMMAND_FIXTURE_H
#define TESTS_FS_COMMAND_FIXTURE_H

#include "tests/test.h"

#include "fs/command/command.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static inline int parse_text(const char *text, size_t len, const char *container,
			     struct command *ret, struct error *err)
{
	AUTO(words_deinit) struct words words = { .argv = NULL };
	size_t consumed;
	bool in_quote;
	int r = words_split(text, len, true, &words, &consumed, &in_quote, err);

	return r < 0 ? r : command_parse(&words, container, ret, err);
}

static inline void put(struct strbuf *out, const char *name, const char *value)
{
	if (value)
		strbuf_appendf(out, " %s=%s", name, value);
}

static inline void put_list(struct strbuf *out, const char *name, char *const *list)
{
	for (size_t i = 0; list && list[i]; i++)
		strbuf_appendf(out, " %s=%s", name, list[i]);
}

static inline void put_number(struct strbuf *out, const char *name, int64_t value, int64_t usual)
{
	if (value != usual)
		strbuf_appendf(out, " %s=%lld", name, (long long)value);
}

/* All of a command that is not as usual; JSON with ' for ". */
static inline void describe(const struct command *command, struct strbuf *out)
{
	strbuf_append_str(out, verb_get_name(command->verb));
	put(out, "name", command->name);
	put(out, "image", command->image);
	put(out, "source", command->source);
	put(out, "message", command->message);
	put(out, "author", command->author);
	put(out, "format", command->format);
	put(out, "platform", command->platform);
	put(out, "registry", command->registry);
	put(out, "user", command->user);
	put(out, "password", command->password);
	put_list(out, "target", command->targets);
	put_list(out, "filter", command->filters);
	put_list(out, "change", command->changes);
	put_number(out, "pause", command->pause, command->verb == VERB_COMMIT);
	put_number(out, "signo", command->signo, 0);
	put_number(out, "timeout", command->timeout_s, -1);
	put_number(out, "limit", command->limit, -1);
	put_number(out, "remove", command->remove, 0);
	put_number(out, "detach", command->detach, 0);
	put_number(out, "pull", command->pull, PULL_NEVER);
	put_number(out, "force", command->force, 0);
	put_number(out, "volumes", command->volumes, 0);
	put_number(out, "all", command->all, 0);
	put_number(out, "quiet", command->quiet, 0);
	put_number(out, "latest", command->latest, 0);
	put_number(out, "no_trunc", command->no_trunc, 0);
	put_number(out, "size", command->size, 0);
	put_number(out, "rows", command->rows, 0);
	put_number(out, "cols", command->cols, 0);
	if (command->config) {
		size_t start = out->len + 1;

		strbuf_append_char(out, ' ');
		assert_int_equal(json_render(command->config, 0, out, NULL), 0);
		for (char *at = out->data + start; *at; at++) {
			if (*at == '"')
				*at = '\'';
		}
	}
}

static inline void check(const char *container, const char *line, const char *want)
{
	AUTO(command_deinit) struct command command = { .timeout_s = -1 };
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;
	int ret = parse_text(line, strlen(line), container, &command, &err);

	assert_ok(ret, &err);
	describe(&command, &text);
	assert_string_equal(strbuf_get_str(&text), want);
}

#endif
