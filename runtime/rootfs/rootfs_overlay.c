/* Making one overlay of layers and an upper directory.
 *
 * Options, the same on every kernel: index and metacopy off, so that an upper
 * directory holds whole files and plain whiteouts, which is what changes and commit
 * read; redirect_dir=nofollow, so that renaming a directory of a layer is EXDEV
 * (mv copies then) as in Docker, and no attribute in a layer can point elsewhere.
 *
 * From Linux 6.7 on layers are given one by one. Before it all options share one
 * page, far too little for sixty paths: the layers are opened and named by their
 * descriptor's number, seen from a working directory of /proc/self/fd; and since a
 * mount made by mount(2) is attached somewhere, it is made on a stage, cloned, and
 * taken off again.
 *
 * Source: the kernel's filesystems/overlayfs.rst.
 */
#include "runtime/rootfs/rootfs_internal.h"

#include "base/path.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* What mount tables show as the source. */
#define SOURCE "containerfs"
/* fsconfig(2) takes no longer strings. */
#define VALUE_MAX 256
#define PAGE 4096

static const char *const fixed_options[][2] = {
	{ "index", "off" },
	{ "metacopy", "off" },
	{ "redirect_dir", "nofollow" },
};

bool overlay_has_layer_option(void)
{
	auto_fd int fs_fd = mount_fsopen("overlay");

	/* Before 6.5 whatever is said is only taken down; a nonsense tells that apart. */
	return fs_fd >= 0 && mount_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "nonsense", NULL) < 0 &&
	       mount_fsconfig(fs_fd, FSCONFIG_SET_STRING, "lowerdir+", "/") == 0;
}

/* A descriptor's path if it still leads there, for the sake of mount tables; else one
 * through /proc, which always does. */
static void find_path(int dir_fd, char *ret, size_t size)
{
	char self[40];
	struct stat want, have;
	ssize_t n;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", dir_fd);
	n = readlink(self, ret, size);
	/* The longest name that is put behind it is a layer's. */
	if (n > 0 && (size_t)n < size - 70) {
		ret[n] = '\0';
		if (fstat(dir_fd, &want) == 0 && stat(ret, &have) == 0 &&
		    want.st_dev == have.st_dev && want.st_ino == have.st_ino)
			return;
	}
	snprintf(ret, size, "%s", self);
}

/* The root directory of the container is the upper one: it takes owner, mode and time
 * from the highest layer's when it is made. */
