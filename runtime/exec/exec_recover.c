/* Execs: finding them again. Their directories lie in RUN beside their container's
 * state, and what is true of them is told by their shims and records, as of a
 * container; recover.c says how.
 */
#include "runtime/exec/exec.h"

#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* By then the kernel has sent again all commands that the dead engine had not answered. */
#define RESENT_NS INT64_C(10000000000)

/* What was being removed: whatever runs there is ended. */
static void finish_removal(int execs_fd, const char *entry)
{
	auto_fd int fd = openat(execs_fd, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	struct launch_result result;
	struct shim *shim = NULL;

	if (fd >= 0 && shim_connect(fd, &shim, &result, NULL) == 0) {
		shim_signal(shim, 0, SIGKILL, NULL);
		shim_drop(shim, NULL);
		shim_free(shim);
	}
	if (path_remove_tree(execs_fd, entry) < 0)
		log_warn("cannot remove the rest of an exec: %s", entry);
}

static struct container *load(struct container *parent, int dir_fd, struct error *err)
{
	auto_json json_t *meta = NULL, *config = NULL;
	struct container *c;
	const char *id;

	if (json_read_file(dir_fd, "meta.json", &meta, err) < 0)
		return NULL;
	id = json_get_str(meta, "id", "");
	if (!num_is_hex(id, 64)) {
		error_set(err, EIO, "meta.json has no id");
		return NULL;
	}
	c = exec_new(parent, id, json_get_str(meta, "name", ""),
		     json_get_bool(meta, "detached", false));
	if (!c) {
		error_set(err, ENOMEM, "no memory for one more exec");
		return NULL;
	}
	c->view->created_ns = c->view->changed_ns = json_get_int(meta, "created_ns", 0);
	if (json_read_file(dir_fd, "config.json", &config, NULL) == 0 && json_is_object(config)) {
		json_decref(c->view->effective);
		c->view->effective = steal_ptr(&config);
	}
	return c;
}

static void settle(struct container *c)
{
	struct container *parent = c->exec->parent;

	pthread_mutex_lock(&parent->lock);
	c->exec->listed = true;
	pthread_mutex_unlock(&parent->lock);
	atomic_store(&c->exec->shown, true);
	recover_exec(c);
	if (*c->exec->name)
		return;
	if (c->exec->detached)
		exec_on_deadline(c);
	else
		monitor_set_deadline(c->engine->monitor, c->key, 0,
				     clock_monotonic_ns() + RESENT_NS);
}

static int recover_one(struct container *parent, int execs_fd, const char *entry, struct error *err)
{
	AUTO(container_unref) struct container *c = NULL;
	auto_fd int fd = openat(execs_fd, entry, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	int ret;

	if (fd < 0)
		return error_set_sys(err, errno, "cannot open it");
	c = load(parent, fd, err);
	if (!c)
		return -err->code;
	atomic_store(&c->dir_fd, steal_fd(&fd));
	ret = table_reserve(&parent->engine->table, c, NULL, err);
	if (ret == -EALREADY)
		return error_set(err, EEXIST, "its id is taken");
	if (ret == 0 && (ret = exec_add(c, err)) < 0)
		table_remove(&parent->engine->table, c);
	if (ret == 0)
		settle(c);
	return ret;
}

void exec_recover_all(struct container *parent)
{
	AUTO(path_list_deinit) struct path_list list = { .count = 0 };
	auto_fd int run_dir_fd = store_open_run_dir(parent, false, NULL);
	auto_fd int execs_fd = run_dir_fd < 0
				       ? -1
				       : openat(run_dir_fd, "exec",
						O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (execs_fd < 0 || path_list_dir(execs_fd, &list, NULL) < 0)
		return;
	for (size_t i = 0; i < list.count; i++) {
		struct error err = ERROR_INIT;

		if (num_is_hex(list.names[i], 12) &&
		    recover_one(parent, execs_fd, list.names[i], &err) == 0)
			continue;
		if (err.code && err.code != ENOENT)
			log_warn("exec %s of container %s is given up: %s", list.names[i],
				 parent->short_id, err.msg);
		finish_removal(execs_fd, list.names[i]);
	}
}
