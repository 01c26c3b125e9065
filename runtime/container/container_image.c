/* Which image a container is made from, and its root file system.
 *
 * The image is found by name once and pinned by id, as Docker does: a tag that
 * moves later does not put another lower layer under the container's changes.
 * It is looked up again when config names another one, or when it has gone.
 * The pin also keeps the image from being removed (engine_find_image_user).
 */
#include "runtime/engine_private.h"

#include "base/log.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* While the end of a run is worked on, its pid is dead and its mount not yet free. */
#define EXPOSE_TRIES 5

int effective_of(const struct container *c, const struct image *image, const json_t *asked,
		 json_t **ret, struct error *err)
{
	auto_json json_t *merged = NULL;
	int r = config_merge_image(asked, image ? image->config : NULL, &merged, err);

	if (r < 0 || c->log_defaults)
		return r < 0 ? r : config_add_log_defaults(merged, c->log_defaults, ret, err);
	*ret = steal_ptr(&merged);
	return 0;
}

/* With the view's copy being edited, or not published at all. */
static void set_pin_locked(struct container *c, struct container_view *view, const char *name,
			   const struct image *image)
{
	memcpy(view->image_id, image->id, sizeof(view->image_id));
	free(c->image_name);
	c->image_name = strdup(name);
}

static int pin(struct container *c, const char *name, const struct image *image, struct error *err)
{
	struct container_view *view;
	int ret = rootfs_hide_idle(c->engine->rootfs, c->id); /* it has other layers below */

	if (ret < 0)
		return error_set(
			err, -ret,
			"the root file system of container %s is in use with its old image",
			c->short_id);
	view = container_edit(c);
	set_pin_locked(c, view, name, image);
	container_publish(c, view);
	return store_write_meta(c, NULL, err);
}

static struct image *find_pinned(struct container *c, const char *name, const char *image_id)
{
	bool pinned;

	pthread_mutex_lock(&c->lock);
	pinned = *image_id && c->image_name && !strcmp(c->image_name, name);
	pthread_mutex_unlock(&c->lock);
	return pinned ? graph_find_image(c->engine->graph, image_id, NULL) : NULL;
}

struct image *image_of_container(struct container *c, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	const char *name = json_get_str(view->config, "Image", "");
	struct image *image;

	if (!*name) {
		error_set(err, ENOENT, "container '%s' has no image; set Image in its config",
			  view->name);
		return NULL;
	}
	image = find_pinned(c, name, view->image_id);
	if (image)
		return image;
	image = graph_find_image(c->engine->graph, name, err);
	if (image && pin(c, name, image, err) < 0) {
		image_unref(image);
		return NULL;
	}
	return image;
}

void image_note(struct container *c, struct container_view *view)
{
	const char *name = json_get_str(view->config, "Image", "");
	AUTO(image_unref)
	struct image *image = *name ? graph_find_image(c->engine->graph, name, NULL) : NULL;
	json_t *effective = NULL;

	if (effective_of(c, image, view->config, &effective, NULL) < 0)
		effective = json_incref(view->config);
	json_decref(view->effective);
	view->effective = effective;
	if (image)
		set_pin_locked(c, view, name, image);
}

/* --- root file systems ------------------------------------------------------ */

/* Its ids on the host: chosen if it has none yet, given back if it wants none any more. */
static int give_ids(struct container *c, bool wanted, struct id_range *ret, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int dir_fd = container_get_dir_fd(c);
	struct container_view *next;
	int failure = 0;

	if (wanted)
		failure = userns_table_claim(c->engine->userns, c->id, dir_fd, ret, err);
	else if (view->ids.size > 0)
		failure = userns_table_forget(c->engine->userns, c->id, dir_fd, err);
	if (failure < 0 || (view->ids.size > 0) == wanted)
		return failure;
	next = container_edit(c);
	next->ids = *ret;
	container_publish(c, next);
	return 0;
}

int rootfs_spec_fill(struct rootfs_spec *spec, struct container *c, struct image *image,
		     bool is_volatile, bool userns, pid_t pid, struct error *err)
{
	*spec = (struct rootfs_spec){ .id = c->id,
				      .layers_fd = graph_get_layers_fd(c->engine->graph),
				      .diff_ids = image->diff_ids,
				      .layer_count = image->layer_count,
				      .container_dir_fd = container_get_dir_fd(c),
				      .is_volatile = is_volatile,
				      .pid = pid,
				      .held_fd = &c->root_fd };
	return give_ids(c, userns, &spec->ids, err);
}

static int put_path(const struct engine *engine, const char *id, char *ret_path, size_t size,
		    struct error *err)
{
	int len = snprintf(ret_path, size, "%s/rootfs/%s", engine->run, id);

	if (len < 0 || (size_t)len >= size)
		return error_set(err, ENAMETOOLONG, "the path of the root file system is too long");
	return 0;
}

static bool is_not_ending(const struct container *c, uint64_t unused)
{
	(void)unused;
	return !c->ending;
}

