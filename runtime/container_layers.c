/* A container's files, looked at from outside: its own layer, its image's, both as one.
 *
 * The image's layers are merged by a mount of their own that nobody else sees and that
 * goes with its descriptor. The container's root is never mounted a second time
 * beside a running one: it is the mount behind the link rootfs, and whoever has a directory
 * of it open keeps it from being taken for idle.
 */
#include "runtime/engine_private.h"

#include "base/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 8
#define DEPTH_MAX 1024

const char *const *container_get_made_paths(void)
{
	static const char *const paths[] = {
		"/dev", "/etc", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/proc",
		"/sys", NULL
	};

	return paths;
}

static int open_image(struct container *c, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	AUTO(image_unref) struct image *image = NULL;
	struct rootfs_spec spec;
	int fd;

	if (!*view->image_id)
		return -1;
	image = graph_find_image(c->engine->graph, view->image_id, err);
	if (!image)
		return err->code == ENOENT ? (error_clear(err), -1) : -err->code;
	spec = (struct rootfs_spec){ .id = image->id,
				     .layers_fd = graph_get_layers_fd(c->engine->graph),
				     .diff_ids = image->diff_ids,
				     .layer_count = image->layer_count,
				     .container_dir_fd = -1 };
	fd = rootfs_get_mount(c->engine->rootfs, &spec, err);
	return fd < 0 && !err->code ? error_set_sys(err, -fd, "cannot mount the image") : fd;
}

static int open_upper(struct container *c, struct error *err)
{
	int fd = openat(container_get_dir_fd(c), "upper",
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		error_set_sys(err, errno, "cannot open the files of container '%s'", c->short_id);
	return fd < 0 ? -1 : fd;
}

int container_open_layers(struct container *c, int *ret_upper_fd, int *ret_lower_fd,
			  struct error *err)
{
	struct error local = ERROR_INIT;
	auto_fd int upper_fd = -1;
	int lower_fd, r = container_check(c, false, &local);

	if (r == 0)
		upper_fd = open_upper(c, &local);
	lower_fd = local.code ? -1 : open_image(c, &local);
	if (local.code)
		return error_set(err, local.code, "%s", local.msg);
	*ret_upper_fd = steal_fd(&upper_fd);
	*ret_lower_fd = lower_fd;
	return 0;
}

void container_tell_export(struct container *c)
{
	container_emit(c, "export", NULL, NULL);
}

int container_open_rootfs(struct container *c, struct error *err)
{
	char path[PATH_MAX];
	struct stat st, above;
	int fd;

	for (int i = 0; i < OPEN_TRIES; i++) {
		int r = container_expose_rootfs(c, path, sizeof(path), err);

		if (r < 0)
			return r;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			continue;
		/* Not the empty directory of a mount that has just been taken away. */
		if (fstat(fd, &st) == 0 && stat(c->engine->run, &above) == 0 &&
		    st.st_dev != above.st_dev)
			return fd;
		close(fd);
	}
	return error_set(err, EIO, "the root file system of container '%s' cannot be opened",
			 c->short_id);
}

/* --- size ------------------------------------------------------------------------ */

/* A file with several names: each of them adds one, the first of an inode counts. */
struct linked {
	ino_t inode;
	int64_t bytes;
};

struct sizes {
	struct linked *linked;
	size_t count, cap;
	int64_t bytes; /* of files with one name */
};

static int note_linked(struct sizes *sizes, const struct stat *st)
{
	if (sizes->count == sizes->cap) {
		size_t cap = sizes->cap ? sizes->cap * 2 : 64;
		struct linked *grown = reallocarray(sizes->linked, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		sizes->linked = grown;
		sizes->cap = cap;
	}
	sizes->linked[sizes->count++] = (struct linked){ st->st_ino, st->st_size };
	return 0;
}

static int compare_inodes(const void *a, const void *b)
{
	const struct linked *left = a, *right = b;

	return left->inode < right->inode ? -1 : left->inode > right->inode;
}

static int measure_dir(struct sizes *sizes, int dir_fd, unsigned depth);

static int measure_entry(struct sizes *sizes, int dir_fd, const char *name, unsigned depth)
{
	auto_fd int fd = -1;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		return note_linked(sizes, &st);
	if (S_ISREG(st.st_mode))
		sizes->bytes += st.st_size;
	if (!S_ISDIR(st.st_mode) || depth == DEPTH_MAX)
		return 0;
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? 0 : measure_dir(sizes, fd, depth + 1);
}

static int measure_dir(struct sizes *sizes, int dir_fd, unsigned depth)
{
	auto_dir DIR *dir = NULL;
	auto_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int r = 0;

	if (fd >= 0)
		dir = fdopendir(fd);
	if (!dir)
		return -errno;
	steal_fd(&fd);
	while (r == 0 && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = measure_entry(sizes, dirfd(dir), entry->d_name, depth);
	}
	return r;
}

int container_get_own_size(struct container *c, int64_t *ret_bytes, struct error *err)
{
	struct error local = ERROR_INIT;
	auto_fd int upper_fd = open_upper(c, &local);
	struct sizes sizes = { .count = 0 };
	int r = upper_fd < 0 ? 0 : measure_dir(&sizes, upper_fd, 0);

	if (local.code)
		return error_set(err, local.code, "%s", local.msg);
	if (sizes.count > 0)
		qsort(sizes.linked, sizes.count, sizeof(*sizes.linked), compare_inodes);
	for (size_t i = 0; i < sizes.count; i++) {
		if (i == 0 || sizes.linked[i].inode != sizes.linked[i - 1].inode)
			sizes.bytes += sizes.linked[i].bytes;
	}
	free(sizes.linked);
	if (r < 0)
		return error_set_sys(err, -r, "cannot measure the files of container '%s'",
				     c->short_id);
	*ret_bytes = sizes.bytes;
	return 0;
}