static int make_upper(const struct rootfs_spec *spec, struct error *err)
{
	struct stat st = { .st_mode = 0755 };

	if (mkdirat(spec->container_dir_fd, "upper", 0755) < 0)
		return errno == EEXIST
			       ? 0
			       : error_set_sys(err, errno,
					       "cannot make the upper directory of '%s'", spec->id);
	if (spec->layer_count > 0 && fstatat(spec->layers_fd, spec->diff_ids[spec->layer_count - 1],
					     &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_sys(err, errno, "cannot look at layer '%s'",
				     spec->diff_ids[spec->layer_count - 1]);
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, st.st_mtim };
	if (spec->layer_count == 0)
		times[1].tv_nsec = UTIME_NOW;
	if (fchownat(spec->container_dir_fd, "upper", st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) <
		    0 ||
	    fchmodat(spec->container_dir_fd, "upper", st.st_mode & 07777, 0) < 0 ||
	    utimensat(spec->container_dir_fd, "upper", times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_sys(err, errno, "cannot set the owner of the root of '%s'",
				     spec->id);
	return 0;
}

/* A volatile overlay leaves a mark and refuses to be mounted again until somebody has
 * thought about it. Its container is one that nobody keeps. */
static int remove_mark(const struct rootfs_spec *spec, struct error *err)
{
	auto_fd int work_fd = openat(spec->container_dir_fd, "work/work",
				     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int ret;

	if (work_fd < 0 || faccessat(work_fd, "incompat", F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	ret = path_remove_tree(work_fd, "incompat");
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot clean the work directory of '%s'",
				     spec->id);
	return 0;
}

static int prepare_dirs(const struct rootfs_spec *spec, struct error *err)
{
	int ret = make_upper(spec, err);

	if (ret < 0)
		return ret;
	if (mkdirat(spec->container_dir_fd, "work", 0700) == 0)
		return 0;
	if (errno != EEXIST)
		return error_set_sys(err, errno, "cannot make the work directory of '%s'",
				     spec->id);
	return remove_mark(spec, err);
}

/* Is one more, empty, layer needed: below nothing, or beside a single one? */
static bool needs_empty(const struct rootfs_spec *spec)
{
	return spec->layer_count == 0 || (spec->container_dir_fd < 0 && spec->layer_count == 1);
}

static int set_value(int fs_fd, const char *key, const char *value)
{
	return mount_fsconfig(fs_fd, FSCONFIG_SET_STRING, key, value);
}

static int set_layers(int fs_fd, const struct rootfs_spec *spec, const char *empty,
		      struct error *err)
{
	char dir[VALUE_MAX], path[VALUE_MAX + 80];
	int ret = 0;

	find_path(spec->layers_fd, dir, sizeof(dir));
	/* The highest comes first. */
	for (size_t i = spec->layer_count; ret == 0 && i > 0; i--) {
		snprintf(path, sizeof(path), "%s/%s", dir, spec->diff_ids[i - 1]);
		ret = set_value(fs_fd, "lowerdir+", path);
		if (ret < 0)
			return error_set_sys(err, -ret, "cannot use layer '%s'",
					     spec->diff_ids[i - 1]);
	}
	if (needs_empty(spec))
		ret = set_value(fs_fd, "lowerdir+", empty);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot use '%s' as a layer", empty);
	return 0;
}

static int set_upper(int fs_fd, const struct rootfs_spec *spec)
{
	char dir[VALUE_MAX], path[VALUE_MAX + 16];
	int ret;

	find_path(spec->container_dir_fd, dir, sizeof(dir));
	snprintf(path, sizeof(path), "%s/upper", dir);
	ret = set_value(fs_fd, "upperdir", path);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "%s/work", dir);
	ret = set_value(fs_fd, "workdir", path);
	if (ret == 0 && spec->is_volatile)
		ret = mount_fsconfig(fs_fd, FSCONFIG_SET_FLAG, "volatile", NULL);
	return ret;
}

static int mount_by_layers(const struct rootfs_spec *spec, const char *empty, struct error *err)
{
	auto_fd int fs_fd = mount_fsopen("overlay");
	int ret = fs_fd < 0 ? fs_fd : set_value(fs_fd, "source", SOURCE);

	for (size_t i = 0; ret == 0 && i < sizeof(fixed_options) / sizeof(fixed_options[0]); i++)
		ret = set_value(fs_fd, fixed_options[i][0], fixed_options[i][1]);
	if (ret == 0) {
		ret = set_layers(fs_fd, spec, empty, err);
		if (ret < 0)
			return ret;
	}
	if (ret == 0 && spec->container_dir_fd >= 0)
		ret = set_upper(fs_fd, spec);
	if (ret == 0)
		ret = mount_fsconfig(fs_fd, FSCONFIG_CMD_CREATE, NULL, NULL);
	if (ret == 0)
		ret = mount_fsmount(fs_fd);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot mount the root of '%s'", spec->id);
	return ret;
}

/* Descriptors that a classic mount names its directories by. */
struct layer_fds {
	int *fds;
	size_t count;
};

static void layer_fds_deinit(struct layer_fds *list)
{
	for (size_t i = 0; i < list->count; i++)
		cleanup_fd(&list->fds[i]);
	free(list->fds);
}
DEFINE_AUTO_DEINIT(struct layer_fds, layer_fds_deinit);

static int add_dir(struct layer_fds *list, struct strbuf *data, const char *before, int dir_fd,
		   const char *name, struct error *err)
{
	int fd = openat(dir_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return error_set_sys(err, errno, "cannot use '%s' as a layer", name);
	list->fds[list->count++] = fd;
	strbuf_appendf(data, "%s%d", before, fd);
	return 0;
}

static int make_data(const struct rootfs_spec *spec, const char *empty, struct layer_fds *list,
		     struct strbuf *data, struct error *err)
{
	const char *before = "lowerdir=";
	int ret = 0;

	list->fds = calloc(spec->layer_count + 3, sizeof(*list->fds));
	if (!list->fds)
		return error_set(err, ENOMEM, "no memory to mount '%s'", spec->id);
	for (size_t i = spec->layer_count; ret == 0 && i > 0; i--, before = ":")
		ret = add_dir(list, data, before, spec->layers_fd, spec->diff_ids[i - 1], err);
	if (ret == 0 && needs_empty(spec))
		ret = add_dir(list, data, before, AT_FDCWD, empty, err);
	if (ret == 0 && spec->container_dir_fd >= 0)
		ret = add_dir(list, data, ",upperdir=", spec->container_dir_fd, "upper", err);
	if (ret == 0 && spec->container_dir_fd >= 0)
		ret = add_dir(list, data, ",workdir=", spec->container_dir_fd, "work", err);
	for (size_t i = 0; i < sizeof(fixed_options) / sizeof(fixed_options[0]); i++)
		strbuf_appendf(data, ",%s=%s", fixed_options[i][0], fixed_options[i][1]);
	if (spec->is_volatile && spec->container_dir_fd >= 0)
		strbuf_append_str(data, ",volatile");
	return ret < 0 ? ret : strbuf_check(data, err);
}

static int mount_classic(const struct rootfs_spec *spec, const char *empty, const char *stage,
			 struct error *err)
{
	AUTO(layer_fds_deinit) struct layer_fds list = { NULL, 0 };
	AUTO(strbuf_deinit) struct strbuf data = STRBUF_INIT;
	int ret = make_data(spec, empty, &list, &data, err);

	if (ret < 0)
		return ret;
	if (data.len >= PAGE)
		return error_set(err, ENOTSUP, "this kernel cannot mount %zu layers",
				 spec->layer_count);
	umount2(stage, MNT_DETACH); /* what a crash left there */
	if ((mkdir(stage, 0700) < 0 && errno != EEXIST) || chdir("/proc/self/fd") < 0)
		return error_set_sys(err, errno, "cannot use '%s'", stage);
	ret = mount(SOURCE, stage, "overlay", 0, data.data) < 0 ? -errno : 0;
	if (chdir("/") < 0 && ret == 0)
		ret = -errno;
	if (ret == 0)
		ret = mount_open_tree(AT_FDCWD, stage, true);
	umount2(stage, MNT_DETACH);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot mount the root of '%s'", spec->id);
	return ret;
}

int overlay_prepare(const struct rootfs_spec *spec, const char *empty, struct error *err)
{
	if (needs_empty(spec) && mkdir(empty, 0555) < 0 && errno != EEXIST)
		return error_set_sys(err, errno, "cannot make '%s'", empty);
	return spec->container_dir_fd >= 0 ? prepare_dirs(spec, err) : 0;
}

int overlay_mount_layers(const struct rootfs_spec *spec, const char *empty, const char *stage,
			 bool has_layer_option, struct error *err)
{
	return has_layer_option ? mount_by_layers(spec, empty, err)
				: mount_classic(spec, empty, stage, err);
}

int overlay_mount(const struct rootfs_spec *spec, const char *empty, const char *stage,
		  bool has_layer_option, struct error *err)
{
	int ret = overlay_prepare(spec, empty, err);

	return ret < 0 ? ret : overlay_mount_layers(spec, empty, stage, has_layer_option, err);
}
