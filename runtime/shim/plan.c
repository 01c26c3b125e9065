/* Reading the launch plan: see plan.h for its shape.
 *
 * The engine is trusted, so this guards against a mistake of ours and not
 * against an attack; all the same nothing behind it has to check an offset
 * again. A pure function, so that a fuzzer can have it.
 */
#include "runtime/shim/plan.h"

#include <string.h>

#define MOUNTS_MAX 4096U
#define DEVICES_MAX 4096U
#define RLIMITS_MAX 64U
#define GROUPS_MAX 65536U /* NGROUPS_MAX of the kernel */
#define CGROUPS_MAX 64U
#define PATHS_MAX 4096U
#define WORDS_MAX 1048576U

static bool is_string(const struct plan *plan, uint32_t offset)
{
	return offset >= sizeof(struct plan_header) && offset < plan->header->size;
}

static bool is_optional_string(const struct plan *plan, uint32_t offset)
{
	return offset == 0 || is_string(plan, offset);
}

static bool is_path(const struct plan *plan, uint32_t offset)
{
	return is_string(plan, offset) && plan->base[offset] == '/';
}

/* Set *ret_items to the array of a span, or fail. An empty one gives a pointer
 * that nobody follows. */
static int get_array(const struct plan *plan, struct plan_span span, size_t item_size,
		     uint32_t most, const char *what, const void **ret_items, struct error *err)
{
	uint64_t end = span.offset + (uint64_t)span.count * item_size;
	if (span.count > most)
		return error_set(err, EINVAL, "launch plan: too many %s", what);
	if (span.count > 0 && (span.offset < sizeof(struct plan_header) || span.offset % 8 != 0 ||
			       end > plan->header->size))
		return error_set(err, EINVAL, "launch plan: %s lie outside the message", what);
	*ret_items = plan->base + (span.count > 0 ? span.offset : 0);
	return 0;
}

static int get_strings(const struct plan *plan, struct plan_span span, uint32_t most,
		       const char *what, const uint32_t **ret_items, struct error *err)
{
	const void *items = NULL;
	int r = get_array(plan, span, sizeof(uint32_t), most, what, &items, err);
	if (r < 0)
		return r;
	*ret_items = items;
	for (uint32_t i = 0; i < span.count; i++)
		if (!is_string(plan, (*ret_items)[i]))
			return error_set(err, EINVAL, "launch plan: bad string among %s", what);
	return 0;
}

static int check_header(const void *bytes, size_t size, struct error *err)
{
	const struct plan_header *header = bytes;
	if ((uintptr_t)bytes % 8 != 0 || size <= sizeof(*header) || size > PLAN_SIZE_MAX)
		return error_set(err, EINVAL, "launch plan: impossible size of %zu bytes", size);
	if (header->magic != PLAN_MAGIC || header->version != PLAN_VERSION)
		return error_set(err, EPROTO, "launch plan: not of version %u", PLAN_VERSION);
	if (header->size != size || ((const char *)bytes)[size - 1] != '\0')
		return error_set(err, EINVAL, "launch plan: cut off");
	return 0;
}

static int get_mounts(struct plan *plan, struct error *err)
{
	const void *items = NULL;
	int r = get_array(plan, plan->header->mounts, sizeof(*plan->mounts), MOUNTS_MAX, "mounts",
			  &items, err);
	if (r < 0)
		return r;
	plan->mounts = items;
	for (uint32_t i = 0; i < plan->header->mounts.count; i++) {
		const struct plan_mount *mount = &plan->mounts[i];
		if (!is_path(plan, mount->target) || !is_optional_string(plan, mount->source) ||
		    !is_optional_string(plan, mount->fstype) ||
		    !is_optional_string(plan, mount->data))
			return error_set(err, EINVAL, "launch plan: bad string of mount %u", i);
		if (!mount->fstype && mount->fd < 0)
			return error_set(err, EINVAL, "launch plan: mount %u has no source", i);
	}
	return 0;
}

static int get_devices(struct plan *plan, struct error *err)
{
	const void *items = NULL;
	int r = get_array(plan, plan->header->devices, sizeof(*plan->devices), DEVICES_MAX,
			  "devices", &items, err);
	if (r < 0)
		return r;
	plan->devices = items;
	for (uint32_t i = 0; i < plan->header->devices.count; i++)
		if (!is_string(plan, plan->devices[i].path) ||
		    plan->base[plan->devices[i].path] == '\0')
			return error_set(err, EINVAL, "launch plan: bad path of device %u", i);
	return 0;
}

