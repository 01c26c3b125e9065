/* inspect --format: the part of Go's templates that people use to ask for a value. */
#ifndef FS_TEMPLATE_H
#define FS_TEMPLATE_H

#include "base/json.h"

/* Append the format with each {{.Key.Key}} replaced by that member of value, and each
 * {{json .Key}} by its JSON; {{.}} is the value itself.
 *
 * Texts are escaped, so that a value cannot forge a line; null is <no value>; lists
 * and objects are JSON. -EINVAL quoting what is no such expression, or naming the
 * member that is not there; *out may hold a part then. Source of the grammar:
 * text/template of Go, as docker inspect --format uses it. */
int template_render(const char *format, const json_t *value, struct strbuf *out, struct error *err);

#endif
