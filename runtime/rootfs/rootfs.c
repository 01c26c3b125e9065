/* Where root file systems are seen: RUN/rootfs/<id>, and who may mount what when.
 *
 * There is at most one superblock per container. Whoever wants its root gets a clone
 * of the mount that exists, in RUN/rootfs or in the running container, and only
 * when there is neither a fresh overlay is made. An id is claimed for the length of
 * a call, so that two callers cannot both find nothing; different ids do not wait
 * for each other. That no call comes with pid 0 while a container runs is the
 * caller's promise.
 *
 * RUN/rootfs is an unbindable mount: nothing that is mounted below it spreads into
 * other namespaces or rides along with a recursive bind. Paths below RUN are ours,
 * no container can reach them.
 */
#include "runtime/rootfs/rootfs_internal.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pthread.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#define STAGE ".stage"

struct claim {
	struct claim *next;
	const char *id;
};

struct rootfs {
	char *path;  /* RUN/rootfs */
	char *empty; /* RUN/rootfs.empty */
	char *stage; /* RUN/rootfs/.stage */
	bool has_layer_option;
	struct rootfs_helper *helper;
	pthread_mutex_t lock;
	pthread_cond_t released;
	struct claim *claims; /* guarded by lock */
};

static void claim(struct rootfs *rootfs, struct claim *mine, const char *id)
{
	struct claim *other;

	mine->id = id;
	pthread_mutex_lock(&rootfs->lock);
	do {
		for (other = rootfs->claims; other; other = other->next)
			if (strcmp(other->id, id) == 0)
				break;
		if (other)
			pthread_cond_wait(&rootfs->released, &rootfs->lock);
	} while (other);
	mine->next = rootfs->claims;
	rootfs->claims = mine;
	pthread_mutex_unlock(&rootfs->lock);
}

static void release(struct rootfs *rootfs, struct claim *mine)
{
	struct claim **at = &rootfs->claims;

	pthread_mutex_lock(&rootfs->lock);
	while (*at != mine)
		at = &(*at)->next;
	*at = mine->next;
	pthread_cond_broadcast(&rootfs->released);
	pthread_mutex_unlock(&rootfs->lock);
}

int rootfs_new(const char *run_rootfs, struct rootfs **ret, struct error *err)
{
	AUTO(rootfs_free) struct rootfs *rootfs = calloc(1, sizeof(*rootfs));
	int result;

	if (!rootfs)
		return error_set(err, ENOMEM, "no memory for the root file systems");
	pthread_mutex_init(&rootfs->lock, NULL);
	pthread_cond_init(&rootfs->released, NULL);
	rootfs->path = strdup(run_rootfs);
	if (asprintf(&rootfs->empty, "%s.empty", run_rootfs) < 0)
		rootfs->empty = NULL;
	if (asprintf(&rootfs->stage, "%s/%s", run_rootfs, STAGE) < 0)
		rootfs->stage = NULL;
	if (!rootfs->path || !rootfs->empty || !rootfs->stage)
		return error_set(err, ENOMEM, "no memory for the root file systems");
	result = path_make_dirs(run_rootfs, 0711, err);
	if (result == 0)
		result = rootfs_helper_new(&rootfs->helper, err);
	if (result < 0)
		return result;
	rootfs->has_layer_option = overlay_has_layer_option();
	*ret = steal_ptr(&rootfs);
	return 0;
}

void rootfs_free(struct rootfs *rootfs)
{
	if (!rootfs)
		return;
	rootfs_helper_free(rootfs->helper);
	pthread_cond_destroy(&rootfs->released);
	pthread_mutex_destroy(&rootfs->lock);
	free(rootfs->path);
	free(rootfs->empty);
	free(rootfs->stage);
	free(rootfs);
}

/* RUN/rootfs/<id>; ids are digests, so nothing in them can lead elsewhere. */
static int make_path(const struct rootfs *rootfs, const char *id, char ret_path[PATH_MAX],
		     struct error *err)
{
	if (!num_is_hex(id, 64))
		return error_set(err, EINVAL, "'%s' is not an id of 64 digits", id);
	if (snprintf(ret_path, PATH_MAX, "%s/%s", rootfs->path, id) >= PATH_MAX)
		return error_set(err, ENAMETOOLONG, "cannot expose '%s'", id);
	return 0;
}

/* Set RUN/rootfs apart before the first mount below it. */
static int make_private(struct rootfs *rootfs, struct error *err)
{
	auto_fd int fd = -1;
	int ret = 0;

	pthread_mutex_lock(&rootfs->lock);
	if (!mount_is_root(rootfs->path)) {
		fd = ret = mount_open_tree(AT_FDCWD, rootfs->path, true);
		if (ret >= 0)
			ret = mount_set_attr(fd, 0, 0, MS_UNBINDABLE);
		if (ret >= 0)
			ret = mount_move(fd, AT_FDCWD, rootfs->path);
	}
	pthread_mutex_unlock(&rootfs->lock);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot set '%s' apart as a mount", rootfs->path);
	return 0;
}

