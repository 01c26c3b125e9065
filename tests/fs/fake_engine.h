/* An engine made of strings, for tests of what is asked of it: it does nothing, writes
 * every call down, and fails where it is told to. The store of images is real.
 */
#ifndef TESTS_FS_FAKE_ENGINE_H
#define TESTS_FS_FAKE_ENGINE_H

#include "tests/test.h"

#include "base/num.h"
#include "runtime/engine.h"
#include "runtime/exec/exec.h"
#include "runtime/volume/volume.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FAKE_MAX 8

struct container {
	struct container_view view;
	bool there;
	bool removed;
};

struct engine {
	struct container containers[FAKE_MAX];
	size_t made;           /* containers that engine_create() made */
	struct strbuf calls;   /* "stop(web,timeout=5) " */
	const char *fail_verb; /* this call fails... */
	const char *fail_name; /* ...on this container (NULL: any) */
	struct error failure;  /* ...like this */
	bool fail_as_exited;   /* and leaves it exited with 127 */
	int wait_code;
	bool is_exec; /* containers are entries of exec/ */
	const char *output;
};

static struct engine fake;

static inline struct container *fake_add(const char *name, char digit)
{
	struct container *c = fake.containers;

	while (c->there)
		c++;
	*c = (struct container){ .there = true };
	c->view.refs = 1000;
	c->view.state = CONTAINER_RUNNING;
	memset(c->view.id, digit, 64);
	snprintf(c->view.name, sizeof(c->view.name), "%s", name);
	return c;
}

static inline void fake_reset(void)
{
	strbuf_deinit(&fake.calls);
	memset(&fake, 0, sizeof(fake));
}

/* Write a call down; its result. */
static inline int fake_call(struct container *c, const char *verb, struct ticket *ticket,
			    const char *detail, struct error *err)
{
	strbuf_appendf(&fake.calls, "%s(%s%s)%s ", verb, c->view.name, detail,
		       ticket->resumed ? "*" : "");
	if (!fake.fail_verb || strcmp(fake.fail_verb, verb) != 0 ||
	    (fake.fail_name && strcmp(fake.fail_name, c->view.name) != 0))
		return 0;
	if (fake.fail_as_exited) {
		c->view.state = CONTAINER_EXITED;
		c->view.exit_code = 127;
	}
	return error_set(err, fake.failure.code, "%s", fake.failure.msg);
}

static inline void fake_fail(const char *verb, const char *name, int code, const char *msg)
{
	fake.fail_verb = verb;
	fake.fail_name = name;
	error_clear(&fake.failure);
	error_set(&fake.failure, code, "%s", msg);
}

/* --- the engine's functions ------------------------------------------------ */

const char *container_state_get_name(enum container_state state)
{
	return state == CONTAINER_RUNNING ? "running" : "exited";
}

struct container_view *container_view_ref(struct container_view *view)
{
	return view;
}

void container_view_unref(struct container_view *view)
{
	(void)view;
}

struct container *container_ref(struct container *c)
{
	return c;
}

void container_unref(struct container *c)
{
	(void)c;
}

struct container_view *container_get_view(struct container *c)
{
	return &c->view;
}

bool container_is_removed(struct container *c)
{
	return c->removed;
}

struct container *engine_find(struct engine *engine, const char *name)
{
	for (size_t i = 0; i < FAKE_MAX; i++) {
		struct container *c = &engine->containers[i];

		if (c->there && !c->removed &&
		    (strcmp(c->view.name, name) == 0 || strcmp(c->view.id, name) == 0))
			return c;
	}
	return NULL;
}

struct container *engine_resolve(struct engine *engine, const char *ref, struct error *err)
{
	struct container *c = engine_find(engine, ref);

	if (!c)
		error_set(err, ENOENT, "no such container: %s", ref);
	return c;
}

int engine_list(struct engine *engine, struct container_list *ret)
{
	(void)engine;
	*ret = (struct container_list){ .count = 0 };
	return 0;
}

void container_list_deinit(struct container_list *list)
{
	(void)list;
}

int engine_create(struct engine *engine, struct ticket *ticket, const char *name,
		  const json_t *config, bool durable, struct container **ret, struct error *err)
{
	struct container none = { .there = false };
	int r;

	snprintf(none.view.name, sizeof(none.view.name), "%s", name ? name : "-");
	r = fake_call(&none, "create", ticket, durable ? ",durable" : "", err);
	assert_non_null(config);
	if (r < 0)
		return r;
	*ret = fake_add(name ? name : "new", (char)('a' + engine->made++));
	(*ret)->view.state = CONTAINER_CREATED;
	ticket_note(ticket, "%s made", (*ret)->view.id);
	return 0;
}

int container_start(struct container *c, struct ticket *ticket, struct error *err)
{
	return fake_call(c, "start", ticket, "", err);
}

int container_stop(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		   struct error *err)
{
	char detail[64];

	snprintf(detail, sizeof(detail), ",%d,%lld", signo, (long long)timeout_s);
	return fake_call(c, "stop", ticket, detail, err);
}

int container_kill(struct container *c, struct ticket *ticket, int signo, struct error *err)
{
	char detail[64];

	snprintf(detail, sizeof(detail), ",%d", signo);
	return fake_call(c, "kill", ticket, detail, err);
}

