/* A container's mounts, ready for its launch plan: volumes made and filled, sources
 * found, a detached mount of each, in the order of depth.
 *
 * What is made here outlives a failed start, as it should: volumes. The mounts are
 * descriptors, and go when these are closed.
 */
#include "runtime/volume/volume_private.h"

#include "base/num.h"
#include "base/path.h"
#include "base/strbuf.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNTINFO_MAX (16U << 20)

void volume_mounts_deinit(struct volume_mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		if (mounts->mounts[i].fd >= 0)
			close(mounts->mounts[i].fd);
	free(mounts->mounts);
	*mounts = (struct volume_mounts){ .mounts = NULL, .count = 0 };
}

/* --- the image's content ------------------------------------------------------------ */

/* The root file system of the image of the container that the volume was made for. -1: there is
 * none any more. */
static int open_origin(struct engine *engine, const char *id)
{
	AUTO(container_unref) struct container *c = engine_find(engine, id);
	AUTO(container_view_unref) struct container_view *view = c ? container_get_view(c) : NULL;
	AUTO(image_unref) struct image *image = NULL;
	char path[4096];

	if (view && *view->image_id)
		image = graph_find_image(engine->graph, view->image_id, NULL);
	if (!image || engine_expose_image(engine, image, path, sizeof(path), NULL) < 0)
		return -1;
	return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int fill(struct container *c, const json_t *entry, int rootfs_fd, struct error *err)
{
	const char *name = json_get_str(entry, "Name", "");
	const char *path = json_get_str(entry, "Destination", "");
	struct id_range ids;
	/* Its own root file system shows other ids than a volume is to have. */
	bool mapped = userns_table_find(c->engine->userns, c->id, &ids);
	const char *origin = json_get_str(entry, "_from", mapped ? c->id : NULL);
	auto_fd int origin_fd = origin ? open_origin(c->engine, origin) : -1;

	if (json_get_bool(entry, "_copied", false) || json_get_bool(entry, "_nocopy", false) ||
	    (origin && origin_fd < 0))
		return 0;
	return volume_fill(c->engine, name, origin ? origin_fd : rootfs_fd, path, err);
}

static int note_copied(struct container *c, const json_t *entry, struct error *err)
{
	const char *name = json_get_str(entry, "Name", "");
	const char *from = json_get_str(entry, "_from", NULL);
	AUTO(container_unref) struct container *origin = from ? engine_find(c->engine, from) : NULL;
	int ret = 0;

	if (json_get_bool(entry, "_copied", false))
		return 0;
	if (origin)
		ret = volume_note_copied(origin, name, err);
	return ret < 0 ? ret : volume_note_copied(c, name, err);
}

static int make(struct container *c, const json_t *entry, int rootfs_fd, struct error *err)
{
	const char *name = json_get_str(entry, "Name", "");
	bool own = json_get_bool(entry, "_anonymous", false);
	int ret;

	/* 64 digits that somebody writes are those of a volume that is there. */
	if (!own && num_is_hex(name, 64) && !engine_find_volume(c->engine, name, NULL))
		return error_set(err, ENOENT, "no such volume: %s", name);
	ret = volumes_make(c->engine, name, true, err);
	return ret < 0 ? ret : fill(c, entry, rootfs_fd, err);
}

/* A descriptor of the volume, made and filled. */
static int open_volume(struct container *c, const json_t *entry, int rootfs_fd, struct error *err)
{
	const char *name = json_get_str(entry, "Name", "");
	int ret = volumes_claim(c->engine->volumes, name, err);

	if (ret < 0)
		return ret;
	ret = make(c, entry, rootfs_fd, err);
	volumes_release(c->engine->volumes, name);
	if (ret == 0)
		ret = note_copied(c, entry, err);
	return ret < 0 ? ret : engine_open_volume(c->engine, name, err);
}

/* --- propagation -------------------------------------------------------------------- */

static unsigned long get_propagation(const json_t *entry)
{
	const char *word = json_get_str(entry, "Propagation", "");

	word += *word == 'r';
	if (!strcmp(word, "shared"))
		return MS_SHARED;
	return !strcmp(word, "slave") ? MS_SLAVE : 0;
}

/* What mountinfo says behind the options of the mount that holds the descriptor. */
static bool find_mount_tags(int fd, struct strbuf *out)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	struct statx st;
	char id[24];
	size_t len;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &st) < 0 ||
	    path_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, NULL) < 0)
		return false;
	len = (size_t)snprintf(id, sizeof(id), "%llu ", (unsigned long long)st.stx_mnt_id);
	for (const char *line = strbuf_get_str(&text); *line; line += *line == '\n') {
		size_t line_len = strcspn(line, "\n");

		if (!strncmp(line, id, len)) {
			strbuf_append(out, line, line_len);
			return !out->oom;
		}
		line += line_len;
	}
	return false;
}

