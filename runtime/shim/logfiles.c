/* Writing and mending a log's files: see logfiles.h.
 *
 * Invariants: records are contiguous (each begins where the one before ends), the
 * last one ends at or before the end of its segment's log; a part that has been
 * chosen is finished in its segment before another is begun. Every step of a
 * rotation can be done again. Reading is not done here.
 */
#include "runtime/shim/logfiles.h"

#include "runtime/shim/clock.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_file(const struct logfiles *logs, uint64_t segment, bool index, int flags)
{
	char name[LOG_NAME_SIZE];
	logformat_get_name(segment, index, name);
	return openat(logs->dir_fd, name,
		      O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
}

static void close_file(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- dropping -------------------------------------------------------------- */

/* Readers may have it open for long: its room on the disk is given back all the same. */
static bool drop_segment(const struct logfiles *logs, uint64_t segment)
{
	char name[LOG_NAME_SIZE];
	logformat_get_name(segment, true, name);
	if (unlinkat(logs->dir_fd, name, 0) < 0 && errno != ENOENT)
		return false;
	int fd = open_file(logs, segment, false, 0);
	if (fd >= 0) {
		int r = ftruncate(fd, 0);
		close(fd);
		if (r < 0)
			return false;
	}
	logformat_get_name(segment, false, name);
	return unlinkat(logs->dir_fd, name, 0) == 0 || errno == ENOENT;
}

/* ---- mending --------------------------------------------------------------- */

/* Logs without an index, and a segment without its first record: the one before
 * it, if there is any, is the last then. */
static int drop_halves(struct logfiles *logs, struct log_span *span, struct error *err)
{
	bool done = true;
	for (uint64_t i = span->first_log; span->has_log && i < span->first && done; i++)
		done = drop_segment(logs, i);
	for (uint64_t i = span->last_log; span->has_log && i > span->last && done; i--)
		done = drop_segment(logs, i);
	while (done && span->last > span->first) {
		struct log_record base;
		int fd = open_file(logs, span->last, true, 0);
		ssize_t n = fd < 0 ? -1 : pread(fd, &base, sizeof(base), 0);
		int code = errno;
		close_file(&fd);
		if (n < 0 && code != ENOENT)
			return error_set_sys(err, code, "cannot read the log's index");
		if (n == (ssize_t)sizeof(base) && base.length == 0 && logformat_is_sane(&base))
			break;
		done = drop_segment(logs, span->last--);
	}
	return done ? 0 : error_set_sys(err, errno, "cannot mend the container's log");
}

/* The first record of a segment but 0, which is made anew when it is no good: then
 * nothing is known of what was before. */
static int read_base(const struct logfiles *logs, struct log_record *base, struct error *err)
{
	*base = (struct log_record){ 0 };
	if (logs->segment == 0)
		return 0;
	ssize_t n = pread(logs->index_fd, base, sizeof(*base), 0);
	if (n == (ssize_t)sizeof(*base) && base->length == 0 && logformat_is_sane(base))
		return 0;
	*base = (struct log_record){ .stream = LOG_STDOUT };
	if (n < 0 || ftruncate(logs->index_fd, 0) < 0 ||
	    write(logs->index_fd, base, sizeof(*base)) != (ssize_t)sizeof(*base))
		return error_set_sys(err, errno, "cannot mend the log's index");
	return 0;
}

/* Find the last record whose bytes are all there, and cut off what follows it:
 * a torn record, or (after a power cut) ones whose bytes never reached the
 * disk. */
static int find_last(struct logfiles *logs, const struct log_record *base, struct error *err)
{
	struct log_record *last = &logs->last;
	struct stat st;
	if (fstat(logs->index_fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at the log's index");
	uint64_t least = logs->segment > 0 ? 1 : 0;
	uint64_t end = base->offset + logs->size;
	uint64_t count = (uint64_t)st.st_size / sizeof(*last);
	for (; count > least; count--) {
		off_t at = (off_t)((count - 1) * sizeof(*last));
		if (pread(logs->index_fd, last, sizeof(*last), at) != (ssize_t)sizeof(*last))
			return error_set_sys(err, errno, "cannot read the log's index");
		if (last->length > 0 && last->offset >= base->offset && last->offset <= end &&
		    last->length <= end - last->offset && logformat_is_sane(last))
			break;
	}
	if (count == least)
		*last = *base;
	if ((off_t)(count * sizeof(*last)) != st.st_size &&
	    ftruncate(logs->index_fd, (off_t)(count * sizeof(*last))) < 0)
		return error_set_sys(err, errno, "cannot mend the log's index");
	return 0;
}

/* The record that follows the last one. */
static struct log_record next_record(const struct logfiles *logs, const char *chunk, size_t len,
				     unsigned stream, int64_t time_ns)
{
	struct log_record record = logs->last;
	record.offset = logs->last.offset + logs->last.length;
	record.length = (uint32_t)len;
	record.stream = (uint16_t)stream;
	record.run = logs->run;
	record.time_ns = time_ns;
	if (stream == LOG_STDOUT)
		record.stdout_bytes += len;
	else
		record.stderr_bytes += len;
	record.json_bytes += logformat_json_size(chunk, len, stream);
	return record;
}

static int cover_rest(struct logfiles *logs, uint64_t base_offset, int64_t time_ns, char *buf,
		      size_t buf_size, struct error *err)
{
	for (;;) {
		uint64_t at = logs->last.offset + logs->last.length - base_offset;
		size_t len = buf_size < logs->size - at ? buf_size : (size_t)(logs->size - at);
		if (len == 0)
			return 0;
		ssize_t n = pread(logs->log_fd, buf, len, (off_t)at);
		if (n <= 0)
			return error_set_sys(err, n < 0 ? errno : EIO, "cannot read 'log'");
		struct log_record record = next_record(logs, buf, (size_t)n, LOG_STDOUT, time_ns);
		if (write(logs->index_fd, &record, sizeof(record)) != (ssize_t)sizeof(record))
			return error_set_sys(err, errno, "cannot mend 'log.index'");
		logs->last = record;
	}
}

static int open_segment(struct logfiles *logs, struct error *err)
{
	char name[LOG_NAME_SIZE];
	struct stat st;
	logs->index_fd = open_file(logs, logs->segment, true, O_CREAT);
	logs->log_fd = logs->index_fd < 0 ? -1 : open_file(logs, logs->segment, false, O_CREAT);
	if (logs->log_fd < 0 || fstat(logs->log_fd, &st) < 0) {
		int code = errno;
		logformat_get_name(logs->segment, logs->index_fd < 0, name);
		return error_set_sys(err, code, "cannot open the container's '%s'", name);
	}
	logs->size = (uint64_t)st.st_size;
	return 0;
}

/* One segment alone would leave nothing to read after each rotation. */
static struct log_bounds split_single(struct log_bounds bounds)
{
	if (bounds.max_file == 1 && bounds.max_size > 1) {
		bounds.max_file = 2;
		bounds.max_size /= 2;
	}
	return bounds;
}

int logfiles_open(struct logfiles *logs, int dir_fd, uint64_t run, struct log_bounds bounds,
		  int64_t mend_ns, char *buf, size_t buf_size, struct error *err)
{
	struct log_span span;
	struct log_record base;
	*logs = (struct logfiles){ .run = (uint16_t)run, .bounds = split_single(bounds) };
	logs->log_fd = logs->index_fd = logs->next_fd = -1;
	logs->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	int r = logs->dir_fd < 0 ? -errno : logformat_scan(logs->dir_fd, &span);
	if (r < 0)
		return error_set_sys(err, -r, "cannot look for the container's log");
	if (!span.has_index) /* a log alone keeps its bytes: they get records */
		span.first = span.last = span.has_log ? span.last_log : 0;
	r = drop_halves(logs, &span, err);
	if (r < 0)
		return r;
	logs->first = span.first;
	logs->segment = span.last;
	r = open_segment(logs, err);
	if (r == 0)
		r = read_base(logs, &base, err);
	if (r == 0)
		r = find_last(logs, &base, err);
	if (r == 0)
		r = cover_rest(logs, base.offset, mend_ns ? mend_ns : clock_realtime_ns(), buf,
			       buf_size, err);
	return r;
}

void logfiles_close(struct logfiles *logs)
{
	close_file(&logs->next_fd);
	close_file(&logs->index_fd);
	close_file(&logs->log_fd);
	close_file(&logs->dir_fd);
}

/* ---- rotating --------------------------------------------------------------- */

/* False when the disk takes no more for now. */
static bool write_rest(int fd, const char *bytes, size_t len, size_t *done)
{
	while (*done < len) {
		ssize_t n = write(fd, bytes + *done, len - *done);
		if (n <= 0)
			return false;
		*done += (size_t)n;
	}
	return true;
}

static bool drop_oldest(struct logfiles *logs)
{
	uint64_t most = logs->bounds.max_file;
	while (most > 0 && logs->first < logs->segment && logs->segment + 1 - logs->first >= most) {
		if (!drop_segment(logs, logs->first))
			return false;
		logs->first++;
	}
	return true;
}

/* Begin the next segment. False when it must be tried again: what is done by then is
 * not done twice. */
static bool rotate(struct logfiles *logs)
{
	struct log_record base = logs->last;
	base.offset += base.length;
	base.length = 0;
	if (!drop_oldest(logs))
		return false;
	if (logs->next_fd < 0) {
		logs->next_fd = open_file(logs, logs->segment + 1, true, O_CREAT | O_TRUNC);
		logs->next_done = 0;
	}
	if (logs->next_fd < 0 ||
	    !write_rest(logs->next_fd, (const char *)&base, sizeof(base), &logs->next_done))
		return false;
	int log_fd = open_file(logs, logs->segment + 1, false, O_CREAT | O_TRUNC);
	if (log_fd < 0)
		return false;
	close_file(&logs->log_fd);
	close_file(&logs->index_fd);
	logs->log_fd = log_fd;
	logs->index_fd = logs->next_fd;
	logs->next_fd = -1;
	logs->segment++;
	logs->size = 0;
	return true;
}

/* ---- writing ---------------------------------------------------------------- */

void logfiles_put(struct logfiles *logs, const char *chunk, size_t len, unsigned stream)
{
	logs->chunk = chunk;
	logs->chunk_len = len;
	logs->stream = stream;
	logs->time_ns = clock_realtime_ns();
	logs->record.length = 0;
}

/* How much of the chunk goes into this segment: 0 when it is full. */
static size_t choose_part(const struct logfiles *logs)
{
	uint64_t most = logs->bounds.max_size;
	if (most == 0 || (logs->size < most && logs->chunk_len <= most - logs->size))
		return logs->chunk_len;
	if (logs->size >= most)
		return 0;
	size_t room = (size_t)(most - logs->size);
	const char *newline = memrchr(logs->chunk, '\n', room);
	if (newline)
		return (size_t)(newline - logs->chunk) + 1;
	return logs->size > 0 ? 0 : room;
}

static bool begin_part(struct logfiles *logs)
{
	size_t len;
	while ((len = choose_part(logs)) == 0)
		if (!rotate(logs))
			return false;
	logs->record = next_record(logs, logs->chunk, len, logs->stream, logs->time_ns);
	logs->part_done = logs->record_done = 0;
	return true;
}

static bool write_part(struct logfiles *logs)
{
	size_t len = logs->record.length;
	if (!write_rest(logs->log_fd, logs->chunk, len, &logs->part_done) ||
	    !write_rest(logs->index_fd, (const char *)&logs->record, sizeof(logs->record),
			&logs->record_done))
		return false;
	logs->size += len;
	logs->last = logs->record;
	logs->record.length = 0;
	logs->chunk += len;
	logs->chunk_len -= len;
	return true;
}

bool logfiles_flush(struct logfiles *logs)
{
	while (logs->chunk_len > 0) {
		if ((logs->record.length > 0 || begin_part(logs)) && write_part(logs))
			continue;
		if (!logs->dropped)
			return false;
		logs->chunk_len = 0;
		logs->record.length = 0;
	}
	return true;
}
