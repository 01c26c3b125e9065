/* What the files of volumes and the rest of the engine share. */
#ifndef RUNTIME_VOLUME_PRIVATE_H
#define RUNTIME_VOLUME_PRIVATE_H

#include "runtime/engine_private.h"
#include "runtime/volume.h"

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
bool volume_is_named_by(const struct container_view *view, const char *name);
/* The name of a container that uses it, other than the one with that id (NULL: any). False: none.
 * -ENOMEM counts as used. */
bool volume_find_user(struct engine *engine, const char *name, const char *except_id,
		      char ret_user[CONTAINER_NAME_SIZE]);

#endif
