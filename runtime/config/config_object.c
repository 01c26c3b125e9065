/* Checks of the structured values of HostConfig: port bindings, policies, limits,
 * mounts. Members are Docker's; one that we do not know is refused, because
 * dropping it in silence would promise what does not happen.
 */
#include "runtime/config/config_value.h"

#include "base/num.h"
#include "runtime/config/mountspec.h"
#include "runtime/config/portspec.h"
#include "runtime/security/device_rule.h"
#include "runtime/security/security.h"

#include <limits.h>
#include <string.h>
#include <sys/resource.h>

int config_check_members(const json_t *value, const char *const *names, struct error *err)
{
	json_t *object = (json_t *)value;
	const char *name;
	json_t *item;

	json_object_foreach(object, name, item) {
		size_t i = 0;

		while (names[i] && strcmp(names[i], name) != 0)
			i++;
		if (!names[i])
			return error_set(err, EINVAL, "unknown member '%s'", name);
	}
	return 0;
}

int config_get_text(const json_t *object, const char *name, const char **ret, struct error *err)
{
	const json_t *item = json_object_get(object, name);

	if (item &&
	    (!json_is_string(item) || strlen(json_string_value(item)) != json_string_length(item)))
		return error_set(err, EINVAL, "%s must be a string", name);
	*ret = item ? json_string_value(item) : "";
	return 0;
}

static int get_number(const json_t *object, const char *name, int64_t *ret, struct error *err)
{
	const json_t *item = json_object_get(object, name);

	if (item && !json_is_integer(item))
		return error_set(err, EINVAL, "%s must be a number", name);
	*ret = item ? json_integer_value(item) : 0;
	return 0;
}

/* --- capabilities --------------------------------------------------------- */

int config_check_cap_list(const json_t *value, struct error *err)
{
	uint64_t caps = 0;
	const char *name;
	json_t *item;
	size_t i;
	int ret;

	json_array_foreach(value, i, item) {
		name = json_string_value(item);
		ret = security_parse_caps(&name, 1, NULL, 0, &caps, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- ports ---------------------------------------------------------------- */

static int check_binding(const json_t *binding, struct error *err)
{
	static const char *const members[] = { "HostIp", "HostPort", NULL };
	const char *address = "", *port = "";
	unsigned first, last;
	int ret;

	if (!json_is_object(binding))
		return error_set(err, EINVAL, "a binding must be {\"HostIp\", \"HostPort\"}");
	ret = config_check_members(binding, members, err);
	if (ret == 0)
		ret = config_get_text(binding, "HostIp", &address, err);
	if (ret == 0)
		ret = config_get_text(binding, "HostPort", &port, err);
	if (ret < 0)
		return ret;
	/* "" and "0" both leave the choice to us. */
	if (*port && strcmp(port, "0") != 0 &&
	    portspec_parse_range(port, strlen(port), &first, &last) < 0)
		return error_set(err, EINVAL, "HostPort '%s' is not a port from 1 to 65535", port);
	return *address ? error_wrap(err, config_check_address(address, err), "HostIp") : 0;
}

int config_check_port_bindings(const json_t *value, struct error *err)
{
	json_t *object = (json_t *)value;
	const char *port;
	json_t *bindings, *binding;
	size_t i;
	int ret;

	json_object_foreach(object, port, bindings) {
		if (!json_is_array(bindings))
			return error_set(err, EINVAL, "'%s' must have a list of bindings", port);
		json_array_foreach(bindings, i, binding) {
			ret = check_binding(binding, err);
			if (ret < 0)
				return error_wrap(err, ret, "'%s'", port);
		}
	}
	return 0;
}

/* --- restart policy and log ----------------------------------------------- */

int config_check_restart_policy(const json_t *value, struct error *err)
{
	static const char *const members[] = { "Name", "MaximumRetryCount", NULL };
	static const char *const names[] = { "", "no", "always", "unless-stopped", "on-failure" };
	const char *name = "";
	int64_t retries = 0;
	size_t i;
	int ret;

	ret = config_check_members(value, members, err);
	if (ret == 0)
		ret = config_get_text(value, "Name", &name, err);
	if (ret == 0)
		ret = get_number(value, "MaximumRetryCount", &retries, err);
	if (ret < 0)
		return ret;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0)
			break;
	}
	if (i == sizeof(names) / sizeof(names[0]))
		return error_set(err, EINVAL,
				 "unknown policy '%s'; no, always, unless-stopped or on-failure",
				 name);
	if (retries < 0 || retries > INT_MAX)
		return error_set(err, EINVAL, "MaximumRetryCount %lld is out of range",
				 (long long)retries);
	if (retries > 0 && strcmp(name, "on-failure") != 0)
		return error_set(err, EINVAL, "MaximumRetryCount is for on-failure, not for '%s'",
				 name);
	return 0;
}

/* --- resource limits ------------------------------------------------------ */

int config_find_rlimit(const char *name)
{
	static const struct {
		const char *name;
		int resource;
	} known[] = {
		{ "as", RLIMIT_AS },
		{ "core", RLIMIT_CORE },
		{ "cpu", RLIMIT_CPU },
		{ "data", RLIMIT_DATA },
		{ "fsize", RLIMIT_FSIZE },
		{ "locks", RLIMIT_LOCKS },
		{ "memlock", RLIMIT_MEMLOCK },
		{ "msgqueue", RLIMIT_MSGQUEUE },
		{ "nice", RLIMIT_NICE },
		{ "nofile", RLIMIT_NOFILE },
		{ "nproc", RLIMIT_NPROC },
		{ "rss", RLIMIT_RSS },
		{ "rtprio", RLIMIT_RTPRIO },
		{ "rttime", RLIMIT_RTTIME },
		{ "sigpending", RLIMIT_SIGPENDING },
		{ "stack", RLIMIT_STACK },
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].name, name) == 0)
			return known[i].resource;
	}
	return -1;
}

