/* The FUSE connection on a real mount, with servers that are killed: needs
 * root and /dev/fuse. ctest-labels: threads
 *
 * The test is the holder; servers and clients are its children. What they saw
 * is in memory that all share.
 */
#include "tests/fs/channel_server.h"

#include "base/clock.h"
#include "base/path.h"
#include "fs/slots.h"

#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define KILLS 60

/* --- fixture -------------------------------------------------------------- */

/* A client must not have a copy of the connection: it would wait for itself. */
static pid_t fork_child(struct fixture *f, bool is_server)
{
	pid_t pid;

	fflush(NULL);
	assert_true(f->child_count < sizeof(f->children) / sizeof(*f->children));
	pid = fork();
	assert_true(pid >= 0);
	if (pid > 0) {
		f->children[f->child_count++] = pid;
		return pid;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!is_server)
		close(f->mount.fuse_fd);
	return pid;
}

static int wait_child(struct fixture *f, pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (size_t i = 0; i < f->child_count; i++)
		if (f->children[i] == pid)
			f->children[i] = f->children[--f->child_count];
	return status;
}

static pid_t start_server(struct fixture *f, bool stop)
{
	struct error err = ERROR_INIT;
	enum readiness word;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork_child(f, true);
	if (pid == 0)
		serve(f, fds[1], stop);
	close(fds[1]);
	word = readiness_receive(fds[0], &err);
	close(fds[0]);
	assert_string_equal(err.msg, "");
	assert_int_equal(word, READINESS_READY);
	return pid;
}

