/* The launch plan: what plan_render() writes, plan_parse() reads; what is cut
 * off, bent or of another version is refused.
 */
#include "runtime/plan.h"
#include "runtime/shim/plan.h"
#include "tests/alloc_sweep.h"
#include "tests/test.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The parser belongs to the shim's build; it is compiled into this test too. */
#include "runtime/shim/plan.c"

static const char *const argv[] = { "sh", "-c", "echo 'a b'", NULL };
static const char *const envp[] = { "PATH=/bin", "EMPTY=", NULL };
static const char *const masked[] = { "/proc/kcore" };
static const char *const sysctls[] = { "kernel.sem", "200 300 40 50" };
static const gid_t groups[] = { 5, 7, 9 };
static const struct sock_filter filter[] = { { 0x06, 0, 0, 0x7fff0000 } };
static const struct launch_mount mounts[] = {
	{ .source = "proc", .target = "/proc", .fstype = "proc", .flags = 14, .fd = -1 },
	{ .target = "/etc/hosts", .fd = 20, .is_file = true },
};
static const struct launch_device devices[] = {
	{ .path = "null", .mode = 020666, .major = 1, .minor = 3, .uid = 1, .gid = 2 },
};
static const struct launch_rlimit rlimits[] = {
	{ .resource = RLIMIT_NOFILE, .limit = { .rlim_cur = 100, .rlim_max = 200 } },
};
static const int procs[] = { 30, 31, 32 };

static struct launch_spec make_spec(void)
{
	return (struct launch_spec){
		.id = "0123456789abcdef",
		.run = 7,
		.rootfs_fd = 10,
		.log_dir_fd = 11,
		.run_dir_fd = 12,
		.cgroup_fd = -1,
		.cgroup_procs_fds = procs,
		.cgroup_procs_count = 3,
		.mounts = mounts,
		.mount_count = 2,
		.devices = devices,
		.device_count = 1,
		.masked_paths = masked,
		.masked_count = 1,
		.readonly_rootfs = true,
		.init = true,
		.sysctls = sysctls,
		.sysctl_count = 2,
		.argv = argv,
		.envp = envp,
		.cwd = "/srv",
		.hostname = "box",
		.uid = 1000,
		.gid = 100,
		.groups = groups,
		.group_count = 3,
		.cap_bounding = UINT64_C(1) << 40 | 1,
		.seccomp = filter,
		.seccomp_count = 1,
		.rlimits = rlimits,
		.rlimit_count = 1,
		.oom_score_adj = -5,
		.tty = true,
		.tty_cols = 132,
	};
}

static void render(const struct launch_spec *spec, struct strbuf *message, struct strbuf *fds)
{
	struct error err = ERROR_INIT;
	strbuf_reset(message);
	strbuf_reset(fds);
	assert_ok(plan_render(spec, message, fds, &err), &err);
}

/* As the shim does, to which each came under its old number. */
static void place_fds(struct strbuf *message, const struct strbuf *fds)
{
	struct error err = ERROR_INIT;
	assert_ok(plan_place_fds(message->data, (const void *)fds->data, fds->len / sizeof(int),
				 &err),
		  &err);
}

static void test_round_trip(void **state)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct error err = ERROR_INIT;
	struct launch_spec spec = make_spec();
	struct plan plan;
	(void)state;
	render(&spec, &message, &fds);
	assert_int_equal(plan_parse(message.data, message.len, &plan, &err), 0);
	place_fds(&message, &fds);
	const struct plan_header *header = plan.header;
	assert_int_equal(header->run, 7);
	assert_int_equal(header->rootfs_fd, 10);
	assert_int_equal(header->log_dir_fd, 11);
	assert_int_equal(header->run_dir_fd, 12);
	assert_int_equal(header->netns_fd, -1);
	assert_int_equal(header->cgroup_fd, -1);
	assert_int_equal(header->cap_bounding, UINT64_C(1) << 40 | 1);
	assert_int_equal(header->oom_score_adj, -5);
	assert_int_equal(header->tty_rows, 24);
	assert_int_equal(header->tty_cols, 132);
	assert_true(plan_has(&plan, PLAN_TTY) && plan_has(&plan, PLAN_READONLY_ROOTFS) &&
		    plan_has(&plan, PLAN_INIT));
	assert_int_equal(header->sysctls.count, 2);
	assert_string_equal(plan_get_str(&plan, plan.sysctls[1]), "200 300 40 50");
	assert_false(plan_has(&plan, PLAN_OPEN_STDIN) || plan_has(&plan, PLAN_NEW_NETNS));
	assert_int_equal(header->argv.count, 3);
	assert_string_equal(plan_get_str(&plan, plan.argv[2]), "echo 'a b'");
	assert_int_equal(header->env.count, 2);
	assert_string_equal(plan_get_str(&plan, plan.env[1]), "EMPTY=");
	assert_string_equal(plan_get_str(&plan, plan.masked[0]), "/proc/kcore");
	assert_string_equal(plan_get_str(&plan, header->cwd), "/srv");
	assert_string_equal(plan_get_str(&plan, header->hostname), "box");
	assert_null(plan_get_str(&plan, header->domainname));
	assert_memory_equal(plan.groups, groups, sizeof(groups));
	assert_memory_equal(plan.cgroup_procs, procs, sizeof(procs));
	assert_memory_equal(plan.seccomp, filter, sizeof(filter));
	assert_int_equal(plan.rlimits[0].hard, 200);
	assert_int_equal(plan.devices[0].mode, 020666);
	assert_string_equal(plan_get_str(&plan, plan.mounts[0].fstype), "proc");
	assert_int_equal(plan.mounts[0].fd, -1);
	assert_null(plan_get_str(&plan, plan.mounts[1].fstype));
	assert_int_equal(plan.mounts[1].fd, 20);
	assert_int_equal(plan.mounts[1].is_file, 1);
}

