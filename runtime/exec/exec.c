/* Execs: made, found, started, run to their end. Their ends and removals are in
 * exec_end.c, their plans in exec_plan.c, finding them again in exec_recover.c.
 *
 * A start holds the turns of the exec and of its container, in this order: so the
 * container is not paused, removed or started anew while a process is on its way
 * into it. Nobody who holds a container's turn waits for one of its execs'.
 *
 * A command's exec has no name. It is removed a moment after its command was
 * answered, not at once: an engine that is killed in between must find the result,
 * for the command is sent again to the next one. What no command comes for is ended
 * and removed in the end.
 */
#include "runtime/exec/exec.h"

#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "base/path.h"
#include "base/random.h"
#include "runtime/log/logview.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ID_LEN 64
#define ANSWERED_NS INT64_C(500000000)
/* Between two looks at the output of a command that runs, for who wants to see it meanwhile. */
#define PROGRESS_NS INT64_C(300000000)

bool container_is_exec(const struct container *c)
{
	return c->exec != NULL;
}

const char *exec_get_name(const struct container *c)
{
	return c->exec->name;
}

int exec_open_dir(struct container *c, struct error *err)
{
	int fd = fcntl(container_get_dir_fd(c), F_DUPFD_CLOEXEC, 3);

	return fd < 0 ? error_set_sys(err, errno, "cannot open the directory of exec %s",
				      c->short_id)
		      : fd;
}

/* --- the object --------------------------------------------------------------- */

struct container *exec_new(struct container *parent, const char *id, const char *name,
			   bool detached)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(parent);
	AUTO(container_unref) struct container *c = container_new(parent->engine, id);
	struct exec *exec = c ? calloc(1, sizeof(*exec)) : NULL;

	if (!exec)
		return NULL;
	c->exec = exec;
	exec->parent = container_ref(parent);
	exec->detached = detached;
	exec->name = strdup(name);
	c->view->is_exec = true;
	c->view->config = json_object();
	c->view->effective = json_object();
	/* For sentences, as its path in containers/; its own name is always whole. */
	snprintf(c->view->name, sizeof(c->view->name), *name ? "%.48s/exec/%.200s" : "%.48s",
		 view->name, name);
	return exec->name && c->view->config && c->view->effective ? steal_ptr(&c) : NULL;
}

static struct container *find_locked(struct container *parent, const char *name, bool listed)
{
	for (size_t i = 0; i < parent->exec_count; i++) {
		const struct exec *exec = parent->execs[i]->exec;

		if (*name && strcmp(exec->name, name) == 0 && (exec->listed || !listed))
			return parent->execs[i];
	}
	return NULL;
}

/* Entries and commands, each counted by themselves. */
static size_t count_locked(const struct container *parent, bool named)
{
	size_t count = 0;

	for (size_t i = 0; i < parent->exec_count; i++)
		count += (*parent->execs[i]->exec->name != '\0') == named;
	return count;
}

static int add_locked(struct container *parent, struct container *c, struct error *err)
{
	struct container **execs;

	if (parent->removed)
		return error_set(err, ENOENT, "no such container: %s", parent->view->name);
	if (find_locked(parent, c->exec->name, false))
		return error_set(err, EEXIST, "container '%s' has an exec '%s' already",
				 parent->view->name, c->exec->name);
	if (count_locked(parent, *c->exec->name != '\0') >= EXEC_MAX)
		return error_set(err, EAGAIN, "container '%s' has %d execs; end some",
				 parent->view->name, EXEC_MAX);
	execs = reallocarray(parent->execs, parent->exec_count + 1, sizeof(struct container *));
	if (!execs)
		return error_set(err, ENOMEM, "no memory for one more exec");
	parent->execs = execs;
	parent->execs[parent->exec_count++] = c;
	return 0;
}

int exec_add(struct container *c, struct error *err)
{
	struct container *parent = c->exec->parent;
	int ret;

	pthread_mutex_lock(&parent->lock);
	ret = add_locked(parent, c, err);
	pthread_mutex_unlock(&parent->lock);
	return ret;
}

