/* A layer from a stream of bytes, or from a blob that is there. As the bytes arrive
 * they go to a blob, into its digest, and through a bounded buffer to a thread,
 * which unpacks them.
 */
#include "graph/batch_private.h"
#include "graph/gzip_out.h"
#include "graph/implied.h"
#include "graph/pipe.h"
#include "graph/sort.h"

#include "base/path.h"
#include "base/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIPE_SIZE (4U << 20) /* what a writer may be ahead of the unpacker */
#define READ_SIZE (256U * 1024)

struct intake {
	struct batch *batch;
	struct sorter *sorter; /* NULL: it is a layer */
	bool is_dropped;       /* what there was of the blob, for it is none */
	struct blob blob;
	/* When the bytes are a tar and the blob is to be compressed: else NULL. */
	struct gzip_out *packer;
	struct digest *content;
	uint64_t size;       /* bytes taken */
	char layer_name[24]; /* "" until it is made */
	int layer_fd;
	struct error failure; /* of the writer itself; each later call repeats it */
	struct pipe_buffer *pipe;
	bool is_running;
	bool digest_first; /* an archive that is no good is told at the end */
	pthread_t thread;
	/* Of the unpacker until it has stopped, then of the writer. */
	struct unpack_result result;
	struct error unpack_err;
};

/* --- the directory of a layer ------------------------------------------------------------ */

static int make_layer_dir(struct batch *batch, char *name, size_t size, struct error *err)
{
	int fd;

	batch_make_name(batch, name, size);
	fd = path_open_dir(batch->dir_fd, name, 0755, err);
	/* What a root has that the archive does not describe; whatever our umask. */
	if (fd >= 0 && fchmod(fd, 0755) < 0) {
		error_set_sys(err, errno, "cannot set the mode of a layer's root");
		close(fd);
		return -errno;
	}
	return fd;
}

/* The unpacked tree becomes one of the batch's layers. */
static int take_layer(struct batch *batch, const char *name, const struct unpack_result *result,
		      const char *want_diff_id, struct batch_layer *layer, struct error *err)
{
	int ret;

	snprintf(layer->diff_id, DIGEST_SIZE, "%s",
		 *result->diff_id ? result->diff_id : layer->digest);
	memcpy(layer->compression, result->compression, sizeof(layer->compression));
	layer->size_bytes = result->size_bytes;
	ret = batch_check_digest("the content of a layer", want_diff_id, layer->diff_id, err);
	if (ret == 0)
		ret = implied_note(batch->dir_fd, layer->diff_id, &result->implied, err);
	if (ret < 0)
		return ret;
	return batch_take(batch, name, BATCH_LAYER, layer->diff_id, layer->size_bytes, err);
}

/* --- the unpacker -------------------------------------------------------------------------- */

static ssize_t read_pipe(void *arg, const void **ret_bytes, struct error *err)
{
	ssize_t got = pipe_read(arg, ret_bytes);

	return got < 0 ? error_set(err, (int)-got, "the import was given up") : got;
}

/* Only a reader of ours on another thread learns of it: the writer does when unpack_err is set. */
static void stop_pipe(void *arg)
{
	pipe_cancel(arg);
}

static void *run_unpacker(void *arg)
{
	struct intake *intake = arg;
	struct source source = { .read = read_pipe, .stop = stop_pipe, .arg = intake->pipe };
	struct unpack_watch watch;

	if (intake->sorter)
		watch = sorter_get_watch(intake->sorter);
	unpack_archive(&source, intake->sorter ? &watch : NULL, &intake->batch->graph->limits,
		       intake->layer_fd, &intake->result, &intake->unpack_err);
	pipe_stop(intake->pipe);
	return NULL;
}

static int start_unpacker(struct intake *intake, struct error *err)
{
	int r = worker_start_thread(&intake->thread, run_unpacker, intake);

	if (r < 0)
		return error_set_sys(err, -r, "cannot start an unpacker's thread");
	intake->is_running = true;
	return 0;
}

static void join_unpacker(struct intake *intake)
{
	if (intake->is_running)
		pthread_join(intake->thread, NULL);
	intake->is_running = false;
}

/* --- beginning and ending -------------------------------------------------------------------- */

