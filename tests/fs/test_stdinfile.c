/* Writers of one container's stdin: in line, waiting while the process does not read, taken out by
 * signals, answered once each.
 *
 * The parts around it are made here: a process that has room for so many bytes, workers that work
 * when they are told to, a place to wait that is woken by hand.
 */
#include "fs/files.h"

#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define PARKED_MAX 8
#define KEY 5

/* A request is its number. */
#define REQ(number) ((fuse_req_t)(uintptr_t)(number))

static struct {
	struct strbuf answers;  /* "1:5 2:EINTR ": of each request, in order */
	struct strbuf received; /* what the process was given */
	size_t room;            /* bytes that it takes */
	int failure;            /* errno of the next offers, 0: none */
	struct strbuf sentence; /* the last one that was noted */
	struct parked *parked[PARKED_MAX];
	void (*job)(void *arg); /* the worker's */
	void *job_arg;
	bool no_workers;
	bool is_resent;
	uint64_t number;            /* of the request at hand */
	void (*during_offer)(void); /* what happens while bytes are being offered */
	size_t seen[16];            /* of each request's bytes those given already */
	int writers;
	int handles;
} world;

static struct fs fs;
static struct handle_head head = { .node = (uint64_t)KEY << 28, .open_flags = O_WRONLY };
static struct handle handle = { .fs = &fs, .head = &head };

/* --- the parts around it -------------------------------------------------------- */

int fuse_reply_write(fuse_req_t req, size_t count)
{
	strbuf_appendf(&world.answers, "%lu:%zu ", (unsigned long)(uintptr_t)req, count);
	return 0;
}

int fuse_reply_err(fuse_req_t req, int code)
{
	strbuf_appendf(&world.answers, "%lu:%s ", (unsigned long)(uintptr_t)req,
		       strerrorname_np(code));
	return 0;
}

/* As a shim does: bytes of a request that it has are not taken twice. */
ssize_t container_write_stdin(struct container *c, uint64_t number, const void *data, size_t len,
			      struct error *err)
{
	size_t *seen = &world.seen[number], take = len - *seen;

	(void)c;
	if (world.during_offer)
		world.during_offer();
	if (world.failure)
		return error_set(err, world.failure, "stdin: refused");
	if (take > world.room)
		take = world.room;
	strbuf_append(&world.received, (const char *)data + *seen, take);
	world.room -= take;
	*seen += take;
	return (ssize_t)*seen;
}

void container_open_stdin(struct container *c)
{
	(void)c;
	world.writers++;
}

void container_release_stdin(struct container *c, uint64_t run)
{
	(void)c, (void)run;
	world.writers--;
}

int workers_submit(struct workers *w, void (*fn)(void *arg), void *arg)
{
	(void)w;
	if (world.no_workers)
		return -EAGAIN;
	assert_null(world.job);
	world.job = fn;
	world.job_arg = arg;
	return 0;
}

void park_add(struct park *park, struct parked *parked)
{
	size_t i = 0;

	(void)park;
	while (world.parked[i])
		i++;
	assert_true(i < PARKED_MAX);
	world.parked[i] = parked;
	parked->busy = false;
	if (parked->try(parked, false)) {
		world.parked[i] = NULL;
		parked->drop(parked);
	}
}

void park_remove(struct park *park, struct parked *parked)
{
	(void)park;
	for (size_t i = 0; i < PARKED_MAX; i++)
		if (world.parked[i] == parked)
			world.parked[i] = NULL;
}

struct handle *handle_ref(struct handle *h)
{
	world.handles++;
	return h;
}

void handle_unref(struct handle *h)
{
	world.handles -= h != NULL;
}

void fs_note_error(struct fs *f, const struct caller *caller, const struct error *failure)
{
	(void)f, (void)caller;
	strbuf_reset(&world.sentence);
	strbuf_append_str(&world.sentence, failure->msg);
}

void fs_read_caller(fuse_req_t req, struct caller *ret)
{
	(void)req;
	*ret = (struct caller){ .tid = 1 };
}

uint64_t channel_get_unique(void)
{
	return world.number;
}

bool channel_is_resent(void)
{
	return world.is_resent;
}

