/* See implied.h. Everything here is inside trees that an archive made: paths are opened in
 * their roots, and no link is followed.
 */
#include "graph/implied.h"

#include "base/path.h"
#include "graph/batch_private.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define IMPLIED_PREFIX "implied"
/* Of one layer; what is beyond keeps looking as it was made. */
#define IMPLIED_MAX_BYTES (64u << 20)

/* --- collecting ---------------------------------------------------------------------------- */

static int compare_paths(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_described(const char *path, const char **described, size_t count)
{
	return count > 0 && bsearch(&path, described, count, sizeof(*described), compare_paths);
}

static void add_path(const char *path, const char **described, size_t count, struct strbuf *out)
{
	if (!is_described(path, described, count) && out->len < IMPLIED_MAX_BYTES)
		strbuf_append(out, path, strlen(path) + 1);
}

void implied_collect(const struct strbuf *made, const char **described, size_t count,
		     struct strbuf *out)
{
	const char *all = strbuf_get_str(made);

	if (count > 0)
		qsort(described, count, sizeof(*described), compare_paths);
	add_path("/", described, count, out);
	for (size_t at = 0; at < made->len; at += strlen(all + at) + 1) {
		char path[PATH_MAX];

		snprintf(path, sizeof(path), "%s", all + at);
		for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			add_path(path, described, count, out);
			*slash = '/';
		}
		add_path(path, described, count, out);
	}
}

static void make_note_name(const char *diff_id, char ret[BATCH_NAME_SIZE])
{
	snprintf(ret, BATCH_NAME_SIZE, IMPLIED_PREFIX "%.*s", DIGEST_SIZE, diff_id);
}

int implied_note(int batch_dir_fd, const char *diff_id, const struct strbuf *list,
		 struct error *err)
{
	char name[BATCH_NAME_SIZE];
	int ret = 0;

	if (list->len == 0)
		return 0;
	make_note_name(diff_id, name);
	auto_fd int fd = openat(batch_dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		ret = -errno;
	else
		ret = path_write_all(fd, list->data, list->len);
	return ret < 0 ? error_set_sys(err, -ret, "cannot note the directories of a layer") : 0;
}

/* --- filling ---------------------------------------------------------------------------------- */

/* The tree of a layer, in the batch or in the store. */
static int open_tree(const struct batch *batch, const char *diff_id)
{
	char name[BATCH_NAME_SIZE];
	int fd;

	snprintf(name, sizeof(name), BATCH_LAYER "-%s", diff_id);
	fd = openat(batch->dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return openat(batch->graph->layers_fd, diff_id,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int copy_xattrs(int from_fd, int to_fd)
{
	char names[4096], value[4096];
	ssize_t len = flistxattr(from_fd, names, sizeof(names));

	for (ssize_t at = 0; at < len; at += (ssize_t)strlen(names + at) + 1) {
		ssize_t got;

		if (strncmp(names + at, "trusted.overlay.", 16) == 0)
			continue;
		got = fgetxattr(from_fd, names + at, value, sizeof(value));
		if (got >= 0 && fsetxattr(to_fd, names + at, value, (size_t)got, 0) < 0)
			return -errno;
	}
	return 0;
}

static int copy_look(int from_fd, int to_fd)
{
	struct timespec times[2];
	struct stat st;
	int ret;

	if (fstat(from_fd, &st) < 0 || fchown(to_fd, st.st_uid, st.st_gid) < 0)
		return -errno;
	ret = copy_xattrs(from_fd, to_fd);
	if (ret < 0)
		return ret;
	times[0] = times[1] = st.st_mtim;
	return fchmod(to_fd, st.st_mode & 07777) < 0 || futimens(to_fd, times) < 0 ? -errno : 0;
}

static int open_dir_in(int root_fd, const char *path)
{
	return path_open_in_root(root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

/* The nearest one below that has the path: what hides it, or is something else, ends the search. */
static int fill_one(const int *trees, size_t below, const char *path)
{
	auto_fd int fd = open_dir_in(trees[below], path);

	if (fd < 0)
		return fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP ? 0 : fd;
	for (size_t i = below; i-- > 0;) {
		auto_fd int from = open_dir_in(trees[i], path);

		if (from == -ENOENT)
			continue;
		if (from == -ENOTDIR || from == -ELOOP)
			return 0;
		return from < 0 ? from : copy_look(from, fd);
	}
	return 0;
}

/* Each directory of a layer's list. */
static int fill_layer(const struct batch *batch, const char *diff_id, const int *trees,
		      size_t layer, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf list = STRBUF_INIT;
	char name[BATCH_NAME_SIZE];
	int ret = 0;

	make_note_name(diff_id, name);
	if (faccessat(batch->dir_fd, name, F_OK, 0) < 0)
		return 0;
	ret = path_read_file(batch->dir_fd, name, IMPLIED_MAX_BYTES + PATH_MAX, &list, err);
	if (ret < 0)
		return ret;
	for (size_t at = 0; ret == 0 && at < list.len; at += strlen(list.data + at) + 1)
		ret = fill_one(trees, layer, list.data + at);
	/* Done once: the layer may be in several images. */
	unlinkat(batch->dir_fd, name, 0);
	return ret < 0 ? error_set_sys(err, -ret,
				       "cannot set what a directory of layer sha256:%s "
				       "looks like",
				       diff_id)
		       : 0;
}

static bool has_note(const struct batch *batch, const struct image *image)
{
	char name[BATCH_NAME_SIZE];

	for (size_t i = 1; i < image->layer_count; i++) {
		make_note_name(image->diff_ids[i], name);
		if (faccessat(batch->dir_fd, name, F_OK, 0) == 0)
			return true;
	}
	return false;
}

int implied_fill(struct batch *batch, const struct image *image, struct error *err)
{
	auto_free int *trees = calloc(image->layer_count + 1, sizeof(*trees));
	size_t opened = 0;
	int ret = 0;

	if (!trees)
		return error_set(err, ENOMEM, "out of memory for an image");
	if (!has_note(batch, image))
		return 0;
	for (; opened < image->layer_count && ret == 0; opened += ret == 0) {
		trees[opened] = open_tree(batch, image->diff_ids[opened]);
		if (trees[opened] < 0)
			ret = error_set_sys(err, errno, "layer sha256:%s", image->diff_ids[opened]);
	}
	/* From below: what a layer is given the next may be given from it. */
	for (size_t i = 1; ret == 0 && i < image->layer_count; i++)
		ret = fill_layer(batch, image->diff_ids[i], trees, i, err);
	for (size_t i = 0; i < opened; i++)
		close(trees[i]);
	return ret;
}
