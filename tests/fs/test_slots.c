/* Memory that outlives the engine. ctest-labels: threads */
#include "tests/test.h"

#include "base/random.h"
#include "fs/slots.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX 64U
#define THREADS 4
#define ROUNDS 2000
#define KILLS 60

struct head {
	uint64_t serial;
	uint64_t check; /* ~serial once it is whole */
};

static struct slots *open_slots(int fd)
{
	struct error err = ERROR_INIT;
	struct slots *s = NULL;

	assert_ok(slots_open(fd, sizeof(struct head), MAX, &s, &err), &err);
	return s;
}

static int make_memory(void)
{
	struct error err = ERROR_INIT;
	int fd = slots_new_memory("test", &err);

	assert_true(fd >= 0);
	return fd;
}

static blkcnt_t get_blocks(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks;
}

static void test_heads(void **state)
{
	auto_fd int fd = make_memory();
	struct slots *s = open_slots(fd);
	bool seen[MAX] = { false };
	struct head *head;

	(void)state;
	assert_int_equal(slots_find_next(s, 0), SLOTS_NONE);
	assert_null(slots_get_head(s, 0));
	assert_null(slots_get_head(s, MAX));
	assert_null(slots_get_head(s, SLOTS_NONE));
	for (unsigned i = 0; i < MAX; i++) {
		uint32_t slot = slots_alloc(s);

		assert_true(slot < MAX && !seen[slot]);
		seen[slot] = true;
		head = slots_get_head(s, slot);
		assert_int_equal(head->serial, 0);
		head->serial = slot + 1;
	}
	assert_int_equal(slots_alloc(s), SLOTS_NONE);
	slots_free(s, 17);
	slots_free(s, 17);
	slots_free(s, MAX);
	assert_null(slots_get_head(s, 17));
	assert_int_equal(slots_find_next(s, 17), 18);
	assert_int_equal(slots_alloc(s), 17);
	head = slots_get_head(s, 17);
	assert_int_equal(head->serial, 0);
	slots_free(s, 17);
	slots_close(s);

	s = open_slots(fd);
	for (uint32_t slot = 0, count = 0; slot < MAX; slot++, count++) {
		head = slots_get_head(s, slot);
		if (slot == 17)
			assert_null(head);
		else
			assert_int_equal(head->serial, slot + 1);
	}
	slots_close(s);
}

static void test_layout(void **state)
{
	struct error err = ERROR_INIT;
	auto_fd int fd = make_memory();
	struct slots *s = open_slots(fd), *other = NULL;

	(void)state;
	slots_close(s);
	assert_error(slots_open(fd, 8, MAX, &other, &err), &err, EINVAL,
		     "the memory of slots has another layout");
	error_clear(&err);
	assert_error(slots_open(fd, sizeof(struct head), MAX + 1, &other, &err), &err, EINVAL,
		     "the memory of slots has another layout");
	error_clear(&err);
	assert_error(slots_open(fd, 12, MAX, &other, &err), &err, EINVAL,
		     "slots of 12 bytes, 64 of them, cannot be");
	assert_null(other);
}

static void test_blobs(void **state)
{
	auto_fd int fd = make_memory();
	struct slots *s = open_slots(fd);
	const size_t big = 3U << 20;
	auto_free char *bytes = malloc(SLOTS_BLOB_MAX), *back = malloc(big);
	uint32_t a = slots_alloc(s), b = slots_alloc(s);
	blkcnt_t before;

	(void)state;
	assert_true(bytes && back);
	for (size_t i = 0; i < SLOTS_BLOB_MAX; i++)
		bytes[i] = (char)(i * 7 + (i >> 12));
	assert_int_equal(slots_get_blob_len(s, a), 0);
	assert_int_equal(slots_read_blob(s, a, back, 10, 0), 0);
	assert_int_equal(slots_put_blob(s, b, "neighbour", 9), 0);
	before = get_blocks(fd);
	assert_int_equal(slots_put_blob(s, a, bytes, big), 0);
	assert_int_equal(slots_get_blob_len(s, a), big);
	assert_int_equal(slots_read_blob(s, a, back, big, 0), big);
	assert_memory_equal(back, bytes, big);
	assert_int_equal(slots_read_blob(s, a, back, big, big - 5), 5);
	assert_memory_equal(back, bytes + big - 5, 5);
	assert_int_equal(slots_read_blob(s, a, back, 5, big), 0);
	assert_int_equal(slots_read_blob(s, a, back, 5, UINT64_MAX), 0);

	assert_int_equal(slots_put_blob(s, a, "short", 5), 0);
	assert_int_equal(slots_read_blob(s, a, back, big, 0), 5);
	assert_memory_equal(back, "short", 5);
	assert_true(get_blocks(fd) <= before + 8);
	assert_int_equal(slots_put_blob(s, a, bytes, SLOTS_BLOB_MAX), 0);
	assert_int_equal(slots_put_blob(s, a, bytes, SLOTS_BLOB_MAX + 1U), -E2BIG);
	assert_int_equal(slots_get_blob_len(s, a), SLOTS_BLOB_MAX);
	slots_free(s, a);
	assert_true(get_blocks(fd) <= before + 8);
	assert_int_equal(slots_put_blob(s, a, "x", 1), -EINVAL);
	assert_int_equal(slots_read_blob(s, a, back, 1, 0), -EINVAL);

	assert_int_equal(slots_read_blob(s, b, back, 100, 0), 9);
	assert_memory_equal(back, "neighbour", 9);
	assert_int_equal(slots_put_blob(s, b, NULL, 0), 0);
	assert_int_equal(slots_get_blob_len(s, b), 0);
	slots_close(s);
}

