/* What the files of volumes and the rest of the engine share. */
#ifndef RUNTIME_VOLUME_VOLUME_PRIVATE_H
#define RUNTIME_VOLUME_VOLUME_PRIVATE_H

#include "runtime/engine_private.h"
#include "runtime/volume/volume.h"

#define VOLUME_ID_SIZE 65

struct volumes;

/* --- volume_store.c: which volumes there are --------------------------------- */

/* Opens ROOT/volumes (root_fd), reads it, and clears away what a dead engine left
 * half made or half removed. */
int volumes_new(struct engine *engine, int root_fd, struct volumes **ret, struct error *err);
void volumes_free(struct volumes *volumes);            /* after the workers have ended */
int volumes_get_dir_fd(const struct volumes *volumes); /* ROOT/volumes, borrowed */

/* Alone with a name until it is released: what changes a volume does so under its claim. May
 * sleep; nobody claims a second one meanwhile. */
int volumes_claim(struct volumes *volumes, const char *name, struct error *err);
void volumes_release(struct volumes *volumes, const char *name);
/* Under the claim: make it if there is none. 0, 1 (made), -errno. */
int volumes_make(struct engine *engine, const char *name, bool durable, struct error *err);
/* Under the claim: out of sight, and away on a worker. -ENOENT. */
int volumes_drop(struct engine *engine, const char *name, struct error *err);

/* --- volume_use.c: who uses which -------------------------------------------- */

/* Does this container name that volume? */
bool volume_is_named_by(const struct engine *engine, const struct container_view *view,
			const char *name);
/* The name of a container that uses it, of those that are not passed over (NULL: of all). False: none.
 * -ENOMEM counts as used. */
bool volume_find_user(struct engine *engine, const char *name,
		      bool (*passes_over)(void *arg, const struct container_view *view), void *arg,
		      char ret_user[CONTAINER_NAME_SIZE]);

/* --- volume_resolve.c: what a container mounts -------------------------------- */

/* The list of effective's mounts, in Docker's objects with members of ours (see there). What
 * VolumesFrom names is taken as those containers have decided.
 *
 * old  the list so far, for the anonymous volumes that it knows; or NULL
 *
 * -EINVAL: two for one destination; -ENOENT: no such container. */
int volume_resolve(struct engine *engine, const json_t *effective, const json_t *old, json_t **ret,
		   struct error *err);
/* The entry mounted there, borrowed, or NULL. */
json_t *volume_find_mount(const json_t *list, const char *destination);

/* --- volume_record.c: the list, kept ------------------------------------------- */

/* Decide, publish and store. ret (or NULL): the list, the caller's. Not with any name claimed. */
int volume_decide(struct container *c, const json_t *effective, json_t **ret, struct error *err);
/* Of one that nobody sees yet, into its view. */
int volume_decide_new(struct container *c, struct container_view *view, struct error *err);
/* The volume needs no copy of the image's content any more. */
int volume_note_copied(struct container *c, const char *name, struct error *err);
int volume_write_list(int dir_fd, const json_t *list, bool durable, struct error *err);
/* Into a view that nobody sees; no file is no list. */
int volume_load_list(struct container_view *view, int dir_fd, struct error *err);
/* Before the container goes: note whether its anonymous volumes shall; after it is gone: do it. The
 * note goes into the trash with the container, for the next engine. */
int volume_mark_removal(struct container *c, bool volumes, struct error *err);
void volume_remove_marked(struct container *c);

/* --- volume_fill.c: the image's content ------------------------------------------ */

/* Under the claim of name: copy what lies at path in the root file system into the volume, if
 * it is empty; all of it or nothing, whenever we die. */
int volume_fill(struct engine *engine, const char *name, int rootfs_fd, const char *path,
		struct error *err);
/* Finish or undo what a dead engine began; entry is of ROOT/volumes. False: none of ours. */
bool volume_recover_fill(int volumes_fd, const char *entry);

/* --- volume_source.c: what a bind's path means ------------------------------------ */

/* O_PATH descriptor of it. A path below our own mount is taken for the directory behind it, and
 * nothing of the mount is touched. -ENOENT, -EINVAL. self: whose bind it is. */
int volume_open_source(struct container *self, const char *path, struct error *err);

/* volume_rootfs.c: where another container's root file system is mounted, from now on. -EBUSY: its
 * turn was not to be had in time. */
int volume_find_rootfs(struct container *c, char *ret_path, size_t size, struct error *err);

/* --- volume_mount.c: ready for a start --------------------------------------------- */

/* Make the volumes of the list, fill them, and clone a mount of each for the launch plan. */
struct volume_mounts {
	struct launch_mount *mounts; /* by depth; targets are borrowed from the list */
	size_t count;
};
int volume_prepare(struct container *c, json_t *list, int rootfs_fd, struct volume_mounts *ret,
		   struct error *err);
void volume_mounts_deinit(struct volume_mounts *mounts);

#endif