/* The arrays that hold plain numbers. */
static int get_numbers(struct plan *plan, struct error *err)
{
	const struct plan_header *header = plan->header;
	const void *items = NULL;
	int r = get_array(plan, header->rlimits, sizeof(*plan->rlimits), RLIMITS_MAX, "limits",
			  &items, err);
	if (r < 0)
		return r;
	plan->rlimits = items;
	r = get_array(plan, header->seccomp, sizeof(*plan->seccomp), BPF_MAXINSNS, "filters",
		      &items, err);
	if (r < 0)
		return r;
	plan->seccomp = items;
	r = get_array(plan, header->groups, sizeof(*plan->groups), GROUPS_MAX, "groups", &items,
		      err);
	if (r < 0)
		return r;
	plan->groups = items;
	r = get_array(plan, header->cgroup_procs, sizeof(*plan->cgroup_procs), CGROUPS_MAX,
		      "cgroups", &items, err);
	if (r < 0)
		return r;
	plan->cgroup_procs = items;
	return 0;
}

static int get_words(struct plan *plan, struct error *err)
{
	const struct plan_header *header = plan->header;
	int r = get_strings(plan, header->masked, PATHS_MAX, "masked paths", &plan->masked, err);
	if (r < 0)
		return r;
	r = get_strings(plan, header->readonly, PATHS_MAX, "read-only paths", &plan->readonly, err);
	if (r < 0)
		return r;
	r = get_strings(plan, header->argv, WORDS_MAX, "arguments", &plan->argv, err);
	if (r < 0)
		return r;
	r = get_strings(plan, header->env, WORDS_MAX, "environment", &plan->env, err);
	if (r < 0)
		return r;
	return get_strings(plan, header->sysctls, PATHS_MAX, "sysctls", &plan->sysctls, err);
}

static int check_scalars(const struct plan *plan, struct error *err)
{
	const struct plan_header *header = plan->header;
	if (!is_string(plan, header->id) || !is_path(plan, header->cwd) ||
	    !is_optional_string(plan, header->hostname) ||
	    !is_optional_string(plan, header->domainname))
		return error_set(err, EINVAL, "launch plan: bad id, directory or host name");
	if (header->argv.count == 0)
		return error_set(err, EINVAL, "launch plan: no program");
	if (header->log_dir_fd < 0 || header->run_dir_fd < 0 || header->cgroup_fd < -1 ||
	    header->netns_fd < -1 || header->ipcns_fd < -1 || header->pidns_fd < -1 ||
	    (plan_has(plan, PLAN_JOIN) ? header->join_fd : header->rootfs_fd) < 0)
		return error_set(err, EINVAL, "launch plan: a descriptor is missing");
	if (plan_has(plan, PLAN_USERNS) && !plan_has(plan, PLAN_JOIN) && header->userns_fd < 0)
		return error_set(err, EINVAL, "launch plan: no user namespace");
	if (header->tty_rows > UINT16_MAX || header->tty_cols > UINT16_MAX)
		return error_set(err, EINVAL, "launch plan: impossible terminal size");
	return 0;
}

int plan_parse(const void *bytes, size_t size, struct plan *ret, struct error *err)
{
	struct plan plan = { .base = bytes, .header = bytes };
	int r = check_header(bytes, size, err);
	if (r < 0)
		return r;
	r = check_scalars(&plan, err);
	if (r < 0)
		return r;
	r = get_mounts(&plan, err);
	if (r < 0)
		return r;
	r = get_devices(&plan, err);
	if (r < 0)
		return r;
	r = get_numbers(&plan, err);
	if (r < 0)
		return r;
	r = get_words(&plan, err);
	if (r < 0)
		return r;
	*ret = plan;
	return 0;
}

static bool place(int32_t *fd, const int *fds, size_t count)
{
	if (*fd >= 0 && (size_t)*fd >= count)
		return false;
	*fd = *fd < 0 ? -1 : fds[*fd];
	return true;
}

int plan_place_fds(void *bytes, const int *fds, size_t count, struct error *err)
{
	struct plan_header *header = bytes;
	struct plan_mount *mounts = (void *)((char *)bytes + header->mounts.offset);
	int32_t *procs = (void *)((char *)bytes + header->cgroup_procs.offset);
	int32_t *const single[] = { &header->rootfs_fd, &header->log_dir_fd, &header->run_dir_fd,
				    &header->cgroup_fd, &header->join_fd,    &header->netns_fd,
				    &header->userns_fd, &header->ipcns_fd,   &header->pidns_fd };
	bool good = true;
	for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++)
		good = place(single[i], fds, count) && good;
	for (uint32_t i = 0; i < header->mounts.count; i++)
		good = place(&mounts[i].fd, fds, count) && good;
	for (uint32_t i = 0; i < header->cgroup_procs.count; i++)
		good = place(&procs[i], fds, count) && good;
	return good ? 0 : error_set(err, EINVAL, "launch plan: a descriptor did not come with it");
}
