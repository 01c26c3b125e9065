/* Restart policies: who is to run again, and the pauses in between, which double from
 * a tenth of a second to a minute, so that a container that cannot work costs next
 * to nothing; a run of ten seconds counts as one that worked.
 */
#include "runtime/restart_policy.h"

#include <string.h>

struct restart_policy restart_policy_get(const json_t *effective)
{
	static const char *const names[] = {
		[RESTART_NO] = "no",
		[RESTART_ON_FAILURE] = "on-failure",
		[RESTART_ALWAYS] = "always",
		[RESTART_UNLESS_STOPPED] = "unless-stopped",
	};
	const json_t *host = json_get_object(effective, "HostConfig");
	const json_t *object = json_get_object(host, "RestartPolicy");
	const char *name = json_get_str(object, "Name", "");
	struct restart_policy policy = {
		.kind = RESTART_NO,
		.max = json_get_int(object, "MaximumRetryCount", 0),
	};

	for (int kind = RESTART_NO; kind <= RESTART_UNLESS_STOPPED; kind++)
		if (strcmp(name, names[kind]) == 0)
			policy.kind = (enum restart_kind)kind;
	return policy;
}

bool restart_policy_wants(const struct restart_policy *policy, int exit_code, uint64_t restarts)
{
	switch (policy->kind) {
	case RESTART_ON_FAILURE:
		return exit_code != 0 && (policy->max <= 0 || restarts < (uint64_t)policy->max);
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return true;
	case RESTART_NO:
	default:
		return false;
	}
}

bool restart_policy_wants_at_boot(const struct restart_policy *policy, bool stopped)
{
	return policy->kind == RESTART_ALWAYS ||
	       (policy->kind == RESTART_UNLESS_STOPPED && !stopped);
}

int64_t restart_policy_next_delay(int64_t before_ns, int64_t ran_ns)
{
	if (before_ns <= 0 || ran_ns >= RESTART_GOOD_RUN_NS)
		return RESTART_DELAY_MIN_NS;
	return before_ns < RESTART_DELAY_MAX_NS / 2 ? before_ns * 2 : RESTART_DELAY_MAX_NS;
}
