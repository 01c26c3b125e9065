/* What the files of cgroup.h share: the machine's hierarchies and the settings
 * that limits become. Private to runtime/cgroup/ and its tests.
 */
#ifndef RUNTIME_CGROUP_CGROUP_INTERNAL_H
#define RUNTIME_CGROUP_CGROUP_INTERNAL_H

#include "base/strbuf.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/cgroup/cpulist.h"

#include <limits.h>

/* Controllers that we use. Freezer and devices are v1 only: on version 2 every
 * group has cgroup.freeze, and devices are a BPF program. */
enum cgroup_controller {
	CGROUP_MEMORY,
	CGROUP_CPU,
	CGROUP_PIDS,
	CGROUP_CPUSET,
	CGROUP_DEVICES,
	CGROUP_FREEZER,
	CGROUP_CONTROLLER_COUNT
};
extern const char *const cgroup_controller_names[CGROUP_CONTROLLER_COUNT];

/* Where the hierarchies are mounted; index CGROUP_TREE_V2 is version 2's. */
#define CGROUP_TREE_V2 CGROUP_CONTROLLER_COUNT
#define CGROUP_TREE_COUNT (CGROUP_CONTROLLER_COUNT + 1)

struct cgroup_mounts {
	char paths[CGROUP_TREE_COUNT][PATH_MAX]; /* "" when not mounted */
};

/* text  a mountinfo (proc(5)); the first mount of each hierarchy's root counts
 * Never fails: what is malformed is skipped. */
void cgroup_mounts_parse(const char *text, struct cgroup_mounts *ret);

struct cgroup_tree {
	int root_fd;   /* -1: there is none */
	int parent_fd; /* containerfs/<instance> below it; -1 when unused */
};

/* Immutable once made, so that threads need no lock. */
struct cgroup_host {
	char *instance;
	struct cgroup_tree trees[CGROUP_TREE_COUNT];
	/* Controllers of version 2 that our parent hands down; the others are version 1's. */
	bool on_v2[CGROUP_CONTROLLER_COUNT];
	bool has_swap;
	bool has_kill;  /* cgroup.kill, Linux 5.14 */
	int device_bpf; /* the device program, -1 when bpf(2) or the leaf is missing */
};

/* cgroup_host_new() with a mountinfo handed in, so that a hybrid machine can be
 * taken for one without version 2. */
int cgroup_host_new_from(const char *instance, const char *mountinfo, struct cgroup_host **ret,
			 struct error *err);
/* Make our parent in a tree anew: somebody removed it while it was empty. Its descriptor keeps its number,
 * so that other threads need not know. 0 or -errno. */
int cgroup_host_remake_parent(const struct cgroup_host *host, int tree);
/* Tree in which this controller's limits are set, -1 when the machine lacks it. */
int cgroup_host_find_tree(const struct cgroup_host *host, enum cgroup_controller controller);
/* Tree that surely holds each process of a container: version 2, else the freezer. */
int cgroup_host_main_tree(const struct cgroup_host *host);
/* Directory of a container in a tree; descriptor or -errno (-ENOENT: no such group). */
int cgroup_open_group(const struct cgroup_host *host, int tree, const char *id);

/* One value to be written. */
struct cgroup_setting {
	enum cgroup_controller controller;
	const char *file;
	char value[CPULIST_TEXT_MAX + 1];
	bool is_default;     /* what a new group has anyway */
	const char *parents; /* the file of its parent that an empty value stands for; NULL: none */
};
#define CGROUP_SETTINGS_MAX 12

/* Limits as settings in the order in which they are to be written to a group
 * whose present memory + swap limit is memsw_now (UINT64_MAX: none; version 1
 * refuses memory above it). Count, or -EINVAL, or -ENOTSUP naming the limit. */
int cgroup_settings_make(const struct cgroup_host *host, const struct cgroup_limits *limits,
			 uint64_t memsw_now, struct cgroup_setting ret[CGROUP_SETTINGS_MAX],
			 struct error *err);
/* Version 2 takes any limit, and kills those in the group until it holds; version 1 refuses one
 * below what is in use. Refuse it here too, for a group that lives: -EBUSY. */
int cgroup_setting_check(int group_fd, const struct cgroup_setting *setting, struct error *err);
/* Write one; 0 or -errno with a sentence. */
int cgroup_setting_write(int group_fd, const struct cgroup_setting *setting, struct error *err);

/* Read a small file of a group; "" when it cannot be read. */
void cgroup_read_file(int group_fd, const char *name, char *ret_text, size_t size);
/* The number behind "key " in such a file, 0 when there is none. */
uint64_t cgroup_read_key(int group_fd, const char *name, const char *key);

/* Pids in a group and those below it. */
struct cgroup_pids {
	pid_t *pids;
	size_t count, cap;
};
/* Append to a list that begins as { 0 }; 0 or -ENOMEM. What vanishes meanwhile is left out. */
int cgroup_pids_read(int group_fd, struct cgroup_pids *pids);
bool cgroup_pids_has(const struct cgroup_pids *pids, pid_t pid);
void cgroup_pids_deinit(struct cgroup_pids *pids);
DEFINE_AUTO_DEINIT(struct cgroup_pids, cgroup_pids_deinit);
/* Call visit for each group directly below; stops at a negative answer and returns it. */
int cgroup_each_child(int group_fd, int (*visit)(void *arg, int group_fd, const char *name),
		      void *arg);

/* Load the program of the default device list and these rules besides; descriptor or -errno. */
int cgroup_bpf_load_devices(const struct device_rule *rules, size_t count);
int cgroup_bpf_attach(int prog_fd, int group_fd);
/* The same list for the devices controller of version 1. */
int cgroup_v1_allow_devices(int group_fd, const struct device_rule *rules, size_t count,
			    struct error *err);

#endif
