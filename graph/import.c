/* The bytes of an import: as they arrive they go to a blob file in tmp/<id>, into
 * its digest, and through a bounded buffer to the import's own thread, which
 * unpacks them into tmp/<id>/layer. Two threads, because decompressing and
 * making inodes on one side and hashing on the other are about equal work.
 *
 * The directory in tmp/ is the intent: whatever happens before publish.c has
 * moved its content to the store's places, the next open removes it.
 */
#include "graph/import.h"

#include "base/path.h"
#include "base/random.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define PIPE_SIZE (4u << 20) /* what a writer may be ahead of the unpacker */
#define ZERO_STEP (1u << 20)

DEFINE_AUTO(struct import *, graph_import_abort);

/* --- the unpacker ---------------------------------------------------------------------- */

static ssize_t read_pipe(void *arg, const void **ret_bytes, struct error *err)
{
	ssize_t got = pipe_read(arg, ret_bytes);
	return got < 0 ? error_set(err, (int)-got, "the import was given up") : got;
}

static void *run_unpacker(void *arg)
{
	struct import *import = arg;
	struct source source = { .read = read_pipe, .arg = import->pipe };

	unpack_archive(&source, import->layer_fd, &import->result, &import->unpack_err);
	pipe_stop(import->pipe);
	return NULL;
}