static void *work(void *arg)
{
	struct slots *s = arg;
	char back[200];

	for (uint64_t i = 1; i <= ROUNDS; i++) {
		uint32_t slot = slots_alloc(s);
		struct head *head = slots_get_head(s, slot);
		size_t len = (size_t)(i % sizeof(back));

		if (!head || head->serial != 0)
			return "an allocated slot was used";
		head->serial = (uint64_t)(uintptr_t)&back;
		memset(back, (int)(i & 127), len);
		if (slots_put_blob(s, slot, back, len) != 0)
			return "a blob was refused";
		if (slots_read_blob(s, slot, back, sizeof(back), 0) != (ssize_t)len ||
		    head->serial != (uint64_t)(uintptr_t)&back)
			return "a slot has two users";
		for (size_t k = 0; k < len; k++)
			if (back[k] != (char)(i & 127))
				return "a blob has two writers";
		slots_free(s, slot);
	}
	return NULL;
}

static void test_threads(void **state)
{
	auto_fd int fd = make_memory();
	struct slots *s = open_slots(fd);
	pthread_t threads[THREADS];
	void *wrong;

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, s), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], &wrong), 0);
		if (wrong)
			fail_msg("%s", (const char *)wrong);
	}
	assert_int_equal(slots_find_next(s, 0), SLOTS_NONE);
	slots_close(s);
}

/* --- the engine is killed ------------------------------------------------- */

/* What the parent may see of the child's progress. */
struct progress {
	_Atomic uint64_t kept; /* every serial up to it is in a used slot */
	_Atomic uint64_t rounds;
};

static _Noreturn void churn(int fd, struct progress *progress)
{
	struct slots *s = open_slots(fd);
	static char bytes[20000];

	for (uint64_t serial = 1;; serial++) {
		uint32_t slot = slots_alloc(s), old;
		struct head *head = slots_get_head(s, slot);
		size_t len = (serial * 37) % sizeof(bytes);

		head->serial = serial;
		head->check = ~serial;
		memset(bytes, (int)(serial & 127), len);
		slots_put_blob(s, slot, bytes, len);
		atomic_store(&progress->kept, serial);
		/* Keep the last few: the rest is freed again. */
		for (old = slots_find_next(s, 0); old != SLOTS_NONE;
		     old = slots_find_next(s, old + 1)) {
			head = slots_get_head(s, old);
			if (head->serial + 8 < serial)
				slots_free(s, old);
		}
	}
}

static void check_after_kill(int fd, uint64_t kept)
{
	static char bytes[20000];
	struct slots *s = open_slots(fd);
	bool found = kept == 0;

	for (uint32_t slot = slots_find_next(s, 0); slot != SLOTS_NONE;
	     slot = slots_find_next(s, slot + 1)) {
		struct head *head = slots_get_head(s, slot);
		ssize_t n = slots_read_blob(s, slot, bytes, sizeof(bytes), 0);

		if (head->check == ~head->serial) {
			found |= head->serial == kept;
			assert_true(n == 0 || n == (ssize_t)((head->serial * 37) % sizeof(bytes)));
			for (ssize_t i = 0; i < n; i++)
				assert_int_equal(bytes[i], (char)(head->serial & 127));
		}
		slots_free(s, slot);
	}
	assert_true(found);
	/* All are there again, none lost in between. */
	for (unsigned i = 0; i < MAX; i++)
		assert_true(slots_alloc(s) != SLOTS_NONE);
	for (unsigned i = 0; i < MAX; i++)
		slots_free(s, i);
	slots_close(s);
}

static void test_killed(void **state)
{
	auto_fd int fd = make_memory();
	struct progress *progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(progress != MAP_FAILED);
	for (unsigned i = 0; i < KILLS; i++) {
		struct timespec pause = { .tv_nsec = 200000L + 137000L * (i % 30) };
		pid_t pid;
		int status;

		atomic_store(&progress->kept, 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			churn(fd, progress);
		while (atomic_load(&progress->kept) < 20)
			sched_yield();
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		check_after_kill(fd, atomic_load(&progress->kept));
	}
	munmap(progress, sizeof(*progress));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),  cmocka_unit_test(test_layout),
		cmocka_unit_test(test_blobs),  cmocka_unit_test(test_threads),
		cmocka_unit_test(test_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
