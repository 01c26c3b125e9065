/* Real groups for tests, of this process alone, and processes to be in them. */
#ifndef TESTS_RUNTIME_CGROUP_FIXTURE_H
#define TESTS_RUNTIME_CGROUP_FIXTURE_H

#include "runtime/cgroup/cgroup.h"
#include "runtime/cgroup/cgroup_internal.h"
#include "tests/test.h"

#include "base/num.h"
#include "base/path.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define ID "cafe0123"
#define CASE(test, setup_func) cmocka_unit_test_setup_teardown(test, setup_func, teardown)

static struct cgroup_host *host;
static struct error err;

/* Of this process alone: others test on this machine too. */
static inline const char *get_instance(void)
{
	static char name[16];

	snprintf(name, sizeof(name), "7e57%08x", (unsigned)getpid());
	return name;
}

static inline int setup(void **state)
{
	(void)state;
	error_clear(&err);
	return cgroup_host_new(get_instance(), &host, &err);
}

static inline int teardown(void **state)
{
	char **ids = NULL, path[32];
	int left = 0;

	(void)state;
	if (cgroup_list(host, &ids, NULL) == 0)
		for (left = 0; ids[left]; left++)
			free(ids[left]);
	free(ids);
	cgroup_host_sweep(host);
	snprintf(path, sizeof(path), "containerfs/%s", get_instance());
	for (size_t i = 0; i < CGROUP_TREE_COUNT; i++)
		if (host->trees[i].root_fd >= 0 &&
		    faccessat(host->trees[i].root_fd, path, F_OK, 0) == 0)
			left++;
	cgroup_host_free(host);
	return left;
}

static inline void join(const struct cgroup *cgroup)
{
	int fd = cgroup->leaf_fd < 0
			 ? -1
			 : openat(cgroup->leaf_fd, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, "0", 1) != 1)
		_exit(120);
	for (size_t i = 0; i < cgroup->procs_count; i++)
		if (write(cgroup->procs_fds[i], "0", 1) != 1)
			_exit(121);
}

/* A process of the container that does its work and exits with what it returns. */
static inline pid_t spawn(const struct cgroup *cgroup, int (*work)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		join(cgroup);
		if (write(ready[1], "", 1) != 1)
			_exit(122);
		_exit(work());
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* Until a fork bomb has made all of its processes. */
static inline void wait_for_pids(ssize_t count)
{
	for (int i = 0; i < 5000; i++) {
		pid_t *pids = NULL;
		ssize_t have = cgroup_list_pids(host, ID, &pids, &err);

		free(pids);
		if (have == count)
			return;
		usleep(1000);
	}
	fail_msg("there are never %zd processes", count);
}

static inline int reap(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

__attribute__((noreturn)) static inline int work_sleep(void)
{
	for (;;)
		pause();
}

static inline int work_fork(void)
{
	int made = 0;
	pid_t pid;

	while (made < 20 && (pid = fork()) >= 0) {
		if (pid == 0)
			work_sleep();
		made++;
	}
	return made;
}

static inline int work_fork_bomb(void)
{
	work_fork();
	work_sleep();
}

static inline int work_eat(void)
{
	for (int i = 0; i < 64; i++) {
		char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			       -1, 0);

		if (p == MAP_FAILED)
			return 1;
		for (size_t at = 0; at < 1 << 20; at += 4096)
			p[at] = 1;
	}
	return 0;
}

static inline int open_device(unsigned major, unsigned minor)
{
	char path[64];
	int fd, code;

	snprintf(path, sizeof(path), "/tmp/test-cgroup-dev-%d", (int)getpid());
	if (mknod(path, S_IFCHR | 0600, makedev(major, minor)) < 0)
		return 100;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	code = fd < 0 ? errno : 0;
	unlink(path);
	return code;
}

__attribute__((noreturn)) static inline int work_hold(void)
{
	work_eat();
	work_sleep();
}
static inline int work_devices(void)
{
	static const unsigned allowed[][2] = { { 1, 3 }, { 1, 5 }, { 1, 7 }, { 1, 8 }, { 1, 9 } };
	static const unsigned denied[][2] = {
		{ 1, 1 }, { 1, 11 }, { 5, 3 }, { 10, 229 }, { 10, 200 }
	};

	for (size_t i = 0; i < 5; i++)
		if (open_device(allowed[i][0], allowed[i][1]) != 0)
			return 10 + (int)i;
	for (size_t i = 0; i < 5; i++)
		if (open_device(denied[i][0], denied[i][1]) != EPERM)
			return 20 + (int)i;
	return 0;
}

static inline int work_fuse(void)
{
	return open_device(10, 229) == EPERM;
}

static inline void read_value(enum cgroup_controller controller, const char *file,
			      char ret_text[64])
{
	int fd = cgroup_open_group(host, cgroup_host_find_tree(host, controller), ID);

	ret_text[0] = '\0';
	if (fd >= 0)
		cgroup_read_file(fd, file, ret_text, 64);
	cleanup_fd(&fd);
}

static inline bool is_v2(enum cgroup_controller controller)
{
	return cgroup_host_find_tree(host, controller) == CGROUP_TREE_V2;
}

static inline void assert_value(enum cgroup_controller controller, const char *v1_file,
				const char *v1_text, const char *v2_file, const char *v2_text)
{
	char text[64];

	read_value(controller, is_v2(controller) ? v2_file : v1_file, text);
	assert_string_equal(text, is_v2(controller) ? v2_text : v1_text);
}

#endif
