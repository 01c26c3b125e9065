/* The second descriptor table. One thread, the maker, leaves the engine's table for a copy, starts the keeper,
 * a process that shares it, and then makes the volume threads, which share it too. When the engine is killed
 * the keeper holds the table; the next engine copies what it needs out with pidfd_getfd(2): the same open
 * files, whatever became of their names. The keeper only sleeps, in memory it shares with nobody, so there is
 * nothing it could die of.
 *
 * Keepers are numbered within a mount, by a page that the holder keeps. There are several only while one
 * engine after the other is killed at its start.
 */
#include "fs/volfs/volfs_private.h"

#include "base/worker.h"

#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#define KEEPERS 16 /* at most at once: each is an engine killed before it had fetched all */

/* In the memfd. */
struct page {
	uint32_t count; /* of numbers given out */
	uint32_t reserved;
	struct {
		pid_t pid; /* 0: none */
		uint32_t number;
	} keepers[KEEPERS];
};

struct demand {
	pthread_t *ret;
	void *(*run)(void *);
	void *arg;
	int result;
};

struct volfs_keeper {
	struct page *page;
	uint32_t number;
	pid_t pid, holder;
	int ready_fd;
	pthread_t maker;
	int pidfds
		[KEEPERS]; /* of the volume threads' table; -1: not open; for the one that fetches */
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct demand *demand; /* of a thread, being seen to */
	int started;           /* 0: not yet; 1; -errno */
	bool ending;
};

/* --- the process ------------------------------------------------------------------ */

static bool is_noted(const struct page *page, pid_t pid)
{
	for (unsigned i = 0; i < KEEPERS; i++)
		if (__atomic_load_n(&page->keepers[i].pid, __ATOMIC_SEQ_CST) == pid)
			return true;
	return false;
}

/* An engine that is killed before it has noted its keeper leaves one of which nobody knows, and which has
 * nothing to keep. */
static void wait_until_noted(const struct page *page, pid_t engine)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	pid_t self = (pid_t)syscall(SYS_getpid);

	while (!is_noted(page, self)) {
		if (syscall(SYS_kill, engine, 0) < 0 && !is_noted(page, self))
			syscall(SYS_exit_group, 0);
		syscall(SYS_nanosleep, &pause, NULL);
	}
}

/* A copy of a process with threads: system calls only. */
static _Noreturn void keep(const struct page *page, pid_t holder, pid_t engine)
{
	sigset_t all;

	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	syscall(SYS_prctl, PR_SET_NAME, "containerfs-keep", 0, 0, 0);
	if (syscall(SYS_getppid) != holder)
		syscall(SYS_exit_group, 0);
	memset(&all, 0xff, sizeof(all));
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, _NSIG / 8);
	wait_until_noted(page, engine);
	for (;;)
		syscall(SYS_pause);
}

