/* What a container mounts: its configuration, what it inherits, and what it has had
 * before, put together into one list by destination.
 *
 * An entry is Docker's object of inspect with members of ours behind it, which
 * begin with '_':
 *
 *   _anonymous  the volume was made for a container and goes with it by rm -v
 *   _copied     the image's content is in it (or it was not empty)
 *   _nocopy     nothing is to be copied
 *   _from       id of the container that a mount is inherited from, in the end
 *   _ref        what VolumesFrom calls the one that it is inherited from
 *   _kept       not mounted any more, but still this container's anonymous volume
 *   _flags _data  of a tmpfs
 *
 * For one destination a bind, a mount or a tmpfs that the configuration gives comes
 * first, then what is inherited (the first who has it), then an anonymous volume:
 * the image's VOLUME must not hide the very data that --volumes-from is for.
 */
#include "runtime/volume/volume_private.h"

#include "base/random.h"
#include "runtime/config/mountspec.h"

#include <string.h>

struct resolver {
	struct engine *engine;
	const json_t *old; /* the list so far, or NULL */
	json_t *list;
	struct error *err;
};

static int no_memory(struct error *err)
{
	return error_set(err, ENOMEM, "no memory for a list of mounts");
}

json_t *volume_find_mount(const json_t *list, const char *destination)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!json_get_bool(item, "_kept", false) &&
		    !strcmp(json_get_str(item, "Destination", ""), destination))
			return item;
	return NULL;
}

/* --- own mounts ----------------------------------------------------------------- */

/* The anonymous volume that this destination had before. */
static const char *find_old_name(const struct resolver *r, const char *destination)
{
	const json_t *item;
	size_t i;

	json_array_foreach(r->old, i, item)
		if (json_get_bool(item, "_anonymous", false) && !json_object_get(item, "_from") &&
		    !strcmp(json_get_str(item, "Destination", ""), destination))
			return json_get_str(item, "Name", NULL);
	return NULL;
}

static bool was_copied(const struct resolver *r, const char *destination, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(r->old, i, item)
		if (!strcmp(json_get_str(item, "Destination", ""), destination) &&
		    !strcmp(json_get_str(item, "Name", ""), name))
			return json_get_bool(item, "_copied", false);
	return false;
}

static json_t *make_volume(const struct resolver *r, const struct mountspec *spec)
{
	const char *name = *spec->source ? spec->source : find_old_name(r, spec->target);
	char id[VOLUME_ID_SIZE];

	if (!name) {
		random_id(id);
		name = id;
	}
	/* clang-format off */
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:s, s:b, s:s, s:b, s:b, s:b}",
		"Type", "volume",
		"Name", name,
		"Source", json_sprintf("%s/volumes/%s", r->engine->root, name),
		"Destination", spec->target,
		"Driver", "local",
		"Mode", spec->mode,
		"RW", !spec->read_only,
		"Propagation", "",
		"_anonymous", !*spec->source,
		"_nocopy", (int)spec->no_copy,
		"_copied", (int)was_copied(r, spec->target, name));
	/* clang-format on */
}

static json_t *make_entry(const struct resolver *r, const struct mountspec *spec)
{
	const char *propagation = *spec->propagation ? spec->propagation : "rprivate";

	if (spec->type == MOUNT_VOLUME)
		return make_volume(r, spec);
	if (spec->type == MOUNT_BIND)
		return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s}", "Type", "bind", "Source",
				 spec->source, "Destination", spec->target, "Mode", spec->mode,
				 "RW", !spec->read_only, "Propagation", propagation);
	return json_pack("{s:s, s:s, s:s, s:s, s:b, s:s, s:I, s:s}", "Type", "tmpfs", "Source", "",
			 "Destination", spec->target, "Mode", "", "RW", !spec->read_only,
			 "Propagation", "", "_flags", (json_int_t)spec->flags, "_data", spec->data);
}

static int add_own(struct resolver *r, const struct mountspec *spec)
{
	if (volume_find_mount(r->list, spec->target))
		return error_set(r->err, EINVAL, "two mounts for '%s'", spec->target);
	return json_array_append_new(r->list, make_entry(r, spec)) < 0 ? no_memory(r->err) : 0;
}

static int add_binds(struct resolver *r, const json_t *host)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(host, "Binds"), i, item) {
		AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;
		int ret = mountspec_parse_bind(json_string_value(item), &spec, r->err);

		if (ret == 0)
			ret = add_own(r, &spec);
		if (ret < 0)
			return error_wrap(r->err, ret, "Binds");
	}
	return 0;
}

static int add_mounts(struct resolver *r, const json_t *host)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(host, "Mounts"), i, item) {
		AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;
		int ret = mountspec_parse_mount(item, &spec, r->err);

		if (ret == 0)
			ret = add_own(r, &spec);
		if (ret < 0)
			return error_wrap(r->err, ret, "Mounts");
	}
	return 0;
}

static int add_tmpfs(struct resolver *r, const json_t *host)
{
	json_t *object = json_object_get(host, "Tmpfs");
	const char *target;
	json_t *item;

	json_object_foreach(object, target, item) {
		AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;
		int ret = mountspec_parse_tmpfs(target, json_string_value(item), &spec, r->err);

		if (ret == 0)
			ret = add_own(r, &spec);
		if (ret < 0)
			return error_wrap(r->err, ret, "Tmpfs");
	}
	return 0;
}

