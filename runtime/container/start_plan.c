/* From a configuration to a launch plan: what a start decides, and what it makes
 * for the run outside of the shim.
 *
 * Two steps. start_plan_new() looks things up and can only fail; nothing has to
 * be undone after it. start_plan_make() makes the files of RUN/<12 digits>, the
 * cgroup and the root mount; start_plan_undo() takes all of that back and is
 * safe in any half-made state. Descriptors are closed by start_plan_free(), which
 * a successful start calls as well: the shim has its own by then.
 *
 * A key of the configuration that this build cannot honour makes the start fail:
 * a container that runs without the volume it was given does harm quietly.
 */
#include "runtime/volume/volume_private.h"

#include "base/log.h"
#include "base/path.h"
#include "runtime/network/network_private.h"
#include "runtime/security/devices.h"
#include "runtime/security/security.h"
#include "runtime/security/user.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>

#define CAP_COUNT_MAX 256

struct start_plan {
	struct container *container; /* borrowed: the starter holds the turn */
	struct image *image;
	json_t *effective;
	struct config config;               /* borrows from effective */
	json_t *volumes;                    /* what it mounts besides */
	struct volume_mounts volume_mounts; /* borrows from volumes */
	uint64_t caps;
	const struct sock_filter *seccomp;
	size_t seccomp_count;
	struct cgroup cgroup;
	struct start_net net;
	struct start_share share;
	int run_dir_fd, rootfs_fd;
	struct start_files files;
	char hostname[HOST_NAME_MAX + 1];
	struct user user;
	struct id_range ids; /* without a size: the host's */
	struct userns userns;
	char **mount_options; /* with these ids */
	char **env;
	const char **sysctls; /* names and values in turn */
	struct launch_mount *mounts;
	size_t mount_count;
	char shm_options[48];
	struct devices devices; /* when there are others than the usual */
	struct launch_spec spec;
};

/* --- looking up ------------------------------------------------------------- */

size_t start_count_strings(const char *const *list)
{
	size_t count = 0;

	while (list && list[count] && count < CAP_COUNT_MAX)
		count++;
	return count;
}

int start_decide_rights(struct engine *engine, const struct config *config, uint64_t *ret_caps,
			const struct sock_filter **ret_seccomp, size_t *ret_count,
			struct error *err)
{
	const char *const *add = (const char *const *)config->cap_add;
	const char *const *drop = (const char *const *)config->cap_drop;
	int ret;

	*ret_caps = config->privileged ? security_all_caps() : security_default_caps();
	ret = security_parse_caps(add, start_count_strings(add), drop, start_count_strings(drop),
				  ret_caps, err);
	if (ret < 0 || config->privileged || config->seccomp_unconfined)
		return ret;
	return security_get_seccomp(*ret_caps, engine->run_fd, ret_seccomp, ret_count, err);
}

/* A /dev that is a directory of the host's, or a volume, has its nodes. */
static bool has_own_dev(const struct start_plan *plan)
{
	const json_t *dev = volume_find_mount(plan->volumes, "/dev");

	return !dev || !strcmp(json_get_str(dev, "Type", ""), "tmpfs");
}