/* As Docker: what cannot propagate is refused, not forgotten. */
static int check_propagation(const json_t *entry, int fd, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf tags = STRBUF_INIT;
	unsigned long wanted = get_propagation(entry);
	const char *source = json_get_str(entry, "Source", "");
	bool shared;

	if (!wanted || !find_mount_tags(fd, &tags))
		return 0;
	shared = strstr(strbuf_get_str(&tags), " shared:") != NULL;
	if (wanted == MS_SHARED && !shared)
		return error_set(err, EINVAL, "'%s' does not lie in a shared mount", source);
	if (wanted == MS_SLAVE && !shared && !strstr(strbuf_get_str(&tags), " master:"))
		return error_set(err, EINVAL, "'%s' does not lie in a shared or slave mount",
				 source);
	return 0;
}

/* --- one mount ------------------------------------------------------------------------ */

static int open_entry(struct container *c, const json_t *entry, int rootfs_fd, struct error *err)
{
	if (!strcmp(json_get_str(entry, "Type", ""), "volume"))
		return open_volume(c, entry, rootfs_fd, err);
	return volume_open_source(c, json_get_str(entry, "Source", ""), err);
}

static int clone_mount(const json_t *entry, int source_fd, struct launch_mount *ret,
		       struct error *err)
{
	const char *target = json_get_str(entry, "Destination", "");
	struct stat st;
	int fd = (int)syscall(SYS_open_tree, source_fd, "",
			      AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "cannot mount '%s' for '%s'",
				     json_get_str(entry, "Source", ""), target);
	*ret = (struct launch_mount){
		.target = target,
		.fd = fd,
		.flags = MS_REC | get_propagation(entry) |
			 (json_get_bool(entry, "RW", true) ? 0 : MS_RDONLY),
		.is_file = !S_ISDIR(st.st_mode),
	};
	return 0;
}

static int add_mount(struct container *c, const json_t *entry, int rootfs_fd,
		     struct launch_mount *ret, struct error *err)
{
	auto_fd int fd = -1;
	int failure;

	if (!strcmp(json_get_str(entry, "Type", ""), "tmpfs")) {
		*ret = (struct launch_mount){
			.source = "tmpfs",
			.target = json_get_str(entry, "Destination", ""),
			.fstype = "tmpfs",
			.flags = (unsigned long)json_get_int(entry, "_flags", 0),
			.data = json_get_str(entry, "_data", ""),
			.fd = -1,
		};
		return 0;
	}
	fd = open_entry(c, entry, rootfs_fd, err);
	if (fd < 0)
		return fd;
	failure = check_propagation(entry, fd, err);
	return failure < 0 ? failure : clone_mount(entry, fd, ret, err);
}

/* --- all of them ---------------------------------------------------------------------- */

static size_t get_depth(const char *path)
{
	size_t depth = 0;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

static int compare_depth(const void *a, const void *b)
{
	const struct launch_mount *first = a, *second = b;
	size_t x = get_depth(first->target), y = get_depth(second->target);

	return x != y ? (x < y ? -1 : 1) : strcmp(first->target, second->target);
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncmp(path, dir, len) && path[len] == '/';
}

/* What is mounted inside a mount that is shared with the host appears on the host,
 * and stays there when the container has gone. */
static int check_nesting(const struct volume_mounts *all, struct error *err)
{
	for (size_t i = 0; i < all->count; i++)
		for (size_t j = i + 1; j < all->count; j++)
			if (all->mounts[i].flags & MS_SHARED && !all->mounts[i].fstype &&
			    is_below(all->mounts[j].target, all->mounts[i].target))
				return error_set(err, EINVAL,
						 "'%s' lies below '%s', which is shared with the "
						 "host",
						 all->mounts[j].target, all->mounts[i].target);
	return 0;
}

int volume_prepare(struct container *c, json_t *list, int rootfs_fd, struct volume_mounts *ret,
		   struct error *err)
{
	struct volume_mounts all = { .count = 0 };
	json_t *entry;
	int failure = 0;
	size_t i;

	all.mounts = calloc(json_array_size(list) + 1, sizeof(struct launch_mount));
	if (!all.mounts)
		return error_set(err, ENOMEM, "no memory for the mounts");
	json_array_foreach(list, i, entry) {
		if (failure < 0 || json_get_bool(entry, "_kept", false))
			continue;
		failure = add_mount(c, entry, rootfs_fd, &all.mounts[all.count], err);
		all.count += failure == 0;
	}
	qsort(all.mounts, all.count, sizeof(struct launch_mount), compare_depth);
	if (failure == 0)
		failure = check_nesting(&all, err);
	if (failure < 0) {
		volume_mounts_deinit(&all);
		return failure;
	}
	*ret = all;
	return 0;
}
