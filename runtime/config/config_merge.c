/* A container's configuration with its image's values: what will be in force.
 *
 * Follows today's Docker (moby, daemon/commit.go merge()): what the user wrote
 * wins; lists of names are united; a user's Entrypoint drops the image's Cmd.
 * Never taken from an image: host names, limits, anything of HostConfig.
 *
 * Values are shared between the two objects, never changed: an image's maps stay
 * the image's. The image comes from outside, so the types of its values are
 * checked; contents that Docker lives with (a working directory without its slash,
 * a variable without a name) are mended, not refused. A null counts as absent.
 */
#include "runtime/config/config.h"

#include "runtime/config/config_schema.h"

#include <string.h>

static int no_memory(struct error *err)
{
	return error_set_sys(err, ENOMEM, "cannot merge the image's configuration");
}

/* A shallow copy of an object (NULL: an empty one) that is whole or NULL: jansson's
 * json_copy() loses members in silence when memory runs out. */
static json_t *copy_object(const json_t *object)
{
	auto_json json_t *copy = json_object();

	if (!copy || (object && json_object_update(copy, (json_t *)object) < 0))
		return NULL;
	return steal_ptr(&copy);
}

/* The image's value of a key, borrowed; *ret is NULL when it has none. */
static int get_image_value(const json_t *image, const char *name, json_t **ret, struct error *err)
{
	const struct config_key *key = config_key_find(name, CONFIG_TOP);
	json_t *value = json_object_get(image, name);

	*ret = NULL;
	if (!value || json_is_null(value))
		return 0;
	if (config_key_check_type(key, value, err) < 0)
		return error_wrap(err, -EINVAL, "the image's configuration");
	*ret = value;
	return 0;
}

/* A value of the image's where the user's is empty. */
static int merge_default(json_t *config, const json_t *image, const char *name, struct error *err)
{
	const struct config_key *key = config_key_find(name, CONFIG_TOP);
	json_t *value;
	int ret = get_image_value(image, name, &value, err);

	if (ret < 0 || !value || !config_key_is_default(key, json_object_get(config, name)))
		return ret;
	return json_object_set(config, name, value) < 0 ? no_memory(err) : 0;
}

/* Members of both; the user's win. */
static int merge_members(json_t *config, const json_t *image, const char *name, struct error *err)
{
	auto_json json_t *united = NULL;
	json_t *value, *own = json_object_get(config, name);
	int ret = get_image_value(image, name, &value, err);

	if (ret < 0 || !value)
		return ret;
	united = copy_object(value);
	if (!united || (own && json_object_update(united, own) < 0) ||
	    json_object_set(config, name, united) < 0)
		return no_memory(err);
	return 0;
}

static size_t get_env_name_len(const char *entry)
{
	return strcspn(entry, "=");
}

static bool has_env(const json_t *list, const char *entry)
{
	size_t len = get_env_name_len(entry);
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *other = json_string_value(item);

		if (get_env_name_len(other) == len && strncmp(other, entry, len) == 0)
			return true;
	}
	return false;
}

/* The user's variables, then those of the image that the user did not name. */
static int merge_env(json_t *config, const json_t *image, struct error *err)
{
	auto_json json_t *united = NULL;
	json_t *value, *item, *own = json_object_get(config, "Env");
	size_t i;
	int ret = get_image_value(image, "Env", &value, err);

	if (ret < 0 || !value)
		return ret;
	united = own ? json_copy(own) : json_array();
	if (!united)
		return no_memory(err);
	json_array_foreach(value, i, item) {
		const char *entry = json_string_value(item);

		if (get_env_name_len(entry) == 0 || (own && has_env(own, entry)))
			continue;
		if (json_array_append(united, item) < 0)
			return no_memory(err);
	}
	return json_object_set(config, "Env", united) < 0 ? no_memory(err) : 0;
}

/* Docker's way to say "no entry point": a list of one empty word. */
static bool is_reset(const json_t *list)
{
	return json_array_size(list) == 1 && json_string_length(json_array_get(list, 0)) == 0;
}

/* Take a command list of the image, in stored form. */
static int take_argv(json_t *config, const json_t *image, const char *name, struct error *err)
{
	json_t *value;
	int ret = get_image_value(image, name, &value, err);

	if (ret < 0 || !value)
		return ret;
	if (json_object_set_new(config, name, config_make_argv(value)) < 0)
		return no_memory(err);
	return 0;
}

static int merge_argv(json_t *config, const json_t *image, struct error *err)
{
	const json_t *entrypoint = json_object_get(config, "Entrypoint");
	const json_t *cmd = json_object_get(config, "Cmd");
	int ret = 0;

	if (json_array_size(entrypoint) > 0) {
		if (is_reset(entrypoint))
			json_object_del(config, "Entrypoint");
		return 0;
	}
	if (json_array_size(cmd) == 0)
		ret = take_argv(config, image, "Cmd", err);
	/* An empty list is a wish too: no entry point, but the image's Cmd. */
	if (ret == 0 && !entrypoint)
		ret = take_argv(config, image, "Entrypoint", err);
	return ret;
}

/* A user's is checked to be absolute when it is written. */
static int mend_directory(json_t *config, struct error *err)
{
	const char *directory = json_get_str(config, "WorkingDir", "");

	if (*directory == '\0' || *directory == '/')
		return 0;
	if (json_object_set_new(config, "WorkingDir", json_sprintf("/%s", directory)) < 0)
		return no_memory(err);
	return 0;
}

int config_merge_image(const json_t *asked, const json_t *image_config, json_t **ret,
		       struct error *err)
{
	static const char *const defaults[] = { "User", "WorkingDir", "StopSignal" };
	static const char *const united[] = { "ExposedPorts", "Volumes", "Labels" };
	auto_json json_t *config = copy_object(asked);
	const json_t *image = json_object_get(image_config, "config");
	int r = 0;

	if (!config)
		return no_memory(err);
	if (image && !json_is_object(image) && !json_is_null(image))
		return error_set(err, EINVAL,
				 "the image's configuration: config must be an object");
	for (size_t i = 0; r == 0 && i < sizeof(defaults) / sizeof(defaults[0]); i++)
		r = merge_default(config, image, defaults[i], err);
	for (size_t i = 0; r == 0 && i < sizeof(united) / sizeof(united[0]); i++)
		r = merge_members(config, image, united[i], err);
	if (r == 0)
		r = mend_directory(config, err);
	if (r == 0)
		r = merge_env(config, image, err);
	if (r == 0)
		r = merge_argv(config, image, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&config);
	return 0;
}
