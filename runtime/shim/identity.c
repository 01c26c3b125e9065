/* What the program may do: limits, user, capabilities, no_new_privs, seccomp.
 *
 * Loading a filter needs no_new_privs or CAP_SYS_ADMIN. So without the former
 * that capability is kept until the filter is in, and given up by a capset(2)
 * under the filter, which must allow it, as it must allow the execve(2).
 * Raw calls for the ids: musl's wrappers speak to threads that are not there.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define BIT(capability) (UINT64_C(1) << (capability))

/* For sentences: Docker's names, by the kernel's numbers. */
static const char *get_limit_name(uint32_t resource)
{
	static const char *const names[] = {
		[RLIMIT_CPU] = "cpu",           [RLIMIT_FSIZE] = "fsize",
		[RLIMIT_DATA] = "data",         [RLIMIT_STACK] = "stack",
		[RLIMIT_CORE] = "core",         [RLIMIT_RSS] = "rss",
		[RLIMIT_NPROC] = "nproc",       [RLIMIT_NOFILE] = "nofile",
		[RLIMIT_MEMLOCK] = "memlock",   [RLIMIT_AS] = "as",
		[RLIMIT_LOCKS] = "locks",       [RLIMIT_SIGPENDING] = "sigpending",
		[RLIMIT_MSGQUEUE] = "msgqueue", [RLIMIT_NICE] = "nice",
		[RLIMIT_RTPRIO] = "rtprio",     [RLIMIT_RTTIME] = "rttime",
	};
	return resource < sizeof(names) / sizeof(names[0]) && names[resource] ? names[resource]
									      : "?";
}

int identity_set_limits(const struct plan *plan, struct error *err)
{
	for (uint32_t i = 0; i < plan->header->rlimits.count; i++) {
		const struct plan_rlimit *item = &plan->rlimits[i];
		uint64_t limit[2] = { item->soft, item->hard }; /* the kernel's rlimit64 */
		if (syscall(SYS_prlimit64, 0, item->resource, limit, NULL) < 0)
			return error_set_sys(err, errno, "cannot set the limit '%s' (ulimit)",
					     get_limit_name(item->resource));
	}
	return 0;
}

static int drop_bounding(uint64_t keep, struct error *err)
{
	for (unsigned capability = 0; capability < 64; capability++) {
		if (keep & BIT(capability))
			continue;
		if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
			continue;
		if (errno == EINVAL)
			break; /* beyond the kernel's last one */
		return error_set_sys(err, errno, "cannot drop capability %u", capability);
	}
	return 0;
}

static int set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable,
			    struct error *err)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	if (syscall(SYS_capset, &header, data) < 0)
		return error_set_sys(err, errno, "cannot set the capabilities");
	return 0;
}

static int raise_ambient(uint64_t ambient, struct error *err)
{
	for (unsigned capability = 0; ambient >> capability; capability++) {
		if ((ambient & BIT(capability)) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
			return error_set_sys(err, errno, "cannot make capability %u ambient",
					     capability);
		if (capability == 63)
			break;
	}
	return 0;
}

static int change_user(const struct plan *plan, struct error *err)
{
	const struct plan_header *header = plan->header;
	if (header->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return error_set_sys(err, errno, "cannot keep the capabilities");
	if (syscall(SYS_setgroups, header->groups.count,
		    header->groups.count ? plan->groups : NULL) < 0)
		return error_set_sys(err, errno, "cannot set the supplementary groups");
	if (syscall(SYS_setresgid, header->gid, header->gid, header->gid) < 0)
		return error_set_sys(err, errno, "cannot become group %u", header->gid);
	if (syscall(SYS_setresuid, header->uid, header->uid, header->uid) < 0)
		return error_set_sys(err, errno, "cannot become user %u", header->uid);
	return 0;
}

/* After the last change of ids, which would clear it. A shim that died just
 * before is seen by its end of the channel being closed. */
int identity_die_with_shim(int channel, struct error *err)
{
	struct pollfd fd = { .fd = channel, .events = 0 };
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return error_set_sys(err, errno, "cannot tie the container to its shim");
	if (poll(&fd, 1, 0) > 0 && (fd.revents & POLLHUP))
		return error_set(err, ESRCH, "the shim has gone");
	return 0;
}

static int load_filter(const struct plan *plan, struct error *err)
{
	struct {
		unsigned short len;
		const struct sock_filter *filter;
	} program = {
		.len = (unsigned short)plan->header->seccomp.count,
		.filter = plan->seccomp,
	};
	if (program.len == 0)
		return 0;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
		return error_set_sys(err, errno, "cannot load the seccomp filter");
	return 0;
}

int identity_drop(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	const struct plan_header *header = plan->header;
	bool no_new_privs = plan_has(plan, PLAN_NO_NEW_PRIVS);
	uint64_t extra = no_new_privs || header->seccomp.count == 0 ? 0 : BIT(CAP_SYS_ADMIN);
	int r = drop_bounding(header->cap_bounding, err);
	if (r < 0)
		return r;
	r = change_user(plan, err);
	if (r < 0)
		return r;
	r = set_capabilities(header->cap_effective | extra, header->cap_permitted | extra,
			     header->cap_inheritable, err);
	if (r < 0)
		return r;
	r = raise_ambient(header->cap_ambient, err);
	if (r < 0)
		return r;
	if (no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return error_set_sys(err, errno, "cannot set no_new_privs");
	r = identity_die_with_shim(box->channel, err);
	if (r < 0)
		return r;
	r = load_filter(plan, err);
	if (r < 0 || !extra)
		return r;
	return set_capabilities(header->cap_effective, header->cap_permitted,
				header->cap_inheritable, err);
}
