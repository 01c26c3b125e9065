/* A graph, an engine that only tells what it was asked for, and commands carried out on them. */
#ifndef TESTS_FS_PERFORMING_H
#define TESTS_FS_PERFORMING_H

#include "graph/registry/registry.h"
#include "tests/fs/fake_engine.h"
#include "tests/graph/tar_maker.h"

#include "base/path.h"
#include "fs/perform/perform.h"
#include "fs/render/render.h"
#include "runtime/ticket.h"

#include <stdlib.h>

struct fixture {
	char path[64];
	int fd;
	struct graph *graph;
	struct registries *registries;
	struct ticket ticket;
	unsigned saves;
	unsigned keeps;
	const char *before; /* the reply that an earlier engine left; NULL: none */
	struct strbuf reply;
	struct error err;
	uint64_t mount_device;
};

static inline void count_save(struct ticket *ticket)
{
	((struct fixture *)ticket->owner)->saves++;
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct graph_options options = { 0 };
	char root[100];
	int ret;

	f->fd = test_make_dir(f->path);
	snprintf(root, sizeof(root), "%s/images", f->path);
	options.root = root;
	ret = graph_open(&options, &f->graph, &f->err);
	assert_ok(ret, &f->err);
	ret = registries_open(&(struct registries_options){ .root = f->path,
							    .default_registry = "localhost:1",
							    .graph = f->graph },
			      &f->registries, &f->err);
	assert_ok(ret, &f->err);
	ticket_init(&f->ticket, 1, false);
	f->ticket.save = count_save;
	f->ticket.owner = f;
	fake_reset();
	fake_add("web", '1');
	fake_add("db", '2');
	fake_add("old", '3');
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	ticket_deinit(&f->ticket);
	registries_close(f->registries);
	graph_close(f->graph);
	strbuf_deinit(&f->reply);
	test_remove_dir(f->fd, f->path);
	free(f);
	fake_reset();
	return 0;
}

static inline void get_info(void *arg, struct render_info *ret)
{
	struct fixture *f = arg;

	*ret = (struct render_info){ .root = "/root", .run = "/run", .registry = "docker.io" };
	ret->cgroup_mode = "v2";
	ret->mnt = f->mount_device ? NULL : "/some/mnt";
}

static inline void keep_reply(void *arg)
{
	((struct fixture *)arg)->keeps++;
}

/* Carry a line out, in a container's ctl when c is given. */
static inline int run(struct fixture *f, struct container *c, const char *line)
{
	AUTO(command_deinit) struct command command = { .timeout_s = -1 };
	AUTO(words_deinit) struct words words = { .argv = NULL };
	struct perform_context context = {
		.engine = &fake,
		.graph = f->graph,
		.registries = f->registries,
		.ticket = &f->ticket,
		.container = c,
		.mount_device = f->mount_device,
		.get_info = get_info,
		.keep_reply = keep_reply,
		.arg = f,
	};
	struct error err = ERROR_INIT;
	size_t consumed;
	bool in_quote;
	int ret;

	ret = words_split(line, strlen(line), true, &words, &consumed, &in_quote, &err);
	assert_ok(ret, &err);
	ret = command_parse(&words, c ? c->view.name : NULL, &command, &err);
	assert_ok(ret, &err);
	strbuf_reset(&f->reply);
	if (f->before)
		strbuf_append_str(&f->reply, f->before);
	strbuf_reset(&fake.calls);
	error_clear(&f->err);
	return perform(&context, &command, &f->reply, &f->err);
}

static inline void begin(struct fixture *f, bool resumed, const char *note)
{
	f->ticket.resumed = resumed;
	snprintf(f->ticket.note, sizeof(f->ticket.note), "%s", note);
}

static inline void check(struct fixture *f, struct container *c, const char *line,
			 const char *calls, const char *reply)
{
	int ret;

	if (!f->ticket.resumed)
		begin(f, false, "");
	ret = run(f, c, line);
	assert_ok(ret, &f->err);
	assert_string_equal(strbuf_get_str(&fake.calls), calls);
	assert_string_equal(strbuf_get_str(&f->reply), reply);
}

static inline void check_fails(struct fixture *f, const char *line, int code, const char *msg,
			       const char *calls, const char *reply)
{
	int ret;

	if (!f->ticket.resumed)
		begin(f, false, "");
	ret = run(f, NULL, line);
	assert_error(ret, &f->err, code, msg);
	assert_string_equal(strbuf_get_str(&fake.calls), calls);
	assert_string_equal(strbuf_get_str(&f->reply), reply);
}

static inline void make_tar(struct strbuf *tar)
{
	tar_file(tar, "etc/hello", "hello\n");
	tar_end(tar);
}

/* PATH/x.tar with a file in it. */
static inline void write_tar(struct fixture *f)
{
	AUTO(strbuf_deinit) struct strbuf tar = STRBUF_INIT;
	int ret;

	make_tar(&tar);
	error_clear(&f->err);
	ret = path_replace_file(f->fd, "x.tar", tar.data, tar.len, 0600, false, &f->err);
	assert_ok(ret, &f->err);
}

static inline void import_image(struct fixture *f, const char *name)
{
	char line[200];
	int ret;

	write_tar(f);
	snprintf(line, sizeof(line), "import %s/x.tar %s", f->path, name);
	begin(f, false, "");
	ret = run(f, NULL, line);
	assert_ok(ret, &f->err);
}

#endif
