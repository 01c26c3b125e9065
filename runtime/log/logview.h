/* Reading a log (runtime/log/logformat.h): four views of one record stream, in any directory.
 *
 * Offsets here count from the first byte that a view ever had: rotation does not change them, it only
 * makes the oldest unreadable. What a file of the mount shows, whose offset 0 is the oldest byte that was
 * kept when it was looked up, is runtime/log/logreader.h. Stateless but for the open files, so that a
 * restarted engine gives the same bytes at the same offsets.
 */
#ifndef RUNTIME_LOG_LOGVIEW_H
#define RUNTIME_LOG_LOGVIEW_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

enum logview_kind { LOGVIEW_ALL, LOGVIEW_STDOUT, LOGVIEW_STDERR, LOGVIEW_JSON };

struct logview;

/* What would end the line (in logs.json: the object) that the last byte of a read lies in. */
#define LOGVIEW_REST_SIZE 96
struct logview_rest {
	uint32_t len;
	char text[LOGVIEW_REST_SIZE];
};

/* dir_fd  ROOT/containers/<id>, borrowed for the call. A container that never ran has no log:
 * the view is empty and grows when the files appear (keep a dup of dir_fd for that). */
int logview_open(int dir_fd, enum logview_kind kind, struct logview **ret, struct error *err);
void logview_close(struct logview *view);
DEFINE_AUTO(struct logview *, logview_close);
enum logview_kind logview_get_kind(const struct logview *view);

/* The oldest byte kept when the view was opened. */
uint64_t logview_get_base(const struct logview *view);
/* The oldest byte kept now. */
int logview_get_oldest(struct logview *view, uint64_t *ret_offset, struct error *err);
/* Where the view ends now (from the last whole record: a stat and a read of one page). */
int logview_get_size(struct logview *view, uint64_t *ret_bytes, struct error *err);
/* As pread(2): count, 0 at the end. Never waits. A read in the middle costs a binary search.
 * -ESTALE, without a sentence: the byte at offset was dropped by rotation (or is dropped just now).
 * Thread-safe. */
ssize_t logview_read(struct logview *view, uint64_t offset, void *buf, size_t len,
		     struct error *err);
/* The same, and what would end the line that was cut; untouched unless the count is above 0. */
ssize_t logview_read_rest(struct logview *view, uint64_t offset, void *buf, size_t len,
			  struct logview_rest *ret_rest, struct error *err);
/* Where in this view the bytes of the runs after `run` begin (its size when there are none): a search
 * over the records' run numbers, which are its low 16 bits. */
int logview_find_run_end(struct logview *view, uint64_t run, uint64_t *ret_offset,
			 struct error *err);
/* Time of the last chunk, 0 when there is none. */
int64_t logview_get_mtime_ns(struct logview *view);
/* Mend what a killed shim left (see logfiles_open()): called when it is known to be dead. run and now_ns fill
 * the records of bytes that had none. */
int logview_repair(int dir_fd, unsigned run, int64_t now_ns, struct error *err);

#endif
