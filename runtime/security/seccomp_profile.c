/* The default policy, Docker's: which system calls a container may make.
 *
 * What is not listed fails with EPERM, what is newer than this table with ENOSYS
 * (a library then falls back as on an older kernel). Names that an architecture
 * does not have are skipped by seccomp.c, so one list serves all of them.
 *
 * Source: moby/profiles, seccomp/default_linux.go, as of Linux 6.13; system call
 * numbers from the kernel's syscall tables.
 */
#include "runtime/security/seccomp_profile.h"

#include <linux/capability.h>
#include <sys/socket.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(cap) (UINT64_C(1) << (cap))

const char seccomp_allowed[] =
	"_llseek _newselect accept accept4 access adjtimex alarm bind brk cachestat capget "
	"capset chdir chmod chown chown32 clock_adjtime clock_adjtime64 clock_getres "
	"clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep "
	"clock_nanosleep_time64 close close_range connect copy_file_range creat dup dup2 "
	"dup3 epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 "
	"epoll_wait epoll_wait_old eventfd eventfd2 execve execveat exit exit_group "
	"faccessat faccessat2 fadvise64 fadvise64_64 fallocate fanotify_mark fchdir fchmod "
	"fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr "
	"flistxattr flock fork fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs "
	"fstatfs64 fsync ftruncate ftruncate64 futex futex_requeue futex_time64 futex_wait "
	"futex_waitv futex_wake futimesat get_robust_list get_thread_area getcpu getcwd "
	"getdents getdents64 getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups "
	"getgroups32 getitimer getpeername getpgid getpgrp getpid getppid getpriority "
	"getrandom getresgid getresgid32 getresuid getresuid32 getrlimit getrusage getsid "
	"getsockname getsockopt gettid gettimeofday getuid getuid32 getxattr "
	"inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel "
	"io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit "
	"ioctl ioprio_get ioprio_set ipc kill landlock_add_rule landlock_create_ruleset "
	"landlock_restrict_self lchown lchown32 lgetxattr link linkat listen listxattr "
	"llistxattr lremovexattr lseek lsetxattr lstat lstat64 madvise map_shadow_stack "
	"membarrier memfd_create memfd_secret mincore mkdir mkdirat mknod mknodat mlock "
	"mlock2 mlockall mmap mmap2 mprotect mq_getsetattr mq_notify mq_open "
	"mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink "
	"mremap msgctl msgget msgrcv msgsnd msync munlock munlockall munmap "
	"name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_open "
	"pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll "
	"ppoll_time64 prctl pread64 preadv preadv2 prlimit64 process_mrelease "
	"process_vm_readv process_vm_writev pselect6 pselect6_time64 ptrace pwrite64 "
	"pwritev pwritev2 read readahead readlink readlinkat readv recv recvfrom recvmmsg "
	"recvmmsg_time64 recvmsg remap_file_pages removexattr rename renameat renameat2 "
	"restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask "
	"rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
	"rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity "
	"sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
	"sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam "
	"sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop "
	"semtimedop_time64 send sendfile sendfile64 sendmmsg sendmsg sendto "
	"set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid "
	"setfsuid32 setgid setgid32 setgroups setgroups32 setitimer setpgid setpriority "
	"setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid "
	"setreuid32 setrlimit setsid setsockopt setuid setuid32 setxattr shmat shmctl "
	"shmdt shmget shutdown sigaltstack signalfd signalfd4 sigprocmask sigreturn "
	"socketcall socketpair splice stat stat64 statfs statfs64 statx symlink symlinkat "
	"sync sync_file_range syncfs sysinfo tee tgkill time timer_create timer_delete "
	"timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 "
	"timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime "
	"timerfd_settime64 times tkill truncate truncate64 ugetrlimit umask uname unlink "
	"unlinkat utime utimensat utimensat_time64 utimes vfork vmsplice wait4 waitid "
	"waitpid write writev "
#if defined(__x86_64__)
	"arch_prctl modify_ldt "
#elif defined(__aarch64__)
	"arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls "
#elif defined(__powerpc64__)
	"sync_file_range2 swapcontext "
