/* Lines of "name:first:count". Containers are root's, so root's entries count; so do those of
 * `containers`, the name under which other engines' users keep ids for this very purpose.
 */
#include "runtime/security/subid.h"

#include "base/num.h"

#include <string.h>

/* (uint32_t)-1 is no id. */
#define ID_END UINT32_MAX
#define FIELD_MAX 16

/* Cut off the field before the next sep; false when there is none or it is too long. */
static bool take_field(const char **text, size_t *len, char sep, char ret[FIELD_MAX])
{
	const char *end = sep ? memchr(*text, sep, *len) : *text + *len;
	size_t size = end ? (size_t)(end - *text) : 0;

	if (!end || size == 0 || size >= FIELD_MAX || memchr(*text, '\0', size))
		return false;
	memcpy(ret, *text, size);
	ret[size] = '\0';
	*text = end + (sep != '\0');
	*len -= size + (sep != '\0');
	return true;
}

static bool parse_line(const char *line, size_t len, struct subid_range *ret)
{
	char name[FIELD_MAX], first[FIELD_MAX], count[FIELD_MAX];
	uint64_t from, size;

	if (!take_field(&line, &len, ':', name) || !take_field(&line, &len, ':', first) ||
	    !take_field(&line, &len, '\0', count))
		return false;
	if (strcmp(name, "root") != 0 && strcmp(name, "0") != 0 && strcmp(name, "containers") != 0)
		return false;
	if (num_parse_u64(first, 0, ID_END - 1, &from) < 0 ||
	    num_parse_u64(count, 1, ID_END, &size) < 0 || from + size > ID_END)
		return false;
	if (from == 0) {
		from++;
		size--;
	}
	*ret = (struct subid_range){ (uint32_t)from, (uint32_t)size };
	return size > 0;
}

size_t subid_parse(const char *text, size_t len, struct subid_range ret[SUBID_ENTRIES_MAX])
{
	size_t count = 0;

	while (len > 0 && count < SUBID_ENTRIES_MAX) {
		const char *end = memchr(text, '\n', len);
		size_t size = end ? (size_t)(end - text) : len;

		count += parse_line(text, size, &ret[count]);
		size += end != NULL;
		text += size;
		len -= size;
	}
	return count;
}

/* The end of one of `used` that touches [first, end); 0: none does. */
static uint64_t find_touching(const struct subid_range *used, size_t count, uint64_t first,
			      uint64_t end)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t used_end = (uint64_t)used[i].first + used[i].count;

		if (used[i].first < end && used_end > first)
			return used_end;
	}
	return 0;
}

bool subid_pick(const struct subid_range *given, size_t given_count, const struct subid_range *used,
		size_t used_count, uint32_t count, uint32_t *ret_first)
{
	for (size_t i = 0; i < given_count; i++) {
		uint64_t first = given[i].first, end = first + given[i].count, next;

		/* Every round goes on behind one of `used`: there are no more rounds than these. */
		while (first + count <= end &&
		       (next = find_touching(used, used_count, first, first + count)) != 0)
			first = next;
		if (first + count <= end) {
			*ret_first = (uint32_t)first;
			return true;
		}
	}
	return false;
}
