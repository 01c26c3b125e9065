/* Starting a container's shim and talking to it.
 *
 * The engine decides and compiles everything into a struct launch_spec; this
 * module serialises it as the launch plan (one message), spawns the static shim
 * from a sealed memfd vfork-like into the slim mount namespace, and speaks the
 * shim's socket protocol (runtime/shim/protocol.h). The shim executes the plan,
 * owns stdio, writes the log, reaps, and writes the exit record.
 */
#ifndef RUNTIME_LAUNCH_H
#define RUNTIME_LAUNCH_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/* A file mount, made in order inside the new root before the pivot. target is
 * resolved inside the root (RESOLVE_IN_ROOT) and made when missing. */
struct launch_mount {
	const char *source;  /* for fs types; NULL for fd mounts */
	const char *target;  /* absolute path in the container */
	const char *fstype;  /* "proc", "tmpfs", ... ; NULL: attach fd (a detached mount) */
	unsigned long flags; /* MS_* */
	const char *data;    /* options or NULL */
	int fd;              /* detached mount from open_tree(2), or -1 */
	bool is_file;        /* the target to be made is a file */
};

struct launch_rlimit {
	int resource; /* RLIMIT_* */
	struct rlimit limit;
};

struct launch_device {
	const char *path; /* below /dev: "null" */
	mode_t mode;      /* with S_IFCHR or S_IFBLK */
	unsigned major, minor;
	uid_t uid;
	gid_t gid;
};

/* Borrowed by launch_start() for the call only. All strings without NULs; all
 * descriptors 3 or more. What is not set is inherited from the engine: resource
 * limits too. Capabilities beyond the engine's own make the start fail (EPERM).
 * rootfs_fd and the fds of mounts are attached as they are: none serves twice. */
struct launch_spec {
	const char *id; /* 64 digits */
	uint64_t run;   /* number of this run, from 1 */
	int rootfs_fd;  /* detached overlay mount */
	int log_dir_fd; /* ROOT/containers/<id>: the log is written here (runtime/log/logformat.h) */
	uint64_t log_max_size, log_max_file; /* bytes of a segment, segments; 0: no limit */
	int run_dir_fd; /* RUN/<12 digits>: shim.sock, shim.pid, exit.json are made here */
	int cgroup_fd;  /* v2 leaf for CLONE_INTO_CGROUP, or -1 */
	const int *cgroup_procs_fds; /* v1 cgroup.procs, open for writing, joined by process 1 */
	size_t cgroup_procs_count;
	const struct launch_mount *mounts; /* proc, sys, dev, hosts files..., in order */
	size_t mount_count;
	const struct launch_device *devices; /* made in the tmpfs on /dev */
	size_t device_count;
	const char *const *masked_paths; /* files over-mounted by /dev/null, dirs by ro tmpfs */
	size_t masked_count;
	const char *const *readonly_paths; /* remounted read-only */
	size_t readonly_count;
	bool readonly_rootfs;
	const char *const *argv; /* NULL-terminated; argv[0] looked up in PATH of env inside */
	const char *const *envp; /* NULL-terminated */
	const char *cwd;         /* absolute; made 0755 when missing */
	const char *hostname;    /* NULL: not set */
	const char *domainname;  /* NULL: not set */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	uint64_t cap_bounding, cap_effective, cap_permitted, cap_inheritable,
		cap_ambient; /* bit n: capability n */
	bool no_new_privs;
	const void *seccomp; /* struct sock_filter[], NULL: none */
	size_t seccomp_count;
	const struct launch_rlimit *rlimits;
	size_t rlimit_count;
	int oom_score_adj; /* as the kernel takes it; 0: leave */
	bool new_netns;    /* a network namespace of its own with lo up */
	bool join_netns;   /* the one that netns_fd refers to instead */
	int netns_fd;
	bool join_ipcns, join_pidns; /* likewise, those of another container */
	int ipcns_fd, pidns_fd;
	/* The host's; without its host name and domain name nothing is set. */
	bool ipc_is_host, pid_is_host, uts_is_host;
	bool tty;                    /* a pseudo terminal instead of pipes */
	uint16_t tty_rows, tty_cols; /* initial size; 0: 24 x 80 */
	bool open_stdin;             /* else /dev/null */
	bool init;                   /* process 1 is a small init of ours, the program its child */
	const char *const *sysctls;  /* names ("net.core.somaxconn") and values in turn */
	size_t sysctl_count;         /* of both */
	/* A further process (exec): it joins the namespaces of the process that join_fd, a
	 * pidfd of the container's process 1, names. rootfs_fd is -1, nothing is mounted, and
	 * cwd must be there. result->pid is the program's. */
	bool join;
	int join_fd;
	/* With ids of its own: userns_fd is a pidfd of a process in a user namespace, and in the
	 * network, ipc and uts namespaces for the container (with join: join_fd is used). uid,
	 * gid, groups, users of devices are the container's; files and mounts are prepared. */
	bool userns;
	int userns_fd;
	uid_t uid_base; /* what its ids 0 are on the host */
	gid_t gid_base;
	bool discard_output; /* nobody wants it: /dev/null, or read and dropped with a tty */
};

