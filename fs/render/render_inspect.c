/* The JSON objects of inspect, for containers and images, with Docker's field
 * names.
 *
 * Config and HostConfig show every key that a configuration may have, with its
 * default where nothing was asked for, so that a program can read a key without
 * asking for its presence; they are made from the table of keys. Memory,
 * MemorySwap, CpuShares, Dns and VolumesFrom are in Config, where they are kept.
 *
 * Values of the view are shared into the new object, never changed.
 */
#include "fs/render/render_private.h"

#include "base/num.h"
#include "runtime/config/config_schema.h"
#include "runtime/volume/volume.h"

#include <string.h>

#define DRIVER "overlay" /* of layers; Docker's inspect has its storage driver's name here */

/* --- configuration ------------------------------------------------------------ */

/* What a key says when nothing was asked for; NULL: no memory, or the key is left out. */
static json_t *make_default(const struct config_key *key)
{
	switch (key->type) {
	case CONFIG_BOOL:
		return json_false();
	case CONFIG_INT:
		return json_integer(0);
	case CONFIG_STRING:
		return json_string("");
	case CONFIG_ARGV:
		return json_null(); /* an empty one is a wish of its own */
	case CONFIG_STRINGS:
	case CONFIG_INTS:
	case CONFIG_OBJECTS:
		return json_array();
	case CONFIG_SET:
	case CONFIG_MAP:
	case CONFIG_OBJECT:
		break;
	}
	if (strcmp(key->name, "RestartPolicy") == 0)
		return json_pack("{s:s, s:i}", "Name", "no", "MaximumRetryCount", 0);
	return json_object();
}

/* Keys whose absence is no value of theirs: 0 seconds is not "as usual". */
static bool is_left_out(const struct config_key *key)
{
	return strcmp(key->name, "StopTimeout") == 0;
}

/* The members that live in one place (CONFIG_TOP, CONFIG_HOST). */
static json_t *make_config(const json_t *values, unsigned place)
{
	auto_json json_t *shown = json_object();
	bool ok = shown != NULL;

	for (size_t i = 0; ok && i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];
		json_t *value = json_object_get(values, key->name);

		if (config_key_home(key) != place || (!value && is_left_out(key)))
			continue;
		render_put(shown, key->name, value ? json_incref(value) : make_default(key), &ok);
	}
	return ok ? steal_ptr(&shown) : NULL;
}

/* Config, with the name that the container gives itself when none was asked for. */
static json_t *make_top_config(const struct container_view *view)
{
	auto_json json_t *config = make_config(view->effective, CONFIG_TOP);
	bool ok = config != NULL;

	if (ok && *json_get_str(config, "Hostname", "") == '\0')
		render_put(config, "Hostname", json_stringn(view->id, RENDER_SHORT_ID_LEN), &ok);
	return ok ? steal_ptr(&config) : NULL;
}

/* HostConfig, with the kind of log that all have unless they say so. */
static json_t *make_host_config(const struct container_view *view)
{
	auto_json json_t *host =
		make_config(json_object_get(view->effective, "HostConfig"), CONFIG_HOST);
	auto_json json_t *log = json_copy(json_object_get(host, "LogConfig"));
	bool ok = host && log;

	if (ok && *json_get_str(log, "Type", "") == '\0')
		render_put(log, "Type", json_string("json-file"), &ok);
	render_put(host, "LogConfig", steal_ptr(&log), &ok);
	return ok ? steal_ptr(&host) : NULL;
}

/* --- containers --------------------------------------------------------------- */

static json_t *make_state(const struct container_view *view)
{
	bool alive = view->state != CONTAINER_CREATED && view->state != CONTAINER_EXITED;
	auto_json json_t *state = json_object();
	bool ok = state != NULL;

	render_put(state, "Status", json_string(container_state_get_name(view->state)), &ok);
	render_put(state, "Running", json_boolean(alive), &ok);
	render_put(state, "Paused", json_boolean(view->state == CONTAINER_PAUSED), &ok);
	render_put(state, "Restarting", json_boolean(view->state == CONTAINER_RESTARTING), &ok);
	render_put(state, "OOMKilled", json_boolean(view->oom_killed), &ok);
	render_put(state, "Dead", json_false(), &ok);
	render_put(state, "Pid", json_integer(view->pid), &ok);
	render_put(state, "ExitCode", json_integer(view->exit_code), &ok);
	render_put(state, "Error", render_make_string(view->error), &ok);
	render_put(state, "StartedAt", render_make_time(view->started_ns), &ok);
	render_put(state, "FinishedAt", render_make_time(view->finished_ns), &ok);
	return ok ? steal_ptr(&state) : NULL;
}

