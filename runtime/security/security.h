/* What a process in a container may do unless asked otherwise: Docker's default
 * capabilities, system calls, masked and read-only paths, devices.
 */
#ifndef RUNTIME_SECURITY_SECURITY_H
#define RUNTIME_SECURITY_SECURITY_H

#include "base/error.h"
#include "runtime/launch.h"

#include <stdint.h>

/* The 14 of Docker (chown, dac_override, fsetid, fowner, mknod, net_raw, setgid,
 * setuid, setfcap, setpcap, net_bind_service, sys_chroot, kill, audit_write). */
uint64_t security_default_caps(void);
/* All that this kernel and the engine have. */
uint64_t security_all_caps(void);
/* "CAP_NET_ADMIN", "net_admin", "ALL"; add/drop lists as Docker takes them.
 * -EINVAL names the unknown one. base is the set to start from. */
int security_parse_caps(const char *const *add, size_t add_count, const char *const *drop,
			size_t drop_count, uint64_t *inout_caps, struct error *err);

struct sock_filter;
/* Docker's default policy for a process with these capabilities, compiled by
 * libseccomp as a binary tree (SCMP_FLTATR_CTL_OPTIMIZE 2) for the native
 * architecture and its compat ones, cached per capability set for the life of the
 * engine and in cache_dir_fd (file seccomp-<arch>-<key>.bpf, so that a restarted engine
 * need not compile; -1: no cache on disk). *ret is borrowed for good. Thread-safe. */
int security_get_seccomp(uint64_t caps, int cache_dir_fd, const struct sock_filter **ret,
			 size_t *ret_count, struct error *err);

/* Static lists for struct launch_spec. */
extern const char *const security_masked_paths[];
extern const size_t security_masked_count;
extern const char *const security_readonly_paths[];
extern const size_t security_readonly_count;
extern const struct launch_device security_devices[];
extern const size_t security_device_count;
/* proc, tmpfs /dev, devpts, shm (64 MiB), mqueue, sysfs (ro), cgroup (ro): as Docker has them. */
extern const struct launch_mount security_mounts[];
extern const size_t security_mount_count;

#endif
