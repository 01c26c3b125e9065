/* Puts the engine's parts together, serves until the mount ends, takes them apart.
 *
 * Order of making: what is called back into exists before what calls. The file system's own memory is found
 * before the kernel is asked to send its requests again.
 */
#include "fs/server.h"

#include "base/log.h"
#include "base/path.h"
#include "fs/changes.h"
#include "fs/files.h"
#include "fs/invalidate.h"
#include "fs/kept.h"
#include "fs/ops.h"
#include "fs/teller.h"
#include "fs/templink.h"
#include "fs/volfs/volfs.h"
#include "graph/registry/registry.h"
#include "runtime/event.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define WORKERS_MAX 4096
#define EXPORTERS_MAX 256 /* archives being read at once */
#define SERVE_THREADS 2

void fs_read_caller(fuse_req_t req, struct caller *ret)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	caller_read(ctx->pid, ctx->uid, ret);
}

void fs_note_error(struct fs *fs, const struct caller *caller, const struct error *failure)
{
	log_info("uid %u pid %d: %s", (unsigned)caller->uid, (int)caller->tid, failure->msg);
	sessions_put_error(fs->sessions, caller, failure);
}

void fs_reply_error(fuse_req_t req, const struct error *failure)
{
	struct caller caller;

	fs_read_caller(req, &caller);
	fs_note_error(fs_of(req), &caller, failure);
	fuse_reply_err(req, failure->code);
}

/* --- making ------------------------------------------------------------------------ */

struct server {
	struct fs fs;
	int run_fd;
	int ready_fd;
	pthread_t signal_thread;
	sigset_t signals;
	atomic_bool terminated;
	atomic_bool ended;
};

/* Names the control groups of this root apart from another root's. */
static void make_instance(const char *root, char ret[9])
{
	uint32_t hash = 2166136261U; /* FNV-1a, 32 bits */

	for (const char *p = root; *p; p++)
		hash = (hash ^ (uint32_t)(unsigned char)*p) * 16777619U;
	snprintf(ret, 9, "%08x", hash);
}

static int open_graph(struct server *server, struct error *err)
{
	AUTO(strbuf_deinit) struct strbuf root = STRBUF_INIT;
	struct graph_options options = { .limits = &server->fs.options->image_limits,
					 .on_change = changes_on_image,
					 .find_user = changes_find_image_user,
					 .arg = &server->fs };

	strbuf_appendf(&root, "%s/images", server->fs.options->root);
	if (strbuf_check(&root, err) < 0)
		return -ENOMEM;
	options.root = strbuf_get_str(&root);
	return graph_open(&options, &server->fs.graph, err);
}

static int open_registries(struct fs *fs, struct error *err)
{
	const struct registries_options options = { .root = fs->options->root,
						    .default_registry = fs->options->registry,
						    .graph = fs->graph };

	return registries_open(&options, &fs->registries, err);
}

static int open_engine(struct server *server, struct error *err)
{
	char instance[9];
	struct engine_options options = { .root = server->fs.options->root,
					  .log_opts = server->fs.options->log_opts,
					  .run = server->fs.options->run,
					  .mnt = server->fs.options->mnt,
					  .registry = server->fs.options->registry,
					  .bridge = server->fs.options->bridge,
					  .subnet = server->fs.options->subnet,
					  .isolated = server->fs.options->isolated,
					  .instance = instance,
					  .graph = server->fs.graph,
					  .events = server->fs.events,
					  .on_change = changes_on_container,
					  .on_volume = changes_on_volume,
					  .arg = &server->fs };

	make_instance(server->fs.options->root, instance);
	return engine_open(&options, &server->fs.engine, err);
}

static int make_parts(struct server *server, struct error *err)
{
	struct fs *fs = &server->fs;
	int r;

	fs->workers = workers_new(WORKERS_MAX);
	fs->exporters = workers_new(EXPORTERS_MAX);
	fs->nodes = nodes_new();
	fs->inputs = inputs_new();
	fs->imports = imports_new();
	fs->park = park_new(changes_on_wake, fs);
	if (!fs->workers || !fs->exporters || !fs->nodes || !fs->inputs || !fs->imports ||
	    !fs->park)
		return error_set(err, ENOMEM, "no memory to serve the mount");
	r = logwatch_new(fs, &fs->logwatch, err);
	if (r == 0)
		r = sessions_open(fs->memory->sessions_fd, &fs->sessions, err);
	if (r == 0)
		r = requests_open(fs->memory->requests_fd, &fs->requests, err);
	if (r == 0)
		r = kept_open(fs->memory->names_fd, &fs->kept, err);
	if (r == 0)
		r = templinks_new(fs->kept, &fs->templinks, err);
	return r;
}

static void restore_handle(struct handle *handle)
{
	stream_restore(handle);
	if (handle->row->class == FILE_STDIN || tree_get_role(handle->row->kind) == NODE_C_ATTACH)
		stdinfile_open(handle);
}

static int make_mount(struct server *server, struct error *err)
{
	struct fs *fs = &server->fs;
	int r = channel_open(fs->memory->fuse_fd, fs->memory->init_fd, &ops_table,
			     sizeof(ops_table), fs, &fs->channel, err);

	if (r < 0)
		return r;
	fs->invalidator = invalidator_new(fs->teller, fs->kept, changes_has_name, fs);
	if (!fs->invalidator)
		return error_set(err, ENOMEM, "no memory to serve the mount");
	r = handles_open(fs, fs->memory->handles_fd, &fs->handles, err);
	if (r < 0)
		return r;
	handles_visit_all(fs, restore_handle);
	r = volfs_take_over(fs->volfs, fs, err);
	if (r < 0)
		return r;
	engine_forget_removed(fs->engine);
	/* What changes from here on is seen to as it happens; what did before, all at once. */
	atomic_store(&fs->is_whole, true);
	changes_take_over(fs);
	return 0;
}

