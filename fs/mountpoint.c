/* The mount table: see mountpoint.h.
 *
 * A mount is known by its device number, 0:N, which names the FUSE connection
 * too: a path may have several mounts on each other. Nothing here asks a live
 * file system of ours anything but one statx(2), before there is one of our own.
 */
#include "fs/mountpoint.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* More mounts on each other than this is somebody else's mistake. */
#define STACK_MAX 100

/* --- paths ---------------------------------------------------------------- */

static char *join(const char *dir, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%s/%s", strcmp(dir, "/") == 0 ? "" : dir, name) < 0)
		return NULL;
	return path;
}

/* Resolve what is before the last component, keep that. */
static int resolve_parent(const char *path, int code, char **ret, struct error *err)
{
	auto_free char *copy = strdup(path), *parent = NULL;
	size_t len = strlen(path);
	char *slash, *name;
	int r;

	if (!copy)
		return error_set_sys(err, ENOMEM, "cannot resolve '%s'", path);
	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = strrchr(copy, '/');
	name = slash ? slash + 1 : copy;
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set_sys(err, code, "cannot resolve '%s'", path);
	if (slash)
		*slash = '\0';

	r = mountpoint_resolve_path(!slash ? "." : slash == copy ? "/" : copy, &parent, err);
	if (r < 0)
		return r;
	*ret = join(parent, name);
	return *ret ? 0 : error_set_sys(err, ENOMEM, "cannot resolve '%s'", path);
}

int mountpoint_resolve_path(const char *path, char **ret, struct error *err)
{
	char *real = realpath(path, NULL);

	if (real) {
		*ret = real;
		return 0;
	}
	if (errno == ENOENT || errno == ENOTCONN || errno == ECONNABORTED)
		return resolve_parent(path, errno, ret, err);
	return error_set_sys(err, errno, "cannot resolve '%s'", path);
}

bool mountpoint_is_within(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* --- the table ------------------------------------------------------------ */

/* \040 and its like, in place. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		uint64_t value;
		char digits[4] = "";

		if (*text == '\\') {
			for (unsigned i = 0; i < 3 && text[i + 1]; i++)
				digits[i] = text[i + 1];
			if (strlen(digits) == 3 &&
			    num_parse_base(digits, 8, UCHAR_MAX, &value) == 0) {
				*to++ = (char)value;
				text += 4;
				continue;
			}
		}
		*to++ = *text++;
	}
	*to = '\0';
}

int mountinfo_parse(char *line, struct mountinfo *ret)
{
	struct mountinfo info = { .mnt = NULL };
	char *words[5], *word, *colon;

	line[strcspn(line, "\n")] = '\0';
	for (unsigned i = 0; i < 5; i++) {
		words[i] = strsep(&line, " ");
		if (!words[i])
			return -EINVAL;
	}
	/* Options and optional fields end at a lone "-". */
	do
		word = strsep(&line, " ");
	while (word && strcmp(word, "-") != 0);
	info.fstype = strsep(&line, " ");
	info.source = strsep(&line, " ");
	colon = strchr(words[2], ':');
	if (!info.fstype || !info.source || !colon)
		return -EINVAL;
	*colon = '\0';
	if (num_parse_u64(words[2], 0, UINT32_MAX, &info.dev_major) < 0 ||
	    num_parse_u64(colon + 1, 0, UINT32_MAX, &info.dev_minor) < 0)
		return -EINVAL;
	info.mnt = words[4];
	unescape(info.mnt);
	unescape(info.source);
	*ret = info;
	return 0;
}

/* What one look at the mount table found. */
struct found {
	bool any;            /* something is mounted at the path */
	bool ours;           /* the topmost there is a containerfs */
	uint64_t connection; /* of the topmost, if ours */
	bool listed;         /* the connection looked for is in the table, wherever */
	char fstype[64];     /* of the topmost */
};

/* The table is read in the order of mounting: the last one at a path is the
 * topmost. A line that cannot be read is skipped: it is none of ours. */
static int look_up(const char *mnt, uint64_t connection, struct found *ret, struct error *err)
{
	auto_file FILE *table = fopen("/proc/self/mountinfo", "re");
	auto_free char *line = NULL;
	struct mountinfo info;
	size_t size = 0;

	*ret = (struct found){ .any = false };
	if (!table)
		return error_set_sys(err, errno, "cannot read /proc/self/mountinfo");
	while (getline(&line, &size, table) >= 0) {
		bool ours;

		if (mountinfo_parse(line, &info) < 0)
			continue;
		ours = strcmp(info.fstype, MOUNTPOINT_FSTYPE) == 0 && info.dev_major == 0;
		ret->listed |= ours && info.dev_minor == connection;
		if (strcmp(info.mnt, mnt) != 0)
			continue;
		ret->any = true;
		ret->ours = ours;
		ret->connection = info.dev_minor;
		snprintf(ret->fstype, sizeof(ret->fstype), "%s", info.fstype);
	}
	return 0;
}

