/* Extended attributes. Access control lists (system.posix_acl_*) are not passed through: the kernel, which
 * checks permissions for us, would not know them, and a list that is shown but not heeded is worse than none.
 */
#include "fs/volfs/volfs_private.h"

#include <string.h>
#include <sys/xattr.h>

/* An O_PATH descriptor has none; the path leads to the very inode, a link itself included. */
static int make_path(const struct volfs_request *r, char ret[VOLFS_PROC_SIZE])
{
	int fd = volfs_get_node_fd(r->volfs, r->ino);

	if (fd < 0)
		return fd;
	volfs_make_path(fd, ret);
	return 0;
}

static bool is_hidden(const char *name)
{
	return strncmp(name, "system.posix_acl_", strlen("system.posix_acl_")) == 0;
}

/* Size 0 asks for the length alone. */
static void answer_value(struct volfs_request *r, const char *value, ssize_t len)
{
	if (r->size > 0 || len < 0) {
		volfs_answer_bytes(r, value, len);
		return;
	}
	fuse_reply_xattr(r->req, (size_t)len);
	volfs_end_request(r);
}

static void run_getxattr(struct volfs_request *r)
{
	char path[VOLFS_PROC_SIZE], *value = volfs_get_buffer(r->size);
	int result = make_path(r, path);
	ssize_t len;

	if (result < 0 || !value || is_hidden(r->name)) {
		volfs_answer(r, result < 0 ? result : !value ? -ENOMEM : -EOPNOTSUPP);
		return;
	}
	len = getxattr(path, r->name, value, r->size);
	answer_value(r, value, len < 0 ? -errno : len);
}

void volfs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
	struct volfs_request *r = volfs_new_named(req, ino, name, NULL, run_getxattr);

	if (!r)
		return;
	r->size = size;
	volfs_submit(r);
}

/* The names that are not hidden, moved together. */
static size_t drop_hidden(char *names, size_t len)
{
	size_t kept = 0;

	for (size_t at = 0, next; at < len; at = next) {
		next = at + strlen(names + at) + 1;
		if (is_hidden(names + at))
			continue;
		memmove(names + kept, names + at, next - at);
		kept += next - at;
	}
	return kept;
}

static void run_listxattr(struct volfs_request *r)
{
	char path[VOLFS_PROC_SIZE], *names = volfs_get_buffer(XATTR_LIST_MAX);
	int result = make_path(r, path);
	ssize_t len;

	if (result < 0 || !names) {
		volfs_answer(r, result < 0 ? result : -ENOMEM);
		return;
	}
	len = listxattr(path, names, XATTR_LIST_MAX);
	if (len > 0)
		len = (ssize_t)drop_hidden(names, (size_t)len);
	else if (len < 0)
		len = -errno;
	if (r->size > 0 && len > (ssize_t)r->size)
		len = -ERANGE;
	answer_value(r, names, len);
}

void volfs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_listxattr);

	if (!r)
		return;
	r->size = size;
	volfs_submit(r);
}

static void run_setxattr(struct volfs_request *r)
{
	char path[VOLFS_PROC_SIZE];
	int result = make_path(r, path);

	if (result == 0 && is_hidden(r->name))
		result = -EOPNOTSUPP;
	else if (result == 0 && setxattr(path, r->name, r->new_name, r->size, (int)r->flags) < 0)
		result = -errno;
	/* Sent again, it is done or undone already. */
	if (r->resent && ((result == -EEXIST && r->flags & XATTR_CREATE)))
		result = 0;
	volfs_answer(r, result);
}

void volfs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
		    size_t size, int flags)
{
	struct volfs_request *r = volfs_new_request(req, ino, run_setxattr);
	size_t len = strlen(name) + 1;

	if (!r)
		return;
	r->size = size;
	r->flags = (unsigned)flags;
	r->bytes = malloc(len + size);
	if (!r->bytes) {
		volfs_answer(r, -ENOMEM);
		return;
	}
	memcpy(r->bytes, name, len);
	if (size)
		memcpy(r->bytes + len, value, size);
	r->name = r->bytes;
	r->new_name = r->bytes + len;
	volfs_submit(r);
}

static void run_removexattr(struct volfs_request *r)
{
	char path[VOLFS_PROC_SIZE];
	int result = make_path(r, path);

	if (result == 0 && is_hidden(r->name))
		result = -EOPNOTSUPP;
	else if (result == 0 && removexattr(path, r->name) < 0)
		result = -errno;
	if (r->resent && result == -ENODATA)
		result = 0;
	volfs_answer(r, result);
}

void volfs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	struct volfs_request *r = volfs_new_named(req, ino, name, NULL, run_removexattr);

	if (r)
		volfs_submit(r);
}
