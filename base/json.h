/* The one way in and out of jansson: errors become sentences with line or key,
 * and every getter checks the type.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/cleanup.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <jansson.h>

DEFINE_AUTO(json_t *, json_decref);
#define auto_json AUTO(json_decref)

/* Parse exactly one value (JSON_REJECT_DUPLICATES, any top-level type, nesting
 * at most 64). -EINVAL with "line L: ..." ; -ENOMEM. *ret is the caller's. */
int json_parse_text(const char *text, size_t len, json_t **ret, struct error *err);
/* The first value of a text that may go on; *ret_used is where it ends. -EAGAIN, without a sentence,
 * when the text ends inside it. */
int json_parse_prefix(const char *text, size_t len, json_t **ret, size_t *ret_used,
		      struct error *err);
/* -EINVAL names the file. -ENOENT, -EFBIG (over 16 MiB), ... from reading. */
int json_read_file(int dir_fd, const char *name, json_t **ret, struct error *err);
/* Compact (indent 0) or indented by that many blanks, keys in insertion order;
 * no newline at the end. */
int json_render(const json_t *value, unsigned indent, struct strbuf *out, struct error *err);
/* path_replace_file() of the compact text and a newline. */
int json_replace_file(int dir_fd, const char *name, const json_t *value, mode_t mode, bool durable,
		      struct error *err);

/* Merge patch into a deep copy of target. Source: RFC 7396.
 * Returns a new reference, NULL when memory ran out. */
json_t *json_merge_patch(const json_t *target, const json_t *patch);

/* Typed members with a default for a missing or null one; a member of another
 * type also gives the default (validated objects only). Strings are borrowed. */
const char *json_get_str(const json_t *object, const char *key, const char *fallback);
int64_t json_get_int(const json_t *object, const char *key, int64_t fallback);
bool json_get_bool(const json_t *object, const char *key, bool fallback);
json_t *json_get_array(const json_t *object, const char *key);  /* NULL if none */
json_t *json_get_object(const json_t *object, const char *key); /* NULL if none */

#endif