/* --- what tests do ---------------------------------------------------------------- */

static void work(void)
{
	void (*job)(void *arg) = world.job;

	world.job = NULL;
	if (job)
		job(world.job_arg);
}

static void write_bytes(uint64_t number, const char *bytes, bool nonblocking)
{
	world.number = number;
	stdinfile_write(REQ(number), &handle, bytes, strlen(bytes), nonblocking);
}

/* Wake the request, or tell it of a signal. */
static void poke(uint64_t number, bool interrupted)
{
	for (size_t i = 0; i < PARKED_MAX; i++) {
		struct parked *parked = world.parked[i];

		if (!parked || parked->number != number)
			continue;
		if (parked->try(parked, interrupted)) {
			world.parked[i] = NULL;
			parked->drop(parked);
		}
		return;
	}
	fail_msg("request %lu is not parked", (unsigned long)number);
}

static void make_room(size_t room)
{
	world.room = room;
	for (size_t i = 0; i < PARKED_MAX; i++)
		if (world.parked[i])
			poke(world.parked[i]->number, false);
	work();
}

static void check(const char *answers, const char *received)
{
	assert_string_equal(strbuf_get_str(&world.answers), answers);
	assert_string_equal(strbuf_get_str(&world.received), received);
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	handle.container = (struct container *)&world;
	head.open_flags = O_WRONLY;
	fs.inputs = inputs_new();
	assert_non_null(fs.inputs);
	return 0;
}

/* Nothing waits, no reference is left. */
static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < PARKED_MAX; i++)
		assert_null(world.parked[i]);
	assert_int_equal(world.handles, 0);
	inputs_free(fs.inputs);
	strbuf_deinit(&world.answers);
	strbuf_deinit(&world.received);
	strbuf_deinit(&world.sentence);
	return 0;
}

/* --- tests -------------------------------------------------------------------------- */

static void test_order(void **state)
{
	(void)state;
	world.room = 2;
	write_bytes(1, "abc", false);
	check("", "");
	work();
	check("", "ab");
	write_bytes(2, "XYZ", false);
	write_bytes(3, "12", false);
	work();
	check("", "ab");
	make_room(2);
	check("1:3 ", "abcX");
	make_room(9);
	check("1:3 2:3 3:2 ", "abcXYZ12");
}

static void test_no_bytes(void **state)
{
	(void)state;
	write_bytes(1, "", false);
	work();
	check("1:0 ", "");
}

static void test_nonblocking(void **state)
{
	(void)state;
	write_bytes(1, "abc", true);
	work();
	check("1:EAGAIN ", "");
	world.room = 2;
	write_bytes(2, "abc", true);
	work();
	check("1:EAGAIN 2:2 ", "ab");
	/* Behind one that waits there is no room either. */
	write_bytes(3, "def", false);
	work();
	write_bytes(4, "x", true);
	check("1:EAGAIN 2:2 4:EAGAIN ", "ab");
	make_room(3);
	check("1:EAGAIN 2:2 4:EAGAIN 3:3 ", "abdef");
}

/* Who was taken out of the line gets what was taken; those behind go on. */
static void test_signal(void **state)
{
	(void)state;
	world.room = 1;
	write_bytes(1, "abc", false);
	work();
	write_bytes(2, "XY", false);
	write_bytes(3, "Z", false);
	poke(2, true);
	check("2:EINTR ", "a");
	work();
	poke(1, true);
	check("2:EINTR 1:1 ", "a");
	work();
	make_room(1);
	check("2:EINTR 1:1 3:1 ", "aZ");
}

static void interrupt_first(void)
{
	world.during_offer = NULL;
	poke(1, true);
}

static void test_signal_while_offered(void **state)
{
	(void)state;
	write_bytes(1, "abc", false);
	work();
	check("", "");
	world.during_offer = interrupt_first;
	make_room(0);
	check("1:EINTR ", "");
	/* The process took all of it at the same moment: then there is nothing to interrupt. */
	write_bytes(1, "abc", false);
	work();
	world.during_offer = interrupt_first;
	make_room(3);
	check("1:EINTR 1:3 ", "abc");
}

static void give_room(void)
{
	world.during_offer = NULL;
	world.room = 3;
}

