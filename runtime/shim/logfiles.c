/* Writing and mending a container's log files: see logfiles.h.
 *
 * Invariants: records are contiguous (each begins where the one before ends)
 * and the last one ends at or before the end of `log`. Rotation and reading
 * are not done here.
 */
#include "runtime/shim/logfiles.h"

#include "runtime/shim/clock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_one(int dir_fd, const char *name, struct error *err)
{
	int fd = openat(dir_fd, name,
			O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0)
		return error_set_sys(err, errno, "cannot open the container's '%s'", name);
	return fd;
}

/* Find the last record whose bytes are all there, and cut off what follows it:
 * a torn record, or (after a power cut) ones whose bytes never reached the
 * disk. */
static int find_last(struct logfiles *logs, uint64_t index_size, struct error *err)
{
	struct log_record *last = &logs->last;
	uint64_t count = index_size / sizeof(*last);
	for (; count > 0; count--) {
		off_t at = (off_t)((count - 1) * sizeof(*last));
		if (pread(logs->index_fd, last, sizeof(*last), at) != (ssize_t)sizeof(*last))
			return error_set_sys(err, errno, "cannot read 'log.index'");
		if (last->offset <= logs->size && last->length <= logs->size - last->offset)
			break;
	}
	if (count == 0)
		*last = (struct log_record){ 0 };
	if (count * sizeof(*last) != index_size &&
	    ftruncate(logs->index_fd, (off_t)(count * sizeof(*last))) < 0)
		return error_set_sys(err, errno, "cannot mend 'log.index'");
	return 0;
}

/* The record that follows the last one. */
static struct log_record next_record(const struct logfiles *logs, const char *chunk, size_t len,
				     unsigned stream)
{
	struct log_record record = logs->last;
	record.offset = logs->last.offset + logs->last.length;
	record.length = (uint32_t)len;
	record.stream = (uint16_t)stream;
	record.run = logs->run;
	record.time_ns = clock_realtime_ns();
	if (stream == LOG_STDOUT)
		record.stdout_bytes += len;
	else
		record.stderr_bytes += len;
	record.json_bytes += logformat_json_size(chunk, len, stream);
	return record;
}

static int cover_rest(struct logfiles *logs, char *buf, size_t buf_size, struct error *err)
{
	for (;;) {
		uint64_t at = logs->last.offset + logs->last.length;
		size_t len = buf_size < logs->size - at ? buf_size : (size_t)(logs->size - at);
		if (len == 0)
			return 0;
		ssize_t n = pread(logs->log_fd, buf, len, (off_t)at);
		if (n <= 0)
			return error_set_sys(err, n < 0 ? errno : EIO, "cannot read 'log'");
		struct log_record record = next_record(logs, buf, (size_t)n, LOG_STDOUT);
		if (write(logs->index_fd, &record, sizeof(record)) != (ssize_t)sizeof(record))
			return error_set_sys(err, errno, "cannot mend 'log.index'");
		logs->last = record;
	}
}

int logfiles_open(struct logfiles *logs, int dir_fd, uint64_t run, char *buf, size_t buf_size,
		  struct error *err)
{
	struct stat log_stat, index_stat;
	*logs = (struct logfiles){ .run = (uint16_t)run };
	logs->log_fd = open_one(dir_fd, "log", err);
	if (logs->log_fd < 0)
		return logs->log_fd;
	logs->index_fd = open_one(dir_fd, "log.index", err);
	if (logs->index_fd < 0)
		return logs->index_fd;
	if (fstat(logs->log_fd, &log_stat) < 0 || fstat(logs->index_fd, &index_stat) < 0)
		return error_set_sys(err, errno, "cannot look at the container's log");
	logs->size = (uint64_t)log_stat.st_size;
	int r = find_last(logs, (uint64_t)index_stat.st_size, err);
	if (r < 0)
		return r;
	return cover_rest(logs, buf, buf_size, err);
}

void logfiles_put(struct logfiles *logs, const char *chunk, size_t len, unsigned stream)
{
	logs->chunk = chunk;
	logs->chunk_done = 0;
	logs->record = next_record(logs, chunk, len, stream);
	logs->record_done = 0;
}

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

bool logfiles_flush(struct logfiles *logs)
{
	if (!logfiles_is_pending(logs))
		return true;
	if (write_rest(logs->log_fd, logs->chunk, logs->record.length, &logs->chunk_done) &&
	    write_rest(logs->index_fd, (const char *)&logs->record, sizeof(logs->record),
		       &logs->record_done)) {
		logs->size += logs->record.length;
		logs->last = logs->record;
		logs->record.length = 0;
		return true;
	}
	if (!logs->dropped)
		return false;
	logs->record.length = 0;
	return true;
}
