/* Views of a container's log, by offset.
 *
 * A record of log.index holds the totals up to and with its chunk, so the chunk
 * that a byte of a view belongs to is found by a search for the first record
 * whose total lies above the byte's offset. Records are read in small aligned
 * blocks; a walk goes on from where it is by doubling steps, so that two
 * streams that alternate cost nothing and a rare one is not crawled to.
 *
 * The shim writes bytes before records and only appends: whatever a whole
 * record covers is there, a torn one is not seen, no lock is needed. Nothing is
 * remembered but the descriptors. Damage (totals that fall, a log shorter than
 * its index) is EIO with a sentence.
 */
#include "runtime/logview.h"

#include "base/path.h"
#include "runtime/logformat.h"
#include "runtime/logview_json.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/stat.h>

#define LOG_FILE "log"
#define INDEX_FILE "log.index"
#define RECORD_BYTES sizeof(struct log_record)
/* Two reads of 48 bytes cost as much as one of 3 KiB. */
#define BLOCK_RECORDS 64U
/* What the shim reads at most at once is a sixteenth of this. */
#define CHUNK_MAX_BYTES (16U << 20)
#define REPAIR_CHUNK_BYTES (1U << 20)

struct logview {
	enum logview_kind kind;
	int dir_fd;
	pthread_mutex_t lock; /* of the two below while they are -1 */
	int log_fd;
	int index_fd;
};

/* The records of an index as an array, through one block. */
struct records {
	int fd;
	uint64_t count;
	uint64_t block_first;
	uint64_t block_count;
	struct log_record block[BLOCK_RECORDS];
};

static int records_get(struct records *rs, uint64_t i, const struct log_record **ret,
		       struct error *err)
{
	if (i < rs->block_first || i >= rs->block_first + rs->block_count) {
		rs->block_first = i - i % BLOCK_RECORDS;
		rs->block_count = 0;
		ssize_t n = path_pread_full(rs->fd, rs->block, sizeof(rs->block),
					    (off_t)(rs->block_first * RECORD_BYTES));
		if (n < 0)
			return error_set_sys(err, (int)-n, "cannot read '%s'", INDEX_FILE);
		rs->block_count = (size_t)n / RECORD_BYTES;
		if (i >= rs->block_first + rs->block_count)
			return error_set(err, EIO, "'%s' became shorter", INDEX_FILE);
	}
	*ret = &rs->block[i - rs->block_first];
	return 0;
}

static uint64_t get_total(enum logview_kind kind, const struct log_record *record)
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

/* First record from i on whose total is above offset; rs->count when none is. */
static int records_search(struct records *rs, enum logview_kind kind, uint64_t offset, uint64_t i,
			  uint64_t *ret_i, struct error *err)
{
	const struct log_record *record;
	uint64_t low = i;
	uint64_t high = rs->count;

	for (uint64_t step = 1; low < high; step *= 2) {
		uint64_t probe = low + step - 1 < high ? low + step - 1 : high - 1;
		int r = records_get(rs, probe, &record, err);
		if (r < 0)
			return r;
		if (get_total(kind, record) > offset) {
			high = probe;
			break;
		}
		low = probe + 1;
	}
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		int r = records_get(rs, mid, &record, err);
		if (r < 0)
			return r;
		if (get_total(kind, record) > offset)
			high = mid;
		else
			low = mid + 1;
	}
	*ret_i = low;
	return 0;
}