static void assert_refused(struct launch_spec spec, int code, const char *sentence)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct error err = ERROR_INIT;
	assert_int_equal(plan_render(&spec, &message, &fds, &err), -code);
	assert_string_equal(err.msg, sentence);
}

static void test_render_refuses(void **state)
{
	static const char *const none[] = { NULL };
	struct launch_spec spec = make_spec();
	(void)state;
	spec.argv = none;
	assert_refused(spec, EINVAL, "no command to run");
	spec = make_spec();
	spec.cwd = "srv";
	assert_refused(spec, EINVAL, "the working directory 'srv' is not absolute");
	spec = make_spec();
	spec.rootfs_fd = 1;
	assert_refused(spec, EINVAL, "a descriptor of the launch plan is missing");
}

static int render_once(void *arg)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	(void)arg;
	struct launch_spec spec = make_spec();
	return plan_render(&spec, &message, &fds, NULL);
}

static void test_render_without_memory(void **state)
{
	(void)state;
	assert_true(alloc_sweep(render_once, NULL) > 5);
}

static void assert_parse(const void *bytes, size_t len, int code, const char *sentence)
{
	struct error err = ERROR_INIT;
	struct plan plan;
	assert_int_equal(plan_parse(bytes, len, &plan, &err), -code);
	assert_string_equal(err.msg, sentence);
}

static void test_parse_refuses(void **state)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct launch_spec spec = make_spec();
	(void)state;
	render(&spec, &message, &fds);
	struct plan_header *header = (struct plan_header *)(void *)message.data;
	struct plan_header good = *header;
	assert_parse(message.data, 8, EINVAL, "launch plan: impossible size of 8 bytes");
	assert_parse(message.data, message.len - 8, EINVAL, "launch plan: cut off");
	header->version++;
	assert_parse(message.data, message.len, EPROTO, "launch plan: not of version 6");
	*header = good;
	header->argv.offset = (uint32_t)message.len - 8;
	assert_parse(message.data, message.len, EINVAL,
		     "launch plan: arguments lie outside the message");
	*header = good;
	header->groups.count = UINT32_MAX;
	assert_parse(message.data, message.len, EINVAL, "launch plan: too many groups");
	*header = good;
	header->cwd = 3;
	assert_parse(message.data, message.len, EINVAL,
		     "launch plan: bad id, directory or host name");
	*header = good;
	header->rootfs_fd = -1;
	assert_parse(message.data, message.len, EINVAL, "launch plan: a descriptor is missing");
	*header = good;
	header->flags |= (uint32_t)PLAN_USERNS;
	assert_parse(message.data, message.len, EINVAL, "launch plan: no user namespace");
}

static void test_userns(void **state)
{
	AUTO(strbuf_deinit) struct strbuf first = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf further = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct launch_spec spec = make_spec();
	struct error err = ERROR_INIT;
	struct plan plan;
	(void)state;
	spec.uid_base = 5; /* means nothing without the flag */
	render(&spec, &first, &fds);
	assert_int_equal(plan_parse(first.data, first.len, &plan, &err), 0);
	assert_int_equal(plan.header->uid_base, 0);
	assert_int_equal(plan.header->userns_fd, -1);
	spec.userns = true;
	spec.userns_fd = 0;
	assert_refused(spec, EINVAL, "a descriptor of the launch plan is missing");
	spec.userns_fd = 50;
	spec.uid_base = 100000;
	spec.gid_base = 200000;
	render(&spec, &first, &fds);
	assert_int_equal(plan_parse(first.data, first.len, &plan, &err), 0);
	assert_true(plan_has(&plan, PLAN_USERNS));
	place_fds(&first, &fds);
	assert_int_equal(plan.header->userns_fd, 50);
	assert_int_equal(plan.header->uid_base, 100000);
	assert_int_equal(plan.header->gid_base, 200000);
	/* A further process enters by the first one. */
	spec.join = true;
	spec.join_fd = 60;
	spec.rootfs_fd = spec.userns_fd = -1;
	render(&spec, &further, &fds);
	assert_int_equal(plan_parse(further.data, further.len, &plan, &err), 0);
	assert_int_equal(plan.header->userns_fd, -1);
	assert_int_equal(plan.header->uid_base, 100000);
}

