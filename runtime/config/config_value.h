/* What single values of a configuration may be. Private to config_*.c.
 *
 * Each returns 0 or -EINVAL with a sentence that quotes the value; the caller
 * puts the key's name before it. Text only: whether a path, a user or a
 * kernel's feature exists is found at the start.
 */
#ifndef RUNTIME_CONFIG_CONFIG_VALUE_H
#define RUNTIME_CONFIG_CONFIG_VALUE_H

#include "base/json.h"

#include <stdint.h>

/* The string member of an object, borrowed; "" when it is not there. */
int config_get_text(const json_t *object, const char *name, const char **ret, struct error *err);

/* For struct config_key's check_text. */
int config_check_hostname(const char *text, struct error *err);
int config_check_domain(const char *text, struct error *err);
/* A search domain of resolv.conf: longer than a host's own, or "." for none. */
int config_check_search(const char *text, struct error *err);
int config_check_user(const char *text, struct error *err);
int config_check_env(const char *text, struct error *err);
int config_check_address(const char *text, struct error *err);
int config_check_image(const char *text, struct error *err);
int config_check_directory(const char *text, struct error *err);
int config_check_signal(const char *text, struct error *err);
int config_check_port(const char *text, struct error *err);
int config_check_nonempty(const char *text, struct error *err);
int config_check_one_line(const char *text, struct error *err);
int config_check_mount_point(const char *text, struct error *err);
int config_check_bind(const char *text, struct error *err);
int config_check_volumes_from(const char *text, struct error *err);
int config_check_link(const char *text, struct error *err);
int config_check_extra_host(const char *text, struct error *err);
int config_check_security_opt(const char *text, struct error *err);
int config_check_sysctl(const char *text, struct error *err);
int config_check_network(const char *text, struct error *err);
int config_check_userns(const char *text, struct error *err);
int config_check_ipc(const char *text, struct error *err);
int config_check_pid(const char *text, struct error *err);
int config_check_uts(const char *text, struct error *err);
int config_check_group(const char *text, struct error *err);
int config_check_cpuset(const char *text, struct error *err);
int config_check_device_rule(const char *text, struct error *err);

/* For struct config_key's check_json, whose types were checked already. */
int config_check_memory(const json_t *value, struct error *err);
int config_check_memory_swap(const json_t *value, struct error *err);
int config_check_cpu_shares(const json_t *value, struct error *err);
int config_check_nano_cpus(const json_t *value, struct error *err);
int config_check_memory_reservation(const json_t *value, struct error *err);
int config_check_cpu_period(const json_t *value, struct error *err);
int config_check_cpu_quota(const json_t *value, struct error *err);
int config_check_oom_score_adj(const json_t *value, struct error *err);
int config_check_shm_size(const json_t *value, struct error *err);
int config_check_pids_limit(const json_t *value, struct error *err);
int config_check_console_size(const json_t *value, struct error *err);
int config_check_stop_timeout(const json_t *value, struct error *err);
int config_check_cap_list(const json_t *value, struct error *err);
int config_check_port_bindings(const json_t *value, struct error *err);
int config_check_restart_policy(const json_t *value, struct error *err);
int config_check_log_config(const json_t *value, struct error *err);
int config_check_ulimits(const json_t *value, struct error *err);
int config_check_devices(const json_t *value, struct error *err);
int config_check_mounts(const json_t *value, struct error *err);
int config_check_tmpfs(const json_t *value, struct error *err);

/* The bounds that a LogConfig (or NULL) means. Anything that is no bound counts as not said. */
void config_decode_log(const json_t *log_config, uint64_t *ret_max_size, uint64_t *ret_max_file);

/* Shared with decoding: RLIMIT_* by Docker's name ("nofile"), or -1. */
int config_find_rlimit(const char *name);
/* Shared by the checks of objects: does the object hold only members of these names
 * (NULL-terminated)? -EINVAL "unknown member 'x'". */
int config_check_members(const json_t *object, const char *const *names, struct error *err);

#endif
