/* Opening, reading and replacing files through directory descriptors: see
 * path.h; walking whole directories is path_tree.c's.
 *
 * Two worlds meet here. Names that we chose ourselves are opened with
 * O_NOFOLLOW below a descriptor we hold. Paths that a container or an archive
 * chose go through openat2(2), where the kernel itself keeps '..' and links
 * below the root, also while somebody renames directories.
 */
#include "base/path.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define READ_STEP 65536
/* openat2(2) says EAGAIN when a rename raced with '..'; whoever renames without
 * a pause must not hold us for ever. */
#define OPEN_TRIES 1000

int path_open_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	/* openat2(2) refuses a mode that would be ignored. */
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		how.mode = mode;
	for (int i = 0; i < OPEN_TRIES; i++) {
		fd = syscall(SYS_openat2, root_fd, path, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

int path_open_regular(int dir_fd, const char *name, struct stat *ret_st)
{
	/* A description that only names the file has no side effects, whatever it is by now. */
	auto_fd int handle = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[40];
	struct stat st;
	int fd;

	if (handle < 0 || fstat(handle, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ELOOP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_st = st;
	return fd;
}

int path_make_dirs(const char *path, mode_t mode, struct error *err)
{
	auto_free char *prefix = strdup(path);
	struct stat st;

	if (!prefix)
		return error_set(err, ENOMEM, "out of memory");
	for (char *at = prefix + strspn(prefix, "/"); *at;) {
		char *end = at + strcspn(at, "/");
		char behind = *end;

		*end = '\0';
		if (mkdir(prefix, mode) < 0 && errno != EEXIST)
			return error_set_sys(err, errno, "cannot make directory '%s'", prefix);
		*end = behind;
		at = end + strspn(end, "/");
	}
	if (stat(path, &st) < 0)
		return error_set_sys(err, errno, "cannot make directory '%s'", path);
	if (!S_ISDIR(st.st_mode))
		return error_set_sys(err, ENOTDIR, "cannot make directory '%s'", path);
	return 0;
}

int path_open_dir(int dir_fd, const char *name, mode_t mode, struct error *err)
{
	/* A path that stands for itself is the administrator's, who may have
	 * made it a link to where there is room. */
	int nofollow = dir_fd == AT_FDCWD ? 0 : O_NOFOLLOW;
	int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | nofollow;
	int fd = openat(dir_fd, name, flags);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(dir_fd, name, mode) < 0 && errno != EEXIST)
			return error_set_sys(err, errno, "cannot make directory '%s'", name);
		fd = openat(dir_fd, name, flags);
	}
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open directory '%s'", name);
	return fd;
}

/* Append the file up to max_bytes + 1; its st_size is only a hint: files of
 * /proc have none, and others grow. */
static int read_all(int fd, size_t max_bytes, struct strbuf *buf)
{
	size_t start = buf->len;

	while (buf->len - start <= max_bytes) {
		size_t room = max_bytes + 1 - (buf->len - start);
		ssize_t got;

		if (room > READ_STEP)
			room = READ_STEP;
		if (!strbuf_reserve(buf, room))
			return -ENOMEM;
		got = read(fd, buf->data + buf->len, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		buf->len += (size_t)got;
		buf->data[buf->len] = '\0';
	}
	return buf->len - start > max_bytes ? -EFBIG : 0;
}

int path_read_file(int dir_fd, const char *name, size_t max_bytes, struct strbuf *buf,
		   struct error *err)
{
	size_t start = buf->len;
	struct stat st;
	auto_fd int fd = -1;
	int r;

	/* Not blocking: a fifo in place of the file must not hold us. */
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", name);
	if (fstat(fd, &st) < 0)
		return error_set_sys(err, errno, "cannot read '%s'", name);
	if (S_ISDIR(st.st_mode))
		return error_set_sys(err, EISDIR, "cannot read '%s'", name);
	if (!S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "cannot read '%s': not a regular file", name);

	r = read_all(fd, max_bytes, buf);
	if (r < 0)
		strbuf_truncate(buf, start);
	if (r == -EFBIG)
		return error_set(err, EFBIG, "cannot read '%s': larger than %zu bytes", name,
				 max_bytes);
	if (r < 0)
		return error_set_sys(err, -r, "cannot read '%s'", name);
	return 0;
}

int path_write_all(int fd, const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

int path_pwrite_all(int fd, const void *bytes, size_t len, off_t offset)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t done = pwrite(fd, at, len, offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		at += done;
		offset += done;
		len -= (size_t)done;
	}
	return 0;
}

ssize_t path_pread_full(int fd, void *buf, size_t len, off_t offset)
{
	size_t got = 0;

	while (got < len) {
		ssize_t more = pread(fd, (char *)buf + got, len - got, offset + (off_t)got);

		if (more < 0 && errno == EINTR)
			continue;
		if (more < 0)
			return -errno;
		if (more == 0)
			break;
		got += (size_t)more;
	}
	return (ssize_t)got;
}

/* Make the name of a temporary file beside name: its directory, then
 * PATH_TEMP_PREFIX and random digits. */
static int make_temp_name(const char *name, struct strbuf *ret)
{
	const char *slash = strrchr(name, '/');
	char id[65];

	random_id(id);
	if (slash)
		strbuf_append(ret, name, (size_t)(slash - name) + 1);
	strbuf_append_str(ret, PATH_TEMP_PREFIX);
	strbuf_append(ret, id, 16);
	return ret->oom ? -ENOMEM : 0;
}

static int write_temp(int dir_fd, const char *temp, const void *bytes, size_t len, mode_t mode,
		      bool durable)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	auto_fd int fd = openat(dir_fd, temp, flags, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = path_write_all(fd, bytes, len);
	if (r < 0)
		return r;
	/* Exactly this mode, whatever the umask. */
	if (fchmod(fd, mode) < 0 || (durable && fsync(fd) < 0))
		return -errno;
	return close(steal_fd(&fd)) < 0 ? -errno : 0;
}

/* Make a rename in the directory of name last. A descriptor of its own: the
 * caller's may be O_PATH, which cannot be synced. */
static int sync_dir_of(int dir_fd, const char *name)
{
	const char *slash = strrchr(name, '/');
	auto_free char *dir = slash ? strndup(name, (size_t)(slash - name) + 1) : strdup(".");
	auto_fd int fd = -1;

	if (!dir)
		return -ENOMEM;
	fd = openat(dir_fd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

int path_replace_file(int dir_fd, const char *name, const void *bytes, size_t len, mode_t mode,
		      bool durable, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf temp = STRBUF_INIT;
	int r = make_temp_name(name, &temp);

	if (r == 0)
		r = write_temp(dir_fd, strbuf_get_str(&temp), bytes, len, mode, durable);
	if (r == 0 && renameat(dir_fd, temp.data, dir_fd, name) < 0)
		r = -errno;
	if (r < 0) {
		if (temp.data)
			unlinkat(dir_fd, temp.data, 0);
		return error_set_sys(err, -r, "cannot write '%s'", name);
	}
	if (durable)
		r = sync_dir_of(dir_fd, name);
	if (r < 0)
		return error_set_sys(err, -r, "cannot make '%s' durable", name);
	return 0;
}
