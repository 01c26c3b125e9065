/* Reading ahead: the same bytes, digest and failures; an end while the source waits.
 *
 * ctest-labels: threads
 */
#include "graph/pipe.h"
#include "graph/read_ahead.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <string.h>

#define SPANS 50
#define SPAN_BYTES 100000

/* Spans that differ, then an end or a failure. */
struct input {
	int count;
	int code; /* at the end */
	char bytes[SPAN_BYTES];
};

static ssize_t read_input(void *arg, const void **ret_bytes, struct error *err)
{
	struct input *input = arg;

	if (input->count == SPANS)
		return input->code ? error_set(err, input->code, "no more of that") : 0;
	memset(input->bytes, 'a' + input->count++ % 26, SPAN_BYTES);
	*ret_bytes = input->bytes;
	return SPAN_BYTES;
}

/* Read all of it; the number of bytes, or the failure. */
static ssize_t read_all(struct read_ahead *ahead, struct digest *digest, struct error *err)
{
	const void *bytes;
	ssize_t got, total = 0;

	while ((got = read_ahead_read(ahead, &bytes, err)) > 0) {
		digest_update(digest, bytes, (size_t)got);
		total += got;
	}
	return got < 0 ? got : total;
}

static void test_bytes(void **state)
{
	struct input input = { .count = 0 };
	struct source source = { .read = read_input, .arg = &input };
	struct read_ahead *ahead AUTO(read_ahead_free) = NULL;
	struct digest *digest AUTO(digest_free) = digest_new();
	char seen[DIGEST_SIZE], told[DIGEST_SIZE];
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(read_ahead_new(&source, &ahead, &err), &err);
	assert_int_equal(read_all(ahead, digest, &err), (ssize_t)SPANS * SPAN_BYTES);
	assert_ok(digest_finish(digest, seen, &err), &err);
	assert_ok(read_ahead_get_digest(ahead, told, &err), &err);
	assert_string_equal(told, seen);
}

static void test_failure(void **state)
{
	struct input input = { .code = EBADMSG };
	struct source source = { .read = read_input, .arg = &input };
	struct read_ahead *ahead AUTO(read_ahead_free) = NULL;
	struct digest *digest AUTO(digest_free) = digest_new();
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(read_ahead_new(&source, &ahead, &err), &err);
	assert_error((int)read_all(ahead, digest, &err), &err, EBADMSG, "no more of that");
}

static ssize_t read_pipe(void *arg, const void **ret_bytes, struct error *err)
{
	ssize_t got = pipe_read(arg, ret_bytes);

	return got < 0 ? error_set(err, (int)-got, "stopped") : got;
}

static void stop_pipe(void *arg)
{
	pipe_cancel(arg);
}

/* Nobody writes: a free that did not stop the source would wait for ever. */
static void test_stop(void **state)
{
	struct pipe_buffer *pipe AUTO(pipe_free) = pipe_new(4096);
	struct source source = { .read = read_pipe, .stop = stop_pipe, .arg = pipe };
	struct read_ahead *ahead = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(read_ahead_new(&source, &ahead, &err), &err);
	read_ahead_free(ahead);
}

/* Of a reader that wants no more before it has seen all. */
static void test_left(void **state)
{
	struct input input = { .count = 0 };
	struct source source = { .read = read_input, .arg = &input };
	struct read_ahead *ahead = NULL;
	const void *bytes;
	struct error err = ERROR_INIT;

	(void)state;
	assert_ok(read_ahead_new(&source, &ahead, &err), &err);
	assert_true(read_ahead_read(ahead, &bytes, &err) > 0);
	read_ahead_free(ahead);
}

static int make_one(void *arg)
{
	struct input input = { .count = SPANS };
	struct source source = { .read = read_input, .arg = &input };
	struct read_ahead *ahead = NULL;
	struct error err = ERROR_INIT;
	int r = read_ahead_new(&source, &ahead, &err);

	(void)arg;
	read_ahead_free(ahead);
	return r;
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(make_one, NULL) >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),     cmocka_unit_test(test_failure),
		cmocka_unit_test(test_stop),      cmocka_unit_test(test_left),
		cmocka_unit_test(test_no_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