static int find_devices(struct start_plan *plan, struct error *err)
{
	const json_t *host = json_object_get(plan->effective, "HostConfig");
	struct devices *devices = &plan->devices;
	auto_fd int fd = -1;
	int ret = devices_take(json_get_array(host, "Devices"),
			       json_get_array(host, "DeviceCgroupRules"), devices, err);

	plan->config.limits.devices = devices->rules;
	plan->config.limits.device_count = devices->rule_count;
	if (ret < 0)
		return ret;
	if (!has_own_dev(plan))
		return devices->count == 0 ? 0
					   : error_set(err, EINVAL,
						       "the device '/dev/%s' cannot be made: /dev "
						       "is a volume",
						       devices->list[0].path);
	if (!plan->config.privileged)
		return devices->count == 0 ? 0 : devices_add_usual(devices, err);
	fd = open("/dev", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open /dev");
	return devices_find(fd, devices, err);
}

static int look_up(struct start_plan *plan, struct error *err)
{
	AUTO(container_view_unref)
	struct container_view *view = container_get_view(plan->container);
	int ret;

	plan->image = image_of_container(plan->container, err);
	if (!plan->image)
		return -err->code;
	ret = effective_of(plan->container, plan->image, view->config, &plan->effective, err);
	if (ret == 0 && config_decode(plan->effective, true, &plan->config, err) < 0)
		ret = error_wrap(err, -err->code, "container '%s'", view->name);
	if (ret == 0)
		ret = start_net_decide(plan->container, plan->effective, &plan->net, err);
	if (ret == 0)
		ret = start_share_decide(plan->container, plan->effective, &plan->share, err);
	if (ret == 0)
		ret = start_decide_rights(plan->container->engine, &plan->config, &plan->caps,
					  &plan->seccomp, &plan->seccomp_count, err);
	if (ret == 0)
		ret = volume_decide(plan->container, plan->effective, &plan->volumes, err);
	if (ret == 0)
		ret = find_devices(plan, err);
	return ret;
}

/* Its own, that of the network's owner, or (on the host's network) the host's. */
static void choose_hostname(struct start_plan *plan)
{
	const struct container *c = plan->net.owner ? plan->net.owner : plan->container;
	AUTO(container_view_unref)
	struct container_view *view = container_get_view(plan->container);
	const char *asked = plan->config.hostname;

	if (plan->net.owner) {
		container_view_unref(view);
		view = container_get_view(plan->net.owner);
		asked = json_get_str(view->effective, "Hostname", "");
	}
	snprintf(plan->hostname, sizeof(plan->hostname), "%s", *asked ? asked : c->short_id);
	if (plan->share.uts_is_host || (plan->net.is_host && !*asked))
		gethostname(plan->hostname, sizeof(plan->hostname) - 1);
}

int start_plan_join(struct start_plan *plan, struct error *err)
{
	plan->net.is_late = plan->config.userns;
	return start_net_take(plan->container, plan->effective, &plan->net, err);
}

int start_plan_new(struct container *c, struct start_plan **ret, struct error *err)
{
	AUTO(start_plan_free) struct start_plan *plan = calloc(1, sizeof(*plan));
	struct error cause = ERROR_INIT;
	int failure;

	if (!plan)
		return error_set(err, ENOMEM, "no memory for a launch plan");
	plan->container = c;
	plan->cgroup = (struct cgroup)CGROUP_INIT;
	plan->net = (struct start_net)START_NET_INIT;
	plan->share = (struct start_share)START_SHARE_INIT;
	plan->userns = (struct userns)USERNS_INIT;
	plan->run_dir_fd = plan->rootfs_fd = -1;
	plan->files = (struct start_files)START_FILES_INIT;
	failure = look_up(plan, &cause);
	if (failure < 0)
		return error_set(err, -failure, "%s", cause.msg);
	choose_hostname(plan);
	*ret = steal_ptr(&plan);
	return 0;
}

static int make_files(struct start_plan *plan, struct error *err)
{
	plan->files.container = plan->container;
	plan->files.effective = plan->effective;
	plan->files.config = &plan->config;
	plan->files.net = &plan->net;
	plan->files.hostname = plan->hostname;
	plan->files.run_dir_fd = plan->run_dir_fd;
	return start_files_make(&plan->files, err);
}

/* --- the rest of the run ---------------------------------------------------- */

static int make_cgroup(struct start_plan *plan, struct error *err)
{
	struct container *c = plan->container;

	return cgroup_create(c->engine->cgroups, c->id, &plan->config.limits, &plan->cgroup, err);
}

static int make_rootfs(struct start_plan *plan, struct error *err)
{
	struct container *c = plan->container;
	struct rootfs_spec spec;
	int fd;

	fd = rootfs_spec_fill(&spec, c, plan->image, plan->config.auto_remove, plan->config.userns,
			      0, err);
	if (fd < 0)
		return fd;
	plan->ids = spec.ids;
	fd = rootfs_get_mount(c->engine->rootfs, &spec, err);
	if (fd < 0)
		return fd;
	plan->rootfs_fd = fd;
	fd = user_resolve(fd, plan->config.user, plan->config.group_add, &plan->user, err);
	return fd < 0 ? fd : userns_check_user(&plan->ids, &plan->user, err);
}

/* Together with it come the namespaces that it owns. */
static int make_userns(struct start_plan *plan, struct error *err)
{
	const uint64_t owned = CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;

	int ret = userns_open(&plan->ids, owned, &plan->userns, err);

	return ret < 0 ? ret
		       : start_net_connect(plan->container, plan->userns.pid, &plan->net, err);
}

/* Is there something of the container's own in this place? Below its own /dev nothing of ours is
 * made. */
static bool is_replaced(const struct start_plan *plan, const char *target)
{
	return volume_find_mount(plan->volumes, target) ||
	       (!strncmp(target, "/dev/", 5) && volume_find_mount(plan->volumes, "/dev"));
}

static void add_mount(struct start_plan *plan, const struct launch_mount *mount)
{
	if (!is_replaced(plan, mount->target))
		plan->mounts[plan->mount_count++] = *mount;
}

/* Our files are mounted last, and must not come to the host either. */
static int check_shared(const struct start_plan *plan, struct error *err)
{
	for (size_t i = 0; i < plan->volume_mounts.count; i++) {
		const struct launch_mount *mount = &plan->volume_mounts.mounts[i];

		if (mount->flags & MS_SHARED && !mount->fstype && !strcmp(mount->target, "/etc"))
			return error_set(err, EINVAL,
					 "/etc cannot be shared with the host: hosts, hostname and "
					 "resolv.conf are mounted in it");
	}
	return 0;
}

/* What links tell comes before what was asked for, which wins. */
static char **build_env(struct start_plan *plan)
{
	const json_t *told = json_get_array(plan->net.record, "env");
	size_t own = 0, count = json_array_size(told);
	const char **env;

	while (plan->config.env[own])
		own++;
	if (count > 0) {
		env = calloc(count + own + 1, sizeof(*env));
		if (!env)
			return NULL;
		for (size_t i = 0; i < count; i++)
			env[i] = json_string_value(json_array_get(told, i));
		memcpy(env + count, plan->config.env, own * sizeof(*env));
		free(plan->config.env);
		plan->config.env = env;
	}
	return config_build_env(&plan->config, plan->hostname, plan->user.home);
}

/* Ours first, then the container's own by depth. Our files come last, on top of an /etc that is
 * a volume. */
static int make_mounts(struct start_plan *plan, struct error *err)
{
	struct volume_mounts *own = &plan->volume_mounts;
	int ret = volume_prepare(plan->container, plan->volumes, plan->rootfs_fd, own, err);

	if (ret == 0)
		ret = check_shared(plan, err);
	if (ret < 0)
		return ret;
	plan->mounts = calloc(security_mount_count + own->count + START_FILE_COUNT,
			      sizeof(struct launch_mount));
	plan->env = build_env(plan);
	snprintf(plan->shm_options, sizeof(plan->shm_options), "mode=1777,size=%" PRId64,
		 plan->config.shm_size);
	if (!plan->mounts || !plan->env)
		return error_set(err, ENOMEM, "no memory for a launch plan");
	for (size_t i = 0; i < security_mount_count; i++) {
		struct launch_mount mount = security_mounts[i];

		/* /sys and its own control group are a privileged one's to write. */
		if (plan->config.privileged)
			mount.flags &= ~(unsigned long)MS_RDONLY;
		if (plan->config.shm_size > 0 && strcmp(mount.target, "/dev/shm") == 0)
			mount.data = plan->shm_options;
		if (start_share_mount(&plan->share, &mount))
			add_mount(plan, &mount);
	}
	for (size_t i = 0; i < own->count; i++)
		plan->mounts[plan->mount_count++] = own->mounts[i];
	for (int i = 0; i < START_FILE_COUNT; i++)
		add_mount(plan, &(struct launch_mount){ .target = start_file_targets[i],
							.fd = plan->files.fds[i],
							.is_file = true });
	return userns_map_mounts(&plan->ids, &plan->userns, plan->mounts, plan->mount_count,
				 &plan->mount_options, err);
}

/* As in Docker: low ports and ping (by ICMP sockets) are every user's. A namespace on the bridge
 * came with it. */
static void open_network(struct start_plan *plan)
{
	static const char *const settings[] = { "net.ipv4.ip_unprivileged_port_start", "0",
						"net.ipv4.ping_group_range", "0 2147483647" };

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		plan->sysctls[plan->spec.sysctl_count++] = settings[i];
}

static int make_sysctls(struct start_plan *plan, struct error *err)
{
	const json_t *host = json_object_get(plan->effective, "HostConfig");
	json_t *object = json_object_get(host, "Sysctls");
	const char *name;
	json_t *value;

	plan->sysctls = calloc(2 * json_object_size(object) + 4, sizeof(*plan->sysctls));
	if (!plan->sysctls)
		return error_set(err, ENOMEM, "no memory for a launch plan");
	plan->spec.sysctls = plan->sysctls;
	if (plan->net.makes_ns)
		open_network(plan);
	json_object_foreach(object, name, value) {
		plan->sysctls[plan->spec.sysctl_count++] = name;
		plan->sysctls[plan->spec.sysctl_count++] = json_string_value(value);
	}
	return 0;
}

void start_fill_rights(struct launch_spec *spec, const struct config *config,
		       const struct user *user, uint64_t caps, const struct sock_filter *seccomp,
		       size_t seccomp_count)
{
	/* Without ambient capabilities the kernel takes them from who is not root. */
	uint64_t held = user->uid == 0 ? caps : 0;

	spec->uid = user->uid;
	spec->gid = user->gid;
	spec->groups = user->groups;
	spec->group_count = user->group_count;
	spec->cap_bounding = caps;
	spec->cap_effective = spec->cap_permitted = held;
	spec->no_new_privs = config->no_new_privs;
	spec->seccomp = seccomp;
	spec->seccomp_count = seccomp_count;
	spec->rlimits = config->ulimits;
	spec->rlimit_count = config->ulimit_count;
	spec->oom_score_adj = config->oom_score_adj;
}

static void fill_file_system(struct start_plan *plan, struct launch_spec *spec)
{
	spec->rootfs_fd = plan->rootfs_fd;
	spec->log_dir_fd = container_get_dir_fd(plan->container);
	spec->log_max_size = plan->config.log_max_size;
	spec->log_max_file = plan->config.log_max_file;
	spec->run_dir_fd = plan->run_dir_fd;
	spec->mounts = plan->mounts;
	spec->mount_count = plan->mount_count;
	spec->devices = security_devices;
	spec->device_count = has_own_dev(plan) ? security_device_count : 0;
	if (plan->devices.count > 0) {
		spec->devices = plan->devices.list;
		spec->device_count = plan->devices.count;
	}
	if (!plan->config.privileged) {
		spec->masked_paths = security_masked_paths;
		spec->masked_count = security_masked_count;
		spec->readonly_paths = security_readonly_paths;
		spec->readonly_count = security_readonly_count;
	}
	spec->readonly_rootfs = plan->config.readonly_rootfs;
}

static void fill_spec(struct start_plan *plan, uint64_t run)
{
	const struct config *config = &plan->config;
	struct launch_spec *spec = &plan->spec;

	spec->id = plan->container->id;
	spec->run = run;
	spec->cgroup_fd = plan->cgroup.leaf_fd;
	spec->cgroup_procs_fds = plan->cgroup.procs_fds;
	spec->cgroup_procs_count = plan->cgroup.procs_count;
	fill_file_system(plan, spec);
	start_fill_rights(spec, config, &plan->user, plan->caps, plan->seccomp,
			  plan->seccomp_count);
	spec->argv = (const char *const *)config->argv;
	spec->envp = (const char *const *)plan->env;
	spec->cwd = *config->working_dir ? config->working_dir : "/";
	spec->hostname = plan->hostname;
	spec->domainname = *config->domainname ? config->domainname : NULL;
	spec->new_netns = plan->net.makes_ns;
	spec->join_netns = plan->net.ns_fd >= 0;
	spec->netns_fd = plan->net.ns_fd;
	start_share_fill(&plan->share, spec);
	spec->tty = config->tty;
	spec->tty_rows = config->tty_rows;
	spec->tty_cols = config->tty_cols;
	spec->open_stdin = config->open_stdin;
	spec->init = config->init;
	spec->userns = plan->ids.size > 0;
	spec->userns_fd = plan->userns.pidfd;
	spec->uid_base = plan->ids.uid_base;
	spec->gid_base = plan->ids.gid_base;
}

int start_plan_make(struct start_plan *plan, uint64_t run, struct error *err)
{
	int ret = store_open_run_dir(plan->container, true, err);

	if (ret < 0)
		return ret;
	plan->run_dir_fd = ret;
	ret = make_cgroup(plan, err);
	if (ret == 0)
		ret = make_rootfs(plan, err);
	if (ret == 0 && plan->ids.size > 0)
		ret = make_userns(plan, err);
	if (ret == 0)
		ret = make_files(plan, err);
	if (ret == 0)
		ret = make_mounts(plan, err);
	if (ret == 0)
		ret = make_sysctls(plan, err);
	if (ret == 0)
		fill_spec(plan, run);
	return ret;
}

void start_plan_undo(struct start_plan *plan)
{
	struct container *c = plan->container;
	struct error err = ERROR_INIT;

	if (cgroup_remove(c->engine->cgroups, c->id, &err) < 0)
		log_warn("container %s: %s", c->short_id, err.msg);
	network_release(c);
	if (plan->run_dir_fd >= 0)
		start_files_remove(plan->run_dir_fd);
}

void start_plan_free(struct start_plan *plan)
{
	if (!plan)
		return;
	start_files_deinit(&plan->files);
	if (plan->rootfs_fd >= 0)
		close(plan->rootfs_fd);
	if (plan->run_dir_fd >= 0)
		close(plan->run_dir_fd);
	start_net_deinit(&plan->net);
	start_share_deinit(&plan->share);
	cgroup_deinit(&plan->cgroup);
	config_deinit(&plan->config);
	json_decref(plan->effective);
	for (char **at = plan->env; at && *at; at++)
		free(*at);
	free(plan->env);
	for (size_t i = 0; plan->mount_options && i < plan->mount_count; i++)
		free(plan->mount_options[i]);
	free(plan->mount_options);
	userns_close(&plan->userns);
	free(plan->sysctls);
	free(plan->mounts);
	devices_deinit(&plan->devices);
	volume_mounts_deinit(&plan->volume_mounts);
	json_decref(plan->volumes);
	image_unref(plan->image);
	free(plan);
}

const struct launch_spec *start_plan_get_spec(const struct start_plan *plan)
{
	return &plan->spec;
}

int start_plan_steal_root(struct start_plan *plan)
{
	return steal_fd(&plan->rootfs_fd);
}

json_t *start_plan_get_effective(const struct start_plan *plan)
{
	return plan->effective;
}

bool start_plan_is_auto_remove(const struct start_plan *plan)
{
	return plan->config.auto_remove;
}
