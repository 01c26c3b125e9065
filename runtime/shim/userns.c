/* A container with a user namespace of its own.
 *
 * Everything is set up by the host's root, as without one, so that devices can be made, file
 * systems mounted and limits raised; the container's ids are entered just before its
 * privileges are given up. In between the ids of the container's root on the host are the
 * effective ones: they alone exist in its (idmapped) file system, and the sysctls of its IPC
 * namespace go by them. The kernel takes capabilities away with that, and they are taken back.
 *
 * The mount and pid namespaces are the host's root's: the container cannot change its mounts,
 * whatever its capabilities. The others belong to the user namespace and came with it, held
 * by a process of the engine's.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"

#include <linux/capability.h>
#include <linux/sched.h>

static int take_capabilities_back(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0)
		return -1;
	for (unsigned i = 0; i < 2; i++)
		data[i].effective = data[i].permitted;
	return (int)syscall(SYS_capset, &header, data);
}

int userns_prepare(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	int owned = CLONE_NEWIPC | CLONE_NEWUTS;
	if (!plan_has(plan, PLAN_USERNS))
		return 0;
	if (plan_has(plan, PLAN_NEW_NETNS))
		owned |= CLONE_NEWNET;
	if (!plan_has(plan, PLAN_JOIN) && syscall(SYS_setns, plan->header->userns_fd, owned) < 0)
		return error_set_sys(err, errno, "cannot enter the container's namespaces");
	/* The effective ones, which are also those of files; root's are kept beside them. */
	if (syscall(SYS_setresgid, -1, plan->header->gid_base, -1) < 0 ||
	    syscall(SYS_setresuid, -1, plan->header->uid_base, -1) < 0 ||
	    take_capabilities_back() < 0)
		return error_set_sys(err, errno, "cannot make files for user %u",
				     plan->header->uid_base);
	return 0;
}

int userns_enter(const struct sandbox *box, struct error *err)
{
	const struct plan *plan = box->plan;
	const struct plan_header *header = plan->header;
	if (!plan_has(plan, PLAN_USERNS))
		return 0;
	int fd = plan_has(plan, PLAN_JOIN) ? header->join_fd : header->userns_fd;
	if (syscall(SYS_setns, fd, CLONE_NEWUSER) < 0)
		return error_set_sys(err, errno, "cannot enter the container's user namespace");
	return 0;
}
