/* All containers together: opening and closing, work for others' threads, facts.
 *
 * The order of opening is that of need: hosts of cgroups and mounts first, then
 * workers and the event loop, then recovery, which uses them all. Closing stops
 * the event loop before the workers (it makes jobs) and frees it after them (jobs
 * set deadlines). Containers run on; nothing here is needed by them.
 */
#include "runtime/network/network_private.h"
#include "runtime/volume/volume_private.h"

#include "base/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Ends of runs and reaping; each is mostly waiting for the kernel. */
#define WORKERS_MAX 32

static int read_boot_id(struct engine *engine, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf text = STRBUF_INIT;
	int ret = path_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, err);

	if (ret < 0)
		return ret;
	snprintf(engine->boot_id, sizeof(engine->boot_id), "%.36s", strbuf_get_str(&text));
	return 0;
}

static int open_dirs(struct engine *engine, struct error *err)
{
	auto_fd int root_fd = open(engine->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	engine->run_fd = open(engine->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root_fd < 0 || engine->run_fd < 0)
		return error_set_sys(err, errno, "cannot open %s",
				     root_fd < 0 ? engine->root : engine->run);
	engine->containers_fd = path_open_dir(root_fd, "containers", 0700, err);
	return engine->containers_fd < 0 ? engine->containers_fd : 0;
}

static int open_volumes(struct engine *engine, struct error *err)
{
	auto_fd int root_fd = open(engine->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root_fd < 0)
		return error_set_sys(err, errno, "cannot open %s", engine->root);
	return volumes_new(engine, root_fd, &engine->volumes, err);
}

static int open_parts(struct engine *engine, const struct engine_options *options,
		      struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf rootfs_dir = STRBUF_INIT;
	int ret;

	strbuf_appendf(&rootfs_dir, "%s/rootfs", engine->run);
	ret = strbuf_check(&rootfs_dir, err);
	if (ret == 0)
		ret = cgroup_host_new(options->instance, &engine->cgroups, err);
	if (ret == 0)
		ret = network_open_engine(engine, options, err);
	if (ret == 0)
		ret = rootfs_new(strbuf_get_str(&rootfs_dir), &engine->rootfs, err);
	if (ret == 0)
		ret = launcher_new(&engine->launcher, err);
	if (ret < 0)
		return ret;
	engine->userns = userns_table_new();
	engine->workers = workers_new(WORKERS_MAX);
	if (!engine->workers || !engine->userns)
		return error_set(err, ENOMEM, "no memory for the workers");
	ret = open_volumes(engine, err);
	if (ret < 0)
		return ret;
	return monitor_new(engine, &engine->monitor, err);
}

static struct engine *new_engine(const struct engine_options *options)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine || table_init(&engine->table) < 0) {
		free(engine);
		return NULL;
	}
	atomic_init(&engine->refs, 1);
	pthread_mutex_init(&engine->removed_lock, NULL);
	engine->keeps_removed = true;
	engine->containers_fd = engine->run_fd = -1;
	engine->root = strdup(options->root);
	engine->run = strdup(options->run);
	engine->log_opts = options->log_opts;
	engine->mnt = options->mnt ? strdup(options->mnt) : NULL;
	engine->graph = options->graph;
	engine->events = options->events;
	engine->on_change = options->on_change;
	engine->on_volume = options->on_volume;
	engine->arg = options->arg;
	return engine;
}

/* Of any half-opened engine. */
static void free_engine(struct engine *engine)
{
	atomic_store(&engine->is_open, false);
	monitor_stop(engine->monitor);
	if (engine->workers)
		workers_free(engine->workers);
	engine->workers = NULL;
	if (engine->containers_fd >= 0)
		store_copy_states(engine);
	engine_forget_removed(engine);
	table_deinit(&engine->table);
	monitor_free(engine->monitor);
	volumes_free(engine->volumes);
	network_close(engine->network);
	network_names_free(engine->names);
	network_isolation_free(engine->isolation);
	if (engine->launcher)
		launcher_free(engine->launcher);
	if (engine->rootfs)
		rootfs_free(engine->rootfs);
	if (engine->cgroups)
		cgroup_host_free(engine->cgroups);
	userns_table_free(engine->userns);
	if (engine->containers_fd >= 0)
		close(engine->containers_fd);
	if (engine->run_fd >= 0)
		close(engine->run_fd);
	engine_unref(engine);
}