void exec_drop(struct container *c)
{
	struct container *parent = c->exec->parent;

	pthread_mutex_lock(&parent->lock);
	for (size_t i = 0; i < parent->exec_count; i++) {
		if (parent->execs[i] != c)
			continue;
		parent->exec_count--;
		memmove(parent->execs + i, parent->execs + i + 1,
			(parent->exec_count - i) * sizeof(struct container *));
		break;
	}
	pthread_mutex_unlock(&parent->lock);
}

struct container *exec_find(struct container *parent, const char *name)
{
	struct container *c;

	pthread_mutex_lock(&parent->lock);
	c = find_locked(parent, name, true);
	if (c)
		container_ref(c);
	pthread_mutex_unlock(&parent->lock);
	return c;
}

int exec_list(struct container *parent, struct container ***ret, size_t *ret_count)
{
	struct container **list;
	size_t count = 0;

	pthread_mutex_lock(&parent->lock);
	list = calloc(parent->exec_count + 1, sizeof(struct container *));
	for (size_t i = 0; list && i < parent->exec_count; i++)
		if (parent->execs[i]->exec->listed && *parent->execs[i]->exec->name)
			list[count++] = container_ref(parent->execs[i]);
	pthread_mutex_unlock(&parent->lock);
	if (!list)
		return -ENOMEM;
	*ret = list;
	*ret_count = count;
	return 0;
}

/* --- making ------------------------------------------------------------------- */

/* meta.json makes it whole: a directory without one is removed by the next engine. */
static int make_dir(struct container *c, struct error *err)
{
	auto_fd int run_dir_fd = store_open_run_dir(c->exec->parent, false, err);
	auto_fd int execs_fd =
		run_dir_fd < 0 ? run_dir_fd : path_open_dir(run_dir_fd, "exec", 0700, err);
	auto_json json_t *meta =
		json_pack("{s:s, s:s, s:b, s:I}", "id", c->id, "name", c->exec->name, "detached",
			  (int)c->exec->detached, "created_ns", (json_int_t)c->view->created_ns);
	int fd, ret;

	if (execs_fd < 0)
		return execs_fd;
	if (!meta)
		return error_set(err, ENOMEM, "no memory for one more exec");
	fd = path_open_dir(execs_fd, c->short_id, 0700, err);
	if (fd < 0)
		return fd;
	atomic_store(&c->dir_fd, fd);
	ret = json_replace_file(fd, "meta.json", meta, 0600, false, err);
	if (ret < 0)
		path_remove_tree(execs_fd, c->short_id);
	return ret;
}

/* An object with a free id (the noted one if there is one), known to the table. */
static int reserve(struct container *parent, const char *noted_id, const char *name, bool detached,
		   struct container **ret, struct error *err)
{
	char id[ID_LEN + 1];

	for (;;) {
		AUTO(container_unref) struct container *c = NULL;
		int failure;

		if (noted_id)
			snprintf(id, sizeof(id), "%s", noted_id);
		else
			random_id(id);
		noted_id = NULL;
		if (strncmp(id, "000000000", 9) == 0)
			continue;
		c = exec_new(parent, id, name, detached);
		if (!c)
			return error_set(err, ENOMEM, "no memory for one more exec");
		failure = table_reserve(&parent->engine->table, c, NULL, err);
		if (failure == -EALREADY)
			continue;
		if (failure == 0)
			*ret = steal_ptr(&c);
		return failure;
	}
}

static int make(struct container *parent, struct ticket *ticket, const char *noted_id,
		const char *name, bool detached, struct container **ret, struct error *err)
{
	AUTO(container_unref) struct container *c = NULL;
	int failure = reserve(parent, noted_id, name, detached, &c, err);

	if (failure < 0)
		return failure;
	c->view->created_ns = c->view->changed_ns = clock_now_ns();
	failure = exec_add(c, err);
	if (failure == 0) {
		ticket_note(ticket, "%s", c->id);
		failure = make_dir(c, err);
		if (failure < 0)
			exec_drop(c);
	}
	if (failure < 0) {
		table_remove(&parent->engine->table, c);
		return failure;
	}
	pthread_mutex_lock(&parent->lock);
	c->exec->listed = true;
	pthread_mutex_unlock(&parent->lock);
	atomic_store(&c->exec->shown, true);
	*ret = steal_ptr(&c);
	return 0;
}

