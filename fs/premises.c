/* ROOT and RUN: see premises.h.
 *
 * The locks are flock(2)s on descriptors that the engine inherits: they are free
 * only when holder and engine are both gone, however they went.
 */
#include "fs/premises.h"

#include "base/clock.h"
#include "base/num.h"
#include "base/path.h"
#include "fs/mountpoint.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define WAIT_NS INT64_C(5000000000)
#define TRY_EVERY_NS 10000000

/* The engine must never touch its own mount, and a mount must not cover what
 * the engine works on. */
static int check_places(const struct server_options *options, struct error *err)
{
	const char *dirs[] = { options->root, options->run }, *names[] = { "root", "run" };

	for (unsigned i = 0; i < 2; i++) {
		if (mountpoint_is_within(dirs[i], options->mnt))
			return error_set(err, EINVAL,
					 "the %s directory '%s' lies in the mount point '%s'",
					 names[i], dirs[i], options->mnt);
		if (mountpoint_is_within(options->mnt, dirs[i]))
			return error_set(err, EINVAL,
					 "the mount point '%s' lies in the %s directory '%s'",
					 options->mnt, names[i], dirs[i]);
	}
	if (strcmp(options->root, options->run) == 0)
		return error_set(err, EINVAL, "root and run are the same directory '%s'",
				 options->root);
	return 0;
}

/* mkdir -p whose last directory alone is private. */
static int make_home(const char *path, mode_t mode, bool *ret_made, struct error *err)
{
	auto_free char *parent = strdup(path);
	char *slash;
	int r = 0;

	if (!parent)
		return error_set_sys(err, ENOMEM, "cannot make directory '%s'", path);
	slash = strrchr(parent, '/');
	if (slash && slash != parent) {
		*slash = '\0';
		r = path_make_dirs(parent, 0755, err);
	}
	if (r < 0)
		return r;
	*ret_made = mkdir(path, mode) == 0;
	if (!*ret_made && errno != EEXIST)
		return error_set_sys(err, errno, "cannot make directory '%s'", path);
	return *ret_made ? 0 : path_make_dirs(path, mode, err);
}

/* rootfs links lead into RUN: a group that is let in must be able to pass.
 * A directory that has other rights than ours was not made by us: left alone. */
static int let_group_pass(const struct server_options *options, bool made, struct error *err)
{
	mode_t mode = options->group_bits ? 0710 : 0700;
	struct stat st;

	if (stat(options->run, &st) < 0)
		return error_set_sys(err, errno, "cannot look at '%s'", options->run);
	if (!made && (st.st_mode & 07777) != 0700 && (st.st_mode & 07777) != 0710)
		return 0;
	if (chown(options->run, 0, options->gid) < 0 || chmod(options->run, mode) < 0)
		return error_set_sys(err, errno, "cannot give '%s' its owner", options->run);
	return 0;
}

/* --- locks ---------------------------------------------------------------- */

/* The file may have been removed between open and flock. */
static bool is_current(int fd, const char *path)
{
	struct stat mine, there;

	return fstat(fd, &mine) == 0 && stat(path, &there) == 0 && mine.st_ino == there.st_ino &&
	       mine.st_dev == there.st_dev;
}

static int refuse(int fd, const char *word, const char *dir, struct error *err)
{
	char text[24] = "";
	ssize_t n = path_pread_full(fd, text, sizeof(text) - 1, 0);
	uint64_t pid;

	text[strcspn(text, "\n")] = '\0';
	if (n > 0 && num_parse_u64(text, 1, INT32_MAX, &pid) == 0)
		return error_set(err, EBUSY, "another containerfs (pid %d) uses %s '%s'", (int)pid,
				 word, dir);
	return error_set(err, EBUSY, "another containerfs uses %s '%s'", word, dir);
}

/* Somebody else's flock gives no word when it ends that could be waited for
 * with a limit, but for a signal: so try, try again. */
static int try_lock(int fd, int64_t until_ns)
{
	const struct timespec pause = { .tv_nsec = TRY_EVERY_NS };

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (clock_monotonic_ns() > until_ns)
			return -EWOULDBLOCK;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int write_pid(int fd, const char *path, struct error *err)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%d\n", (int)getpid()), r;

	r = ftruncate(fd, 0) < 0 ? -errno : path_pwrite_all(fd, text, (size_t)len, 0);
	return r < 0 ? error_set_sys(err, -r, "cannot write '%s'", path) : 0;
}

static int lock_dir(const char *word, const char *dir, int *ret_fd, struct error *err)
{
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/lock", dir) < 0)
		return error_set_sys(err, ENOMEM, "cannot lock '%s'", dir);
	for (;;) {
		auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		int r;

		if (fd < 0)
			return error_set_sys(err, errno, "cannot open '%s'", path);
		r = try_lock(fd, until_ns);
		if (r == -EWOULDBLOCK)
			return refuse(fd, word, dir, err);
		if (r < 0)
			return error_set_sys(err, -r, "cannot lock '%s'", path);
		if (!is_current(fd, path))
			continue;
		r = write_pid(fd, path, err);
		if (r == 0)
			*ret_fd = steal_fd(&fd);
		return r;
	}
}

/* --- all of it ------------------------------------------------------------ */

static int open_log(const char *run, int *ret_fd, struct error *err)
{
	auto_free char *path = NULL;

	if (asprintf(&path, "%s/log", run) < 0)
		return error_set_sys(err, ENOMEM, "cannot open the log");
	*ret_fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*ret_fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", path);
	return 0;
}

static int open_all(const struct server_options *options, struct premises *premises,
		    struct error *err)
{
	bool root_made, run_made;
	int r = check_places(options, err);

	if (r == 0)
		r = make_home(options->root, 0700, &root_made, err);
	if (r == 0)
		r = make_home(options->run, 0700, &run_made, err);
	if (r == 0)
		r = lock_dir("root", options->root, &premises->root_lock, err);
	if (r == 0)
		r = lock_dir("run directory", options->run, &premises->run_lock, err);
	if (r == 0)
		r = let_group_pass(options, run_made, err);
	if (r == 0)
		r = open_log(options->run, &premises->log_fd, err);
	return r;
}

int premises_open(const struct server_options *options, struct premises *ret, struct error *err)
{
	struct premises premises = PREMISES_INIT;
	int r = open_all(options, &premises, err);

	if (r < 0)
		premises_close(&premises);
	else
		*ret = premises;
	return r;
}

void premises_close(struct premises *premises)
{
	int keep = errno;
	int *fds[] = { &premises->log_fd, &premises->run_lock, &premises->root_lock };

	for (unsigned i = 0; i < 3; i++)
		if (*fds[i] >= 0)
			close(steal_fd(fds[i]));
	errno = keep;
}
