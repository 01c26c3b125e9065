/* The archive of a root file system, made by a thread of its own while it is read, with
 * a bounded buffer between the two: a reader that stops makes the writer wait, one that
 * goes away ends it. The threads that receive requests only ever take what is there.
 *
 * The buffer belongs to a job, which the handle and the writer share; its lock guards all
 * of it. The first read begins the work, so that who only opens the file costs nothing. A
 * read is answered when all the bytes that it asked for are there, or the last: as of a regular
 * file, a short one is the end. A job ends with its engine: a handle that a former
 * one had begun to read is EIO, never other bytes.
 */
#include "fs/files.h"

#include "fs/names.h"
#include "graph/export.h"
#include "graph/measure.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define READ_MAX (1U << 20)
/* Twice the largest read: one is being filled while the other is taken. */
#define RING_BYTES (2U * READ_MAX)
/* Headers of an entry: two for itself, two and more for what pax adds. */
#define ENTRY_BYTES 4096
#define PAGE_BYTES 4096
#define SPARE_BYTES (INT64_C(1) << 20)
#define GROWTH_BYTES (INT64_C(64) << 20) /* of one that runs, while it is read */
/* Entries that are counted for an ls -l: about a tenth of a second. */
#define MEASURED_MAX 50000

struct export_job {
	atomic_int refs;
	struct fs *fs;
	struct container *container;
	uint64_t wake_key;
	pthread_mutex_t lock; /* guards the rest */
	pthread_cond_t room;
	char *ring; /* RING_BYTES */
	size_t start, len;
	uint64_t offset;  /* in the archive, of the first byte in the ring */
	size_t wanted;    /* by the reader that waits; 0: none does */
	bool ended;       /* nothing more comes, */
	bool stopped;     /* or is wanted */
	struct error err; /* why it ended too early */
};

struct export_read {
	struct parked parked;
	struct export_job *job;
	struct caller caller;
	size_t size;
	uint64_t offset;
};

static void job_unref(struct export_job *job)
{
	if (!job || atomic_fetch_sub(&job->refs, 1) != 1)
		return;
	container_unref(job->container);
	pthread_cond_destroy(&job->room);
	pthread_mutex_destroy(&job->lock);
	free(job->ring);
	free(job);
}

static struct export_job *job_new(struct handle *handle)
{
	struct export_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	atomic_init(&job->refs, 1);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->room, NULL);
	job->fs = handle->fs;
	job->container = container_ref(handle->container);
	job->wake_key = PARK_EXPORT(handle->slot);
	job->ring = malloc(RING_BYTES);
	if (job->ring)
		return job;
	job_unref(job);
	return NULL;
}

/* --- the writer ----------------------------------------------------------------- */

static void put_locked(struct export_job *job, const char *bytes, size_t len)
{
	size_t at = (job->start + job->len) % RING_BYTES;
	size_t first = len < RING_BYTES - at ? len : RING_BYTES - at;

	memcpy(job->ring + at, bytes, first);
	memcpy(job->ring, bytes + first, len - first);
	job->len += len;
}

static int write_ring(void *arg, const void *bytes, size_t len)
{
	struct export_job *job = arg;
	const char *from = bytes;
	bool wake = false;

	while (len > 0) {
		size_t part;

		pthread_mutex_lock(&job->lock);
		while (job->len == RING_BYTES && !job->stopped)
			pthread_cond_wait(&job->room, &job->lock);
		if (job->stopped) {
			pthread_mutex_unlock(&job->lock);
			return -EPIPE;
		}
		part = len < RING_BYTES - job->len ? len : RING_BYTES - job->len;
		put_locked(job, from, part);
		wake = job->wanted > 0 && job->len >= job->wanted;
		if (wake)
			job->wanted = 0;
		pthread_mutex_unlock(&job->lock);
		if (wake)
			park_wake(job->fs->park, job->wake_key);
		from += part;
		len -= part;
	}
	return 0;
}

