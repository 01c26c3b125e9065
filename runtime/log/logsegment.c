/* See logsegment.h. Nothing is remembered of the records: the index is a file that grows, and the page
 * cache has it. A search reads small aligned blocks and goes by doubling steps from where it is, so that
 * two streams that alternate cost nothing and a rare one is not crawled to.
 */
#include "runtime/log/logsegment.h"

#include "base/path.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#define RECORD_BYTES sizeof(struct log_record)

static int open_file(int dir_fd, uint64_t number, bool index)
{
	char name[LOG_NAME_SIZE];

	logformat_get_name(number, index, name);
	return openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
}

int logsegment_refuse(const struct logsegment *segment, struct error *err)
{
	char name[LOG_NAME_SIZE];

	logformat_get_name(segment->number, true, name);
	return error_set(err, EIO, "'%s' is damaged", name);
}

static int cannot_read(const struct logsegment *segment, bool index, int code, struct error *err)
{
	char name[LOG_NAME_SIZE];

	logformat_get_name(segment->number, index, name);
	return error_set_sys(err, code, "cannot read '%s'", name);
}

static int read_base(struct logsegment *segment, struct error *err)
{
	struct log_record *base = &segment->base;

	if (segment->number == 0)
		return 0;
	ssize_t n = path_pread_full(segment->index_fd, base, sizeof(*base), 0);
	if (n < 0)
		return cannot_read(segment, true, (int)-n, err);
	if (n < (ssize_t)sizeof(*base))
		return -ENOENT; /* it is being made */
	return base->length == 0 && logformat_is_sane(base) ? 0 : logsegment_refuse(segment, err);
}

int logsegment_open(int dir_fd, uint64_t number, struct logsegment **ret, struct error *err)
{
	AUTO(logsegment_unref) struct logsegment *segment = NULL;
	auto_fd int fd = open_file(dir_fd, number, true);
	int code = errno;
	char name[LOG_NAME_SIZE];

	logformat_get_name(number, true, name);
	if (fd < 0)
		return code == ENOENT ? -ENOENT
				      : error_set_sys(err, code, "cannot open '%s'", name);
	segment = calloc(1, sizeof(*segment));
	if (!segment)
		return error_set_sys(err, ENOMEM, "cannot open '%s'", name);
	atomic_init(&segment->refs, 1);
	pthread_mutex_init(&segment->lock, NULL);
	segment->number = number;
	segment->index_fd = steal_fd(&fd);
	segment->log_fd = open_file(dir_fd, number, false);
	int r = read_base(segment, err);
	if (r == 0)
		*ret = steal_ptr(&segment);
	return r;
}

struct logsegment *logsegment_ref(struct logsegment *segment)
{
	atomic_fetch_add(&segment->refs, 1);
	return segment;
}

void logsegment_unref(struct logsegment *segment)
{
	if (!segment || atomic_fetch_sub(&segment->refs, 1) != 1)
		return;
	close(segment->index_fd);
	if (segment->log_fd >= 0)
		close(segment->log_fd);
	pthread_mutex_destroy(&segment->lock);
	free(segment);
}

bool logsegment_is_gone(const struct logsegment *segment)
{
	struct stat st;

	return fstat(segment->index_fd, &st) < 0 || st.st_nlink == 0;
}

uint64_t logsegment_get_total(enum logview_kind kind, const struct log_record *record)
{
	switch (kind) {
	case LOGVIEW_STDOUT:
		return record->stdout_bytes;
	case LOGVIEW_STDERR:
		return record->stderr_bytes;
	case LOGVIEW_JSON:
		return record->json_bytes;
	case LOGVIEW_ALL:
		break;
	}
	return record->offset + record->length;
}

static int get_count(const struct logsegment *segment, uint64_t *ret, struct error *err)
{
	struct stat st;

	if (fstat(segment->index_fd, &st) < 0)
		return cannot_read(segment, true, errno, err);
	*ret = (uint64_t)st.st_size / RECORD_BYTES;
	return 0;
}

