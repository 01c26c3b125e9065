/* Control groups of containers: version 2 where its controllers are available,
 * version 1 hierarchies otherwise, and on a hybrid machine a v2 leaf for kill,
 * freeze and events beside v1 leaves for the limits.
 *
 * Everything of one container is called <parent>/<id>, where parent is
 * "containerfs/<instance>"; its one remove is cgroup_remove().
 */
#ifndef RUNTIME_CGROUP_CGROUP_H
#define RUNTIME_CGROUP_CGROUP_H

#include "base/cleanup.h"
#include "base/error.h"
#include "runtime/security/device_rule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the machine has, found once from /proc/self/mountinfo and /proc/cgroups. */
struct cgroup_host;

/* instance  names this engine's groups apart from another root's; [a-z0-9]+ */
int cgroup_host_new(const char *instance, struct cgroup_host **ret, struct error *err);
void cgroup_host_free(struct cgroup_host *host);
DEFINE_AUTO(struct cgroup_host *, cgroup_host_free);
/* "v1", "v2", "hybrid" for `info`. */
const char *cgroup_host_get_mode(const struct cgroup_host *host);
/* Has it this controller ("memory", "swap", "cpu", "pids", "cpuset", "devices", "freezer")? */
bool cgroup_host_has(const struct cgroup_host *host, const char *controller);

struct cgroup_limits {
	int64_t memory;             /* bytes; 0: none */
	int64_t memory_swap;        /* memory + swap; -1: no limit, 0: twice memory as Docker */
	int64_t memory_reservation; /* bytes that are left to it when memory is short; 0: none */
	int64_t cpu_shares;         /* v1 scale, 2..262144; 0: default 1024 */
	int64_t nano_cpus;          /* 1e9 is one processor; 0: none */
	/* The same in the kernel's terms, instead of it: 0 is 100 ms, and 0 or -1 no limit. */
	int64_t cpu_period_us, cpu_quota_us;
	/* Processors and memory nodes to use, "0-2,5"; NULL or "": all. */
	const char *cpuset_cpus, *cpuset_mems;
	int64_t pids; /* 0 or -1: none */
	/* Of devices what is allowed besides the usual; borrowed. */
	const struct device_rule *devices;
	size_t device_count;
	bool all_devices; /* privileged: no device list */
};

#define CGROUP_PROCS_MAX 16
struct cgroup {
	int leaf_fd; /* v2 directory for CLONE_INTO_CGROUP, -1 on pure v1 */
	/* v1 `tasks` files, open for writing: process 1 joins by writing "0" there itself
	 * while it has one thread. A pid, or cgroup.procs, would work too, but takes the
	 * kernel's lock over all process groups: 5-11 ms after an idle pause instead of 50 us. */
	int procs_fds[CGROUP_PROCS_MAX];
	size_t procs_count;
};
/* clang-format off */
#define CGROUP_INIT { .leaf_fd = -1, .procs_count = 0 }
/* clang-format on */

/* Make the container's groups and set the limits and the device allow-list of
 * Docker (null, zero, full, random, urandom, tty, console, ptmx, pts/...; mknod of
 * anything; by eBPF on the v2 leaf, else the v1 devices controller).
 * A limit that the kernel lacks: -ENOTSUP naming it. On failure nothing is left. */
int cgroup_create(struct cgroup_host *host, const char *id, const struct cgroup_limits *limits,
		  struct cgroup *ret, struct error *err);
/* What one more process needs to join the groups of a container that runs. -ENOENT: there are none. */
int cgroup_open(struct cgroup_host *host, const char *id, struct cgroup *ret, struct error *err);
void cgroup_deinit(struct cgroup *cgroup); /* closes descriptors only */
DEFINE_AUTO_DEINIT(struct cgroup, cgroup_deinit);
/* Change the limits of live groups; whole or nothing. */
int cgroup_update(struct cgroup_host *host, const char *id, const struct cgroup_limits *limits,
		  struct error *err);
/* SIGKILL to every process in it (cgroup.kill, or thaw + signals on v1). Safe to repeat. */
int cgroup_kill(struct cgroup_host *host, const char *id, struct error *err);
/* Freeze every process in it: returns when all stand still. -ETIMEDOUT: one cannot within the
 * time (it sleeps in the kernel), and all go on; -ENOENT. Blocks. */
int cgroup_freeze(struct cgroup_host *host, const char *id, unsigned timeout_ms, struct error *err);
/* Let them go on. Safe to repeat; a group that is gone is none that is frozen. Blocks as above. */
int cgroup_thaw(struct cgroup_host *host, const char *id, unsigned timeout_ms, struct error *err);
/* Are they frozen, or being frozen? Quick. */
bool cgroup_is_frozen(struct cgroup_host *host, const char *id);
/* Remove the groups; kills what is left in them first. Safe to repeat, any half-made
 * state; waits briefly (event-driven, at most 2 s) for processes to be gone. */
int cgroup_remove(struct cgroup_host *host, const char *id, struct error *err);
/* Did the OOM killer act in it since it was made? False when unknown. */
bool cgroup_was_oom(struct cgroup_host *host, const char *id);
/* A descriptor to be watched (EPOLLPRI if *ret_is_priority, else EPOLLIN) for the OOM killer, the
 * caller's; or -errno. Version 2's also wakes for less: ask cgroup_take_oom(), which also
 * is what lets it wake again. */
int cgroup_watch_oom(struct cgroup_host *host, const char *id, bool *ret_is_priority);
bool cgroup_take_oom(int watch_fd, bool is_priority);
/* What it has used since it was made; bytes, nanoseconds. */
struct cgroup_stats {
	uint64_t memory, memory_peak;
	uint64_t memory_limit; /* 0: none */
	uint64_t cpu_ns;
	uint64_t pids;
	uint64_t block_read, block_written; /* of its living processes and what they waited for */
};
/* A number that the machine does not count is 0. -ENOENT: no such group. */
int cgroup_read_stats(struct cgroup_host *host, const char *id, struct cgroup_stats *ret,
		      struct error *err);
/* Pids of the processes in it; count or -errno. */
ssize_t cgroup_list_pids(struct cgroup_host *host, const char *id, pid_t **ret, struct error *err);
/* Ids of all groups under our parent, for the sweep at start; NULL-terminated
 * array of heap strings, caller frees both. */
int cgroup_list(struct cgroup_host *host, char ***ret, struct error *err);
/* Remove the parent when it is empty (at a clean end); never an error. */
void cgroup_host_sweep(struct cgroup_host *host);

#endif