/* A child of the holder, not of the engine, whose death it is to outlive. */
static int start_process(struct volfs_keeper *keeper)
{
	pid_t engine = getpid();
	long pid = syscall(SYS_clone, CLONE_FILES | CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		keep(keeper->page, keeper->holder, engine);
	if (pid < 0)
		return -errno;
	keeper->pid = (pid_t)pid;
	return 0;
}

static int note_process(struct volfs_keeper *keeper)
{
	struct page *page = keeper->page;

	for (unsigned i = 0; i < KEEPERS; i++) {
		if (page->keepers[i].pid)
			continue;
		page->keepers[i].number = keeper->number;
		__atomic_store_n(&page->keepers[i].pid, keeper->pid, __ATOMIC_SEQ_CST);
		return 0;
	}
	return -EAGAIN;
}

/* --- the maker -------------------------------------------------------------------- */

static int leave_table(struct volfs_keeper *keeper)
{
	int r;

	if (unshare(CLONE_FILES | CLONE_FS) < 0)
		return -errno;
	if (keeper->ready_fd >= 0)
		close(keeper->ready_fd);
	/* The kernel has applied the caller's. */
	umask(0);
	/* A change of the user for file systems takes no capability away: the kernel has checked what
	 * the caller may, with groups that we do not know. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) < 0)
		return -errno;
	r = start_process(keeper);
	return r < 0 ? r : note_process(keeper);
}

static void *run_maker(void *arg)
{
	struct volfs_keeper *keeper = arg;
	int r = leave_table(keeper);

	pthread_mutex_lock(&keeper->lock);
	keeper->started = r < 0 ? r : 1;
	pthread_cond_broadcast(&keeper->changed);
	while (!keeper->ending) {
		struct demand *demand = keeper->demand;

		if (!demand) {
			pthread_cond_wait(&keeper->changed, &keeper->lock);
			continue;
		}
		demand->result = -pthread_create(demand->ret, NULL, demand->run, demand->arg);
		keeper->demand = NULL;
		pthread_cond_broadcast(&keeper->changed);
	}
	pthread_mutex_unlock(&keeper->lock);
	return NULL;
}

int volfs_keeper_make_thread(void *arg, pthread_t *ret, void *(*run)(void *), void *run_arg)
{
	struct volfs_keeper *keeper = arg;
	struct demand demand = { .ret = ret, .run = run, .arg = run_arg };

	pthread_mutex_lock(&keeper->lock);
	while (keeper->demand)
		pthread_cond_wait(&keeper->changed, &keeper->lock);
	keeper->demand = &demand;
	pthread_cond_broadcast(&keeper->changed);
	while (keeper->demand == &demand)
		pthread_cond_wait(&keeper->changed, &keeper->lock);
	pthread_mutex_unlock(&keeper->lock);
	return demand.result;
}

/* --- beginning and end -------------------------------------------------------------- */

static struct page *map_page(int fd)
{
	struct page *page;

	if (ftruncate(fd, sizeof(*page)) < 0)
		return NULL;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return page == MAP_FAILED ? NULL : page;
}

static int start_maker(struct volfs_keeper *keeper)
{
	int r = worker_start_thread(&keeper->maker, run_maker, keeper);

	if (r < 0)
		return r;
	pthread_mutex_lock(&keeper->lock);
	while (!keeper->started)
		pthread_cond_wait(&keeper->changed, &keeper->lock);
	r = keeper->started;
	pthread_mutex_unlock(&keeper->lock);
	return r;
}

int volfs_keeper_start(const struct server_memory *memory, int ready_fd, struct volfs_keeper **ret,
		       struct error *err)
{
	struct volfs_keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return error_set(err, ENOMEM, "no memory to keep open files of volumes");
	keeper->page = map_page(memory->keepers_fd);
	if (!keeper->page) {
		r = error_set_sys(err, errno, "cannot map the list of keepers");
		free(keeper);
		return r;
	}
	keeper->number = volfs_keeper_count(keeper);
	keeper->holder = getppid();
	keeper->ready_fd = ready_fd;
	for (unsigned i = 0; i < KEEPERS; i++)
		keeper->pidfds[i] = -1;
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_cond_init(&keeper->changed, NULL);
	r = start_maker(keeper);
	if (r < 0) {
		volfs_keeper_end(keeper);
		return error_set_sys(err, -r, "cannot start the keeper of open files");
	}
	*ret = keeper;
	return 0;
}

uint32_t volfs_keeper_get_number(const struct volfs_keeper *keeper)
{
	return keeper->number;
}

uint32_t volfs_keeper_count(struct volfs_keeper *keeper)
{
	uint32_t number;

	do
		number = __atomic_add_fetch(&keeper->page->count, 1, __ATOMIC_SEQ_CST);
	while (number == 0);
	return number;
}

static void end_processes(struct page *page, pid_t but)
{
	for (unsigned i = 0; i < KEEPERS; i++) {
		pid_t pid = page->keepers[i].pid;

		if (!pid || pid == but)
			continue;
		kill(pid, SIGKILL);
		__atomic_store_n(&page->keepers[i].pid, 0, __ATOMIC_SEQ_CST);
	}
}

void volfs_keeper_end_former(struct volfs_keeper *keeper)
{
	end_processes(keeper->page, keeper->pid);
	for (unsigned i = 0; i < KEEPERS; i++)
		if (keeper->pidfds[i] >= 0)
			close(steal_fd(&keeper->pidfds[i]));
}

void volfs_keeper_end(struct volfs_keeper *keeper)
{
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->ending = true;
	pthread_cond_broadcast(&keeper->changed);
	pthread_mutex_unlock(&keeper->lock);
	if (keeper->started)
		pthread_join(keeper->maker, NULL);
	munmap(keeper->page, sizeof(*keeper->page));
	pthread_cond_destroy(&keeper->changed);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
}

void volfs_end_keepers(int memory_fd)
{
	struct page *page = memory_fd >= 0 ? map_page(memory_fd) : NULL;

	if (!page)
		return;
	for (unsigned i = 0; i < KEEPERS; i++) {
		pid_t pid = page->keepers[i].pid;

		/* Those that are ours and still there: a number may be another's by now. */
		if (!pid || waitpid(pid, NULL, WNOHANG) != 0)
			continue;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	memset(page->keepers, 0, sizeof(page->keepers));
	munmap(page, sizeof(*page));
}

/* --- fetching ------------------------------------------------------------------------ */

int volfs_keeper_fetch(struct volfs_keeper *keeper, uint64_t ref)
{
	const struct page *page = keeper->page;
	uint32_t number = (uint32_t)(ref >> 32);

	for (unsigned i = 0; i < KEEPERS; i++) {
		int fd;

		if (!page->keepers[i].pid || page->keepers[i].number != number)
			continue;
		if (keeper->pidfds[i] < 0)
			keeper->pidfds[i] = (int)syscall(SYS_pidfd_open, page->keepers[i].pid, 0);
		if (keeper->pidfds[i] < 0)
			return -errno;
		fd = (int)syscall(SYS_pidfd_getfd, keeper->pidfds[i], volfs_get_fd(ref), 0);
		return fd < 0 ? -errno : fd;
	}
	return -ESRCH;
}