/* A connection to one shim. Not thread-safe: the caller serialises. */
struct shim;

struct launch_result {
	pid_t shim_pid;
	pid_t pid; /* process 1 of the container, as the host sees it */
};

/* Once per engine, before the first start and while other threads may run: seals
 * the shim's image and makes the slim mount namespace. 0 or -errno + sentence. */
struct launcher;
int launcher_new(struct launcher **ret, struct error *err);
void launcher_free(struct launcher *launcher);

/* Run the plan. Returns when the program was executed (close-on-exec pipe at its
 * end), or the failure: the sentence and errno from inside the container's set-up,
 * -ENOENT / -EACCES / -ENOEXEC for the program itself (ret->program_failed).
 * On failure nothing is left: no process, socket, pid file, mount.
 * -EBUSY: the shim of an earlier run still waits for room to write its log
 * (shim_connect() and shim_drop() end it).
 * Blocks for about a millisecond. *ret_shim is connected and subscribed. */
int launch_start(struct launcher *launcher, const struct launch_spec *spec,
		 struct launch_result *ret_result, bool *ret_program_failed, struct shim **ret_shim,
		 struct error *err);

/* Connect to a running shim by RUN/<12 digits> (after an engine's restart).
 * -ESRCH when there is none (socket refuses, or shim.pid names a dead or another
 * process: pid and start time are compared). */
int shim_connect(int run_dir_fd, struct shim **ret, struct launch_result *ret_result,
		 struct error *err);
void shim_free(struct shim *shim); /* closes the connection; the shim runs on */

/* For an event loop: readable when shim_read_event() has something. */
int shim_get_fd(const struct shim *shim);
int shim_get_pidfd(const struct shim *shim);

enum shim_event_type {
	SHIM_NONE,        /* nothing more now */
	SHIM_EXITED,      /* exit record written: fields of struct shim_event */
	SHIM_STDIN_READY, /* there is room again after a short shim_stdin() */
	SHIM_STDIN_GONE,  /* the reading side is closed */
	SHIM_CLOSED       /* the shim has gone (with or without SHIM_EXITED before) */
};
struct shim_event {
	enum shim_event_type type;
	int exit_code; /* 0-255, 128+n for a signal */
	int64_t finished_ns;
};
/* Never blocks. */
struct shim_event shim_read_event(struct shim *shim);

/* number: the request's number, 0 for none. The shim remembers the last numbers
 * (1024) and does nothing a second time. Each waits for the shim's answer (at most
 * 5 s, then -ETIMEDOUT). -ESRCH when process 1 has ended. */
int shim_signal(struct shim *shim, uint64_t number, int signo, struct error *err);
int shim_resize(struct shim *shim, uint64_t number, unsigned rows, unsigned cols,
		struct error *err);
int shim_close_stdin(struct shim *shim, uint64_t number, struct error *err);
/* Give up output that cannot be written to the log, now and from now on: a shim
 * whose process 1 has ended then ends too. For rm -f on a full disk. */
int shim_drop(struct shim *shim, struct error *err);
/* Give bytes of request `number` to stdin; `bytes` is the whole request each time it
 * is repeated or continued, and the shim skips what it took of that number before.
 * Returns the count taken of the request so far (0..len), or -EPIPE (closed or not open), -ESRCH.
 * Less than len: wait for SHIM_STDIN_READY, call again with the same arguments (with
 * number 0, which nobody remembers, with the rest of the bytes). */
ssize_t shim_stdin(struct shim *shim, uint64_t number, const void *bytes, size_t len,
		   struct error *err);

/* exit.json of a run that has ended; -ENOENT while there is none. */
struct exit_record {
	uint64_t run;
	int exit_code;
	int signo; /* 0: exited by itself */
	int64_t started_ns, finished_ns;
};
int exit_record_read(int run_dir_fd, struct exit_record *ret, struct error *err);

#endif
