/* Shims in stock: there when they are asked for, passed over when they are of no use, and never
 * left behind.
 */
#include "runtime/spare.h"

#include "base/clock.h"
#include "tests/test.h"

#include <dirent.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)
#define WAIT_NS INT64_C(10000000000)
#define IN_STOCK 2

static struct spares *all;
static struct error err;

/* Shims that wait for a plan and are ours, or have been handed to us. */
static size_t find_spares(pid_t pids[8])
{
	struct dirent *entry;
	size_t count = 0;
	auto_dir DIR *dir = opendir("/proc");

	while ((entry = readdir(dir)) && count < 8) {
		char path[300], line[128] = "";
		char *end;
		pid_t pid = (pid_t)strtol(entry->d_name, &end, 10), parent;

		snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
		auto_file FILE *file = *end ? NULL : fopen(path, "re");
		if (!file || !fgets(line, sizeof(line), file))
			continue;
		end = strstr(line, "(cfs-spare) S ");
		parent = end ? (pid_t)strtol(end + strlen("(cfs-spare) S "), NULL, 10) : 0;
		if (parent == getpid())
			pids[count++] = pid;
	}
	return count;
}

static void await_spares(size_t wanted, pid_t pids[8])
{
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;

	while (find_spares(pids) != wanted) {
		assert_true(clock_monotonic_ns() < until_ns);
		usleep(2000);
	}
}

static struct spare take(void)
{
	struct spare spare = SPARE_INIT;

	assert_ok(spares_take(all, NAMESPACES, &spare, &err), &err);
	assert_true(spare.pid > 0 && spare.fd >= 0);
	assert_int_equal(kill(spare.pid, 0), 0);
	return spare;
}

static void end(struct spare *spare)
{
	pid_t pid = spare->pid;

	spare_end(spare);
	assert_int_equal(kill(pid, 0), -1);
	assert_int_equal(spare->fd, -1);
}

static void fill_stock(pid_t pids[8])
{
	spares_refill(all, NAMESPACES);
	await_spares(IN_STOCK, pids);
}

static int setup(void **state)
{
	(void)state;
	error_clear(&err);
	assert_ok(spares_new(&all, &err), &err);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	spares_free(all);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	return 0;
}

static void test_stock(void **state)
{
	pid_t pids[8];
	struct spare fresh = take(), spare;

	(void)state;
	assert_false(fresh.is_stock);
	end(&fresh);
	fill_stock(pids);
	for (int i = 0; i < IN_STOCK; i++) {
		spare = take();
		assert_true(spare.is_stock);
		assert_true(spare.pid == pids[0] || spare.pid == pids[1]);
		end(&spare);
	}
	/* Taking does not refill: the start does when it is over. */
	fresh = take();
	assert_false(fresh.is_stock);
	end(&fresh);
	fill_stock(pids);
	/* Others are not for it. */
	assert_ok(spares_take(all, CLONE_NEWNS, &fresh, &err), &err);
	assert_false(fresh.is_stock);
	end(&fresh);
}

/* Its namespaces are new, but for that of pids, which is its child's. */
static void test_namespaces(void **state)
{
	static const char *const made[] = { "mnt", "ipc", "uts" };
	static const char *const kept[] = { "net", "pid", "cgroup", "user" };
	pid_t pids[8];
	struct stat ours, its;
	char path[64], own[64];

	(void)state;
	fill_stock(pids);
	for (size_t i = 0; i < 7; i++) {
		const char *name = i < 3 ? made[i] : kept[i - 3];

		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pids[0], name);
		snprintf(own, sizeof(own), "/proc/self/ns/%s", name);
		int64_t until_ns = clock_monotonic_ns() + WAIT_NS;
		do {
			assert_true(clock_monotonic_ns() < until_ns);
			assert_int_equal(stat(path, &its), 0);
			assert_int_equal(stat(own, &ours), 0);
		} while ((its.st_ino == ours.st_ino) != (i >= 3));
	}
}

static void test_useless(void **state)
{
	pid_t pids[8];
	struct spare spare;

	(void)state;
	fill_stock(pids);
	for (int i = 0; i < IN_STOCK; i++) {
		siginfo_t info;

		assert_int_equal(kill(pids[i], SIGKILL), 0);
		assert_int_equal(waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT), 0);
	}
	spare = take();
	assert_false(spare.is_stock);
	/* And those that were killed are no zombies. */
	assert_int_equal(kill(pids[0], 0), -1);
	assert_int_equal(kill(pids[1], 0), -1);
	end(&spare);
	/* One that cannot do its work says so at once. */
	assert_ok(spares_take(all, 1, &spare, &err), &err);
	struct pollfd polled = { .fd = spare.fd, .events = POLLIN };
	assert_int_equal(poll(&polled, 1, 10000), 1);
	end(&spare);
}

/* They are an engine's alone. */
static void test_engine_killed(void **state)
{
	pid_t pids[8];
	int64_t until_ns = clock_monotonic_ns() + WAIT_NS;
	size_t left = IN_STOCK;
	pid_t engine;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	engine = fork();
	if (engine == 0) {
		fill_stock(pids);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(engine, NULL, 0), engine);
	/* Handed to us, each ends by itself. */
	while (left > 0) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		assert_true(clock_monotonic_ns() < until_ns);
		left -= pid > 0;
		usleep(1000);
	}
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_namespaces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_useless, setup, teardown),
		cmocka_unit_test_setup_teardown(test_engine_killed, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
