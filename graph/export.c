/* The walk: recursive, a descriptor for each level, so the depth is bounded. An entry
 * is looked at through a descriptor that only names it, from which all the rest is read:
 * what is described is what was seen, whoever exchanges names meanwhile.
 */
#include "graph/export.h"

#include "base/path.h"
#include "graph/tar_item.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct walk {
	struct tar_out *out;
	struct tar_items *items;
	struct error *err;
	dev_t dev;
	struct strbuf path; /* of where we are, without slashes at its ends */
};

static int fail(struct walk *walk, int code, const char *what)
{
	return error_set_sys(walk->err, code, "cannot %s '/%s'", what, strbuf_get_str(&walk->path));
}

static int walk_dir(struct walk *walk, int dir_fd, unsigned depth);

/* fd names the directory, and is closed: a level keeps one descriptor. */
static int go_into(struct walk *walk, int *fd, const struct stat *st, unsigned depth)
{
	auto_fd int dir_fd = -1;

	if (st->st_dev != walk->dev)
		return 0;
	if (depth > EXPORT_DEPTH_MAX)
		return error_set(walk->err, ENAMETOOLONG,
				 "'/%.100s...' lies deeper than %d directories",
				 strbuf_get_str(&walk->path), EXPORT_DEPTH_MAX);
	dir_fd = openat(*fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return fail(walk, errno, "open");
	close(steal_fd(fd));
	return walk_dir(walk, dir_fd, depth);
}

static int walk_entry(struct walk *walk, int dir_fd, const char *name, unsigned depth)
{
	auto_fd int fd = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(walk, errno, "look at");
	if (walk->path.oom)
		return error_set_sys(walk->err, ENOMEM, "cannot export the files");
	r = tar_items_add(walk->items, fd, &st, strbuf_get_str(&walk->path), walk->err);
	return r < 0 || !S_ISDIR(st.st_mode) ? r : go_into(walk, &fd, &st, depth + 1);
}

static int walk_dir(struct walk *walk, int dir_fd, unsigned depth)
{
	AUTO(path_list_deinit) struct path_list names = { NULL, 0 };
	int r = path_list_dir(dir_fd, &names, NULL);

	/* Removed while we were on the way there. */
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(walk, -r, "list");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		size_t len = walk->path.len;

		if (len > 0)
			strbuf_append_char(&walk->path, '/');
		strbuf_append_str(&walk->path, names.names[i]);
		r = walk_entry(walk, dir_fd, names.names[i], depth);
		strbuf_truncate(&walk->path, len);
	}
	return r;
}

static void walk_deinit(struct walk *walk)
{
	tar_items_free(walk->items);
	tar_out_free(walk->out);
	strbuf_deinit(&walk->path);
}
DEFINE_AUTO_DEINIT(struct walk, walk_deinit);

int export_tree(int root_fd, const struct tar_ids *ids,
		int (*write)(void *arg, const void *bytes, size_t len), void *arg,
		struct error *err)
{
	AUTO(walk_deinit) struct walk walk = { .err = err, .path = STRBUF_INIT };
	struct stat st;
	int r;

	if (fstat(root_fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at the root");
	walk.dev = st.st_dev;
	walk.out = tar_out_new(write, arg);
	walk.items = walk.out ? tar_items_new(walk.out) : NULL;
	if (!walk.items)
		return error_set_sys(err, ENOMEM, "cannot export the files");
	if (ids)
		tar_items_set_ids(walk.items, ids);
	r = tar_items_add_root(walk.items, root_fd, err);
	if (r == 0)
		r = walk_dir(&walk, root_fd, 0);
	return r < 0 ? r : tar_out_finish(walk.out, err);
}
