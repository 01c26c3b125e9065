/* A container's configuration as JSON: Docker's Config with its HostConfig under
 * "HostConfig". Text checks only; what the machine allows is found at the start.
 *
 * asked      what the user wrote, normalised: Memory, MemorySwap, CpuShares, Dns
 *            and VolumesFrom live in Config whichever place they came in; Cmd and
 *            Entrypoint are lists (a string is a list of one, not a shell's line);
 *            a port is "80/tcp"; keys are in one order
 * effective  asked with the image's values merged in, as today's Docker merges
 */
#ifndef RUNTIME_CONFIG_CONFIG_H
#define RUNTIME_CONFIG_CONFIG_H

#include "base/json.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/launch.h"

/* Apply a patch (RFC 7396) to what was asked for and validate the whole.
 *
 * asked    NULL: an empty one
 * running  a change of a key that cannot change live is -EBUSY naming it; a key
 *          written with the value it has, or with what its absence means, is never
 *          refused
 * ret      a new object
 *
 * -EINVAL: "unknown key 'Memroy'", "Memory must be a number", "Memory: minimum
 * memory limit allowed is 512k (524288 bytes), not 5". */
int config_apply(const json_t *asked, const json_t *patch, bool running, json_t **ret,
		 struct error *err);
/* asked with the OCI image config's values ("config" member; NULL: no image): Env by
 * key, user wins; a user's Entrypoint drops the image's Cmd, [""] and [] drop its
 * Entrypoint; Labels, ExposedPorts, Volumes united; User, WorkingDir, StopSignal
 * when empty. -EINVAL when a value of the image has the wrong type. */
int config_merge_image(const json_t *asked, const json_t *image_config, json_t **ret,
		       struct error *err);

/* The other way round: the "config" of an image made of a container. Cmd Entrypoint Env ExposedPorts Healthcheck
 * Labels StopSignal User Volumes and WorkingDir as they are in force, all else as the image that it was
 * made of has it (NULL: no image). */
int config_make_image(const json_t *effective, const json_t *image_config, json_t **ret,
		      struct error *err);

/* The effective configuration decoded; strings are borrowed from it. */
struct config {
	const char *hostname; /* "" : the 12 digits of the id */
	const char *domainname, *user, *image, *working_dir;
	bool tty, open_stdin, stdin_once, network_disabled;
	uint16_t tty_rows, tty_cols; /* of a new terminal; 0: launch.h's */
	const char **argv;           /* Entrypoint and Cmd, NULL-terminated, heap array */
	const char **env;            /* user's and image's only, heap array */
	const char **dns;            /* heap array */
	int stop_signal;             /* SIGTERM by default */
	int64_t stop_timeout_s;      /* 10 by default */
	struct cgroup_limits limits; /* of which strings are borrowed too */
	int oom_score_adj;
	int64_t shm_size; /* bytes of /dev/shm; 0: 64 MiB */
	bool privileged, readonly_rootfs, auto_remove, init, no_new_privs, seccomp_unconfined;
	bool userns;                      /* ids of its own */
	const char **cap_add, **cap_drop; /* heap arrays */
	const char **group_add;           /* heap array */
	const char *network_mode;         /* "" : default */
	struct launch_rlimit *ulimits;
	size_t ulimit_count;
	uint64_t log_max_size, log_max_file; /* 0: no limit */
};
/* -EINVAL "no command specified" only when for_start. */
int config_decode(const json_t *effective, bool for_start, struct config *ret, struct error *err);
void config_deinit(struct config *config);
DEFINE_AUTO_DEINIT(struct config, config_deinit);

/* The process's environment in Docker's order: PATH, HOSTNAME, TERM=xterm with a
 * tty, HOME, then env's; later wins, an entry without '=' removes that name.
 * NULL-terminated heap array of heap strings; NULL: no memory. */
char **config_build_env(const struct config *config, const char *hostname, const char *home);

/* "TERM", "SIGTERM", "15", "term" -> number; -EINVAL "unknown signal 'X'". Real-time ones too. */
int signal_parse(const char *text, int *ret, struct error *err);
const char *signal_get_name(int signo); /* "TERM"; NULL when unknown */

/* The bounds of a log whose configuration names none. */
#define CONFIG_LOG_MAX_SIZE (256ULL << 20)
#define CONFIG_LOG_MAX_FILE 4U
/* Check one "K=V" for logs as a mount or a command takes it: -EINVAL with a sentence that
 * quotes it. */
int config_check_log_opt(const char *text, struct error *err);
/* The bounds that a container gets which names none: from the mount's "K=V"s (checked; NULL-terminated) and
 * the bounds above, as options of LogConfig. */
int config_make_log_defaults(char *const *log_opts, json_t **ret, struct error *err);
/* A copy of a configuration with those of them that it does not name. */
int config_add_log_defaults(const json_t *config, const json_t *defaults, json_t **ret,
			    struct error *err);

/* A container's name: [a-zA-Z0-9][a-zA-Z0-9_.-]*, not 12 or 64 hex digits, at most
 * 200 bytes (the listing's NAME_MAX leaves room); -EINVAL / -ENAMETOOLONG with a
 * sentence. */
int config_check_name(const char *name, struct error *err);
/* A volume's: the same rules. */
int config_check_volume_name(const char *name, struct error *err);

#endif
