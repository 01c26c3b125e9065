/* From what an exec asks for to a launch plan.
 *
 * What its container may do counts, by the configuration in force, which cannot
 * change while it runs but for limits, and these are the cgroup's: a privileged
 * container's exec is privileged, and one without new privileges has none. The
 * user is looked up in the files that process 1 sees.
 */
#include "runtime/exec/exec.h"

#include "runtime/engine_private.h"

#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

/* Its log lies in memory, and a second segment may lie beside it. */
#define EXEC_LOG_SIZE (UINT64_C(16) << 20)

struct exec_plan {
	json_t *effective; /* of the exec */
	json_t *merged;    /* with its container's HostConfig */
	struct config config;
	struct cgroup cgroup;
	int run_dir_fd, pidfd, root_fd;
	struct user user;
	struct id_range ids; /* of the container */
	char **env;
	struct launch_spec spec;
};

/* --- configuration ---------------------------------------------------------- */

static bool take(json_t *object, const char *key, json_t *value)
{
	return !value || json_object_set(object, key, value) == 0;
}

static bool extend(json_t *env, json_t *more)
{
	return !more || json_array_extend(env, more) == 0;
}

/* What links tell, the container's environment, then what is asked for: later ones win. */
static json_t *join_env(const struct container_view *view, const json_t *wanted)
{
	auto_json json_t *env = json_array();

	if (!env || !extend(env, json_get_array(view->network, "env")) ||
	    !extend(env, json_get_array(view->effective, "Env")) ||
	    !extend(env, json_get_array(wanted, "Env")))
		return NULL;
	return steal_ptr(&env);
}

/* Nobody could write to the input of one that nobody sees: it is at its end. */
static json_t *make_effective(const struct container_view *view, const json_t *wanted, bool is_seen)
{
	const json_t *base = view->effective;
	auto_json json_t *result = json_object();
	auto_json json_t *env = join_env(view, wanted);
	const char *user = json_get_str(wanted, "User", "");
	const char *dir = json_get_str(wanted, "WorkingDir", "");
	bool fine =
		result && env && take(result, "Cmd", json_get_array(wanted, "Cmd")) &&
		take(result, "Env", env) &&
		take(result, "User", json_object_get(*user ? wanted : base, "User")) &&
		take(result, "WorkingDir", json_object_get(*dir ? wanted : base, "WorkingDir")) &&
		take(result, "Tty", json_object_get(wanted, "Tty")) &&
		take(result, "OpenStdin", is_seen ? json_object_get(wanted, "OpenStdin") : NULL);

	return fine ? steal_ptr(&result) : NULL;
}

/* The container's, but the size of the terminal, which is this process's own. */
static json_t *make_host(const struct container_view *view, const json_t *wanted)
{
	json_t *base = json_get_object(view->effective, "HostConfig");
	json_t *size = json_object_get(json_get_object(wanted, "HostConfig"), "ConsoleSize");
	auto_json json_t *host = base ? json_copy(base) : json_object();

	if (!host)
		return NULL;
	json_object_del(host, "ConsoleSize");
	return take(host, "ConsoleSize", size) ? steal_ptr(&host) : NULL;
}

static int merge(struct exec_plan *plan, const struct exec *exec, const json_t *wanted,
		 struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(exec->parent);
	auto_json json_t *host = make_host(view, wanted);
	bool fine;

	plan->effective = make_effective(view, wanted, *exec->name != 0);
	plan->merged = plan->effective ? json_copy(plan->effective) : NULL;
	fine = plan->merged && host && take(plan->merged, "HostConfig", host) &&
	       take(plan->merged, "Hostname", json_object_get(view->effective, "Hostname"));
	if (!fine)
		return error_set(err, ENOMEM, "no memory for a launch plan");
	return config_decode(plan->merged, true, &plan->config, err);
}

/* --- the container ----------------------------------------------------------- */

static int refuse_stopped(const struct container_view *view, struct error *err)
{
	return error_set(err, ESRCH, "container '%s' is not running", view->name);
}

/* Process 1 has not been reaped yet: asked after it was opened by its number, that was its number. */
static int check_alive(struct container *parent, const struct container_view *view,
		       struct error *err)
{
	struct error cause = ERROR_INIT;
	struct shim *shim = link_enter(parent, view->run);
	int ret;

	if (!shim)
		return refuse_stopped(view, err);
	ret = shim_signal(shim, 0, 0, &cause);
	link_leave(parent);
	if (ret == -ESRCH)
		return refuse_stopped(view, err);
	return ret < 0 ? error_set(err, -ret, "container '%s': %s", view->name, cause.msg) : 0;
}

static int open_container(struct exec_plan *plan, struct container *parent, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(parent);
	char path[40];

	if (view->state == CONTAINER_PAUSED)
		return error_set(err, EBUSY, "container '%s' is paused; unpause it", view->name);
	if (view->state != CONTAINER_RUNNING || view->pid <= 0)
		return refuse_stopped(view, err);
	snprintf(path, sizeof(path), "/proc/%d/root", (int)view->pid);
	plan->pidfd = (int)syscall(SYS_pidfd_open, view->pid, 0);
	plan->root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (plan->pidfd < 0 || plan->root_fd < 0)
		return refuse_stopped(view, err);
	return check_alive(parent, view, err);
}

