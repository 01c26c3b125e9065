/* What happens below reaches the mount here: containers and images that changed, events, wake-ups.
 */
#ifndef FS_CHANGES_H
#define FS_CHANGES_H

#include "fs/fs.h"

/* Have the kernel forget the names of containers that went, or were renamed, around the death of the
 * engine before. Before the first request, when the invalidator is there. */
void changes_take_over(struct fs *fs);

/* The callbacks; arg is the struct fs. */
void changes_on_container(void *arg, uint64_t key);
void changes_on_image(void *arg, const char *action, const char *image_id, const char *name);
void changes_on_volume(void *arg, const char *name);
void changes_on_event(void *arg);
/* The invalidator's. */
bool changes_has_name(void *arg, uint64_t dir, const char *name);
const char *changes_find_image_user(void *arg, const char *image_id);
/* struct park's: on the waker's thread. */
void changes_on_wake(void *arg, uint64_t key);

#endif