void intake_abort(struct intake *intake)
{
	if (!intake)
		return;
	if (intake->is_running)
		pipe_cancel(intake->pipe);
	join_unpacker(intake);
	if (intake->layer_fd >= 0)
		close(intake->layer_fd);
	if (*intake->layer_name)
		path_remove_tree(intake->batch->dir_fd, intake->layer_name);
	gzip_out_free(intake->packer); /* it writes to the blob */
	digest_free(intake->content);
	blob_deinit(&intake->blob);
	strbuf_deinit(&intake->result.implied);
	pipe_free(intake->pipe);
	free(intake);
}

int intake_begin_sorted(struct batch *batch, struct sorter *sorter, struct intake **ret,
			struct error *err)
{
	struct intake *intake AUTO(intake_abort) = calloc(1, sizeof(*intake));
	int r;

	if (!intake)
		return error_set(err, ENOMEM, "out of memory for a layer");
	intake->batch = batch;
	intake->sorter = sorter;
	intake->blob.fd = -1;
	intake->layer_fd = -1;
	intake->pipe = pipe_new(PIPE_SIZE);
	if (!intake->pipe)
		return error_set(err, ENOMEM, "out of memory for a layer");
	r = blob_begin(batch, &intake->blob, err);
	if (r < 0)
		return r;
	r = make_layer_dir(batch, intake->layer_name, sizeof(intake->layer_name), err);
	if (r < 0)
		return r;
	intake->layer_fd = r;
	r = start_unpacker(intake, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&intake);
	return 0;
}

int intake_begin(struct batch *batch, struct intake **ret, struct error *err)
{
	return intake_begin_sorted(batch, NULL, ret, err);
}

static int write_packed(void *arg, const void *bytes, size_t len, struct error *err)
{
	return blob_write(arg, bytes, len, err);
}

int intake_begin_packed(struct batch *batch, struct intake **ret, struct error *err)
{
	struct intake *intake AUTO(intake_abort) = NULL;
	int r = intake_begin(batch, &intake, err);

	if (r < 0)
		return r;
	intake->content = digest_new();
	if (!intake->content)
		return error_set(err, ENOMEM, "out of memory for a layer");
	r = gzip_out_new(write_packed, &intake->blob, &intake->packer, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&intake);
	return 0;
}

void intake_expect_digest(struct intake *intake)
{
	intake->digest_first = true;
}

/* Is it the archive's fault, and not the disk's? */
static bool is_bad_archive(const struct error *err)
{
	return err->code == EINVAL || err->code == ENAMETOOLONG;
}

static int repeat(const struct error *from, struct error *err)
{
	if (err)
		*err = *from;
	return -from->code;
}

static int keep_blob(struct intake *intake, const void *bytes, size_t len)
{
	if (!intake->packer)
		return blob_write(&intake->blob, bytes, len, &intake->failure);
	digest_update(intake->content, bytes, len);
	return gzip_out_write(intake->packer, bytes, len, &intake->failure);
}

/* Of an archive of images only the length counts. */
static int keep_bytes(struct intake *intake, const void *bytes, size_t len)
{
	if (!intake->sorter || !sorter_has_images(intake->sorter))
		return keep_blob(intake, bytes, len);
	if (!intake->is_dropped && ftruncate(intake->blob.fd, 0) < 0)
		return error_set_sys(&intake->failure, errno, "cannot store the archive");
	intake->is_dropped = true;
	return 0;
}

int intake_write(struct intake *intake, const void *bytes, size_t len, struct error *err)
{
	if (intake->failure.code || keep_bytes(intake, bytes, len) < 0)
		return repeat(&intake->failure, err);
	intake->size += len;
	/* The unpacker stops before the end only when it has failed. */
	if (pipe_write(intake->pipe, bytes, len) < 0) {
		if (intake->digest_first && is_bad_archive(&intake->unpack_err))
			return 0;
		intake->failure = intake->unpack_err;
		return repeat(&intake->failure, err);
	}
	return 0;
}

uint64_t intake_get_size(const struct intake *intake)
{
	return intake->size;
}

/* The blob has all its bytes; of a compressed one the content's digest is known as well. */
static int finish_blob(struct intake *intake, const char *want, struct batch_layer *layer,
		       struct error *err)
{
	struct unpack_result *result = &intake->result;
	int r = intake->packer ? gzip_out_finish(intake->packer, err) : 0;