static int make(struct server *server, struct error *err)
{
	struct fs *fs = &server->fs;
	int r;

	server->run_fd = open(fs->options->run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (server->run_fd < 0)
		return error_set_sys(err, errno, "cannot open '%s'", fs->options->run);
	r = make_parts(server, err);
	if (r == 0)
		r = events_open(server->run_fd, changes_on_event, fs, &fs->events, err);
	if (r == 0)
		r = open_graph(server, err);
	if (r == 0)
		r = open_registries(fs, err);
	if (r == 0)
		r = open_engine(server, err);
	return r == 0 ? make_mount(server, err) : r;
}

/* --- ending ------------------------------------------------------------------------- */

/* Backwards; each part bears being none. Containers run on. */
static void unmake(struct server *server)
{
	struct fs *fs = &server->fs;

	if (fs->requests)
		requests_cancel_all(fs->requests);
	/* Writers of archives wait for readers that will not come. */
	if (fs->handles)
		handles_visit_all(fs, exportfile_release);
	/* The waker gives work to the workers, who take parked requests out; all below wake. */
	if (fs->park)
		park_stop(fs->park);
	workers_free(fs->workers);
	workers_free(fs->exporters);
	volfs_free(fs->volfs);
	invalidator_stop(fs->invalidator);
	if (fs->engine)
		engine_close(fs->engine);
	registries_close(fs->registries);
	if (fs->graph)
		graph_close(fs->graph);
	if (fs->events)
		events_close(fs->events);
	logwatch_free(fs->logwatch);
	park_free(fs->park);
	if (fs->handles)
		handles_close(fs->handles);
	invalidator_free(fs->invalidator);
	teller_free(fs->teller);
	if (fs->channel)
		channel_close(fs->channel);
	requests_close(fs->requests);
	sessions_close(fs->sessions);
	templinks_free(fs->templinks);
	kept_close(fs->kept);
	imports_free(fs->imports);
	inputs_free(fs->inputs);
	nodes_free(fs->nodes);
	if (server->run_fd >= 0)
		close(server->run_fd);
}

/* --- serving ------------------------------------------------------------------------- */

static void *wait_for_signal(void *arg)
{
	struct server *server = arg;
	int signo;

	while (sigwait(&server->signals, &signo) == 0) {
		if (atomic_load(&server->ended))
			break;
		if (signo == SIGTERM || signo == SIGINT) {
			atomic_store(&server->terminated, true);
			channel_stop(server->fs.channel);
			break;
		}
	}
	return NULL;
}

/* Before any thread is made, so that all of them have these blocked. */
static void block_signals(struct server *server)
{
	sigemptyset(&server->signals);
	sigaddset(&server->signals, SIGTERM);
	sigaddset(&server->signals, SIGINT);
	sigaddset(&server->signals, SIGHUP);
	sigaddset(&server->signals, SIGUSR2); /* our own, to end the thread */
	pthread_sigmask(SIG_BLOCK, &server->signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* A sleeping poll is not sent again: everybody looks once more. */
static void wake_poll(struct handle *handle)
{
	if (!handle->head->polled)
		return;
	handle->head->polled = 0;
	channel_notify_poll(handle->fs->channel, handle->head->poll_kh);
}

static void on_ready(void *arg)
{
	struct server *server = arg;

	if (channel_was_taken_over(server->fs.channel))
		handles_visit_all(&server->fs, wake_poll);
	if (write(server->ready_fd, "R", 1) < 0)
		log_warn("cannot report that the mount answers");
}

/* Each file of a volume that the kernel knows is a descriptor here; and containers get what Docker's get. */
#define FILES_MAX 1048576

static void raise_file_limit(void)
{
	struct rlimit all = { .rlim_cur = FILES_MAX, .rlim_max = FILES_MAX }, limit;

	/* Not above fs.nr_open, and for root only. */
	if (setrlimit(RLIMIT_NOFILE, &all) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int serve(struct server *server, struct error *err)
{
	int r;

	if (pthread_create(&server->signal_thread, NULL, wait_for_signal, server) != 0)
		return error_set(err, EAGAIN, "no thread to wait for signals");
	r = channel_run(server->fs.channel, SERVE_THREADS, on_ready, server, err);
	atomic_store(&server->ended, true);
	pthread_kill(server->signal_thread, SIGUSR2);
	pthread_join(server->signal_thread, NULL);
	return r;
}

int server_run(const struct server_options *options, const struct server_memory *memory,
	       int ready_fd, struct error *err)
{
	struct server server = { .run_fd = -1, .ready_fd = ready_fd };
	int r;

	server.fs.options = options;
	server.fs.memory = memory;
	raise_file_limit();
	block_signals(&server);
	r = volfs_start(memory, ready_fd, &server.fs.volfs, err);
	if (r == 0)
		r = teller_start(memory->fuse_fd, &server.fs.teller, err);
	if (r == 0)
		r = make(&server, err);
	if (r == 0)
		r = serve(&server, err);
	unmake(&server);
	if (r < 0)
		return SERVER_FAILED;
	return atomic_load(&server.terminated) ? SERVER_TERMINATED : SERVER_UNMOUNTED;
}
