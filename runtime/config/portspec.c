/* Port numbers and protocols as Docker writes them.
 *
 * Text to struct and back, nothing else: which of a container's ports are
 * published, and where, is the business of config and net.
 */
#include "runtime/config/portspec.h"

#include "base/num.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Longest "PORT-PORT". */
#define RANGE_MAX 11

static const char *find_protocol(const char *text)
{
	static const char *const known[] = { "tcp", "udp", "sctp" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcasecmp(text, known[i]) == 0)
			return known[i];
	}
	return NULL;
}

int portspec_parse_range(const char *text, size_t len, unsigned *ret_first, unsigned *ret_last)
{
	char copy[RANGE_MAX + 1];
	uint64_t first, last;
	char *dash;

	if (len > RANGE_MAX)
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	dash = strchr(copy, '-');
	if (dash)
		*dash = '\0';
	if (num_parse_u64(copy, 1, 65535, &first) < 0)
		return -EINVAL;
	last = first;
	if (dash && num_parse_u64(dash + 1, first, 65535, &last) < 0)
		return -EINVAL;
	*ret_first = (unsigned)first;
	*ret_last = (unsigned)last;
	return 0;
}

int portspec_parse(const char *text, struct portspec *ret, struct error *err)
{
	const char *slash = strchrnul(text, '/');
	struct portspec spec = { .protocol = "tcp" };

	if (portspec_parse_range(text, (size_t)(slash - text), &spec.first, &spec.last) < 0)
		return error_set(err, EINVAL, "'%s' is not a port from 1 to 65535", text);
	if (*slash == '/')
		spec.protocol = find_protocol(slash + 1);
	if (!spec.protocol)
		return error_set(err, EINVAL, "'%s' has an unknown protocol; tcp, udp or sctp",
				 text);
	*ret = spec;
	return 0;
}

void portspec_render(const struct portspec *spec, unsigned port, char ret_text[PORTSPEC_SIZE])
{
	snprintf(ret_text, PORTSPEC_SIZE, "%u/%s", port, spec->protocol);
}
