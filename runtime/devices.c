/* The devices of the machine, for a privileged container: such a one has all rights to
 * them, and programs look for them by name.
 *
 * The nodes are made anew in the container's own /dev, never bound: what is done to a
 * node there changes none of the host's. The tree is walked by descriptors, without
 * following links.
 */
#include "runtime/devices.h"

#include "base/path.h"
#include "base/strbuf.h"
#include "runtime/security.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define DEPTH_MAX 16

static const char *const skipped[] = { "console", "fd",  "hugepages", "mqueue",
				       "ptmx",    "pts", "shm",       "core" };

static bool is_skipped(const char *name, unsigned depth)
{
	for (size_t i = 0; depth == 0 && i < sizeof(skipped) / sizeof(skipped[0]); i++)
		if (!strcmp(name, skipped[i]))
			return true;
	return false;
}

/* Takes over path, also when it fails. */
static int add(struct devices *devices, char *path, const struct launch_device *device,
	       struct error *err)
{
	auto_free char *owned = path;
	struct launch_device *list;

	if (devices->count >= DEVICES_FOUND_MAX)
		return error_set(err, E2BIG, "/dev has more than %d devices", DEVICES_FOUND_MAX);
	if (!owned)
		return error_set(err, ENOMEM, "no memory for the devices");
	list = reallocarray(devices->list, devices->count + 1, sizeof(*list));
	if (!list)
		return error_set(err, ENOMEM, "no memory for the devices");
	devices->list = list;
	list[devices->count] = *device;
	list[devices->count++].path = steal_ptr(&owned);
	return 0;
}

static int add_found(struct devices *devices, const char *prefix, const char *name,
		     const struct stat *st, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	const struct launch_device device = { .mode = st->st_mode,
					      .major = major(st->st_rdev),
					      .minor = minor(st->st_rdev),
					      .uid = st->st_uid,
					      .gid = st->st_gid };

	strbuf_appendf(&path, "%s%s", prefix, name);
	return add(devices, strbuf_steal(&path), &device, err);
}

static int walk(struct devices *devices, int dir_fd, const char *prefix, unsigned depth,
		struct error *err);

static int walk_below(struct devices *devices, int dir_fd, const char *prefix, const char *name,
		      unsigned depth, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : error_set_sys(err, errno, "cannot open /dev/%s%s", prefix, name);
	strbuf_appendf(&path, "%s%s/", prefix, name);
	if (strbuf_check(&path, err) < 0)
		return -err->code;
	return walk(devices, fd, strbuf_get_str(&path), depth + 1, err);
}

static int walk(struct devices *devices, int dir_fd, const char *prefix, unsigned depth,
		struct error *err)
{
	AUTO(path_list_deinit) struct path_list entries = { .names = NULL };
	int ret = path_list_dir(dir_fd, &entries, err);

	for (size_t i = 0; ret == 0 && i < entries.count; i++) {
		const char *name = entries.names[i];
		struct stat st;

		if (is_skipped(name, depth) || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
			ret = add_found(devices, prefix, name, &st, err);
		else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			ret = walk_below(devices, dir_fd, prefix, name, depth, err);
	}
	return ret;
}

int devices_find(int host_dev_fd, struct devices *ret, struct error *err)
{
	AUTO(devices_deinit) struct devices devices = { .list = NULL };
	int result = 0;

	for (size_t i = 0; result == 0 && i < security_device_count; i++)
		result = add(&devices, strdup(security_devices[i].path), &security_devices[i], err);
	if (result == 0)
		result = walk(&devices, host_dev_fd, "", 0, err);
	if (result < 0)
		return result;
	*ret = devices;
	devices = (struct devices){ .list = NULL };
	return 0;
}

void devices_deinit(struct devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		free((char *)devices->list[i].path);
	free(devices->list);
	*devices = (struct devices){ .list = NULL };
}