static int export_container(struct export_job *job, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = NULL;
	auto_fd int fd = container_open_rootfs(job->container, err);
	struct tar_ids ids;

	if (fd < 0)
		return fd;
	container_tell_export(job->container);
	view = container_get_view(job->container);
	ids = (struct tar_ids){ view->ids.uid_base, view->ids.gid_base, view->ids.size };
	return export_tree(fd, &ids, write_ring, job, err);
}

static void run_job(void *arg)
{
	struct export_job *job = arg;
	struct error err = ERROR_INIT;
	int r = export_container(job, &err);

	if (r < 0 && !err.code)
		error_set(&err, -r, "the archive was not read to its end");
	error_wrap(&err, r, "export");
	pthread_mutex_lock(&job->lock);
	job->err = err;
	job->ended = true;
	job->wanted = 0;
	pthread_mutex_unlock(&job->lock);
	park_wake(job->fs->park, job->wake_key);
	job_unref(job);
}

/* --- the reader ------------------------------------------------------------------- */

static void take_locked(struct export_job *job, char *buf, size_t len)
{
	size_t first = len < RING_BYTES - job->start ? len : RING_BYTES - job->start;

	memcpy(buf, job->ring + job->start, first);
	memcpy(buf + first, job->ring, len - first);
	job->start = (job->start + len) % RING_BYTES;
	job->len -= len;
	job->offset += len;
	pthread_cond_signal(&job->room);
}

/* Bytes into buf, 0 at the end, -EAGAIN: not yet, else an errno with a sentence. */
static ssize_t attempt_locked(struct export_job *job, const struct export_read *rq, char *buf,
			      struct error *err)
{
	size_t len = job->len < rq->size ? job->len : rq->size;

	if (rq->offset != job->offset)
		return error_set(err, ESPIPE,
				 "export: an archive is read from front to back, once");
	if (len < rq->size && !job->ended) {
		job->wanted = rq->size;
		return -EAGAIN;
	}
	/* What there is before a failure is given first. */
	if (len == 0 && job->err.code && rq->size > 0)
		return error_set(err, job->err.code, "%s", job->err.msg);
	take_locked(job, buf, len);
	return (ssize_t)len;
}

/* True: answered. */
static bool answer(struct export_read *rq)
{
	auto_free char *buf = malloc(rq->size ? rq->size : 1);
	struct error err = ERROR_INIT;
	ssize_t got;

	if (!buf) {
		fuse_reply_err(rq->parked.req, ENOMEM);
		return true;
	}
	pthread_mutex_lock(&rq->job->lock);
	got = attempt_locked(rq->job, rq, buf, &err);
	pthread_mutex_unlock(&rq->job->lock);
	if (got == -EAGAIN)
		return false;
	if (got < 0) {
		fs_note_error(rq->job->fs, &rq->caller, &err);
		fuse_reply_err(rq->parked.req, err.code);
	} else {
		fuse_reply_buf(rq->parked.req, buf, (size_t)got);
	}
	return true;
}

static bool try_read(struct parked *parked, bool interrupted)
{
	struct export_read *rq = (struct export_read *)parked;

	if (answer(rq))
		return true;
	if (interrupted)
		fuse_reply_err(parked->req, EINTR);
	return interrupted;
}

static void drop_read(struct parked *parked)
{
	struct export_read *rq = (struct export_read *)parked;

	job_unref(rq->job);
	free(rq);
}

/* The job of a handle, begun if this is its first read. A reference, or NULL with a sentence. */
static struct export_job *get_job(struct handle *handle, struct error *err)
{
	struct export_job *job = NULL;

	pthread_mutex_lock(&handle->lock);
	if (!handle->export && handle->head->cursor > 0) {
		error_set(err, EIO, "export: the engine was killed while the archive was made");
	} else if (!handle->export && !handle->container) {
		error_set(err, ENOENT, "export: the container has been removed");
	} else if (!handle->export) {
		handle->export = job_new(handle);
		if (!handle->export) {
			error_set(err, ENOMEM, "export: no memory for an archive");
		} else {
			handle->head->cursor = 1;
			atomic_fetch_add(&handle->export->refs, 1);
			if (workers_submit(handle->fs->exporters, run_job, handle->export) < 0) {
				job_unref(handle->export);
				handle->export->ended = true;
				error_set(&handle->export->err, EAGAIN,
					  "export: no thread is free for an archive");
			}
		}
	}
	if (handle->export) {
		job = handle->export;
		atomic_fetch_add(&job->refs, 1);
	}
	pthread_mutex_unlock(&handle->lock);
	return job;
}

