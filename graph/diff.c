/* The walk over an upper directory: see the header. Recursive, a descriptor or two
 * for each level, so the depth is bounded.
 *
 * A directory is told as late as possible: when it differs by itself, or when the
 * first thing in it is told. So one that was only looked into (copied up by a rename
 * of something that came back, say) is no change. The chain of directories that lead to where we are
 * is a list of levels; each knows whether it has been told.
 */
#include "graph/diff.h"

#include "base/cleanup.h"
#include "base/path.h"
#include "graph/diff_equal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct walk {
	const char *const *made;
	diff_fn fn;
	void *arg;
	struct error *err;
	struct strbuf path; /* of where we are, without a slash at its end */
};

/* A directory that we are in. */
struct level {
	struct level *above; /* NULL: the root */
	unsigned depth;
	int upper_fd;
	int lower_fd;   /* -1: there was none */
	bool is_opaque; /* nothing of lower shows through */
	bool is_told;
	/* How it is told; the root's is not used. */
	enum diff_kind kind;
	const struct diff_entry *entry;
	size_t path_len;
};

static int walk_level(struct walk *walk, struct level *level);

static int fail_at(struct walk *walk, int code, const char *what)
{
	if (walk->path.oom)
		return error_set_sys(walk->err, ENOMEM, "cannot compare the files");
	return error_set_sys(walk->err, code, "cannot %s '%s'", what, strbuf_get_str(&walk->path));
}

/* --- telling ------------------------------------------------------------------- */

static int tell_levels(struct walk *walk, struct level *level)
{
	struct diff_change change;
	char kept;
	int r;

	if (level->is_told)
		return 0;
	r = tell_levels(walk, level->above);
	if (r < 0)
		return r;
	level->is_told = true;
	change = (struct diff_change){ .kind = level->kind,
				       .path = walk->path.data,
				       .dir_fd = level->entry->dir_fd,
				       .name = level->entry->name,
				       .st = &level->entry->st };
	/* Its path is the beginning of ours. */
	kept = walk->path.data[level->path_len];
	walk->path.data[level->path_len] = '\0';
	r = walk->fn(walk->arg, &change, walk->err);
	walk->path.data[level->path_len] = kept;
	return r;
}

/* What the path says now, which lies in this level. */
static int tell(struct walk *walk, struct level *level, enum diff_kind kind,
		const struct diff_entry *entry)
{
	struct diff_change change = { .kind = kind, .dir_fd = -1 };
	int r;

	if (walk->path.oom)
		return fail_at(walk, ENOMEM, "compare");
	r = tell_levels(walk, level);
	if (r < 0)
		return r;
	change.path = walk->path.data;
	change.name = strrchr(walk->path.data, '/') + 1;
	if (entry) {
		change.dir_fd = entry->dir_fd;
		change.name = entry->name;
		change.st = &entry->st;
	}
	return walk->fn(walk->arg, &change, walk->err);
}

static size_t push_name(struct walk *walk, const char *name)
{
	size_t len = walk->path.len;

	strbuf_append_char(&walk->path, '/');
	strbuf_append_str(&walk->path, name);
	return len;
}

/* D for each entry of a directory that is no more. */
static int tell_gone(struct walk *walk, struct level *level, int lower_fd,
		     const struct path_list *except)
{
	AUTO(path_list_deinit) struct path_list names = { NULL, 0 };
	size_t at = 0;
	int r = path_list_dir(lower_fd, &names, NULL);

	if (r < 0)
		return fail_at(walk, -r, "list the image's");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		size_t len;

		while (except && at < except->count &&
		       strcmp(except->names[at], names.names[i]) < 0)
			at++;
		if (except && at < except->count && strcmp(except->names[at], names.names[i]) == 0)
			continue;
		len = push_name(walk, names.names[i]);
		r = tell(walk, level, DIFF_DELETED, NULL);
		strbuf_truncate(&walk->path, len);
	}
	return r;
}

/* --- one entry --------------------------------------------------------------------- */

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* A mount point as the engine makes it? */
static bool is_made(const struct walk *walk, const struct stat *st)
{
	const char *path = strbuf_get_str(&walk->path);

	if (!S_ISDIR(st->st_mode) && !(S_ISREG(st->st_mode) && st->st_size == 0))
		return false;
	for (size_t i = 0; walk->made && walk->made[i]; i++) {
		if (strcmp(walk->made[i], path) == 0)
			return true;
	}
	return false;
}

static int open_dir(int dir_fd, const char *name)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Go into a directory that is new or has changed, or in which something may have.
 * lower: the old directory, NULL: there was none. */
