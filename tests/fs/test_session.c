/* Replies of sessions: whose they are, and that they outlive who keeps them. ctest-labels: threads */
#include "tests/test.h"

#include "fs/session.h"
#include "fs/slots.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

static const struct caller alice = { .tid = 10, .uid = 1000, .sid = 7, .sid_start = 70 };
static const struct caller alice_elsewhere = { .tid = 11, .uid = 1000, .sid = 8, .sid_start = 80 };
static const struct caller alice_reused_number = {
	.tid = 12, .uid = 1000, .sid = 7, .sid_start = 99
};
static const struct caller bob = { .tid = 13, .uid = 1001, .sid = 9, .sid_start = 90 };

static struct sessions *open_sessions(int fd)
{
	struct error err = ERROR_INIT;
	struct sessions *s = NULL;

	assert_ok(sessions_open(fd, &s, &err), &err);
	return s;
}

static int make_memory(void)
{
	struct error err = ERROR_INIT;
	int fd = slots_new_memory("sessions", &err);

	assert_ok(fd, &err);
	return fd;
}

static void put(struct sessions *s, const struct caller *caller, uint64_t key, const char *text)
{
	sessions_put(s, caller, key, text, strlen(text));
}

/* NULL: nothing is known. */
static void expect(struct sessions *s, const struct caller *caller, uint64_t key, const char *want)
{
	AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT;
	bool found = sessions_get(s, caller, key, &got);

	assert_int_equal(found, want != NULL);
	if (want)
		assert_string_equal(strbuf_get_str(&got), want);
}

static void session_sees_its_own_then_its_users(void **state)
{
	int fd = make_memory();
	struct sessions *s = open_sessions(fd);

	(void)state;
	expect(s, &alice, SESSION_CTL, NULL);
	put(s, &alice, SESSION_CTL, "one\n");
	expect(s, &alice, SESSION_CTL, "one\n");
	expect(s, &alice_elsewhere, SESSION_CTL, "one\n");
	put(s, &alice_elsewhere, SESSION_CTL, "two\n");
	expect(s, &alice, SESSION_CTL, "one\n");
	expect(s, &alice_elsewhere, SESSION_CTL, "two\n");
	expect(s, &alice_reused_number, SESSION_CTL, "two\n");
	expect(s, &bob, SESSION_CTL, NULL);
	expect(s, &alice, 5, NULL);
	sessions_close(s);
	close(fd);
}

static void empty_reply_is_a_reply(void **state)
{
	int fd = make_memory();
	struct sessions *s = open_sessions(fd);

	(void)state;
	put(s, &alice, SESSION_CTL, "one\n");
	put(s, &alice, SESSION_CTL, "");
	expect(s, &alice, SESSION_CTL, "");
	sessions_close(s);
	close(fd);
}

static void errors_have_a_line_of_their_own(void **state)
{
	int fd = make_memory();
	struct sessions *s = open_sessions(fd);
	struct error err = ERROR_INIT;

	(void)state;
	error_set(&err, ENOENT, "start: no such container: %s", "nope");
	sessions_put_error(s, &alice, &err);
	put(s, &alice, SESSION_CTL, "fine\n");
	expect(s, &alice, SESSION_ERROR, "error: start: no such container: nope\n");
	sessions_close(s);
	close(fd);
}

static void later_engine_finds_them(void **state)
{
	int fd = make_memory();
	struct sessions *s = open_sessions(fd);

	(void)state;
	put(s, &alice, SESSION_CTL, "one\n");
	put(s, &bob, 5, "other\n");
	sessions_close(s);
	s = open_sessions(fd);
	expect(s, &alice, SESSION_CTL, "one\n");
	expect(s, &bob, 5, "other\n");
	put(s, &alice, SESSION_CTL, "new\n");
	expect(s, &alice, SESSION_CTL, "new\n");
	sessions_close(s);
	close(fd);
}

static void oldest_makes_room(void **state)
{
	int fd = make_memory();
	struct sessions *s = open_sessions(fd);
	struct caller caller = { .tid = 1, .uid = 0, .sid = 1, .sid_start = 1 };

	(void)state;
	put(s, &bob, SESSION_CTL, "bob's\n");
	for (int i = 0; i < 5000; i++) {
		caller.sid = i + 1;
		put(s, &caller, SESSION_CTL, "x\n");
	}
	expect(s, &caller, SESSION_CTL, "x\n");
	expect(s, &bob, SESSION_CTL, NULL);
	sessions_close(s);
	close(fd);
}

static void *write_many(void *arg)
{
	struct caller caller = { .tid = 1, .uid = 5, .sid = 1 };

	for (int i = 0; i < 300; i++) {
		AUTO(strbuf_deinit) struct strbuf got = STRBUF_INIT;

		caller.sid = 1 + i % 17;
		put(arg, &caller, SESSION_CTL, "text\n");
		assert_true(sessions_get(arg, &caller, SESSION_CTL, &got));
		assert_string_equal(strbuf_get_str(&got), "text\n");
	}
	return NULL;
}

static void many_at_once(void **state)
{
	int fd = make_memory();
	struct sessions *s = open_sessions(fd);
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, s), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	sessions_close(s);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(session_sees_its_own_then_its_users),
		cmocka_unit_test(empty_reply_is_a_reply),
		cmocka_unit_test(errors_have_a_line_of_their_own),
		cmocka_unit_test(later_engine_finds_them),
		cmocka_unit_test(oldest_makes_room),
		cmocka_unit_test(many_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
