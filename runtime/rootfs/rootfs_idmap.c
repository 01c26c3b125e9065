/* The overlay of a container with a user namespace: over idmapped mounts.
 *
 * An overlay cannot be idmapped itself, but its layers can. All layers lie in one directory,
 * upper and work in another: these two are cloned, mapped, attached for the time of the
 * mount (before Linux 6.13 overlayfs takes no directory of a mount that is nowhere), and
 * taken off again; the overlay keeps clones of its own.
 */
#include "runtime/rootfs/rootfs_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const suffixes[] = { ".layers", ".files" };
#define SUFFIX_COUNT (sizeof(suffixes) / sizeof(suffixes[0]))

static void make_path(const char *stage, size_t which, char ret[PATH_MAX])
{
	snprintf(ret, PATH_MAX, "%s%s", stage, suffixes[which]);
}

void overlay_clear_stages(const char *stage)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < SUFFIX_COUNT; i++) {
		make_path(stage, i, path);
		umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
		rmdir(path);
	}
}

/* The directory as the namespace sees it, attached. A descriptor of its root, or -errno. */
static int attach(int dir_fd, const struct userns *ns, const char *path)
{
	auto_fd int fd = mount_clone_dir(dir_fd);
	int ret = fd < 0 ? fd : userns_map_mount(fd, ns, false);

	if (ret == 0)
		ret = mount_set_attr(fd, 0, 0, MS_PRIVATE);
	if (ret == 0 && mkdir(path, 0700) < 0 && errno != EEXIST)
		ret = -errno;
	if (ret == 0)
		ret = mount_move(fd, AT_FDCWD, path);
	if (ret < 0)
		return ret;
	ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret < 0 ? -errno : ret;
}

static int refuse(const struct rootfs_spec *spec, int code, struct error *err)
{
	if (code == EINVAL || code == EOPNOTSUPP)
		return error_set(err, ENOTSUP,
				 "the file system of the containers' directory cannot be mounted "
				 "with other ids, as a user namespace needs it");
	return error_set_sys(err, code, "cannot map the files of '%s' to other ids", spec->id);
}

static int mount_mapped(const struct rootfs_spec *spec, const struct userns *ns, const char *empty,
			const char *stage, bool has_layer_option, struct error *err)
{
	struct rootfs_spec mapped = *spec;
	char paths[SUFFIX_COUNT][PATH_MAX];
	auto_fd int layers_fd = -1, dir_fd = -1;
	int ret;

	for (size_t i = 0; i < SUFFIX_COUNT; i++)
		make_path(stage, i, paths[i]);
	layers_fd = attach(spec->layers_fd, ns, paths[0]);
	if (layers_fd < 0)
		return refuse(spec, -layers_fd, err);
	dir_fd = attach(spec->container_dir_fd, ns, paths[1]);
	if (dir_fd < 0)
		return refuse(spec, -dir_fd, err);
	mapped.layers_fd = layers_fd;
	mapped.container_dir_fd = dir_fd;
	ret = userns_begin_files(&spec->ids);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot act with the ids of '%s'", spec->id);
	ret = overlay_mount_layers(&mapped, empty, stage, has_layer_option, err);
	userns_end_files();
	return ret;
}

int overlay_mount_mapped(const struct rootfs_spec *spec, const char *empty, const char *stage,
			 bool has_layer_option, struct error *err)
{
	AUTO(userns_close) struct userns ns = USERNS_INIT;
	int ret = overlay_prepare(spec, empty, err);

	if (ret == 0)
		ret = userns_open(&spec->ids, 0, &ns, err);
	if (ret < 0)
		return ret;
	overlay_clear_stages(stage); /* what a crash left there */
	ret = mount_mapped(spec, &ns, empty, stage, has_layer_option, err);
	overlay_clear_stages(stage);
	return ret;
}
