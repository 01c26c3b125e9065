/* Reading a container's log: four views of one record stream.
 *
 * A view's offsets begin at 0 with the oldest byte kept and its size only grows. Stateless but
 * for the open files, so a restarted engine gives the same bytes at the same offsets.
 */
#ifndef RUNTIME_LOGVIEW_H
#define RUNTIME_LOGVIEW_H

#include "base/error.h"

#include <stdint.h>
#include <sys/types.h>

enum logview_kind { LOGVIEW_ALL, LOGVIEW_STDOUT, LOGVIEW_STDERR, LOGVIEW_JSON };

struct logview;

/* dir_fd  ROOT/containers/<id>, borrowed for the call. A container that never ran has no log:
 * the view is empty and grows when the files appear (keep a dup of dir_fd for that). Files that are
 * there are opened now: a view outlives their removal, one opened before they came does not. */
int logview_open(int dir_fd, enum logview_kind kind, struct logview **ret, struct error *err);
void logview_close(struct logview *view);

/* Bytes there now (from the last whole record: one fstat and one pread). */
int logview_get_size(struct logview *view, uint64_t *ret_bytes, struct error *err);
/* As pread(2): count, 0 at the end. Never waits. A read in the middle costs a binary search in
 * log.index. Thread-safe. */
ssize_t logview_read(struct logview *view, uint64_t offset, void *buf, size_t len,
		     struct error *err);
/* Where in this view the bytes of the runs after `run` begin (its size when there are none): a binary
 * search over the records' run numbers, which are its low 16 bits. */
int logview_find_run_end(struct logview *view, uint64_t run, uint64_t *ret_offset,
			 struct error *err);
/* Time of the last chunk, 0 when there is none. */
int64_t logview_get_mtime_ns(struct logview *view);
/* Put a record on bytes of `log` that have none, and cut a torn record: called at recovery when
 * the shim is known to be dead. run and now_ns fill the record. */
int logview_repair(int dir_fd, unsigned run, int64_t now_ns, struct error *err);

#endif
