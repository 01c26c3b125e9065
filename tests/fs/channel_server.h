/* A file system of a few files for tests of the FUSE connection, as a process that
 * can be killed at any moment. What it and its clients saw is in memory that all share.
 *
 * text has bytes; a read of block waits until something is written to go; sink takes
 * everything; poll becomes readable when seen.poll_ready is set.
 */
#ifndef TESTS_FS_CHANNEL_SERVER_H
#define TESTS_FS_CHANNEL_SERVER_H

#include "tests/test.h"

#include "fs/channel.h"
#include "fs/mountpoint.h"
#include "fs/readiness.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CLIENTS 2
#define THREADS 3
#define MIB (1U << 20)

enum { ROOT_INO = 1, TEXT_INO, BLOCK_INO, SINK_INO, GO_INO, POLL_INO, INO_END };

static const char *const file_names[INO_END] = {
	[TEXT_INO] = "text", [BLOCK_INO] = "block", [SINK_INO] = "sink",
	[GO_INO] = "go",     [POLL_INO] = "poll",
};
static char text[20000];

struct seen {
	_Atomic uint64_t block_unique;  /* of the first READ of block */
	_Atomic uint64_t block_resends; /* of that number */
	_Atomic uint64_t strangers;     /* READs of block with another number */
	_Atomic uint64_t unmarked;      /* first arrivals with a mark, or the reverse */
	_Atomic uint64_t largest_write;
	_Atomic uint64_t poll_kh;
	_Atomic bool poll_ready;
	_Atomic uint64_t reads[CLIENTS], failures[CLIENTS];
	_Atomic int64_t slowest_ns[CLIENTS];
	_Atomic uint64_t blocked_done; /* the blocked client got its bytes */
	_Atomic int result;            /* of channel_run() */
	_Atomic bool taken_over;
	sem_t stop; /* posted: a server that was to stop does */
};

struct fixture {
	char dir[64];
	int dir_fd;
	struct mountpoint mount;
	int init_fd;
	struct seen *seen;
	pid_t children[16];
	size_t child_count;
};

/* --- the server ----------------------------------------------------------- */

struct server {
	struct seen *seen;
	struct channel *channel;
	pthread_mutex_t lock;
	fuse_req_t parked;
	int ready_fd;
};

static void fill_stat(fuse_ino_t ino, struct stat *st)
{
	*st = (struct stat){ .st_ino = ino, .st_nlink = 1 };
	st->st_mode = ino == ROOT_INO ? S_IFDIR | 0700 : S_IFREG | 0600;
	st->st_size = ino == TEXT_INO ? (off_t)sizeof(text) : 0;
}

static void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { .ino = 0 };

	(void)parent;
	for (fuse_ino_t ino = TEXT_INO; ino < INO_END; ino++)
		if (strcmp(name, file_names[ino]) == 0)
			entry.ino = ino;
	if (!entry.ino) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	fill_stat(entry.ino, &entry.attr);
	fuse_reply_entry(req, &entry);
}

static void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct stat st;

	(void)fi;
	fill_stat(ino, &st);
	fuse_reply_attr(req, &st, 0);
}

static void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		       struct fuse_file_info *fi)
{
	(void)attr;
	(void)to_set;
	fs_getattr(req, ino, fi);
}

static void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	fi->direct_io = 1;
	fuse_reply_open(req, fi);
}

static void park(struct server *server, fuse_req_t req)
{
	struct seen *seen = server->seen;
	uint64_t unique = channel_get_unique();
	uint64_t first = 0;

	if (atomic_compare_exchange_strong(&seen->block_unique, &first, unique)) {
		if (channel_is_resent())
			atomic_fetch_add(&seen->unmarked, 1);
	} else if (first != unique) {
		atomic_fetch_add(&seen->strangers, 1);
	} else {
		atomic_fetch_add(channel_is_resent() ? &seen->block_resends : &seen->unmarked, 1);
	}
	pthread_mutex_lock(&server->lock);
	server->parked = req;
	pthread_mutex_unlock(&server->lock);
}

static void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi)
{
	size_t at = (size_t)off;

	(void)fi;
	if (ino == BLOCK_INO) {
		park(fuse_req_userdata(req), req);
		return;
	}
	if (ino != TEXT_INO || at >= sizeof(text))
		fuse_reply_buf(req, NULL, 0);
	else
		fuse_reply_buf(req, text + at, size < sizeof(text) - at ? size : sizeof(text) - at);
}

static void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
		     struct fuse_file_info *fi)
{
	struct server *server = fuse_req_userdata(req);
	fuse_req_t parked;

	(void)buf;
	(void)off;
	(void)fi;
	if (ino == SINK_INO && atomic_load(&server->seen->largest_write) < size)
		atomic_store(&server->seen->largest_write, size);
	if (ino == GO_INO) {
		pthread_mutex_lock(&server->lock);
		parked = server->parked;
		server->parked = NULL;
		pthread_mutex_unlock(&server->lock);
		if (parked)
			fuse_reply_buf(parked, "done", 4);
	}
	fuse_reply_write(req, size);
}

static void fs_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
		    struct fuse_pollhandle *ph)
{
	struct server *server = fuse_req_userdata(req);

	(void)ino;
	(void)fi;
	if ((ph != NULL) != (channel_get_poll_kh() != 0))
		atomic_fetch_add(&server->seen->unmarked, 1);
	if (ph) {
		atomic_store(&server->seen->poll_kh, channel_get_poll_kh());
		fuse_pollhandle_destroy(ph);
	}
	fuse_reply_poll(req, atomic_load(&server->seen->poll_ready) ? POLLIN : 0);
}

static const struct fuse_lowlevel_ops ops = {
	.lookup = fs_lookup,
	.getattr = fs_getattr,
	.setattr = fs_setattr,
	.open = fs_open,
	.read = fs_read,
	.write = fs_write,
	.poll = fs_poll,
};

static void tell_ready(void *arg)
{
	struct server *server = arg;

	readiness_send_ready(server->ready_fd);
}

static void *stop_when_told(void *arg)
{
	struct server *server = arg;

	while (sem_wait(&server->seen->stop) < 0)
		;
	channel_stop(server->channel);
	return NULL;
}

static _Noreturn void serve(struct fixture *f, int ready_fd, bool stop)
{
	struct server server = { .seen = f->seen, .ready_fd = ready_fd };
	struct error err = ERROR_INIT;
	pthread_t stopper;
	int r;

	pthread_mutex_init(&server.lock, NULL);
	r = channel_open(f->mount.fuse_fd, f->init_fd, &ops, sizeof(ops), &server, &server.channel,
			 &err);
	if (r == 0) {
		atomic_store(&f->seen->taken_over, channel_was_taken_over(server.channel));
		if (stop)
			pthread_create(&stopper, NULL, stop_when_told, &server);
		r = channel_run(server.channel, THREADS, tell_ready, &server, &err);
		if (stop)
			pthread_join(stopper, NULL);
		channel_close(server.channel);
	}
	atomic_store(&f->seen->result, r);
	if (r < 0)
		readiness_send_failure(ready_fd, &err);
	_exit(r == 0 ? 0 : 1);
}

#endif
