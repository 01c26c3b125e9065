/* image.tar: an archive that exists as a list of what it is made of (graph/image_tar.h). Its
 * text, which is kept for a later engine as all texts are, is the tags that it was made with: with them and the image
 * it is the same archive again. Reads go to a worker, for the disk may be slow.
 */
#include "fs/files.h"

#include "fs/names.h"
#include "graph/image_tar.h"

#include <stdlib.h>

#define READ_MAX (1U << 20)

struct archive_read {
	struct handle *handle;
	fuse_req_t req;
	struct caller caller;
	size_t size;
	uint64_t offset;
};

int archivefile_make(struct fs *fs, uint64_t node, struct node_text *text, struct error *err)
{
	AUTO(image_unref) struct image *image = names_get_image(fs, node_get_key(node));

	if (!image)
		return error_set(err, ENOENT, "the image has been removed");
	return image_tar_new(fs->graph, image, text->text, &text->archive, err);
}

static int open_archive(struct handle *handle, struct error *err)
{
	struct image_tar *archive = handle->text->archive;
	int r = archive ? image_tar_open(archive, err)
			: error_set(err, ENOENT, "the image has been removed");

	if (r == 0)
		handle->has_archive = true;
	return r;
}

int archivefile_open(struct handle *handle, struct error *err)
{
	return error_wrap(err, open_archive(handle, err), "image.tar");
}

/* Of an image that has gone meanwhile nothing is left: reads say so. */
void archivefile_restore(struct handle *handle)
{
	if (archivefile_make(handle->fs, handle->head->node, handle->text, NULL) == 0)
		open_archive(handle, NULL);
}

void archivefile_release(struct handle *handle)
{
	if (handle->has_archive)
		image_tar_close(handle->text->archive);
	handle->has_archive = false;
}

static ssize_t read_archive(const struct archive_read *rq, char *buf, struct error *err)
{
	struct image_tar *archive = rq->handle->text->archive;

	if (!rq->handle->has_archive)
		return error_set(err, EIO,
				 "image.tar: the image was removed before the engine began anew");
	return image_tar_read(archive, buf, rq->size, rq->offset, err);
}

static void run_read(void *arg)
{
	struct archive_read *rq = arg;
	auto_free char *buf = malloc(rq->size ? rq->size : 1);
	struct error err = ERROR_INIT;
	ssize_t got = buf ? read_archive(rq, buf, &err)
			  : error_set(&err, ENOMEM, "image.tar: no memory for a read");

	if (got >= 0) {
		fuse_reply_buf(rq->req, buf, (size_t)got);
	} else {
		fs_note_error(rq->handle->fs, &rq->caller, &err);
		fuse_reply_err(rq->req, err.code);
	}
	handle_unref(rq->handle);
	free(rq);
}

void archivefile_read(fuse_req_t req, struct handle *handle, size_t size, uint64_t offset)
{
	struct archive_read *rq = calloc(1, sizeof(*rq));

	if (!rq) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	rq->handle = handle_ref(handle);
	rq->req = req;
	rq->size = size < READ_MAX ? size : READ_MAX;
	rq->offset = offset;
	fs_read_caller(req, &rq->caller);
	/* Where no thread can be had it is read here. */
	if (workers_submit(handle->fs->workers, run_read, rq) < 0)
		run_read(rq);
}
