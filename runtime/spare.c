/* One thread makes spare shims, after a start and not during it, and lets those go that
 * nobody has asked for in a while. A shim is a sealed program (base/program.h) in the slim
 * mount namespace. One in stock that has said or closed anything is of no use: whoever takes
 * finds out and goes on.
 */
#include "runtime/spare.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/program.h"
#include "base/worker.h"
#include "runtime/slimns.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define KINDS_MAX 4U
/* Two starts at once, as a pipeline of two containers makes them. */
#define STOCK_MAX 2U
#define IDLE_NS INT64_C(30000000000)

extern const char shim_image_start[], shim_image_end[];

/* Those that make the same namespaces. */
struct kind {
	uint64_t namespaces;
	int64_t until_ns; /* CLOCK_MONOTONIC: then they go; 0: nobody has asked */
	unsigned count;
	struct spare stock[STOCK_MAX];
};

struct spares {
	int image_fd, slim_fd, null_fd;
	pthread_t thread;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	bool has_thread, is_ending;
	struct kind kinds[KINDS_MAX];
};

/* --- one shim ------------------------------------------------------------------------- */

void spare_end(struct spare *spare)
{
	if (spare->pid > 0) {
		kill(spare->pid, SIGKILL);
		while (waitpid(spare->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	cleanup_fd(&spare->fd);
	*spare = (struct spare)SPARE_INIT;
}

static int spawn(const struct spares *all, uint64_t namespaces, struct spare *ret,
		 struct error *err)
{
	char numbers[3][16];
	char *argv[] = { (char *)"containerfs-spare", numbers[0], numbers[1], numbers[2], NULL };
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return error_set_sys(err, errno, "cannot make a socket for the shim");
	auto_fd int ours = ends[0], theirs = ends[1];
	const int fds[] = { theirs, all->slim_fd };
	const struct program_spawn spawn = { .image_fd = all->image_fd,
					     .null_fd = all->null_fd,
					     .argv = argv,
					     .fds = fds,
					     .fd_count = 2 };
	/* As wide as they get: the shim writes its later command line in this place. */
	snprintf(numbers[0], sizeof(numbers[0]), "%010d", theirs);
	snprintf(numbers[1], sizeof(numbers[1]), "%010d", all->slim_fd);
	snprintf(numbers[2], sizeof(numbers[2]), "%010u", (unsigned)namespaces);
	pid_t pid = program_start(&spawn);
	if (pid < 0)
		return error_set_sys(err, -pid, "cannot start the container's shim");
	*ret = (struct spare){ .pid = pid, .fd = steal_fd(&ours) };
	return 0;
}

/* It neither ended nor found that it cannot do its work. */
static bool is_good(const struct spare *spare)
{
	struct pollfd polled = { .fd = spare->fd, .events = POLLIN };

	return poll(&polled, 1, 0) == 0;
}

/* --- the stock ------------------------------------------------------------------------ */

/* That of these namespaces, or the one that was asked for longest ago, which is empty. */
static struct kind *find_locked(struct spares *all, uint64_t namespaces)
{
	struct kind *free_kind = NULL;

	for (unsigned i = 0; i < KINDS_MAX; i++) {
		if (all->kinds[i].until_ns && all->kinds[i].namespaces == namespaces)
			return &all->kinds[i];
		if (!all->kinds[i].until_ns)
			free_kind = &all->kinds[i];
	}
	return free_kind;
}

static bool take_stock(struct spares *all, uint64_t namespaces, struct spare *ret)
{
	struct spare spare = SPARE_INIT;

	pthread_mutex_lock(&all->lock);
	struct kind *kind = find_locked(all, namespaces);
	if (kind && kind->count > 0)
		spare = kind->stock[--kind->count];
	pthread_mutex_unlock(&all->lock);
	*ret = spare;
	return spare.pid > 0;
}

int spares_take(struct spares *all, uint64_t namespaces, struct spare *ret, struct error *err)
{
	while (take_stock(all, namespaces, ret)) {
		if (is_good(ret))
			return 0;
		spare_end(ret);
	}
	return spawn(all, namespaces, ret, err);
}

/* --- the thread ----------------------------------------------------------------------- */

static void add_one(struct spares *all, struct kind *kind)
{
	struct spare spare = SPARE_INIT;
	struct error err = ERROR_INIT;
	uint64_t namespaces = kind->namespaces;

	pthread_mutex_unlock(&all->lock);
	int r = spawn(all, namespaces, &spare, &err);
	pthread_mutex_lock(&all->lock);
	if (r < 0) {
		log_warn("no shim in stock: %s", err.msg);
		kind->until_ns = 1; /* long past: until the next start asks again */
		return;
	}
	spare.is_stock = true;
	kind->stock[kind->count++] = spare;
}

static void drop_one(struct spares *all, struct kind *kind)
{
	struct spare spare = kind->stock[--kind->count];

	pthread_mutex_unlock(&all->lock);
	spare_end(&spare);
	pthread_mutex_lock(&all->lock);
}

/* Do one thing. False when there is none to do until *ret_until_ns (0: ever). */
static bool work_locked(struct spares *all, int64_t now_ns, int64_t *ret_until_ns)
{
	*ret_until_ns = 0;
	for (unsigned i = 0; i < KINDS_MAX; i++) {
		struct kind *kind = &all->kinds[i];

		if (kind->until_ns > now_ns && kind->count < STOCK_MAX) {
			add_one(all, kind);
			return true;
		}
		if (kind->until_ns <= now_ns && kind->count > 0) {
			drop_one(all, kind);
			return true;
		}
		if (kind->until_ns <= now_ns)
			kind->until_ns = 0;
		else if (!*ret_until_ns || kind->until_ns < *ret_until_ns)
			*ret_until_ns = kind->until_ns;
	}
	return false;
}

static void *run(void *arg)
{
	struct spares *all = arg;
	int64_t until_ns;

	pthread_mutex_lock(&all->lock);
	while (!all->is_ending) {
		if (work_locked(all, clock_monotonic_ns(), &until_ns))
			continue;
		if (until_ns) {
			struct timespec until = { .tv_sec = until_ns / 1000000000,
						  .tv_nsec = until_ns % 1000000000 };
			pthread_cond_clockwait(&all->changed, &all->lock, CLOCK_MONOTONIC, &until);
		} else {
			pthread_cond_wait(&all->changed, &all->lock);
		}
	}
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

void spares_refill(struct spares *all, uint64_t namespaces)
{
	pthread_mutex_lock(&all->lock);
	struct kind *kind = find_locked(all, namespaces);
	if (kind) {
		kind->namespaces = namespaces;
		kind->until_ns = clock_monotonic_ns() + IDLE_NS;
	}
	/* Without it every start spawns its shim. */
	if (!all->has_thread)
		all->has_thread = worker_start_thread(&all->thread, run, all) == 0;
	pthread_cond_signal(&all->changed);
	pthread_mutex_unlock(&all->lock);
}

/* --- all ------------------------------------------------------------------------------ */

void spares_free(struct spares *all)
{
	if (!all)
		return;
	pthread_mutex_lock(&all->lock);
	all->is_ending = true;
	pthread_cond_signal(&all->changed);
	pthread_mutex_unlock(&all->lock);
	if (all->has_thread)
		pthread_join(all->thread, NULL);
	for (unsigned i = 0; i < KINDS_MAX; i++)
		while (all->kinds[i].count > 0)
			spare_end(&all->kinds[i].stock[--all->kinds[i].count]);
	cleanup_fd(&all->image_fd);
	cleanup_fd(&all->slim_fd);
	cleanup_fd(&all->null_fd);
	pthread_cond_destroy(&all->changed);
	pthread_mutex_destroy(&all->lock);
	free(all);
}

int spares_new(struct spares **ret, struct error *err)
{
	AUTO(spares_free) struct spares *all = calloc(1, sizeof(*all));

	if (!all)
		return error_set_sys(err, ENOMEM, "cannot hold the shims");
	all->image_fd = all->slim_fd = all->null_fd = -1;
	pthread_mutex_init(&all->lock, NULL);
	pthread_cond_init(&all->changed, NULL);
	all->image_fd = program_seal("containerfs-shim", shim_image_start,
				     (size_t)(shim_image_end - shim_image_start), err);
	if (all->image_fd < 0)
		return all->image_fd;
	all->slim_fd = slimns_open(err);
	if (all->slim_fd < 0)
		return all->slim_fd;
	all->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (all->null_fd < 0)
		return error_set_sys(err, errno, "cannot open '/dev/null'");
	*ret = steal_ptr(&all);
	return 0;
}
