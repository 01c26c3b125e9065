/* The grammar of mounts: see mountspec.h.
 *
 * A mode's words are of classes of which each may be given once, as today's
 * Docker has it; what a class means nothing for (a volume's propagation, a bind's
 * nocopy) is refused rather than dropped.
 */
#include "runtime/config/mountspec.h"

#include "base/num.h"
#include "runtime/config/config.h"
#include "runtime/config/config_value.h"

#include <limits.h>
#include <string.h>

#define TARGET_MAX (PATH_MAX - 1)

const char *mount_type_get_name(enum mount_type type)
{
	static const char *const names[] = { "bind", "volume", "tmpfs" };

	return names[type];
}

void mountspec_deinit(struct mountspec *spec)
{
	free(spec->source);
	free(spec->target);
	free(spec->mode);
	free(spec->data);
	*spec = (struct mountspec)MOUNTSPEC_INIT;
}

static int no_memory(const char *text, struct error *err)
{
	return error_set(err, ENOMEM, "no memory for '%s'", text);
}

/* --- paths -------------------------------------------------------------------- */

/* Without ".", "..", doubled and last slashes. In place; "" of the root. */
static void clean_path(char *path)
{
	const char *from = path;
	char *to = path;

	while (*from) {
		size_t len;

		from += strspn(from, "/");
		len = strcspn(from, "/");
		if (len == 2 && !memcmp(from, "..", 2)) {
			while (to > path && *--to != '/')
				;
		} else if (len > 0 && !(len == 1 && *from == '.')) {
			*to++ = '/';
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	*to = '\0';
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && (path[len] == '\0' || path[len] == '/');
}

int mountspec_clean_target(const char *text, char **ret, struct error *err)
{
	auto_free char *path = NULL;

	if (*text != '/')
		return error_set(err, EINVAL, "'%s' is not an absolute path", text);
	if (strlen(text) > TARGET_MAX)
		return error_set(err, EINVAL, "the path of %zu bytes is too long; at most %d",
				 strlen(text), TARGET_MAX);
	path = strdup(text);
	if (!path)
		return no_memory(text, err);
	clean_path(path);
	if (!*path)
		return error_set(err, EINVAL, "'%s' is the root itself", text);
	if (is_below(path, "/proc"))
		return error_set(err, EINVAL, "'%s' lies in /proc, where nothing can be mounted",
				 text);
	*ret = steal_ptr(&path);
	return 0;
}

bool mountspec_is_root(const char *path)
{
	size_t depth = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && !memcmp(path, "..", 2))
			depth -= depth > 0;
		else if (len > 0 && !(len == 1 && *path == '.'))
			depth++;
		path += len;
		path += strspn(path, "/");
	}
	return depth == 0;
}

/* A volume's name may be an anonymous one's 64 digits. */
static bool is_volume_name(const char *text)
{
	return num_is_hex(text, 64) || config_check_volume_name(text, NULL) == 0;
}

/* --- binds -------------------------------------------------------------------- */

enum mode_class { MODE_ACCESS, MODE_LABEL, MODE_COPY, MODE_PROPAGATION, MODE_CONSISTENCY };

static const struct mode_word {
	const char *word;
	enum mode_class class;
} mode_words[] = {
	{ "rw", MODE_ACCESS },
	{ "ro", MODE_ACCESS },
	/* Labels of SELinux, which there is none of. */
	{ "z", MODE_LABEL },
	{ "Z", MODE_LABEL },
	{ "nocopy", MODE_COPY },
	{ "private", MODE_PROPAGATION },
	{ "rprivate", MODE_PROPAGATION },
	{ "shared", MODE_PROPAGATION },
	{ "rshared", MODE_PROPAGATION },
	{ "slave", MODE_PROPAGATION },
	{ "rslave", MODE_PROPAGATION },
	/* Of Docker's desktop; everywhere else they say nothing. */
	{ "consistent", MODE_CONSISTENCY },
	{ "cached", MODE_CONSISTENCY },
	{ "delegated", MODE_CONSISTENCY },
};

static const struct mode_word *find_mode(const char *text, size_t len)
{
	for (size_t i = 0; i < sizeof(mode_words) / sizeof(mode_words[0]); i++)
		if (strlen(mode_words[i].word) == len && !memcmp(mode_words[i].word, text, len))
			return &mode_words[i];
	return NULL;
}

static int refuse_mode(const char *bind, const char *mode, struct error *err)
{
	return error_set(err, EINVAL, "'%s': unknown mode '%s'; rw or ro", bind, mode);
}