static int take_away_dead(const char *mnt, int code, struct error *err)
{
	struct found found;
	int r = look_up(mnt, 0, &found, err);

	if (r < 0)
		return r;
	if (!found.ours)
		return error_set_sys(err, code, "cannot look at the mount point '%s' (%s)", mnt,
				     found.any ? found.fstype : "not a mount");
	log_warn("taking away the dead mount at '%s'", mnt);
	if (umount2(mnt, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return error_set_sys(err, errno, "cannot take away the dead mount at '%s'", mnt);
	return 0;
}

static int check_live(const char *mnt, const struct statx *stx, struct error *err)
{
	struct found found;
	int r = look_up(mnt, 0, &found, err);

	if (r < 0)
		return r;
	if (found.ours)
		return error_set(err, EBUSY, "a containerfs is mounted on '%s' already", mnt);
	if (!S_ISDIR(stx->stx_mode))
		return error_set(err, ENOTDIR, "the mount point '%s' is not a directory", mnt);
	return 0;
}

int mountpoint_clear(const char *mnt, struct error *err)
{
	for (unsigned i = 0; i < STACK_MAX; i++) {
		struct statx stx;
		int r;

		/* Without the force a dead mount answers from the attributes
		 * that the kernel remembers. */
		if (statx(AT_FDCWD, mnt, AT_STATX_FORCE_SYNC | AT_SYMLINK_NOFOLLOW, STATX_TYPE,
			  &stx) == 0)
			return check_live(mnt, &stx, err);
		if (errno == ENOENT)
			return error_set(err, ENOENT,
					 "the mount point '%s' does not exist; make the directory "
					 "first",
					 mnt);
		if (errno != ENOTCONN && errno != ECONNABORTED)
			return error_set_sys(err, errno, "cannot look at the mount point '%s'",
					     mnt);
		r = take_away_dead(mnt, errno, err);
		if (r < 0)
			return r;
	}
	return error_set(err, ENOTCONN, "more than %d dead mounts lie on '%s'", STACK_MAX, mnt);
}

/* --- mounting ------------------------------------------------------------- */

static int explain_mount(int code, const char *mnt, struct error *err)
{
	if (code == EPERM)
		return error_set(err, code,
				 "cannot mount on '%s': not permitted; containerfs needs "
				 "CAP_SYS_ADMIN on the machine, not only in a sandbox",
				 mnt);
	if (code == ENODEV)
		return error_set(err, code,
				 "cannot mount on '%s': this kernel has no FUSE; load its module "
				 "'fuse'",
				 mnt);
	return error_set_sys(err, code, "cannot mount on '%s'", mnt);
}

int mountpoint_mount(const char *mnt, const char *source, gid_t gid, struct mountpoint *ret,
		     struct error *err)
{
	auto_fd int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	char data[200];
	struct found found;
	int r;

	if (fd < 0 && (errno == ENOENT || errno == ENXIO || errno == ENODEV))
		return error_set(err, errno,
				 "there is no /dev/fuse; load the kernel's module "
				 "'fuse', or let this sandbox have the device");
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open /dev/fuse");
	snprintf(data, sizeof(data),
		 "fd=%d,rootmode=40000,user_id=0,group_id=%u,allow_other,default_permissions", fd,
		 gid);
	if (mount(source, mnt, MOUNTPOINT_FSTYPE, MS_NOSUID | MS_NODEV, data) < 0)
		return explain_mount(errno, mnt, err);
	r = look_up(mnt, 0, &found, err);
	if (r == 0 && !found.ours)
		r = error_set(err, EIO, "the new mount on '%s' is not in the mount table", mnt);
	if (r < 0) {
		umount2(mnt, MNT_DETACH | UMOUNT_NOFOLLOW);
		return r;
	}
	ret->connection = found.connection;
	ret->fuse_fd = steal_fd(&fd);
	return 0;
}

bool mountpoint_is_mounted(const struct mountpoint *mount)
{
	struct found found;

	/* Not being able to look is no proof that it has gone. */
	return look_up("", mount->connection, &found, NULL) < 0 || found.listed;
}

void mountpoint_abort(struct mountpoint *mount)
{
	char path[100];
	int fd;

	if (mount->fuse_fd < 0)
		return;
	/* Closing the last descriptor does the same; where fusectl is mounted
	 * this also reaches a copy that is left somewhere. */
	snprintf(path, sizeof(path), "/sys/fs/fuse/connections/%llu/abort",
		 (unsigned long long)mount->connection);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)path_write_all(fd, "1", 1);
		close(fd);
	}
	close(steal_fd(&mount->fuse_fd));
}

int mountpoint_detach(const struct mountpoint *mount, const char *mnt, struct error *err)
{
	struct found found;
	int r = look_up(mnt, mount->connection, &found, err);

	if (r < 0 || !found.listed)
		return r;
	if (!found.ours || found.connection != mount->connection)
		return error_set(err, EBUSY, "another mount (%s) lies over '%s'; ours stays below",
				 found.any ? found.fstype : "moved", mnt);
	/* With force the connection ends too, also where a process between
	 * fork and exec has a copy of its descriptor. */
	if (umount2(mnt, MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
		return error_set_sys(err, errno, "cannot unmount '%s'", mnt);
	return 0;
}
