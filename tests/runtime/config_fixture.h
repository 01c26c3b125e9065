/* What tests of configurations share. */
#ifndef TESTS_RUNTIME_CONFIG_FIXTURE_H
#define TESTS_RUNTIME_CONFIG_FIXTURE_H

#include "tests/test.h"

#include "runtime/config/config.h"

#include <stdlib.h>
#include <string.h>

/* JSON with ' for ", so that it can be read here. */
static inline json_t *parse(const char *text)
{
	auto_free char *copy = strdup(text);
	struct error err = ERROR_INIT;
	json_t *value = NULL;

	for (char *at = copy; *at; at++) {
		if (*at == '\'')
			*at = '"';
	}
	assert_ok(json_parse_text(copy, strlen(copy), &value, &err), &err);
	return value;
}

static inline void assert_json(const json_t *value, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct error err = ERROR_INIT;

	assert_ok(json_render(value, 0, &text, &err), &err);
	for (char *at = text.data; *at; at++) {
		if (*at == '"')
			*at = '\'';
	}
	assert_string_equal(text.data, want);
}

static inline json_t *apply(const char *asked, const char *patch, bool running)
{
	auto_json json_t *old = asked ? parse(asked) : NULL;
	auto_json json_t *change = parse(patch);
	struct error err = ERROR_INIT;
	json_t *config = NULL;

	assert_ok(config_apply(old, change, running, &config, &err), &err);
	return config;
}

static inline void check_apply(const char *asked, const char *patch, bool running, const char *want)
{
	auto_json json_t *config = apply(asked, patch, running);

	assert_json(config, want);
}

static inline void check_refused(const char *asked, const char *patch, bool running, int code,
				 const char *msg)
{
	auto_json json_t *old = asked ? parse(asked) : NULL;
	auto_json json_t *change = parse(patch);
	struct error err = ERROR_INIT;
	json_t *config = NULL;

	assert_error(config_apply(old, change, running, &config, &err), &err, code, msg);
	assert_null(config);
}

static inline void assert_strings(const char *const *list, const char *joined)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	for (size_t i = 0; list[i]; i++)
		strbuf_appendf(&text, "%s%s", i > 0 ? "|" : "", list[i]);
	assert_string_equal(strbuf_get_str(&text), joined);
}

#endif
