/* A random walk over a mount: system calls with odd arguments on whatever files there
 * are, while containers come and go by the same walk. It judges nothing; who
 * started it looks whether the engine lives and what its log says.
 *
 *	walk MNT SEED STEPS WALKERS
 *
 * Every call ends: descriptors are non-blocking as often as not, and a timer's
 * signal interrupts the others. Links that lead out of the mount (rootfs, root) are
 * not followed. What lies under demo:1 and sha256/ is not removed.
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PATHS_MAX 2000
#define FDS_MAX 24
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char *paths[PATHS_MAX];
static size_t path_count;
static int fds[FDS_MAX];
static char bytes[1 << 17];
static unsigned seed;
static sigjmp_buf bus;

static unsigned roll(unsigned sides)
{
	seed = seed * 1103515245U + 12345U;
	return (seed >> 8) % sides;
}

static bool one_in(unsigned sides)
{
	return roll(sides) == 0;
}

static void on_timer(int signo)
{
	(void)signo;
}

static _Noreturn void on_bus(int signo)
{
	(void)signo;
	siglongjmp(bus, 1);
}

/* --- paths -------------------------------------------------------------------- */

static bool leads_out(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	return strcmp(name, "rootfs") == 0 || strcmp(name, "root") == 0;
}

static bool is_kept(const char *path)
{
	return strstr(path, "demo:1") || strstr(path, "sha256");
}

static void collect(const char *dir, int depth)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;

	while (stream && (entry = readdir(stream)) && path_count < PATHS_MAX) {
		char *path;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&path, "%s/%s", dir, entry->d_name) < 0)
			exit(2);
		paths[path_count++] = path;
		if (entry->d_type == DT_DIR && depth > 0)
			collect(path, depth - 1);
	}
	if (stream)
		closedir(stream);
}

static void look_around(const char *mnt)
{
	while (path_count > 0)
		free(paths[--path_count]);
	paths[path_count++] = strdup(mnt);
	collect(mnt, 3);
}

static const char *any_path(void)
{
	return paths[roll((unsigned)path_count)];
}

static const char *const names[] = { "c0",           "c1",     "c2",       "c3",     "x:1",
				     "y:2",          "team",   "team/z:1", "config", "status",
				     "..",           ".",      "\xff\xfe", "a\nb",   "ctl",
				     "0123456789ab", "sha256", "-",        " ",      "UPPER:1" };

/* A new name in some directory, or what is there. */
static const char *new_path(char *buf, const char *mnt)
{
	static const char *const dirs[] = { "containers",    "containers", "images",
					    "images",        "",           "images/sha256",
					    "containers/c0", "volumes" };

	if (one_in(4))
		return any_path();
	snprintf(buf, PATH_MAX, "%s/%s/%s", mnt, dirs[roll(COUNT(dirs))],
		 names[roll(COUNT(names))]);
	if (one_in(30))
		memset(buf + strlen(mnt) + 12, 'n', 250 + roll(10));
	return buf;
}

/* --- on paths -------------------------------------------------------------------- */

static void change_names(const char *mnt)
{
	char one[PATH_MAX] = "", two[PATH_MAX] = "";
	const char *from = new_path(one, mnt), *to = new_path(two, mnt);
	static const unsigned flags[] = { 0,  0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT,
					  ~0U };

	if (is_kept(from) || is_kept(to))
		return;
	switch (roll(9)) {
	case 0:
		mkdir(from, roll(01000));
		break;
	case 1:
		rmdir(from);
		break;
	case 2:
		unlink(from);
		break;
	case 3:
	case 4:
		renameat2(AT_FDCWD, from, AT_FDCWD, to, flags[roll(COUNT(flags))]);
		break;
	case 5:
		link(from, to);
		break;
	case 6:
		symlink(one_in(2) ? "demo:1" : any_path(), to);
		break;
	case 7:
		mknod(to, (one_in(2) ? S_IFIFO : one_in(2) ? S_IFREG : S_IFCHR) | 0600, 0);
		break;
	default:
		mkdir(to, 0755);
	}
}

