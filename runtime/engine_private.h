/* What the files behind runtime/engine.h share; nobody else includes it.
 *
 * Locks, in the order in which they may be taken: table.lock, container.lock,
 * ticket.lock. container.shim_lock is taken with none of them held (a round
 * trip to the shim happens under it) and container.lock may be taken inside.
 * No lock but shim_lock is held across a system call that can wait.
 */
#ifndef RUNTIME_ENGINE_PRIVATE_H
#define RUNTIME_ENGINE_PRIVATE_H

#include "base/worker.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/config/config.h"
#include "runtime/engine.h"
#include "runtime/launch.h"
#include "runtime/rootfs/rootfs.h"
#include "runtime/security/user.h"
#include "runtime/security/userns_table.h"

#include <pthread.h>

#define SHORT_ID_SIZE 13
#define EXIT_CODES_KEPT 16U

struct monitor;
struct sock_filter;

/* --- the table (table.c) ---------------------------------------------------- */

/* A name in use: live, or reserved by a create or rename under way. */
struct name_slot {
	char *name;
	struct container *container; /* borrowed: by_id holds the reference */
	bool live;
};

struct table {
	pthread_rwlock_t lock;
	struct container **by_id; /* sorted by id, unlisted ones too; each a reference */
	size_t count, capacity;
	struct container **order; /* listed ones, oldest first; borrowed */
	size_t order_count;
	struct name_slot *names; /* sorted by name */
	size_t name_count, name_capacity;
};

int table_init(struct table *table);
void table_deinit(struct table *table); /* gives up its references */
/* Take the id (and the name unless NULL) without showing the container yet.
 * -EEXIST: the name's owner is told in the sentence. -EALREADY: the id's key is in use. */
int table_reserve(struct table *table, struct container *c, const char *name, struct error *err);
void table_show(struct table *table, struct container *c);
/* Out of the table with all its names; a reference less. */
void table_remove(struct table *table, struct container *c);
int table_reserve_name(struct table *table, struct container *c, const char *name,
		       struct error *err);
/* Exchange the names: `name`, reserved before, becomes the live one and c's others go. */
void table_take_name(struct table *table, struct container *c, const char *name);
void table_drop_name(struct table *table, struct container *c, const char *name);
/* Listed containers, oldest first, each a reference; heap array. 0 or -ENOMEM. */
int table_copy(struct table *table, struct container ***ret, size_t *ret_count);

/* --- the objects ------------------------------------------------------------ */

struct engine {
	atomic_int refs; /* the opener's and each container's: of the memory, not of what works */
	char *root, *run, *mnt;
	int containers_fd, run_fd;
	char *const *log_opts; /* borrowed */
	struct graph *graph;   /* borrowed */
	struct events *events; /* borrowed */
	void (*on_change)(void *arg, uint64_t key);
	void (*on_volume)(void *arg, const char *name);
	void *arg;
	char boot_id[40];
	struct cgroup_host *cgroups;
	struct rootfs *rootfs;
	struct userns_table *userns;
	struct launcher *launcher;
	struct volumes *volumes;
	struct network *network;
	struct network_names *names;
	struct network_isolation *isolation; /* NULL: containers reach each other */
	struct workers *workers;
	struct monitor *monitor;
	struct table table;
	atomic_bool copies_wanted; /* some state.json has not been copied to ROOT */
	atomic_bool copying;
	atomic_uint exposed; /* containers whose exposed_ns is set */
	atomic_bool hiding;
	atomic_bool is_open;          /* before, nobody is told of changes */
	pthread_mutex_t removed_lock; /* guards the rest */
	struct container **removed;   /* each a reference */
	size_t removed_count;
	bool keeps_removed; /* until engine_forget_removed() */
};

/* One command's place in the queue of a container, or one sleeper. */
struct turn {
	struct turn *next;
};
struct waiter {
	struct waiter *next;
	struct ticket *ticket;
	bool woken; /* guarded by ticket->lock */
};

/* A further process in a container is an object of the same kind as a container, with a shim, a log,
 * runs, sleepers and turns of its own; this is what it has besides (exec.c). */