struct engine *engine_ref(struct engine *engine)
{
	atomic_fetch_add_explicit(&engine->refs, 1, memory_order_relaxed);
	return engine;
}

void engine_unref(struct engine *engine)
{
	if (atomic_fetch_sub_explicit(&engine->refs, 1, memory_order_acq_rel) != 1)
		return;
	pthread_mutex_destroy(&engine->removed_lock);
	free(engine->root);
	free(engine->run);
	free(engine->mnt);
	free(engine);
}

int engine_open(const struct engine_options *options, struct engine **ret, struct error *err)
{
	struct engine *engine = new_engine(options);
	int failure = 0;

	if (!engine)
		return error_set(err, ENOMEM, "no memory for the engine");
	if (!engine->root || !engine->run || (options->mnt && !engine->mnt))
		failure = error_set(err, ENOMEM, "no memory for the engine");
	if (failure == 0)
		failure = read_boot_id(engine, err);
	if (failure == 0)
		failure = open_dirs(engine, err);
	if (failure == 0)
		failure = open_parts(engine, options, err);
	if (failure == 0)
		failure = recover_all(engine, err);
	if (failure < 0) {
		free_engine(engine);
		return failure;
	}
	atomic_store(&engine->is_open, true);
	policy_arm_all(engine);
	*ret = engine;
	return 0;
}

void engine_close(struct engine *engine)
{
	if (!engine)
		return;
	rootfs_sweep(engine->rootfs, NULL, NULL, NULL);
	cgroup_host_sweep(engine->cgroups);
	free_engine(engine);
}

/* --- work on other threads -------------------------------------------------- */

struct job {
	struct container *container;
	void (*fn)(void *container);
};

static void run_job(void *arg)
{
	struct job job = *(struct job *)arg;

	free(arg);
	job.fn(job.container);
	container_unref(job.container);
}

void engine_submit(struct container *c, void (*fn)(void *container))
{
	struct job *job = malloc(sizeof(*job));

	if (job) {
		*job = (struct job){ .container = container_ref(c), .fn = fn };
		if (workers_submit(c->engine->workers, run_job, job) == 0)
			return;
		container_unref(c);
		free(job);
	}
	fn(c);
}

/* --- facts ------------------------------------------------------------------ */

void engine_get_facts(struct engine *engine, struct engine_facts *ret)
{
	AUTO(container_list_deinit) struct container_list list = { .count = 0, .views = NULL };
	struct engine_facts facts = { .cgroup_mode = cgroup_host_get_mode(engine->cgroups) };

	network_fill_facts(engine, &facts);
	engine_list(engine, &list);
	facts.containers = list.count;
	for (size_t i = 0; i < list.count; i++) {
		facts.running += list.views[i]->state == CONTAINER_RUNNING;
		facts.paused += list.views[i]->state == CONTAINER_PAUSED;
	}
	*ret = facts;
}

const char *engine_find_image_user(struct engine *engine, const char *image_id)
{
	static _Thread_local char name[CONTAINER_NAME_SIZE];
	AUTO(container_list_deinit) struct container_list list = { .count = 0, .views = NULL };

	/* Without memory nobody knows; a removal that is refused does no harm. */
	if (engine_list(engine, &list) < 0)
		return "?";
	for (size_t i = 0; i < list.count; i++) {
		if (strcmp(list.views[i]->image_id, image_id) != 0)
			continue;
		snprintf(name, sizeof(name), "%s", list.views[i]->name);
		return name;
	}
	return NULL;
}
