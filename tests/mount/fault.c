/* Preloaded into an engine, it has one call to the kernel fail (or to nftables): the Nth that the
 * engine's own code makes, or libnl for it, after a test has said so in the file that FAULT_FILE
 * names. Calls that only undo something (close, unlink, umount, kill...) are left alone, and so
 * are reading and waiting.
 *
 *	offset 0   set by the test: 1, the call fails with ENOMEM; 2, the process is killed before it.
 *	           Cleared when that was done
 *	       4   which call: 1 is the next one
 *	       8   calls so far
 *	      12   the name of the one that failed
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KILLS 2

struct plan {
	atomic_uint armed, at, seen;
	char what[52];
};

static struct plan *plan;
static struct {
	uintptr_t first, last;
} watched[4];
static size_t watched_count;

/* The program itself, which comes first, and libnl. */
static int note(struct dl_phdr_info *info, size_t size, void *arg)
{
	bool *is_first = arg;

	(void)size;
	if (!*is_first && !strstr(info->dlpi_name, "libnl"))
		return 0;
	*is_first = false;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type == PT_LOAD && part->p_flags & PF_X && watched_count < 4) {
			watched[watched_count].first = info->dlpi_addr + part->p_vaddr;
			watched[watched_count].last = watched[watched_count].first + part->p_memsz;
			watched_count++;
		}
	}
	return 0;
}

static __attribute__((constructor)) void begin(void)
{
	const char *path = getenv("FAULT_FILE");
	int fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	bool is_first = true;
	void *place;

	if (fd < 0)
		return;
	place = mmap(NULL, sizeof(*plan), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	dl_iterate_phdr(note, &is_first);
	if (place != MAP_FAILED)
		plan = place;
}

static bool is_watched(const void *caller)
{
	for (size_t i = 0; i < watched_count; i++)
		if ((uintptr_t)caller >= watched[i].first && (uintptr_t)caller < watched[i].last)
			return true;
	return false;
}

static bool fails(const char *what, const void *caller)
{
	if (!plan || !atomic_load(&plan->armed) || !is_watched(caller))
		return false;
	if (atomic_fetch_add(&plan->seen, 1) + 1 != atomic_load(&plan->at))
		return false;
	snprintf(plan->what, sizeof(plan->what), "%s", what);
	if (atomic_exchange(&plan->armed, 0) == KILLS)
		kill(getpid(), SIGKILL);
	errno = ENOMEM;
	return true;
}

#define FAILS(name) fails(name, __builtin_return_address(0))
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define WRAP(type, name, parameters, arguments)                                                    \
	type name parameters                                                                       \
	{                                                                                          \
		static __typeof__(&name) real;                                                     \
		if (!real)                                                                         \
			real = REAL(name);                                                         \
		return FAILS(#name) ? (type)-1 : real arguments;                                   \
	}

WRAP(int, unshare, (int flags), (flags))
WRAP(int, setns, (int fd, int type), (fd, type))
WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol))
WRAP(int, socketpair, (int domain, int type, int protocol, int fds[2]),
     (domain, type, protocol, fds))
WRAP(int, bind, (int fd, const struct sockaddr *name, socklen_t len), (fd, name, len))
WRAP(int, listen, (int fd, int queue), (fd, queue))
WRAP(int, connect, (int fd, const struct sockaddr *name, socklen_t len), (fd, name, len))
WRAP(int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
     (fd, level, name, value, len))
WRAP(ssize_t, send, (int fd, const void *bytes, size_t len, int flags), (fd, bytes, len, flags))
WRAP(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
WRAP(int, pipe2, (int fds[2], int flags), (fds, flags))
WRAP(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
WRAP(int, renameat, (int from_fd, const char *from, int to_fd, const char *to),
     (from_fd, from, to_fd, to))
WRAP(int, linkat, (int from_fd, const char *from, int to_fd, const char *to, int flags),
     (from_fd, from, to_fd, to, flags))
WRAP(int, symlinkat, (const char *target, int fd, const char *path), (target, fd, path))
WRAP(int, fchmodat, (int fd, const char *path, mode_t mode, int flags), (fd, path, mode, flags))
WRAP(int, fchownat, (int fd, const char *path, uid_t uid, gid_t gid, int flags),
     (fd, path, uid, gid, flags))
WRAP(int, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid))
WRAP(int, fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(int, ftruncate64, (int fd, off64_t len), (fd, len))
WRAP(ssize_t, pwrite64, (int fd, const void *bytes, size_t len, off64_t at), (fd, bytes, len, at))
WRAP(int, mount,
     (const char *source, const char *target, const char *type, unsigned long flags,
      const void *data),
     (source, target, type, flags, data))
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags))

struct nft_ctx;
int nft_run_cmd_from_buffer(struct nft_ctx *ctx, const char *text);
WRAP(int, nft_run_cmd_from_buffer, (struct nft_ctx * ctx, const char *text), (ctx, text))

/* Of files alone: whom we wake by an eventfd would sleep for ever. */
ssize_t write(int fd, const void *bytes, size_t len)
{
	struct stat st;

	if (plan && atomic_load(&plan->armed) && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    FAILS("write"))
		return -1;
	return syscall(SYS_write, fd, bytes, len);
}

static int open_any(int dir_fd, const char *path, int flags, va_list ap)
{
	mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;

	return (int)syscall(SYS_openat, dir_fd, path, flags, mode);
}

#define WRAP_OPEN(name, parameters, dir_fd)                                                        \
	int name parameters                                                                        \
	{                                                                                          \
		va_list ap;                                                                        \
		int ret = -1;                                                                      \
		va_start(ap, flags);                                                               \
		if (!FAILS(#name))                                                                 \
			ret = open_any(dir_fd, path, flags, ap);                                   \
		va_end(ap);                                                                        \
		return ret;                                                                        \
	}
WRAP_OPEN(open, (const char *path, int flags, ...), AT_FDCWD)
WRAP_OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
WRAP_OPEN(openat, (int fd, const char *path, int flags, ...), fd)
WRAP_OPEN(openat64, (int fd, const char *path, int flags, ...), fd)

int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *), void *arg)
{
	static __typeof__(&pthread_create) real;

	if (!real)
		real = REAL(pthread_create);
	return FAILS("pthread_create") ? EAGAIN : real(thread, attr, fn, arg);
}

static const char *name_call(long number)
{
	switch (number) {
	case SYS_clone3:
		return "clone3";
	case SYS_openat2:
		return "openat2";
	case SYS_open_tree:
		return "open_tree";
	case SYS_mount_setattr:
		return "mount_setattr";
	case SYS_move_mount:
		return "move_mount";
	case SYS_fsopen:
		return "fsopen";
	case SYS_fsconfig:
		return "fsconfig";
	case SYS_fsmount:
		return "fsmount";
	case SYS_pidfd_open:
		return "pidfd_open";
	case SYS_pidfd_getfd:
		return "pidfd_getfd";
	case SYS_execveat:
		return "execveat";
	case SYS_mount:
		return "mount";
	case SYS_pivot_root:
		return "pivot_root";
	default:
		return NULL;
	}
}

long syscall(long number, ...)
{
	static __typeof__(&syscall) real;
	const char *name = name_call(number);
	long args[6];
	va_list ap;

	if (!real)
		real = REAL(syscall);
	va_start(ap, number);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(ap, long);
	va_end(ap);
	if (name && FAILS(name))
		return -1;
	return real(number, args[0], args[1], args[2], args[3], args[4], args[5]);
}