static int check_ulimit(const json_t *ulimit, struct error *err)
{
	static const char *const members[] = { "Name", "Soft", "Hard", NULL };
	const char *name = "";
	int64_t soft = 0, hard = 0;
	int ret;

	ret = config_check_members(ulimit, members, err);
	if (ret == 0)
		ret = config_get_text(ulimit, "Name", &name, err);
	if (ret == 0)
		ret = get_number(ulimit, "Soft", &soft, err);
	if (ret == 0)
		ret = get_number(ulimit, "Hard", &hard, err);
	if (ret < 0)
		return ret;
	if (config_find_rlimit(name) < 0)
		return error_set(err, EINVAL, "unknown limit '%s'", name);
	if (soft < -1 || hard < -1)
		return error_set(err, EINVAL, "'%s' is negative; -1 is no limit", name);
	if (hard != -1 && (soft == -1 || soft > hard))
		return error_set(err, EINVAL, "the soft limit of '%s' is above the hard one", name);
	return 0;
}

int config_check_ulimits(const json_t *value, struct error *err)
{
	json_t *item;
	size_t i;
	int ret;

	json_array_foreach(value, i, item) {
		ret = check_ulimit(item, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- devices -------------------------------------------------------------- */

/* Where it will be: below /dev, which alone is the container's own to be filled. */
static int check_device_target(const char *path, struct error *err)
{
	auto_free char *clean = NULL;
	int ret = mountspec_clean_target(path, &clean, err);

	if (ret == 0 && strcmp(clean, "/dev") != 0 && strncmp(clean, "/dev/", 5) != 0)
		return error_set(err, EINVAL, "'%s' is not below /dev of the container", path);
	return ret;
}

static int check_device(const json_t *device, struct error *err)
{
	static const char *const members[] = { "PathOnHost", "PathInContainer", "CgroupPermissions",
					       NULL };
	const char *path = "", *inside = "", *access = "";
	int ret = config_check_members(device, members, err);

	if (ret == 0)
		ret = config_get_text(device, "PathOnHost", &path, err);
	if (ret == 0)
		ret = config_get_text(device, "PathInContainer", &inside, err);
	if (ret == 0)
		ret = config_get_text(device, "CgroupPermissions", &access, err);
	if (ret < 0)
		return ret;
	if (*path != '/')
		return error_set(err, EINVAL, "the device '%s' is not an absolute path", path);
	if (*access && device_access_parse(access) == 0)
		return error_set(err, EINVAL,
				 "'%s' is not what may be done with '%s'; letters of rwm", access,
				 path);
	return check_device_target(*inside ? inside : path, err);
}

int config_check_devices(const json_t *value, struct error *err)
{
	json_t *item;
	size_t i;
	int ret;

	json_array_foreach(value, i, item) {
		ret = check_device(item, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- mounts --------------------------------------------------------------- */

int config_check_tmpfs(const json_t *value, struct error *err)
{
	json_t *object = (json_t *)value;
	const char *target;
	json_t *item;
	int ret;

	json_object_foreach(object, target, item) {
		AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;

		ret = mountspec_parse_tmpfs(target, json_string_value(item), &spec, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

int config_check_mounts(const json_t *value, struct error *err)
{
	json_t *item;
	size_t i;
	int ret;

	json_array_foreach(value, i, item) {
		AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;

		ret = mountspec_parse_mount(item, &spec, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}
