/* The one thread that may leave the engine's mount namespace and working directory.
 *
 * setns(2) into a mount namespace wants a thread that shares its root and working
 * directory with nobody, and changing either must not be seen by the others; so a
 * thread is set apart once (unshare(CLONE_FS)) and jobs are brought to it. Nothing
 * is forked. Should the way back from a container's namespace fail, the thread
 * takes no more jobs: what it did next would happen to the container.
 */
#include "runtime/rootfs/rootfs_internal.h"

#include "base/worker.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>

struct job {
	struct job *next;
	int (*fn)(void *arg);
	void *arg;
	int result;
	bool is_done;
};

struct rootfs_helper {
	pthread_t thread;
	int home_fd;  /* our mount namespace */
	bool is_lost; /* only the thread itself reads and writes it */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Guarded by lock. */
	struct job *first, **last;
	bool is_ending;
};

static void finish(struct rootfs_helper *helper, struct job *job, int result)
{
	pthread_mutex_lock(&helper->lock);
	job->result = result;
	job->is_done = true;
	pthread_cond_broadcast(&helper->changed);
	pthread_mutex_unlock(&helper->lock);
}

static struct job *take(struct rootfs_helper *helper)
{
	struct job *job;

	pthread_mutex_lock(&helper->lock);
	while (!helper->first && !helper->is_ending)
		pthread_cond_wait(&helper->changed, &helper->lock);
	job = helper->first;
	if (job) {
		helper->first = job->next;
		if (!helper->first)
			helper->last = &helper->first;
	}
	pthread_mutex_unlock(&helper->lock);
	return job;
}

static void *work(void *arg)
{
	struct rootfs_helper *helper = arg;
	struct job *job;

	helper->is_lost = unshare(CLONE_FS) < 0;
	while ((job = take(helper)))
		finish(helper, job, helper->is_lost ? -EIO : job->fn(job->arg));
	return NULL;
}

int rootfs_helper_new(struct rootfs_helper **ret, struct error *err)
{
	struct rootfs_helper *helper = calloc(1, sizeof(*helper));
	int result;

	if (!helper)
		return error_set(err, ENOMEM, "no memory for the root file systems");
	helper->last = &helper->first;
	pthread_mutex_init(&helper->lock, NULL);
	pthread_cond_init(&helper->changed, NULL);
	helper->home_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	result = helper->home_fd < 0 ? -errno : worker_start_thread(&helper->thread, work, helper);
	if (result < 0) {
		cleanup_fd(&helper->home_fd);
		free(helper);
		return error_set_sys(err, -result, "cannot start the thread that mounts");
	}
	*ret = helper;
	return 0;
}

void rootfs_helper_free(struct rootfs_helper *helper)
{
	if (!helper)
		return;
	pthread_mutex_lock(&helper->lock);
	helper->is_ending = true;
	pthread_cond_broadcast(&helper->changed);
	pthread_mutex_unlock(&helper->lock);
	pthread_join(helper->thread, NULL);
	cleanup_fd(&helper->home_fd);
	pthread_cond_destroy(&helper->changed);
	pthread_mutex_destroy(&helper->lock);
	free(helper);
}

int rootfs_helper_run(struct rootfs_helper *helper, int (*fn)(void *arg), void *arg)
{
	struct job job = { .fn = fn, .arg = arg };

	pthread_mutex_lock(&helper->lock);
	*helper->last = &job;
	helper->last = &job.next;
	pthread_cond_broadcast(&helper->changed);
	while (!job.is_done)
		pthread_cond_wait(&helper->changed, &helper->lock);
	pthread_mutex_unlock(&helper->lock);
	return job.result;
}

int rootfs_helper_visit(struct rootfs_helper *helper, int pidfd, int (*inner)(void *arg), void *arg)
{
	int ret;

	if (setns(pidfd, CLONE_NEWNS) < 0)
		return -errno;
	ret = inner(arg);
	if (setns(helper->home_fd, CLONE_NEWNS) < 0) {
		helper->is_lost = true;
		if (ret >= 0)
			close(ret);
		return -EIO;
	}
	return ret;
}