static int check_runs(struct container *parent, struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(parent);
	int ret = container_check(parent, false, err);

	if (ret == 0 && !container_view_is_live(view))
		ret = error_set(err, ESRCH, "container '%s' is not running", view->name);
	return ret;
}

/* What an engine that died has made for this request: a reference, or NULL. */
static struct container *find_noted(struct container *parent, const struct ticket *ticket,
				    char ret_id[ID_LEN + 1])
{
	struct container *c = NULL;

	ret_id[0] = '\0';
	if (!ticket->resumed || strlen(ticket->note) < ID_LEN)
		return NULL;
	memcpy(ret_id, ticket->note, ID_LEN);
	ret_id[ID_LEN] = '\0';
	pthread_mutex_lock(&parent->lock);
	for (size_t i = 0; i < parent->exec_count && !c; i++)
		if (strcmp(parent->execs[i]->id, ret_id) == 0)
			c = container_ref(parent->execs[i]);
	pthread_mutex_unlock(&parent->lock);
	if (!c && !num_is_hex(ret_id, ID_LEN))
		ret_id[0] = '\0';
	return c;
}

int exec_create(struct container *parent, struct ticket *ticket, const char *name,
		struct container **ret, struct error *err)
{
	char noted_id[ID_LEN + 1];
	struct container *noted = find_noted(parent, ticket, noted_id);
	int failure;

	if (noted) {
		*ret = noted;
		return 0;
	}
	failure = config_check_name(name, err);
	if (failure == 0)
		failure = check_runs(parent, err);
	if (failure < 0)
		return failure;
	return make(parent, ticket, *noted_id ? noted_id : NULL, name, false, ret, err);
}

/* --- starting ------------------------------------------------------------------ */

/* What cannot run is missing in the container, which is named: the entry's name may be cfs's own. */
static int launch(struct container *c, struct exec_plan *plan, uint64_t run, struct error *err)
{
	AUTO(container_view_unref)
	struct container_view *parent = container_get_view(c->exec->parent);
	json_t *effective = exec_plan_get_effective(plan);
	struct error cause = ERROR_INIT;
	struct launch_result result;
	bool program_failed = false;
	struct shim *shim = NULL;
	int ret = launch_start(c->engine->launcher, exec_plan_get_spec(plan), &result,
			       &program_failed, &shim, &cause);

	if (ret == 0)
		start_finish_running(c, effective, run, &result, shim);
	else if (program_failed)
		start_finish_without_program(c, effective, run, &cause);
	else
		start_set_starting(c, 0);
	return ret < 0 ? error_set(err, cause.code, "%s: %s", parent->name, cause.msg) : 0;
}

/* With both turns taken. */
static int start_in_turns(struct container *c, struct ticket *ticket, const json_t *wanted,
			  struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	AUTO(exec_plan_free) struct exec_plan *plan = NULL;
	uint64_t run = view->run + 1;
	int ret = check_runs(c->exec->parent, err);

	if (ret == 0)
		ret = container_check(c, false, err);
	if (ret == 0 && container_view_is_live(view))
		ret = error_set(err, EBUSY, "exec '%s' is already running", view->name);
	if (ret == 0)
		ret = exit_settle_old_shim(c, false, err);
	if (ret == 0)
		ret = exec_plan_new(c, wanted, run, &plan, err);
	if (ret == 0)
		ret = json_replace_file(container_get_dir_fd(c), "config.json",
					exec_plan_get_effective(plan), 0600, false, err);
	if (ret < 0)
		return ret;
	ticket_note_run(ticket, c, run);
	start_set_starting(c, run);
	return launch(c, plan, run, err);
}

int exec_start(struct container *c, struct ticket *ticket, const json_t *wanted, struct error *err)
{
	struct container *parent = c->exec->parent;
	struct turn turn, parent_turn;
	int ret;

	if (start_find_outcome(c, ticket, &ret, err))
		return ret;
	ret = container_take_turn(c, &turn, ticket, err);
	if (ret < 0)
		return ret;
	ret = container_take_turn(parent, &parent_turn, ticket, err);
	if (ret == 0) {
		ret = start_in_turns(c, ticket, wanted, err);
		container_leave_turn(parent, &parent_turn);
	}
	container_leave_turn(c, &turn);
	return ret;
}

/* --- running to the end ----------------------------------------------------------- */

