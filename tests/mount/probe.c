/* What a process in a container may do, said as a word: "OK" or the errno's name of
 * one system call that busybox has no program for. Static, put into a container.
 *
 *	probe keyctl | userns | mountns | mount | bpf | reboot | settime | swapon | ptrace | raw
 *	probe mknod PATH MAJOR MINOR | open PATH | eat MIB | forks COUNT | fds | euid
 */
#define _GNU_SOURCE 1
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int say(long result)
{
	puts(result < 0 ? strerrorname_np(errno) : "OK");
	return 0;
}

/* Descriptors above the three, but the one that looks: their numbers. */
static int list_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	if (!dir)
		return say(-1);
	while ((entry = readdir(dir))) {
		long fd = strtol(entry->d_name, NULL, 10);

		if (fd > 2 && fd != dirfd(dir))
			printf("%ld\n", fd);
	}
	puts("end");
	return 0;
}

static int eat(long mib)
{
	for (long i = 0; i < mib; i++) {
		char *block = malloc(1 << 20);

		if (!block)
			return say(-1);
		memset(block, 1, 1 << 20);
	}
	return say(0);
}

/* How many children could be had at once, and what the next one met. */
static int count_forks(long most)
{
	long count = 0;

	while (count < most) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0) {
			pause();
			_exit(0);
		}
		count++;
	}
	printf("%ld ", count);
	say(count < most ? -1 : 0);
	return 0;
}

static long call(const char *what)
{
	struct timespec now = { .tv_sec = 1000000000 };

	if (strcmp(what, "keyctl") == 0)
		return syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
	if (strcmp(what, "userns") == 0)
		return unshare(CLONE_NEWUSER);
	if (strcmp(what, "mountns") == 0)
		return unshare(CLONE_NEWNS);
	if (strcmp(what, "mount") == 0)
		return mount("none", "/tmp", "tmpfs", 0, NULL);
	if (strcmp(what, "bpf") == 0)
		return syscall(SYS_bpf, 0, NULL, 0);
	if (strcmp(what, "reboot") == 0)
		return reboot(RB_DISABLE_CAD);
	if (strcmp(what, "settime") == 0)
		return clock_settime(CLOCK_REALTIME, &now);
	if (strcmp(what, "swapon") == 0)
		return swapon("/etc/passwd", 0);
	if (strcmp(what, "ptrace") == 0)
		return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	if (strcmp(what, "raw") == 0)
		return socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	errno = ENOSYS;
	return -1;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "fds") == 0)
		return list_fds();
	if (strcmp(what, "euid") == 0)
		return printf("%u\n", geteuid()) < 0;
	if (argc == 3 && strcmp(what, "eat") == 0)
		return eat(strtol(argv[2], NULL, 10));
	if (argc == 3 && strcmp(what, "forks") == 0)
		return count_forks(strtol(argv[2], NULL, 10));
	if (argc == 3 && strcmp(what, "open") == 0)
		return say(open(argv[2], O_RDWR));
	if (argc == 5 && strcmp(what, "mknod") == 0)
		return say(mknod(argv[2], S_IFCHR | 0666,
				 makedev((unsigned)strtol(argv[3], NULL, 10),
					 (unsigned)strtol(argv[4], NULL, 10))));
	return say(call(what));
}