	if (r == 0)
		r = blob_finish(&intake->blob, want, layer->digest, err);
	layer->blob_size = intake->blob.size;
	if (r < 0 || !intake->packer)
		return r;
	snprintf(result->compression, sizeof(result->compression), "gzip");
	return digest_finish(intake->content, result->diff_id, err);
}

/* All bytes are there and the unpacker has come to their end. */
static int end_unpacker(struct intake *intake, struct error *err)
{
	if (intake->failure.code)
		return repeat(&intake->failure, err);
	pipe_end(intake->pipe);
	join_unpacker(intake);
	return 0;
}

static int finish_layer(struct intake *intake, const char *want_digest, const char *want_diff_id,
			struct batch_layer *ret, struct error *err)
{
	struct batch_layer layer = { .blob_size = 0 };
	/* First of all: of bytes that are not the right ones nothing else matters. */
	int r = finish_blob(intake, want_digest, &layer, err);

	if (r < 0)
		return r;
	if (intake->unpack_err.code)
		return repeat(&intake->unpack_err, err);
	r = take_layer(intake->batch, intake->layer_name, &intake->result, want_diff_id, &layer,
		       err);
	if (r == 0)
		*ret = layer;
	return r;
}

int intake_finish(struct intake *intake_owned, const char *want_digest, const char *want_diff_id,
		  struct batch_layer *ret, struct error *err)
{
	struct intake *intake AUTO(intake_abort) = intake_owned;
	int r = end_unpacker(intake, err);

	return r < 0 ? r : finish_layer(intake, want_digest, want_diff_id, ret, err);
}

int intake_finish_sorted(struct intake *intake_owned, bool *ret_has_images, struct batch_layer *ret,
			 struct error *err)
{
	struct intake *intake AUTO(intake_abort) = intake_owned;
	int r = end_unpacker(intake, err);

	if (r < 0)
		return r;
	if (intake->unpack_err.code)
		return repeat(&intake->unpack_err, err);
	r = sorter_judge(intake->sorter, ret_has_images, err);
	return r < 0 || *ret_has_images ? r : finish_layer(intake, NULL, NULL, ret, err);
}

/* --- from a blob that is there ----------------------------------------------------------------- */

struct file_source {
	const struct batch *batch;
	int fd;
	char bytes[READ_SIZE];
};

static ssize_t read_file(void *arg, const void **ret_bytes, struct error *err)
{
	struct file_source *file = arg;
	const struct batch *batch = file->batch;
	ssize_t got;

	if (batch->is_cancelled && batch->is_cancelled(batch->arg))
		return error_set(err, EINTR, "interrupted");
	do
		got = read(file->fd, file->bytes, sizeof(file->bytes));
	while (got < 0 && errno == EINTR);
	*ret_bytes = file->bytes;
	return got < 0 ? error_set_sys(err, errno, "cannot read a blob") : got;
}

static int unpack_file(struct batch *batch, int fd, const char *want_diff_id,
		       struct batch_layer *layer, struct error *err)
{
	auto_free struct file_source *file = malloc(sizeof(*file));
	struct source source = { .read = read_file, .arg = file };
	struct unpack_result result = { .implied = STRBUF_INIT };
	char name[24];
	int r;

	if (!file)
		return error_set(err, ENOMEM, "out of memory for a layer");
	file->batch = batch;
	file->fd = fd;
	auto_fd int dir = make_layer_dir(batch, name, sizeof(name), err);
	if (dir < 0)
		return dir;
	r = unpack_archive(&source, NULL, &batch->graph->limits, dir, &result, err);
	if (r == 0)
		r = take_layer(batch, name, &result, want_diff_id, layer, err);
	if (r < 0)
		path_remove_tree(batch->dir_fd, name);
	strbuf_deinit(&result.implied);
	return r;
}

int batch_unpack_blob(struct batch *batch, const char *digest, const char *want_diff_id,
		      struct batch_layer *ret, struct error *err)
{
	auto_fd int fd = batch_open_blob(batch, digest, err);
	struct batch_layer layer = { .blob_size = 0 };
	struct stat st;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "blob sha256:%s", digest);
	snprintf(layer.digest, DIGEST_SIZE, "%s", digest);
	layer.blob_size = (uint64_t)st.st_size;
	r = unpack_file(batch, fd, want_diff_id, &layer, err);
	if (r == 0)
		*ret = layer;
	return r;
}