static int enter(struct walk *walk, struct level *level, const struct diff_entry *entry,
		 const struct diff_entry *lower, enum diff_kind kind, bool is_told)
{
	auto_fd int upper_fd = open_dir(entry->dir_fd, entry->name);
	auto_fd int lower_fd = lower ? open_dir(lower->dir_fd, lower->name) : -1;
	struct level inner = { .above = level,
			       .depth = level->depth + 1,
			       .upper_fd = upper_fd,
			       .lower_fd = lower_fd,
			       .is_told = is_told,
			       .kind = kind,
			       .entry = entry,
			       .path_len = walk->path.len };

	if (upper_fd == -ENOENT || upper_fd == -ENOTDIR || upper_fd == -ELOOP)
		return 0;
	if (upper_fd < 0 || (lower && lower_fd < 0))
		return fail_at(walk, upper_fd < 0 ? -upper_fd : -lower_fd, "open");
	if (inner.depth > DIFF_DEPTH_MAX)
		return error_set(walk->err, ENAMETOOLONG,
				 "'%.100s...' lies deeper than %d directories",
				 strbuf_get_str(&walk->path), DIFF_DEPTH_MAX);
	inner.is_opaque = level->is_opaque || diff_is_opaque(upper_fd);
	return walk_level(walk, &inner);
}

static int add(struct walk *walk, struct level *level, const struct diff_entry *entry)
{
	bool made = is_made(walk, &entry->st);
	int r = made ? 0 : tell(walk, level, DIFF_ADDED, entry);

	if (r == 0 && S_ISDIR(entry->st.st_mode))
		r = enter(walk, level, entry, NULL, DIFF_ADDED, !made);
	return r;
}

static int compare_dirs(struct walk *walk, struct level *level, const struct diff_entry *entry,
			const struct diff_entry *lower)
{
	int same = diff_is_equal(entry, lower);
	int r = 0;

	if (same == -ENOENT)
		return 0;
	if (same < 0)
		return fail_at(walk, -same, "compare");
	if (!same)
		r = tell(walk, level, DIFF_CHANGED, entry);
	return r < 0 ? r : enter(walk, level, entry, lower, DIFF_CHANGED, !same);
}

static int compare_entries(struct walk *walk, struct level *level, const struct diff_entry *entry,
			   const struct diff_entry *lower)
{
	auto_fd int old_fd = -1;
	int same, r;

	if (S_ISDIR(entry->st.st_mode) && S_ISDIR(lower->st.st_mode))
		return compare_dirs(walk, level, entry, lower);
	same = diff_is_equal(entry, lower);
	if (same < 0 && same != -ENOENT)
		return fail_at(walk, -same, "compare");
	if (same)
		return 0;
	r = tell(walk, level, DIFF_CHANGED, entry);
	if (r == 0 && S_ISDIR(entry->st.st_mode))
		return enter(walk, level, entry, NULL, DIFF_CHANGED, true);
	if (r < 0 || !S_ISDIR(lower->st.st_mode))
		return r;
	old_fd = open_dir(lower->dir_fd, lower->name);
	return old_fd < 0 ? fail_at(walk, -old_fd, "open the image's")
			  : tell_gone(walk, level, old_fd, NULL);
}

static int walk_entry(struct walk *walk, struct level *level, const char *name)
{
	struct diff_entry entry = { .dir_fd = level->upper_fd, .name = name };
	struct diff_entry lower = { .dir_fd = level->lower_fd, .name = name };
	bool was_there;

	if (fstatat(entry.dir_fd, name, &entry.st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : fail_at(walk, errno, "look at");
	was_there = level->lower_fd >= 0 &&
		    fstatat(level->lower_fd, name, &lower.st, AT_SYMLINK_NOFOLLOW) == 0;
	if (is_whiteout(&entry.st))
		return was_there ? tell(walk, level, DIFF_DELETED, NULL) : 0;
	return was_there ? compare_entries(walk, level, &entry, &lower) : add(walk, level, &entry);
}

static int walk_level(struct walk *walk, struct level *level)
{
	AUTO(path_list_deinit) struct path_list names = { NULL, 0 };
	int r = path_list_dir(level->upper_fd, &names, NULL);

	if (r < 0)
		return fail_at(walk, -r, "list");
	for (size_t i = 0; r == 0 && i < names.count; i++) {
		size_t len = push_name(walk, names.names[i]);

		r = walk_entry(walk, level, names.names[i]);
		strbuf_truncate(&walk->path, len);
	}
	if (r == 0 && level->is_opaque && level->lower_fd >= 0)
		r = tell_gone(walk, level, level->lower_fd, &names);
	return r;
}

int diff_walk(int upper_fd, int lower_fd, const char *const *made, diff_fn fn, void *arg,
	      struct error *err)
{
	struct walk walk = { .made = made, .fn = fn, .arg = arg, .err = err, .path = STRBUF_INIT };
	struct level root = { .upper_fd = upper_fd, .lower_fd = lower_fd, .is_told = true };
	int r = walk_level(&walk, &root);

	strbuf_deinit(&walk.path);
	return r;
}
