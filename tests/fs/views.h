/* Made-up containers and images for the tests of renderers: no engine, no store.
 */
#ifndef TESTS_FS_VIEWS_H
#define TESTS_FS_VIEWS_H

#include "tests/test.h"

#include "fs/render/render.h"

#include <stdio.h>
#include <string.h>

#define S INT64_C(1000000000)
#define NOW (INT64_C(1767323045123456789)) /* 2026-01-02T03:04:05.123456789Z */
#define ID_A "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID_B "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define IMAGE_ID "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"

static inline json_t *parse_json(const char *text)
{
	struct error err = ERROR_INIT;
	json_t *value = NULL;

	assert_ok(json_parse_text(text, strlen(text), &value, &err), &err);
	return value;
}

/* A running container "web", two minutes old; config and effective are the same object. */
static inline struct container_view make_view(const char *config)
{
	struct container_view view = {
		.id = ID_A,
		.name = "web",
		.has_name = true,
		.state = CONTAINER_RUNNING,
		.pid = 4242,
		.created_ns = NOW - 120 * S,
		.started_ns = NOW - 119 * S,
		.changed_ns = NOW - 119 * S,
		.run = 1,
		.image_id = IMAGE_ID,
	};

	view.config = parse_json(config);
	view.effective = json_incref(view.config);
	return view;
}

static inline void drop_view(struct container_view *view)
{
	json_decref(view->config);
	json_decref(view->effective);
}

static inline size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += *text == '\n';
	return count;
}

/* Nothing in it that a terminal or a reader of lines acts on, but newlines of ours. */
static inline void assert_no_controls(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		assert_true(c >= 0x20 || c == '\n' || c == '\t');
		assert_true(c != 0x7f);
	}
}

#endif
