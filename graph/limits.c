/* The words of --image-limit. */
#include "graph/limits.h"

#include "base/num.h"

#include <string.h>

static int parse_number(const char *name, const char *value, uint64_t max, uint64_t *ret,
			struct error *err)
{
	if (num_parse_u64(value, 1, max, ret) == 0)
		return 0;
	return error_set(err, EINVAL, "%s '%s' is no number from 1 to %llu", name, value,
			 (unsigned long long)max);
}

int limits_parse(const char *text, struct limits *inout, struct error *err)
{
	static const struct {
		const char *name;
		uint64_t max;
	} numbers[] = {
		{ "files", UINT32_MAX },
		{ "depth", LIMITS_DEPTH_MAX },
		{ "path", LIMITS_PATH_MAX },
	};
	const char *equals = strchr(text, '=');
	size_t len = equals ? (size_t)(equals - text) : 0, i;
	uint64_t number;

	if (!len || !equals[1])
		return error_set(err, EINVAL, "'%s' is not KEY=VALUE", text);
	if (len == 4 && strncmp(text, "size", 4) == 0) {
		if (num_parse_size(equals + 1, &number) < 0 || number == 0 || number > INT64_MAX)
			return error_set(err, EINVAL, "size '%s' is not a size", equals + 1);
		inout->bytes = (int64_t)number;
		return 0;
	}
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strlen(numbers[i].name) == len && strncmp(text, numbers[i].name, len) == 0)
			break;
	if (i == sizeof(numbers) / sizeof(numbers[0]))
		return error_set(err, EINVAL, "unknown limit '%.*s'; size, files, depth or path",
				 (int)len, text);
	if (parse_number(numbers[i].name, equals + 1, numbers[i].max, &number, err) < 0)
		return -EINVAL;
	if (i == 0)
		inout->entries = number;
	else if (i == 1)
		inout->depth = (unsigned)number;
	else
		inout->path_bytes = (size_t)number;
	return 0;
}
