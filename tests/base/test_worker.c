/* Worker threads: order, growth, limits, the end. ctest-labels: threads */
#include "tests/test.h"

#include "base/worker.h"
#include "tests/alloc_sweep.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <unistd.h>

/* Jobs meet here: each waits until all of them have come. */
struct meeting {
	pthread_mutex_t lock;
	pthread_cond_t all;
	int wanted, here;
	int most; /* at once */
};

#define MEETING_INIT                                                                               \
	.lock = PTHREAD_MUTEX_INITIALIZER, .all = PTHREAD_COND_INITIALIZER, .here = 0, .most = 0

static void meet(void *arg)
{
	struct meeting *m = arg;

	pthread_mutex_lock(&m->lock);
	if (++m->here == m->wanted)
		pthread_cond_broadcast(&m->all);
	while (m->here < m->wanted)
		pthread_cond_wait(&m->all, &m->lock);
	pthread_mutex_unlock(&m->lock);
}

/* Would hang if a job waited for another one's thread. */
static void test_grows(void **state)
{
	AUTO(workers_free) struct workers *w = workers_new(100);
	struct meeting first = { MEETING_INIT, .wanted = 60 };
	struct meeting second = { MEETING_INIT, .wanted = 90 };

	(void)state;
	assert_non_null(w);
	for (int i = 0; i < first.wanted; i++)
		assert_int_equal(workers_submit(w, meet, &first), 0);
	for (int i = 0; i < second.wanted; i++)
		assert_int_equal(workers_submit(w, meet, &second), 0);
	workers_free(steal_ptr(&w));
	assert_int_equal(first.here, 60);
	assert_int_equal(second.here, 90);
}

struct list {
	int next;
	int wrong;
};

struct entry {
	struct list *list;
	int number;
};

static void check_order(void *arg)
{
	struct entry *entry = arg;

	if (entry->list->next++ != entry->number)
		entry->list->wrong++;
}

/* One thread: in the order given, and those queued are done before the end. */
static void test_order(void **state)
{
	struct workers *w = workers_new(1);
	struct entry entries[1000];
	struct list list = { .next = 0, .wrong = 0 };

	(void)state;
	for (int i = 0; i < 1000; i++) {
		entries[i] = (struct entry){ .list = &list, .number = i };
		assert_int_equal(workers_submit(w, check_order, &entries[i]), 0);
	}
	workers_free(w);
	assert_int_equal(list.next, 1000);
	assert_int_equal(list.wrong, 0);
}

static void note_most(void *arg)
{
	struct meeting *m = arg;

	pthread_mutex_lock(&m->lock);
	if (++m->here > m->most)
		m->most = m->here;
	pthread_mutex_unlock(&m->lock);
	usleep(500);
	pthread_mutex_lock(&m->lock);
	m->here--;
	pthread_mutex_unlock(&m->lock);
}

static void test_max(void **state)
{
	struct workers *w = workers_new(3);
	struct meeting m = { MEETING_INIT, .wanted = 0 };

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(workers_submit(w, note_most, &m), 0);
	workers_free(w);
	assert_int_equal(m.here, 0);
	assert_in_range(m.most, 1, 3);
}

struct tree {
	struct workers *w;
	atomic_int *count;
	int depth;
};

static void grow_tree(void *arg)
{
	struct tree *tree = arg;

	atomic_fetch_add(tree->count, 1);
	for (int i = 0; i < 2 && tree->depth > 0; i++) {
		struct tree *child = malloc(sizeof(*child));

		*child = *tree;
		child->depth--;
		if (workers_submit(tree->w, grow_tree, child) < 0)
			free(child);
	}
	free(tree);
}

/* Jobs that give jobs, from many threads, while the end is waited for. */
static void test_jobs_from_jobs(void **state)
{
	struct workers *w = workers_new(8);
	atomic_int count = 0;
	struct tree *root = malloc(sizeof(*root));

	(void)state;
	*root = (struct tree){ .w = w, .count = &count, .depth = 10 };
	assert_int_equal(workers_submit(w, grow_tree, root), 0);
	workers_free(w);
	assert_int_equal(atomic_load(&count), 2047);
}

static void get_mask(void *arg)
{
	pthread_sigmask(SIG_SETMASK, NULL, arg);
}

static void test_signals(void **state)
{
	struct workers *w = workers_new(1);
	sigset_t mask, mine;

	(void)state;
	sigemptyset(&mask);
	assert_int_equal(workers_submit(w, get_mask, &mask), 0);
	workers_free(w);
	assert_true(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGCHLD));
	pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_false(sigismember(&mine, SIGTERM));
}

static void test_unused(void **state)
{
	(void)state;
	workers_free(workers_new(4));
	workers_free(NULL);
}

static void count_one(void *arg)
{
	(*(int *)arg)++;
}

static int attempt_all(void *arg)
{
	struct workers *w = workers_new(1);
	int count = 0, r;

	(void)arg;
	if (!w)
		return -ENOMEM;
	r = workers_submit(w, count_one, &count);
	workers_free(w);
	assert_int_equal(count, r < 0 ? 0 : 1);
	return r;
}

static int create_counted(void *arg, pthread_t *ret, void *(*run)(void *), void *run_arg)
{
	atomic_int *made = arg;

	if (atomic_fetch_add(made, 1) == 1)
		return -EAGAIN;
	return -pthread_create(ret, NULL, run, run_arg);
}

static void do_nothing(void *arg)
{
	(void)arg;
}

/* Whoever makes the threads may fail to: then the first one does what there is to do, or nothing is taken. */
static void test_made_elsewhere(void **state)
{
	atomic_int made = 0;
	struct workers *w = workers_new_from(1, create_counted, &made);

	(void)state;
	assert_non_null(w);
	assert_int_equal(workers_submit(w, do_nothing, NULL), 0);
	workers_free(w);
	assert_int_equal(atomic_load(&made), 1);
	w = workers_new_from(1, create_counted, &made);
	assert_non_null(w);
	assert_int_equal(workers_submit(w, do_nothing, NULL), -EAGAIN);
	assert_int_equal(workers_submit(w, do_nothing, NULL), 0);
	workers_free(w);
	assert_int_equal(atomic_load(&made), 3);
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_int_equal(alloc_sweep(attempt_all, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),     cmocka_unit_test(test_order),
		cmocka_unit_test(test_max),       cmocka_unit_test(test_jobs_from_jobs),
		cmocka_unit_test(test_signals),   cmocka_unit_test(test_unused),
		cmocka_unit_test(test_no_memory), cmocka_unit_test(test_made_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
