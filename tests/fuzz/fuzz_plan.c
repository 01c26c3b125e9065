/* The shim's reading of a launch plan: any bytes are refused, or every string
 * and array that comes out can be walked. fuzz-module: runtime */
#include "runtime/shim/plan.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* The parser belongs to the shim's build; it is compiled into this one too. */
#include "runtime/shim/plan.c"

static size_t walk_strings(const struct plan *plan, const uint32_t *offsets, uint32_t count)
{
	size_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += strlen(plan_get_str(plan, offsets[i]));
	return sum;
}

static size_t walk(const struct plan *plan)
{
	const struct plan_header *header = plan->header;
	size_t sum = walk_strings(plan, plan->argv, header->argv.count) +
		     walk_strings(plan, plan->env, header->env.count) +
		     walk_strings(plan, plan->masked, header->masked.count) +
		     walk_strings(plan, plan->readonly, header->readonly.count) +
		     walk_strings(plan, plan->sysctls, header->sysctls.count);
	for (uint32_t i = 0; i < header->mounts.count; i++)
		sum += strlen(plan_get_str(plan, plan->mounts[i].target));
	for (uint32_t i = 0; i < header->devices.count; i++)
		sum += strlen(plan_get_str(plan, plan->devices[i].path));
	for (uint32_t i = 0; i < header->groups.count; i++)
		sum += plan->groups[i];
	for (uint32_t i = 0; i < header->seccomp.count; i++)
		sum += plan->seccomp[i].k;
	for (uint32_t i = 0; i < header->rlimits.count; i++)
		sum += plan->rlimits[i].resource;
	for (uint32_t i = 0; i < header->cgroup_procs.count; i++)
		sum += (size_t)plan->cgroup_procs[i];
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static volatile size_t sink;
	struct plan plan;
	char *copy = malloc(size ? size : 1); /* aligned, and exactly as long as told */
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	/* Most inputs would end at these two: let them through. */
	if (size > sizeof(struct plan_header)) {
		((struct plan_header *)(void *)copy)->size = size;
		copy[size - 1] = '\0';
	}
	if (plan_parse(copy, size, &plan, NULL) == 0) {
		static const int fds[] = { 3, 4, 5, 6, 7, 8, 9, 10 };
		plan_place_fds(copy, fds, sizeof(fds) / sizeof(fds[0]), NULL);
		sink = sink + walk(&plan);
	}
	free(copy);
	return 0;
}
