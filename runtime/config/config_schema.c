/* The one table of configuration keys, and the check of a value against it.
 *
 * A key is in the table or it is refused; its row says everything that parsing,
 * merging and changing a configuration must know of it. Docker's fields keep
 * Docker's names. Five of them moved from Config to HostConfig over Docker's
 * versions: both places are taken, Config is where they are kept.
 *
 * The order of rows is the order in which a configuration is shown.
 */
#include "runtime/config/config_schema.h"

#include "runtime/config/config_value.h"

#include <string.h>

#define TOP(key, kind) .name = key, .type = CONFIG_##kind, .place = CONFIG_TOP
#define HOST(key, kind) .name = key, .type = CONFIG_##kind, .place = CONFIG_HOST
#define BOTH(key, kind) .name = key, .type = CONFIG_##kind, .place = CONFIG_TOP | CONFIG_HOST
#define LIVE .live = true
#define PORTS .ports = true
#define TEXT(func) .check_text = config_check_##func
#define JSON(func) .check_json = config_check_##func

const struct config_key config_keys[] = {
	{ TOP("Hostname", STRING), TEXT(hostname) },
	{ TOP("Domainname", STRING), TEXT(domain) },
	{ TOP("User", STRING), TEXT(user) },
	{ BOTH("Memory", INT), LIVE, JSON(memory) },
	{ BOTH("MemorySwap", INT), LIVE, JSON(memory_swap) },
	{ BOTH("CpuShares", INT), LIVE, JSON(cpu_shares) },
	{ TOP("AttachStdin", BOOL) },
	{ TOP("AttachStdout", BOOL) },
	{ TOP("AttachStderr", BOOL) },
	{ TOP("ExposedPorts", SET), PORTS, TEXT(port) },
	{ TOP("Tty", BOOL) },
	{ TOP("OpenStdin", BOOL) },
	{ TOP("StdinOnce", BOOL) },
	{ TOP("Env", STRINGS), TEXT(env) },
	{ TOP("Cmd", ARGV) },
	{ BOTH("Dns", STRINGS), TEXT(address) },
	{ TOP("Image", STRING), TEXT(image) },
	{ TOP("Volumes", SET), TEXT(mount_point) },
	{ BOTH("VolumesFrom", STRINGS), TEXT(volumes_from) },
	{ TOP("WorkingDir", STRING), TEXT(directory) },
	{ TOP("Entrypoint", ARGV) },
	{ TOP("NetworkDisabled", BOOL) },
	{ TOP("Labels", MAP), TEXT(nonempty) },
	{ TOP("StopSignal", STRING), TEXT(signal) },
	{ TOP("StopTimeout", INT), JSON(stop_timeout) },

	{ HOST("Binds", STRINGS), TEXT(bind) },
	{ HOST("ConsoleSize", INTS), JSON(console_size) },
	{ HOST("ContainerIDFile", STRING) },
	{ HOST("LogConfig", OBJECT), JSON(log_config) },
	{ HOST("NetworkMode", STRING), TEXT(network) },
	{ HOST("PortBindings", OBJECT), PORTS, TEXT(port), JSON(port_bindings) },
	{ HOST("RestartPolicy", OBJECT), LIVE, JSON(restart_policy) },
	{ HOST("AutoRemove", BOOL) },
	{ HOST("CapAdd", STRINGS), JSON(cap_list) },
	{ HOST("CapDrop", STRINGS), JSON(cap_list) },
	{ HOST("CpuPeriod", INT), LIVE, JSON(cpu_period) },
	{ HOST("CpuQuota", INT), LIVE, JSON(cpu_quota) },
	{ HOST("CpusetCpus", STRING), LIVE, TEXT(cpuset) },
	{ HOST("CpusetMems", STRING), LIVE, TEXT(cpuset) },
	{ HOST("DeviceCgroupRules", STRINGS), TEXT(device_rule) },
	{ HOST("Devices", OBJECTS), JSON(devices) },
	{ HOST("DnsOptions", STRINGS), TEXT(one_line) },
	{ HOST("DnsSearch", STRINGS), TEXT(search) },
	{ HOST("ExtraHosts", STRINGS), TEXT(extra_host) },
	{ HOST("GroupAdd", STRINGS), TEXT(group) },
	{ HOST("IpcMode", STRING), TEXT(ipc) },
	{ HOST("Links", STRINGS), TEXT(link) },
	{ HOST("MemoryReservation", INT), LIVE, JSON(memory_reservation) },
	{ HOST("OomScoreAdj", INT), JSON(oom_score_adj) },
	{ HOST("PidMode", STRING), TEXT(pid) },
	{ HOST("Privileged", BOOL) },
	{ HOST("PublishAllPorts", BOOL) },
	{ HOST("ReadonlyRootfs", BOOL) },
	{ HOST("SecurityOpt", STRINGS), TEXT(security_opt) },
	{ HOST("ShmSize", INT), JSON(shm_size) },
	{ HOST("Tmpfs", MAP), TEXT(mount_point), JSON(tmpfs) },
	{ HOST("Sysctls", MAP), TEXT(sysctl) },
	{ HOST("NanoCpus", INT), LIVE, JSON(nano_cpus) },
	{ HOST("PidsLimit", INT), LIVE, JSON(pids_limit) },
	{ HOST("Ulimits", OBJECTS), JSON(ulimits) },
	{ HOST("Mounts", OBJECTS), JSON(mounts) },
	{ HOST("Init", BOOL) },
	{ HOST("UTSMode", STRING), TEXT(uts) },
	{ HOST("UsernsMode", STRING), TEXT(userns) },
};
const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

