/* One thread that watches all shims, the deadlines of stops, the pauses before
 * restarts, and what is done every now and then.
 *
 * It never waits for anything but its epoll: what takes time (the end of a run,
 * a KILL, the copying of states) goes to the workers. Descriptors are watched
 * one shot at a time and named by container key and run, never by pointer: an
 * event that comes late finds that the run is over, or no such container.
 */
#include "runtime/engine_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/worker.h"

#include <limits.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define COPY_INTERVAL_NS INT64_C(1000000000)
#define NS_PER_MS 1000000
#define BATCH 64

enum kind { KIND_SOCKET, KIND_PROCESS, KIND_WAKE, KIND_OOM };

/* 36 bits of key, 2 of kind, 26 of the run's number. */
#define KIND_SHIFT 36
#define RUN_SHIFT 38
#define KEY_MASK ((UINT64_C(1) << KIND_SHIFT) - 1)
#define RUN_MASK ((UINT64_C(1) << (64 - RUN_SHIFT)) - 1)

struct deadline {
	struct deadline *next;
	uint64_t key, run;
	int64_t when_ns;
};

struct monitor {
	struct engine *engine;
	int epoll_fd, wake_fd;
	pthread_t thread;
	atomic_bool ending;
	int64_t next_copy_ns, next_hide_ns; /* the thread's own */
	pthread_mutex_t lock;
	struct deadline *deadlines; /* guarded by lock; few: stops under way, restarts to come */
};

static uint64_t pack(uint64_t key, enum kind kind, uint64_t run)
{
	return key | (uint64_t)kind << KIND_SHIFT | (run & RUN_MASK) << RUN_SHIFT;
}

static void control_for(struct monitor *monitor, int op, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event event = { .events = events | EPOLLONESHOT, .data.u64 = data };

	if (epoll_ctl(monitor->epoll_fd, op, fd, &event) < 0 && op == EPOLL_CTL_ADD)
		log_warn("cannot watch a shim: %s", strerrordesc_np(errno));
}

static void control(struct monitor *monitor, int op, int fd, uint64_t data)
{
	control_for(monitor, op, fd, EPOLLIN, data);
}

void monitor_watch(struct monitor *monitor, uint64_t key, uint64_t run, int socket_fd, int pidfd)
{
	control(monitor, EPOLL_CTL_ADD, socket_fd, pack(key, KIND_SOCKET, run));
	control(monitor, EPOLL_CTL_ADD, pidfd, pack(key, KIND_PROCESS, run));
}

void monitor_rearm(struct monitor *monitor, uint64_t key, uint64_t run, int socket_fd)
{
	control(monitor, EPOLL_CTL_MOD, socket_fd, pack(key, KIND_SOCKET, run));
}

void monitor_watch_oom(struct monitor *monitor, uint64_t key, uint64_t run, int fd,
		       bool is_priority)
{
	control_for(monitor, EPOLL_CTL_ADD, fd, is_priority ? EPOLLPRI : EPOLLIN,
		    pack(key, KIND_OOM, run));
}

void monitor_rearm_oom(struct monitor *monitor, uint64_t key, uint64_t run, int fd,
		       bool is_priority)
{
	control_for(monitor, EPOLL_CTL_MOD, fd, is_priority ? EPOLLPRI : EPOLLIN,
		    pack(key, KIND_OOM, run));
}

void monitor_unwatch(struct monitor *monitor, int socket_fd, int pidfd)
{
	epoll_ctl(monitor->epoll_fd, EPOLL_CTL_DEL, socket_fd, NULL);
	epoll_ctl(monitor->epoll_fd, EPOLL_CTL_DEL, pidfd, NULL);
}

void monitor_wake(struct monitor *monitor)
{
	eventfd_write(monitor->wake_fd, 1);
}

/* A stop must be followed by its KILL, and a pause by its restart: this cannot fail. It waits for
 * memory, which somebody's end will give back. */
static struct deadline *new_deadline(void)
{
	struct deadline *deadline;

	while (!(deadline = malloc(sizeof(*deadline))))
		sched_yield();
	return deadline;
}

void monitor_set_deadline(struct monitor *monitor, uint64_t key, uint64_t run, int64_t when_ns)
{
	struct deadline *deadline = new_deadline();

	*deadline = (struct deadline){ .key = key, .run = run, .when_ns = when_ns };
	pthread_mutex_lock(&monitor->lock);
	deadline->next = monitor->deadlines;
	monitor->deadlines = deadline;
	pthread_mutex_unlock(&monitor->lock);
	monitor_wake(monitor);
}

/* One that has passed, or NULL; *ret_next_ns becomes the earliest of the others. */
static struct deadline *take_passed(struct monitor *monitor, int64_t now_ns, int64_t *ret_next_ns)
{
	struct deadline *passed = NULL;

	pthread_mutex_lock(&monitor->lock);
	for (struct deadline **at = &monitor->deadlines; *at; at = &(*at)->next) {
		if ((*at)->when_ns <= now_ns) {
			passed = *at;
			*at = passed->next;
			break;
		}
		if ((*at)->when_ns < *ret_next_ns)
			*ret_next_ns = (*at)->when_ns;
	}
	pthread_mutex_unlock(&monitor->lock);
	return passed;
}

static void run_deadlines(struct monitor *monitor, int64_t *inout_next_ns)
{
	struct deadline *passed;

	while ((passed = take_passed(monitor, clock_monotonic_ns(), inout_next_ns))) {
		AUTO(container_unref)
		struct container *c = engine_find_key(monitor->engine, passed->key);

		if (c) {
			stop_on_deadline(c, passed->run);
			policy_on_deadline(c, passed->run);
		}
		free(passed);
	}
}

