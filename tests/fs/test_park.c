/* Waiting requests: who is tried, when, and that none is missed. libfuse's part is played here.
 * ctest-labels: threads */
#include "tests/test.h"

#include "base/clock.h"
#include "fs/park.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define WAIT_S 30 /* ends what hangs */

/* --- libfuse -------------------------------------------------------------------- */

/* What a request is, to libfuse and so to us. */
struct fuse_req {
	fuse_interrupt_func_t interrupt;
	void *data;
	atomic_int unanswered; /* given up by fuse_reply_none() */
};

void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
	req->interrupt = func;
	req->data = data;
}

void fuse_reply_none(fuse_req_t req)
{
	atomic_fetch_add(&req->unanswered, 1);
}

/* --- a waiter -------------------------------------------------------------------- */

struct waiter {
	struct parked parked;
	struct fuse_req req;
	sem_t tried, dropped, go;
	atomic_int tries, interrupts;
	atomic_bool ready; /* its next try answers */
	bool slow;         /* each try waits for go */
};

static void wait_for(sem_t *sem)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += WAIT_S;
	assert_int_equal(sem_timedwait(sem, &until), 0);
}

static bool try_waiter(struct parked *parked, bool interrupted)
{
	struct waiter *w = (struct waiter *)parked;
	bool ready = atomic_load(&w->ready); /* as it was before anybody hears of this try */

	atomic_fetch_add(&w->tries, 1);
	if (interrupted)
		atomic_fetch_add(&w->interrupts, 1);
	sem_post(&w->tried);
	if (w->slow)
		sem_wait(&w->go);
	return ready || interrupted;
}

static void drop_waiter(struct parked *parked)
{
	sem_post(&((struct waiter *)parked)->dropped);
}

static void make_waiter(struct waiter *w, uint64_t key, pid_t tid)
{
	memset(w, 0, sizeof(*w));
	sem_init(&w->tried, 0, 0);
	sem_init(&w->dropped, 0, 0);
	sem_init(&w->go, 0, 0);
	w->parked = (struct parked){ .key = key,
				     .req = &w->req,
				     .tid = tid,
				     .signals = CALLER_ANY_SIGNAL,
				     .try = try_waiter,
				     .drop = drop_waiter };
}

static atomic_int woken_keys;

static void count_key(void *arg, uint64_t key)
{
	(void)arg;
	(void)key;
	atomic_fetch_add(&woken_keys, 1);
}

static struct park *make_park(void)
{
	struct park *park = park_new(count_key, NULL);

	assert_non_null(park);
	atomic_store(&woken_keys, 0);
	return park;
}

/* A number that no thread has any more. */
static pid_t get_dead_pid(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return pid;
}

/* --- tests ------------------------------------------------------------------------ */

static void test_added_is_tried(void **state)
{
	struct park *park = make_park();
	struct waiter w;

	(void)state;
	/* It became ready before it was parked: nobody wakes it. */
	make_waiter(&w, 1, getpid());
	atomic_store(&w.ready, true);
	park_add(park, &w.parked);
	wait_for(&w.dropped);
	assert_int_equal(atomic_load(&w.tries), 1);
	park_free(park);
	assert_int_equal(atomic_load(&w.req.unanswered), 0);
}

static void test_only_its_key(void **state)
{
	struct park *park = make_park();
	struct waiter one, two;

	(void)state;
	make_waiter(&one, 1, getpid());
	make_waiter(&two, 2, getpid());
	park_add(park, &one.parked);
	park_add(park, &two.parked);
	wait_for(&one.tried);
	wait_for(&two.tried);
	park_wake(park, 2);
	wait_for(&two.tried);
	atomic_store(&two.ready, true);
	park_wake(park, 3); /* nobody's */
	park_wake(park, 2);
	wait_for(&two.dropped);
	assert_int_equal(atomic_load(&one.tries), 1);
	assert_true(atomic_load(&woken_keys) >= 2);
	park_free(park);
	/* The kernel sends the other one to the next engine. */
	wait_for(&one.dropped);
	assert_int_equal(atomic_load(&one.req.unanswered), 1);
	assert_int_equal(atomic_load(&two.req.unanswered), 0);
}