int logview_open(int dir_fd, enum logview_kind kind, struct logview **ret, struct error *err)
{
	struct logview *view = calloc(1, sizeof(*view));

	if (!view)
		return error_set_sys(err, ENOMEM, "cannot open the log");
	view->kind = kind;
	view->log_fd = -1;
	view->index_fd = -1;
	view->dir_fd = fcntl(dir_fd, F_DUPFD_CLOEXEC, 3);
	if (view->dir_fd < 0) {
		int code = errno;
		free(view);
		return error_set_sys(err, code, "cannot open the log");
	}
	pthread_mutex_init(&view->lock, NULL);
	/* What is there is opened now: it can then be read to its end although
	 * the container is removed. */
	view->log_fd = openat(dir_fd, LOG_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	view->index_fd = openat(dir_fd, INDEX_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	*ret = view;
	return 0;
}

void logview_close(struct logview *view)
{
	if (!view)
		return;
	if (view->index_fd >= 0)
		close(view->index_fd);
	if (view->log_fd >= 0)
		close(view->log_fd);
	close(view->dir_fd);
	pthread_mutex_destroy(&view->lock);
	free(view);
}

/* Fill *ret_fd, opening the file when it has come; -1 while it has not. */
static int open_late(struct logview *view, const char *name, int *inout_fd, int *ret_fd,
		     struct error *err)
{
	int code = 0;

	pthread_mutex_lock(&view->lock);
	if (*inout_fd < 0) {
		*inout_fd = openat(view->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (*inout_fd < 0 && errno != ENOENT)
			code = errno;
	}
	*ret_fd = *inout_fd;
	pthread_mutex_unlock(&view->lock);
	return code ? error_set_sys(err, code, "cannot open '%s'", name) : 0;
}

/* Ready to be searched: count 0 while there is no index. */
static int open_records(struct logview *view, struct records *rs, struct error *err)
{
	struct stat st;

	rs->count = 0;
	rs->block_first = 0;
	rs->block_count = 0;
	int r = open_late(view, INDEX_FILE, &view->index_fd, &rs->fd, err);
	if (r < 0 || rs->fd < 0)
		return r;
	if (fstat(rs->fd, &st) < 0)
		return error_set_sys(err, errno, "cannot look at '%s'", INDEX_FILE);
	rs->count = (uint64_t)st.st_size / RECORD_BYTES;
	return 0;
}

/* The last whole record alone: a view's size and time. 1, 0 for none, -errno. */
static int read_last(struct logview *view, struct log_record *ret, struct error *err)
{
	struct records rs;

	int r = open_records(view, &rs, err);
	if (r < 0 || rs.count == 0)
		return r;
	ssize_t n =
		path_pread_full(rs.fd, ret, sizeof(*ret), (off_t)((rs.count - 1) * RECORD_BYTES));
	if (n != sizeof(*ret))
		return error_set_sys(err, n < 0 ? (int)-n : EIO, "cannot read '%s'", INDEX_FILE);
	return 1;
}

int logview_get_size(struct logview *view, uint64_t *ret_bytes, struct error *err)
{
	struct log_record last;

	int r = read_last(view, &last, err);
	if (r < 0)
		return r;
	*ret_bytes = r > 0 ? get_total(view->kind, &last) : 0;
	return 0;
}

int64_t logview_get_mtime_ns(struct logview *view)
{
	struct log_record last;

	return read_last(view, &last, NULL) > 0 ? last.time_ns : 0;
}

static int read_log(int fd, void *buf, size_t len, uint64_t offset, struct error *err)
{
	ssize_t n = path_pread_full(fd, buf, len, (off_t)offset);

	if (n < 0)
		return error_set_sys(err, (int)-n, "cannot read '%s'", LOG_FILE);
	if ((size_t)n < len)
		return error_set(err, EIO, "'%s' is shorter than its index says", LOG_FILE);
	return 0;
}

static ssize_t read_all(struct logview *view, int log_fd, uint64_t offset, void *buf, size_t len,
			struct error *err)
{
	struct log_record last;

	int r = read_last(view, &last, err);
	if (r <= 0)
		return r;
	uint64_t size = get_total(LOGVIEW_ALL, &last);
	if (offset >= size)
		return 0;
	if (len > size - offset)
		len = (size_t)(size - offset);
	r = read_log(log_fd, buf, len, offset, err);
	return r < 0 ? r : (ssize_t)len;
}

/* Where byte offset of the view lies in a record: bytes of the record's part
 * before it. EIO when the totals do not fit the chunk. */
static int place_in_record(enum logview_kind kind, const struct log_record *record, uint64_t offset,
			   uint32_t *ret_before, struct error *err)
{
	uint64_t left = get_total(kind, record) - offset;

	if (record->length == 0 || left == 0 || left > record->length)
		return error_set(err, EIO, "'%s' is damaged", INDEX_FILE);
	*ret_before = record->length - (uint32_t)left;
	return 0;
}

/* One stream: chunks that lie side by side in the log are read as one. */
static ssize_t read_stream(enum logview_kind kind, struct records *rs, int log_fd, uint64_t offset,
			   char *buf, size_t len, struct error *err)
{
	const struct log_record *record;
	size_t done = 0;
	uint64_t i = 0;

	while (done < len) {
		int r = records_search(rs, kind, offset + done, i, &i, err);
		if (r < 0)
			return r;
		if (i == rs->count)
			break;
		uint32_t before = 0;
		if ((r = records_get(rs, i, &record, err)) < 0 ||
		    (r = place_in_record(kind, record, offset + done, &before, err)) < 0)
			return r;

		uint64_t start = record->offset + before;
		uint64_t total = get_total(kind, record);
		while (++i < rs->count && total - offset < len) {
			if ((r = records_get(rs, i, &record, err)) < 0)
				return r;
			if (get_total(kind, record) != total + record->length)
				break;
			total += record->length;
		}
		size_t part = total - offset - done < len - done ? (size_t)(total - offset - done)
								 : len - done;
		if ((r = read_log(log_fd, buf + done, part, start, err)) < 0)
			return r;
		done += part;
	}
	return (ssize_t)done;
}

/* Chunks of logs.json before record i. */
static int get_json_base(struct records *rs, uint64_t i, uint64_t *ret_bytes, struct error *err)
{
	const struct log_record *before;

	*ret_bytes = 0;
	if (i == 0)
		return 0;
	int r = records_get(rs, i - 1, &before, err);
	if (r == 0)
		*ret_bytes = before->json_bytes;
	return r;
}

static ssize_t read_json(struct records *rs, int log_fd, uint64_t offset, char *buf, size_t len,
			 struct error *err)
{
	auto_free char *chunk = NULL;
	size_t chunk_cap = 0;
	size_t done = 0;
	uint64_t base;
	uint64_t i;

	int r = records_search(rs, LOGVIEW_JSON, offset, 0, &i, err);
	if (r < 0 || (r = get_json_base(rs, i, &base, err)) < 0)
		return r;
	for (; done < len && i < rs->count; i++) {
		const struct log_record *record;
		if ((r = records_get(rs, i, &record, err)) < 0)
			return r;
		if (record->length > CHUNK_MAX_BYTES || base > offset + done)
			return error_set(err, EIO, "'%s' is damaged", INDEX_FILE);
		if (record->length > chunk_cap) {
			free(chunk);
			chunk_cap = record->length;
			chunk = malloc(chunk_cap);
			if (!chunk)
				return error_set_sys(err, ENOMEM, "cannot read '%s'", LOG_FILE);
		}
		if ((r = read_log(log_fd, chunk, record->length, record->offset, err)) < 0)
			return r;
		done += logview_json_copy(record, chunk, (size_t)(offset + done - base), buf + done,
					  len - done);
		base = record->json_bytes;
	}
	return (ssize_t)done;
}

ssize_t logview_read(struct logview *view, uint64_t offset, void *buf, size_t len,
		     struct error *err)
{
	struct records rs;
	int log_fd;

	int r = open_records(view, &rs, err);
	if (r < 0 || rs.count == 0 ||
	    (r = open_late(view, LOG_FILE, &view->log_fd, &log_fd, err)) < 0)
		return r;
	if (log_fd < 0)
		return error_set(err, EIO, "'%s' is missing", LOG_FILE);
	if (len > SSIZE_MAX)
		len = SSIZE_MAX;
	if (view->kind == LOGVIEW_ALL)
		return read_all(view, log_fd, offset, buf, len, err);
	if (view->kind == LOGVIEW_JSON)
		return read_json(&rs, log_fd, offset, buf, len, err);
	return read_stream(view->kind, &rs, log_fd, offset, buf, len, err);
}

/* Numbers of runs are kept by their low 16 bits: later means less than half the circle ahead. */
static bool is_later_run(const struct log_record *record, uint64_t run)
{
	uint16_t ahead = (uint16_t)(record->run - (uint16_t)run);

	return ahead != 0 && ahead < 0x8000;
}

int logview_find_run_end(struct logview *view, uint64_t run, uint64_t *ret_offset,
			 struct error *err)
{
	const struct log_record *record;
	struct records rs;
	uint64_t low = 0, high;

	int r = open_records(view, &rs, err);
	if (r < 0)
		return r;
	high = rs.count;
	while (low < high) {
		uint64_t mid = low + (high - low) / 2;
		if ((r = records_get(&rs, mid, &record, err)) < 0)
			return r;
		if (is_later_run(record, run))
			high = mid;
		else
			low = mid + 1;
	}
	*ret_offset = 0;
	if (low == 0)
		return 0;
	if ((r = records_get(&rs, low - 1, &record, err)) < 0)
		return r;
	*ret_offset = get_total(view->kind, record);
	return 0;
}

/* ---- repair ------------------------------------------------------------ */

/* A record that a shim wrote, as far as one can tell from it alone. */
static bool record_is_sane(const struct log_record *record, uint64_t log_bytes)
{
	return record->length > 0 && record->offset <= log_bytes &&
	       record->length <= log_bytes - record->offset &&
	       (record->stream == LOG_STDOUT || record->stream == LOG_STDERR) &&
	       record->stdout_bytes + record->stderr_bytes == record->offset + record->length;
}

/* Cut the index behind its last sane record (a power cut leaves zeros). */
static int cut_index(int fd, uint64_t log_bytes, uint64_t index_bytes, struct log_record *ret_last,
		     struct error *err)
{
	struct records rs = { .fd = fd, .count = index_bytes / RECORD_BYTES };
	const struct log_record *record;
	uint64_t keep = rs.count;

	*ret_last = (struct log_record){ .length = 0 };
	for (; keep > 0; keep--) {
		int r = records_get(&rs, keep - 1, &record, err);
		if (r < 0)
			return r;
		if (record_is_sane(record, log_bytes)) {
			*ret_last = *record;
			break;
		}
	}
	if (keep * RECORD_BYTES < index_bytes && ftruncate(fd, (off_t)(keep * RECORD_BYTES)) < 0)
		return error_set_sys(err, errno, "cannot cut '%s'", INDEX_FILE);
	return 0;
}

/* Append one record for the next bytes of the log that have none. */
static int cover_chunk(int log_fd, int index_fd, struct log_record *inout_last, char *chunk,
		       size_t len, struct error *err)
{
	struct log_record next = *inout_last;

	next.offset += next.length;
	next.length = (uint32_t)len;
	next.stream = LOG_STDOUT;
	next.stdout_bytes += len;
	int r = read_log(log_fd, chunk, len, next.offset, err);
	if (r < 0)
		return r;
	next.json_bytes += logformat_json_size(chunk, len, LOG_STDOUT);
	r = path_write_all(index_fd, &next, sizeof(next));
	if (r < 0)
		return error_set_sys(err, -r, "cannot write '%s'", INDEX_FILE);
	*inout_last = next;
	return 0;
}

int logview_repair(int dir_fd, unsigned run, int64_t now_ns, struct error *err)
{
	auto_fd int log_fd = openat(dir_fd, LOG_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct log_record last;
	struct stat log_st;
	struct stat index_st;

	if (log_fd < 0 && errno == ENOENT)
		return 0;
	if (log_fd < 0 || fstat(log_fd, &log_st) < 0)
		return error_set_sys(err, errno, "cannot open '%s'", LOG_FILE);
	auto_fd int index_fd = openat(dir_fd, INDEX_FILE,
				      O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (index_fd < 0 || fstat(index_fd, &index_st) < 0)
		return error_set_sys(err, errno, "cannot open '%s'", INDEX_FILE);

	uint64_t log_bytes = (uint64_t)log_st.st_size;
	int r = cut_index(index_fd, log_bytes, (uint64_t)index_st.st_size, &last, err);
	if (r < 0)
		return r;
	uint64_t covered = last.offset + last.length;
	if (covered == log_bytes)
		return 0;

	auto_free char *chunk = malloc(REPAIR_CHUNK_BYTES);
	if (!chunk)
		return error_set_sys(err, ENOMEM, "cannot repair '%s'", INDEX_FILE);
	last.run = (uint16_t)run;
	last.time_ns = now_ns;
	for (; r == 0 && covered < log_bytes; covered += last.length) {
		uint64_t left = log_bytes - covered;
		r = cover_chunk(log_fd, index_fd, &last, chunk,
				left < REPAIR_CHUNK_BYTES ? (size_t)left : REPAIR_CHUNK_BYTES, err);
	}
	return r;
}