static int apply_mode(const char *bind, const char *mode, struct mountspec *spec, struct error *err)
{
	unsigned seen = 0;

	for (const char *at = mode;; at++) {
		size_t len = strcspn(at, ",");
		const struct mode_word *word = find_mode(at, len);

		if (!word || seen & 1U << word->class)
			return refuse_mode(bind, mode, err);
		seen |= 1U << word->class;
		if (word->class == MODE_ACCESS)
			spec->read_only = !strcmp(word->word, "ro");
		else if (word->class == MODE_COPY)
			spec->no_copy = true;
		else if (word->class == MODE_PROPAGATION)
			spec->propagation = word->word;
		at += len;
		if (!*at)
			break;
	}
	if (spec->type == MOUNT_BIND && spec->no_copy)
		return error_set(err, EINVAL, "'%s': nocopy is for volumes", bind);
	if (spec->type == MOUNT_VOLUME && *spec->propagation)
		return error_set(err, EINVAL, "'%s': '%s' is for binds of a path", bind,
				 spec->propagation);
	return 0;
}

/* Cut at the first colon that is not escaped, and take the escapes out. What is
 * behind it, or NULL. */
static char *cut_part(char *text)
{
	char *to = text, *from = text;

	while (*from && *from != ':') {
		if (from[0] == '\\' && from[1] == ':')
			from++;
		*to++ = *from++;
	}
	from = *from ? from + 1 : NULL;
	*to = '\0';
	return from;
}

static int set_bind_source(const char *bind, const char *source, struct mountspec *spec,
			   struct error *err)
{
	bool is_path = *source == '/';

	if (!is_path && !is_volume_name(source))
		return error_set(err, EINVAL,
				 "'%s': the source is neither an absolute path nor a volume's name",
				 bind);
	if (is_path && mountspec_is_root(source))
		return error_set(err, EINVAL, "'%s': the source is the root of the host", bind);
	if (strlen(source) > TARGET_MAX)
		return error_set(err, EINVAL, "a source of %zu bytes is too long; at most %d",
				 strlen(source), TARGET_MAX);
	spec->type = is_path ? MOUNT_BIND : MOUNT_VOLUME;
	spec->source = strdup(source);
	return spec->source ? 0 : no_memory(bind, err);
}

static int set_bind_target(const char *bind, const char *target, struct mountspec *spec,
			   struct error *err)
{
	struct error cause = ERROR_INIT;
	int ret = mountspec_clean_target(target, &spec->target, &cause);

	if (ret == 0)
		return 0;
	if (*target == '/' && !mountspec_is_root(target))
		return error_set(err, cause.code, "'%s': %s", bind, cause.msg);
	return error_set(err, EINVAL, "'%s': the target is not an absolute path below the root",
			 bind);
}

int mountspec_parse_bind(const char *text, struct mountspec *ret, struct error *err)
{
	AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;
	auto_free char *copy = strdup(text);
	char *target, *mode;
	int failure;

	if (!copy)
		return no_memory(text, err);
	target = cut_part(copy);
	if (!target)
		return error_set(err, EINVAL, "'%s' is not SOURCE:TARGET or SOURCE:TARGET:MODE",
				 text);
	mode = cut_part(target);
	spec.propagation = "";
	spec.mode = strdup(mode ? mode : "");
	spec.data = strdup("");
	if (!spec.mode || !spec.data)
		return no_memory(text, err);
	failure = set_bind_source(text, copy, &spec, err);
	if (failure == 0)
		failure = set_bind_target(text, target, &spec, err);
	if (failure == 0 && mode)
		failure = apply_mode(text, mode, &spec, err);
	if (failure < 0)
		return failure;
	*ret = spec;
	spec = (struct mountspec)MOUNTSPEC_INIT;
	return 0;
}

int mountspec_parse_volume(const char *target, struct mountspec *ret, struct error *err)
{
	AUTO(mountspec_deinit)
	struct mountspec spec = { .type = MOUNT_VOLUME, .propagation = "" };
	int failure = mountspec_clean_target(target, &spec.target, err);

	if (failure < 0)
		return failure;
	spec.source = strdup("");
	spec.mode = strdup("");
	spec.data = strdup("");
	if (!spec.source || !spec.mode || !spec.data)
		return no_memory(target, err);
	*ret = spec;
	spec = (struct mountspec)MOUNTSPEC_INIT;
	return 0;
}

int mountspec_parse_from(const char *text, char **ret_ref, bool *ret_read_only, struct error *err)
{
	size_t len = strcspn(text, ":");
	auto_free char *ref = NULL;
	int failure = config_check_volumes_from(text, err);

	if (failure < 0)
		return failure;
	ref = strndup(text, len);
	if (!ref)
		return no_memory(text, err);
	*ret_ref = steal_ptr(&ref);
	*ret_read_only = !strcmp(text + len, ":ro");
	return 0;
}