/* "sha256:..." or "". */
static json_t *make_digest(const char *hex)
{
	return *hex ? json_sprintf("sha256:%s", hex) : json_string("");
}

/* Path and Args: the first word of process 1, and the rest. */
static void put_command(json_t *object, const struct container_view *view, bool *ok)
{
	json_t *argv = render_make_argv(view);
	json_t *first = json_array_get(argv, 0);

	if (!argv) {
		*ok = false;
		return;
	}
	render_put(object, "Path", first ? json_incref(first) : json_string(""), ok);
	if (first)
		json_array_remove(argv, 0);
	render_put(object, "Args", argv, ok);
}

static json_t *make_map(unsigned base, unsigned size)
{
	return json_pack("[o]", json_sprintf("0:%u:%u", base, size));
}

/* As podman has it: which ids its own are on the host. */
static json_t *make_mappings(const struct id_range *ids)
{
	auto_json json_t *mappings = json_object();
	bool ok = mappings != NULL;

	render_put(mappings, "UidMap", make_map(ids->uid_base, ids->size), &ok);
	render_put(mappings, "GidMap", make_map(ids->gid_base, ids->size), &ok);
	return ok ? steal_ptr(&mappings) : NULL;
}

/* The files of a run, in a directory of its own; who shares another's network has that one's. */
static json_t *make_run_path(const struct container_view *view, const char *run, const char *name)
{
	const json_t *host = json_object_get(view->effective, "HostConfig");
	const char *mode = json_get_str(host, "NetworkMode", "");
	bool has_file = view->pid > 0 && strncmp(mode, "container:", 10) != 0;

	if (!has_file)
		return json_string("");
	return json_sprintf("%s/%.*s/%s", run, RENDER_SHORT_ID_LEN, view->id, name);
}

/* A file of its directory in the mount. */
static json_t *make_file_path(const struct container_view *view, const char *mnt, const char *name)
{
	return json_sprintf("%s/containers/%s/%s", mnt, view->name, name);
}

static void put_paths(json_t *object, const struct container_view *view,
		      const struct render_places *places, bool *ok)
{
	render_put(object, "ResolvConfPath", make_run_path(view, places->run, "resolv.conf"), ok);
	render_put(object, "HostnamePath", make_run_path(view, places->run, "hostname"), ok);
	render_put(object, "HostsPath", make_run_path(view, places->run, "hosts"), ok);
	render_put(object, "LogPath", make_file_path(view, places->mnt, "logs.json"), ok);
}

/* What is stored how, and where the whole of it can be seen. */
static json_t *make_driver(const struct container_view *view, const struct render_places *places)
{
	return json_pack("{s:s, s:{s:o}}", "Name", DRIVER, "Data", "MergedDir",
			 make_file_path(view, places->mnt, "rootfs"));
}

static json_t *make_container(const struct container_view *view, const struct render_places *places)
{
	auto_json json_t *object = json_object();
	bool ok = object != NULL;

	render_put(object, "Id", json_string(view->id), &ok);
	render_put(object, "Created", render_make_time(view->created_ns), &ok);
	put_command(object, view, &ok);
	render_put(object, "State", make_state(view), &ok);
	render_put(object, "Image", make_digest(view->image_id), &ok);
	put_paths(object, view, places, &ok);
	render_put(object, "Name", render_make_string(view->name), &ok);
	render_put(object, "RestartCount", json_integer((json_int_t)view->restarts), &ok);
	render_put(object, "Driver", json_string(DRIVER), &ok);
	render_put(object, "Platform", json_string("linux"), &ok);
	render_put(object, "HostConfig", make_host_config(view), &ok);
	render_put(object, "GraphDriver", make_driver(view, places), &ok);
	if (view->ids.size > 0)
		render_put(object, "IDMappings", make_mappings(&view->ids), &ok);
	render_put(object, "Mounts", container_view_make_mounts(view), &ok);
	render_put(object, "Config", make_top_config(view), &ok);
	render_put(object, "NetworkSettings", render_make_network(view), &ok);
	return ok ? steal_ptr(&object) : NULL;
}