/* --- the plan ----------------------------------------------------------------- */

static int fill_spec(struct exec_plan *plan, struct container *c, uint64_t run, struct error *err)
{
	const struct config *config = &plan->config;
	struct launch_spec *spec = &plan->spec;
	const struct sock_filter *seccomp = NULL;
	size_t seccomp_count = 0;
	uint64_t caps = 0;
	int ret = start_decide_rights(c->engine, config, &caps, &seccomp, &seccomp_count, err);

	if (ret < 0)
		return ret;
	start_fill_rights(spec, config, &plan->user, caps, seccomp, seccomp_count);
	spec->userns = plan->ids.size > 0;
	spec->uid_base = plan->ids.uid_base;
	spec->gid_base = plan->ids.gid_base;
	spec->id = c->id;
	spec->run = run;
	spec->rootfs_fd = -1;
	spec->log_dir_fd = container_get_dir_fd(c);
	spec->log_max_size = *c->exec->name ? EXEC_LOG_SIZE : 2 * EXEC_OUTPUT_MAX;
	spec->log_max_file = 2;
	spec->run_dir_fd = plan->run_dir_fd;
	spec->cgroup_fd = plan->cgroup.leaf_fd;
	spec->cgroup_procs_fds = plan->cgroup.procs_fds;
	spec->cgroup_procs_count = plan->cgroup.procs_count;
	spec->argv = (const char *const *)config->argv;
	spec->envp = (const char *const *)plan->env;
	spec->cwd = *config->working_dir ? config->working_dir : "/";
	spec->tty = config->tty;
	spec->tty_rows = config->tty_rows;
	spec->tty_cols = config->tty_cols;
	spec->open_stdin = config->open_stdin;
	spec->join = true;
	spec->join_fd = plan->pidfd;
	spec->discard_output = c->exec->detached;
	return 0;
}

static int make(struct exec_plan *plan, struct container *c, const json_t *wanted, uint64_t run,
		struct error *err)
{
	struct container *parent = c->exec->parent;
	AUTO(container_view_unref) struct container_view *view = container_get_view(parent);
	const char *hostname;
	int ret = merge(plan, c->exec, wanted, err);

	if (ret == 0)
		ret = open_container(plan, parent, err);
	if (ret == 0)
		ret = error_wrap(err,
				 user_resolve(plan->root_fd, plan->config.user,
					      plan->config.group_add, &plan->user, err),
				 "%s", view->name);
	if (ret == 0 && plan->config.userns) {
		if (!userns_table_find(c->engine->userns, parent->id, &plan->ids))
			return error_set(err, EIO, "bug: container %s has no ids",
					 parent->short_id);
		ret = userns_check_user(&plan->ids, &plan->user, err);
	}
	if (ret == 0)
		ret = cgroup_open(c->engine->cgroups, parent->id, &plan->cgroup, err);
	if (ret == 0)
		ret = plan->run_dir_fd = store_open_run_dir(c, false, err);
	if (ret < 0)
		return ret;
	hostname = *plan->config.hostname ? plan->config.hostname : parent->short_id;
	plan->env = config_build_env(&plan->config, hostname, plan->user.home);
	if (!plan->env)
		return error_set(err, ENOMEM, "no memory for a launch plan");
	return fill_spec(plan, c, run, err);
}

int exec_plan_new(struct container *c, const json_t *wanted, uint64_t run, struct exec_plan **ret,
		  struct error *err)
{
	AUTO(exec_plan_free) struct exec_plan *plan = calloc(1, sizeof(*plan));
	int failure;

	if (!plan)
		return error_set(err, ENOMEM, "no memory for a launch plan");
	plan->cgroup = (struct cgroup)CGROUP_INIT;
	plan->run_dir_fd = plan->pidfd = plan->root_fd = -1;
	failure = make(plan, c, wanted, run, err);
	if (failure < 0)
		return failure;
	*ret = steal_ptr(&plan);
	return 0;
}

void exec_plan_free(struct exec_plan *plan)
{
	if (!plan)
		return;
	cleanup_fd(&plan->run_dir_fd);
	cleanup_fd(&plan->pidfd);
	cleanup_fd(&plan->root_fd);
	cgroup_deinit(&plan->cgroup);
	config_deinit(&plan->config);
	json_decref(plan->effective);
	json_decref(plan->merged);
	for (char **at = plan->env; at && *at; at++)
		free(*at);
	free(plan->env);
	free(plan);
}

const struct launch_spec *exec_plan_get_spec(const struct exec_plan *plan)
{
	return &plan->spec;
}

json_t *exec_plan_get_effective(const struct exec_plan *plan)
{
	return plan->effective;
}
