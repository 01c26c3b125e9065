/* The order in which a container comes to be; sandbox.h says under which rules.
 *
 * What matters in it: descriptors of the host are used first and closed early;
 * cgroups are joined before their namespace is made, since its root is where
 * the caller is; the pivot comes before the first mount, so that nothing
 * outside can be reached by a later step; the user and the capabilities are
 * given up after all that needs root; the seccomp filter, which may forbid
 * anything, comes last.
 */
#include "runtime/shim/sandbox.h"

#include "runtime/shim/kernel.h"
#include "runtime/shim/protocol.h"

#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define KERNEL_SIGNALS 64
#define KERNEL_SIGSET_SIZE 8

/* Before exec, and as the first thing: the file is the host's. The kernel lets
 * a vfork child have a value of its own. */
int sandbox_set_oom_score(const struct sandbox *box, struct error *err)
{
	char text[16];
	int adj = box->plan->header->oom_score_adj;
	if (adj == 0)
		return 0;
	int len = snprintf(text, sizeof(text), "%d", adj);
	int fd = openat(box->proc_fd, "self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, (size_t)len) != len)
		return error_set_sys(err, errno, "cannot set the OOM score to %d", adj);
	close(fd);
	return 0;
}

int sandbox_join_cgroups(const struct plan *plan, struct error *err)
{
	for (uint32_t i = 0; i < plan->header->cgroup_procs.count; i++)
		if (write(plan->cgroup_procs[i], "0", 1) != 1)
			return error_set_sys(err, errno, "cannot join cgroup %u of the plan", i);
	return 0;
}

static int enter_cgroups(const struct sandbox *box, struct error *err)
{
	int r = sandbox_join_cgroups(box->plan, err);
	if (r < 0)
		return r;
	/* Not by clone3: there it would take the shim's cgroups for its root. */
	if (syscall(SYS_unshare, CLONE_NEWCGROUP) < 0)
		return error_set_sys(err, errno, "cannot make a cgroup namespace");
	return 0;
}

/* Its own it is in already; the shim has raised the loopback of what the shim made. */
static int enter_network(const struct plan *plan, struct error *err)
{
	if (plan_has(plan, PLAN_NEW_NETNS))
		return plan_has(plan, PLAN_USERNS) ? home_raise_loopback(err) : 0;
	if (plan->header->netns_fd >= 0 && setns(plan->header->netns_fd, CLONE_NEWNET) < 0)
		return error_set_sys(err, errno, "cannot enter the network of the container");
	return 0;
}

static int set_names(const struct plan *plan, struct error *err)
{
	const char *host = plan_get_str(plan, plan->header->hostname);
	const char *domain = plan_get_str(plan, plan->header->domainname);
	if (host && sethostname(host, strlen(host)) < 0)
		return error_set_sys(err, errno, "cannot set the host name '%s'", host);
	if (domain && setdomainname(domain, strlen(domain)) < 0)
		return error_set_sys(err, errno, "cannot set the domain name '%s'", domain);
	return 0;
}

/* Else the program would have the session keyring of whoever started the
 * engine. */
int sandbox_leave_keyring(struct error *err)
{
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
		return error_set_sys(err, errno, "cannot make a session keyring");
	return 0;
}

/* As root, before the user changes. */
static int enter_directory(const struct sandbox *box, struct error *err)
{
	const char *cwd = plan_get_str(box->plan, box->plan->header->cwd);
	int fd = root_open_made(box->root_fd, cwd, false);
	if (fd < 0)
		return error_set_sys(err, -fd, "cannot make the working directory '%s'", cwd);
	if (fchdir(fd) < 0)
		return error_set_sys(err, errno, "cannot enter the working directory '%s'", cwd);
	close(fd);
	return 0;
}

/* Whatever the engine ignores or the shim blocks, a program expects neither. */
void sandbox_reset_signals(void)
{
	const char fresh[32] = { 0 }; /* the kernel's struct sigaction: SIG_DFL, no flags */
	const char empty[KERNEL_SIGSET_SIZE] = { 0 };
	for (int signo = 1; signo <= KERNEL_SIGNALS; signo++)
		if (signo != SIGKILL && signo != SIGSTOP)
			syscall(SYS_rt_sigaction, signo, fresh, NULL, KERNEL_SIGSET_SIZE);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, empty, NULL, KERNEL_SIGSET_SIZE);
}

