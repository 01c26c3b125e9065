/* Namespaces that a container shares with the host or with another container: IpcMode, PidMode, UTSMode.
 *
 * As with NetworkMode, another one has to run at the start, and is not needed afterwards: a
 * namespace lives as long as its processes, but one of processes ends with its first. What belongs
 * to a namespace comes with it as a mount: /dev/shm with IPC, and /proc, which the shim cannot
 * mount itself, since it never enters another's pid namespace (runtime/shim/join.c).
 */
#include "runtime/engine_private.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#define CONTAINER_MODE "container:"

static const char *get_mode(const json_t *effective, const char *key)
{
	return json_get_str(json_get_object(effective, "HostConfig"), key, "");
}

/* The name behind "container:", or NULL. */
static const char *get_other(const char *mode)
{
	size_t len = strlen(CONTAINER_MODE);

	return strncmp(mode, CONTAINER_MODE, len) == 0 ? mode + len : NULL;
}

static int refuse_stopped(const char *key, const char *name, struct error *err)
{
	return error_set(err, ESRCH, "%s: container '%s' is not running", key, name);
}

/* One of its namespaces and the mount that belongs to it. */
static int open_other(struct container *c, const char *key, const char *name, const char *ns,
		      const char *mount, int *ret_ns_fd, int *ret_mount_fd, struct error *err)
{
	AUTO(container_unref) struct container *other = engine_resolve(c->engine, name, err);
	AUTO(container_view_unref) struct container_view *view = NULL;
	AUTO(container_view_unref) struct container_view *again = NULL;
	auto_fd int ns_fd = -1;
	auto_fd int mount_fd = -1;
	char path[40];

	if (!other)
		return error_wrap(err, -err->code, "%s", key);
	if (other == c)
		return error_set(err, EINVAL, "%s '" CONTAINER_MODE "%s' is itself", key, name);
	view = container_get_view(other);
	if (!container_view_is_live(view) || view->pid <= 0)
		return refuse_stopped(key, name, err);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)view->pid, ns);
	ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	mount_fd = rootfs_clone_mount(c->engine->rootfs, view->pid, mount);
	/* Still the same run: the number was its own. */
	again = container_get_view(other);
	if (ns_fd < 0 || !container_view_is_live(again) || again->run != view->run)
		return refuse_stopped(key, name, err);
	if (mount_fd < 0)
		return error_set_sys(err, -mount_fd, "%s: cannot have %s of container '%s'", key,
				     mount, name);
	*ret_ns_fd = steal_fd(&ns_fd);
	*ret_mount_fd = steal_fd(&mount_fd);
	return 0;
}

/* As Docker: it must have been made to be shared. */
static int check_shareable(struct container *c, const char *name, struct error *err)
{
	AUTO(container_unref) struct container *other = engine_resolve(c->engine, name, err);
	AUTO(container_view_unref) struct container_view *view = NULL;
	const char *mode;

	if (!other)
		return error_wrap(err, -err->code, "IpcMode");
	view = container_get_view(other);
	mode = get_mode(view->effective ? view->effective : view->config, "IpcMode");
	if (strcmp(mode, "shareable") != 0 && !get_other(mode))
		return error_set(err, EINVAL,
				 "IpcMode: that of container '%s' is not shared; it needs IpcMode "
				 "'shareable'",
				 name);
	return 0;
}

static int decide_ipc(struct container *c, const char *mode, struct start_share *share,
		      struct error *err)
{
	const char *name = get_other(mode);
	int ret;

	share->has_no_shm = strcmp(mode, "none") == 0;
	share->ipc_is_host = strcmp(mode, "host") == 0;
	if (share->ipc_is_host) {
		share->shm_fd = rootfs_clone_mount(c->engine->rootfs, 0, "/dev/shm");
		return share->shm_fd < 0 ? error_set_sys(err, -share->shm_fd,
							 "IpcMode: cannot have the host's /dev/shm")
					 : 0;
	}
	if (!name)
		return 0;
	ret = check_shareable(c, name, err);
	return ret < 0 ? ret
		       : open_other(c, "IpcMode", name, "ipc", "/dev/shm", &share->ipcns_fd,
				    &share->shm_fd, err);
}

static int decide_pid(struct container *c, const char *mode, struct start_share *share,
		      struct error *err)
{
	const char *name = get_other(mode);
	struct statfs fs;
	int ret;

	share->pid_is_host = strcmp(mode, "host") == 0;
	if (!name)
		return 0;
	ret = open_other(c, "PidMode", name, "pid", "/proc", &share->pidns_fd, &share->proc_fd,
			 err);
	/* A privileged one can have put anything there. */
	if (ret == 0 && (fstatfs(share->proc_fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC))
		return error_set(err, EBUSY,
				 "PidMode: container '%s' has something else on its /proc", name);
	return ret;
}

int start_share_decide(struct container *c, const json_t *effective, struct start_share *ret,
		       struct error *err)
{
	int failure = decide_ipc(c, get_mode(effective, "IpcMode"), ret, err);

	if (failure == 0)
		failure = decide_pid(c, get_mode(effective, "PidMode"), ret, err);
	ret->uts_is_host = strcmp(get_mode(effective, "UTSMode"), "host") == 0;
	return failure;
}

bool start_share_mount(const struct start_share *share, struct launch_mount *mount)
{
	bool is_shm = strcmp(mount->target, "/dev/shm") == 0;
	int fd = is_shm ? share->shm_fd : -1;

	if (is_shm && share->has_no_shm)
		return false;
	if (strcmp(mount->target, "/proc") == 0)
		fd = share->proc_fd;
	if (fd >= 0)
		*mount = (struct launch_mount){ .target = mount->target, .fd = fd };
	return true;
}

void start_share_fill(const struct start_share *share, struct launch_spec *spec)
{
	spec->ipc_is_host = share->ipc_is_host;
	spec->pid_is_host = share->pid_is_host;
	spec->uts_is_host = share->uts_is_host;
	spec->join_ipcns = share->ipcns_fd >= 0;
	spec->ipcns_fd = share->ipcns_fd;
	spec->join_pidns = share->pidns_fd >= 0;
	spec->pidns_fd = share->pidns_fd;
	if (share->uts_is_host)
		spec->hostname = spec->domainname = NULL;
}

void start_share_deinit(struct start_share *share)
{
	cleanup_fd(&share->ipcns_fd);
	cleanup_fd(&share->pidns_fd);
	cleanup_fd(&share->shm_fd);
	cleanup_fd(&share->proc_fd);
}
