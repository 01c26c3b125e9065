/* /etc/subuid of any bytes: what comes out are ranges of ids that are none of the host's root,
 * and what is chosen of them lies inside one and touches nothing that is used.
 *
 * fuzz-module: runtime
 */
#include "runtime/security/subid.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#define WANTED 16

static void check_choice(const struct subid_range *given, size_t count,
			 const struct subid_range *used, size_t used_count, uint32_t first)
{
	bool inside = false;

	for (size_t i = 0; i < count; i++)
		inside = inside ||
			 (first >= given[i].first &&
			  (uint64_t)first + WANTED <= (uint64_t)given[i].first + given[i].count);
	must(inside);
	for (size_t i = 0; i < used_count; i++)
		must((uint64_t)first + WANTED <= used[i].first ||
		     first >= (uint64_t)used[i].first + used[i].count);
}

/* The second half of the entries is what is used of the first. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct subid_range ranges[SUBID_ENTRIES_MAX];
	size_t count = subid_parse(size ? (const char *)data : "", size, ranges), half = count / 2;
	uint32_t first;

	must(count <= SUBID_ENTRIES_MAX);
	for (size_t i = 0; i < count; i++)
		must(ranges[i].first > 0 && ranges[i].count > 0 &&
		     (uint64_t)ranges[i].first + ranges[i].count <= UINT32_MAX);
	if (subid_pick(ranges, half, ranges + half, count - half, WANTED, &first))
		check_choice(ranges, half, ranges + half, count - half, first);
	return 0;
}
