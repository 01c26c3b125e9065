/* From the effective configuration's JSON to the struct that a start works with.
 *
 * The object was checked when it was stored and merged; getters here fall back to
 * the default for anything else, so that a damaged one cannot crash. Strings are
 * borrowed from the object; only the arrays are ours.
 */
#include "runtime/config/config.h"

#include "runtime/config/config_value.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STOP_TIMEOUT_S 10 /* Docker's */

static int no_memory(struct error *err)
{
	return error_set_sys(err, ENOMEM, "cannot read the configuration");
}

/* Copy the strings of a list behind *inout_count others; room is the caller's. */
static void add_strings(const json_t *list, const char **out, size_t *inout_count)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		if (json_is_string(item))
			out[(*inout_count)++] = json_string_value(item);
	}
}

/* Both lists in one NULL-terminated array; NULL: no memory. */
static const char **join_lists(const json_t *first, const json_t *second)
{
	size_t count = 0;
	const char **out =
		calloc(json_array_size(first) + json_array_size(second) + 1, sizeof(*out));

	if (!out)
		return NULL;
	add_strings(first, out, &count);
	add_strings(second, out, &count);
	return out;
}

static rlim_t get_limit(const json_t *ulimit, const char *name)
{
	int64_t value = json_get_int(ulimit, name, -1);

	return value < 0 ? RLIM_INFINITY : (rlim_t)value;
}

static int decode_ulimits(const json_t *list, struct config *config, struct error *err)
{
	size_t count = json_array_size(list);
	json_t *item;
	size_t i;

	config->ulimits = calloc(count + 1, sizeof(*config->ulimits));
	if (!config->ulimits)
		return no_memory(err);
	json_array_foreach(list, i, item) {
		struct launch_rlimit *limit = &config->ulimits[config->ulimit_count];

		limit->resource = config_find_rlimit(json_get_str(item, "Name", ""));
		limit->limit.rlim_cur = get_limit(item, "Soft");
		limit->limit.rlim_max = get_limit(item, "Hard");
		config->ulimit_count += limit->resource >= 0;
	}
	return 0;
}

static void decode_security(const json_t *list, struct config *config)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *text = json_is_string(item) ? json_string_value(item) : "";

		if (strncmp(text, "no-new-privileges", 17) == 0)
			config->no_new_privs = strstr(text, "false") == NULL;
		else if (strncmp(text, "seccomp", 7) == 0)
			config->seccomp_unconfined = true;
	}
}

/* Rows (0) or columns (1) of a new terminal, checked when they were written. */
static uint16_t get_side(const json_t *host, size_t index)
{
	const json_t *size = json_object_get(host, "ConsoleSize");

	return (uint16_t)json_integer_value(json_array_get(size, index));
}

static void decode_limits(const json_t *top, const json_t *host, struct cgroup_limits *limits)
{
	*limits = (struct cgroup_limits){
		.memory = json_get_int(top, "Memory", 0),
		.memory_swap = json_get_int(top, "MemorySwap", 0),
		.memory_reservation = json_get_int(host, "MemoryReservation", 0),
		.cpu_shares = json_get_int(top, "CpuShares", 0),
		.nano_cpus = json_get_int(host, "NanoCpus", 0),
		.cpu_period_us = json_get_int(host, "CpuPeriod", 0),
		.cpu_quota_us = json_get_int(host, "CpuQuota", 0),
		.cpuset_cpus = json_get_str(host, "CpusetCpus", ""),
		.cpuset_mems = json_get_str(host, "CpusetMems", ""),
		.pids = json_get_int(host, "PidsLimit", 0),
		.all_devices = json_get_bool(host, "Privileged", false),
	};
}

static void decode_scalars(const json_t *top, const json_t *host, struct config *config)
{
	config->hostname = json_get_str(top, "Hostname", "");
	config->domainname = json_get_str(top, "Domainname", "");
	config->user = json_get_str(top, "User", "");
	config->image = json_get_str(top, "Image", "");
	config->working_dir = json_get_str(top, "WorkingDir", "");
	config->tty = json_get_bool(top, "Tty", false);
	config->tty_rows = get_side(host, 0);
	config->tty_cols = get_side(host, 1);
	config->open_stdin = json_get_bool(top, "OpenStdin", false);
	config->stdin_once = json_get_bool(top, "StdinOnce", false);
	config->network_disabled = json_get_bool(top, "NetworkDisabled", false);
	config->stop_timeout_s = json_get_int(top, "StopTimeout", STOP_TIMEOUT_S);
	config->oom_score_adj = (int)json_get_int(host, "OomScoreAdj", 0);
	config->shm_size = json_get_int(host, "ShmSize", 0);
	config->privileged = json_get_bool(host, "Privileged", false);
	config->readonly_rootfs = json_get_bool(host, "ReadonlyRootfs", false);
	config->auto_remove = json_get_bool(host, "AutoRemove", false);
	config->init = json_get_bool(host, "Init", false);
	config->network_mode = json_get_str(host, "NetworkMode", "");
	config->userns = strcmp(json_get_str(host, "UsernsMode", ""), "auto") == 0;
}

static int decode_lists(const json_t *top, const json_t *host, struct config *config,
			struct error *err)
{
	config->argv = join_lists(json_object_get(top, "Entrypoint"), json_object_get(top, "Cmd"));
	config->env = join_lists(json_object_get(top, "Env"), NULL);
	config->dns = join_lists(json_object_get(top, "Dns"), NULL);
	config->cap_add = join_lists(json_object_get(host, "CapAdd"), NULL);
	config->cap_drop = join_lists(json_object_get(host, "CapDrop"), NULL);
	config->group_add = join_lists(json_object_get(host, "GroupAdd"), NULL);
	if (!config->argv || !config->env || !config->dns || !config->cap_add ||
	    !config->cap_drop || !config->group_add)
		return no_memory(err);
	config_decode_log(json_object_get(host, "LogConfig"), &config->log_max_size,
			  &config->log_max_file);
	return decode_ulimits(json_object_get(host, "Ulimits"), config, err);
}

int config_decode(const json_t *effective, bool for_start, struct config *ret, struct error *err)
{
	AUTO(config_deinit) struct config config = { .stop_signal = SIGTERM };
	const json_t *host = json_object_get(effective, "HostConfig");
	const char *signal_name = json_get_str(effective, "StopSignal", "");
	int r;

	decode_scalars(effective, host, &config);
	decode_limits(effective, host, &config.limits);
	decode_security(json_object_get(host, "SecurityOpt"), &config);
	if (*signal_name && signal_parse(signal_name, &config.stop_signal, err) < 0)
		return error_wrap(err, -EINVAL, "StopSignal");
	r = decode_lists(effective, host, &config, err);
	if (r < 0)
		return r;
	if (for_start && !config.argv[0])
		return error_set(err, EINVAL, "no command specified");
	*ret = config;
	config = (struct config){ .stop_signal = 0 };
	return 0;
}

void config_deinit(struct config *config)
{
	free(config->argv);
	free(config->env);
	free(config->dns);
	free(config->cap_add);
	free(config->cap_drop);
	free(config->group_add);
	free(config->ulimits);
	*config = (struct config){ .stop_signal = 0 };
}