static void wake_and_give_later(void)
{
	poke(1, false);
	world.during_offer = give_room;
}

/* A wake-up that comes while the bytes are being offered is not lost. */
static void test_wake_while_offered(void **state)
{
	(void)state;
	write_bytes(1, "abc", false);
	work();
	world.during_offer = wake_and_give_later;
	make_room(0);
	check("1:3 ", "abc");
}

static void test_end(void **state)
{
	(void)state;
	world.failure = ESRCH;
	write_bytes(1, "abc", false);
	work();
	check("1:ESRCH ", "");
	assert_string_equal(strbuf_get_str(&world.sentence), "stdin: refused");
	world.failure = EPIPE;
	write_bytes(2, "abc", false);
	work();
	check("1:ESRCH 2:EPIPE ", "");
	/* It waited: the process has ended meanwhile. */
	world.failure = 0;
	write_bytes(3, "abc", false);
	work();
	world.failure = ESRCH;
	make_room(0);
	check("1:ESRCH 2:EPIPE 3:EPIPE ", "");
	assert_string_equal(strbuf_get_str(&world.sentence), "stdin: the container has ended");
	/* Some was taken before: that is the answer. */
	world.failure = 0;
	world.room = 1;
	write_bytes(4, "abc", false);
	work();
	world.failure = ESRCH;
	make_room(0);
	check("1:ESRCH 2:EPIPE 3:EPIPE 4:1 ", "a");
}

/* Another engine had it before: to its writer it has waited. */
static void test_resent(void **state)
{
	(void)state;
	world.is_resent = true;
	world.failure = ESRCH;
	write_bytes(1, "abc", false);
	work();
	check("1:EPIPE ", "");
	world.failure = 0;
	world.room = 9;
	world.seen[2] = 2; /* the former engine gave two of them */
	write_bytes(2, "xyz", false);
	work();
	check("1:EPIPE 2:3 ", "z");
}

static void test_removed(void **state)
{
	(void)state;
	handle.container = NULL;
	write_bytes(1, "abc", false);
	work();
	check("1:ESRCH ", "");
	assert_string_equal(strbuf_get_str(&world.sentence),
			    "stdin: the container has been removed");
	stdinfile_open(&handle);
	stdinfile_release(&handle);
	assert_int_equal(world.writers, 0);
}

/* Without a thread the bytes go out at once, or with the next wake-up. */
static void test_no_workers(void **state)
{
	(void)state;
	world.no_workers = true;
	world.room = 3;
	write_bytes(1, "abc", false);
	check("1:3 ", "abc");
	write_bytes(2, "def", false);
	make_room(3);
	check("1:3 ", "abc");
	world.no_workers = false;
	make_room(3);
	check("1:3 2:3 ", "abcdef");
}

static void test_writers(void **state)
{
	(void)state;
	stdinfile_open(&handle);
	head.open_flags = O_RDONLY;
	stdinfile_open(&handle);
	assert_int_equal(world.writers, 1);
	stdinfile_release(&handle);
	assert_int_equal(world.writers, 1);
	head.open_flags = O_RDWR;
	stdinfile_release(&handle);
	assert_int_equal(world.writers, 0);
}

static int attempt(void *arg)
{
	(void)arg;
	strbuf_reset(&world.answers);
	strbuf_reset(&world.received);
	world.seen[1] = 0;
	world.room = 9;
	write_bytes(1, "abc", false);
	work();
	return strcmp(strbuf_get_str(&world.answers), "1:ENOMEM ") == 0 ? -ENOMEM : 0;
}

static void test_no_memory(void **state)
{
	(void)state;
	/* What the world writes down needs none. */
	assert_true(strbuf_reserve(&world.received, 64) && strbuf_reserve(&world.answers, 64));
	assert_true(alloc_sweep(attempt, NULL) >= 3);
	check("1:3 ", "abc");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_order),       TEST(test_no_bytes),
		TEST(test_nonblocking), TEST(test_signal),
		TEST(test_end),         TEST(test_signal_while_offered),
		TEST(test_resent),      TEST(test_wake_while_offered),
		TEST(test_removed),     TEST(test_no_workers),
		TEST(test_writers),     TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
