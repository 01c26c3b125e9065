/* The list of a container's mounts, kept: in its view, and in volumes.json of its
 * directory, written before any of the volumes is made.
 *
 * The list changes at the create, at an update, at a start, and when somebody who
 * inherits from a container asks for what that one has not decided yet. All but
 * the first do so under the claim of the container's id among the volumes' names,
 * one after the other, so that a destination never gets two anonymous volumes.
 */
#include "runtime/volume/volume_private.h"

#include "base/log.h"
#include "base/path.h"

#include <fcntl.h>
#include <string.h>

#define FILE_NAME "volumes.json"
/* In the trash: the anonymous volumes go as well. */
#define MARKER "remove-volumes"
#define CHAIN_MAX 16

/* --- volumes.json ---------------------------------------------------------------- */

int volume_write_list(int dir_fd, const json_t *list, bool durable, struct error *err)
{
	if (json_array_size(list) > 0)
		return json_replace_file(dir_fd, FILE_NAME, list, 0600, durable, err);
	if (unlinkat(dir_fd, FILE_NAME, 0) < 0 && errno != ENOENT)
		return error_set_sys(err, errno, "cannot remove " FILE_NAME);
	return 0;
}

int volume_load_list(struct container_view *view, int dir_fd, struct error *err)
{
	auto_json json_t *list = NULL;
	struct error cause = ERROR_INIT;
	int ret = json_read_file(dir_fd, FILE_NAME, &list, &cause);
	const json_t *item;
	size_t i;

	if (ret == -ENOENT)
		return 0;
	if (ret < 0)
		return error_set(err, cause.code, "%s", cause.msg);
	if (!json_is_array(list))
		return error_set(err, EIO, FILE_NAME " is not a list");
	json_array_foreach(list, i, item)
		if (!json_is_object(item))
			return error_set(err, EIO, FILE_NAME " does not hold objects");
	view->mounts = steal_ptr(&list);
	return 0;
}

/* Publish and store, under the claim. */
static int keep_list(struct container *c, const json_t *list, struct error *err)
{
	struct container_view *view;
	int ret = volume_write_list(container_get_dir_fd(c), list, true, err);

	if (ret < 0)
		return ret;
	view = container_edit(c);
	json_decref(view->mounts);
	view->mounts = json_incref((json_t *)list);
	container_publish(c, view);
	return 0;
}

/* --- deciding -------------------------------------------------------------------- */

static int decide(struct container *c, const json_t *effective, json_t **ret, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	auto_json json_t *list = NULL;
	int failure = volume_resolve(c->engine, effective, view->mounts, &list, err);

	if (failure == 0 && !json_equal(list, view->mounts))
		failure = keep_list(c, list, err);
	if (failure == 0 && ret)
		*ret = steal_ptr(&list);
	return failure;
}

static int decide_sources(struct engine *engine, const json_t *effective, unsigned depth,
			  struct error *err);

/* One that others inherit from and that has not decided yet. */
static int decide_source(struct container *c, unsigned depth, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int ret;

	if (view->mounts || view->damaged)
		return 0;
	ret = decide_sources(c->engine, view->effective, depth + 1, err);
	if (ret == 0)
		ret = volumes_claim(c->engine->volumes, c->id, err);
	if (ret < 0)
		return ret;
	ret = decide(c, view->effective, NULL, err);
	volumes_release(c->engine->volumes, c->id);
	return ret;
}

static int decide_sources(struct engine *engine, const json_t *effective, unsigned depth,
			  struct error *err)
{
	const json_t *item;
	int ret = 0;
	size_t i;

	if (depth > CHAIN_MAX)
		return error_set(err, EINVAL,
				 "VolumesFrom leads in a circle, or through more than "
				 "%d containers",
				 CHAIN_MAX);
	json_array_foreach(json_object_get(effective, "VolumesFrom"), i, item) {
		const char *text = json_string_value(item);
		auto_free char *ref = strndup(text, strcspn(text, ":"));
		AUTO(container_unref)
		struct container *source = ref ? engine_resolve(engine, ref, NULL) : NULL;

		if (ret == 0 && source)
			ret = decide_source(source, depth, err);
	}
	return ret;
}

int volume_decide(struct container *c, const json_t *effective, json_t **ret, struct error *err)
{
	int failure = decide_sources(c->engine, effective, 0, err);

	if (failure == 0)
		failure = volumes_claim(c->engine->volumes, c->id, err);
	if (failure < 0)
		return failure;
	failure = decide(c, effective, ret, err);
	volumes_release(c->engine->volumes, c->id);
	return failure;
}

int volume_decide_new(struct container *c, struct container_view *view, struct error *err)
{
	int ret = decide_sources(c->engine, view->effective, 0, err);

	return ret < 0 ? ret : volume_resolve(c->engine, view->effective, NULL, &view->mounts, err);
}

static int set_copied(struct container *c, const char *name, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	auto_json json_t *list = json_deep_copy(view->mounts);
	json_t *item;
	size_t i;

	if (view->mounts && !list)
		return error_set(err, ENOMEM, "no memory for a list of mounts");
	json_array_foreach(list, i, item)
		if (!strcmp(json_get_str(item, "Name", ""), name) &&
		    json_object_set_new(item, "_copied", json_true()) < 0)
			return error_set(err, ENOMEM, "no memory for a list of mounts");
	return json_equal(list, view->mounts) ? 0 : keep_list(c, list, err);
}

int volume_note_copied(struct container *c, const char *name, struct error *err)
{
	int ret = volumes_claim(c->engine->volumes, c->id, err);

	if (ret < 0)
		return ret;
	ret = set_copied(c, name, err);
	volumes_release(c->engine->volumes, c->id);
	return ret;
}

/* --- rm -v ----------------------------------------------------------------------- */

static bool has_anonymous(const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (json_get_bool(item, "_anonymous", false))
			return true;
	return false;
}

int volume_mark_removal(struct container *c, bool volumes, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int dir_fd = container_get_dir_fd(c);
	int fd;

	if (!has_anonymous(view->mounts) || dir_fd < 0)
		return 0;
	if (!volumes) {
		unlinkat(dir_fd, MARKER, 0);
		return 0;
	}
	fd = openat(dir_fd, MARKER, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot remove the volumes of container %s",
				     c->short_id);
	close(fd);
	return 0;
}

static bool is_itself(void *arg, const struct container_view *view)
{
	const struct container *c = arg;

	return strcmp(view->id, c->id) == 0;
}

/* What somebody else uses as well stays. */
static void remove_unused(struct container *c, const char *name)
{
	struct engine *engine = c->engine;
	char user[CONTAINER_NAME_SIZE];
	struct error err = ERROR_INIT;

	if (volumes_claim(engine->volumes, name, &err) == 0) {
		if (engine_find_volume(engine, name, NULL) &&
		    !volume_find_user(engine, name, is_itself, c, user))
			volumes_drop(engine, name, &err);
		volumes_release(engine->volumes, name);
	}
	if (err.code)
		log_warn("container %s: %s", c->short_id, err.msg);
}

void volume_remove_marked(struct container *c)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int dir_fd = container_get_dir_fd(c);
	const json_t *item;
	size_t i;

	if (dir_fd < 0 || faccessat(dir_fd, MARKER, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	json_array_foreach(view->mounts, i, item)
		if (json_get_bool(item, "_anonymous", false))
			remove_unused(c, json_get_str(item, "Name", ""));
}
