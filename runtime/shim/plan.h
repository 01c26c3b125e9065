/* The launch plan as it travels: one flat message, built by plan_render() of
 * runtime/plan.h in the engine, read in place by the shim that it was sent to.
 *
 * A header, then strings and arrays in any order. Everything is found by offset
 * from the message's start; a string's offset may be 0 for none; arrays begin
 * at multiples of 8; the last byte of the message is NUL, so that every string
 * ends inside. Both sides are of one build: no compatibility is kept.
 */
#ifndef RUNTIME_SHIM_PLAN_H
#define RUNTIME_SHIM_PLAN_H

#include "base/error.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_MAGIC 0x6e616c70U /* "plan" */
#define PLAN_VERSION 6U
#define PLAN_SIZE_MAX (16U << 20) /* argv and env reach 6 MiB at most in the kernel */
#define PLAN_FDS_MAX 8192U

enum plan_flag {
	PLAN_READONLY_ROOTFS = 1 << 0,
	PLAN_NO_NEW_PRIVS = 1 << 1,
	PLAN_NEW_NETNS = 1 << 2,
	PLAN_TTY = 1 << 3,
	PLAN_OPEN_STDIN = 1 << 4,
	PLAN_JOIN = 1 << 5,    /* a further process of a container that runs */
	PLAN_DISCARD = 1 << 6, /* its output is not kept */
	PLAN_INIT = 1 << 7,    /* process 1 is an init of ours, the program its child */
	PLAN_USERNS = 1 << 8   /* its ids are others on the host */
};

struct plan_span {
	uint32_t offset;
	uint32_t count;
};

struct plan_mount {
	uint64_t flags; /* MS_* */
	uint32_t source, target, fstype, data;
	int32_t fd;
	uint32_t is_file;
};

struct plan_device {
	uint32_t path;
	uint32_t mode, major, minor;
	uint32_t uid, gid;
};

struct plan_rlimit {
	uint64_t soft, hard;
	uint32_t resource;
	uint32_t reserved;
};

struct plan_header {
	uint32_t magic, version;
	uint64_t size; /* of the whole message */
	uint64_t run;
	uint64_t log_max_size, log_max_file; /* struct log_bounds */
	uint64_t cap_bounding, cap_effective, cap_permitted, cap_inheritable, cap_ambient;
	struct plan_span mounts;       /* struct plan_mount */
	struct plan_span devices;      /* struct plan_device */
	struct plan_span rlimits;      /* struct plan_rlimit */
	struct plan_span seccomp;      /* struct sock_filter */
	struct plan_span groups;       /* uint32_t */
	struct plan_span cgroup_procs; /* int32_t, descriptors */
	struct plan_span masked;       /* uint32_t each, offsets of strings */
	struct plan_span readonly;
	struct plan_span argv;
	struct plan_span env;
	struct plan_span sysctls;               /* names and values in turn */
	uint32_t id, cwd, hostname, domainname; /* strings; the last two may be 0 */
	uint32_t uid, gid;
	int32_t oom_score_adj;
	uint32_t flags; /* enum plan_flag */
	uint32_t tty_rows, tty_cols;
	uint32_t uid_base, gid_base; /* what the container's ids 0 are on the host */
	/* Descriptors, as the mounts' and cgroup_procs: on the way their places among those that
	 * come with the message, then their numbers. */
	int32_t rootfs_fd, log_dir_fd, run_dir_fd; /* the first is -1 with PLAN_JOIN */
	int32_t cgroup_fd;                         /* or -1 */
	int32_t join_fd;                           /* with PLAN_JOIN: pidfd of process 1; else -1 */
	int32_t netns_fd;                          /* the network namespace to enter, or -1 */
	int32_t userns_fd;                         /* with PLAN_USERNS alone; else -1 */
	int32_t ipcns_fd, pidns_fd;                /* another container's to enter, or -1 */
	int32_t reserved;
};

/* A checked message: pointers into it, and counts in the header. */
struct plan {
	const char *base;
	const struct plan_header *header;
	const struct plan_mount *mounts;
	const struct plan_device *devices;
	const struct plan_rlimit *rlimits;
	const struct sock_filter *seccomp;
	const uint32_t *groups;
	const int32_t *cgroup_procs;
	const uint32_t *masked, *readonly, *argv, *env, *sysctls;
};

/* Check every offset, count and value of a message. No I/O, no allocation.
 *
 * bytes  aligned to 8; must outlive the plan
 *
 * 0, or -EINVAL (-EPROTO for another version) with a sentence. */
int plan_parse(const void *bytes, size_t size, struct plan *ret, struct error *err);

/* Put the descriptors' numbers in the place of their places.
 *
 * bytes  of the checked message, which must be writable
 *
 * 0, or -EINVAL with a sentence: there are fewer. */
int plan_place_fds(void *bytes, const int *fds, size_t count, struct error *err);

/* The string at an offset of a checked message, NULL for 0. */
static inline const char *plan_get_str(const struct plan *plan, uint32_t offset)
{
	return offset ? plan->base + offset : NULL;
}

static inline bool plan_has(const struct plan *plan, enum plan_flag flag)
{
	return (plan->header->flags & (uint32_t)flag) != 0;
}

/* Does the child that sets up make another one in a pid namespace that is there (join.c)? */
static inline bool plan_forks(const struct plan *plan)
{
	return plan_has(plan, PLAN_JOIN) || plan->header->pidns_fd >= 0;
}

#endif
