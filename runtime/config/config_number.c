/* Checks of the numbers in a configuration.
 *
 * The bounds are Docker's where it has some, else the kernel's. What depends on
 * two keys (a swap limit needs a memory limit) is checked in config_apply.c.
 */
#include "runtime/config/config_value.h"

#include <stdint.h>

#define MEMORY_MIN 524288      /* Docker's 512k: less does not run a shell */
#define SHARES_MIN 2           /* of cpu.shares, kernel/sched/sched.h MIN_SHARES */
#define SHARES_MAX 262144      /* MAX_SHARES */
#define NANO_CPUS_MIN 10000000 /* cpu.cfs_quota_us of 1 ms in a period of 100 ms */
#define PERIOD_MIN 1000        /* microseconds; kernel/sched/core.c min_cfs_quota_period */
#define PERIOD_MAX 1000000     /* max_cfs_quota_period */
#define PIDS_MAX 4194304       /* PID_MAX_LIMIT of a 64-bit kernel */

static int check_range(const json_t *value, int64_t min, int64_t max, const char *what,
		       struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (number < min || number > max)
		return error_set(err, EINVAL, "%" JSON_INTEGER_FORMAT " is not %s", number, what);
	return 0;
}

int config_check_memory(const json_t *value, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (number < 0)
		return error_set(err, EINVAL, "%" JSON_INTEGER_FORMAT " is negative", number);
	if (number != 0 && number < MEMORY_MIN)
		return error_set(err, EINVAL,
				 "minimum memory limit allowed is 512k (%d bytes), not "
				 "%" JSON_INTEGER_FORMAT,
				 MEMORY_MIN, number);
	return 0;
}

int config_check_memory_reservation(const json_t *value, struct error *err)
{
	if (json_integer_value(value) == 0)
		return 0;
	return check_range(value, MEMORY_MIN, INT64_MAX, "0 or at least 512k (524288 bytes)", err);
}

int config_check_memory_swap(const json_t *value, struct error *err)
{
	return check_range(value, -1, INT64_MAX, "-1 (no limit), 0 or a number of bytes", err);
}

int config_check_cpu_shares(const json_t *value, struct error *err)
{
	if (json_integer_value(value) == 0)
		return 0;
	return check_range(value, SHARES_MIN, SHARES_MAX, "0 or from 2 to 262144", err);
}

int config_check_nano_cpus(const json_t *value, struct error *err)
{
	if (json_integer_value(value) == 0)
		return 0;
	return check_range(value, NANO_CPUS_MIN, INT64_MAX, "0 or at least 10000000 (0.01 CPUs)",
			   err);
}

int config_check_cpu_period(const json_t *value, struct error *err)
{
	if (json_integer_value(value) == 0)
		return 0;
	return check_range(value, PERIOD_MIN, PERIOD_MAX, "0 or from 1000 to 1000000 (1 ms to 1 s)",
			   err);
}

int config_check_cpu_quota(const json_t *value, struct error *err)
{
	json_int_t number = json_integer_value(value);

	if (number == 0 || number == -1)
		return 0;
	return check_range(value, PERIOD_MIN, INT64_MAX / 1000,
			   "-1 or 0 (no limit) or at least 1000 (1 ms)", err);
}

int config_check_oom_score_adj(const json_t *value, struct error *err)
{
	return check_range(value, -1000, 1000, "from -1000 to 1000", err);
}

int config_check_shm_size(const json_t *value, struct error *err)
{
	return check_range(value, 0, INT64_MAX, "0 (64 MiB) or a number of bytes", err);
}

int config_check_pids_limit(const json_t *value, struct error *err)
{
	return check_range(value, -1, PIDS_MAX, "-1 or 0 (no limit) or at most 4194304", err);
}

int config_check_stop_timeout(const json_t *value, struct error *err)
{
	return check_range(value, 0, INT32_MAX, "a number of seconds from 0 to 2147483647", err);
}

/* Rows and columns, as struct winsize holds them; zeros leave them to us. */
int config_check_console_size(const json_t *value, struct error *err)
{
	static const char what[] = "a number of rows or columns from 0 to 65535";
	json_t *side;
	size_t i;
	int ret = 0;

	if (json_array_size(value) != 0 && json_array_size(value) != 2)
		return error_set(err, EINVAL, "rows and columns are needed, such as [24, 80]");
	json_array_foreach(value, i, side) {
		if (ret == 0)
			ret = check_range(side, 0, UINT16_MAX, what, err);
	}
	return ret;
}
