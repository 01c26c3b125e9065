/* What the path of a bind means.
 *
 * The engine must never ask its own mount: it would wait for itself. So the path is
 * walked one name after the other, links included, and each directory is looked at
 * with statx(AT_STATX_DONT_SYNC), which asks no file system, before a name is looked
 * up in it. Where the walk meets our own device it stops, and the rest is understood
 * as text: the directory behind volumes/NAME or containers/NAME/rootfs, or nothing.
 */
#include "runtime/volume/volume_private.h"

#include "base/path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define LINKS_MAX 40 /* as the kernel's own limit */

struct walk {
	struct container *self;
	const char *path; /* as asked for */
	int fd;           /* where we stand */
	struct strbuf rest;
	unsigned links;
	struct statx mnt; /* our mount's root; stx_mask 0: there is none */
	struct error *err;
};

static int refuse_own(const struct walk *walk)
{
	return error_set(walk->err, EINVAL,
			 "'%s' lies in the mount of containerfs; of that only volumes/NAME and "
			 "containers/NAME/rootfs can be bound",
			 walk->path);
}

static int fail(const struct walk *walk, int code)
{
	if (code == ENOENT)
		return error_set(walk->err, ENOENT, "the bind's source '%s' does not exist",
				 walk->path);
	return error_set_sys(walk->err, code, "cannot open the bind's source '%s'", walk->path);
}

static bool look(int fd, const char *path, struct statx *ret)
{
	return statx(fd, path, AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		     STATX_BASIC_STATS, ret) == 0;
}

static bool is_ours(const struct walk *walk, const struct statx *st)
{
	return walk->mnt.stx_mask && st->stx_dev_major == walk->mnt.stx_dev_major &&
	       st->stx_dev_minor == walk->mnt.stx_dev_minor;
}

/* The next name of a path, cut out of it; NULL at its end. */
static const char *next_name(char **rest)
{
	char *name = *rest + strspn(*rest, "/");
	size_t len = strcspn(name, "/");

	if (len == 0)
		return NULL;
	*rest = name + len + (name[len] == '/');
	name[len] = '\0';
	return name;
}

/* --- behind our own mount ------------------------------------------------------------ */

static int open_behind_rootfs(const struct walk *walk, const char *name)
{
	AUTO(container_unref) struct container *c = engine_find(walk->self->engine, name);
	char path[PATH_MAX];
	int ret;

	if (!c)
		return error_set(walk->err, ENOENT, "no such container: %s", name);
	if (c == walk->self)
		return error_set(walk->err, EINVAL, "'%s' is the container's own root file system",
				 walk->path);
	ret = volume_find_rootfs(c, path, sizeof(path), walk->err);
	if (ret < 0)
		return ret;
	ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return ret < 0 ? fail(walk, errno) : ret;
}

static int open_behind(const struct walk *walk, char **rest)
{
	const char *kind = next_name(rest);
	const char *name = kind ? next_name(rest) : NULL;
	const char *file;

	if (name && !strcmp(kind, "volumes") && strcmp(name, "..") != 0)
		return engine_open_volume(walk->self->engine, name, walk->err);
	file = name && !strcmp(kind, "containers") ? next_name(rest) : NULL;
	if (file && !strcmp(file, "rootfs"))
		return open_behind_rootfs(walk, name);
	return refuse_own(walk);
}

/* What is left of the path is a container's to have laid out. */
static int understand(struct walk *walk, const struct statx *st)
{
	auto_free char *text = strdup(strbuf_get_str(&walk->rest));
	char *rest = text;
	auto_fd int top_fd = -1;
	int fd;

	if (!text)
		return fail(walk, ENOMEM);
	/* A part of the mount, bound elsewhere, does not say which. */
	if (st->stx_ino != walk->mnt.stx_ino)
		return refuse_own(walk);
	top_fd = open_behind(walk, &rest);
	if (top_fd < 0)
		return top_fd;
	fd = path_open_in_root(top_fd, *rest ? rest : ".", O_PATH, 0);
	return fd < 0 ? fail(walk, -fd) : fd;
}

/* --- the walk -------------------------------------------------------------------------- */

static void stand_on(struct walk *walk, int fd)
{
	close(walk->fd);
	walk->fd = fd;
}

static int follow(struct walk *walk, int link_fd, const char *rest)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	char target[PATH_MAX];
	ssize_t len = readlinkat(link_fd, "", target, sizeof(target) - 1);
	int root_fd;

	if (len < 0 || walk->links++ == LINKS_MAX)
		return fail(walk, len < 0 ? errno : ELOOP);
	strbuf_append(&path, target, (size_t)len);
	strbuf_appendf(&path, "/%s", rest);
	if (path.oom)
		return fail(walk, ENOMEM);
	strbuf_reset(&walk->rest);
	strbuf_append(&walk->rest, strbuf_get_str(&path), path.len);
	if (target[0] != '/')
		return 0;
	root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0)
		return fail(walk, errno);
	stand_on(walk, root_fd);
	return 0;
}

/* One name. 1: go on, 0: the path is at its end; or *ret_fd is the result. */
static int step(struct walk *walk, int *ret_fd)
{
	auto_free char *text = strdup(strbuf_get_str(&walk->rest));
	char *rest = text;
	const char *name = text ? next_name(&rest) : NULL;
	auto_fd int fd = -1;
	struct statx st;
	int ret;

	if (!text)
		return fail(walk, ENOMEM);
	if (!name)
		return 0;
	fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || !look(fd, "", &st))
		return fail(walk, errno);
	if (S_ISLNK(st.stx_mode)) {
		ret = follow(walk, fd, rest);
		return ret < 0 ? ret : 1;
	}
	strbuf_reset(&walk->rest);
	strbuf_append_str(&walk->rest, rest);
	if (walk->rest.oom)
		return fail(walk, ENOMEM);
	if (is_ours(walk, &st)) {
		ret = understand(walk, &st);
		if (ret < 0)
			return ret;
		*ret_fd = ret;
		return 0;
	}
	stand_on(walk, steal_fd(&fd));
	return 1;
}

int volume_open_source(struct container *self, const char *path, struct error *err)
{
	struct walk walk = { .self = self, .path = path, .rest = STRBUF_INIT, .err = err };
	int found = -1;
	int ret;

	if (!self->engine->mnt || !look(AT_FDCWD, self->engine->mnt, &walk.mnt))
		walk.mnt.stx_mask = 0;
	walk.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	strbuf_append_str(&walk.rest, path);
	ret = walk.fd < 0 || walk.rest.oom ? fail(&walk, ENOMEM) : 1;
	while (ret > 0)
		ret = step(&walk, &found);
	strbuf_deinit(&walk.rest);
	if (ret == 0 && found < 0)
		found = steal_fd(&walk.fd);
	if (walk.fd >= 0)
		close(walk.fd);
	return ret < 0 ? ret : found;
}