struct exec {
	struct container *parent; /* counted */
	char *name;               /* "": of a command, or detached: nobody sees it */
	bool detached;            /* it removes itself at its end, and keeps no output */
	bool listed;              /* guarded by parent->lock; false while it is being made */
	atomic_bool shown;        /* engine_find_key() finds it */
	atomic_bool claimed;      /* a command of this engine waits for it */
};

struct container {
	atomic_int refs;
	struct exec *exec;    /* NULL: this is a container. Set before anybody sees it */
	json_t *log_defaults; /* taken when it was created; NULL: none. Set before anybody sees it */
	struct engine *engine; /* counted; verbs are called before engine_close() only */
	char id[65];
	char short_id[SHORT_ID_SIZE];
	uint64_t key;
	atomic_int dir_fd;  /* opened at the first wish, -1 before */
	atomic_int root_fd; /* its root's mount, see rootfs_let_go(); -1: none */
	bool listed;        /* guarded by table.lock */

	pthread_mutex_t lock; /* guards all down to shim_lock */
	struct container_view *view;
	bool removed;
	bool is_trashed; /* its directory is .trash-<id> until the last reference goes */
	struct waiter *waiters;
	struct turn *turn_first, *turn_last;
	char *image_name;         /* config's Image for which view->image_id was found, or NULL */
	uint64_t starting;        /* run being launched, 0: none */
	unsigned restarting;      /* restarts under way: its end is not the end */
	bool ending;              /* the end of the current run is being worked on */
	bool stop_asked;          /* the end is due to a stop: event "stop" */
	int64_t stop_deadline_ns; /* CLOCK_MONOTONIC, when KILL follows; 0: none */
	int oom_fd;               /* watched for the OOM killer; -1: not */
	bool oom_is_priority;
	bool stopped_by_user;   /* stopped or killed by hand: its policy rests until a start */
	bool policy_start;      /* the launch under way is the policy's */
	int64_t restart_due_ns; /* CLOCK_MONOTONIC, when `restarting` ends by a launch; 0: not so */
	int64_t restart_delay_ns;        /* the pause before that, which the next one doubles */
	int start_code;                  /* errno of a run whose program could not be executed */
	int exit_codes[EXIT_CODES_KEPT]; /* by run, for waiters that wake late */
	int64_t exposed_ns; /* CLOCK_MONOTONIC, when RUN/rootfs/<id> was last asked for; 0: not there */
	unsigned holds;     /* who paused it for a while and still needs that (container_pause.c) */
	uint64_t hold_serial; /* of the pause that they share, */
	uint64_t hold_run;    /* and the run that it is about */
	unsigned stdin_writers;
	uint64_t stdin_run;       /* the run that they are counted for */
	json_t *network;          /* of the run under way, as told before its launch; or NULL */
	bool network_is_held;     /* its lease and ports are this engine's to give back */
	json_t *last_ports;       /* that it got last: its wish for the next time; or NULL */
	struct container **execs; /* the further processes in it, oldest first; borrowed */
	size_t exec_count;
	bool finishing; /* the end of an exec's run is some thread's already */
	uint64_t save_wanted, save_done;
	bool saving, copy_wanted;
	pthread_cond_t saved;

	pthread_mutex_t shim_lock;
	struct shim *shim; /* of the current run, NULL: none */
	uint64_t shim_run;
	bool shim_closed; /* it will say nothing more */
	bool shim_exited; /* exit_code and finished_ns below are told */
	int exit_code;
	int64_t finished_ns;
	atomic_bool shim_pending; /* the event loop came while shim_lock was held */
	struct shim *old_shim;    /* has ended its run but still writes the log (full disk) */
};

/* --- container.c: object, views, turns -------------------------------------- */

/* One reference, view created with id and the 12 digits as name. NULL: no memory. */
struct container *container_new(struct engine *engine, const char *id);
/* A private copy of the view to change, with c->lock held until it is published; never NULL. */
struct container_view *container_edit(struct container *c);
/* Swap it in and unlock; the sleepers are woken, and on_change told, only by the second. */
void container_swap(struct container *c, struct container_view *view);
void container_publish(struct container *c, struct container_view *view);
void container_wake_locked(struct container *c);
void container_notify(struct container *c);

