/* Real overlays in a scratch directory. Each case compares the mount table before
 * and after. ctest-labels: threads */
#include "runtime/rootfs/rootfs.h"
#include "runtime/rootfs/rootfs_internal.h"
#include "tests/test.h"

#include "base/path.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define ID "1111111111111111111111111111111111111111111111111111111111111111"

static struct error err;
static struct rootfs *rootfs;
static char dir[64], run[128], exposed[256];
static int dir_fd, layers_fd, container_fd;
static char diff_ids[80][65];
static struct rootfs_spec spec;
static int mounts_before;

static int count_mounts(void)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	int lines = 0, c;

	assert_non_null(file);
	while ((c = fgetc(file)) != EOF)
		lines += c == '\n';
	fclose(file);
	return lines;
}

static void write_file(int at_fd, const char *name, const char *text)
{
	int fd = openat(at_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(path_write_all(fd, text, strlen(text)), 0);
	close(fd);
}

/* What a file holds, or "-" when there is none. */
static const char *read_file(int at_fd, const char *name)
{
	static char text[128];
	int fd = openat(at_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : path_pread_full(fd, text, sizeof(text) - 1, 0);

	cleanup_fd(&fd);
	if (n < 0)
		return "-";
	text[n] = '\0';
	return text;
}

/* Layer number i holds the files layer<i>, top (its number) and removed<i>; the one
 * above removes the latter. */
static void make_layer(size_t i)
{
	char name[32], text[32];
	int fd;

	snprintf(diff_ids[i], 65, "%064zx", i + 1);
	assert_int_equal(mkdirat(layers_fd, diff_ids[i], 0755), 0);
	fd = openat(layers_fd, diff_ids[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	snprintf(text, sizeof(text), "%zu", i);
	snprintf(name, sizeof(name), "layer%zu", i);
	write_file(fd, name, text);
	write_file(fd, "top", text);
	snprintf(name, sizeof(name), "removed%zu", i);
	write_file(fd, name, text);
	assert_int_equal(mkdirat(fd, "dir", 0755), 0);
	if (i > 0) {
		snprintf(name, sizeof(name), "removed%zu", i - 1);
		assert_int_equal(mknodat(fd, name, S_IFCHR | 0600, makedev(0, 0)), 0);
	}
	close(fd);
}

static void use_layers(size_t count)
{
	for (size_t i = spec.layer_count; i < count; i++)
		make_layer(i);
	spec.layer_count = count;
}

static int setup(void **state)
{
	(void)state;
	error_clear(&err);
	mounts_before = count_mounts();
	dir_fd = test_make_dir(dir);
	/* The upper directory's file system must be one that can be an upper one: the scratch
	 * directory may itself lie on an overlay. */
	assert_int_equal(mount("scratch", dir, "tmpfs", 0, "mode=0755"), 0);
	close(dir_fd);
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layers_fd = path_open_dir(dir_fd, "layers", 0700, NULL);
	container_fd = path_open_dir(dir_fd, "container", 0700, NULL);
	snprintf(run, sizeof(run), "%s/run/rootfs", dir);
	snprintf(exposed, sizeof(exposed), "%s/%s", run, ID);
	spec = (struct rootfs_spec){ .id = ID,
				     .layers_fd = layers_fd,
				     .diff_ids = diff_ids,
				     .container_dir_fd = container_fd };
	assert_ok(rootfs_new(run, &rootfs, &err), &err);
	use_layers(2);
	return 0;
}

static int teardown(void **state)
{
	int left;

	(void)state;
	assert_ok(rootfs_sweep(rootfs, NULL, NULL, &err), &err);
	rootfs_free(rootfs);
	close(layers_fd);
	close(container_fd);
	/* Not lazily: nothing may hold it any more. */
	close(dir_fd);
	assert_int_equal(umount2(dir, 0), 0);
	left = count_mounts() - mounts_before;
	assert_int_equal(rmdir(dir), 0);
	return left;
}

static int get_mount(void)
{
	int fd = rootfs_get_mount(rootfs, &spec, &err);

	assert_ok(fd, &err);
	return fd;
}

static void expose(void)
{
	assert_ok(rootfs_expose(rootfs, &spec, &err), &err);
}

static unsigned long mount_flags(const char *path)
{
	struct statvfs fs;

	assert_int_equal(statvfs(path, &fs), 0);
	return fs.f_flag & (ST_NOSUID | ST_NODEV | ST_RDONLY);
}

static void test_fresh(void **state)
{
	struct statvfs fs;
	int fd = get_mount();

	(void)state;
	assert_string_equal(read_file(fd, "layer0"), "0");
	assert_string_equal(read_file(fd, "layer1"), "1");
	assert_string_equal(read_file(fd, "top"), "1");
	assert_string_equal(read_file(fd, "removed0"), "-");
	assert_string_equal(read_file(fd, "removed1"), "1");
	write_file(fd, "new", "mine");
	assert_string_equal(read_file(container_fd, "upper/new"), "mine");
	assert_int_equal(fstatvfs(fd, &fs), 0);
	assert_int_equal(fs.f_flag & (ST_NOSUID | ST_NODEV), 0);
	/* A directory of a layer cannot be renamed, as in Docker: mv copies it. */
	assert_int_equal(renameat(fd, "dir", fd, "other"), -1);
	assert_int_equal(errno, EXDEV);
	assert_int_equal(mount_is_root(exposed), false);
	close(fd);
	/* Again: what was written is there. */
	fd = get_mount();
	assert_string_equal(read_file(fd, "new"), "mine");
	close(fd);
}

static void test_root_owner(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(fchownat(layers_fd, diff_ids[1], 12, 34, 0), 0);
	assert_int_equal(fchmodat(layers_fd, diff_ids[1], 0711, 0), 0);
	fd = get_mount();
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_uid, 12);
	assert_int_equal(st.st_gid, 34);
	assert_int_equal(st.st_mode & 07777, 0711);
	close(fd);
}

static void test_expose_stopped(void **state)
{
	char path[512];
	int fd;

	(void)state;
	expose();
	expose();
	assert_int_equal(mount_flags(exposed), ST_NOSUID | ST_NODEV);
	snprintf(path, sizeof(path), "%s/file", exposed);
	write_file(AT_FDCWD, path, "outside");
	/* A start takes a clone: the same files at once, without the restrictions. */
	fd = get_mount();
	assert_string_equal(read_file(fd, "file"), "outside");
	write_file(fd, "file", "inside");
	assert_string_equal(read_file(AT_FDCWD, path), "inside");
	assert_int_equal(rootfs_hide_idle(rootfs, ID), 0);
	assert_int_equal(access(exposed, F_OK), -1);
	close(fd);
	assert_ok(rootfs_hide(rootfs, ID, &err), &err);
}

/* Two superblocks never share an upper directory: what is held goes before the next is made. */
static void test_held(void **state)
{
	atomic_int held = get_mount();
	struct stat before, after;
	int fd;

	(void)state;
	spec.held_fd = &held;
	write_file(held, "file", "kept");
	expose();
	assert_int_equal(held, -1);
	fd = get_mount();
	held = fd;
	assert_int_equal(fstat(fd, &before), 0);
	/* What is exposed is the same overlay: nothing has to go. */
	fd = get_mount();
	assert_int_equal(fstat(fd, &after), 0);
	assert_true(held >= 0);
	assert_true(before.st_dev == after.st_dev);
	close(fd);
	assert_ok(rootfs_hide(rootfs, ID, &err), &err);
	fd = get_mount();
	assert_int_equal(held, -1);
	assert_string_equal(read_file(fd, "file"), "kept");
	held = fd;
	rootfs_let_go(rootfs, ID, &held);
	rootfs_let_go(rootfs, ID, &held);
	assert_int_equal(held, -1);
	spec.held_fd = NULL;
}

static int pipe_in[2];

/* The container: a mount namespace of its own whose root is the overlay. */
static void be_container(int fd, bool cover)
{
	char byte = 'r';

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    move_mount(fd, "", AT_FDCWD, "/mnt", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    chdir("/mnt") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		_exit(errno);
	if (cover && mount("tmpfs", "/", "tmpfs", 0, NULL) < 0)
		_exit(errno);
	if (write(pipe_in[1], &byte, 1) != 1)
		_exit(1);
	pause();
	_exit(0);
}

static pid_t start_container(bool cover)
{
	int fd = get_mount();
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe2(pipe_in, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0)
		be_container(fd, cover);
	close(fd);
	close(pipe_in[1]);
	assert_int_equal(read(pipe_in[0], &byte, 1), 1);
	close(pipe_in[0]);
	return pid;
}

static void end_container(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_expose_running(void **state)
{
	pid_t pid = start_container(false);
	char path[600];

	(void)state;
	spec.pid = pid;
	expose();
	assert_int_equal(mount_flags(exposed), ST_NOSUID | ST_NODEV);
	snprintf(path, sizeof(path), "%s/from-outside", exposed);
	write_file(AT_FDCWD, path, "x");
	snprintf(path, sizeof(path), "/proc/%d/root/from-outside", (int)pid);
	assert_string_equal(read_file(AT_FDCWD, path), "x");
	/* Hidden and shown again while it runs: still the same superblock. */
	assert_ok(rootfs_hide(rootfs, ID, &err), &err);
	expose();
	snprintf(path, sizeof(path), "%s/from-outside", exposed);
	assert_string_equal(read_file(AT_FDCWD, path), "x");
	end_container(pid);
	spec.pid = 0;
	/* The mount outlives the container, and the next start takes it. */
	assert_string_equal(read_file(AT_FDCWD, path), "x");
	pid = start_container(false);
	end_container(pid);
}

static void test_expose_bad(void **state)
{
	pid_t pid = start_container(true);
	char want[200];

	(void)state;
	spec.pid = pid;
	assert_error(rootfs_expose(rootfs, &spec, &err), &err, EBUSY,
		     "container '" ID "' has mounted something over its root");
	end_container(pid);
	error_clear(&err);
	assert_error(rootfs_expose(rootfs, &spec, &err), &err, ESRCH,
		     "container '" ID "' does not run: No such process");
	error_clear(&err);
	spec.pid = getpid();
	snprintf(want, sizeof(want), "process %d is not in a container", (int)getpid());
	assert_error(rootfs_expose(rootfs, &spec, &err), &err, EINVAL, want);
	error_clear(&err);
	spec.id = "../../etc";
	assert_error(rootfs_expose(rootfs, &spec, &err), &err, EINVAL,
		     "'../../etc' is not an id of 64 digits");
	error_clear(&err);
	spec = (struct rootfs_spec){ .id = ID,
				     .layers_fd = layers_fd,
				     .diff_ids = diff_ids,
				     .layer_count = 3,
				     .container_dir_fd = -1 };
	memset(diff_ids[2], 'e', 64);
	assert_int_equal(rootfs_expose(rootfs, &spec, &err), -ENOENT);
	assert_non_null(strstr(err.msg, diff_ids[2]));
	error_clear(&err);
	assert_int_equal(access(exposed, F_OK), -1);
	/* The helper has come back from where it was. */
	use_layers(2);
	spec.layer_count = 2;
	expose();
}

static void test_hide_busy(void **state)
{
	char path[512];
	int fd;

	(void)state;
	expose();
	snprintf(path, sizeof(path), "%s/dir", exposed);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(rootfs_hide_idle(rootfs, ID), -EBUSY);
	assert_int_equal(mount_is_root(exposed), true);
	assert_ok(rootfs_hide(rootfs, ID, &err), &err);
	assert_int_equal(access(exposed, F_OK), -1);
	/* Who is inside goes on. */
	write_file(fd, "still", "here");
	assert_string_equal(read_file(fd, "still"), "here");
	close(fd);
	assert_ok(rootfs_hide(rootfs, ID, &err), &err);
}

static void test_volatile(void **state)
{
	int fd;

	(void)state;
	spec.is_volatile = true;
	fd = get_mount();
	write_file(fd, "a", "b");
	close(fd);
	/* The mark that is always left, without which the kernel would not look. */
	assert_int_equal(faccessat(container_fd, "work/work/incompat/volatile", F_OK, 0), 0);
	fd = get_mount();
	assert_string_equal(read_file(fd, "a"), "b");
	close(fd);
}

static void test_many_layers(void **state)
{
	int fd;

	(void)state;
	use_layers(60);
	fd = get_mount();
	assert_string_equal(read_file(fd, "layer0"), "0");
	assert_string_equal(read_file(fd, "layer59"), "59");
	assert_string_equal(read_file(fd, "top"), "59");
	assert_string_equal(read_file(fd, "removed58"), "-");
	close(fd);
}

static void test_no_layers(void **state)
{
	int fd;

	(void)state;
	spec.layer_count = 0;
	fd = get_mount();
	assert_string_equal(read_file(fd, "top"), "-");
	write_file(fd, "x", "y");
	close(fd);
	spec.layer_count = 2;
}

/* An image: of two layers, then of one. */
static void test_image(void **state)
{
	char path[512];

	(void)state;
	spec.container_dir_fd = -1;
	for (size_t count = 2; count > 0; count--) {
		spec.layer_count = count;
		expose();
		assert_int_equal(mount_flags(exposed), ST_NOSUID | ST_NODEV | ST_RDONLY);
		snprintf(path, sizeof(path), "%s/top", exposed);
		assert_string_equal(read_file(AT_FDCWD, path), count == 2 ? "1" : "0");
		snprintf(path, sizeof(path), "%s/removed0", exposed);
		assert_string_equal(read_file(AT_FDCWD, path), count == 2 ? "-" : "0");
		assert_int_equal(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), -1);
		assert_int_equal(errno, EROFS);
		assert_ok(rootfs_hide(rootfs, ID, &err), &err);
	}
	spec.layer_count = 2;
}

static void *expose_in_thread(void *arg)
{
	struct error mine = ERROR_INIT;

	(void)arg;
	return (void *)(intptr_t)rootfs_expose(rootfs, &spec, &mine);
}

static void test_race(void **state)
{
	pthread_t threads[8];
	int before = count_mounts();

	(void)state;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, expose_in_thread, NULL), 0);
	for (size_t i = 0; i < 8; i++) {
		void *ret = NULL;

		assert_int_equal(pthread_join(threads[i], &ret), 0);
		assert_null(ret);
	}
	/* RUN/rootfs and one overlay. */
	assert_int_equal(count_mounts() - before, 2);
}

static bool keep_ones(void *arg, const char *id)
{
	(void)arg;
	return id[0] == '1';
}

static void test_sweep(void **state)
{
	static const char other[] =
		"2222222222222222222222222222222222222222222222222222222222222222";
	int before = count_mounts();

	(void)state;
	expose();
	spec.id = other;
	spec.container_dir_fd = -1;
	expose();
	assert_int_equal(count_mounts() - before, 3);
	assert_ok(rootfs_sweep(rootfs, keep_ones, NULL, &err), &err);
	assert_int_equal(count_mounts() - before, 2);
	assert_true(mount_is_root(exposed));
	assert_ok(rootfs_sweep(rootfs, NULL, NULL, &err), &err);
	assert_int_equal(count_mounts() - before, 0);
}

/* The way of older kernels, on every kernel. */
static int run_classic(void *arg)
{
	char *stage = arg;

	return overlay_mount(&spec, "/nonexistent", stage, false, &err);
}

static void test_classic(void **state)
{
	struct rootfs_helper *helper = NULL;
	char stage[512];
	int fd, before = count_mounts();

	(void)state;
	use_layers(60);
	snprintf(stage, sizeof(stage), "%s/run/stage", dir);
	assert_ok(rootfs_helper_new(&helper, &err), &err);
	fd = rootfs_helper_run(helper, run_classic, stage);
	assert_ok(fd, &err);
	assert_string_equal(read_file(fd, "top"), "59");
	assert_string_equal(read_file(fd, "removed58"), "-");
	write_file(fd, "w", "1");
	close(fd);
	assert_int_equal(count_mounts(), before);
	rootfs_helper_free(helper);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_fresh),     CASE(test_root_owner),     CASE(test_expose_stopped),
		CASE(test_held),      CASE(test_expose_running), CASE(test_expose_bad),
		CASE(test_hide_busy), CASE(test_volatile),       CASE(test_many_layers),
		CASE(test_no_layers), CASE(test_image),          CASE(test_race),
		CASE(test_sweep),     CASE(test_classic),
	};

	/* Mounts made here must not spread to the rest of the machine. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
