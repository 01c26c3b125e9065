/* Options of commands, from tables. Private to command*.c. */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include "base/error.h"
#include "base/strbuf.h"

#include <stdbool.h>
#include <stddef.h>

struct option_spec {
	const char *name;  /* without the dashes */
	char letter;       /* '\0': none */
	const char *value; /* what its value is called in a usage; NULL: a flag */
	/* value of a flag is "true" or "false" (--rm=false), as it was written or "true".
	 * target is what was given to options_parse(); spec tells shared functions apart. */
	int (*take)(void *target, const struct option_spec *spec, const char *value,
		    struct error *err);
	const char *key; /* for take: the configuration's key */
	bool host;       /* for take: the key lives in HostConfig */
	size_t offset;   /* for take: a member of the target */
	bool hidden;     /* another spelling of the option before it: not in usages */
};

/* The beginning of a row: OPTION('m', "memory", "SIZE"), take... */
#define OPTION(short_name, long_name, value_name)                                                  \
	.name = long_name, .letter = short_name, .value = value_name

struct option_table {
	const struct option_spec *specs;
	size_t count;
};

#define OPTIONS_MAX 96 /* rows in one table */

/* Take the options out of a command's words.
 *
 * argv         NULL-terminated; argv[0] is the command and is passed over; not changed
 * first_only   options end at the first word that is none (else only at "--")
 * ret_operands what is left, NULL-terminated heap array of borrowed words
 *
 * -EINVAL: "unknown option '--nmae'", "option '-e' needs a value", or what take said with the
 * option as it was written before it. Long options are never abbreviated. Thread-safe. */
int options_parse(char *const *argv, size_t argc, const struct option_table *table, bool first_only,
		  void *target, char ***ret_operands, size_t *ret_count, struct error *err);

/* One indented line for each option: "  -e, --env K=V". */
void options_render(const struct option_table *table, struct strbuf *out);

#endif
