/* A fresh volume gets what the image has at its place.
 *
 *   ROOT/volumes/.fill-NAME/tree    being copied; links/ beside it
 *   ROOT/volumes/.full-NAME         the whole of it, on its way into NAME
 *
 * The volume's own directory must stay the same one, since others may have it
 * mounted; so its content cannot come by one rename. It comes by two steps of
 * which each can be done again: the copy, which counts when .full-NAME is there,
 * and the moving of its entries into NAME, which any engine can finish. A volume
 * is looked at for being empty only when neither is there.
 */
#include "runtime/volume/volume_private.h"

#include "base/copy.h"
#include "base/log.h"
#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FILL_PREFIX ".fill-"
#define FULL_PREFIX ".full-"
#define ENTRY_SIZE (sizeof(FILL_PREFIX) + 256)
#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct fill {
	int volumes_fd;
	const char *name;
	char fill[ENTRY_SIZE], full[ENTRY_SIZE];
	struct error *err;
};

static void init_fill(struct fill *fill, int volumes_fd, const char *name, struct error *err)
{
	*fill = (struct fill){ .volumes_fd = volumes_fd, .name = name, .err = err };
	snprintf(fill->fill, sizeof(fill->fill), FILL_PREFIX "%s", name);
	snprintf(fill->full, sizeof(fill->full), FULL_PREFIX "%s", name);
}

static int fail(const struct fill *fill, int code)
{
	return error_set_sys(fill->err, code, "cannot copy the image's content to volume '%s'",
			     fill->name);
}

/* 1 empty, 0 not, -errno with a sentence. */
static int is_empty(int dir_fd, struct error *err)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	int ret = path_list_dir(dir_fd, &list, err);

	return ret < 0 ? ret : list.count == 0;
}

/* --- step two: into the volume ------------------------------------------------------ */

/* What is there already was made meanwhile, by who uses the volume: it stays. */
static int move_entries(const struct fill *fill, int full_fd, int volume_fd)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	int ret = path_list_dir(full_fd, &list, fill->err);

	for (size_t i = 0; ret == 0 && i < list.count; i++)
		if (renameat2(full_fd, list.names[i], volume_fd, list.names[i], RENAME_NOREPLACE) <
			    0 &&
		    errno != EEXIST)
			ret = fail(fill, errno);
	return ret;
}

static int finish(const struct fill *fill)
{
	auto_fd int full_fd = openat(fill->volumes_fd, fill->full, OPEN_DIR);
	auto_fd int volume_fd = openat(fill->volumes_fd, fill->name, OPEN_DIR);
	struct stat before;
	int ret;

	if (full_fd < 0 || volume_fd < 0 || fstat(full_fd, &before) < 0)
		return fail(fill, errno);
	/* Moving changes the time that is to be copied. */
	const struct timespec times[2] = { before.st_atim, before.st_mtim };

	ret = move_entries(fill, full_fd, volume_fd);
	if (ret == 0 && futimens(full_fd, times) < 0)
		ret = fail(fill, errno);
	if (ret == 0)
		ret = copy_attributes(full_fd, volume_fd, fill->err);
	if (ret == 0 && path_remove_tree(fill->volumes_fd, fill->full) < 0)
		ret = fail(fill, errno);
	return ret;
}

/* --- step one: the copy --------------------------------------------------------------- */

static int make_and_open(int dir_fd, const char *name)
{
	return mkdirat(dir_fd, name, 0700) < 0 && errno != EEXIST ? -1
								  : openat(dir_fd, name, OPEN_DIR);
}

static int copy(const struct fill *fill, int from_fd)
{
	auto_fd int fill_fd = make_and_open(fill->volumes_fd, fill->fill);
	auto_fd int tree_fd = fill_fd < 0 ? -1 : make_and_open(fill_fd, "tree");
	auto_fd int links_fd = fill_fd < 0 ? -1 : make_and_open(fill_fd, "links");
	int ret;

	if (fill_fd < 0 || tree_fd < 0 || links_fd < 0)
		return fail(fill, errno);
	ret = copy_tree(from_fd, tree_fd, links_fd, fill->err);
	if (ret == 0)
		ret = copy_attributes(from_fd, tree_fd, fill->err);
	if (ret < 0)
		return error_wrap(fill->err, ret, "volume '%s'", fill->name);
	/* The name must not reach the disk before what it stands for. */
	if (syncfs(tree_fd) < 0 || renameat(fill_fd, "tree", fill->volumes_fd, fill->full) < 0)
		return fail(fill, errno);
	return 0;
}

static bool is_same_file_system(int a, int b)
{
	struct stat first, second;

	return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev;
}

static int fill_from(const struct fill *fill, int from_fd)
{
	auto_fd int volume_fd = openat(fill->volumes_fd, fill->name, OPEN_DIR);
	int ret;

	if (volume_fd < 0)
		return fail(fill, errno);
	/* A disk of its own that the user has mounted there is the user's to fill. */
	if (!is_same_file_system(volume_fd, fill->volumes_fd))
		return 0;
	ret = is_empty(volume_fd, fill->err);
	if (ret <= 0)
		return ret;
	path_remove_tree(fill->volumes_fd, fill->fill);
	ret = copy(fill, from_fd);
	path_remove_tree(fill->volumes_fd, fill->fill);
	return ret < 0 ? ret : finish(fill);
}

int volume_fill(struct engine *engine, const char *name, int rootfs_fd, const char *path,
		struct error *err)
{
	auto_fd int from_fd = path_open_in_root(rootfs_fd, path, O_RDONLY | O_DIRECTORY, 0);
	struct fill fill;

	init_fill(&fill, volumes_get_dir_fd(engine->volumes), name, err);
	/* Nothing there, or a file, on which the volume will not be mounted either. */
	if (from_fd == -ENOENT || from_fd == -ENOTDIR)
		return 0;
	return from_fd < 0 ? fail(&fill, -from_fd) : fill_from(&fill, from_fd);
}

/* --- after a death ----------------------------------------------------------------- */

bool volume_recover_fill(int volumes_fd, const char *entry)
{
	struct error err = ERROR_INIT;
	struct fill fill;

	if (!strncmp(entry, FILL_PREFIX, strlen(FILL_PREFIX))) {
		path_remove_tree(volumes_fd, entry);
		return true;
	}
	if (strncmp(entry, FULL_PREFIX, strlen(FULL_PREFIX)) != 0)
		return false;
	init_fill(&fill, volumes_fd, entry + strlen(FULL_PREFIX), &err);
	if (faccessat(volumes_fd, fill.name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		path_remove_tree(volumes_fd, entry);
	else if (finish(&fill) < 0)
		log_warn("%s", err.msg);
	return true;
}