struct fresh {
	struct rootfs *rootfs;
	const struct rootfs_spec *spec;
	struct error *err;
};

static int run_fresh(void *arg)
{
	struct fresh *fresh = arg;

	int (*mount)(const struct rootfs_spec *spec, const char *empty, const char *stage,
		     bool has_layer_option, struct error *err) = overlay_mount;

	if (fresh->spec->ids.size > 0)
		mount = overlay_mount_mapped;
	return mount(fresh->spec, fresh->rootfs->empty, fresh->rootfs->stage,
		     fresh->rootfs->has_layer_option, fresh->err);
}

static int mount_fresh(struct rootfs *rootfs, const struct rootfs_spec *spec, struct error *err)
{
	struct fresh fresh = { rootfs, spec, err };
	int ret = 0;

	if (rootfs->has_layer_option && spec->ids.size == 0)
		return run_fresh(&fresh);
	ret = make_private(rootfs, err);
	if (ret < 0)
		return ret;
	ret = rootfs_helper_run(rootfs->helper, run_fresh, &fresh);
	if (ret == -EIO && err && err->code == 0)
		error_set(err, EIO, "the thread that mounts is lost");
	return ret;
}

struct visit {
	struct rootfs_helper *helper;
	int pidfd;
	const char *path;
};

static int clone_there(void *arg)
{
	const struct visit *visit = arg;

	return mount_open_tree(AT_FDCWD, visit->path, true);
}

static int run_visit(void *arg)
{
	struct visit *visit = arg;

	return rootfs_helper_visit(visit->helper, visit->pidfd, clone_there, visit);
}

/* A process that shares our mounts has no root of its own to give away. */
static bool shares_our_mounts(pid_t pid)
{
	struct stat ours, theirs;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)pid);
	return stat("/proc/self/ns/mnt", &ours) == 0 && stat(path, &theirs) == 0 &&
	       ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

int rootfs_clone_mount(struct rootfs *rootfs, pid_t pid, const char *path)
{
	auto_fd int pidfd = pid ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	struct visit visit = { rootfs->helper, pidfd, path };

	if (pid == 0)
		return mount_open_tree(AT_FDCWD, path, true);
	return pidfd < 0 ? -errno : rootfs_helper_run(rootfs->helper, run_visit, &visit);
}

/* The root mount of a running container, cloned. A privileged one can have mounted
 * something over it: that is refused, being no overlay. */
static int clone_running(struct rootfs *rootfs, const struct rootfs_spec *spec, struct error *err)
{
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, spec->pid, 0);
	struct visit visit = { rootfs->helper, pidfd, "/" };
	auto_fd int fd = -1;
	struct statfs fs;

	if (pidfd < 0)
		return error_set_sys(err, errno, "container '%s' does not run", spec->id);
	if (shares_our_mounts(spec->pid))
		return error_set(err, EINVAL, "process %d is not in a container", (int)spec->pid);
	fd = rootfs_helper_run(rootfs->helper, run_visit, &visit);
	if (fd < 0)
		return error_set_sys(err, -fd, "cannot reach the root of container '%s'", spec->id);
	if (fstatfs(fd, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC)
		return error_set(err, EBUSY, "container '%s' has mounted something over its root",
				 spec->id);
	return steal_fd(&fd);
}

/* Is the container's root at path shown with the ids that are wanted? It is told by its owner, on
 * disk and there. */
static bool shows_ids(const struct rootfs_spec *spec, const char *path)
{
	struct stat shown, stored;

	return spec->container_dir_fd < 0 || stat(path, &shown) < 0 ||
	       fstatat(spec->container_dir_fd, "upper", &stored, AT_SYMLINK_NOFOLLOW) < 0 ||
	       shown.st_uid == stored.st_uid + (spec->ids.size ? spec->ids.uid_base : 0);
}

/* What is mounted from before a change of ids goes, unless somebody is in it. */
static int drop_other_ids(const struct rootfs_spec *spec, const char *path, struct error *err)
{
	while (mount_is_root(path) && !shows_ids(spec, path))
		if (umount2(path, UMOUNT_NOFOLLOW) < 0)
			return error_set_sys(err, errno,
					     "the root of '%s' is still used with other ids",
					     spec->id);
	return 0;
}

/* Until then the overlay is there. */
static void let_go_locked(atomic_int *held_fd)
{
	int fd = atomic_exchange(held_fd, -1);

	if (fd >= 0)
		close(fd);
}

void rootfs_let_go(struct rootfs *rootfs, const char *id, atomic_int *held_fd)
{
	struct claim mine;

	claim(rootfs, &mine, id);
	let_go_locked(held_fd);
	release(rootfs, &mine);
}

/* Any mount of this container, detached, with attributes unknown. */
static int get_locked(struct rootfs *rootfs, const struct rootfs_spec *spec, const char *path,
		      struct error *err)
{
	int fd = drop_other_ids(spec, path, err);