static int enter_ipc(const struct plan *plan, struct error *err)
{
	int fd = plan->header->ipcns_fd;

	if (fd >= 0 && setns(fd, CLONE_NEWIPC) < 0)
		return error_set_sys(err, errno, "cannot enter the other container's IPC");
	return 0;
}

/* Everything that is a matter of files. */
static int prepare_files(struct sandbox *box, struct error *err)
{
	int r = root_take(box, err);
	if (r < 0)
		return r;
	r = root_mount_all(box, err);
	if (r < 0)
		return r;
	r = dev_fill(box, err);
	if (r < 0)
		return r;
	if (setsid() < 0)
		return error_set_sys(err, errno, "cannot make a session");
	r = plan_has(box->plan, PLAN_TTY) ? dev_open_terminal(box, err) : dev_set_stdio(box, err);
	if (r < 0)
		return r;
	r = root_mask_paths(box, err);
	if (r < 0)
		return r;
	r = root_protect_paths(box, err);
	if (r < 0)
		return r;
	r = enter_directory(box, err);
	if (r < 0)
		return r;
	return plan_has(box->plan, PLAN_READONLY_ROOTFS) ? root_seal(err) : 0;
}

static int prepare(struct sandbox *box, struct error *err)
{
	close(box->shim_channel);
	umask(0); /* the modes of the plan are meant */
	int r = sandbox_set_oom_score(box, err);
	if (r < 0)
		return r;
	if (plan_has(box->plan, PLAN_INIT))
		init_set_name(box);
	r = enter_cgroups(box, err);
	if (r < 0)
		return r;
	r = userns_prepare(box, err);
	if (r < 0)
		return r;
	r = enter_network(box->plan, err);
	if (r < 0)
		return r;
	r = enter_ipc(box->plan, err);
	if (r < 0)
		return r;
	r = sysctl_set_all(box, err);
	if (r < 0)
		return r;
	close(box->proc_fd);
	r = set_names(box->plan, err);
	if (r < 0)
		return r;
	r = prepare_files(box, err);
	if (r < 0)
		return r;
	r = sandbox_leave_keyring(err);
	if (r < 0)
		return r;
	/* Before the program can put something else there, and before a limit of descriptors. */
	if (plan_has(box->plan, PLAN_INIT) && (box->null_fd = dev_open_null(box->root_fd)) < 0)
		return error_set_sys(err, errno, "cannot open /dev/null for the init");
	r = identity_set_limits(box->plan, err);
	if (r < 0)
		return r;
	umask(022);
	sandbox_reset_signals();
	r = userns_enter(box, err);
	if (r < 0)
		return r;
	/* Ours are all close-on-exec: this is for what we might have forgotten. */
	if (kernel_close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return error_set_sys(err, errno, "cannot close the descriptors");
	r = join_enter_pid(box, err);
	if (r < 0)
		return r;
	return identity_drop(box, err);
}

int sandbox_run(void *arg)
{
	struct sandbox *box = arg;
	struct shim_failed failed = { .type = SHIM_MESSAGE_FAILED, .error = ERROR_INIT };
	int r = prepare(box, &failed.error);
	if (r == 0 && plan_forks(box->plan)) {
		if (join_make_inner(box, &failed) == 0)
			return 0;
	} else if (r == 0 && plan_has(box->plan, PLAN_INIT)) {
		init_run(box, &failed);
	} else if (r == 0) {
		failed.program = 1;
		program_execute(box->argv, box->env, &failed.error);
	}
	send(box->channel, &failed, sizeof(failed), MSG_NOSIGNAL);
	return 1;
}
