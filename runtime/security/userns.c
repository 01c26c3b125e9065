/* Making user namespaces, and files and mounts with their ids.
 *
 * A namespace needs a process to be made for and entered by. Only a copy of ours can be it
 * (a thread of many cannot enter one), and it does nothing but sleep until it is killed: when
 * we close it, or when the thread dies that made it.
 *
 * Files below an idmapped mount are made by who has an id in it. That is not root of the host,
 * so a thread that makes some takes the range's root for its file system ids, and keeps its
 * capabilities, which the kernel takes away with them. What overlayfs does in an upper
 * directory it does as the one who mounted it: this is also how that is mounted.
 */
#include "runtime/security/userns.h"

#include "base/num.h"
#include "base/strbuf.h"
#include "runtime/launch.h"
#include "runtime/security/user.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* --- the namespace -------------------------------------------------------------- */

/* In a copy of a program with threads: system calls only. */
static __attribute__((noreturn)) void sleep_for_ever(pid_t parent)
{
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (syscall(SYS_getppid) != parent) /* it died before it was to tell */
		_exit(1);
	syscall(SYS_close_range, 0, ~0U, 0);
	for (;;)
		syscall(SYS_rt_sigsuspend, &(uint64_t){ ~UINT64_C(0) }, sizeof(uint64_t));
}

static pid_t make_process(uint64_t namespaces)
{
	struct clone_args args = { .flags = namespaces | CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t parent = getpid();
	sigset_t all, before;
	long pid;
	int code;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0)
		sleep_for_ever(parent);
	code = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return pid < 0 ? -code : (pid_t)pid;
}

static int write_map(pid_t pid, const char *file, uint32_t base, uint32_t size, struct error *err)
{
	char path[40], text[48];
	int len = snprintf(text, sizeof(text), "0 %u %u\n", base, size);
	auto_fd int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return error_set_sys(err, errno, "cannot map the ids %u to %u", base,
				     base + size - 1);
	return 0;
}

static int set_up(const struct id_range *range, struct userns *ns, struct error *err)
{
	char path[40];
	int ret = write_map(ns->pid, "uid_map", range->uid_base, range->size, err);

	if (ret == 0)
		ret = write_map(ns->pid, "gid_map", range->gid_base, range->size, err);
	if (ret < 0)
		return ret;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)ns->pid);
	ns->ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	ns->pidfd = (int)syscall(SYS_pidfd_open, ns->pid, 0);
	if (ns->ns_fd < 0 || ns->pidfd < 0)
		return error_set_sys(err, errno, "cannot hold a user namespace");
	return 0;
}

int userns_open(const struct id_range *range, uint64_t namespaces, struct userns *ret,
		struct error *err)
{
	AUTO(userns_close) struct userns ns = USERNS_INIT;
	int failure;

	ns.pid = make_process(namespaces);
	if (ns.pid == -EINVAL || ns.pid == -EPERM || ns.pid == -ENOSPC)
		return error_set(err, ENOTSUP,
				 "this kernel makes no user namespaces; see "
				 "/proc/sys/user/max_user_namespaces");
	if (ns.pid < 0)
		return error_set_sys(err, -ns.pid, "cannot make a user namespace");
	failure = set_up(range, &ns, err);
	if (failure < 0)
		return failure;
	*ret = ns;
	ns = (struct userns)USERNS_INIT;
	return 0;
}

void userns_close(struct userns *ns)
{
	int code = errno;

	cleanup_fd(&ns->ns_fd);
	cleanup_fd(&ns->pidfd);
	if (ns->pid > 0) {
		kill(ns->pid, SIGKILL);
		while (waitpid(ns->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*ns = (struct userns)USERNS_INIT;
	errno = code;
}

/* --- mounts and files --------------------------------------------------------------- */

int userns_map_mount(int mount_fd, const struct userns *ns, bool recursive)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (unsigned)ns->ns_fd };

	return syscall(SYS_mount_setattr, mount_fd, "",
		       AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr, sizeof(attr)) < 0
		       ? -errno
		       : 0;
}

/* All that are permitted, of this thread. */
static int raise_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return -errno;
	for (int i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

int userns_begin_files(const struct id_range *range)
{
	int ret;

	setfsgid(range->gid_base);
	setfsuid(range->uid_base);
	ret = raise_capabilities();
	/* They tell the id so far, and nothing else. */
	if (ret == 0 && ((uid_t)setfsuid((uid_t)-1) != range->uid_base ||
			 (gid_t)setfsgid((gid_t)-1) != range->gid_base))
		ret = -EPERM;
	if (ret < 0)
		userns_end_files();
	return ret;
}

void userns_end_files(void)
{
	/* With user 0 the kernel gives the capabilities back that it took. */
	setfsuid(geteuid());
	setfsgid(getegid());
}

/* --- ids in text and in users --------------------------------------------------------- */

/* "uid=5" and "gid=5"; everything else stays. */
static void shift_option(const struct id_range *range, const char *option, size_t len,
			 struct strbuf *out)
{
	bool is_uid = len > 4 && memcmp(option, "uid=", 4) == 0;
	bool is_gid = len > 4 && memcmp(option, "gid=", 4) == 0;
	uint64_t base = is_uid ? range->uid_base : range->gid_base, id;
	char number[16];

	if ((is_uid || is_gid) && len - 4 < sizeof(number)) {
		memcpy(number, option + 4, len - 4);
		number[len - 4] = '\0';
		if (num_parse_u64(number, 0, range->size - 1, &id) == 0) {
			strbuf_appendf(out, "%.4s%ju", option, (uintmax_t)(base + id));
			return;
		}
	}
	strbuf_append(out, option, len);
}

char *userns_shift_options(const struct id_range *range, const char *options)
{
	AUTO(strbuf_deinit) struct strbuf out = STRBUF_INIT;

	while (*options) {
		size_t len = strcspn(options, ",");

		shift_option(range, options, len, &out);
		options += len;
		if (*options) {
			strbuf_append(&out, ",", 1);
			options++;
		}
	}
	return out.oom ? NULL : strdup(strbuf_get_str(&out));
}

int userns_map_mounts(const struct id_range *range, const struct userns *ns,
		      struct launch_mount *mounts, size_t count, char ***ret_options,
		      struct error *err)
{
	if (range->size == 0)
		return 0;
	*ret_options = calloc(count + 1, sizeof(**ret_options));
	if (!*ret_options)
		return error_set(err, ENOMEM, "no memory for the options of mounts");
	for (size_t i = 0; i < count; i++) {
		if (!mounts[i].fstype) {
			userns_map_mount(mounts[i].fd, ns, (mounts[i].flags & MS_REC) != 0);
			continue;
		}
		if (!mounts[i].data)
			continue;
		(*ret_options)[i] = userns_shift_options(range, mounts[i].data);
		if (!(*ret_options)[i])
			return error_set(err, ENOMEM, "no memory for the options of mounts");
		mounts[i].data = (*ret_options)[i];
	}
	return 0;
}

static int refuse_id(const struct id_range *range, const char *what, uint32_t id, struct error *err)
{
	return error_set(err, EINVAL,
			 "%s %u is beyond the %u ids of the container's user namespace", what, id,
			 range->size);
}

int userns_check_user(const struct id_range *range, const struct user *user, struct error *err)
{
	if (range->size == 0)
		return 0;
	if (user->uid >= range->size)
		return refuse_id(range, "user", user->uid, err);
	if (user->gid >= range->size)
		return refuse_id(range, "group", user->gid, err);
	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] >= range->size)
			return refuse_id(range, "group", user->groups[i], err);
	return 0;
}