static void change_attributes(const char *path)
{
	struct statfs fs;
	struct stat st;

	if (leads_out(path))
		return;
	switch (roll(10)) {
	case 0:
		chmod(path, roll(010000));
		break;
	case 1:
		lchown(path, roll(3), roll(3));
		break;
	case 2:
		utimensat(AT_FDCWD, path, NULL, one_in(2) ? AT_SYMLINK_NOFOLLOW : 0);
		break;
	case 3:
		lsetxattr(path, one_in(2) ? "user.a" : "security.capability", bytes, roll(70000),
			  0);
		break;
	case 4:
		lgetxattr(path, "user.a", bytes, roll(sizeof(bytes)));
		break;
	case 5:
		llistxattr(path, bytes, roll(sizeof(bytes)));
		break;
	case 6:
		lremovexattr(path, "user.a");
		break;
	case 7:
		statfs(path, &fs);
		break;
	case 8:
		access(path, (int)roll(8));
		break;
	default:
		lstat(path, &st);
		readlink(path, bytes, roll(300) + 1);
	}
}

/* --- commands ----------------------------------------------------------------------- */

static size_t make_command(char *text, size_t size)
{
	static const char *const commands[] = { "run -d --name %s demo:1 sleep 1000",
						"run --rm --name %s demo:1 true",
						"run -i --name %s demo:1 cat",
						"create --name %s demo:1 true",
						"rm -f %s",
						"kill %s",
						"start %s",
						"stop -t 0 %s",
						"restart -t 0 %s",
						"rename %s c3",
						"inspect %s",
						"tag demo:1 x:%s",
						"rmi x:%s",
						"ps -a",
						"pause %s",
						"unpause %s",
						"update -m 64m %s",
						"start",
						"kill",
						"closestdin",
						"{\"Memory\": 67108864}",
						"{\"Env\": [\"A=%s\"]}",
						"{\"Cmd\": null}",
						"{",
						"run 'torn %s",
						"# %s",
						"help",
						"images" };
	const char *format = commands[roll(COUNT(commands))];
	char name[4];

	snprintf(name, sizeof(name), "c%u", roll(4));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	snprintf(text, size, format, name);
#pragma GCC diagnostic pop
	if (!one_in(8))
		strcat(text, "\n");
	return strlen(text);
}

static size_t make_bytes(void)
{
	size_t len = roll(one_in(10) ? sizeof(bytes) : 300);

	if (!one_in(3))
		return make_command(bytes, sizeof(bytes));
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)roll(256);
	return len;
}

/* --- on descriptors -------------------------------------------------------------------- */

static void open_one(const char *mnt)
{
	static const int modes[] = { O_RDONLY, O_RDONLY, O_WRONLY, O_RDWR, O_RDWR, O_PATH, 3 };
	static const int more[] = { O_TRUNC, O_APPEND, O_DIRECT,  O_CREAT,     O_CREAT | O_EXCL,
				    O_SYNC,  O_ASYNC,  O_NOATIME, O_DIRECTORY, O_TMPFILE };
	char buf[PATH_MAX];
	int *slot = &fds[roll(FDS_MAX)], flags = modes[roll(COUNT(modes))] | O_NOFOLLOW;
	const char *path = one_in(10) ? new_path(buf, mnt) : any_path();

	if (*slot >= 0)
		close(*slot);
	if (!one_in(3))
		flags |= O_NONBLOCK;
	while (one_in(3))
		flags |= more[roll(COUNT(more))];
	*slot = open(path, flags | O_CLOEXEC, 0644);
}

/* A page of a `wait` (4 bytes are promised) comes when the container has stopped, and who waits for a page of
 * a file, in a mapping or for a copy within the kernel, is not woken by an alarm. */
static bool has_slow_pages(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 || st.st_size == 4;
}

static void map(int fd)
{
	size_t len = 1 + roll(20000);
	int prot = one_in(2) ? PROT_READ : PROT_READ | PROT_WRITE;
	volatile char *at;

	if (has_slow_pages(fd))
		return;
	at = mmap(NULL, len, prot, one_in(2) ? MAP_SHARED : MAP_PRIVATE, fd, 4096 * (off_t)roll(3));
	if (at == MAP_FAILED)
		return;
	if (sigsetjmp(bus, 1) == 0) {
		char first = at[0];

		if (prot & PROT_WRITE)
			at[len - 1] = first;
		msync((void *)(uintptr_t)at, len, MS_SYNC);
	}
	munmap((void *)(uintptr_t)at, len);
}

static void list(int fd)
{
	if (one_in(3))
		lseek(fd, (off_t)roll(1000), SEEK_SET);
	if (one_in(20))
		lseek(fd, -1, SEEK_END);
	for (unsigned i = roll(20); i > 0; i--)
		if (syscall(SYS_getdents64, fd, bytes, 20 + roll(one_in(2) ? 100 : 5000)) <= 0)
			break;
}

