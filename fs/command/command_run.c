/* create, run and update: options to a configuration, one table row each.
 *
 * A row names the key that its option sets; the functions here are the ways in
 * which a text becomes a value. What create and run made is checked as a
 * configuration before the command counts as parsed, so that a bad value is found
 * before anything is done. The options are docker-run(1)'s.
 */
#include "fs/command/command_private.h"

#include "base/num.h"
#include "runtime/config/config.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#define TAKE_ARGS void *target, const struct option_spec *spec, const char *value, struct error *err

/* --- ways to take a value ------------------------------------------------- */

static int take_bool(TAKE_ARGS)
{
	return command_set_json(target, spec->host, spec->key,
				json_boolean(strcmp(value, "true") == 0), err);
}

static int take_text(TAKE_ARGS)
{
	return command_set_text(target, spec->host, spec->key, value, err);
}

static int take_item(TAKE_ARGS)
{
	return command_append_text(target, spec->host, spec->key, value, err);
}

static int set_number(struct command *command, const struct option_spec *spec, int64_t number,
		      struct error *err)
{
	return command_set_json(command, spec->host, spec->key, json_integer(number), err);
}

static int take_number(TAKE_ARGS)
{
	int64_t number;

	if (num_parse_i64(value, INT64_MIN, INT64_MAX, &number) < 0)
		return error_set(err, EINVAL, "'%s' is not a number", value);
	return set_number(target, spec, number, err);
}

static int take_size(TAKE_ARGS)
{
	uint64_t bytes;

	if (num_parse_size(value, &bytes) < 0 || bytes > INT64_MAX)
		return error_set(err, EINVAL, "'%s' is not a size like 512m", value);
	return set_number(target, spec, (int64_t)bytes, err);
}

static int take_swap(TAKE_ARGS)
{
	if (strcmp(value, "-1") == 0)
		return set_number(target, spec, -1, err);
	return take_size(target, spec, value, err);
}

/* "1.5" processors: at most nine digits behind the point. */
static int take_cpus(TAKE_ARGS)
{
	const char *point = strchrnul(value, '.');
	char whole[12] = "0", fraction[10] = "000000000";
	size_t whole_len = (size_t)(point - value);
	size_t len = *point ? strlen(point + 1) : 0;
	uint64_t count, parts;

	if (whole_len + len == 0 || whole_len >= sizeof(whole) || len >= sizeof(fraction))
		return error_set(err, EINVAL, "'%s' is not a number of CPUs like 1.5", value);
	if (whole_len > 0) {
		memcpy(whole, value, whole_len);
		whole[whole_len] = '\0';
	}
	memcpy(fraction, *point ? point + 1 : "", len);
	if (num_parse_u64(whole, 0, 1000000, &count) < 0 ||
	    num_parse_u64(fraction, 0, 999999999, &parts) < 0)
		return error_set(err, EINVAL, "'%s' is not a number of CPUs like 1.5", value);
	return set_number(target, spec, (int64_t)(count * 1000000000 + parts), err);
}

/* KEY=VALUE into an object; KEY alone gives it the empty text. separator is '='
 * but for --tmpfs. */
static int take_pair(struct command *command, const struct option_spec *spec, const char *value,
		     char separator, struct error *err)
{
	auto_free char *name = strdup(value);
	json_t *text = NULL;
	char *at;
	int ret;

	if (!name)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	at = strchr(name, separator);
	if (at)
		*at++ = '\0';
	ret = command_make_text(at ? at : "", &text, err);
	if (ret < 0)
		return ret;
	return command_set_member(command, spec->host, spec->key, name, text, err);
}

static int take_label(TAKE_ARGS)
{
	return take_pair(target, spec, value, '=', err);
}

static int take_sysctl(TAKE_ARGS)
{
	if (!strchr(value, '='))
		return error_set(err, EINVAL, "'%s' is not NAME=VALUE", value);
	return take_pair(target, spec, value, '=', err);
}

