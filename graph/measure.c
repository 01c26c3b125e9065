/* Measuring: a walk that looks at each entry once, and counts a file with several names by its first. */
#include "graph/measure.h"

#include "base/path.h"
#include "graph/store.h"
#include "graph/tar_item.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 1024
/* Of an entry in an archive: header, pax header with its records, padding; and its path, which may stand
 * in there twice. */
#define ENTRY_BYTES 4096
struct linked {
	ino_t inode;
	int64_t bytes, archive_bytes;
};

struct walk {
	struct measure *measure;
	uint64_t max_entries;
	dev_t dev;
	struct linked *linked; /* files with several names, as they were met */
	size_t count, cap;
};

static int note_linked(struct walk *walk, const struct stat *st)
{
	if (walk->count == walk->cap) {
		size_t cap = walk->cap ? walk->cap * 2 : 64;
		struct linked *grown = reallocarray(walk->linked, cap, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		walk->linked = grown;
		walk->cap = cap;
	}
	walk->linked[walk->count++] =
		(struct linked){ st->st_ino, st->st_size, tar_items_get_max_bytes(st) };
	return 0;
}

static int compare_inodes(const void *a, const void *b)
{
	const struct linked *left = a, *right = b;

	return left->inode < right->inode ? -1 : left->inode > right->inode;
}

static void add_linked(struct walk *walk)
{
	if (walk->count > 0)
		qsort(walk->linked, walk->count, sizeof(*walk->linked), compare_inodes);
	for (size_t i = 0; i < walk->count; i++) {
		if (i > 0 && walk->linked[i].inode == walk->linked[i - 1].inode)
			continue;
		walk->measure->bytes += walk->linked[i].bytes;
		walk->measure->archive_bytes += walk->linked[i].archive_bytes;
	}
}

static int walk_dir(struct walk *walk, int dir_fd, size_t path_len, unsigned depth);

static int walk_entry(struct walk *walk, int dir_fd, const char *name, size_t path_len,
		      unsigned depth)
{
	struct measure *measure = walk->measure;
	auto_fd int fd = -1;
	struct stat st;

	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	path_len += strlen(name) + 1;
	measure->entries++;
	measure->archive_bytes += ENTRY_BYTES + 2 * (int64_t)path_len;
	if (S_ISREG(st.st_mode) && st.st_nlink > 1)
		return note_linked(walk, &st);
	if (S_ISREG(st.st_mode)) {
		measure->bytes += st.st_size;
		measure->archive_bytes += tar_items_get_max_bytes(&st);
	}
	if (!S_ISDIR(st.st_mode) || st.st_dev != walk->dev)
		return 0;
	if (depth == DEPTH_MAX) {
		measure->is_cut = true;
		return 0;
	}
	fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? 0 : walk_dir(walk, fd, path_len, depth + 1);
}

static int walk_dir(struct walk *walk, int dir_fd, size_t path_len, unsigned depth)
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
	while (r == 0 && !walk->measure->is_cut && (entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (walk->measure->entries == walk->max_entries)
			walk->measure->is_cut = true;
		else
			r = walk_entry(walk, dirfd(dir), entry->d_name, path_len, depth);
	}
	return r;
}

int measure_tree(int dir_fd, uint64_t max_entries, struct measure *inout)
{
	struct walk walk = { .measure = inout, .max_entries = max_entries };
	struct stat st;
	int r;

	if (fstat(dir_fd, &st) < 0)
		return -errno;
	walk.dev = st.st_dev;
	r = walk_dir(&walk, dir_fd, 0, 0);
	add_linked(&walk);
	free(walk.linked);
	return r;
}

int64_t measure_image(struct graph *graph, struct image *image)
{
	atomic_llong *known = &((struct stored_image *)image)->archive_bytes;
	struct measure measure = { .archive_bytes = atomic_load(known) };

	if (measure.archive_bytes > 0)
		return measure.archive_bytes;
	for (size_t i = 0; i < image->layer_count; i++) {
		auto_fd int fd = openat(graph->layers_fd, image->diff_ids[i],
					O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int r = fd < 0 ? -errno : measure_tree(fd, UINT64_MAX, &measure);

		if (r < 0)
			return r;
	}
	atomic_store(known, measure.archive_bytes);
	return measure.archive_bytes;
}
