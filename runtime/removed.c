/* Containers that were removed while files of them may be open.
 *
 * A removed container lives on as long as somebody refers to it: its log can be
 * read to its end and its exit code be asked for. The references of an engine
 * that was killed went with it, but not the files that were open: the kernel asks
 * the next engine about them. So that one takes what lies in the trash, and what
 * is removed while it recovers, for referenced until it has been told that all
 * open files have found their containers again.
 */
#include "runtime/volume/volume_private.h"

#include "base/num.h"

#include <fcntl.h>
#include <string.h>

void removed_keep(struct container *c)
{
	struct engine *engine = c->engine;
	struct container **list;

	pthread_mutex_lock(&engine->removed_lock);
	/* Without memory an open file of it fails, and nothing else. */
	if (engine->keeps_removed &&
	    (list = reallocarray(engine->removed, engine->removed_count + 1,
				 sizeof(struct container *)))) {
		engine->removed = list;
		engine->removed[engine->removed_count++] = container_ref(c);
	}
	pthread_mutex_unlock(&engine->removed_lock);
}

static void empty(void *arg)
{
	store_empty_trash(arg);
}

void removed_recover(struct engine *engine, const char *entry)
{
	const char *id = store_get_trash_id(entry);
	AUTO(container_unref)
	struct container *c = num_is_hex(id, 64) ? container_new(engine, id) : NULL;
	int fd = c ? openat(engine->containers_fd, entry,
			    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
		   : -1;
	enum told told;

	if (fd < 0) {
		store_sweep(engine, entry);
		return;
	}
	atomic_store(&c->dir_fd, fd);
	recover_state(c);
	c->view->state = CONTAINER_EXITED;
	c->removed = c->is_trashed = true;
	told = recover_find_told(c);
	if (told != TOLD_DESTROY && told != TOLD_NOTHING)
		container_emit(c, "destroy", NULL, NULL);
	removed_keep(c);
	engine_submit(c, empty);
}

void removed_finish_volumes(struct engine *engine)
{
	/* While recovering nobody else adds or takes away. */
	for (size_t i = 0; i < engine->removed_count; i++)
		volume_remove_marked(engine->removed[i]);
}

struct container *engine_find_removed(struct engine *engine, uint64_t key)
{
	struct container *c = NULL;

	pthread_mutex_lock(&engine->removed_lock);
	for (size_t i = 0; i < engine->removed_count && !c; i++)
		if (engine->removed[i]->key == key)
			c = container_ref(engine->removed[i]);
	pthread_mutex_unlock(&engine->removed_lock);
	return c;
}

void engine_forget_removed(struct engine *engine)
{
	struct container **list;
	size_t count;

	pthread_mutex_lock(&engine->removed_lock);
	list = steal_ptr(&engine->removed);
	count = engine->removed_count;
	engine->removed_count = 0;
	engine->keeps_removed = false;
	pthread_mutex_unlock(&engine->removed_lock);
	for (size_t i = 0; i < count; i++)
		container_unref(list[i]);
	free(list);
}