static int take_tmpfs(TAKE_ARGS)
{
	return take_pair(target, spec, value, ':', err);
}

/* --- single options ------------------------------------------------------- */

static int take_attach(TAKE_ARGS)
{
	static const struct {
		const char *stream, *key;
	} known[] = {
		{ "stdin", "AttachStdin" },
		{ "stdout", "AttachStdout" },
		{ "stderr", "AttachStderr" },
	};
	size_t i = 0;
	int ret;

	(void)spec;
	while (i < 3 && strcasecmp(value, known[i].stream) != 0)
		i++;
	if (i == 3)
		return error_set(err, EINVAL, "'%s' is not stdin, stdout or stderr", value);
	ret = command_set_json(target, false, known[i].key, json_true(), err);
	if (ret == 0 && i == 0)
		ret = command_set_json(target, false, "StdinOnce", json_true(), err);
	return ret;
}

static int take_env(TAKE_ARGS)
{
	if (*value && *value != '=' && !strchr(value, '='))
		return error_set(err, EINVAL,
				 "'%s' has no value, and there is no environment to take it from; "
				 "write %s=VALUE",
				 value, value);
	return take_item(target, spec, value, err);
}

/* "a.b.c" is host a in domain b.c. */
static int take_hostname(TAKE_ARGS)
{
	auto_free char *host = strdup(value);
	char *dot;
	int ret;

	if (!host)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	dot = strchr(host, '.');
	if (!dot)
		return take_text(target, spec, value, err);
	*dot = '\0';
	ret = command_set_text(target, false, "Hostname", host, err);
	if (ret == 0)
		ret = command_set_text(target, false, "Domainname", dot + 1, err);
	return ret;
}

/* A path alone is an anonymous volume, all else a bind. */
static int take_volume(TAKE_ARGS)
{
	if (strchr(value, ':'))
		return take_item(target, spec, value, err);
	return command_set_member(target, false, "Volumes", value, json_object(), err);
}

static int take_entrypoint(TAKE_ARGS)
{
	struct command *command = target;

	/* One word; an empty one is kept and means none (see config_merge.c). */
	if (command->config)
		json_object_del(command->config, spec->key);
	return take_item(target, spec, value, err);
}

static int take_log_opt(TAKE_ARGS)
{
	const char *equals = strchr(value, '=');
	auto_free char *name = strndup(value, strcspn(value, "="));
	json_t *options, *text = NULL;
	int ret;

	if (!name)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	ret = config_check_log_opt(value, err);
	if (ret < 0)
		return ret;
	ret = command_get_member(target, spec->host, spec->key, "Config", false, &options, err);
	if (ret == 0)
		ret = command_make_text(equals + 1, &text, err);
	if (ret == 0 && json_object_set_new(options, name, text) < 0)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	return ret;
}

static int take_log_driver(TAKE_ARGS)
{
	json_t *text = NULL;
	int ret = command_make_text(value, &text, err);

	if (ret < 0)
		return ret;
	return command_set_member(target, spec->host, spec->key, "Type", text, err);
}

/* ROWSxCOLUMNS */
static int take_console_size(TAKE_ARGS)
{
	auto_free char *rows = strndup(value, strcspn(value, "x"));
	uint64_t sides[2];

	if (!rows)
		return error_set_sys(err, ENOMEM, "cannot take '%s'", value);
	if (value[strlen(rows)] != 'x' || num_parse_u64(rows, 1, UINT16_MAX, &sides[0]) < 0 ||
	    num_parse_u64(value + strlen(rows) + 1, 1, UINT16_MAX, &sides[1]) < 0)
		return error_set(err, EINVAL, "'%s' is not ROWSxCOLUMNS, such as 24x80", value);
	return command_set_json(target, spec->host, spec->key,
				json_pack("[I, I]", (json_int_t)sides[0], (json_int_t)sides[1]),
				err);
}

static int take_rm(TAKE_ARGS)
{
	((struct command *)target)->remove = strcmp(value, "true") == 0;
	return take_bool(target, spec, value, err);
}