static void test_signal_that_counts(void **state)
{
	struct park *park = make_park();
	struct waiter w;

	(void)state;
	make_waiter(&w, PARK_NOTHING, get_dead_pid());
	park_add(park, &w.parked);
	wait_for(&w.tried);
	assert_int_equal(atomic_load(&w.interrupts), 0);
	w.req.interrupt(&w.req, w.req.data);
	wait_for(&w.dropped);
	assert_int_equal(atomic_load(&w.interrupts), 1);
	/* A late one finds nobody. */
	w.req.interrupt(&w.req, w.req.data);
	park_free(park);
	assert_int_equal(atomic_load(&w.tries), 2);
}

/* Looked at again by the clock: the kernel tells of no second signal. */
static void test_signal_that_does_not_count_yet(void **state)
{
	struct park *park = make_park();
	struct waiter w;
	int64_t begun = clock_monotonic_ns();

	(void)state;
	make_waiter(&w, 1, getpid());
	park_add(park, &w.parked);
	wait_for(&w.tried);
	w.req.interrupt(&w.req, w.req.data);
	for (int i = 0; i < 3; i++)
		wait_for(&w.tried);
	assert_int_equal(atomic_load(&w.interrupts), 0);
	assert_true(clock_monotonic_ns() - begun >= 100 * INT64_C(1000000));
	atomic_store(&w.ready, true);
	wait_for(&w.dropped);
	park_free(park);
}

struct removal {
	struct park *park;
	struct waiter *waiter;
	atomic_bool done;
};

static void *remove_waiter(void *arg)
{
	struct removal *removal = arg;

	park_remove(removal->park, &removal->waiter->parked);
	atomic_store(&removal->done, true);
	return NULL;
}

static void test_remove_waits_for_a_try(void **state)
{
	struct park *park = make_park();
	struct waiter w;
	struct removal removal = { .park = park, .waiter = &w };
	pthread_t thread;

	(void)state;
	make_waiter(&w, 1, getpid());
	w.slow = true;
	park_add(park, &w.parked);
	wait_for(&w.tried);
	assert_int_equal(pthread_create(&thread, NULL, remove_waiter, &removal), 0);
	usleep(20000);
	assert_false(atomic_load(&removal.done));
	sem_post(&w.go);
	assert_int_equal(pthread_join(thread, NULL), 0);
	park_wake(park, 1);
	park_free(park);
	/* Whoever removed it owns it: it is neither dropped nor given up. */
	assert_int_equal(sem_trywait(&w.dropped), -1);
	assert_int_equal(atomic_load(&w.req.unanswered), 0);
	assert_int_equal(atomic_load(&w.tries), 1);
}

/* --- many ------------------------------------------------------------------------- */

#define WAITERS 300
#define WAKERS 4

static struct waiter many[WAITERS];

static void *wake_all(void *arg)
{
	struct park *park = arg;

	for (unsigned i = 0; i < WAITERS; i++) {
		atomic_store(&many[i].ready, true);
		park_wake(park, i);
	}
	return NULL;
}

/* None is left behind, whoever is added and woken at the same time. */
static void test_many(void **state)
{
	struct park *park = make_park();
	pthread_t threads[WAKERS];

	(void)state;
	for (unsigned i = 0; i < WAITERS; i++)
		make_waiter(&many[i], i, getpid());
	for (unsigned i = 0; i < WAITERS / 2; i++)
		park_add(park, &many[i].parked);
	for (unsigned i = 0; i < WAKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wake_all, park), 0);
	for (unsigned i = WAITERS / 2; i < WAITERS; i++)
		park_add(park, &many[i].parked);
	for (unsigned i = 0; i < WAKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (unsigned i = 0; i < WAITERS; i++)
		wait_for(&many[i].dropped);
	park_stop(park);
	park_stop(park);
	park_free(park);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added_is_tried),
		cmocka_unit_test(test_only_its_key),
		cmocka_unit_test(test_signal_that_counts),
		cmocka_unit_test(test_signal_that_does_not_count_yet),
		cmocka_unit_test(test_remove_waits_for_a_try),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