void render_inspect(const struct container_view *view, const struct render_places *places,
		    struct strbuf *out)
{
	auto_json json_t *object = make_container(view, places);

	render_append_json(out, object);
}

/* --- images ------------------------------------------------------------------- */

/* The names among these that lead to the image. */
static json_t *make_names(const struct image *image, const struct tag *tags, size_t count)
{
	auto_json json_t *names = json_array();

	for (size_t i = 0; names && i < count; i++) {
		if (strcmp(tags[i].image->id, image->id) == 0 &&
		    json_array_append_new(names, json_string(tags[i].name)) < 0)
			return NULL;
	}
	return steal_ptr(&names);
}

static json_t *make_rootfs(const struct image *image)
{
	auto_json json_t *rootfs = json_object();
	auto_json json_t *layers = json_array();
	bool ok = rootfs && layers;

	for (size_t i = 0; ok && i < image->layer_count; i++)
		ok = json_array_append_new(layers, make_digest(image->diff_ids[i])) == 0;
	render_put(rootfs, "Type", json_string("layers"), &ok);
	render_put(rootfs, "Layers", steal_ptr(&layers), &ok);
	return ok ? steal_ptr(&rootfs) : NULL;
}

/* The comment of the newest step: where the image itself came from. */
static const char *get_comment(const struct image *image)
{
	const json_t *history = json_get_array(image->config, "history");
	size_t count = json_array_size(history);

	return count > 0 ? json_get_str(json_array_get(history, count - 1), "comment", "") : "";
}

/* A string member of the image's own config; "" when there is none. */
static json_t *make_member(const struct image *image, const char *name)
{
	return render_make_string(json_get_str(image->config, name, ""));
}

/* Are all steps and layers of `below` the first ones of the image, which has more? */
static bool is_made_of(const struct image *image, const struct image *below)
{
	const json_t *history = json_get_array(image->config, "history");
	const json_t *first = json_get_array(below->config, "history");
	size_t count = json_array_size(first);

	if (count == 0 || count >= json_array_size(history) ||
	    below->layer_count > image->layer_count ||
	    memcmp(below->diff_ids, image->diff_ids,
		   below->layer_count * sizeof(*below->diff_ids)) != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (!json_equal(json_array_get(first, i), json_array_get(history, i)))
			return false;
	return true;
}

/* The image that it was made of, as far as it is here; "": none. */
static json_t *make_parent(const struct image *image, const struct graph_snapshot *snapshot)
{
	const struct image *found = NULL;
	size_t most = 0;

	for (size_t i = 0; i < snapshot->image_count; i++) {
		const struct image *below = snapshot->images[i];
		size_t count = json_array_size(json_get_array(below->config, "history"));

		if (count > most && is_made_of(image, below)) {
			found = below;
			most = count;
		}
	}
	return found ? make_digest(found->id) : json_string("");
}

static json_t *make_image(const struct image *image, const struct graph_snapshot *snapshot)
{
	auto_json json_t *object = json_object();
	json_t *config = json_get_object(image->config, "config");
	bool ok = object != NULL;

	render_put(object, "Id", make_digest(image->id), &ok);
	render_put(object, "RepoTags", make_names(image, snapshot->tags, snapshot->tag_count), &ok);
	render_put(object, "RepoDigests",
		   make_names(image, snapshot->digests, snapshot->digest_count), &ok);
	render_put(object, "Parent", make_parent(image, snapshot), &ok);
	render_put(object, "Comment", render_make_string(get_comment(image)), &ok);
	render_put(object, "Created", render_make_time(image->created_ns), &ok);
	render_put(object, "Author", make_member(image, "author"), &ok);
	render_put(object, "Config", config ? json_incref(config) : json_object(), &ok);
	render_put(object, "Architecture", make_member(image, "architecture"), &ok);
	render_put(object, "Os", make_member(image, "os"), &ok);
	render_put(object, "Size", json_integer(image->size_bytes), &ok);
	render_put(object, "RootFS", make_rootfs(image), &ok);
	return ok ? steal_ptr(&object) : NULL;
}

void render_image_inspect(const struct image *image, const struct graph_snapshot *snapshot,
			  struct strbuf *out)
{
	auto_json json_t *object = make_image(image, snapshot);

	render_append_json(out, object);
}