static int take_name(TAKE_ARGS)
{
	int ret = config_check_name(value, err);

	return ret < 0 ? ret : command_take_string(target, spec, value, err);
}

static int take_pull(TAKE_ARGS)
{
	static const char *const known[] = { "never", "missing", "always" };
	struct command *command = target;

	(void)spec;
	for (int i = 0; i < 3; i++) {
		if (strcmp(value, known[i]) == 0) {
			command->pull = (enum pull_policy)i;
			return 0;
		}
	}
	return error_set(err, EINVAL, "'%s' is not never, missing or always", value);
}

static int refuse_cidfile(TAKE_ARGS)
{
	(void)target;
	(void)spec;
	return error_set(err, ENOTSUP,
			 "'%s' is not written from a control file; its reply is the id", value);
}

static int refuse_file(TAKE_ARGS)
{
	(void)target;
	(void)spec;
	return error_set(err, ENOTSUP,
			 "'%s' is not read by a control file; write out what is in it, or use cfs",
			 value);
}

/* --- the tables ----------------------------------------------------------- */

#define TOP(k) .key = k
#define HOST(k) .key = k, .host = true

/* clang-format off */
#define DETACH \
	{ OPTION('d', "detach", NULL), .take = command_take_flag, \
	  .offset = offsetof(struct command, detach) }
#define LIMITS \
	{ OPTION('c', "cpu-shares", "SHARES"), .take = take_number, TOP("CpuShares") }, \
	{ OPTION(0, "cpu-period", "MICROSECONDS"), .take = take_number, HOST("CpuPeriod") }, \
	{ OPTION(0, "cpu-quota", "MICROSECONDS"), .take = take_number, HOST("CpuQuota") }, \
	{ OPTION(0, "cpuset-cpus", "LIST"), .take = take_text, HOST("CpusetCpus") }, \
	{ OPTION(0, "cpuset-mems", "LIST"), .take = take_text, HOST("CpusetMems") }, \
	{ OPTION(0, "cpus", "CPUS"), .take = take_cpus, HOST("NanoCpus") }, \
	{ OPTION('m', "memory", "SIZE"), .take = take_size, TOP("Memory") }, \
	{ OPTION(0, "memory-reservation", "SIZE"), .take = take_size, HOST("MemoryReservation") }, \
	{ OPTION(0, "memory-swap", "SIZE"), .take = take_swap, TOP("MemorySwap") }, \
	{ OPTION(0, "pids-limit", "N"), .take = take_number, HOST("PidsLimit") }, \
	{ OPTION(0, "restart", "POLICY[:N]"), .take = command_take_restart_policy, \
	  HOST("RestartPolicy") }
#define LOG_OPT \
	{ OPTION(0, "log-opt", "NAME=VALUE"), .take = take_log_opt, HOST("LogConfig") }
