/* When does a container that ended run again by itself, and after what pause? Decisions
 * only, without a clock; runtime/container/container_policy.c carries them out.
 *
 * Source: docker-run(1) on --restart, and "Start containers automatically" of its manual.
 */
#ifndef RUNTIME_RESTART_POLICY_H
#define RUNTIME_RESTART_POLICY_H

#include "base/json.h"

#include <stdbool.h>
#include <stdint.h>

enum restart_kind { RESTART_NO, RESTART_ON_FAILURE, RESTART_ALWAYS, RESTART_UNLESS_STOPPED };

struct restart_policy {
	enum restart_kind kind;
	int64_t max; /* of on-failure; 0: no limit */
};

/* HostConfig.RestartPolicy of a configuration; RESTART_NO when it has none. */
struct restart_policy restart_policy_get(const json_t *effective);
/* A run ended by itself with this code, after so many restarts by the policy. */
bool restart_policy_wants(const struct restart_policy *policy, int exit_code, uint64_t restarts);
/* The machine was started again. stopped: its user had ended it. */
bool restart_policy_wants_at_boot(const struct restart_policy *policy, bool stopped);

#define RESTART_DELAY_MIN_NS INT64_C(100000000)
#define RESTART_DELAY_MAX_NS INT64_C(60000000000)
#define RESTART_GOOD_RUN_NS INT64_C(10000000000)

/* The pause before the next restart, after one of before_ns (0: none) and a run of ran_ns. */
int64_t restart_policy_next_delay(int64_t before_ns, int64_t ran_ns);

#endif
