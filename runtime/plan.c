/* Writing the launch plan: see runtime/shim/plan.h for its shape.
 *
 * Strings are appended as they come, and every array after the strings it
 * refers to; the header goes over the place kept for it at last. What runs out
 * of memory is found once, at the end.
 */
#include "runtime/plan.h"

#include "runtime/shim/plan.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_ROWS 24
#define DEFAULT_COLS 80

static void align(struct strbuf *out)
{
	static const char zeros[8];
	strbuf_append(out, zeros, (8 - out->len % 8) % 8);
}

/* The place of a descriptor among those that go with the message. */
static int32_t put_fd(struct strbuf *fds, int fd)
{
	int32_t place = (int32_t)(fds->len / sizeof(fd));
	strbuf_append(fds, &fd, sizeof(fd));
	return place;
}

/* The offset of a copy of text; 0 for NULL. */
static uint32_t put_string(struct strbuf *out, const char *text)
{
	uint32_t offset = (uint32_t)out->len;
	if (!text)
		return 0;
	strbuf_append(out, text, strlen(text) + 1);
	return offset;
}

static struct plan_span put_array(struct strbuf *out, const void *items, size_t count, size_t size)
{
	align(out);
	struct plan_span span = { .offset = (uint32_t)out->len, .count = (uint32_t)count };
	if (count > 0)
		strbuf_append(out, items, count * size);
	return span;
}

/* An array of strings, as one of offsets. */
static struct plan_span put_strings(struct strbuf *out, const char *const *texts, size_t count)
{
	auto_free uint32_t *offsets = calloc(count + 1, sizeof(*offsets));
	if (!offsets) {
		out->oom = true;
		return (struct plan_span){ 0 };
	}
	for (size_t i = 0; i < count; i++)
		offsets[i] = put_string(out, texts[i]);
	return put_array(out, offsets, count, sizeof(*offsets));
}

static size_t count_words(const char *const *words)
{
	size_t count = 0;
	while (words && words[count])
		count++;
	return count;
}

static struct plan_span put_mounts(struct strbuf *out, struct strbuf *fds,
				   const struct launch_spec *spec)
{
	auto_free struct plan_mount *mounts = calloc(spec->mount_count + 1, sizeof(*mounts));
	if (!mounts) {
		out->oom = true;
		return (struct plan_span){ 0 };
	}
	for (size_t i = 0; i < spec->mount_count; i++) {
		const struct launch_mount *mount = &spec->mounts[i];
		mounts[i] = (struct plan_mount){
			.flags = mount->flags,
			.source = put_string(out, mount->source),
			.target = put_string(out, mount->target),
			.fstype = put_string(out, mount->fstype),
			.data = put_string(out, mount->data),
			.fd = mount->fstype ? -1 : put_fd(fds, mount->fd),
			.is_file = mount->is_file,
		};
	}
	return put_array(out, mounts, spec->mount_count, sizeof(*mounts));
}

static struct plan_span put_devices(struct strbuf *out, const struct launch_spec *spec)
{
	auto_free struct plan_device *devices = calloc(spec->device_count + 1, sizeof(*devices));
	if (!devices) {
		out->oom = true;
		return (struct plan_span){ 0 };
	}
	for (size_t i = 0; i < spec->device_count; i++) {
		const struct launch_device *device = &spec->devices[i];
		devices[i] = (struct plan_device){
			.path = put_string(out, device->path),
			.mode = device->mode,
			.major = device->major,
			.minor = device->minor,
			.uid = device->uid,
			.gid = device->gid,
		};
	}
	return put_array(out, devices, spec->device_count, sizeof(*devices));
}

static struct plan_span put_rlimits(struct strbuf *out, const struct launch_spec *spec)
{
	auto_free struct plan_rlimit *rlimits = calloc(spec->rlimit_count + 1, sizeof(*rlimits));
	if (!rlimits) {
		out->oom = true;
		return (struct plan_span){ 0 };
	}
	for (size_t i = 0; i < spec->rlimit_count; i++)
		rlimits[i] = (struct plan_rlimit){
			.soft = spec->rlimits[i].limit.rlim_cur,
			.hard = spec->rlimits[i].limit.rlim_max,
			.resource = (uint32_t)spec->rlimits[i].resource,
		};
	return put_array(out, rlimits, spec->rlimit_count, sizeof(*rlimits));
}

static struct plan_span put_cgroups(struct strbuf *out, struct strbuf *fds,
				    const struct launch_spec *spec)
{
	auto_free int32_t *places = calloc(spec->cgroup_procs_count + 1, sizeof(*places));
	if (!places) {
		out->oom = true;
		return (struct plan_span){ 0 };
	}
	for (size_t i = 0; i < spec->cgroup_procs_count; i++)
		places[i] = put_fd(fds, spec->cgroup_procs_fds[i]);
	return put_array(out, places, spec->cgroup_procs_count, sizeof(*places));
}