#define CREATE \
	{ OPTION(0, "add-host", "HOST:ADDRESS"), .take = take_item, HOST("ExtraHosts") }, \
	{ OPTION('a', "attach", "STREAM"), .take = take_attach }, \
	{ OPTION(0, "cap-add", "CAPABILITY"), .take = take_item, HOST("CapAdd") }, \
	{ OPTION(0, "cap-drop", "CAPABILITY"), .take = take_item, HOST("CapDrop") }, \
	{ OPTION(0, "cidfile", "FILE"), .take = refuse_cidfile, .hidden = true }, \
	{ OPTION(0, "device", "HOST[:PATH][:rwm]"), .take = command_take_device, HOST("Devices") }, \
	{ OPTION(0, "device-cgroup-rule", "RULE"), .take = take_item, HOST("DeviceCgroupRules") }, \
	{ OPTION(0, "dns", "ADDRESS"), .take = take_item, TOP("Dns") }, \
	{ OPTION(0, "dns-option", "OPTION"), .take = take_item, HOST("DnsOptions") }, \
	{ OPTION(0, "dns-opt", "OPTION"), .take = take_item, HOST("DnsOptions"), .hidden = true }, \
	{ OPTION(0, "dns-search", "DOMAIN"), .take = take_item, HOST("DnsSearch") }, \
	{ OPTION(0, "domainname", "DOMAIN"), .take = take_text, TOP("Domainname") }, \
	{ OPTION(0, "entrypoint", "WORD"), .take = take_entrypoint, TOP("Entrypoint") }, \
	{ OPTION('e', "env", "NAME=VALUE"), .take = take_env, TOP("Env") }, \
	{ OPTION(0, "env-file", "FILE"), .take = refuse_file, .hidden = true }, \
	{ OPTION(0, "expose", "PORT[/PROTOCOL]"), .take = command_take_expose }, \
	{ OPTION(0, "group-add", "GROUP"), .take = take_item, HOST("GroupAdd") }, \
	{ OPTION('h', "hostname", "HOST[.DOMAIN]"), .take = take_hostname, TOP("Hostname") }, \
	{ OPTION(0, "init", NULL), .take = take_bool, HOST("Init") }, \
	{ OPTION('i', "interactive", NULL), .take = take_bool, TOP("OpenStdin") }, \
	{ OPTION(0, "ipc", "MODE"), .take = take_text, HOST("IpcMode") }, \
	{ OPTION('l', "label", "NAME[=VALUE]"), .take = take_label, TOP("Labels") }, \
	{ OPTION(0, "label-file", "FILE"), .take = refuse_file, .hidden = true }, \
	{ OPTION(0, "link", "CONTAINER:ALIAS"), .take = take_item, HOST("Links") }, \
	{ OPTION(0, "log-driver", "DRIVER"), .take = take_log_driver, HOST("LogConfig") }, \
	LOG_OPT, \
	{ OPTION(0, "mount", "FIELD=VALUE,..."), .take = command_take_mount, HOST("Mounts") }, \
	{ OPTION(0, "name", "NAME"), .take = take_name, .offset = offsetof(struct command, name) }, \
	{ OPTION(0, "network", "NETWORK"), .take = take_text, HOST("NetworkMode") }, \
	{ OPTION(0, "net", "NETWORK"), .take = take_text, HOST("NetworkMode"), .hidden = true }, \
	{ OPTION(0, "oom-score-adj", "N"), .take = take_number, HOST("OomScoreAdj") }, \
	{ OPTION(0, "pid", "MODE"), .take = take_text, HOST("PidMode") }, \
	{ OPTION(0, "privileged", NULL), .take = take_bool, HOST("Privileged") }, \
	{ OPTION('p', "publish", "[[ADDRESS:]HOSTPORT:]PORT"), .take = command_take_publish }, \
	{ OPTION('P', "publish-all", NULL), .take = take_bool, HOST("PublishAllPorts") }, \
	{ OPTION(0, "platform", "OS/ARCH[/VARIANT]"), .take = command_take_string, \
	  .offset = offsetof(struct command, platform) }, \
	{ OPTION(0, "pull", "never|missing|always"), .take = take_pull }, \
	{ OPTION(0, "read-only", NULL), .take = take_bool, HOST("ReadonlyRootfs") }, \
	{ OPTION(0, "rm", NULL), .take = take_rm, HOST("AutoRemove") }, \
	{ OPTION(0, "security-opt", "OPTION"), .take = take_item, HOST("SecurityOpt") }, \
	{ OPTION(0, "shm-size", "SIZE"), .take = take_size, HOST("ShmSize") }, \
	{ OPTION(0, "stop-signal", "SIGNAL"), .take = take_text, TOP("StopSignal") }, \
	{ OPTION(0, "stop-timeout", "SECONDS"), .take = take_number, TOP("StopTimeout") }, \
	{ OPTION(0, "sysctl", "NAME=VALUE"), .take = take_sysctl, HOST("Sysctls") }, \
	{ OPTION(0, "tmpfs", "PATH[:OPTIONS]"), .take = take_tmpfs, HOST("Tmpfs") }, \
	{ OPTION('t', "tty", NULL), .take = take_bool, TOP("Tty") }, \
	{ OPTION(0, "ulimit", "NAME=SOFT[:HARD]"), .take = command_take_ulimit, HOST("Ulimits") }, \
	{ OPTION('u', "user", "USER[:GROUP]"), .take = take_text, TOP("User") }, \
	{ OPTION(0, "uts", "host"), .take = take_text, HOST("UTSMode") }, \
	{ OPTION(0, "userns", "host|auto"), .take = take_text, HOST("UsernsMode") }, \
	{ OPTION('v', "volume", "[SOURCE:]PATH[:MODE]"), .take = take_volume, HOST("Binds") }, \
	{ OPTION(0, "volumes-from", "CONTAINER[:MODE]"), .take = take_item, TOP("VolumesFrom") }, \
	{ OPTION('w', "workdir", "DIRECTORY"), .take = take_text, TOP("WorkingDir") }