/* From offset on to the end: nothing is written any more. */
static int append_log(struct logview *log, uint64_t offset, uint64_t end, struct strbuf *output,
		      struct error *err)
{
	while (offset < end && strbuf_reserve(output, (size_t)(end - offset))) {
		ssize_t got = logview_read(log, offset, output->data + output->len,
					   (size_t)(end - offset), err);

		if (got == -ESTALE)
			return error_set(err, EIO, "its output was dropped while it was read");
		if (got <= 0)
			return (int)got;
		output->len += (size_t)got;
		output->data[output->len] = '\0';
		offset += (uint64_t)got;
	}
	return 0;
}

static int append_output(struct container *c, struct strbuf *output, struct error *err)
{
	AUTO(logview_close) struct logview *log = NULL;
	uint64_t size = 0, oldest = 0;
	int ret = logview_open(container_get_dir_fd(c), LOGVIEW_ALL, &log, err);

	if (ret == 0)
		ret = logview_get_size(log, &size, err);
	if (ret == 0)
		ret = logview_get_oldest(log, &oldest, err);
	if (ret == 0 && size - oldest > EXEC_OUTPUT_MAX)
		oldest = size - EXEC_OUTPUT_MAX;
	return ret < 0 ? ret : append_log(log, oldest, size, output, err);
}

struct awaited {
	struct strbuf *output;
	void (*progress)(void *arg);
	void *arg;
	int *ret_code;
};

/* Show what there is so far. A failure is seen again at the end. */
static void show_progress(struct container *c, const struct awaited *awaited)
{
	size_t before = awaited->output->len;

	if (append_output(c, awaited->output, NULL) == 0 && awaited->output->len > before)
		awaited->progress(awaited->arg);
	strbuf_truncate(awaited->output, before);
}

static int await_end(struct container *c, struct ticket *ticket, const struct awaited *awaited,
		     struct error *err)
{
	AUTO(container_view_unref) struct container_view *view = container_get_view(c);
	int ret;

	do {
		int64_t until_ns = awaited->progress ? clock_monotonic_ns() + PROGRESS_NS : 0;

		pthread_mutex_lock(&c->lock);
		ret = container_sleep_until_locked(c, ticket, container_run_has_ended, view->run,
						   until_ns);
		pthread_mutex_unlock(&c->lock);
		if (ret == -ETIMEDOUT)
			show_progress(c, awaited);
	} while (ret == -ETIMEDOUT);
	if (ret < 0) {
		kill_everything(c, view->run);
		return error_set(err, EINTR, "interrupted");
	}
	container_get_exit(c, view->run, awaited->ret_code);
	return append_output(c, awaited->output, err);
}

static int run(struct container *c, struct ticket *ticket, const json_t *wanted, bool detach,
	       const struct awaited *awaited, struct error *err)
{
	int ret;

	atomic_store(&c->exec->claimed, true);
	ret = exec_start(c, ticket, wanted, err);
	if (ret == 0 && !detach)
		ret = await_end(c, ticket, awaited, err);
	atomic_store(&c->exec->claimed, false);
	if (ret < 0 || !detach)
		monitor_set_deadline(c->engine->monitor, c->key, 0,
				     clock_monotonic_ns() + ANSWERED_NS);
	return ret;
}

int exec_run(struct container *parent, struct ticket *ticket, const json_t *wanted, bool detach,
	     struct strbuf *output, void (*progress)(void *arg), void *arg, int *ret_code,
	     struct error *err)
{
	const struct awaited awaited = { output, progress, arg, ret_code };
	char noted_id[ID_LEN + 1];
	AUTO(container_unref) struct container *c = find_noted(parent, ticket, noted_id);
	int ret = 0;

	*ret_code = 0;
	if (!c && *noted_id && ticket->note[ID_LEN] != '\0') {
		/* Started, and gone since: what is detached removes itself. */
		return detach ? 0 : error_set(err, EIO, "its result was lost with the engine");
	}
	if (!c)
		ret = check_runs(parent, err);
	if (ret == 0 && !c)
		ret = make(parent, ticket, *noted_id ? noted_id : NULL, "", detach, &c, err);
	return ret < 0 ? ret : run(c, ticket, wanted, detach, &awaited, err);
}