typedef bool container_predicate(const struct container *c, uint64_t arg);
/* Sleep with c->lock held (given up meanwhile) until done(c, arg). 0, or -EINTR when the ticket
 * was cancelled first. */
int container_sleep_locked(struct container *c, struct ticket *ticket, container_predicate *done,
			   uint64_t arg);
/* The same, or -ETIMEDOUT at that time of CLOCK_MONOTONIC; 0: never. */
int container_sleep_until_locked(struct container *c, struct ticket *ticket,
				 container_predicate *done, uint64_t arg, int64_t until_ns);
/* Has the run ended (arg: its number)? For container_sleep_locked(). */
container_predicate container_run_has_ended;
container_predicate container_has_launched; /* no launch under way */
container_predicate container_has_settled;  /* nor a restart */

/* Wait for one's turn among this container's commands. -EINTR: not taken, with a sentence. */
int container_take_turn(struct container *c, struct turn *turn, struct ticket *ticket,
			struct error *err);
void container_leave_turn(struct container *c, struct turn *turn);

bool container_view_is_live(const struct container_view *view); /* running or paused */
/* As JSON can hold it: an unfit byte becomes '?'. */
void container_view_set_error(struct container_view *view, const char *sentence);
/* -ENOENT removed, -EIO damaged; with a sentence. */
int container_check(struct container *c, bool damaged_is_fine, struct error *err);
/* events_emit() with name, image, labels and one more attribute (or NULL). */
void container_emit(struct container *c, const char *action, const char *key, const char *value);
/* The same with several more: key, value, key, value, NULL. */
void container_emit_pairs(struct container *c, const char *action, const char *const pairs[]);

/* --- store.c: what lies on disk --------------------------------------------- */

/* Make ROOT/containers/<id> whole with config.json and meta.json, or nothing. */
int store_make(struct container *c, bool durable, struct error *err);
int store_write_config(struct container *c, const json_t *asked, bool durable, struct error *err);
/* meta.json from the view, with this name (NULL: the view's). */
int store_write_meta(struct container *c, const char *name, struct error *err);
/* RUN/<12 digits>/state.json as things are now; a failure is logged. */
void store_save_state(struct container *c);
/* Copy the states changed since the last time to ROOT, then one syncfs. */
void store_copy_states(struct engine *engine);
/* Descriptor of RUN/<12 digits> or -errno; made 0700 when make. */
int store_open_run_dir(struct container *c, bool make, struct error *err);
void store_remove_run_dir(struct container *c);
/* Copy this one's now if it has changed: removed, it may still be asked how it ended. */
void store_copy_state(struct container *c);
/* Take ROOT/containers/<id> out of sight: after this it does not exist any more. */
int store_trash(struct container *c, struct error *err);
/* Then its root file system goes at once, and the log when nobody refers to it any more. */
void store_empty_trash(struct container *c);
void store_drop_trash(struct container *c);
/* Remove what another engine left, on a worker if it can be large. */
void store_sweep(struct engine *engine, const char *entry);
bool store_is_trash(const char *entry);            /* of a removal */
const char *store_get_trash_id(const char *entry); /* of whose; only when it is trash */
bool store_is_leftover(const char *entry);         /* of that, or of a create */

/* --- container_shim.c: the connection to the shim --------------------------- */

/* Give the connection of a fresh or found run to c. */
void link_attach(struct container *c, uint64_t run, struct shim *shim);
/* Have the event loop watch it. */
void link_watch(struct container *c);
/* The connection of this run, locked, or NULL (nothing locked) when the run is over. */
struct shim *link_enter(struct container *c, uint64_t run);
void link_leave(struct container *c);
/* From the event loop: never waits. */
void link_on_event(struct container *c, uint64_t run);
void link_on_gone(struct container *c, uint64_t run);
/* Take the connection away from c at the end of its run. Sets what the shim told. */
struct shim *link_detach(struct container *c, bool *ret_exited, int *ret_code,
			 int64_t *ret_finished_ns);
