/* All containers: the table, the verbs, recovery.
 *
 * Readers look up and take immutable views without waiting. Verbs run on worker
 * threads, one actor per container: its commands take turns in order of arrival, but
 * kill and stop overtake. The engine can die at any moment: engine_open() reads
 * ROOT and RUN, connects to the shims and knows everything again.
 *
 * On disk: ROOT/containers/<id>/{config.json, meta.json, upper/, work/, log, log.index,
 * state.json (copied)}, RUN/<12 digits>/{state.json, exit.json, shim.sock, shim.pid, plan.json,
 * hosts, hostname, resolv.conf}.
 */
#ifndef RUNTIME_ENGINE_H
#define RUNTIME_ENGINE_H

#include "base/json.h"
#include "graph/graph.h"
#include "runtime/event.h"
#include "runtime/security/userns.h"
#include "runtime/ticket.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct engine;
struct container; /* the live object; outlives its removal while referenced */

enum container_state {
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_RESTARTING,
	CONTAINER_EXITED
};
const char *container_state_get_name(enum container_state state); /* "created", ... */

#define CONTAINER_NAME_SIZE 256

/* What is true of one container at one moment; immutable, counted. */
struct container_view {
	atomic_int refs;
	char id[65];
	char name[CONTAINER_NAME_SIZE]; /* its 12 digits when it was made without one */
	bool has_name;                  /* false: name is the 12 digits */
	uint64_t key; /* first 9 digits of the id as a number (36 bits): unique, never 0 */
	enum container_state state;
	pid_t pid;     /* of process 1, host's view; 0 when not running */
	int exit_code; /* of the last run; 0 before */
	bool oom_killed;
	bool is_exec; /* a further process in a container (runtime/exec/exec.h), and no container */
	bool damaged; /* its files cannot be read: state exited, error says which */
	char error[500];
	int64_t created_ns, started_ns, finished_ns; /* 0: never */
	int64_t changed_ns; /* last change of state: mtime of its directory and status */
	uint64_t restarts;  /* by policy */
	uint64_t run;       /* number of the current or last run; 0: never ran */
	json_t *config;     /* what was asked for (Config with "HostConfig" inside); read only */
	json_t *effective; /* merged with the image's at the last start (or now if it never ran); read only */
	json_t *network; /* in force while it runs, of runtime/network/network_private.h; else NULL; read only */
	json_t *mounts; /* what it mounts, of runtime/volume/volume.h; NULL: not decided yet; read only */
	/* With a size: the ids that it has on the host, from its first start on. */
	struct id_range ids;
	char image_id[65]; /* resolved at the last start, else at create; "" if unknown */
};
struct container_view *container_view_ref(struct container_view *view);
void container_view_unref(struct container_view *view);
DEFINE_AUTO(struct container_view *, container_view_unref);

struct engine_options {
	const char *root;     /* absolute, exists */
	const char *run;      /* absolute, exists */
	const char *mnt;      /* where it is mounted: not to be looked into; or NULL */
	const char *registry; /* for reports */
	const char *bridge;   /* of the containers' network; NULL: a name made from instance */
	const char *subnet;   /* its addresses; NULL: a range that overlaps nothing */
	bool isolated;        /* containers do not reach each other, but for links */
	char *const *
		log_opts; /* bounds of logs, "K=V", checked, borrowed; NULL-terminated. A new container
				* takes them or the built-in ones; NULL: it takes none */
	const char *instance;  /* names our cgroups: hex digits derived from root */
	struct graph *graph;   /* borrowed */
	struct events *events; /* borrowed */
	/* Called after each published change of a container, with no lock held, from any
	 * thread: state, config, name, stdin room, removal. Log growth is not reported here. */
	void (*on_change)(void *arg, uint64_t key);
	/* Called after a volume has come or gone, with no lock held, from any thread; not by engine_open(). May be
	 * NULL. */
	void (*on_volume)(void *arg, const char *name);
	void *arg;
};

/* 0 or -errno with a sentence. Recovers: running containers are found by their shims, ended
 * ones get their exit record, killed shims become "exited" with Error, half-made things
 * (containers, mounts, cgroups, RUN directories) are swept, damaged ones are listed as such. */
int engine_open(const struct engine_options *options, struct engine **ret, struct error *err);
/* Containers run on. Copies states to ROOT, unmounts RUN/rootfs. Verbs have returned by now; references
 * may be dropped later. on_change is called neither in engine_open() nor from here on. */
void engine_close(struct engine *engine);

/* --- looking: never blocks ------------------------------------------------ */