static void lock(int fd)
{
	struct flock range = { .l_type = (short)roll(3), .l_whence = SEEK_SET, .l_len = roll(9) };

	if (one_in(2))
		flock(fd, LOCK_NB | (int)roll(16));
	else
		fcntl(fd, F_SETLK, &range);
}

static off_t odd_offset(void)
{
	static const off_t odd[] = { 0, 1, -1, 4095, 4096, 65537, INT_MAX, 1LL << 40, LLONG_MAX };

	return one_in(2) ? (off_t)roll(5000) : odd[roll(COUNT(odd))];
}

static void read_some(int fd)
{
	struct iovec parts[2] = { { bytes, roll(5) }, { bytes + 5000, roll(5000) } };
	size_t len = one_in(3) ? 1 : roll(sizeof(bytes));

	switch (roll(4)) {
	case 0:
		pread(fd, bytes, len, odd_offset());
		break;
	case 1:
		readv(fd, parts, 2);
		break;
	default:
		read(fd, bytes, len);
	}
}

static void write_some(int fd)
{
	size_t len = make_bytes();
	struct iovec parts[2] = { { bytes, len / 2 }, { bytes + len / 2, len - len / 2 } };

	switch (roll(6)) {
	case 0:
		pwrite(fd, bytes, len, odd_offset());
		break;
	case 1:
		writev(fd, parts, 2);
		break;
	case 2:
		write(fd, NULL, 0);
		break;
	default:
		write(fd, bytes, len);
	}
}

static void do_to_file(int fd)
{
	struct pollfd polled = { .fd = fd, .events = (short)roll(256) };
	int other = fds[roll(FDS_MAX)];

	switch (roll(16)) {
	case 0:
		lseek(fd, odd_offset(), (int)roll(6));
		break;
	case 1:
		ftruncate(fd, odd_offset());
		break;
	case 2:
		one_in(2) ? fsync(fd) : fdatasync(fd);
		break;
	case 3:
		ioctl(fd, one_in(2) ? FIONREAD : roll(UINT_MAX), bytes);
		break;
	case 4:
		map(fd);
		break;
	case 5:
		list(fd);
		break;
	case 6:
		lock(fd);
		break;
	case 7:
		poll(&polled, 1, (int)roll(3));
		break;
	case 8:
		fallocate(fd, (int)roll(8), 0, 1 + roll(5000));
		break;
	case 9:
		if (!has_slow_pages(fd))
			copy_file_range(fd, NULL, other, NULL, roll(10000), 0);
		break;
	case 10:
		if (!has_slow_pages(fd))
			sendfile(other, fd, NULL, roll(10000));
		break;
	case 11:
		fcntl(fd, F_SETFL, one_in(2) ? O_NONBLOCK : O_APPEND | O_NONBLOCK);
		break;
	case 12:
	case 13:
		write_some(fd);
		break;
	default:
		read_some(fd);
	}
}

/* --- the walk ------------------------------------------------------------------------ */

static void set_timer(void)
{
	const struct itimerval often = { { 0, 50000 }, { 0, 50000 } };
	struct sigaction timer = { .sa_handler = on_timer }, fault = { .sa_handler = on_bus };

	sigaction(SIGALRM, &timer, NULL);
	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	setitimer(ITIMER_REAL, &often, NULL);
}

static void command(const char *mnt)
{
	char path[PATH_MAX];
	int fd;

	snprintf(path, sizeof(path), "%s/ctl", mnt);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	write(fd, bytes, make_command(bytes, sizeof(bytes)));
	read(fd, bytes, sizeof(bytes));
	close(fd);
}

static void walk(const char *mnt, long steps)
{
	set_timer();
	memset(fds, -1, sizeof(fds));
	for (long step = 0; step < steps; step++) {
		int fd = fds[roll(FDS_MAX)];

		if (step % 300 == 0)
			look_around(mnt);
		if (one_in(12))
			change_names(mnt);
		else if (one_in(8))
			change_attributes(any_path());
		else if (one_in(12))
			command(mnt);
		else if (fd < 0 || one_in(8))
			open_one(mnt);
		else
			do_to_file(fd);
	}
}

int main(int argc, char **argv)
{
	int status, bad = 0;

	if (argc != 5)
		return 2;
	for (long i = strtol(argv[4], NULL, 10); i > 0; i--) {
		if (fork() != 0)
			continue;
		seed = (unsigned)(strtol(argv[2], NULL, 10) * 1000 + i);
		walk(argv[1], strtol(argv[3], NULL, 10));
		_exit(0);
	}
	while (wait(&status) > 0)
		bad |= status != 0;
	return bad;
}
