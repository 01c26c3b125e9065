/* Opening and closing the store, publishing its changes, and finding images. The
 * locks are described in store.h.
 */
#include "graph/reserve.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>

DEFINE_AUTO(struct graph *, graph_close);

void graph_close(struct graph *graph)
{
	if (!graph)
		return;
	/* The reaper uses the descriptors. */
	workers_free(graph->reaper);
	graph_snapshot_unref(graph->snapshot);
	json_decref(graph->damaged_images);
	json_decref(graph->damaged_tags);
	int fds[] = { graph->dir_fd, graph->layers_fd, graph->layers_path_fd, graph->blobs_fd,
		      graph->tmp_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	pthread_mutex_destroy(&graph->swap);
	pthread_mutex_destroy(&graph->turn);
	free(graph);
}

static struct graph *graph_new(const struct graph_options *options)
{
	struct graph *graph AUTO(graph_close) = calloc(1, sizeof(*graph));

	if (!graph)
		return NULL;
	graph->dir_fd = graph->layers_fd = graph->layers_path_fd = -1;
	graph->blobs_fd = graph->tmp_fd = -1;
	graph->options = *options;
	graph->options.root = NULL;
	graph->limits = options->limits ? *options->limits : (struct limits)LIMITS_INIT;
	pthread_mutex_init(&graph->turn, NULL);
	pthread_mutex_init(&graph->swap, NULL);
	graph->damaged_images = json_array();
	graph->damaged_tags = json_array();
	graph->reaper = workers_new(1);
	if (!graph->damaged_images || !graph->damaged_tags || !graph->reaper)
		return NULL;
	return steal_ptr(&graph);
}

static int open_dirs(struct graph *graph, const char *root, struct error *err)
{
	int ret = path_make_dirs(root, 0700, err);
	if (ret < 0)
		return ret;
	graph->dir_fd = path_open_dir(AT_FDCWD, root, 0700, err);
	if (graph->dir_fd < 0)
		return graph->dir_fd;
	/* Containers reach layers through overlay mounts made by us, so nobody else
	 * has to pass these. */
	graph->layers_fd = path_open_dir(graph->dir_fd, "layers", 0700, err);
	if (graph->layers_fd < 0)
		return graph->layers_fd;
	graph->tmp_fd = path_open_dir(graph->dir_fd, "tmp", 0700, err);
	if (graph->tmp_fd < 0)
		return graph->tmp_fd;
	auto_fd int blobs = path_open_dir(graph->dir_fd, "blobs", 0700, err);
	if (blobs < 0)
		return blobs;
	graph->blobs_fd = path_open_dir(blobs, "sha256", 0700, err);
	if (graph->blobs_fd < 0)
		return graph->blobs_fd;
	graph->layers_path_fd = openat(graph->dir_fd, "layers", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (graph->layers_path_fd < 0)
		return error_set_sys(err, errno, "cannot open directory 'layers'");
	return 0;
}

int graph_open(const struct graph_options *options, struct graph **ret, struct error *err)
{
	struct graph *graph AUTO(graph_close) = graph_new(options);
	if (!graph)
		return error_set(err, ENOMEM, "out of memory for the image store");
	int r = open_dirs(graph, options->root, err);
	if (r == 0)
		r = refs_read(graph, &graph->snapshot, err);
	if (r == 0)
		r = sweep_store(graph, graph->snapshot, err);
	if (r < 0)
		return error_wrap(err, r, "cannot open the image store '%s'", options->root);
	reserve_take(graph);
	*ret = steal_ptr(&graph);
	return 0;
}

int graph_get_layers_fd(struct graph *graph)
{
	return graph->layers_path_fd;
}

/* --- snapshots ------------------------------------------------------------------------- */

struct graph_snapshot *graph_get_snapshot(struct graph *graph)
{
	pthread_mutex_lock(&graph->swap);
	struct graph_snapshot *snapshot = graph->snapshot;
	atomic_fetch_add_explicit(&snapshot->refs, 1, memory_order_relaxed);
	pthread_mutex_unlock(&graph->swap);
	return snapshot;
}

void graph_lock(struct graph *graph)
{
	pthread_mutex_lock(&graph->turn);
}

void graph_unlock(struct graph *graph)
{
	pthread_mutex_unlock(&graph->turn);
}

/* What takes away must not fail for want of room. */
static int write_refs(struct graph *graph, const struct graph_snapshot *next, struct error *err)
{
	bool is_removal = next->image_count < graph->snapshot->image_count ||
			  next->tag_count < graph->snapshot->tag_count;

	reserve_take(graph);
	int ret = refs_write(graph, next, err);
	if (ret != -ENOSPC || !is_removal || !reserve_give(graph))
		return ret;
	error_clear(err);
	return refs_write(graph, next, err);
}

int graph_publish_locked(struct graph *graph, struct graph_snapshot *next, struct error *err)
{
	int ret = write_refs(graph, next, err);
	if (ret < 0) {
		graph_snapshot_unref(next);
		return ret;
	}
	pthread_mutex_lock(&graph->swap);
	struct graph_snapshot *before = graph->snapshot;
	graph->snapshot = next;
	pthread_mutex_unlock(&graph->swap);
	graph_snapshot_unref(before);
	return 0;
}

void graph_report(struct graph *graph, const char *action, const char *id, const char *name)
{
	if (graph->options.on_change)
		graph->options.on_change(graph->options.arg, action, id, name);
}

/* --- finding ---------------------------------------------------------------------------- */

struct image *graph_find_digits(const struct graph_snapshot *snapshot, const char *digits,
				const char *ref, struct error *err)
{
	struct image *found = NULL;
	size_t len = strlen(digits);
	bool is_id = len >= 4 && len < GRAPH_ID_SIZE && num_is_hex(digits, (unsigned)len);

	for (size_t i = 0; is_id && i < snapshot->image_count; i++) {
		if (strncmp(snapshot->images[i]->id, digits, len) != 0)
			continue;
		if (found) {
			error_set(err, EINVAL, "'%s' is the beginning of more than one image's id",
				  ref);
			return NULL;
		}
		found = snapshot->images[i];
	}
	if (!found)
		error_set(err, ENOENT, "no such image: %s", ref);
	return found ? image_ref(found) : NULL;
}

struct image *graph_find_image(struct graph *graph, const char *ref, struct error *err)
{
	struct graph_snapshot *snapshot AUTO(graph_snapshot_unref) = graph_get_snapshot(graph);
	char name[GRAPH_NAME_SIZE];
	const char *digits = strncmp(ref, "sha256:", 7) == 0 ? ref + 7 : ref;

	if (digits == ref && graph_parse_reference(ref, name, NULL) == 0) {
		struct tag *tag = snapshot_find_tag(snapshot, name);
		if (tag)
			return image_ref(tag->image);
	}
	return graph_find_digits(snapshot, digits, ref, err);
}
