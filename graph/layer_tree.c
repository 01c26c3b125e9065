/* The only way from a path in an archive to a directory entry: see the header.
 *
 * Parents are opened by path_open_in_root(), so neither '..' nor a link that an
 * earlier entry made leads out of the layer; the last component is only used
 * with calls that do not follow links. Links may be stacked so that short paths
 * make a deep tree (s -> a/b/c, then s/d/e): the depth is therefore taken from
 * where the parent really is.
 */
#include "graph/layer_tree.h"

#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

void tree_init(struct tree *tree, int root_fd, const struct limits *limits)
{
	tree->limits = limits;
	tree->root_fd = root_fd;
	tree->size_bytes = 0;
	tree->parent_path[0] = '\0';
	tree->parent_fd = -1;
	tree->made = (struct strbuf)STRBUF_INIT;
}

/* What was resolved before may mean something else now. */
static void forget_parent(struct tree *tree)
{
	if (tree->parent_fd >= 0)
		close(tree->parent_fd);
	tree->parent_fd = -1;
}

void tree_deinit(struct tree *tree)
{
	forget_parent(tree);
	strbuf_deinit(&tree->made);
}

int tree_fail(struct error *err, int code, const char *what)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EEXIST:
	case ELOOP:
	case EMLINK:
	case EXDEV:
	case EFBIG:
	case EOVERFLOW:
		error_set_sys(err, code, "%s", what);
		if (err)
			err->code = EINVAL;
		return -EINVAL;
	default:
		return error_set_sys(err, code, "%s", what);
	}
}

/* Append one component; the sizes were checked against the text's length. */
static size_t add_component(char *path, size_t len, const char *at, size_t part_len)
{
	if (len)
		path[len++] = '/';
	memcpy(path + len, at, part_len);
	path[len + part_len] = '\0';
	return len + part_len;
}

static int refuse_depth(const struct tree *tree, struct error *err)
{
	return error_set(err, EINVAL, "more than %u directories deep", tree->limits->depth);
}

int tree_parse_name(const struct tree *tree, const char *text, struct tree_name *ret,
		    struct error *err)
{
	size_t len = 0, parent_len = 0, last = 0;
	unsigned depth = 0;

	if (strlen(text) > tree->limits->path_bytes)
		return error_set(err, ENAMETOOLONG, "the path is longer than %zu bytes",
				 tree->limits->path_bytes);
	ret->path[0] = '\0';
	for (const char *at = text; *at;) {
		size_t part_len = strcspn(at, "/");
		bool is_dot = part_len == 1 && at[0] == '.';
		if (part_len == 2 && memcmp(at, "..", 2) == 0)
			return error_set(err, EINVAL, "'..' in a path");
		if (part_len && !is_dot) {
			if (++depth > tree->limits->depth)
				return refuse_depth(tree, err);
			parent_len = len;
			last = len ? len + 1 : 0;
			len = add_component(ret->path, len, at, part_len);
		}
		at += part_len;
		at += strspn(at, "/");
	}
	ret->last = ret->path + last;
	memcpy(ret->parent, ret->path, parent_len);
	ret->parent[parent_len] = '\0';
	if (!parent_len)
		memcpy(ret->parent, "/", sizeof("/"));
	return 0;
}

/* Where the kernel says that a descriptor is; -ENAMETOOLONG beyond PATH_MAX. */
static int read_place(int fd, char place[PATH_MAX])
{
	char link[64];
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, place, PATH_MAX - 1);
	if (len < 0)
		return -errno;
	place[len] = '\0';
	return 0;
}

static int check_depth(const struct tree *tree, int fd, struct error *err)
{
	char root[PATH_MAX], place[PATH_MAX];
	unsigned depth = 0;

	int ret = read_place(tree->root_fd, root);
	if (ret == 0)
		ret = read_place(fd, place);
	if (ret < 0 && ret != -ENAMETOOLONG)
		return error_set_sys(err, -ret, "cannot tell where a directory lies");
	size_t skip = ret == 0 ? strlen(root) : 0;
	for (const char *c = place + skip; ret == 0 && *c; c++)
		depth += *c == '/';
	return ret < 0 || depth >= tree->limits->depth ? refuse_depth(tree, err) : 0;
}

int tree_open_parent(struct tree *tree, const char *parent, struct error *err)
{
	if (tree->parent_fd >= 0 && strcmp(tree->parent_path, parent) == 0)
		return tree->parent_fd;
	auto_fd int fd = path_open_in_root(tree->root_fd, parent, O_PATH | O_DIRECTORY, 0);
	if (fd == -ENOENT) {
		struct error reason = ERROR_INIT;
		fd = path_make_dirs_in_root(tree->root_fd, parent, 0755, &reason);
		strbuf_append(&tree->made, parent, strlen(parent) + 1);
	}
	if (fd < 0)
		return tree_fail(err, -fd, "cannot use its parent directory");
	int ret = check_depth(tree, fd, err);
	if (ret < 0)
		return ret;
	forget_parent(tree);
	memcpy(tree->parent_path, parent, strlen(parent) + 1);
	tree->parent_fd = steal_fd(&fd);
	return tree->parent_fd;
}

static int remove_entry(struct tree *tree, int parent_fd, const char *name, const struct stat *st);

static int remove_content(struct tree *tree, int dir_fd)
{
	AUTO(path_list_deinit) struct path_list list = { .names = NULL, .count = 0 };
	int ret = path_list_dir(dir_fd, &list, NULL);
	for (size_t i = 0; ret == 0 && i < list.count; i++) {
		struct stat st;
		if (fstatat(dir_fd, list.names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			return -errno;
		ret = remove_entry(tree, dir_fd, list.names[i], &st);
	}
	return ret;
}

/* Remove an entry and take its bytes off the sum when its last name goes. As
 * deep as the limit, which tree_open_parent() sees to. */
// NOLINTNEXTLINE(misc-no-recursion)
static int remove_entry(struct tree *tree, int parent_fd, const char *name, const struct stat *st)
{
	if (S_ISDIR(st->st_mode)) {
		auto_fd int fd =
			openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int ret = fd < 0 ? -errno : remove_content(tree, fd);
		if (ret < 0)
			return ret;
	}
	if (unlinkat(parent_fd, name, S_ISDIR(st->st_mode) ? AT_REMOVEDIR : 0) < 0)
		return -errno;
	if (S_ISREG(st->st_mode) && st->st_nlink == 1)
		tree->size_bytes -= st->st_size;
	return 0;
}

int tree_replace(struct tree *tree, int parent_fd, const char *name, bool keep_dir,
		 struct error *err)
{
	struct stat st;

	if (fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT)
			return TREE_FOUND_NOTHING;
		return tree_fail(err, errno, "cannot look at what it replaces");
	}
	if (S_ISDIR(st.st_mode) && keep_dir)
		return TREE_FOUND_DIR;
	int ret = remove_entry(tree, parent_fd, name, &st);
	if (ret < 0)
		return error_set_sys(err, -ret, "cannot remove what it replaces");
	/* parent_fd is the cached one or was opened apart: only the name of a
	 * directory or link can have led to a parent that is no longer right. */
	if ((S_ISDIR(st.st_mode) || S_ISLNK(st.st_mode)) && parent_fd != tree->parent_fd)
		forget_parent(tree);
	return S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0) ? TREE_FOUND_WHITEOUT
								  : TREE_FOUND_OTHER;
}