#define EXEC \
	{ OPTION(0, "console-size", "ROWSxCOLUMNS"), .take = take_console_size, HOST("ConsoleSize") }, \
	{ OPTION('e', "env", "NAME=VALUE"), .take = take_env, TOP("Env") }, \
	{ OPTION('i', "interactive", NULL), .take = take_bool, TOP("OpenStdin") }, \
	{ OPTION('t', "tty", NULL), .take = take_bool, TOP("Tty") }, \
	{ OPTION('u', "user", "USER[:GROUP]"), .take = take_text, TOP("User") }, \
	{ OPTION('w', "workdir", "DIRECTORY"), .take = take_text, TOP("WorkingDir") }
/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct option_spec create_specs[] = { CREATE, LIMITS };
static const struct option_spec run_specs[] = { DETACH, CREATE, LIMITS };
static const struct option_spec exec_specs[] = { DETACH, EXEC };
static const struct option_spec exec_run_specs[] = { EXEC };
static const struct option_spec update_specs[] = { LIMITS, LOG_OPT };

const struct option_table command_create_options = { create_specs, COUNT(create_specs) };
const struct option_table command_run_options = { run_specs, COUNT(run_specs) };
const struct option_table command_exec_options = { exec_specs, COUNT(exec_specs) };
const struct option_table command_exec_run_options = { exec_run_specs, COUNT(exec_run_specs) };
const struct option_table command_update_options = { update_specs, COUNT(update_specs) };

/* --- the words behind the options ----------------------------------------- */

static bool is_attached(const json_t *config)
{
	return json_get_bool(config, "AttachStdin", false) ||
	       json_get_bool(config, "AttachStdout", false) ||
	       json_get_bool(config, "AttachStderr", false);
}

/* The patch becomes the configuration that it makes. */
static int check_config(struct command *command, struct error *err)
{
	json_t *checked;
	int ret = config_apply(NULL, command->config, false, &checked, err);

	if (ret < 0)
		return ret;
	json_decref(command->config);
	command->config = checked;
	return 0;
}

int command_take_create(const struct parse *p, struct error *err)
{
	struct command *command = p->command;
	int ret;

	if (p->count == 0)
		return command_refuse_usage(p, "no image given", err);
	if (*p->operands[0] == '\0')
		return error_set(err, EINVAL, "the image's name is empty");
	if (command->detach && is_attached(command->config))
		return error_set(err, EINVAL, "-a and -d cannot be used together");
	command->image = strdup(p->operands[0]);
	if (!command->image)
		return error_set_sys(err, ENOMEM, "cannot read the command");
	ret = command_set_text(command, false, "Image", p->operands[0], err);
	for (size_t i = 1; ret == 0 && i < p->count; i++)
		ret = command_append_text(command, false, "Cmd", p->operands[i], err);
	return ret < 0 ? ret : check_config(command, err);
}

int command_take_update(const struct parse *p, struct error *err)
{
	if (!p->command->config)
		return command_refuse_usage(p, "nothing to change", err);
	return command_take_targets(p, err);
}
