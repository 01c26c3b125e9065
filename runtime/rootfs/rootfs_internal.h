/* What the files of rootfs.h share. Private to runtime/rootfs/. */
#ifndef RUNTIME_ROOTFS_ROOTFS_INTERNAL_H
#define RUNTIME_ROOTFS_ROOTFS_INTERNAL_H

#include "runtime/rootfs/rootfs.h"

#include <stdint.h>

/* The calls of the mount API. All return a descriptor
 * or 0, or a negative errno. */
int mount_fsopen(const char *type);
int mount_fsconfig(int fs_fd, unsigned command, const char *key, const char *value);
int mount_fsmount(int fs_fd);
int mount_open_tree(int dir_fd, const char *path, bool clone);
/* A detached clone of a directory. */
int mount_clone_dir(int dir_fd);
int mount_move(int from_fd, int to_dir_fd, const char *to);
/* set and clear are MOUNT_ATTR_*; propagation MS_* or 0. */
int mount_set_attr(int fd, uint64_t set, uint64_t clear, uint64_t propagation);
/* Is path the root of a mount? false when it does not exist. */
bool mount_is_root(const char *path);

/* A thread with a working directory and a mount namespace of its own. */
struct rootfs_helper;
int rootfs_helper_new(struct rootfs_helper **ret, struct error *err);
void rootfs_helper_free(struct rootfs_helper *helper);
DEFINE_AUTO(struct rootfs_helper *, rootfs_helper_free);
/* Run fn there and wait for it: its answer, or -EIO when the thread is lost. */
int rootfs_helper_run(struct rootfs_helper *helper, int (*fn)(void *arg), void *arg);
/* Only in fn: run inner in the mount namespace of a process and come back. */
int rootfs_helper_visit(struct rootfs_helper *helper, int pidfd, int (*inner)(void *arg),
			void *arg);

/* Does this kernel take layers one by one ("lowerdir+", Linux 6.7)? */
bool overlay_has_layer_option(void);
/* A fresh overlay as a detached mount; descriptor or -errno.
 *
 * spec    container_dir_fd -1: read-only, of the layers alone
 * empty   absolute path of an empty directory, used where overlayfs wants one more layer
 * stage   directory to mount on and leave again, for kernels without layer options;
 *         then the calling thread must be the helper's */
int overlay_mount(const struct rootfs_spec *spec, const char *empty, const char *stage,
		  bool has_layer_option, struct error *err);
/* Its two steps: upper, work and the empty directory; then the mount. */
int overlay_prepare(const struct rootfs_spec *spec, const char *empty, struct error *err);
int overlay_mount_layers(const struct rootfs_spec *spec, const char *empty, const char *stage,
			 bool has_layer_option, struct error *err);
/* The same with the ids of spec->ids, on the helper's thread: the stages beside `stage` are one
 * mount's at a time. */
int overlay_mount_mapped(const struct rootfs_spec *spec, const char *empty, const char *stage,
			 bool has_layer_option, struct error *err);
/* Remove those stages, whatever is there. */
void overlay_clear_stages(const char *stage);

#endif