/* A counted reference, or NULL. Exact name, 64 or 12 digits (the form of paths). */
struct container *engine_find(struct engine *engine, const char *name);
struct container *engine_find_key(struct engine *engine, uint64_t key);
/* One that has been removed, maybe by a former engine: for files that were open then (its log and its
 * exit code are there). A counted reference, or NULL; always NULL after engine_forget_removed(), which
 * is called when all open files have found their containers. */
struct container *engine_find_removed(struct engine *engine, uint64_t key);
void engine_forget_removed(struct engine *engine);
/* The form of commands: name first, then a unique prefix of an id of 4 digits or more.
 * NULL: -ENOENT "no such container: X", or -EINVAL "ambiguous". The negative errno is in err->code. */
struct container *engine_resolve(struct engine *engine, const char *ref, struct error *err);
struct container *container_ref(struct container *container);
void container_unref(struct container *container);
DEFINE_AUTO(struct container *, container_unref);
struct container_view *container_get_view(struct container *container); /* counted, never NULL */
bool container_is_removed(struct container *container);
/* Has that run ended (or can it never begin, the container being removed)? Then its exit code, also when
 * a later run goes on: the last 8 are remembered. */
bool container_get_exit(struct container *container, uint64_t run, int *ret_code);
/* The same for who follows a container over the restarts of its policy: *inout_run becomes the last run
 * of those that belong together, and a pause before a restart is no end. */
bool container_get_last_exit(struct container *container, uint64_t *inout_run, int *ret_code);
/* O_PATH or directory descriptor of ROOT/containers/<id>: borrowed, valid while referenced,
 * also after removal (the logs of a removed container can be read to their end). */
int container_get_dir_fd(struct container *container);

struct container_list {
	size_t count;
	struct container_view **views; /* newest first */
};
/* 0 or -ENOMEM. Published as a whole: cheap also for 10,000. */
int engine_list(struct engine *engine, struct container_list *ret);
void container_list_deinit(struct container_list *list);
DEFINE_AUTO_DEINIT(struct container_list, container_list_deinit);

/* --- verbs: block; worker threads only. ticket is never NULL --------------- */

/* Their sentences are without the command's word, which the caller knows. A ticket's number tells a signal or bytes of stdin from their
 * repetition, so that each command of a request needs a number of its own. Notes read
 * "<id>", "<id> made", "<id> <run>", "<id> failed <errno> <sentence>" (of one that its failed start removed). Any verb that had to wait for others of the same
 * container and was cancelled meanwhile is -EINTR, with nothing done. */

/* name NULL: none (the 12 digits). config: asked-for object, borrowed, validated already by
 * config_apply(). durable: fsync before returning (an explicit create).
 * -EEXIST "the name 'web' is taken by container 0123..."; *ret is a reference. */
int engine_create(struct engine *engine, struct ticket *ticket, const char *name,
		  const json_t *config, bool durable, struct container **ret, struct error *err);
/* -EBUSY running or paused; -ENOENT no image or program (state exited, ExitCode 127, Error), -EACCES (126). */
int container_start(struct container *c, struct ticket *ticket, struct error *err);
/* StopSignal (or signo if not 0), wait, KILL; timeout_s -1: the configured one (10). Success when already
 * stopped. Interrupted: -EINTR, and the stop goes on. Works on a paused one. */
int container_stop(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		   struct error *err);
/* SIGKILL (9): returns when it has stopped; others when sent. -ESRCH when not running. */
int container_kill(struct container *c, struct ticket *ticket, int signo, struct error *err);
/* container_stop() and container_start() in one. */
int container_restart(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		      struct error *err);
/* Returns when all its processes stand still. -ESRCH not running; -EBUSY paused already;
 * -ETIMEDOUT a process sleeps in the kernel, and all run on. */
int container_pause(struct container *c, struct ticket *ticket, struct error *err);
/* -ESRCH not running; -EBUSY not paused. A stop and a kill do it too. */
int container_unpause(struct container *c, struct ticket *ticket, struct error *err);
/* -EBUSY while it runs, unless force. Afterwards nothing is left; slow parts are a reaper's. */
int container_remove(struct container *c, struct ticket *ticket, bool force, bool volumes,
		     struct error *err);
int container_rename(struct container *c, struct ticket *ticket, const char *name,
		     struct error *err);
/* Merge patch (RFC 7396) into what was asked for; live values apply at once, what cannot change while
 * running is -EBUSY naming the key (unless it has that value already). Whole or nothing. */
