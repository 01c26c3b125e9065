/* The environment of a container's first process.
 *
 * A list of defaults over which the configuration's entries are laid, each in the
 * place of the one of the same name. An entry without '=' removes that name, as in
 * Docker: it is how a user gets rid of a default or of an image's variable.
 */
#include "runtime/config/config.h"

#include <stdlib.h>
#include <string.h>

/* Docker's, for a process whose image says nothing. */
#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define DEFAULT_COUNT 4

struct env {
	char **entries; /* NULL-terminated, room for all */
	size_t count;
};

static void env_deinit(struct env *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->entries[i]);
	free(env->entries);
}
DEFINE_AUTO_DEINIT(struct env, env_deinit);

static size_t find_entry(const struct env *env, const char *entry)
{
	size_t len = strcspn(entry, "=");
	size_t i;

	for (i = 0; i < env->count; i++) {
		if (strncmp(env->entries[i], entry, len) == 0 && env->entries[i][len] == '=')
			break;
	}
	return i;
}

static void remove_entry(struct env *env, size_t at)
{
	if (at == env->count)
		return;
	free(env->entries[at]);
	env->count--;
	memmove(&env->entries[at], &env->entries[at + 1],
		(env->count - at + 1) * sizeof(env->entries[0]));
}

/* Takes entry over, also on failure (NULL: it could not be made). */
static bool put_entry(struct env *env, char *entry)
{
	size_t at;

	if (!entry)
		return false;
	at = find_entry(env, entry);
	if (at == env->count)
		env->count++;
	else
		free(env->entries[at]);
	env->entries[at] = entry;
	return true;
}

static char *join(const char *name, const char *value)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;

	strbuf_append_str(&text, name);
	strbuf_append_str(&text, value);
	return strbuf_steal(&text);
}

static bool put_defaults(struct env *env, const struct config *config, const char *hostname,
			 const char *home)
{
	return put_entry(env, strdup(DEFAULT_PATH)) &&
	       put_entry(env, join("HOSTNAME=", hostname)) &&
	       (!config->tty || put_entry(env, strdup("TERM=xterm"))) &&
	       put_entry(env, join("HOME=", home));
}

char **config_build_env(const struct config *config, const char *hostname, const char *home)
{
	AUTO(env_deinit) struct env env = { .entries = NULL };
	size_t given = 0;

	while (config->env[given])
		given++;
	env.entries = calloc(DEFAULT_COUNT + given + 1, sizeof(env.entries[0]));
	if (!env.entries || !put_defaults(&env, config, hostname, home))
		return NULL;
	for (size_t i = 0; i < given; i++) {
		const char *entry = config->env[i];

		if (!strchr(entry, '='))
			remove_entry(&env, find_entry(&env, entry));
		else if (!put_entry(&env, strdup(entry)))
			return NULL;
	}
	env.count = 0;
	return steal_ptr(&env.entries);
}
