/* clone3 for the container's first process.
 *
 * Like vfork (CLONE_VM | CLONE_VFORK) where possible: no page table is copied
 * and neither side takes a page fault for each page it touches, which is most
 * of what a fork costs. The child runs on a stack of its own, since the caller
 * returns over the one they would share; that takes a few instructions of each
 * architecture. Elsewhere a plain copy does the same, slower.
 */
#include "runtime/shim/spawn.h"

#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_SIZE (256UL << 10)

static long clone_copy(struct clone_args *args, int (*func)(void *), void *arg)
{
	long ret = syscall(SYS_clone3, args, sizeof(*args));
	if (ret == 0)
		_exit(func(arg));
	return ret < 0 ? -errno : ret;
}

#if defined(__x86_64__) && !defined(SPAWN_COPY)
/* In the child: call func(arg) on the new stack, then exit. */
static long clone_on_stack(struct clone_args *args, int (*func)(void *), void *arg)
{
	long ret;
	__asm__ volatile(
		"syscall\n\t"
		"test %%rax, %%rax\n\t"
		"jnz 1f\n\t"
		"xor %%ebp, %%ebp\n\t"
		"mov %[arg], %%rdi\n\t"
		"call *%[func]\n\t"
		"mov %%eax, %%edi\n\t"
		"mov %[exit], %%eax\n\t"
		"syscall\n\t"
		"hlt\n"
		"1:"
		: "=a"(ret)
		: "a"(SYS_clone3), "D"(args),
		  "S"(sizeof(*args)), [func] "r"(func), [arg] "r"(arg), [exit] "i"(SYS_exit_group)
		: "rcx", "r11", "memory");
	return ret;
}

static long clone_shared(struct clone_args *args, int (*func)(void *), void *arg)
{
	void *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (stack == MAP_FAILED)
		return -errno;
	args->flags |= CLONE_VM | CLONE_VFORK;
	args->stack = (uint64_t)(uintptr_t)stack;
	args->stack_size = STACK_SIZE;
	long ret = clone_on_stack(args, func, arg);
	munmap(stack, STACK_SIZE);
	return ret;
}
#else
#define clone_shared clone_copy
#endif

pid_t spawn_child(int cgroup_fd, bool copy, int (*func)(void *arg), void *arg, struct error *err)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	if (cgroup_fd >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (unsigned)cgroup_fd;
	}
	long pid = copy ? clone_copy(&args, func, arg) : clone_shared(&args, func, arg);
	if (pid == -EAGAIN && cgroup_fd >= 0)
		return error_set(err, EAGAIN,
				 "the limit of processes of the container or of this machine is "
				 "reached");
	if (pid < 0)
		return error_set_sys(err, (int)-pid, "cannot make a process of the container");
	return (pid_t)pid;
}