static int expose_once(struct container *c, struct image *image, struct ticket *ticket,
		       struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = NULL;
	struct rootfs_spec spec;
	const json_t *host;
	int ret;

	pthread_mutex_lock(&c->lock);
	container_sleep_locked(c, ticket, is_not_ending, 0);
	view = container_view_ref(c->view);
	pthread_mutex_unlock(&c->lock);
	host = json_object_get(view->effective, "HostConfig");
	ret = rootfs_spec_fill(&spec, c, image, json_get_bool(host, "AutoRemove", false),
			       !strcmp(json_get_str(host, "UsernsMode", ""), "auto"),
			       container_view_is_live(view) ? view->pid : 0, err);
	return ret < 0 ? ret : rootfs_expose(c->engine->rootfs, &spec, err);
}

/* The run may end under our hands: its mount is then had afresh. */
static int expose_in_turn(struct container *c, struct ticket *ticket, struct error *err)
{
	AUTO(image_unref) struct image *image = image_of_container(c, err);
	int ret = -EAGAIN;

	if (!image)
		return err ? -err->code : -ENOENT;
	for (int i = 0; ret < 0 && i < EXPOSE_TRIES; i++) {
		AUTO(container_view_unref) struct container_view *view = container_get_view(c);

		error_clear(err);
		ret = expose_once(c, image, ticket, err);
		if (ret == 0 || !container_view_is_live(view))
			break;
		/* Most likely the process is gone whose mount was to be had, and its end
		 * is being noticed. */
		usleep(1000U << i);
	}
	return ret;
}

void image_note_exposed(struct container *c, bool exposed)
{
	bool was;

	pthread_mutex_lock(&c->lock);
	was = c->exposed_ns != 0;
	c->exposed_ns = exposed ? clock_monotonic_ns() : 0;
	pthread_mutex_unlock(&c->lock);
	if (exposed && !was && atomic_fetch_add(&c->engine->exposed, 1) == 0)
		monitor_wake(c->engine->monitor);
	else if (!exposed && was)
		atomic_fetch_sub(&c->engine->exposed, 1);
}

/* With its turn, so that nobody is just being given the path. */
static void hide_idle(struct container *c, int64_t idle_ns)
{
	struct ticket ticket;
	struct turn turn;
	bool idle;

	pthread_mutex_lock(&c->lock);
	idle = c->exposed_ns && c->exposed_ns + idle_ns <= clock_monotonic_ns();
	pthread_mutex_unlock(&c->lock);
	if (!idle)
		return;
	ticket_init(&ticket, 0, false);
	if (container_take_turn(c, &turn, &ticket, NULL) == 0) {
		pthread_mutex_lock(&c->lock);
		idle = c->exposed_ns && c->exposed_ns + idle_ns <= clock_monotonic_ns();
		pthread_mutex_unlock(&c->lock);
		if (idle && rootfs_hide_idle(c->engine->rootfs, c->id) == 0)
			image_note_exposed(c, false);
		container_leave_turn(c, &turn);
	}
	ticket_deinit(&ticket);
}

void image_hide_idle(struct engine *engine, int64_t idle_ns)
{
	struct container **all;
	size_t count;

	if (table_copy(&engine->table, &all, &count) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		hide_idle(all[i], idle_ns);
		container_unref(all[i]);
	}
	free(all);
}

int container_find_rootfs(struct container *c, char *ret_path, size_t size)
{
	int64_t now_ns = clock_monotonic_ns();
	bool is_fresh;

	pthread_mutex_lock(&c->lock);
	/* Long before it can be taken for idle. */
	is_fresh = !c->removed && c->exposed_ns && now_ns - c->exposed_ns < EXPOSED_IDLE_NS / 2;
	if (is_fresh)
		c->exposed_ns = now_ns;
	pthread_mutex_unlock(&c->lock);
	if (!is_fresh || !rootfs_is_exposed(c->engine->rootfs, c->id))
		return -EAGAIN;
	return put_path(c->engine, c->id, ret_path, size, NULL);
}

int container_expose_rootfs(struct container *c, char *ret_path, size_t size, struct error *err)
{
	struct ticket ticket;
	struct turn turn;
	int ret;

	ticket_init(&ticket, 0, false);
	ret = container_take_turn(c, &turn, &ticket, err);
	if (ret == 0) {
		ret = container_check(c, false, err);
		if (ret == 0)
			ret = expose_in_turn(c, &ticket, err);
		if (ret == 0)
			image_note_exposed(c, true);
		container_leave_turn(c, &turn);
	}
	ticket_deinit(&ticket);
	if (ret < 0)
		return error_wrap(err, ret, "rootfs");
	return put_path(c->engine, c->id, ret_path, size, err);
}

int engine_expose_image(struct engine *engine, struct image *image, char *ret_path, size_t size,
			struct error *err)
{
	const struct rootfs_spec spec = { .id = image->id,
					  .layers_fd = graph_get_layers_fd(engine->graph),
					  .diff_ids = image->diff_ids,
					  .layer_count = image->layer_count,
					  .container_dir_fd = -1 };
	int ret = rootfs_expose(engine->rootfs, &spec, err);

	if (ret < 0)
		return error_wrap(err, ret, "rootfs");
	return put_path(engine, image->id, ret_path, size, err);
}

void engine_hide_image(struct engine *engine, const char *image_id)
{
	struct error err = ERROR_INIT;

	if (rootfs_hide(engine->rootfs, image_id, &err) < 0)
		log_warn("image %.12s: %s", image_id, err.msg);
}