static int start_unpacker(struct import *import, struct error *err)
{
	sigset_t all, before;

	/* Signals are for the threads that expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&import->thread, NULL, run_unpacker, import);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code)
		return error_set_sys(err, code, "cannot start an import's thread");
	import->is_running = true;
	return 0;
}

static void join_unpacker(struct import *import)
{
	if (import->is_running)
		pthread_join(import->thread, NULL);
	import->is_running = false;
}

/* --- beginning and ending ---------------------------------------------------------------- */

static void free_import(struct import *import)
{
	int fds[] = { import->dir_fd, import->layer_fd, import->blob_fd };
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	pipe_free(import->pipe);
	digest_free(import->digest);
	free(import);
}

void graph_import_abort(struct import *import)
{
	if (!import)
		return;
	if (import->is_running)
		pipe_cancel(import->pipe);
	join_unpacker(import);
	/* Here and not in the reaper: who was told that the disk is full may try
	 * again at once. What cannot be removed the next open tries again. */
	if (*import->tmp_name)
		path_remove_tree(import->graph->tmp_fd, import->tmp_name);
	free_import(import);
}

static struct import *new_import(struct graph *graph)
{
	struct import *import AUTO(graph_import_abort) = calloc(1, sizeof(*import));

	if (!import)
		return NULL;
	import->graph = graph;
	import->dir_fd = import->layer_fd = import->blob_fd = -1;
	import->digest = digest_new();
	import->pipe = pipe_new(PIPE_SIZE);
	if (!import->digest || !import->pipe)
		return NULL;
	return steal_ptr(&import);
}

static int make_files(struct import *import, struct error *err)
{
	int tmp_fd = import->graph->tmp_fd;
	char name[DIGEST_SIZE];

	random_id(name);
	if (mkdirat(tmp_fd, name, 0700) < 0)
		return error_set_sys(err, errno, "cannot make a directory for the import");
	memcpy(import->tmp_name, name, sizeof(name));
	import->dir_fd = path_open_dir(tmp_fd, name, 0700, err);
	if (import->dir_fd < 0)
		return import->dir_fd;
	import->layer_fd = path_open_dir(import->dir_fd, IMPORT_LAYER, 0755, err);
	if (import->layer_fd < 0)
		return import->layer_fd;
	/* What a root has that the archive does not describe; whatever our umask. */
	if (fchmod(import->layer_fd, 0755) < 0)
		return error_set_sys(err, errno, "cannot set the mode of an image's root");
	import->blob_fd = openat(import->dir_fd, IMPORT_BLOB,
				 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (import->blob_fd < 0)
		return error_set_sys(err, errno, "cannot make a file for the import");
	return 0;
}

int graph_import_begin(struct graph *graph, const char *name, struct import **ret,
		       struct error *err)
{
	struct import *import AUTO(graph_import_abort) = new_import(graph);
	int r = 0;

	if (!import)
		return error_set(err, ENOMEM, "out of memory for an import");
	if (name)
		r = graph_parse_name(name, import->name, err);
	if (r == 0)
		r = make_files(import, err);
	if (r == 0)
		r = start_unpacker(import, err);
	if (r < 0)
		return r;
	*ret = steal_ptr(&import);
	return 0;
}

/* --- bytes ------------------------------------------------------------------------------- */

static int repeat(const struct error *from, struct error *err)
{
	if (err)
		*err = *from;
	return -from->code;
}

static int write_blob(struct import *import, const void *bytes, size_t len, struct error *err)
{
	int ret = 0;

	if (bytes)
		ret = path_pwrite_all(import->blob_fd, bytes, len, (off_t)import->offset);
	else if (ftruncate(import->blob_fd, (off_t)(import->offset + len)) < 0)
		ret = -errno;
	return ret < 0 ? error_set_sys(err, -ret, "cannot store the archive") : 0;
}

static void hash_zeros(struct digest *digest, size_t len)
{
	static const char zeros[4096];
	for (size_t step; len; len -= step) {
		step = len < sizeof(zeros) ? len : sizeof(zeros);
		digest_update(digest, zeros, step);
	}
}

/* Zeros when bytes is NULL. */
static int take_bytes(struct import *import, const void *bytes, size_t len)
{
	int ret = write_blob(import, bytes, len, &import->failure);
	if (ret < 0)
		return ret;
	if (bytes)
		digest_update(import->digest, bytes, len);
	else
		hash_zeros(import->digest, len);
	import->offset += len;
	/* The unpacker stops before the end only when it has failed. */
	if (pipe_write(import->pipe, bytes, len) < 0) {
		import->failure = import->unpack_err;
		return -import->failure.code;
	}
	return 0;
}

static int take_zeros_to(struct import *import, uint64_t offset)
{
	while (import->offset < offset) {
		uint64_t step = offset - import->offset;
		if (step > ZERO_STEP)
			step = ZERO_STEP;
		int ret = take_bytes(import, NULL, (size_t)step);
		if (ret < 0)
			return ret;
	}
	return 0;
}

static int check_offset(struct import *import, uint64_t offset, uint64_t len)
{
	if (import->failure.code)
		return -import->failure.code;
	if (offset < import->offset)
		return error_set(&import->failure, EINVAL,
				 "an archive must be written from front to back, once");
	if (offset > UNPACK_BYTES_MAX || len > UNPACK_BYTES_MAX - offset)
		return error_set(&import->failure, EINVAL, "the archive is larger than %lld bytes",
				 (long long)UNPACK_BYTES_MAX);
	return 0;
}

int graph_import_write(struct import *import, uint64_t offset, const void *bytes, size_t len,
		       struct error *err)
{
	int ret = check_offset(import, offset, len);
	if (ret == 0)
		ret = take_zeros_to(import, offset);
	if (ret == 0 && len)
		ret = take_bytes(import, bytes, len);
	return ret < 0 ? repeat(&import->failure, err) : 0;
}

int graph_import_truncate(struct import *import, uint64_t size_bytes, struct error *err)
{
	int ret = check_offset(import, size_bytes, 0);
	if (ret == 0)
		ret = take_zeros_to(import, size_bytes);
	return ret < 0 ? repeat(&import->failure, err) : 0;
}

/* --- the end ------------------------------------------------------------------------------- */

int graph_import_finish(struct import *import_owned, bool replace, const char *message,
			char ret_id[GRAPH_ID_SIZE], struct error *err)
{
	struct import *import AUTO(graph_import_abort) = import_owned;

	if (import->failure.code)
		return repeat(&import->failure, err);
	pipe_end(import->pipe);
	join_unpacker(import);
	if (import->unpack_err.code)
		return repeat(&import->unpack_err, err);
	int ret = digest_finish(import->digest, import->blob_digest, err);
	if (ret == 0)
		ret = import_publish(import, replace, message, ret_id, err);
	if (ret < 0)
		return ret;
	/* What the store had already (a layer, a blob) is still in there. */
	sweep_tmp(import->graph, import->tmp_name);
	free_import(steal_ptr(&import));
	return 0;
}
