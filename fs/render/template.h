/* inspect --format: the part of Go's templates that people use to ask for a value. */
#ifndef FS_RENDER_TEMPLATE_H
#define FS_RENDER_TEMPLATE_H

#include "base/json.h"

/* Append the format with each {{EXPRESSION}} replaced by its value: {{.Key.Key}} a member of value, {{json .Key}} its
 * JSON, {{.}} the value itself, {{index .Map "key"}}, {{index .List 0}}, {{len .List}}, {{join .List " "}}; operands
 * may be expressions in parentheses. {{range .List}}...{{else}}...{{end}} repeats what is between for each element,
 * which is {{.}} there, also as {{range $key, $value := .Map}}; {{if .Key}}...{{else}}...{{end}}.
 *
 * Texts are escaped, so that a value cannot forge a line; null is <no value>; lists
 * and objects are JSON. -EINVAL quoting what is no such expression, or naming the
 * member that is not there; -E2BIG: too many rounds; *out may hold a part then. Source of the grammar:
 * text/template of Go, as docker inspect --format uses it. */
int template_render(const char *format, const json_t *value, struct strbuf *out, struct error *err);

#endif