	if (fd < 0)
		return fd;
	if (mount_is_root(path)) {
		fd = mount_open_tree(AT_FDCWD, path, true);
		if (fd < 0)
			return error_set_sys(err, -fd, "cannot clone '%s'", path);
		return fd;
	}
	if (spec->pid > 0)
		return clone_running(rootfs, spec, err);
	if (spec->held_fd)
		let_go_locked(spec->held_fd);
	return mount_fresh(rootfs, spec, err);
}

int rootfs_get_mount(struct rootfs *rootfs, const struct rootfs_spec *spec, struct error *err)
{
	auto_fd int fd = -1;
	char path[PATH_MAX];
	struct claim mine;
	int ret = make_path(rootfs, spec->id, path, err);

	if (ret < 0)
		return ret;
	claim(rootfs, &mine, spec->id);
	fd = get_locked(rootfs, spec, path, err);
	release(rootfs, &mine);
	if (fd < 0)
		return fd;
	ret = mount_set_attr(fd, 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, MS_PRIVATE);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot prepare the root of '%s'", spec->id);
	return steal_fd(&fd);
}

static int expose_locked(struct rootfs *rootfs, const struct rootfs_spec *spec, const char *path,
			 struct error *err)
{
	uint64_t attr = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
	auto_fd int fd = -1;
	int ret;

	ret = drop_other_ids(spec, path, err);
	if (ret < 0 || mount_is_root(path))
		return ret;
	if (spec->container_dir_fd < 0)
		attr |= MOUNT_ATTR_RDONLY;
	ret = make_private(rootfs, err);
	if (ret < 0)
		return ret;
	fd = get_locked(rootfs, spec, path, err);
	if (fd < 0)
		return fd;
	ret = mount_set_attr(fd, attr, 0, MS_PRIVATE);
	if (ret == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
		ret = -errno;
	if (ret == 0)
		ret = mount_move(fd, AT_FDCWD, path);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot mount the root of '%s' at '%s'", spec->id,
				     path);
	return 0;
}

int rootfs_expose(struct rootfs *rootfs, const struct rootfs_spec *spec, struct error *err)
{
	char path[PATH_MAX];
	struct claim mine;
	int ret = make_path(rootfs, spec->id, path, err);

	if (ret < 0)
		return ret;
	claim(rootfs, &mine, spec->id);
	ret = expose_locked(rootfs, spec, path, err);
	release(rootfs, &mine);
	return ret;
}

bool rootfs_is_exposed(const struct rootfs *rootfs, const char *id)
{
	char path[PATH_MAX];

	return make_path(rootfs, id, path, NULL) == 0 && mount_is_root(path);
}

/* The claim is held until the mount itself is gone, which may take as long as writing
 * out its upper directory: a start that follows must not meet it. */
static int hide_locked(const char *path, int flags)
{
	while (mount_is_root(path))
		if (umount2(path, flags | UMOUNT_NOFOLLOW) < 0)
			return -errno;
	if (rmdir(path) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

static int hide(struct rootfs *rootfs, const char *id, int flags, struct error *err)
{
	char path[PATH_MAX];
	struct claim mine;
	int ret = make_path(rootfs, id, path, err);

	if (ret < 0)
		return ret;
	claim(rootfs, &mine, id);
	ret = hide_locked(path, flags);
	release(rootfs, &mine);
	return ret;
}

int rootfs_hide(struct rootfs *rootfs, const char *id, struct error *err)
{
	int ret = hide(rootfs, id, MNT_DETACH, err);

	if (ret < 0 && err && err->code == 0)
		return error_set_sys(err, -ret, "cannot unmount the root of '%s'", id);
	return ret;
}

int rootfs_hide_idle(struct rootfs *rootfs, const char *id)
{
	return hide(rootfs, id, 0, NULL);
}

int rootfs_sweep(struct rootfs *rootfs, bool (*keep)(void *arg, const char *id), void *arg,
		 struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { NULL, 0 };
	auto_fd int dir_fd = path_open_dir(AT_FDCWD, rootfs->path, 0711, err);
	int ret = dir_fd < 0 ? dir_fd : path_list_dir(dir_fd, &list, err), first = 0;

	if (ret < 0)
		return ret;
	close(steal_fd(&dir_fd));
	for (size_t i = 0; i < list.count; i++) {
		if (!num_is_hex(list.names[i], 64) || (keep && keep(arg, list.names[i])))
			continue;
		/* Goes on after a failure; the first one is reported. */
		ret = rootfs_hide(rootfs, list.names[i], first ? NULL : err);
		if (ret < 0 && first == 0)
			first = ret;
	}
	if (!keep) {
		umount2(rootfs->stage, MNT_DETACH | UMOUNT_NOFOLLOW);
		rmdir(rootfs->stage);
		overlay_clear_stages(rootfs->stage);
		rmdir(rootfs->empty);
		if (mount_is_root(rootfs->path))
			umount2(rootfs->path, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	return first;
}
