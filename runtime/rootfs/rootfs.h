/* Root file systems: overlayfs over the layers of an image.
 *
 * One superblock per container at a time: a second overlay mount of a busy upper
 * directory is undefined. So a fresh mount is made only when neither RUN/rootfs/<id>
 * nor a running container has it; else a clone of that mount is handed out.
 */
#ifndef RUNTIME_ROOTFS_ROOTFS_H
#define RUNTIME_ROOTFS_ROOTFS_H

#include "base/cleanup.h"
#include "base/error.h"
#include "runtime/security/userns.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct rootfs_spec {
	const char *id;
	int layers_fd;        /* directory holding the layers by diff id */
	char (*diff_ids)[65]; /* lowest first */
	size_t layer_count;   /* 0: an empty lower directory is used */
	int container_dir_fd; /* ROOT/containers/<id>: upper/ and work/ are made in it */
	bool is_volatile; /* no sync at unmount; a leftover work/work/incompat is removed first */
	struct id_range ids; /* with a size: its files have these ids on the host */
	pid_t pid;           /* process 1 when the container runs (its mount is cloned), else 0 */
	/* The mount of the run before, or -1: let go before a fresh one is made. NULL: none. */
	atomic_int *held_fd;
};

/* A module with a helper thread of its own (unshare(CLONE_FS)) that may change mount namespaces.
 * Thread-safe; calls for one id wait for each other, those for different ids do not. */
struct rootfs;
/* run_rootfs  absolute path of RUN/rootfs, made 0711; with the first mount it becomes an
 *             unbindable mount of its own, so that what hangs there spreads nowhere.
 *             Beside it may stand an empty directory, <run_rootfs>.empty. */
int rootfs_new(const char *run_rootfs, struct rootfs **ret, struct error *err);
void rootfs_free(struct rootfs *rootfs); /* leaves the mounts */
DEFINE_AUTO(struct rootfs *, rootfs_free);

/* A detached mount of the container's root for its start: a clone of RUN/rootfs/<id>
 * when that is mounted, else a fresh overlay. Descriptor or -errno. No nosuid/nodev. */
int rootfs_get_mount(struct rootfs *rootfs, const struct rootfs_spec *spec, struct error *err);
/* Whoever drops an overlay's last mount waits until its upper directory is written out, which
 * should not be the last process of a container: so the engine holds the mount of a run in *held_fd
 * (what rootfs_get_mount() gave) and lets it go when the end of the run has been told. */
void rootfs_let_go(struct rootfs *rootfs, const char *id, atomic_int *held_fd);
/* A clone of the mount that the process pid (0: we) sees at path; no link at its end is followed. A descriptor
 * or -errno, without a sentence. What it is of is to be looked at by who does not trust the process. */
int rootfs_clone_mount(struct rootfs *rootfs, pid_t pid, const char *path);
/* See that RUN/rootfs/<id> is mounted (nosuid, nodev), in any state of the container. Safe to repeat. */
int rootfs_expose(struct rootfs *rootfs, const struct rootfs_spec *spec, struct error *err);
/* The same for an image, read-only, at RUN/rootfs/<id> (container_dir_fd -1 in spec). */
/* Is it? One statx(2). */
bool rootfs_is_exposed(const struct rootfs *rootfs, const char *id);
/* Unmount RUN/rootfs/<id> lazily and remove the mount point. Safe to repeat. */
int rootfs_hide(struct rootfs *rootfs, const char *id, struct error *err);
/* The same only if nobody is in it: -EBUSY else, without a sentence. For mounts that
 * have been idle: one that is still used lives on after rootfs_hide(), and a start
 * would then make a second superblock over the same upper directory. */
int rootfs_hide_idle(struct rootfs *rootfs, const char *id);
/* Hide every exposed mount (keep NULL, at a clean end: RUN/rootfs is then as it was before the
 * first expose), and at start those of ids that keep(arg, id) rejects. */
int rootfs_sweep(struct rootfs *rootfs, bool (*keep)(void *arg, const char *id), void *arg,
		 struct error *err);

#endif
