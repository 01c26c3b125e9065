/* See cpulist.h. */
#include "runtime/cgroup/cpulist.h"

#include "base/num.h"

#include <errno.h>
#include <string.h>

/* "5" or "5-7"; text is cut up. */
static bool add_range(char *text, struct cpulist *list)
{
	char *dash = strchr(text, '-');
	uint64_t first, last;

	if (dash)
		*dash++ = '\0';
	if (num_parse_u64(text, 0, CPULIST_MAX - 1, &first) < 0)
		return false;
	last = first;
	if (dash && num_parse_u64(dash, first, CPULIST_MAX - 1, &last) < 0)
		return false;
	for (uint64_t i = first; i <= last; i++)
		list->bits[i / 64] |= UINT64_C(1) << (i % 64);
	return true;
}

int cpulist_parse(const char *text, struct cpulist *ret)
{
	char copy[CPULIST_TEXT_MAX + 1], *rest = copy, *word;
	struct cpulist list = { .bits = { 0 } };
	size_t len = strlen(text);

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len + 1);
	while (len > 0 && (word = strsep(&rest, ",")))
		if (!add_range(word, &list))
			return -EINVAL;
	*ret = list;
	return 0;
}

bool cpulist_includes(const struct cpulist *whole, const struct cpulist *part)
{
	for (size_t i = 0; i < sizeof(part->bits) / sizeof(part->bits[0]); i++)
		if (part->bits[i] & ~whole->bits[i])
			return false;
	return true;
}