#elif defined(__s390x__)
	"s390_pci_mmio_read s390_pci_mmio_write s390_runtime_instr "
#elif defined(__riscv)
	"riscv_flush_icache riscv_hwprobe "
#endif
	;

const struct seccomp_cap_rule seccomp_cap_rules[] = {
	{ BIT(CAP_DAC_READ_SEARCH), "open_by_handle_at" },
	{ BIT(CAP_SYS_ADMIN),
	  "clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount "
	  "mount_setattr move_mount open_tree quotactl quotactl_fd setdomainname sethostname "
	  "setns umount umount2 unshare" },
	{ BIT(CAP_SYS_ADMIN) | BIT(CAP_BPF), "bpf" },
	{ BIT(CAP_SYS_ADMIN) | BIT(CAP_PERFMON), "perf_event_open" },
	{ BIT(CAP_SYS_ADMIN) | BIT(CAP_SYSLOG), "syslog" },
	{ BIT(CAP_SYS_BOOT), "reboot" },
	{ BIT(CAP_SYS_CHROOT), "chroot" },
	{ BIT(CAP_SYS_MODULE), "delete_module finit_module init_module" },
	{ BIT(CAP_SYS_PACCT), "acct" },
	{ BIT(CAP_SYS_PTRACE), "kcmp pidfd_getfd process_madvise" },
	{ BIT(CAP_SYS_RAWIO), "ioperm iopl" },
	{ BIT(CAP_SYS_TIME), "clock_settime clock_settime64 settimeofday stime" },
	{ BIT(CAP_SYS_TTY_CONFIG), "vhangup" },
	{ BIT(CAP_SYS_NICE), "get_mempolicy mbind set_mempolicy set_mempolicy_home_node" },
};
const size_t seccomp_cap_rule_count = COUNT(seccomp_cap_rules);

/* PER_LINUX, PER_LINUX32, each with UNAME26, and the question which is set. */
const uint64_t seccomp_personalities[] = { 0x0, 0x8, 0x20000, 0x20008, 0xffffffff };
const size_t seccomp_personality_count = COUNT(seccomp_personalities);

/* All that the kernel has but AF_ALG (the kernel's ciphers, no use to a container)
 * and AF_VSOCK (reaches virtual machines across network namespaces), and those it
 * has dropped. socketcall(2) of 32-bit programs hides its arguments and is not held
 * by this. */
const uint16_t seccomp_socket_domains[] = {
	AF_UNIX,    AF_INET,       AF_AX25,  AF_IPX,  AF_APPLETALK, AF_NETROM,   AF_BRIDGE,
	AF_ATMPVC,  AF_X25,        AF_INET6, AF_ROSE, AF_NETBEUI,   AF_SECURITY, AF_KEY,
	AF_NETLINK, AF_PACKET,     AF_ASH,   AF_RDS,  AF_SNA,       AF_PPPOX,    AF_LLC,
	AF_IB,      AF_MPLS,       AF_CAN,   AF_TIPC, AF_BLUETOOTH, AF_IUCV,     AF_RXRPC,
	AF_PHONET,  AF_IEEE802154, AF_NFC,   AF_KCM,  AF_QIPCRTR,   AF_SMC,      AF_XDP,
	45, /* AF_MCTP, not in every libc's headers */
};
const size_t seccomp_socket_domain_count = COUNT(seccomp_socket_domains);

const struct seccomp_number seccomp_new_calls[] = {
	{ 457, 0 },                  /* statmount */
	{ 458, 0 },                  /* listmount */
	{ 459, BIT(CAP_SYS_ADMIN) }, /* lsm_get_self_attr */
	{ 460, BIT(CAP_SYS_ADMIN) }, /* lsm_set_self_attr */
	{ 461, BIT(CAP_SYS_ADMIN) }, /* lsm_list_modules */
	{ 462, 0 },                  /* mseal */
	{ 463, 0 },                  /* setxattrat */
	{ 464, 0 },                  /* getxattrat */
	{ 465, 0 },                  /* listxattrat */
	{ 466, 0 },                  /* removexattrat */
};
const size_t seccomp_new_call_count = COUNT(seccomp_new_calls);
