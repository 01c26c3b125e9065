/* Who uses which volume. There is no count that could be wrong: the containers
 * that exist are asked, each time, by what they ask for and by what they have.
 */
#include "runtime/volume/volume_private.h"

#include <stdio.h>
#include <string.h>

/* "NAME:..." of Binds. */
static bool is_bind_of(const char *bind, const char *name)
{
	size_t len = strlen(name);

	return bind && !strncmp(bind, name, len) && bind[len] == ':';
}

static bool is_asked_for(const json_t *config, const char *name)
{
	const json_t *host = json_object_get(config, "HostConfig");
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(host, "Binds"), i, item)
		if (is_bind_of(json_string_value(item), name))
			return true;
	json_array_foreach(json_object_get(host, "Mounts"), i, item)
		if (!strcmp(json_get_str(item, "Type", ""), "volume") &&
		    !strcmp(json_get_str(item, "Source", ""), name))
			return true;
	return false;
}

/* A bind of MNT/volumes/NAME or of what is below it, as it is written. */
static bool is_bind_behind(const char *mnt, const char *source, const char *name)
{
	size_t mnt_len = mnt ? strlen(mnt) : 0, len = strlen(name);

	if (!mnt_len || strncmp(source, mnt, mnt_len) != 0 ||
	    strncmp(source + mnt_len, "/volumes/", 9) != 0)
		return false;
	source += mnt_len + 9;
	return !strncmp(source, name, len) && (source[len] == '\0' || source[len] == '/');
}

static bool is_mounted(const char *mnt, const json_t *mounts, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(mounts, i, item)
		if (!strcmp(json_get_str(item, "Name", ""), name) ||
		    is_bind_behind(mnt, json_get_str(item, "Source", ""), name))
			return true;
	return false;
}

bool volume_is_named_by(const struct engine *engine, const struct container_view *view,
			const char *name)
{
	return is_asked_for(view->config, name) || is_mounted(engine->mnt, view->mounts, name);
}

bool volume_find_user(struct engine *engine, const char *name,
		      bool (*passes_over)(void *arg, const struct container_view *view), void *arg,
		      char ret_user[CONTAINER_NAME_SIZE])
{
	AUTO(container_list_deinit) struct container_list list = { .count = 0, .views = NULL };

	/* Without memory nobody knows; a removal that is refused does no harm. */
	snprintf(ret_user, CONTAINER_NAME_SIZE, "?");
	if (engine_list(engine, &list) < 0)
		return true;
	for (size_t i = 0; i < list.count; i++) {
		const struct container_view *view = list.views[i];

		if ((passes_over && passes_over(arg, view)) ||
		    !volume_is_named_by(engine, view, name))
			continue;
		snprintf(ret_user, CONTAINER_NAME_SIZE, "%s", view->name);
		return true;
	}
	return false;
}
