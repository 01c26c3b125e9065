/* Beginning and end of the pass-through, the volumes themselves, and forgetting. What a volume is, and which
 * there are, is runtime/volume/volume.h's; here a name becomes a node.
 */
#include "fs/volfs/volfs_private.h"

#include "fs/work.h"
#include "runtime/volume/volume.h"

#include <fcntl.h>
#include <string.h>

/* A volume whose disk hangs keeps as many as there are requests for it. */
#define THREADS_MAX 2048

int volfs_start(const struct server_memory *memory, int ready_fd, struct volfs **ret,
		struct error *err)
{
	struct volfs *volfs = calloc(1, sizeof(*volfs));
	int r;

	if (!volfs)
		return error_set(err, ENOMEM, "no memory for volumes");
	volfs->fuse_fd = memory->fuse_fd;
	r = volfs_table_open(volfs, memory->volumes_fd, err);
	if (r == 0)
		r = volfs_keeper_start(memory, ready_fd, &volfs->keeper, err);
	if (r == 0) {
		volfs->workers =
			workers_new_from(THREADS_MAX, volfs_keeper_make_thread, volfs->keeper);
		if (!volfs->workers)
			r = error_set(err, ENOMEM, "no memory for volumes");
	}
	if (r < 0) {
		volfs_free(volfs);
		return r;
	}
	*ret = volfs;
	return 0;
}

void volfs_free(struct volfs *volfs)
{
	if (!volfs)
		return;
	workers_free(volfs->workers);
	volfs_keeper_end(volfs->keeper);
	volfs_table_close(volfs);
	free(volfs);
}

/* --- taking over --------------------------------------------------------------------- */

struct take_over {
	struct volfs *volfs;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool done; /* guarded by lock */
};

static void run_take_over(void *arg)
{
	struct take_over *job = arg;

	volfs_table_take_over(job->volfs);
	pthread_mutex_lock(&job->lock);
	job->done = true;
	pthread_cond_signal(&job->changed);
	pthread_mutex_unlock(&job->lock);
}

int volfs_take_over(struct volfs *volfs, struct fs *fs, struct error *err)
{
	struct take_over job = { .volfs = volfs };
	int r;

	volfs->fs = fs;
	pthread_mutex_init(&job.lock, NULL);
	pthread_cond_init(&job.changed, NULL);
	r = workers_submit(volfs->workers, run_take_over, &job);
	pthread_mutex_lock(&job.lock);
	while (r == 0 && !job.done)
		pthread_cond_wait(&job.changed, &job.lock);
	pthread_mutex_unlock(&job.lock);
	pthread_cond_destroy(&job.changed);
	pthread_mutex_destroy(&job.lock);
	return r < 0 ? error_set_sys(err, -r, "cannot take over the open files of volumes") : 0;
}

/* --- a volume's own directory ---------------------------------------------------------- */

static void run_lookup_volume(struct volfs_request *r)
{
	AUTO(strbuf_deinit) struct strbuf path = STRBUF_INIT;
	uint64_t shown = node_make(NODE_VOLUME, node_hash_name(r->name), 0), node = 0;
	struct stat st;
	int result = -ENOMEM;

	strbuf_appendf(&path, "%s/volumes/%s", r->volfs->fs->options->root, r->name);
	if (!path.oom)
		result = volfs_look_up_at(r->volfs, AT_FDCWD, strbuf_get_str(&path), 0, shown,
					  &node, &st);
	if (result == 0 && !S_ISDIR(st.st_mode)) {
		volfs_forget_node(r->volfs, node, 1);
		result = -ENOTDIR;
	}
	volfs_answer_entry(r, node, &st, result);
}

void volfs_lookup_volume(fuse_req_t req, const char *name, uint32_t record)
{
	struct fs *fs = fs_of(req);
	struct volfs_request *r;

	if (!engine_find_volume(fs->engine, name, NULL)) {
		fuse_reply_err(req, strlen(name) > NAME_MAX ? ENAMETOOLONG : ENOENT);
		work_end_record(fs, record);
		return;
	}
	r = volfs_new_named(req, 0, name, NULL, run_lookup_volume);
	if (!r) {
		work_end_record(fs, record);
		return;
	}
	r->record = record;
	volfs_submit(r);
}

/* --- forgetting -------------------------------------------------------------------------- */

struct forgotten {
	struct volfs *volfs;
	size_t count;
	struct fuse_forget_data items[];
};

static void run_forget(void *arg)
{
	struct forgotten *job = arg;

	for (size_t i = 0; i < job->count; i++)
		volfs_forget_node(job->volfs, job->items[i].ino, job->items[i].nlookup);
	free(job);
}

void volfs_forget(struct volfs *volfs, size_t count, const struct fuse_forget_data *forgets)
{
	struct forgotten *job = malloc(sizeof(*job) + count * sizeof(job->items[0]));

	/* Without memory they stay until the mount ends. */
	if (!job)
		return;
	job->volfs = volfs;
	job->count = 0;
	for (size_t i = 0; i < count; i++)
		if (volfs_has_node(forgets[i].ino))
			job->items[job->count++] = forgets[i];
	if (job->count == 0 || workers_submit(volfs->workers, run_forget, job) < 0)
		free(job);
}