static void kill_child(struct fixture *f, pid_t pid)
{
	kill(pid, SIGKILL);
	assert_true(WIFSIGNALED(wait_child(f, pid)));
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct error err = ERROR_INIT;

	assert_non_null(f);
	*state = f;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	f->mount = (struct mountpoint)MOUNTPOINT_INIT;
	f->dir_fd = test_make_dir(f->dir);
	f->init_fd = slots_new_memory("init", &err);
	f->seen = mmap(NULL, sizeof(*f->seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	assert_true(f->init_fd >= 0 && f->seen != MAP_FAILED);
	assert_int_equal(sem_init(&f->seen->stop, 1, 0), 0);
	assert_ok(mountpoint_mount(f->dir, "test", 0, &f->mount, &err), &err);
	return 0;
}

/* The connection goes first: no client can then be stuck in it. */
static int tear_down(void **state)
{
	struct fixture *f = *state;

	mountpoint_detach(&f->mount, f->dir, NULL);
	for (size_t i = 0; i < f->child_count; i++)
		kill(f->children[i], SIGKILL);
	mountpoint_abort(&f->mount);
	for (size_t i = 0; i < f->child_count; i++)
		waitpid(f->children[i], NULL, 0);
	close(f->init_fd);
	munmap(f->seen, sizeof(*f->seen));
	test_remove_dir(f->dir_fd, f->dir);
	free(f);
	return 0;
}

static int open_file(struct fixture *f, fuse_ino_t ino, int flags)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/%s", f->dir, file_names[ino]);
	return open(path, flags | O_CLOEXEC);
}

static int read_text(struct fixture *f)
{
	char bytes[sizeof(text) + 1];
	int fd = open_file(f, TEXT_INO, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = path_pread_full(fd, bytes, sizeof(bytes), 0);
	close(fd);
	if (n != (ssize_t)sizeof(text) || memcmp(bytes, text, sizeof(text)) != 0)
		return n < 0 ? (int)n : -EBADMSG;
	return 0;
}

/* --- clients -------------------------------------------------------------- */

static _Noreturn void read_for_ever(struct fixture *f, unsigned me)
{
	for (;;) {
		int64_t start = clock_monotonic_ns(), took;
		int r = read_text(f);

		took = clock_monotonic_ns() - start;
		if (r < 0) {
			fprintf(stderr, "a client's read failed: errno %d\n", -r);
			atomic_fetch_add(&f->seen->failures[me], 1);
		}
		if (took > atomic_load(&f->seen->slowest_ns[me]))
			atomic_store(&f->seen->slowest_ns[me], took);
		atomic_fetch_add(&f->seen->reads[me], 1);
	}
}

static pid_t start_blocked(struct fixture *f)
{
	pid_t pid = fork_child(f, false);

	if (pid == 0) {
		char bytes[10];
		int fd = open_file(f, BLOCK_INO, O_RDONLY);

		if (fd >= 0 && read(fd, bytes, sizeof(bytes)) == 4)
			atomic_store(&f->seen->blocked_done, 1);
		_exit(0);
	}
	while (atomic_load(&f->seen->block_unique) == 0)
		usleep(1000);
	return pid;
}

static void write_go(struct fixture *f)
{
	int fd = open_file(f, GO_INO, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static int compare_ns(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* --- tests ---------------------------------------------------------------- */

static void test_serves(void **state)
{
	struct fixture *f = *state;
	pid_t server = start_server(f, false);
	/* At a page: of others the kernel cuts the end off for a write of its own. */
	char *bytes = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	assert_true(bytes != MAP_FAILED);
	assert_int_equal(read_text(f), 0);
	assert_int_equal(read_text(f), 0);
	fd = open_file(f, SINK_INO, O_WRONLY);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, MIB), MIB);
	close(fd);
	munmap(bytes, MIB);
	assert_int_equal(atomic_load(&f->seen->largest_write), MIB);
	assert_false(atomic_load(&f->seen->taken_over));
	assert_int_equal(channel_get_unique(), 0);
	assert_false(channel_is_resent());
	assert_int_equal(channel_get_poll_kh(), 0);
	/* The kernel ends it. */
	assert_int_equal(umount2(f->dir, 0), 0);
	assert_false(mountpoint_is_mounted(&f->mount));
	assert_int_equal(wait_child(f, server), 0);
}

static void test_stops(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 10; i++) {
		pid_t server = start_server(f, true);

		assert_int_equal(read_text(f), 0);
		assert_int_equal(sem_post(&f->seen->stop), 0);
		assert_int_equal(wait_child(f, server), 0);
	}
}

static void test_killed(void **state)
{
	struct fixture *f = *state;
	struct seen *seen = f->seen;
	pid_t server = start_server(f, false), clients[CLIENTS], blocked;
	int64_t pauses[KILLS];

	blocked = start_blocked(f);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = fork_child(f, false);
		if (clients[i] == 0)
			read_for_ever(f, i);
	}
	for (unsigned i = 0; i < KILLS; i++) {
		uint64_t reads[CLIENTS], resends = atomic_load(&seen->block_resends);

		usleep(2000 + 331 * (i % 17));
		for (unsigned k = 0; k < CLIENTS; k++)
			atomic_store(&seen->slowest_ns[k], 0);
		kill_child(f, server);
		server = start_server(f, false);
		assert_true(atomic_load(&seen->taken_over));
		/* Two reads after it: the one that waited has ended. */
		pauses[i] = 0;
		for (unsigned k = 0; k < CLIENTS; k++) {
			reads[k] = atomic_load(&seen->reads[k]);
			while (atomic_load(&seen->reads[k]) < reads[k] + 2)
				usleep(200);
			if (atomic_load(&seen->slowest_ns[k]) > pauses[i])
				pauses[i] = atomic_load(&seen->slowest_ns[k]);
		}
		while (atomic_load(&seen->block_resends) == resends)
			usleep(200);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		assert_int_equal(atomic_load(&seen->failures[i]), 0);
		kill_child(f, clients[i]);
	}
	assert_int_equal(atomic_load(&seen->block_resends), KILLS);
	assert_int_equal(atomic_load(&seen->strangers), 0);
	assert_int_equal(atomic_load(&seen->unmarked), 0);
	assert_int_equal(atomic_load(&seen->blocked_done), 0);
	write_go(f);
	assert_int_equal(wait_child(f, blocked), 0);
	assert_int_equal(atomic_load(&seen->blocked_done), 1);
	qsort(pauses, KILLS, sizeof(*pauses), compare_ns);
	print_message("pause of a client over %d kills: median %.2f ms, p99 %.2f ms\n", KILLS,
		      (double)pauses[KILLS / 2] / 1e6, (double)pauses[KILLS - 1] / 1e6);
}

/* Interrupting a read that was sent again ends it. */
static void test_interrupt(void **state)
{
	struct fixture *f = *state;
	pid_t server = start_server(f, false), blocked = start_blocked(f);

	kill_child(f, server);
	server = start_server(f, false);
	while (atomic_load(&f->seen->block_resends) == 0)
		usleep(1000);
	/* Nobody answers: SIGKILL alone must do, once the server is gone. */
	kill(blocked, SIGKILL);
	kill_child(f, server);
	mountpoint_abort(&f->mount);
	assert_true(WIFSIGNALED(wait_child(f, blocked)));
}

static void test_poll(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct channel *channel = NULL;
	pid_t server = start_server(f, false), client;

	client = fork_child(f, false);
	if (client == 0) {
		struct pollfd fd = { .fd = open_file(f, POLL_INO, O_RDONLY), .events = POLLIN };

		_exit(poll(&fd, 1, 20000) == 1 && fd.revents == POLLIN ? 0 : 1);
	}
	while (atomic_load(&f->seen->poll_kh) == 0)
		usleep(1000);
	kill_child(f, server);
	server = start_server(f, false);
	usleep(20000);
	assert_int_equal(waitpid(client, NULL, WNOHANG), 0);

	/* A sleeping poll is not sent again: whoever knows its handle wakes it. */
	atomic_store(&f->seen->poll_ready, true);
	assert_ok(
		channel_open(f->mount.fuse_fd, f->init_fd, &ops, sizeof(ops), NULL, &channel, &err),
		&err);
	assert_int_equal(channel_notify_poll(channel, atomic_load(&f->seen->poll_kh)), 0);
	assert_int_equal(channel_notify_poll(channel, 123456789), 0);
	assert_non_null(channel_get_session(channel));
	channel_close(channel);
	assert_int_equal(wait_child(f, client), 0);
	assert_int_equal(atomic_load(&f->seen->unmarked), 0);
	kill_child(f, server);
}

/* An engine that dies with the INIT request in its hands. */
static void die_in_init(struct fixture *f, bool kept)
{
	pid_t server = fork_child(f, true);

	if (server == 0) {
		static char bytes[MIB + 4096];
		ssize_t n = read(f->mount.fuse_fd, bytes, sizeof(bytes));

		if (kept && n > 0)
			path_pwrite_all(f->init_fd, bytes, (size_t)n, 0);
		_exit(n > 0 ? 0 : 1);
	}
	assert_int_equal(wait_child(f, server), 0);
	server = start_server(f, false);
	assert_int_equal(atomic_load(&f->seen->taken_over), kept);
	assert_int_equal(read_text(f), 0);
	kill_child(f, server);
	server = start_server(f, false);
	assert_true(atomic_load(&f->seen->taken_over));
	assert_int_equal(read_text(f), 0);
	kill_child(f, server);
}

static void test_died_before_keeping(void **state)
{
	die_in_init(*state, false);
}

static void test_died_before_answering(void **state)
{
	die_in_init(*state, true);
}

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	struct error err = ERROR_INIT;
	struct channel *channel = NULL;

	assert_int_equal(
		path_pwrite_all(f->init_fd, "nonsense that is no INIT, long enough", 37, 0), 0);
	assert_error(
		channel_open(f->mount.fuse_fd, f->init_fd, &ops, sizeof(ops), NULL, &channel, &err),
		&err, EIO, "the kept INIT request of the mount is damaged");
	assert_null(channel);
}

#define ON_MOUNT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_MOUNT(test_serves),
		ON_MOUNT(test_stops),
		ON_MOUNT(test_killed),
		ON_MOUNT(test_interrupt),
		ON_MOUNT(test_poll),
		ON_MOUNT(test_died_before_keeping),
		ON_MOUNT(test_died_before_answering),
		ON_MOUNT(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