static uint32_t collect_flags(const struct launch_spec *spec)
{
	uint32_t flags = 0;
	flags |= spec->readonly_rootfs ? (uint32_t)PLAN_READONLY_ROOTFS : 0;
	flags |= spec->no_new_privs ? (uint32_t)PLAN_NO_NEW_PRIVS : 0;
	flags |= spec->new_netns ? (uint32_t)PLAN_NEW_NETNS : 0;
	flags |= spec->tty ? (uint32_t)PLAN_TTY : 0;
	flags |= spec->open_stdin ? (uint32_t)PLAN_OPEN_STDIN : 0;
	flags |= spec->join ? (uint32_t)PLAN_JOIN : 0;
	flags |= spec->init ? (uint32_t)PLAN_INIT : 0;
	flags |= spec->userns ? (uint32_t)PLAN_USERNS : 0;
	flags |= spec->discard_output ? (uint32_t)PLAN_DISCARD : 0;
	return flags;
}

static void fill_scalars(struct plan_header *header, const struct launch_spec *spec)
{
	header->magic = PLAN_MAGIC;
	header->version = PLAN_VERSION;
	header->run = spec->run;
	header->cap_bounding = spec->cap_bounding;
	header->cap_effective = spec->cap_effective;
	header->cap_permitted = spec->cap_permitted;
	header->cap_inheritable = spec->cap_inheritable;
	header->cap_ambient = spec->cap_ambient;
	header->uid = spec->uid;
	header->gid = spec->gid;
	header->oom_score_adj = spec->oom_score_adj;
	header->flags = collect_flags(spec);
	header->tty_rows = spec->tty_rows ? spec->tty_rows : DEFAULT_ROWS;
	header->tty_cols = spec->tty_cols ? spec->tty_cols : DEFAULT_COLS;
	header->uid_base = spec->userns ? spec->uid_base : 0;
	header->gid_base = spec->userns ? spec->gid_base : 0;
	header->log_max_size = spec->log_max_size;
	header->log_max_file = spec->log_max_file;
}

static void put_fds(struct plan_header *header, struct strbuf *fds, const struct launch_spec *spec)
{
	bool userns = spec->userns && !spec->join;
	header->rootfs_fd = spec->join ? -1 : put_fd(fds, spec->rootfs_fd);
	header->join_fd = spec->join ? put_fd(fds, spec->join_fd) : -1;
	header->userns_fd = userns ? put_fd(fds, spec->userns_fd) : -1;
	header->log_dir_fd = put_fd(fds, spec->log_dir_fd);
	header->run_dir_fd = put_fd(fds, spec->run_dir_fd);
	header->cgroup_fd = spec->cgroup_fd >= 0 ? put_fd(fds, spec->cgroup_fd) : -1;
	header->netns_fd = spec->join_netns ? put_fd(fds, spec->netns_fd) : -1;
	header->ipcns_fd = spec->join_ipcns ? put_fd(fds, spec->ipcns_fd) : -1;
	header->pidns_fd = spec->join_pidns ? put_fd(fds, spec->pidns_fd) : -1;
}

static void put_content(struct strbuf *out, struct strbuf *fds, struct plan_header *header,
			const struct launch_spec *spec)
{
	put_fds(header, fds, spec);
	header->id = put_string(out, spec->id);
	header->cwd = put_string(out, spec->cwd);
	header->hostname = put_string(out, spec->hostname);
	header->domainname = put_string(out, spec->domainname);
	header->mounts = put_mounts(out, fds, spec);
	header->devices = put_devices(out, spec);
	header->rlimits = put_rlimits(out, spec);
	header->seccomp =
		put_array(out, spec->seccomp, spec->seccomp_count, sizeof(struct sock_filter));
	header->groups = put_array(out, spec->groups, spec->group_count, sizeof(gid_t));
	header->cgroup_procs = put_cgroups(out, fds, spec);
	header->masked = put_strings(out, spec->masked_paths, spec->masked_count);
	header->readonly = put_strings(out, spec->readonly_paths, spec->readonly_count);
	header->argv = put_strings(out, spec->argv, count_words(spec->argv));
	header->env = put_strings(out, spec->envp, count_words(spec->envp));
	header->sysctls = put_strings(out, spec->sysctls, spec->sysctl_count);
}

static bool has_low_fd(const struct strbuf *fds)
{
	const int *list = (const void *)fds->data;
	for (size_t i = 0; i < fds->len / sizeof(*list); i++)
		if (list[i] < 3)
			return true;
	return false;
}

int plan_render(const struct launch_spec *spec, struct strbuf *out, struct strbuf *fds,
		struct error *err)
{
	struct plan_header header = { 0 };
	if (!spec->argv || !spec->argv[0])
		return error_set(err, EINVAL, "no command to run");
	if (!spec->cwd || spec->cwd[0] != '/')
		return error_set(err, EINVAL, "the working directory '%s' is not absolute",
				 spec->cwd ? spec->cwd : "");
	strbuf_append(out, &header, sizeof(header));
	fill_scalars(&header, spec);
	put_content(out, fds, &header, spec);
	align(out);
	strbuf_append(out, "\0\0\0\0\0\0\0", 8); /* every string ends before the message does */
	int r = strbuf_check(out, err);
	if (r == 0)
		r = strbuf_check(fds, err);
	if (r < 0)
		return r;
	if (has_low_fd(fds))
		return error_set(err, EINVAL, "a descriptor of the launch plan is missing");
	if (out->len > PLAN_SIZE_MAX)
		return error_set(err, E2BIG, "the command and its environment are too long");
	header.size = out->len;
	memcpy(out->data, &header, sizeof(header));
	return 0;
}