/* Wait until the shim's process has gone; false after timeout_ms. */
bool link_wait_gone(const struct shim *shim, int timeout_ms);
void link_kill_shim(const struct shim *shim);

/* --- container_start.c, start_plan.c ---------------------------------------- */

struct start_plan;
/* Find the image, merge and decode the configuration, compile security: no side effect but that
 * c's image is pinned. */
int start_plan_new(struct container *c, struct start_plan **ret, struct error *err);
/* Make what the run needs outside of the shim: files, cgroup, root mount. What start_plan_free()
 * does not take back (cgroup, files) is start_plan_undo()'s. */
int start_plan_make(struct start_plan *plan, uint64_t run, struct error *err);
void start_plan_undo(struct start_plan *plan);
void start_plan_free(struct start_plan *plan);
DEFINE_AUTO(struct start_plan *, start_plan_free);
const struct launch_spec *start_plan_get_spec(const struct start_plan *plan);
/* The root's mount, which is the caller's then. */
int start_plan_steal_root(struct start_plan *plan);
json_t *start_plan_get_effective(const struct start_plan *plan); /* borrowed */
bool start_plan_is_auto_remove(const struct start_plan *plan);

/* Take its place on the network, before the intent is written, which tells of it; what fails after
 * that is start_plan_undo()'s. */
int start_plan_join(struct start_plan *plan, struct error *err);

/* With the turn taken. Sentences without the command's word. */
int start_in_turn(struct container *c, struct ticket *ticket, struct error *err);
/* The same for a restart by policy; -ECANCELED: it was ended by hand meanwhile. */
int start_by_policy(struct container *c, struct ticket *ticket, struct error *err);
/* The run noted with ticket_note_run() by an engine that died: true, and which. */
void ticket_note_run(struct ticket *ticket, const struct container *c, uint64_t run);
bool ticket_find_run(const struct ticket *ticket, const struct container *c, uint64_t *ret);

/* The outcomes of a launch. effective: the configuration in force, borrowed. */
void start_set_starting(struct container *c, uint64_t run); /* 0: it came to nothing */
void start_finish_running(struct container *c, json_t *effective, uint64_t run,
			  const struct launch_result *result, struct shim *shim);
/* The program is missing or cannot run: a run that has ended with 127 or 126. */
void start_finish_without_program(struct container *c, json_t *effective, uint64_t run,
				  const struct error *cause);
/* Did an earlier engine carry this start out? Then its outcome. */
bool start_find_outcome(struct container *c, struct ticket *ticket, int *ret, struct error *err);
/* What a process may do, by the configuration: fills capabilities, user, seccomp, limits of spec. The
 * user and the config must outlive it. */
int start_decide_rights(struct engine *engine, const struct config *config, uint64_t *ret_caps,
			const struct sock_filter **ret_seccomp, size_t *ret_count,
			struct error *err);
void start_fill_rights(struct launch_spec *spec, const struct config *config,
		       const struct user *user, uint64_t caps, const struct sock_filter *seccomp,
		       size_t seccomp_count);

/* --- exec.c, exec_plan.c, exec_end.c: further processes --------------------- */

struct exec_plan;
/* Everything that run `run` of an exec needs: what is wanted (Cmd Env Tty OpenStdin User WorkingDir)
 * merged with its container's configuration. The parent's turn is taken. */
int exec_plan_new(struct container *c, const json_t *wanted, uint64_t run, struct exec_plan **ret,
		  struct error *err);
void exec_plan_free(struct exec_plan *plan);
DEFINE_AUTO(struct exec_plan *, exec_plan_free);
const struct launch_spec *exec_plan_get_spec(const struct exec_plan *plan);
json_t *exec_plan_get_effective(const struct exec_plan *plan); /* borrowed */

