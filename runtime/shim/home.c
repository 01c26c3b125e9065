/* The namespaces in which a container is prepared, and the way back.
 *
 * The shim makes them for itself, which takes longer than all else that a start needs of the
 * kernel and can be done before anybody asks for one. Process 1 is born into them: a plain
 * clone is left for the start. When the program runs the shim goes back to where it came
 * from, and the container's processes have their namespaces to themselves. Those of pids and
 * control groups are not entered by making them: process 1 alone is in them.
 */
#include "runtime/shim/kernel.h"
#include "runtime/shim/sandbox.h"
#include "runtime/shim/shim.h"

#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static const struct {
	uint64_t flag;
	const char *file;
} kinds[HOME_COUNT] = {
	{ CLONE_NEWUTS, "self/ns/uts" },
	{ CLONE_NEWIPC, "self/ns/ipc" },
	{ CLONE_NEWNET, "self/ns/net" },
};

int home_raise_loopback(struct error *err)
{
	struct ifreq request = { .ifr_name = "lo" };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open a socket for the loopback");
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	int r = ioctl(fd, SIOCSIFFLAGS, &request) < 0
			? error_set_sys(err, errno, "cannot raise the loopback interface")
			: 0;
	close(fd);
	return r;
}

int home_leave(struct home *home, struct error *err)
{
	home->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (home->proc_fd < 0)
		return error_set_sys(err, errno, "cannot open '/proc'");
	for (int i = 0; i < HOME_COUNT; i++) {
		home->fds[i] = -1;
		if (!(home->made & kinds[i].flag))
			continue;
		home->fds[i] = openat(home->proc_fd, kinds[i].file, O_RDONLY | O_CLOEXEC);
		if (home->fds[i] < 0)
			return error_set_sys(err, errno, "cannot open '/proc/%s'", kinds[i].file);
	}
	if (setns(home->slim_fd, CLONE_NEWNS) < 0)
		return error_set_sys(err, errno, "cannot enter the shims' mount namespace");
	if (home->made && unshare((int)home->made) < 0)
		return error_set_sys(err, errno, "cannot make the namespaces of a container");
	return home->made & CLONE_NEWNET ? home_raise_loopback(err) : 0;
}

int home_return(struct home *home, struct error *err)
{
	for (int i = 0; i < HOME_COUNT; i++) {
		if (home->fds[i] < 0)
			continue;
		if (setns(home->fds[i], (int)kinds[i].flag) < 0)
			return error_set_sys(err, errno, "cannot leave the container's namespaces");
		close(home->fds[i]);
	}
	if (home->made && setns(home->slim_fd, CLONE_NEWNS) < 0)
		return error_set_sys(err, errno, "cannot leave the container's mounts");
	close(home->slim_fd);
	close(home->proc_fd);
	return 0;
}