int container_pause(struct container *c, struct ticket *ticket, struct error *err)
{
	return fake_call(c, "pause", ticket, "", err);
}

int container_unpause(struct container *c, struct ticket *ticket, struct error *err)
{
	return fake_call(c, "unpause", ticket, "", err);
}

bool container_is_exec(const struct container *c)
{
	(void)c;
	return fake.is_exec;
}

int exec_start(struct container *c, struct ticket *ticket, const json_t *wanted, struct error *err)
{
	(void)wanted;
	return fake_call(c, "exec_start", ticket, "", err);
}

int exec_run(struct container *c, struct ticket *ticket, const json_t *wanted, bool detach,
	     struct strbuf *output, void (*progress)(void *arg), void *arg, int *ret_code,
	     struct error *err)
{
	(void)wanted, (void)progress, (void)arg;
	strbuf_append_str(output, fake.output ? fake.output : "");
	*ret_code = fake.wait_code;
	return fake_call(c, "exec_run", ticket, detach ? ",detached" : "", err);
}

int container_restart(struct container *c, struct ticket *ticket, int signo, int64_t timeout_s,
		      struct error *err)
{
	char detail[64];

	snprintf(detail, sizeof(detail), ",%d,%lld", signo, (long long)timeout_s);
	return fake_call(c, "restart", ticket, detail, err);
}

int container_remove(struct container *c, struct ticket *ticket, bool force, bool volumes,
		     struct error *err)
{
	char detail[64];
	int ret;

	snprintf(detail, sizeof(detail), "%s%s", force ? ",force" : "", volumes ? ",volumes" : "");
	ret = fake_call(c, "rm", ticket, detail, err);
	if (ret == 0)
		c->removed = true;
	return ret;
}

int container_rename(struct container *c, struct ticket *ticket, const char *name,
		     struct error *err)
{
	char detail[300];

	snprintf(detail, sizeof(detail), ",%s", name);
	return fake_call(c, "rename", ticket, detail, err);
}

int container_update(struct container *c, struct ticket *ticket, const json_t *patch,
		     struct error *err)
{
	assert_true(json_is_object(patch));
	return fake_call(c, "update", ticket, "", err);
}

int container_wait(struct container *c, struct ticket *ticket, int *ret_code, struct error *err)
{
	*ret_code = fake.wait_code++;
	return fake_call(c, "wait", ticket, "", err);
}

int container_close_stdin(struct container *c, struct ticket *ticket, struct error *err)
{
	return fake_call(c, "closestdin", ticket, "", err);
}

int container_resize(struct container *c, struct ticket *ticket, unsigned rows, unsigned cols,
		     struct error *err)
{
	char detail[64];

	snprintf(detail, sizeof(detail), ",%u,%u", rows, cols);
	return fake_call(c, "resize", ticket, detail, err);
}

int container_commit(struct container *c, struct ticket *ticket,
		     const struct container_commit *commit, char ret_id[GRAPH_ID_SIZE],
		     struct error *err)
{
	char detail[64];

	snprintf(detail, sizeof(detail), ",%s,%s", commit->name ? commit->name : "-",
		 commit->pause ? "pause" : "run");
	memset(ret_id, 'c', GRAPH_ID_SIZE - 1);
	ret_id[GRAPH_ID_SIZE - 1] = '\0';
	return fake_call(c, "commit", ticket, detail, err);
}

/* --- looking inside: a running container has one process and has read a byte ------ */

struct container *engine_find_key(struct engine *engine, uint64_t key)
{
	(void)engine;
	for (size_t i = 0; i < FAKE_MAX; i++) {
		if (fake.containers[i].there && !fake.containers[i].removed &&
		    fake.containers[i].view.key == key)
			return &fake.containers[i];
	}
	return NULL;
}

int container_open_layers(struct container *c, int *ret_upper_fd, int *ret_lower_fd,
			  struct error *err)
{
	struct ticket none = { .resumed = false };

	*ret_upper_fd = *ret_lower_fd = -1;
	return fake_call(c, "layers", &none, "", err);
}

const char *const *container_get_made_paths(void)
{
	static const char *const none[] = { NULL };

	return none;
}

int container_get_own_size(struct container *c, int64_t *ret_bytes, struct error *err)
{
	(void)c, (void)err;
	*ret_bytes = 1000;
	return 0;
}

ssize_t container_list_pids(struct container *c, pid_t **ret, struct error *err)
{
	(void)err;
	if (c->view.state != CONTAINER_RUNNING)
		return 0;
	*ret = malloc(sizeof(**ret));
	assert_non_null(*ret);
	**ret = getpid();
	return 1;
}

int container_read_stats(struct container *c, struct container_stats *ret, struct error *err)
{
	(void)err;
	if (c->view.state != CONTAINER_RUNNING)
		return 0;
	*ret = (struct container_stats){ .memory = 1 << 20, .memory_limit = 1 << 22, .pids = 1 };
	return 1;
}

int engine_prune_volumes(struct engine *engine, struct ticket *ticket,
			 const struct volume_prune *prune, struct error *err)
{
	(void)engine, (void)ticket, (void)err;
	prune->tell(prune->arg, "data");
	return 0;
}

#endif