/* RUN/<12 digits of the container>/exec/<12 digits>: a descriptor or -errno. */
int exec_open_dir(struct container *c, struct error *err);
/* The run of an exec is over: what follows. */
void exec_after_end(struct container *c);
void exec_on_deadline(struct container *c); /* from the event loop */
/* The container has ended: see its execs ended, before that is told. */
void exec_end_all(struct container *c);
/* The container is being removed, and all its execs with it. */
void exec_remove_all(struct container *c);
/* With its turn taken and not running. */
void exec_remove_in_turn(struct container *c);
/* Find those of a container again. */
void exec_recover_all(struct container *c);
/* An object for an exec, not known to anybody yet. NULL: no memory. */
struct container *exec_new(struct container *parent, const char *id, const char *name,
			   bool detached);
/* Into the parent's list; -EEXIST, -ENOENT (the parent is removed), -EAGAIN (too many). */
int exec_add(struct container *c, struct error *err);
void exec_drop(struct container *c);

/* --- container_image.c ------------------------------------------------------ */

/* The container's image as pinned, or found by config's Image and then pinned. With the turn
 * taken. NULL: a sentence. */
struct image *image_of_container(struct container *c, struct error *err);
/* asked merged with the image's values (image NULL: none known) and the bounds of its log. */
int effective_of(const struct container *c, const struct image *image, const json_t *asked,
		 json_t **ret, struct error *err);
/* Find the image of asked (unless NULL) for the view, not published yet; a failure is no failure:
 * the start will tell. Sets image_id, effective and c->image_name. */
void image_note(struct container *c, struct container_view *view);
/* userns: with ids of its own, which it gets now if it has none yet. 0; -ENOSPC: there are none. */
int rootfs_spec_fill(struct rootfs_spec *spec, struct container *c, struct image *image,
		     bool is_volatile, bool userns, pid_t pid, struct error *err);

/* RUN/rootfs/<id> is there (found at recovery, or made). */
void image_note_exposed(struct container *c, bool exposed);
/* Unmount those that nobody is in and nobody has asked for lately. */
#define EXPOSED_IDLE_NS INT64_C(60000000000)
void image_hide_idle(struct engine *engine, int64_t idle_ns);

/* --- container_stop.c, container_exit.c, container_remove.c ----------------- */

/* Signal, and KILL when timeout_s have passed; returns when run has ended. */
/* -EINVAL: values that no stop can have. signo 0, timeout_s -1: as configured. */
int stop_check(int signo, int64_t timeout_s, struct error *err);
int stop_run(struct container *c, struct ticket *ticket, uint64_t run, int signo, int64_t timeout_s,
	     struct error *err);
/* KILL everything of the run; returns when it has ended. */
int kill_run(struct container *c, struct ticket *ticket, uint64_t run, struct error *err);
void kill_everything(struct container *c, uint64_t run);
void stop_on_deadline(struct container *c, uint64_t run); /* from the event loop */

/* The run is over (or its shim is): do once what follows, on a worker. */
void exit_schedule(struct container *c, uint64_t run);
/* The same now, on this thread. */
void exit_finish(struct container *c, uint64_t run);
/* -ENOSPC while the shim of the last run still has output that does not fit on the disk; force: it
 * is dropped. */
int exit_settle_old_shim(struct container *c, bool force, struct error *err);

/* --- container_policy.c ----------------------------------------------------- */

/* The state after a run whose end is in the view, which is about to be published: `exited`, or
 * `restarting` with the time set. Then policy_arm() when it is published. */
enum container_state policy_decide_locked(struct container *c, const struct container_view *view);
/* Have the event loop watch the time, if it is restarting. Nothing before the engine is open. */
void policy_arm(struct container *c);
void policy_arm_all(struct engine *engine);                 /* those found at the start */
void policy_on_deadline(struct container *c, uint64_t run); /* from the event loop */
/* It is about to be ended by hand. */
void policy_note_end(struct container *c);
/* End the pause before a restart, by hand: `exited`. False: there is none. */
bool policy_cancel(struct container *c);
bool policy_is_pending(struct container *c); /* restarting, maybe about to be launched */
/* The policy has changed: end the pause if it wants no restart any more. */
void policy_reconsider(struct container *c);
/* Found in the state that it had before the machine was started. */
void policy_decide_at_boot(struct container *c);