static int add_volumes(struct resolver *r, const json_t *effective)
{
	json_t *object = json_object_get(effective, "Volumes");
	const char *target;
	json_t *item;

	json_object_foreach(object, target, item) {
		AUTO(mountspec_deinit) struct mountspec spec = MOUNTSPEC_INIT;
		int ret = mountspec_parse_volume(target, &spec, r->err);

		if (ret < 0)
			return error_wrap(r->err, ret, "Volumes");
		/* The same place may be written in two ways. */
		if (!volume_find_mount(r->list, spec.target) && (ret = add_own(r, &spec)) < 0)
			return ret;
	}
	return 0;
}

/* --- inherited ones --------------------------------------------------------------- */

/* id: of whom it is inherited; NULL: as it was recorded. */
static int inherit(struct resolver *r, const json_t *entry, const char *id, const char *ref,
		   bool read_only)
{
	const char *destination = json_get_str(entry, "Destination", "");
	auto_json json_t *copy = NULL;

	if (json_get_bool(entry, "_kept", false) ||
	    !strcmp(json_get_str(entry, "Type", ""), "tmpfs") ||
	    volume_find_mount(r->list, destination))
		return 0;
	copy = json_deep_copy(entry);
	if (!copy || json_object_set_new(copy, "_ref", json_string(ref)) < 0)
		return no_memory(r->err);
	if (read_only && json_object_set_new(copy, "RW", json_false()) < 0)
		return no_memory(r->err);
	if (id && !json_object_get(copy, "_from") &&
	    json_object_set_new(copy, "_from", json_string(id)) < 0)
		return no_memory(r->err);
	return json_array_append(r->list, copy) < 0 ? no_memory(r->err) : 0;
}

/* The one that it came from has gone: what came stays. */
static int inherit_recorded(struct resolver *r, const char *ref, bool read_only,
			    struct error *cause)
{
	const json_t *item;
	bool found = false;
	int ret = 0;
	size_t i;

	json_array_foreach(r->old, i, item) {
		if (ret < 0 || strcmp(json_get_str(item, "_ref", ""), ref) != 0)
			continue;
		found = true;
		ret = inherit(r, item, NULL, ref, read_only);
	}
	return found ? ret : error_set(r->err, cause->code, "VolumesFrom: %s", cause->msg);
}

static int add_from(struct resolver *r, const char *text)
{
	AUTO(container_unref) struct container *source = NULL;
	AUTO(container_view_unref) struct container_view *view = NULL;
	struct error cause = ERROR_INIT;
	auto_free char *ref = NULL;
	const json_t *item;
	bool read_only;
	int ret = mountspec_parse_from(text, &ref, &read_only, r->err);
	size_t i;

	if (ret < 0)
		return error_wrap(r->err, ret, "VolumesFrom");
	source = engine_resolve(r->engine, ref, &cause);
	if (!source)
		return inherit_recorded(r, ref, read_only, &cause);
	view = container_get_view(source);
	json_array_foreach(view->mounts, i, item)
		if (ret == 0)
			ret = inherit(r, item, view->id, ref, read_only);
	return ret;
}

static int add_inherited(struct resolver *r, const json_t *effective)
{
	const json_t *item;
	size_t i;
	int ret;

	json_array_foreach(json_object_get(effective, "VolumesFrom"), i, item) {
		ret = add_from(r, json_string_value(item));
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* --- what is no longer mounted ---------------------------------------------------- */

static bool has_volume(const json_t *list, const char *name)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
		if (!strcmp(json_get_str(item, "Name", ""), name))
			return true;
	return false;
}

/* An anonymous volume whose destination has left the configuration is nobody else's. */
static int keep_old(struct resolver *r)
{
	json_t *item;
	size_t i;

	json_array_foreach(r->old, i, item) {
		auto_json json_t *copy = NULL;

		if (!json_get_bool(item, "_anonymous", false) || json_object_get(item, "_from") ||
		    has_volume(r->list, json_get_str(item, "Name", "")))
			continue;
		copy = json_deep_copy(item);
		if (!copy || json_object_set_new(copy, "_kept", json_true()) < 0 ||
		    json_array_append(r->list, copy) < 0)
			return no_memory(r->err);
	}
	return 0;
}

int volume_resolve(struct engine *engine, const json_t *effective, const json_t *old, json_t **ret,
		   struct error *err)
{
	const json_t *host = json_object_get(effective, "HostConfig");
	auto_json json_t *list = json_array();
	struct resolver r = { .engine = engine, .old = old, .list = list, .err = err };
	int failure = list ? add_binds(&r, host) : no_memory(err);

	if (failure == 0)
		failure = add_mounts(&r, host);
	if (failure == 0)
		failure = add_tmpfs(&r, host);
	if (failure == 0)
		failure = add_inherited(&r, effective);
	if (failure == 0)
		failure = add_volumes(&r, effective);
	if (failure == 0)
		failure = keep_old(&r);
	if (failure < 0)
		return failure;
	*ret = steal_ptr(&list);
	return 0;
}

/* --- showing ---------------------------------------------------------------------- */

json_t *container_view_make_mounts(const struct container_view *view)
{
	auto_json json_t *shown = json_array();
	const json_t *item;
	size_t i;

	json_array_foreach(view->mounts, i, item) {
		json_t *object = (json_t *)item;
		auto_json json_t *copy = json_object();
		const char *key;
		json_t *value;

		if (json_get_bool(item, "_kept", false))
			continue;
		json_object_foreach(object, key, value)
			if (*key != '_' && json_object_set(copy, key, value) < 0)
				return NULL;
		if (json_array_append(shown, copy) < 0)
			return NULL;
	}
	return steal_ptr(&shown);
}
