/* Lists of processors or memory nodes as the kernel writes them: "0-3,7". */
#ifndef RUNTIME_CGROUP_CPULIST_H
#define RUNTIME_CGROUP_CPULIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPULIST_MAX 8192       /* NR_CPUS of the largest configuration of Linux */
#define CPULIST_TEXT_MAX 1023U /* bytes of such a list that are taken */

struct cpulist {
	uint64_t bits[CPULIST_MAX / 64];
};

/* 0, or -EINVAL: not a list, or too long a one; blanks are no part of it. "" is the empty one.
 * Source: the kernel's bitmap_parselist() without its strides. */
int cpulist_parse(const char *text, struct cpulist *ret);
/* Is each member of `part` one of `whole`? */
bool cpulist_includes(const struct cpulist *whole, const struct cpulist *part);

#endif