int logsegment_get_last(const struct logsegment *segment, struct log_record *ret, struct error *err)
{
	uint64_t count = 0;

	int r = get_count(segment, &count, err);
	if (r < 0)
		return r;
	if (count == 0) {
		*ret = segment->base;
		return 0;
	}
	ssize_t n = path_pread_full(segment->index_fd, ret, sizeof(*ret),
				    (off_t)((count - 1) * RECORD_BYTES));
	if (n != sizeof(*ret))
		return cannot_read(segment, true, n < 0 ? (int)-n : EIO, err);
	return 0;
}

static int get_log(struct logsegment *segment, int dir_fd, struct error *err)
{
	char name[LOG_NAME_SIZE];
	int fd, code = 0;

	pthread_mutex_lock(&segment->lock);
	if (segment->log_fd < 0) {
		segment->log_fd = open_file(dir_fd, segment->number, false);
		code = errno;
	}
	fd = segment->log_fd;
	pthread_mutex_unlock(&segment->lock);
	if (fd >= 0)
		return fd;
	if (logsegment_is_gone(segment))
		return -ESTALE;
	logformat_get_name(segment->number, false, name);
	if (code == ENOENT)
		return error_set(err, EIO, "'%s' is missing", name);
	return error_set_sys(err, code, "cannot open '%s'", name);
}

int logsegment_read(struct logsegment *segment, int dir_fd, void *buf, size_t len, uint64_t offset,
		    struct error *err)
{
	char name[LOG_NAME_SIZE];
	int fd = get_log(segment, dir_fd, err);

	if (fd < 0)
		return fd;
	if (offset < segment->base.offset || offset - segment->base.offset > INT64_MAX)
		return logsegment_refuse(segment, err);
	ssize_t n = path_pread_full(fd, buf, len, (off_t)(offset - segment->base.offset));
	if (n < 0)
		return cannot_read(segment, false, (int)-n, err);
	if ((size_t)n == len)
		return 0;
	if (logsegment_is_gone(segment))
		return -ESTALE;
	logformat_get_name(segment->number, false, name);
	return error_set(err, EIO, "'%s' is shorter than its index says", name);
}

int logrecords_init(struct logrecords *rs, const struct logsegment *segment, struct error *err)
{
	rs->segment = segment;
	rs->block_first = 0;
	rs->block_count = 0;
	return get_count(segment, &rs->count, err);
}

int logrecords_get(struct logrecords *rs, uint64_t i, const struct log_record **ret,
		   struct error *err)
{
	if (i < rs->block_first || i >= rs->block_first + rs->block_count) {
		rs->block_first = i - i % LOGSEGMENT_BLOCK;
		rs->block_count = 0;
		ssize_t n = path_pread_full(rs->segment->index_fd, rs->block, sizeof(rs->block),
					    (off_t)(rs->block_first * RECORD_BYTES));
		if (n < 0)
			return cannot_read(rs->segment, true, (int)-n, err);
		rs->block_count = (size_t)n / RECORD_BYTES;
		if (i >= rs->block_first + rs->block_count)
			return logsegment_refuse(rs->segment, err);
	}
	*ret = &rs->block[i - rs->block_first];
	return 0;
}

int logrecords_search(struct logrecords *rs, enum logview_kind kind, uint64_t offset, uint64_t i,
		      uint64_t *ret_i, struct error *err)
{
	const struct log_record *record;
	uint64_t low = i;
	uint64_t high = rs->count;

	for (uint64_t step = 1; i > 0 && low < high; step *= 2) {
		uint64_t probe = low + step - 1 < high ? low + step - 1 : high - 1;
		int r = logrecords_get(rs, probe, &record, err);
		if (r < 0)
			return r;
		if (logsegment_get_total(kind, record) > offset) {
			high = probe;
			break;
		}
		low = probe + 1;
	}
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		int r = logrecords_get(rs, mid, &record, err);
		if (r < 0)
			return r;
		if (logsegment_get_total(kind, record) > offset)
			high = mid;
		else
			low = mid + 1;
	}
	*ret_i = low;
	return 0;
}
