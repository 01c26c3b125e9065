/* The devices of the machine: those that a container asks for, and all of them for a
 * privileged one, which has all rights to them, and whose programs look for them by name.
 *
 * The nodes are made anew in the container's own /dev, never bound: what is done to a
 * node there changes none of the host's. The tree is walked by descriptors, without
 * following links.
 */
#include "runtime/security/devices.h"

#include "base/path.h"
#include "base/strbuf.h"
#include "runtime/config/mountspec.h"
#include "runtime/security/security.h"

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

/* Devices below a directory on their way into a list. */
struct walker {
	struct devices *devices;
	unsigned access; /* that each is given; 0: no rule is needed */
};

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

static int add_rule(struct devices *devices, const struct device_rule *rule, struct error *err)
{
	struct device_rule *rules =
		reallocarray(devices->rules, devices->rule_count + 1, sizeof(*rules));

	if (!rules)
		return error_set(err, ENOMEM, "no memory for the devices");
	devices->rules = rules;
	rules[devices->rule_count++] = *rule;
	return 0;
}

static int add_found(struct walker *walker, const char *prefix, const char *name,
		     const struct stat *st, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	const struct launch_device device = { .mode = st->st_mode,
					      .major = major(st->st_rdev),
					      .minor = minor(st->st_rdev),
					      .uid = st->st_uid,
					      .gid = st->st_gid };
	const struct device_rule rule = { .type = S_ISBLK(st->st_mode) ? 'b' : 'c',
					  .major = (int32_t)device.major,
					  .minor = (int32_t)device.minor,
					  .access = walker->access };
	int ret;

	strbuf_appendf(&path, "%s%s", prefix, name);
	ret = add(walker->devices, strbuf_steal(&path), &device, err);
	return ret < 0 || walker->access == 0 ? ret : add_rule(walker->devices, &rule, err);
}

static int walk(struct walker *walker, int dir_fd, const char *prefix, unsigned depth,
		struct error *err);

static int walk_below(struct walker *walker, int dir_fd, const char *prefix, const char *name,
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
	return walk(walker, fd, strbuf_get_str(&path), depth + 1, err);
}

static int walk(struct walker *walker, int dir_fd, const char *prefix, unsigned depth,
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
			ret = add_found(walker, prefix, name, &st, err);
		else if (S_ISDIR(st.st_mode) && depth < DEPTH_MAX)
			ret = walk_below(walker, dir_fd, prefix, name, depth, err);
	}
	return ret;
}

int devices_add_usual(struct devices *inout, struct error *err)
{
	int ret = 0;

	for (size_t i = 0; ret == 0 && i < security_device_count; i++)
		ret = add(inout, strdup(security_devices[i].path), &security_devices[i], err);
	return ret;
}

int devices_find(int host_dev_fd, struct devices *inout, struct error *err)
{
	struct walker walker = { .devices = inout };
	int ret = devices_add_usual(inout, err);

	return ret < 0 ? ret : walk(&walker, host_dev_fd, "", 0, err);
}

/* Those below a directory, each below `name` in the container. */
static int take_directory(struct walker *walker, const char *path, const char *name,
			  struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf prefix = STRBUF_INIT;
	auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	size_t before = walker->devices->count;
	int ret;

	if (fd < 0)
		return error_set_sys(err, errno, "cannot open the device directory '%s'", path);
	if (*name)
		strbuf_appendf(&prefix, "%s/", name);
	if (strbuf_check(&prefix, err) < 0)
		return -err->code;
	/* Of /dev itself without what belongs to somebody there. */
	ret = walk(walker, fd, strbuf_get_str(&prefix), strcmp(path, "/dev") != 0, err);
	if (ret == 0 && walker->devices->count == before)
		return error_set(err, EINVAL, "no device is below '%s'", path);
	return ret;
}

/* One of Devices; its path in the container is below /dev. */
static int take_device(const json_t *item, struct devices *devices, struct error *err)
{
	const char *path = json_get_str(item, "PathOnHost", "");
	const char *inside = json_get_str(item, "PathInContainer", "");
	const char *access = json_get_str(item, "CgroupPermissions", "");
	struct walker walker = { devices, device_access_parse(*access ? access : "rwm") };
	auto_free char *clean = NULL;
	const char *name;
	struct stat st;
	int ret = mountspec_clean_target(*inside ? inside : path, &clean, err);

	if (ret < 0)
		return ret;
	name = clean + strlen("/dev");
	name += *name == '/';
	if (stat(path, &st) < 0)
		return error_set_sys(err, errno, "no device '%s' on the host", path);
	if (S_ISDIR(st.st_mode))
		return take_directory(&walker, path, name, err);
	if (!S_ISCHR(st.st_mode) && !S_ISBLK(st.st_mode))
		return error_set(err, EINVAL, "'%s' is not a device", path);
	return add_found(&walker, "", name, &st, err);
}

int devices_take(const json_t *devices, const json_t *rules, struct devices *inout,
		 struct error *err)
{
	struct device_rule rule;
	json_t *item;
	size_t i;
	int ret = 0;

	json_array_foreach(devices, i, item) {
		ret = take_device(item, inout, err);
		if (ret < 0)
			return ret;
	}
	json_array_foreach(rules, i, item) {
		if (device_rule_parse(json_string_value(item), &rule) == 0)
			ret = add_rule(inout, &rule, err);
		if (ret < 0)
			return ret;
	}
	return 0;
}

void devices_deinit(struct devices *devices)
{
	for (size_t i = 0; i < devices->count; i++)
		free((char *)devices->list[i].path);
	free(devices->list);
	free(devices->rules);
	*devices = (struct devices){ .list = NULL };
}