/* Fewer descriptors than the message speaks of. */
static void test_fds_missing(void **state)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct launch_spec spec = make_spec();
	(void)state;
	render(&spec, &message, &fds);
	size_t count = fds.len / sizeof(int);
	assert_int_equal(count, 7); /* three directories, a mount, three cgroups */
	for (size_t i = 0; i < count; i++) {
		struct error err = ERROR_INIT;
		render(&spec, &message, &fds);
		assert_int_equal(plan_place_fds(message.data, (const void *)fds.data, i, &err),
				 -EINVAL);
		assert_string_equal(err.msg, "launch plan: a descriptor did not come with it");
	}
}

/* One byte bent after the other: refused, or still all inside the message. */
static void test_parse_bent(void **state)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct launch_spec spec = make_spec();
	struct plan plan;
	(void)state;
	render(&spec, &message, &fds);
	for (size_t i = 0; i < message.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			message.data[i] = (char)(message.data[i] ^ (1 << bit));
			if (plan_parse(message.data, message.len, &plan, NULL) == 0)
				for (uint32_t k = 0; k < plan.header->argv.count; k++)
					assert_true(strlen(plan_get_str(&plan, plan.argv[k])) <
						    message.len);
			message.data[i] = (char)(message.data[i] ^ (1 << bit));
		}
	}
}

/* --- the fuzzer's corpus ----------------------------------------------------------- */

/* A kept input is that of this version; after a change of the plan run this test once with
 * UPDATE_CORPUS set. */
static void check_corpus(const char *name, struct launch_spec spec)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	char path[300], kept[4096];
	(void)snprintf(path, sizeof(path), "%s/fuzz/corpus/plan/%s", TEST_SOURCE_DIR, name);
	render(&spec, &message, &fds);
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	if (getenv("UPDATE_CORPUS")) {
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(write(fd, message.data, message.len), message.len);
	}
	assert_int_equal(pread(fd, kept, sizeof(kept), 0), message.len);
	assert_memory_equal(kept, message.data, message.len);
}

static struct launch_spec make_sharing_spec(void)
{
	struct launch_spec spec = make_spec();
	spec.init = false;
	spec.join_ipcns = spec.join_pidns = spec.uts_is_host = true;
	spec.ipcns_fd = 51;
	spec.pidns_fd = 52;
	return spec;
}

/* Namespaces of another container, and the host's; none of either unless it is said. */
static void test_shared(void **state)
{
	AUTO(strbuf_deinit) struct strbuf message = STRBUF_INIT;
	AUTO(strbuf_deinit) struct strbuf fds = STRBUF_INIT;
	struct launch_spec spec = make_sharing_spec();
	struct error err = ERROR_INIT;
	struct plan plan;
	(void)state;
	render(&spec, &message, &fds);
	assert_int_equal(plan_parse(message.data, message.len, &plan, &err), 0);
	place_fds(&message, &fds);
	assert_int_equal(plan.header->ipcns_fd, 51);
	assert_int_equal(plan.header->pidns_fd, 52);
	assert_true(plan_forks(&plan));
	spec = make_spec();
	spec.ipc_is_host = spec.pid_is_host = true;
	render(&spec, &message, &fds);
	assert_int_equal(plan_parse(message.data, message.len, &plan, &err), 0);
	assert_int_equal(plan.header->ipcns_fd, -1);
	assert_int_equal(plan.header->pidns_fd, -1);
	assert_false(plan_forks(&plan));
	spec.join_pidns = true;
	spec.pidns_fd = 0;
	assert_refused(spec, EINVAL, "a descriptor of the launch plan is missing");
}

static void test_corpus(void **state)
{
	struct launch_spec spec = make_spec();
	(void)state;
	check_corpus("full", spec);
	check_corpus("shared", make_sharing_spec());
	spec.userns = true;
	spec.userns_fd = 50;
	spec.uid_base = spec.gid_base = 100000;
	check_corpus("userns", spec);
	spec.join = true;
	spec.join_fd = 60;
	spec.rootfs_fd = spec.userns_fd = -1;
	check_corpus("join", spec);
	spec = (struct launch_spec){ .id = "0",
				     .rootfs_fd = 3,
				     .log_dir_fd = 4,
				     .run_dir_fd = 5,
				     .cgroup_fd = -1,
				     .argv = argv,
				     .cwd = "/" };
	check_corpus("least", spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_userns),
		cmocka_unit_test(test_render_refuses), cmocka_unit_test(test_render_without_memory),
		cmocka_unit_test(test_parse_refuses),  cmocka_unit_test(test_parse_bent),
		cmocka_unit_test(test_fds_missing),    cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_shared),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
