/* Scope-bound ownership: released at the end of the scope unless stolen, errno
 * kept. */
#include "tests/test.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

struct thing {
	int *freed;
};

static void thing_free(struct thing *thing)
{
	if (!thing)
		return;
	(*thing->freed)++;
	errno = EBADF;
	free(thing);
}
DEFINE_AUTO(struct thing *, thing_free);

static struct thing *make_thing(int *freed)
{
	struct thing *thing = malloc(sizeof(*thing));

	assert_non_null(thing);
	thing->freed = freed;
	return thing;
}

struct part {
	int *ended;
};

static void part_deinit(struct part *part)
{
	(*part->ended)++;
	errno = EBADF;
}
DEFINE_AUTO_DEINIT(struct part, part_deinit);

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void test_fd(void **state)
{
	int seen, stolen;

	(void)state;
	{
		auto_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		auto_fd int none = -1;

		seen = fd;
		assert_true(is_open(seen));
		assert_int_equal(none, -1);
		errno = ENOENT;
	}
	assert_int_equal(errno, ENOENT);
	assert_false(is_open(seen));
	{
		auto_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		stolen = steal_fd(&fd);
		assert_int_equal(fd, -1);
	}
	assert_true(is_open(stolen));
	close(stolen);
}

static void test_files(void **state)
{
	int file_fd, dir_fd;

	(void)state;
	{
		auto_file FILE *file = fopen("/dev/null", "re");
		auto_dir DIR *dir = opendir("/");
		auto_free char *text = strdup("text");
		auto_file FILE *no_file = NULL;
		auto_dir DIR *no_dir = NULL;
		auto_free char *no_text = NULL;

		assert_non_null(text);
		assert_null(no_file);
		assert_null(no_dir);
		assert_null(no_text);
		file_fd = fileno(file);
		dir_fd = dirfd(dir);
		errno = EPIPE;
	}
	assert_int_equal(errno, EPIPE);
	assert_false(is_open(file_fd));
	assert_false(is_open(dir_fd));
}

static void test_types(void **state)
{
	int freed = 0, ended = 0;
	struct thing *kept;

	(void)state;
	{
		AUTO(thing_free) struct thing *thing = make_thing(&freed);
		AUTO(thing_free) struct thing *none = NULL;
		AUTO(part_deinit) struct part part = { .ended = &ended };

		assert_null(none);
		assert_non_null(thing);
		assert_ptr_equal(part.ended, &ended);
		errno = EAGAIN;
	}
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(freed, 1);
	assert_int_equal(ended, 1);
	{
		AUTO(thing_free) struct thing *thing = make_thing(&freed);

		kept = steal_ptr(&thing);
		assert_null(thing);
	}
	assert_int_equal(freed, 1);
	thing_free(kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fd),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