/* --- container_oom.c -------------------------------------------------------- */

/* Have the event loop watch a run with a limit of memory; safe to repeat. */
void oom_watch(struct container *c);
void oom_unwatch(struct container *c);
void oom_on_event(struct container *c, uint64_t run); /* from the event loop */
/* The event, unless it was told of this run. */
void oom_tell(struct container *c);

/* --- container_pause.c ------------------------------------------------------ */

/* With the turn taken: let its processes stand still until pause_release(), if they run. What the user
 * paused is the user's. *ret: for pause_release(); 0: nothing was done. Ended by the next engine when this one dies. */
int pause_hold(struct container *c, uint64_t *ret, struct error *err);
/* Without a turn, which it waits for. Unpaused by somebody meanwhile, or ended: nothing. */
void pause_release(struct container *c, uint64_t hold);

/* A signal was sent that the processes are to get: if they are paused, they go on. */
void pause_lift(struct container *c, uint64_t run);
/* Of a run that was found going on: is it paused? was_paused: what state.json says. */
void pause_recover(struct container *c, uint64_t run, bool was_paused);

/* With the turn taken and not running. volumes: its anonymous ones too, unless others use them. */
int remove_in_turn(struct container *c, bool volumes, struct error *err);
/* What AutoRemove asks for, when no restart is under way. */
void remove_automatically(struct container *c);

/* --- removed.c -------------------------------------------------------------- */

/* Hold on to a container that is being removed, if open files have not been found again yet.
 * Before it leaves the table, so that it is always in one of the two. */
void removed_keep(struct container *c);
/* A directory in the trash becomes such a container, or goes. */
void removed_recover(struct engine *engine, const char *entry);
/* Their anonymous volumes go, if the removal was to take them along. */
void removed_finish_volumes(struct engine *engine);

/* --- start_share.c ----------------------------------------------------------- */

/* Namespaces that a start shares, and mounts that belong to them; descriptors are -1 for none. */
struct start_share {
	bool ipc_is_host, pid_is_host, uts_is_host;
	bool has_no_shm;
	int ipcns_fd, pidns_fd; /* another container's, to be entered */
	int shm_fd, proc_fd;    /* mounts in place of new ones */
};
#define START_SHARE_INIT                                                                           \
	{                                                                                          \
		.ipcns_fd = -1, .pidns_fd = -1, .shm_fd = -1, .proc_fd = -1                        \
	}

/* No side effect but descriptors, which start_share_deinit() closes, also after a failure. -ESRCH: that
 * container does not run. */
int start_share_decide(struct container *c, const json_t *effective, struct start_share *ret,
		       struct error *err);
/* What becomes of one of the usual mounts; false: it is left out. */
bool start_share_mount(const struct start_share *share, struct launch_mount *mount);
void start_share_fill(const struct start_share *share, struct launch_spec *spec);
void start_share_deinit(struct start_share *share);

/* --- container_net.c -------------------------------------------------------- */

/* What a start decides about its network, and then holds until the shim has it. */
struct start_net {
	struct container *owner; /* counted: whose network and files are shared; or NULL */
	int ns_fd;               /* to be entered; -1: none is made for it */
	bool makes_ns;           /* the shim makes one that has lo alone */
	bool is_host;
	bool is_late;   /* on the bridge, but its namespace is made after the lease was taken */
	json_t *record; /* taken: c->network, counted */
};
#define START_NET_INIT                                                                             \
	{                                                                                          \
		.ns_fd = -1                                                                        \
	}

/* No side effect: what the configuration asks for can be had, as things are. */
int start_net_decide(struct container *c, const json_t *effective, struct start_net *ret,
		     struct error *err);
/* Lease, ports and links: c->network is set. network_release() takes all back. */
int start_net_take(struct container *c, const json_t *effective, struct start_net *net,
		   struct error *err);
/* With is_late: the namespace is there, that of the process pid. */
int start_net_connect(struct container *c, pid_t pid, struct start_net *net, struct error *err);
void start_net_deinit(struct start_net *net);
/* The run has ended, or never began: address and ports are free. Safe to repeat. True: it had an
 * address, and its neighbours have not been told. */
