/* From the thread that received a request to one that may wait, and its answer. Whoever answers frees: each
 * run() ends with exactly one volfs_answer_*(). The record of what must not be done twice is complete before
 * the answer and freed after it.
 */
#include "fs/volfs/volfs_private.h"

#include "fs/work.h"

#include <string.h>
#include <sys/fsuid.h>

struct volfs_request *volfs_new_request(fuse_req_t req, uint64_t ino,
					void (*run)(struct volfs_request *r))
{
	struct volfs_request *r = calloc(1, sizeof(*r));

	if (!r) {
		fuse_reply_err(req, ENOMEM);
		return NULL;
	}
	r->volfs = volfs_of(req);
	r->req = req;
	r->run = run;
	r->ino = ino;
	r->number = channel_get_unique();
	r->resent = channel_is_resent();
	r->deed_slot = SLOTS_NONE;
	r->record = SLOTS_NONE;
	return r;
}

void volfs_end_request(struct volfs_request *r)
{
	if (r->deed_slot != SLOTS_NONE)
		slots_free(r->volfs->slots, r->deed_slot);
	work_end_record(r->volfs->fs, r->record);
	free(r->bytes);
	free(r);
}

bool volfs_keep_bytes(struct volfs_request *r, const void *bytes, size_t len)
{
	r->bytes = malloc(len ? len : 1);
	if (r->bytes)
		memcpy(r->bytes, bytes, len);
	return r->bytes != NULL;
}

struct volfs_request *volfs_new_named(fuse_req_t req, uint64_t ino, const char *name,
				      const char *new_name, void (*run)(struct volfs_request *r))
{
	struct volfs_request *r = volfs_new_request(req, ino, run);
	size_t len = strlen(name) + 1, new_len = new_name ? strlen(new_name) + 1 : 0;

	if (!r)
		return NULL;
	r->bytes = malloc(len + new_len);
	if (!r->bytes) {
		volfs_answer(r, -ENOMEM);
		return NULL;
	}
	memcpy(r->bytes, name, len);
	r->name = r->bytes;
	if (new_name) {
		memcpy(r->bytes + len, new_name, new_len);
		r->new_name = r->bytes + len;
	}
	return r;
}

static void run_request(void *arg)
{
	struct volfs_request *r = arg;

	/* A number that both tables have had since the mount was made. */
	channel_set_reply_fd(r->volfs->fuse_fd);
	r->run(r);
}

void volfs_submit(struct volfs_request *r)
{
	if (workers_submit(r->volfs->workers, run_request, r) < 0)
		volfs_answer(r, -EAGAIN);
}

void volfs_answer(struct volfs_request *r, int result)
{
	fuse_reply_err(r->req, -result);
	volfs_end_request(r);
}

void volfs_answer_count(struct volfs_request *r, ssize_t count)
{
	if (count < 0)
		fuse_reply_err(r->req, (int)-count);
	else
		fuse_reply_write(r->req, (size_t)count);
	volfs_end_request(r);
}

void volfs_answer_bytes(struct volfs_request *r, const void *bytes, ssize_t len)
{
	if (len < 0)
		fuse_reply_err(r->req, (int)-len);
	else
		fuse_reply_buf(r->req, bytes, (size_t)len);
	volfs_end_request(r);
}

/* One tick of the kernel's clock, the shortest time it knows: it asks for the attributes of what it has just
 * looked up a microsecond later. Not of a file whose bytes come through us: how far a read goes hangs on its
 * size, and what a container has just written is to be seen. */
#define TICK_S 0.0001

static double get_attr_timeout(struct volfs *volfs, mode_t mode)
{
	return !S_ISREG(mode) || channel_can_pass_through(volfs->fs->channel) ? TICK_S : 0.0;
}

static void show(const struct volfs_node *node, struct stat *st)
{
	if (node->shown_ino)
		st->st_ino = node->shown_ino;
}

int volfs_stat_node(struct volfs *volfs, uint64_t number, struct stat *ret)
{
	const struct volfs_node *node = volfs_find_node(volfs, number);

	if (!node)
		return -ESTALE;
	if (fstatat(volfs_get_fd(node->ref), "", ret, AT_EMPTY_PATH) < 0)
		return -errno;
	show(node, ret);
	return 0;
}

void volfs_answer_attr(struct volfs_request *r, uint64_t node, int result)
{
	struct stat st;

	if (result == 0)
		result = volfs_stat_node(r->volfs, node, &st);
	if (result < 0)
		fuse_reply_err(r->req, -result);
	else
		fuse_reply_attr(r->req, &st, get_attr_timeout(r->volfs, st.st_mode));
	volfs_end_request(r);
}

void volfs_fill_entry(struct volfs *volfs, uint64_t node, const struct stat *st,
		      struct fuse_entry_param *ret)
{
	*ret = (struct fuse_entry_param){
		.ino = node,
		.generation = 1,
		.attr = *st,
		.attr_timeout = get_attr_timeout(volfs, st->st_mode),
		.entry_timeout = S_ISDIR(st->st_mode) ? TICK_S : 0.0,
	};
}

void volfs_answer_entry(struct volfs_request *r, uint64_t node, const struct stat *st, int result)
{
	const struct volfs_node *known = result == 0 ? volfs_find_node(r->volfs, node) : NULL;
	struct fuse_entry_param entry;

	if (result < 0) {
		fuse_reply_err(r->req, -result);
	} else {
		volfs_fill_entry(r->volfs, node, st, &entry);
		/* Invalidated when it is removed; the kernel asks for each step of a path otherwise. */
		if (known && known->shown_ino) {
			show(known, &entry.attr);
			entry.entry_timeout = 1.0;
		}
		if (fuse_reply_entry(r->req, &entry) == -ENOENT)
			volfs_forget_node(r->volfs, node, 1);
	}
	volfs_end_request(r);
}

void volfs_become_caller(fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	if (ctx->gid)
		setfsgid(ctx->gid);
	if (ctx->uid)
		setfsuid(ctx->uid);
}

void volfs_become_root(void)
{
	setfsuid(0);
	setfsgid(0);
}

/* --- buffers ----------------------------------------------------------------------- */

struct buffer {
	size_t size;
	char *bytes;
};

static pthread_key_t buffer_key;
static pthread_once_t buffer_once = PTHREAD_ONCE_INIT;

static void free_buffer(void *arg)
{
	struct buffer *buffer = arg;

	free(buffer->bytes);
	free(buffer);
}

static void make_key(void)
{
	pthread_key_create(&buffer_key, free_buffer);
}

void *volfs_get_buffer(size_t size)
{
	struct buffer *buffer;

	pthread_once(&buffer_once, make_key);
	buffer = pthread_getspecific(buffer_key);
	if (!buffer) {
		buffer = calloc(1, sizeof(*buffer));
		if (!buffer || pthread_setspecific(buffer_key, buffer) != 0) {
			free(buffer);
			return NULL;
		}
	}
	if (buffer->size < size || !buffer->bytes) {
		free(buffer->bytes);
		buffer->bytes = malloc(size ? size : 1);
		buffer->size = buffer->bytes ? size : 0;
	}
	return buffer->bytes;
}