const struct config_key *config_key_find(const char *name, unsigned place)
{
	for (size_t i = 0; i < config_key_count; i++) {
		if ((config_keys[i].place & place) && strcmp(config_keys[i].name, name) == 0)
			return &config_keys[i];
	}
	return NULL;
}

unsigned config_key_home(const struct config_key *key)
{
	return key->place & CONFIG_TOP ? CONFIG_TOP : CONFIG_HOST;
}

/* What C cannot hold in a string, JSON can. */
static int check_string(const struct config_key *key, const char *text, size_t len,
			struct error *err)
{
	if (strlen(text) != len)
		return error_set(err, EINVAL, "'%s' holds a NUL byte", text);
	if (len == 0 && key->type == CONFIG_STRING)
		return 0;
	return key->check_text ? key->check_text(text, err) : 0;
}

static int check_strings(const struct config_key *key, const json_t *list, struct error *err)
{
	json_t *item;
	size_t i;
	int ret;

	json_array_foreach(list, i, item) {
		ret = check_string(key, json_string_value(item), json_string_length(item), err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int check_member(const struct config_key *key, const char *name, const json_t *item,
			struct error *err)
{
	bool is_set = key->type == CONFIG_SET;

	if (is_set && !(json_is_object(item) && json_object_size(item) == 0))
		return error_set(err, EINVAL, "the value of '%s' must be {}", name);
	if (key->type == CONFIG_MAP && !json_is_string(item))
		return error_set(err, EINVAL, "the value of '%s' must be a string", name);
	if (json_is_string(item) && strlen(json_string_value(item)) != json_string_length(item))
		return error_set(err, EINVAL, "the value of '%s' holds a NUL byte", name);
	return key->check_text ? key->check_text(name, err) : 0;
}

static int check_members(const struct config_key *key, const json_t *value, struct error *err)
{
	json_t *object = (json_t *)value; /* jansson's iterator wants it so, and changes nothing */
	const char *name;
	json_t *item;
	int ret;

	json_object_foreach(object, name, item) {
		ret = check_member(key, name, item, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static bool is_list_of(const json_t *value, json_type type)
{
	json_t *item;
	size_t i;

	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, item) {
		if (json_typeof(item) != type)
			return false;
	}
	return true;
}

/* What is wrong with the value's type; NULL when it is right. */
static const char *check_type(const struct config_key *key, const json_t *value)
{
	switch (key->type) {
	case CONFIG_BOOL:
		return json_is_boolean(value) ? NULL : "must be true or false";
	case CONFIG_INT:
		return json_is_integer(value) ? NULL : "must be a number";
	case CONFIG_STRING:
		return json_is_string(value) ? NULL : "must be a string";
	case CONFIG_STRINGS:
		return is_list_of(value, JSON_STRING) ? NULL : "must be a list of strings";
	case CONFIG_INTS:
		return is_list_of(value, JSON_INTEGER) ? NULL : "must be a list of numbers";
	case CONFIG_ARGV:
		if (json_is_string(value) || is_list_of(value, JSON_STRING))
			return NULL;
		return "must be a list of strings or a string";
	case CONFIG_OBJECTS:
		return is_list_of(value, JSON_OBJECT) ? NULL : "must be a list of objects";
	case CONFIG_SET:
	case CONFIG_MAP:
	case CONFIG_OBJECT:
		break;
	}
	return json_is_object(value) ? NULL : "must be an object";
}

static int check_content(const struct config_key *key, const json_t *value, struct error *err)
{
	int ret = 0;

	if (json_is_string(value))
		ret = check_string(key, json_string_value(value), json_string_length(value), err);
	else if (key->type == CONFIG_STRINGS || key->type == CONFIG_ARGV)
		ret = check_strings(key, value, err);
	else if (json_is_object(value))
		ret = check_members(key, value, err);
	if (ret < 0 || !key->check_json)
		return ret;
	return key->check_json(value, err);
}

int config_key_check_type(const struct config_key *key, const json_t *value, struct error *err)
{
	const char *wrong = check_type(key, value);

	return wrong ? error_set(err, EINVAL, "%s %s", key->name, wrong) : 0;
}

int config_key_check(const struct config_key *key, const json_t *value, struct error *err)
{
	int ret = config_key_check_type(key, value, err);

	if (ret < 0)
		return ret;
	return error_wrap(err, check_content(key, value, err), "%s", key->name);
}

bool config_key_is_default(const struct config_key *key, const json_t *value)
{
	/* An empty Entrypoint is a wish: it drops the image's. */
	if (key->type == CONFIG_ARGV && strcmp(key->name, "Entrypoint") == 0)
		return value == NULL;
	if (json_is_string(value))
		return json_string_length(value) == 0;
	if (json_is_integer(value))
		return json_integer_value(value) == 0;
	if (json_is_array(value))
		return json_array_size(value) == 0;
	if (json_is_object(value))
		return json_object_size(value) == 0;
	return value == NULL || json_is_false(value);
}

json_t *config_make_argv(json_t *value)
{
	auto_json json_t *list = NULL;

	if (!json_is_string(value))
		return json_incref(value);
	list = json_array();
	if (!list || json_array_append(list, value) < 0)
		return NULL;
	return steal_ptr(&list);
}