bool network_release(struct container *c);
/* It has come, or has another name: if it is on the bridge, the hosts files of all say so. */
void network_tell_neighbours(struct container *c);
void network_follow_name(struct container *c);     /* and sentences about its ports */
void network_names_refresh(struct engine *engine); /* somebody has come or gone */
/* The record in force goes into the view, or out of it; c->lock held. */
void network_show_locked(struct container *c, struct container_view *view, bool live);
/* From state.json, and into it. */
void network_load(struct container *c, const json_t *state);
int network_store_locked(const struct container *c, json_t *state);
/* Of a container whose files are damaged, which may run: what it holds stays its own. */
void network_load_damaged(struct container *c);
int network_open_engine(struct engine *engine, const struct engine_options *options,
			struct error *err);
void network_fill_facts(struct engine *engine, struct engine_facts *ret);

/* --- network_recover.c ------------------------------------------------------- */

/* All containers are known: those that live have what they had, and what nobody has goes. */
void network_recover(struct engine *engine);

/* --- start_files.c ----------------------------------------------------------- */

enum { START_FILE_HOSTS, START_FILE_HOSTNAME, START_FILE_RESOLV, START_FILE_COUNT };
extern const char *const start_file_targets[START_FILE_COUNT]; /* in the container */

/* What they are made from, borrowed, and what is made. */
struct start_files {
	struct container *container;
	const json_t *effective;
	const struct config *config;
	const struct start_net *net;
	const char *hostname;
	int run_dir_fd;
	int fds[START_FILE_COUNT]; /* detached mounts; -1: none */
};
/* clang-format off */
#define START_FILES_INIT { .run_dir_fd = -1, .fds = { -1, -1, -1 } }
/* clang-format on */

int start_files_make(struct start_files *files, struct error *err);
void start_files_remove(int run_dir_fd);
void start_files_deinit(struct start_files *files);
size_t start_count_strings(const char *const *list); /* start_plan.c */

/* --- recover.c, monitor.c --------------------------------------------------- */

int recover_all(struct engine *engine, struct error *err);
/* state.json of an exec whose files are in c->dir_fd, and what is true now. */
void recover_exec(struct container *c);
/* What meta.json and state.json say, into the view of a container that nobody sees. */
void recover_state(struct container *c);
/* The last event of a container's life that was told. While recovering it decides what is still to be told:
 * an event goes out before what makes it past is stored, so it may be out already. */
enum told { TOLD_NOTHING, TOLD_CREATE, TOLD_START, TOLD_DIE, TOLD_STOP, TOLD_DESTROY };
enum told recover_find_told(const struct container *c);

int monitor_new(struct engine *engine, struct monitor **ret, struct error *err);
/* Ends the thread; jobs may go on calling the functions below. */
void monitor_stop(struct monitor *monitor);
void monitor_free(struct monitor *monitor); /* after monitor_stop() */
void monitor_watch(struct monitor *monitor, uint64_t key, uint64_t run, int socket_fd, int pidfd);
void monitor_rearm(struct monitor *monitor, uint64_t key, uint64_t run, int socket_fd);
void monitor_unwatch(struct monitor *monitor, int socket_fd, int pidfd);
void monitor_watch_oom(struct monitor *monitor, uint64_t key, uint64_t run, int fd,
		       bool is_priority);
void monitor_rearm_oom(struct monitor *monitor, uint64_t key, uint64_t run, int fd,
		       bool is_priority);
/* stop_on_deadline() and policy_on_deadline() at that time of CLOCK_MONOTONIC. */
void monitor_set_deadline(struct monitor *monitor, uint64_t key, uint64_t run, int64_t when_ns);
/* Copy states within a second. */
void monitor_wake(struct monitor *monitor);

struct engine *engine_ref(struct engine *engine);
void engine_unref(struct engine *engine);
/* Run fn(container) on a worker with a reference of its own, here if there is no memory. */
void engine_submit(struct container *c, void (*fn)(void *container));

#endif
