/* What a container may do with devices besides the usual ones: Docker's DeviceCgroupRules, and
 * what its Devices ask for. */
#ifndef RUNTIME_SECURITY_DEVICE_RULE_H
#define RUNTIME_SECURITY_DEVICE_RULE_H

#include <stdint.h>

/* As the kernel numbers them, linux/bpf.h: BPF_DEVCG_ACC_*. */
enum device_access { DEVICE_MKNOD = 1, DEVICE_READ = 2, DEVICE_WRITE = 4 };

#define DEVICE_MAJOR_MAX 4095    /* 12 bits, the kernel's MKDEV */
#define DEVICE_MINOR_MAX 1048575 /* 20 bits */

struct device_rule {
	char type;            /* 'b', 'c', or 'a' for both */
	int32_t major, minor; /* -1: any */
	unsigned access;      /* enum device_access, united */
};

/* "rw": each of r, w and m at most once; 0 when it is anything else. */
unsigned device_access_parse(const char *text);

/* "c 1:3 rwm", "b *:* r", "a 10:* rw"; 0 or -EINVAL.
 * Source: the kernel's cgroup-v1/devices.rst, docker-run(1) --device-cgroup-rule. */
int device_rule_parse(const char *text, struct device_rule *ret);

#define DEVICE_RULE_SIZE 32
/* The line of version 1's devices.allow; type instead of the rule's own. */
void device_rule_render(const struct device_rule *rule, char type, char ret[DEVICE_RULE_SIZE]);

#endif
