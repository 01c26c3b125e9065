/* User namespaces: a container whose ids are others on the host.
 *
 * Ids 0 to 65535 of such a container are a range of the host's subordinate ids. On disk its
 * files have the ids that the container sees: layers and upper directory are reached through
 * idmapped mounts, so images are shared by all, whatever their ranges, and what is committed
 * or exported knows nothing of them.
 *
 * Source: user_namespaces(7), mount_setattr(2), the kernel's filesystems/idmappings.rst.
 */
#ifndef RUNTIME_SECURITY_USERNS_H
#define RUNTIME_SECURITY_USERNS_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Ids of a container. */
#define USERNS_SIZE 65536U

struct id_range {
	uid_t uid_base; /* what the container's 0 is on the host */
	gid_t gid_base;
	uint32_t size; /* 0: the ids are the host's */
};

/* A user namespace that somebody has to hold: a process of ours that sleeps in it, for as long
 * as others are to enter it. */
struct userns {
	pid_t pid;
	int pidfd; /* for setns(2) into any of its namespaces */
	int ns_fd; /* the user namespace, for mounts; they keep it without the process */
};
#define USERNS_INIT                                                                                \
	{                                                                                          \
		.pid = -1, .pidfd = -1, .ns_fd = -1                                                \
	}

/* Make one.
 *
 * namespaces  CLONE_NEW* of others that it is to own, made along with it
 *
 * 0; -ENOTSUP (a kernel without, or that forbids them), -errno with a sentence. */
int userns_open(const struct id_range *range, uint64_t namespaces, struct userns *ret,
		struct error *err);
void userns_close(struct userns *ns);
DEFINE_AUTO_DEINIT(struct userns, userns_close);

/* Have a detached mount show the namespace's ids in place of those on disk. -errno: its file
 * system cannot (-EINVAL), or shows others already (-EPERM); no sentence. */
int userns_map_mount(int mount_fd, const struct userns *ns, bool recursive);

/* Have this thread make files as the range's root, with all capabilities: through an idmapped
 * mount nobody else can make any. 0 or -errno; then it is as before. */
int userns_begin_files(const struct id_range *range);
void userns_end_files(void);

/* Mount options of a file system that is mounted with the host's ids: "uid=5,mode=700" with
 * the ids of the range. The caller's; NULL: no memory. */
char *userns_shift_options(const struct id_range *range, const char *options);

/* The mounts of a launch plan, with the namespace's ids where the file system can show them, and
 * else with the host's, of which the container has none: `nobody` owns such files.
 *
 * ret_options  what mounts point into: an array of count heap strings, the caller's
 *
 * Nothing when range has no size. 0 or -ENOMEM. */
struct launch_mount;
int userns_map_mounts(const struct id_range *range, const struct userns *ns,
		      struct launch_mount *mounts, size_t count, char ***ret_options,
		      struct error *err);

/* Is every id of a user in the range? -EINVAL with a sentence. */
struct user;
int userns_check_user(const struct id_range *range, const struct user *user, struct error *err);

#endif
