/* Volumes: directories that containers mount and that outlive them.
 *
 * ROOT/volumes/NAME is the data directory itself. A volume is named, or anonymous:
 * called by 64 hexadecimal digits, made for one container, and removed with it by
 * rm -v. Used is a volume that any existing container names, running or not.
 *
 * Looking never waits. Making and removing are a worker thread's; like the verbs of
 * runtime/engine.h they take a ticket (never NULL) and are done once.
 */
#ifndef RUNTIME_VOLUME_VOLUME_H
#define RUNTIME_VOLUME_VOLUME_H

#include "runtime/engine.h"

struct volume_info {
	char name[256];
	int64_t created_ns; /* wall clock */
	bool anonymous;     /* its name is 64 digits */
};

struct volume_list {
	size_t count;
	struct volume_info *infos; /* sorted by name */
};
void volume_list_deinit(struct volume_list *list);
DEFINE_AUTO_DEINIT(struct volume_list, volume_list_deinit);

/* A new, empty, named volume: 0755, root's, durable on return. -EEXIST "there is a volume 'x'
 * already"; -EINVAL, -ENAMETOOLONG: not a name as containers have them (64 digits are an
 * anonymous one's, which nobody makes by hand). */
int engine_create_volume(struct engine *engine, struct ticket *ticket, const char *name,
			 struct error *err);
/* Either kind. -ENOENT "no such volume: x"; -EBUSY "volume 'data' is used by container 'web'". Gone
 * from sight on return; its content goes in the background. */
int engine_remove_volume(struct engine *engine, struct ticket *ticket, const char *name,
			 struct error *err);

/* False: there is none of that name (ret, which may be NULL, is untouched). */
bool engine_find_volume(struct engine *engine, const char *name, struct volume_info *ret);
/* 0 or -ENOMEM. */
int engine_list_volumes(struct engine *engine, struct volume_list *ret);
/* Directory descriptor (O_RDONLY) of ROOT/volumes/NAME, the caller's; -ENOENT "no such volume: x". */
int engine_open_volume(struct engine *engine, const char *name, struct error *err);

/* Docker's Mounts of inspect: a new list, NULL when memory ran out. */
json_t *container_view_make_mounts(const struct container_view *view);

struct volume_prune {
	bool all;     /* named ones too */
	bool dry_run; /* remove nothing, only tell */
	/* Is it as if this container were gone already? For dry_run alone; NULL: none is. */
	bool (*is_gone)(void *arg, const struct container_view *view);
	void (*tell)(void *arg, const char *name); /* called for each one, after its removal */
	void *arg;
};
/* Remove what no container uses: anonymous volumes.
 *
 * 0, or the first failure; the others are removed all the same. -EINTR: cancelled in between. */
int engine_prune_volumes(struct engine *engine, struct ticket *ticket,
			 const struct volume_prune *prune, struct error *err);

#endif
