/* Names of a log's segments, and which of them a directory holds.
 *
 * Shared with the static shim: nothing but libc, and no allocation.
 */
#include "runtime/log/logformat.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PREFIX "log"
#define SUFFIX ".index"
#define DIGITS_MAX 20

/* Source: getdents64(2). */
struct entry {
	uint64_t ino;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static char *put(char *at, const char *text)
{
	size_t len = strlen(text);

	memcpy(at, text, len + 1);
	return at + len;
}

void logformat_get_name(uint64_t segment, bool index, char ret[LOG_NAME_SIZE])
{
	char digits[DIGITS_MAX + 1];
	char *first = digits + DIGITS_MAX;
	char *at = put(ret, PREFIX);

	*first = '\0';
	for (uint64_t rest = segment; rest > 0; rest /= 10)
		*--first = (char)('0' + rest % 10);
	if (segment > 0) {
		at = put(at, ".");
		at = put(at, first);
	}
	if (index)
		put(at, SUFFIX);
}

bool logformat_parse_name(const char *name, uint64_t *ret_segment, bool *ret_index)
{
	char expected[LOG_NAME_SIZE];
	uint64_t segment = 0;
	const char *at = name;
	bool index;

	if (strncmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	at += strlen(PREFIX);
	if (at[0] == '.' && at[1] >= '0' && at[1] <= '9')
		for (at++; *at >= '0' && *at <= '9'; at++)
			segment = segment * 10 + (uint64_t)(*at - '0');
	index = *at != '\0';
	/* There is one way to write a name: leading zeros, an overflow, anything else is none. */
	logformat_get_name(segment, index, expected);
	if (strcmp(name, expected) != 0)
		return false;
	*ret_segment = segment;
	*ret_index = index;
	return true;
}

static void widen(bool *has, uint64_t *first, uint64_t *last, uint64_t segment)
{
	if (!*has || segment < *first)
		*first = segment;
	if (!*has || segment > *last)
		*last = segment;
	*has = true;
}

static void take(struct log_span *span, const char *name)
{
	uint64_t segment;
	bool index;

	if (!logformat_parse_name(name, &segment, &index))
		return;
	if (index)
		widen(&span->has_index, &span->first, &span->last, segment);
	else
		widen(&span->has_log, &span->first_log, &span->last_log, segment);
}

int logformat_scan(int dir_fd, struct log_span *ret)
{
	_Alignas(struct entry) char buf[2048];
	struct log_span span = { .has_index = false };
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long len = 0;

	if (fd < 0)
		return -errno;
	while ((len = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0) {
		for (long at = 0; at < len;) {
			const struct entry *entry = (const struct entry *)(buf + at);

			take(&span, entry->name);
			at += entry->length;
		}
	}
	len = len < 0 ? -errno : 0;
	close(fd);
	if (len == 0)
		*ret = span;
	return (int)len;
}