void exportfile_read(fuse_req_t req, struct handle *handle, size_t size, uint64_t offset,
		     bool nonblocking)
{
	struct error err = ERROR_INIT;
	struct export_job *job = get_job(handle, &err);
	struct export_read *rq = job ? calloc(1, sizeof(*rq)) : NULL;

	if (!rq) {
		job_unref(job);
		if (!err.code)
			error_set(&err, ENOMEM, "export: no memory for an archive");
		fs_reply_error(req, &err);
		return;
	}
	rq->job = job;
	rq->size = size < READ_MAX ? size : READ_MAX;
	rq->offset = offset;
	rq->parked = (struct parked){
		.key = job->wake_key,
		.number = channel_get_unique(),
		.req = req,
		.tid = fuse_req_ctx(req)->pid,
		.signals = CALLER_ANY_SIGNAL,
		.try = try_read,
		.drop = drop_read,
	};
	fs_read_caller(req, &rq->caller);
	if (answer(rq)) {
		drop_read(&rq->parked);
	} else if (nonblocking) {
		fuse_reply_err(req, EAGAIN);
		drop_read(&rq->parked);
	} else {
		park_add(handle->fs->park, &rq->parked);
	}
}

/* --- the end ------------------------------------------------------------------------ */

void exportfile_release(struct handle *handle)
{
	struct export_job *job;

	pthread_mutex_lock(&handle->lock);
	job = handle->export;
	handle->export = NULL;
	pthread_mutex_unlock(&handle->lock);
	if (!job)
		return;
	pthread_mutex_lock(&job->lock);
	job->stopped = true;
	pthread_cond_signal(&job->room);
	pthread_mutex_unlock(&job->lock);
	job_unref(job);
}

/* --- size --------------------------------------------------------------------------- */

/* Of a file system of which one cannot tell how much a tree has in it: not more than lies there. It may
 * be compressed there, but then so are others. */
static int64_t estimate_by_disk(const struct fs *fs)
{
	struct statvfs st;

	if (statvfs(fs->options->root, &st) < 0)
		return 0;
	return (int64_t)(st.f_blocks - st.f_bfree) * (int64_t)st.f_frsize +
	       (int64_t)(st.f_files - st.f_ffree) * ENTRY_BYTES;
}

/* The layers of the image count though some of them hides what is in others. What runs may write meanwhile. */
int64_t exportfile_estimate(struct fs *fs, uint64_t key)
{
	AUTO(container_unref) struct container *c = engine_find_key(fs->engine, key);
	AUTO(container_view_unref) struct container_view *view = c ? container_get_view(c) : NULL;
	AUTO(image_unref) struct image *image = NULL;
	struct measure own = { .is_cut = false };
	int64_t image_bytes = 0, size = SPARE_BYTES;

	if (view && *view->image_id)
		image = graph_find_image(fs->graph, view->image_id, NULL);
	if (image)
		image_bytes = measure_image(fs->graph, image);
	if (image_bytes < 0 || (c && container_measure(c, MEASURED_MAX, &own, NULL) < 0))
		own.is_cut = true;
	if (image_bytes > 0)
		size += image_bytes;
	if (own.is_cut)
		size += estimate_by_disk(fs);
	else if (view && (view->state == CONTAINER_RUNNING || view->state == CONTAINER_PAUSED))
		size += 2 * own.archive_bytes + GROWTH_BYTES;
	else
		size += own.archive_bytes;
	/* Of a size that is no multiple of a page wc believes that it is the true one. */
	return size / PAGE_BYTES * PAGE_BYTES + PAGE_BYTES;
}
