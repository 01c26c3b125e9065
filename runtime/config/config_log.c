/* How much of a container's log is kept: LogConfig, --log-opt, and what a mount gives a
 * container that does not say.
 *
 * A container takes the mount's values when it is made: they are then part of its
 * configuration, and no later mount changes them.
 */
#include "runtime/config/config.h"

#include "base/num.h"
#include "runtime/config/config_value.h"

#include <limits.h>
#include <string.h>

#define MAX_SIZE "max-size"
#define MAX_FILE "max-file"

/* Docker writes no limit as -1, we as 0. */
static int parse_max_size(const char *text, uint64_t *ret)
{
	if (strcmp(text, "-1") == 0) {
		*ret = 0;
		return 0;
	}
	return num_parse_size(text, ret);
}

static int parse_max_file(const char *text, uint64_t *ret)
{
	return num_parse_u64(text, 0, INT_MAX, ret);
}

static int check_option(const char *name, const char *text, struct error *err)
{
	uint64_t number;

	if (strcmp(name, MAX_SIZE) == 0) {
		if (parse_max_size(text, &number) == 0)
			return 0;
		return error_set(err, EINVAL, "max-size '%s' is not a size", text);
	}
	if (strcmp(name, MAX_FILE) == 0) {
		if (parse_max_file(text, &number) == 0)
			return 0;
		return error_set(err, EINVAL, "max-file '%s' is not a number", text);
	}
	return error_set(err, EINVAL, "unknown option '%s'; max-size or max-file", name);
}

int config_check_log_opt(const char *text, struct error *err)
{
	const char *equals = strchr(text, '=');
	auto_free char *name = strndup(text, strcspn(text, "="));

	if (!name)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", text);
	if (!equals)
		return error_set(err, EINVAL, "'%s' is not NAME=VALUE", text);
	return check_option(name, equals + 1, err);
}

static int check_options(json_t *options, struct error *err)
{
	const char *name;
	json_t *item;
	int ret;

	if (!json_is_object(options))
		return error_set(err, EINVAL, "Config must be an object");
	json_object_foreach(options, name, item) {
		if (!json_is_string(item))
			return error_set(err, EINVAL, "%s must be a string", name);
		ret = check_option(name, json_string_value(item), err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Docker's kinds of a log that is read back are one here; without a log there would be no
 * files to read, so that "none" is refused as those that send it away. */
static int check_type(const json_t *type, struct error *err)
{
	static const char *const known[] = { "", "json-file", "local" };
	const char *text = json_string_value(type);

	if (!type)
		return 0;
	if (!text)
		return error_set(err, EINVAL, "Type must be a string");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(text, known[i]) == 0)
			return 0;
	if (strcmp(text, "none") == 0)
		return error_set(err, EINVAL,
				 "log type 'none': a container always has its log; bound it by "
				 "max-size and max-file");
	return error_set(err, EINVAL, "unknown log type '%s'; json-file or local", text);
}

int config_check_log_config(const json_t *value, struct error *err)
{
	static const char *const members[] = { "Type", "Config", NULL };
	json_t *options = json_object_get(value, "Config");
	int ret = config_check_members(value, members, err);

	if (ret == 0)
		ret = check_type(json_object_get(value, "Type"), err);
	if (ret < 0)
		return ret;
	return options ? check_options(options, err) : 0;
}

void config_decode_log(const json_t *log_config, uint64_t *ret_max_size, uint64_t *ret_max_file)
{
	const json_t *options = json_object_get(log_config, "Config");

	*ret_max_size = CONFIG_LOG_MAX_SIZE;
	*ret_max_file = CONFIG_LOG_MAX_FILE;
	parse_max_size(json_get_str(options, MAX_SIZE, ""), ret_max_size);
	parse_max_file(json_get_str(options, MAX_FILE, ""), ret_max_file);
}

/* --- what a new container takes ------------------------------------------------ */

/* The last of the mount's words about `name`, or the built-in text. */
static const char *find_default(char *const *log_opts, const char *name, const char *built_in)
{
	size_t len = strlen(name);
	const char *found = built_in;

	for (; log_opts && *log_opts; log_opts++)
		if (strncmp(*log_opts, name, len) == 0 && (*log_opts)[len] == '=')
			found = *log_opts + len + 1;
	return found;
}

/* A copy of the object's member of that name, or a new object. */
static json_t *copy_member(const json_t *object, const char *name)
{
	json_t *member = json_object_get(object, name);

	return json_is_object(member) ? json_copy(member) : json_object();
}

int config_make_log_defaults(char *const *log_opts, json_t **ret, struct error *err)
{
	json_t *made = json_pack("{s:s, s:s}", MAX_SIZE, find_default(log_opts, MAX_SIZE, "256m"),
				 MAX_FILE, find_default(log_opts, MAX_FILE, "4"));

	if (!made)
		return error_set(err, ENOMEM, "no memory for the configuration");
	*ret = made;
	return 0;
}

int config_add_log_defaults(const json_t *config, const json_t *defaults, json_t **ret,
			    struct error *err)
{
	auto_json json_t *made = json_copy((json_t *)(uintptr_t)config);
	auto_json json_t *host = copy_member(config, "HostConfig");
	auto_json json_t *log = copy_member(host, "LogConfig");
	auto_json json_t *options = copy_member(log, "Config");

	if (!made || !host || !log || !options ||
	    json_object_update_missing(options, (json_t *)(uintptr_t)defaults) < 0 ||
	    json_object_set(log, "Config", options) < 0 ||
	    json_object_set(host, "LogConfig", log) < 0 ||
	    json_object_set(made, "HostConfig", host) < 0)
		return error_set(err, ENOMEM, "no memory for the configuration");
	*ret = steal_ptr(&made);
	return 0;
}