int container_update(struct container *c, struct ticket *ticket, const json_t *patch,
		     struct error *err);
/* Until the run that is going on (or, before the first one, the first) has ended: exit code. -EINTR. */
int container_wait(struct container *c, struct ticket *ticket, int *ret_code, struct error *err);
int container_close_stdin(struct container *c, struct ticket *ticket, struct error *err);
int container_resize(struct container *c, struct ticket *ticket, unsigned rows, unsigned cols,
		     struct error *err);
/* See RUN/rootfs/<id> mounted and give its absolute path. Any state. */
int container_expose_rootfs(struct container *c, char *ret_path, size_t size, struct error *err);
/* The same at once, when it is mounted and was asked for lately; else -EAGAIN. Never blocks. */
int container_find_rootfs(struct container *c, char *ret_path, size_t size);
int engine_expose_image(struct engine *engine, struct image *image, char *ret_path, size_t size,
			struct error *err);

struct container_commit {
	const char *name;             /* the tag, moved if it is taken; NULL: none */
	const char *message, *author; /* NULL: none */
	char *const *changes;         /* of change_config(); NULL: none */
	bool pause; /* while its files are read, unless somebody else has paused it */
};
/* An image of its image and what it wrote, volumes left out; any state. Interrupted: -EINTR, and nothing is left.
 * The note is the image's id. -ENOENT no image. */
int container_commit(struct container *c, struct ticket *ticket,
		     const struct container_commit *commit, char ret_id[GRAPH_ID_SIZE],
		     struct error *err);

/* --- looking inside: block (disk, /proc); worker threads only; err is never NULL --- */

/* What a container wrote (its overlay's upper directory) and what lies below it (its image's layers,
 * merged). Descriptors that the caller closes; -1: nothing was written yet, or no image is known. */
int container_open_layers(struct container *c, int *ret_upper_fd, int *ret_lower_fd,
			  struct error *err);
/* Its root file system in any state, without what is mounted in it: a directory's descriptor that the
 * caller closes, which keeps the mount; or -errno. */
int container_open_rootfs(struct container *c, struct error *err);
/* Its root file system is being read as an archive: the event "export". */
void container_tell_export(struct container *c);
/* Mount points that a start makes in it: paths, NULL-terminated, constant. */
const char *const *container_get_made_paths(void);
/* Bytes of regular files that the container wrote, hard links once. */
int container_get_own_size(struct container *c, int64_t *ret_bytes, struct error *err);
/* All that it wrote, the first max_entries of it (graph/measure.h). */
struct measure;
int container_measure(struct container *c, uint64_t max_entries, struct measure *ret,
		      struct error *err);
/* Pids of its processes, lowest first; heap. Count, 0 when it does not run, or -errno. */
ssize_t container_list_pids(struct container *c, pid_t **ret, struct error *err);
struct container_stats {
	uint64_t memory, memory_peak;
	uint64_t memory_limit; /* the machine's memory when there is none */
	uint64_t cpu_ns;
	uint64_t pids;
	uint64_t block_read, block_written;
	uint64_t net_received, net_sent; /* but for loopback */
};
/* 1, or 0 when it does not run, or -errno. */
int container_read_stats(struct container *c, struct container_stats *ret, struct error *err);

/* The image has gone: take its mount away. Safe to repeat. */
void engine_hide_image(struct engine *engine, const char *image_id);

/* --- stdin: quick (a round trip to the shim), never waits for the process --- */

/* As shim_stdin(): the count of the request's bytes taken so far. -ESRCH not running, -EPIPE.
 * on_change is called when there may be room again. */
ssize_t container_write_stdin(struct container *c, uint64_t number, const void *bytes, size_t len,
			      struct error *err);
/* A writer of stdin has opened or closed it; with StdinOnce the last close ends the input. Writers are
 * counted per run; after an engine's restart the caller counts its handles again. */
void container_open_stdin(struct container *c);
void container_release_stdin(struct container *c, uint64_t run);

/* Facts for `info`. */
struct engine_facts {
	size_t containers, running, paused;
	const char *cgroup_mode;
	const char *bridge;
	char subnet[INET_ADDRSTRLEN + 4], subnet6[INET6_ADDRSTRLEN + 4]; /* "": no bridge now */
	bool isolated;            /* containers do not reach each other */
	bool forwards, forwards6; /* the host passes packets on */
};
void engine_get_facts(struct engine *engine, struct engine_facts *ret);
/* Which container uses an image? For struct graph_options.find_user. */
const char *engine_find_image_user(struct engine *engine, const char *image_id);

#endif
