/* What a container sees of /proc, /sys and /dev unless asked otherwise: data only.
 *
 * Source: Docker's default specification (moby, oci/defaults.go) and the OCI
 * runtime specification's default devices. /dev/console and /dev/ptmx are not
 * nodes: the one is the terminal, if there is one, the other a link into devpts.
 */
#include "runtime/security/security.h"

#include <sys/mount.h>
#include <sys/stat.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* Information about the host, or power over it, that namespaces do not hide. */
const char *const security_masked_paths[] = {
	"/proc/asound",     "/proc/acpi",        "/proc/interrupts",
	"/proc/kcore",      "/proc/keys",        "/proc/latency_stats",
	"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/proc/scsi",       "/sys/firmware",     "/sys/devices/virtual/powercap",
};
const size_t security_masked_count = COUNT(security_masked_paths);

const char *const security_readonly_paths[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};
const size_t security_readonly_count = COUNT(security_readonly_paths);

#define NODE(name, maj, min)                                                                       \
	{                                                                                          \
		.path = (name), .mode = S_IFCHR | 0666, .major = (maj), .minor = (min)             \
	}

const struct launch_device security_devices[] = {
	NODE("null", 1, 3),   NODE("zero", 1, 5),    NODE("full", 1, 7),
	NODE("random", 1, 8), NODE("urandom", 1, 9), NODE("tty", 5, 0),
};
const size_t security_device_count = COUNT(security_devices);

#define MOUNT(type, what, where, how, opts)                                                        \
	{                                                                                          \
		.source = (what), .target = (where), .fstype = (type), .flags = (how),             \
		.data = (opts), .fd = -1                                                           \
	}

/* The cgroup file system is version 2's also on a hybrid machine: in a cgroup
 * namespace it shows the container's own leaf. */
const struct launch_mount security_mounts[] = {
	MOUNT("proc", "proc", "/proc", SAFE, NULL),
	MOUNT("tmpfs", "tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"),
	MOUNT("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
	      "newinstance,ptmxmode=0666,mode=0620,gid=5"),
	MOUNT("sysfs", "sysfs", "/sys", SAFE | MS_RDONLY, NULL),
	MOUNT("cgroup2", "cgroup", "/sys/fs/cgroup", SAFE | MS_RDONLY, NULL),
	MOUNT("mqueue", "mqueue", "/dev/mqueue", SAFE, NULL),
	MOUNT("tmpfs", "shm", "/dev/shm", SAFE, "mode=1777,size=65536k"),
};
const size_t security_mount_count = COUNT(security_mounts);
