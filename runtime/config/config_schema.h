/* The keys of a container's configuration: what each may hold and where it lives.
 * For config_*.c, and for who shows a configuration with its defaults.
 */
#ifndef RUNTIME_CONFIG_CONFIG_SCHEMA_H
#define RUNTIME_CONFIG_CONFIG_SCHEMA_H

#include "base/json.h"

#include <stdbool.h>

enum config_type {
	CONFIG_BOOL,
	CONFIG_INT,
	CONFIG_STRING,
	CONFIG_STRINGS, /* a list of strings */
	CONFIG_INTS,    /* a list of numbers */
	CONFIG_ARGV,    /* the same; one string may be written for a list of one */
	CONFIG_SET,     /* an object of empty objects, as Docker writes sets */
	CONFIG_MAP,     /* an object of strings */
	CONFIG_OBJECT,  /* an object that check_json knows */
	CONFIG_OBJECTS  /* a list of objects that check_json knows */
};

#define CONFIG_TOP 1U  /* may be written in Config; shown there */
#define CONFIG_HOST 2U /* may be written in HostConfig; shown there unless CONFIG_TOP is set too */

struct config_key {
	const char *name;
	enum config_type type;
	unsigned place;
	bool live;  /* can change while the container runs */
	bool ports; /* its members are named by ports: "80" is stored as "80/tcp" */
	/* Checks each string, or each member's name; "" of a CONFIG_STRING is not asked about.
	 * Both set a sentence without the key's name. May be NULL. */
	int (*check_text)(const char *text, struct error *err);
	int (*check_json)(const json_t *value, struct error *err);
};

extern const struct config_key config_keys[];
extern const size_t config_key_count;

/* The key of that name in that place, or NULL. */
const struct config_key *config_key_find(const char *name, unsigned place);
/* Where it is kept: CONFIG_TOP or CONFIG_HOST. */
unsigned config_key_home(const struct config_key *key);
/* The type alone: "Tty must be true or false". */
int config_key_check_type(const struct config_key *key, const json_t *value, struct error *err);
/* Type, then content. -EINVAL (or -ENAMETOOLONG) with a sentence beginning with the key. */
int config_key_check(const struct config_key *key, const json_t *value, struct error *err);
/* Does the value say the same as the key's absence? NULL does. */
bool config_key_is_default(const struct config_key *key, const json_t *value);
/* A CONFIG_ARGV in its stored form, a list: a new reference, NULL when memory ran out. */
json_t *config_make_argv(json_t *value);

#endif
