/* rename and update: what changes of a container without a process.
 *
 * Validate, apply to the kernel, write, publish: a step that fails takes the
 * ones before it back, and nobody has seen anything.
 */
#include "runtime/volume/volume_private.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* --- rename ----------------------------------------------------------------- */

static int rename_in_turn(struct container *c, struct ticket *ticket, const char *name,
			  struct error *err)
{
	AUTO(container_view_unref) struct container_view *old = container_get_view(c);
	struct table *table = &c->engine->table;
	struct container_view *view;
	int ret = container_check(c, false, err);

	if (ret < 0)
		return ret;
	if (old->has_name && !strcmp(old->name, name))
		return ticket->resumed ? 0
				       : error_set(err, EEXIST,
						   "the container is called '%s' already", name);
	ret = table_reserve_name(table, c, name, err);
	if (ret < 0)
		return ret;
	ret = store_write_meta(c, name, err);
	if (ret < 0) {
		table_drop_name(table, c, name);
		return ret;
	}
	/* Before anyone hears of it the new name is found and the old one is not. */
	table_take_name(table, c, name);
	view = container_edit(c);
	snprintf(view->name, sizeof(view->name), "%s", name);
	view->has_name = true;
	container_publish(c, view);
	network_follow_name(c);
	container_emit(c, "rename", "oldName", old->name);
	return 0;
}

int container_rename(struct container *c, struct ticket *ticket, const char *name,
		     struct error *err)
{
	struct turn turn;
	int ret = config_check_name(name, err);

	if (ret == 0)
		ret = container_take_turn(c, &turn, ticket, err);
	if (ret == 0) {
		ret = rename_in_turn(c, ticket, name, err);
		container_leave_turn(c, &turn);
	}
	return ret;
}

/* --- update ----------------------------------------------------------------- */

/* Of those that can change live. */
static bool limits_are_equal(const struct cgroup_limits *a, const struct cgroup_limits *b)
{
	return a->memory == b->memory && a->memory_swap == b->memory_swap &&
	       a->memory_reservation == b->memory_reservation && a->cpu_shares == b->cpu_shares &&
	       a->nano_cpus == b->nano_cpus && a->cpu_period_us == b->cpu_period_us &&
	       a->cpu_quota_us == b->cpu_quota_us && !strcmp(a->cpuset_cpus, b->cpuset_cpus) &&
	       !strcmp(a->cpuset_mems, b->cpuset_mems) && a->pids == b->pids;
}

/* Put the limits of `to` in force where they differ from those of `from`. */
static int apply_limits(struct container *c, const json_t *from, const json_t *to,
			struct error *err)
{
	AUTO(config_deinit) struct config before = { .argv = NULL };
	AUTO(config_deinit) struct config after = { .argv = NULL };
	int ret = config_decode(from, false, &before, err);

	if (ret == 0)
		ret = config_decode(to, false, &after, err);
	if (ret < 0 || limits_are_equal(&before.limits, &after.limits))
		return ret;
	return cgroup_update(c->engine->cgroups, c->id, &after.limits, err);
}

static struct image *find_image_quietly(struct container *c, const struct container_view *view,
					const json_t *asked)
{
	const char *name = json_get_str(asked, "Image", "");
	bool same = !strcmp(name, json_get_str(view->config, "Image", ""));
	struct image *image = NULL;

	if (same && *view->image_id)
		image = graph_find_image(c->engine->graph, view->image_id, NULL);
	if (!image && *name)
		image = graph_find_image(c->engine->graph, name, NULL);
	return image;
}

static void publish_config(struct container *c, json_t *asked, json_t *effective)
{
	struct container_view *view = container_edit(c);
	const char *before = json_get_str(view->config, "Image", "");
	bool same_image = !strcmp(before, json_get_str(asked, "Image", ""));

	json_decref(view->config);
	json_decref(view->effective);
	view->config = json_incref(asked);
	view->effective = json_incref(effective);
	if (!same_image) {
		/* The next start, or the next look into rootfs, pins the new one. */
		free(c->image_name);
		c->image_name = NULL;
		view->image_id[0] = '\0';
	}
	container_publish(c, view);
}

static int update_in_turn(struct container *c, const json_t *patch, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	auto_json json_t *asked = NULL, *effective = NULL;
	AUTO(image_unref) struct image *image = NULL;
	bool live = container_view_is_live(view);
	struct error late = ERROR_INIT;
	int ret = container_check(c, false, err);

	if (ret == 0)
		ret = config_apply(view->config, patch, live, &asked, err);
	if (ret < 0 || json_equal(asked, view->config))
		return ret;
	image = find_image_quietly(c, view, asked);
	ret = effective_of(c, image, asked, &effective, err);
	if (ret == 0 && live)
		ret = apply_limits(c, view->effective, effective, err);
	if (ret < 0)
		return ret;
	ret = store_write_config(c, asked, true, err);
	if (ret < 0) {
		if (live && apply_limits(c, effective, view->effective, NULL) < 0)
			log_warn("container %s: the old limits could not be put back", c->short_id);
		return ret;
	}
	publish_config(c, asked, effective);
	policy_reconsider(c);
	if (live)
		oom_watch(c);
	/* What cannot be decided now (a container that is not there yet) the start tells. */
	if (!live && volume_decide(c, effective, NULL, &late) < 0)
		log_info("container %s: %s", c->short_id, late.msg);
	container_emit(c, "update", NULL, NULL);
	return 0;
}

int container_update(struct container *c, struct ticket *ticket, const json_t *patch,
		     struct error *err)
{
	struct turn turn;
	int ret = container_take_turn(c, &turn, ticket, err);

	if (ret == 0) {
		ret = update_in_turn(c, patch, err);
		container_leave_turn(c, &turn);
	}
	return ret;
}
