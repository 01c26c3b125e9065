/* Becoming process 1 of a container: what the shim's child does between clone3
 * and execve. Everything in here runs in the child, which may share the shim's
 * memory (see spawn.c): nothing is allocated, no state of the shim is changed,
 * and a failure is a sentence sent through the channel.
 */
#ifndef RUNTIME_SHIM_SANDBOX_H
#define RUNTIME_SHIM_SANDBOX_H

#include "base/error.h"
#include "runtime/shim/plan.h"

/* The slim mount namespace is an empty tmpfs but for this directory. */
#define SANDBOX_ROOT "/root"

struct sandbox {
	const struct plan *plan;
	char **argv, **env; /* made of the plan's, for execve */
	int stdio[3];       /* ends of pipes for 0, 1, 2; stdin may be -1; unused with a tty */
	int channel;        /* to the shim: one struct shim_failed, or the terminal */
	int shim_channel;   /* the shim's end, which the child inherits and closes */
	int proc_fd;        /* the host's /proc */
	int root_fd;        /* the container's root, once it is there */
	int null_fd;        /* of an init, opened before it may have few descriptors */
	char *args;         /* the shim's own command line, which init replaces */
	size_t args_size;
};

struct shim_failed;

/* Set up and execute. Returns only to be followed by _exit(): it failed and the
 * shim has been told. Typed for spawn_child(). */
int sandbox_run(void *sandbox);

/* join.c: the same for a further process of a container that runs (exec). It is not
 * the program's parent for long: see there. Typed for spawn_child(). */
int join_run(void *sandbox);

/* Also join.c, for a first process in the pid namespace of another container: go into it when nothing of the
 * host's is needed any more but privileges, and, when these are given up, make the process there. */
int join_enter_pid(struct sandbox *box, struct error *err);
int join_make_inner(const struct sandbox *box, struct shim_failed *failed);

/* Steps that both take. 0 or -errno with a sentence. */
int sandbox_set_oom_score(const struct sandbox *box, struct error *err);
int sandbox_join_cgroups(const struct plan *plan, struct error *err);
int sandbox_leave_keyring(struct error *err);
void sandbox_reset_signals(void);

/* root.c: the root file system and what is mounted in it. Each 0 or -errno with
 * a sentence. Paths are resolved inside the container's root. */
int root_take(struct sandbox *box, struct error *err);
int root_mount_all(const struct sandbox *box, struct error *err);
int root_mask_paths(const struct sandbox *box, struct error *err);
int root_protect_paths(const struct sandbox *box, struct error *err);
int root_seal(struct error *err); /* make the root file system itself read-only */
/* Open path, O_PATH; make it (and its parents, 0755) when it is missing: a
 * directory, or an empty file. A descriptor or -errno, no sentence. */
int root_open_made(int root_fd, const char *path, bool is_file);

/* dev.c: what lies in /dev. */
int dev_fill(const struct sandbox *box, struct error *err);
/* A pseudo terminal of the container's own devpts becomes 0, 1, 2, and of process 1
 * /dev/console and the controlling terminal; master and slave go to the shim. */
int dev_open_terminal(const struct sandbox *box, struct error *err);
/* The container's own /dev/null; without one a pipe that is at its end. -1 and errno. */
int dev_open_null(int root_fd);
/* Pipes or the container's /dev/null become 0, 1, 2. */
int dev_set_stdio(const struct sandbox *box, struct error *err);

/* identity.c: what the program may do. In this order. */
int identity_set_limits(const struct plan *plan, struct error *err);
int identity_drop(const struct sandbox *box, struct error *err);
/* Be killed when the shim, whose end of the channel tells of its life, dies. */
int identity_die_with_shim(int channel, struct error *err);

/* userns.c: ids that are others on the host. Nothing happens without PLAN_USERNS. */
/* Be in those that are owned, and make files as the container's root, until userns_enter(). */
int userns_prepare(const struct sandbox *box, struct error *err);
/* Change into the user namespace: nothing of the host's can be done after it. */
int userns_enter(const struct sandbox *box, struct error *err);

/* sysctl.c: in the namespaces that they are of, and while proc_fd is open. */
int sysctl_set_all(const struct sandbox *box, struct error *err);

/* init.c: be process 1 and have the program as a child. Needs memory of its own. */
void init_set_name(const struct sandbox *box); /* while there are privileges */
/* Returns only in a process that is to report *failed and exit. */
void init_run(const struct sandbox *box, struct shim_failed *failed);

/* args.c: the words of the command line that ps shows, each with its NUL; len counts them all. */
void args_set(char *args, size_t args_size, const char *words, size_t len);

/* home.c: of the network that the caller is in. 0 or -errno with a sentence. */
int home_raise_loopback(struct error *err);

/* program.c: execve, looked up in the container's PATH. Returns -errno with a
 * sentence. */
int program_execute(char *const *argv, char *const *env, struct error *err);

#endif
