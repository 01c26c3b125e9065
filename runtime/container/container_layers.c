/* A container's files, looked at from outside: its own layer, its image's, both as one.
 *
 * The image's layers are merged by a mount of their own that nobody else sees and that
 * goes with its descriptor. The container's root is never mounted a second time
 * beside a running one: it is the mount behind the link rootfs, and whoever has a directory
 * of it open keeps it from being taken for idle.
 */
#include "runtime/engine_private.h"

#include "base/path.h"
#include "graph/measure.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 8

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

int container_measure(struct container *c, uint64_t max_entries, struct measure *ret,
		      struct error *err)
{
	struct error local = ERROR_INIT;
	auto_fd int upper_fd = open_upper(c, &local);
	struct measure measure = { .bytes = 0 };
	int r = upper_fd < 0 ? 0 : measure_tree(upper_fd, max_entries, &measure);

	if (local.code)
		return error_set(err, local.code, "%s", local.msg);
	if (r < 0)
		return error_set_sys(err, -r, "cannot measure the files of container '%s'",
				     c->short_id);
	*ret = measure;
	return 0;
}

int container_get_own_size(struct container *c, int64_t *ret_bytes, struct error *err)
{
	struct measure measure;
	int r = container_measure(c, UINT64_MAX, &measure, err);

	if (r == 0)
		*ret_bytes = measure.bytes;
	return r;
}