static void copy_job(void *arg)
{
	struct engine *engine = arg;

	store_copy_states(engine);
	atomic_store(&engine->copying, false);
	if (atomic_load(&engine->copies_wanted))
		monitor_wake(engine->monitor);
}

/* A second after the first change, and never two at once: a sync at once would be
 * in the way of the start that asks for it. */
static void run_copies(struct monitor *monitor, int64_t *inout_next_ns)
{
	struct engine *engine = monitor->engine;
	int64_t now_ns = clock_monotonic_ns();

	if (!atomic_load(&engine->copies_wanted) || atomic_load(&engine->copying))
		return;
	if (!monitor->next_copy_ns)
		monitor->next_copy_ns = now_ns + COPY_INTERVAL_NS;
	if (now_ns >= monitor->next_copy_ns) {
		monitor->next_copy_ns = 0;
		atomic_store(&engine->copying, true);
		if (workers_submit(engine->workers, copy_job, engine) == 0)
			return;
		atomic_store(&engine->copying, false);
		monitor->next_copy_ns = now_ns + COPY_INTERVAL_NS;
	}
	if (monitor->next_copy_ns < *inout_next_ns)
		*inout_next_ns = monitor->next_copy_ns;
}

static void hide_job(void *arg)
{
	struct engine *engine = arg;

	image_hide_idle(engine, EXPOSED_IDLE_NS);
	atomic_store(&engine->hiding, false);
}

/* Root file systems that were looked into and are not any more. */
static void run_hiding(struct monitor *monitor, int64_t *inout_next_ns)
{
	struct engine *engine = monitor->engine;
	int64_t now_ns = clock_monotonic_ns();

	if (atomic_load(&engine->exposed) == 0)
		return;
	if (now_ns >= monitor->next_hide_ns) {
		monitor->next_hide_ns = now_ns + EXPOSED_IDLE_NS;
		if (!atomic_exchange(&engine->hiding, true) &&
		    workers_submit(engine->workers, hide_job, engine) < 0)
			atomic_store(&engine->hiding, false);
	}
	if (monitor->next_hide_ns < *inout_next_ns)
		*inout_next_ns = monitor->next_hide_ns;
}

static void handle(struct monitor *monitor, uint64_t data)
{
	enum kind kind = (enum kind)(data >> KIND_SHIFT & 3);
	uint64_t run = data >> RUN_SHIFT;
	eventfd_t count;

	if (kind == KIND_WAKE) {
		eventfd_read(monitor->wake_fd, &count);
		return;
	}
	AUTO(container_unref)
	struct container *c = engine_find_key(monitor->engine, data & KEY_MASK);
	AUTO(container_view_unref) struct container_view *view = c ? container_get_view(c) : NULL;

	if (!c || (view->run & RUN_MASK) != run)
		return;
	if (kind == KIND_SOCKET)
		link_on_event(c, view->run);
	else if (kind == KIND_OOM)
		oom_on_event(c, view->run);
	else
		link_on_gone(c, view->run);
}

/* For epoll_wait(); waking too early does no harm. */
static int get_timeout_ms(int64_t next_ns)
{
	int64_t wait_ms;

	if (next_ns == INT64_MAX)
		return -1;
	wait_ms = (next_ns - clock_monotonic_ns()) / NS_PER_MS + 1;
	if (wait_ms < 0)
		return 0;
	return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

static void *serve(void *arg)
{
	struct monitor *monitor = arg;
	struct epoll_event events[BATCH];

	while (!atomic_load(&monitor->ending)) {
		int64_t next_ns = INT64_MAX;
		int count;

		run_deadlines(monitor, &next_ns);
		run_copies(monitor, &next_ns);
		run_hiding(monitor, &next_ns);
		count = epoll_wait(monitor->epoll_fd, events, BATCH, get_timeout_ms(next_ns));
		for (int i = 0; i < count; i++)
			handle(monitor, events[i].data.u64);
	}
	return NULL;
}

static int start_thread(struct monitor *monitor)
{
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = pack(0, KIND_WAKE, 0) };

	if (monitor->epoll_fd < 0 || monitor->wake_fd < 0 ||
	    epoll_ctl(monitor->epoll_fd, EPOLL_CTL_ADD, monitor->wake_fd, &event) < 0)
		return -errno;
	return worker_start_thread(&monitor->thread, serve, monitor);
}

int monitor_new(struct engine *engine, struct monitor **ret, struct error *err)
{
	struct monitor *monitor = calloc(1, sizeof(*monitor));
	int failure;

	if (!monitor)
		return error_set(err, ENOMEM, "no memory for the monitor");
	monitor->engine = engine;
	monitor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	monitor->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_mutex_init(&monitor->lock, NULL);
	failure = start_thread(monitor);
	if (failure < 0) {
		close(monitor->epoll_fd);
		close(monitor->wake_fd);
		pthread_mutex_destroy(&monitor->lock);
		free(monitor);
		return error_set_sys(err, -failure, "cannot start the monitor");
	}
	*ret = monitor;
	return 0;
}

void monitor_stop(struct monitor *monitor)
{
	if (!monitor)
		return;
	atomic_store(&monitor->ending, true);
	monitor_wake(monitor);
	pthread_join(monitor->thread, NULL);
}

void monitor_free(struct monitor *monitor)
{
	struct deadline *next;

	if (!monitor)
		return;
	for (struct deadline *at = monitor->deadlines; at; at = next) {
		next = at->next;
		free(at);
	}
	close(monitor->epoll_fd);
	close(monitor->wake_fd);
	pthread_mutex_destroy(&monitor->lock);
	free(monitor);
}
