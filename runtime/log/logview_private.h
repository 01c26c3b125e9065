/* What logview.c (reading) and logfind.c (segments) share. */
#ifndef RUNTIME_LOG_LOGVIEW_PRIVATE_H
#define RUNTIME_LOG_LOGVIEW_PRIVATE_H

#include "runtime/log/logformat.h"
#include "runtime/log/logsegment.h"
#include "runtime/log/logview.h"
#include "runtime/log/logview_json.h"

#include <pthread.h>
#include <stdint.h>

/* Where the last read of logs.json ended. */
struct json_hint {
	uint64_t segment, record;
	uint64_t offset; /* of the view, for place; UINT64_MAX: none */
	struct logview_json_place place;
};

struct logview {
	enum logview_kind kind;
	int dir_fd;
	uint64_t base;
	pthread_mutex_t lock; /* of the rest */
	struct logsegment *newest, *current;
	struct json_hint hint;
};

/* A segment by its number, a reference. -ENOENT: rotation has dropped it. */
int logview_get_segment(struct logview *view, uint64_t number, struct logsegment **ret,
			struct error *err);
/* Remember it in one of the view's slots. */
void logview_set_known(struct logview *view, struct logsegment **slot, struct logsegment *segment);
/* Which segments the directory has now. */
int logview_scan(struct logview *view, struct log_span *ret, struct error *err);
/* -EIO: one in the middle is missing. */
int logview_fail_incomplete(struct error *err);
/* The newest, a reference; *ret NULL: there is none. */
int logview_get_newest(struct logview *view, struct logsegment **ret, struct error *err);
/* The byte of the view that it begins with. */
uint64_t logview_get_start(const struct logview *view, const struct logsegment *segment);
/* The one that holds the byte, a reference, and where it ends in the view; NULL: the byte is not there yet. */
int logview_find_segment(struct logview *view, struct logsegment *newest, uint64_t offset,
			 struct logsegment **ret, uint64_t *ret_end, struct error *err);

#endif
