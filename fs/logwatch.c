/* inotify on the directories of those containers whose log somebody waits for: the shim only writes
 * files, so nothing that reads can slow it. One watch per container, counted.
 */
#include "fs/files.h"

#include "base/hash.h"
#include "base/log.h"
#include "runtime/log/logformat.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

struct watched {
	int wd;
	uint64_t key;
	unsigned count;
	UT_hash_handle hh;
};

struct logwatch {
	struct fs *fs;
	int inotify_fd;
	int stop_fd;
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;  /* guards table */
	struct watched *table; /* by wd */
};

static void wake(struct logwatch *watch, int wd)
{
	struct watched *watched = NULL;
	uint64_t key = PARK_NOTHING;

	pthread_mutex_lock(&watch->lock);
	HASH_FIND_INT(watch->table, &wd, watched);
	if (watched)
		key = watched->key;
	pthread_mutex_unlock(&watch->lock);
	if (key != PARK_NOTHING)
		park_wake(watch->fs->park, key);
}

/* The kernel lost events: everybody looks for himself. */
static void wake_all(struct logwatch *watch)
{
	struct watched *watched, *next;

	pthread_mutex_lock(&watch->lock);
	HASH_ITER(hh, watch->table, watched, next)
		park_wake(watch->fs->park, watched->key);
	pthread_mutex_unlock(&watch->lock);
}

static bool is_index(const char *name)
{
	uint64_t segment;
	bool index;

	return logformat_parse_name(name, &segment, &index) && index;
}

static void read_events(struct logwatch *watch)
{
	_Alignas(struct inotify_event) char buf[16384];
	ssize_t got = read(watch->inotify_fd, buf, sizeof(buf));
	int last = -1;

	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const struct inotify_event *)(buf + at);

		if (event->mask & IN_Q_OVERFLOW)
			wake_all(watch);
		else if (event->wd != last && event->len && is_index(event->name))
			wake(watch, last = event->wd);
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

static void *run(void *arg)
{
	struct logwatch *watch = arg;
	struct pollfd fds[2] = { { .fd = watch->inotify_fd, .events = POLLIN },
				 { .fd = watch->stop_fd, .events = POLLIN } };

	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		if (fds[1].revents)
			break;
		if (fds[0].revents)
			read_events(watch);
	}
	return NULL;
}

int logwatch_new(struct fs *fs, struct logwatch **ret, struct error *err)
{
	struct logwatch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return error_set(err, ENOMEM, "no memory to watch logs");
	watch->fs = fs;
	pthread_mutex_init(&watch->lock, NULL);
	watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->stop_fd = eventfd(0, EFD_CLOEXEC);
	if (watch->inotify_fd < 0 || watch->stop_fd < 0 ||
	    pthread_create(&watch->thread, NULL, run, watch) != 0) {
		int r = error_set_sys(err, errno ? errno : EAGAIN, "cannot watch logs by inotify");

		logwatch_free(watch);
		return r;
	}
	watch->running = true;
	*ret = watch;
	return 0;
}

void logwatch_free(struct logwatch *watch)
{
	struct watched *watched, *next;
	uint64_t one = 1;

	if (!watch)
		return;
	if (watch->running && write(watch->stop_fd, &one, sizeof(one)) > 0)
		pthread_join(watch->thread, NULL);
	if (watch->inotify_fd >= 0)
		close(watch->inotify_fd);
	if (watch->stop_fd >= 0)
		close(watch->stop_fd);
	HASH_ITER(hh, watch->table, watched, next) {
		HASH_DEL(watch->table, watched);
		free(watched);
	}
	pthread_mutex_destroy(&watch->lock);
	free(watch);
}

static bool count_watch_locked(struct logwatch *watch, int wd, uint64_t key)
{
	struct watched *watched = NULL;

	HASH_FIND_INT(watch->table, &wd, watched);
	if (!watched) {
		watched = calloc(1, sizeof(*watched));
		if (watched) {
			watched->wd = wd;
			watched->key = key;
			HASH_ADD_INT(watch->table, wd, watched);
		}
	}
	if (watched && !hash_took(watched)) {
		free(watched);
		watched = NULL;
	}
	if (watched)
		watched->count++;
	return watched != NULL;
}

void logwatch_add(struct handle *handle)
{
	struct logwatch *watch = handle->fs->logwatch;
	char path[64];
	int wd = 0;

	if (!handle->container)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", container_get_dir_fd(handle->container));
	/* Under the lock, for a directory has one watch only: another's end must not take it away. */
	pthread_mutex_lock(&watch->lock);
	if (!handle->watching)
		wd = inotify_add_watch(watch->inotify_fd, path, IN_MODIFY | IN_CREATE | IN_ONLYDIR);
	if (!handle->watching && wd >= 0)
		handle->watching = count_watch_locked(watch, wd, node_get_key(handle->head->node));
	pthread_mutex_unlock(&watch->lock);
	if (wd < 0)
		log_warn("cannot watch a log by inotify: %s; raise fs.inotify.max_user_watches",
			 strerrordesc_np(errno));
}

void logwatch_remove(struct handle *handle)
{
	struct logwatch *watch = handle->fs->logwatch;
	uint64_t key = node_get_key(handle->head->node);
	struct watched *watched, *next;

	if (!handle->watching)
		return;
	handle->watching = false;
	pthread_mutex_lock(&watch->lock);
	HASH_ITER(hh, watch->table, watched, next) {
		if (watched->key == key && --watched->count == 0) {
			HASH_DEL(watch->table, watched);
			inotify_rm_watch(watch->inotify_fd, watched->wd);
			free(watched);
		}
	}
	pthread_mutex_unlock(&watch->lock);
}
