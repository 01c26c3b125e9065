/* One segment of a log, open for reading: its records as an array that is searched,
 * its bytes. For runtime/log/logview.c; the form is runtime/log/logformat.h's.
 */
#ifndef RUNTIME_LOG_LOGSEGMENT_H
#define RUNTIME_LOG_LOGSEGMENT_H

#include "base/cleanup.h"
#include "base/error.h"
#include "runtime/log/logformat.h"
#include "runtime/log/logview.h"

#include <pthread.h>
#include <stdatomic.h>

struct logsegment {
	atomic_int refs;
	uint64_t number;
	int index_fd;
	struct log_record base; /* totals at its beginning */
	pthread_mutex_t lock;   /* of log_fd while it is -1: it is made after its index */
	int log_fd;
};

/* -ENOENT without a sentence: there is no such segment (any more, or yet). */
int logsegment_open(int dir_fd, uint64_t number, struct logsegment **ret, struct error *err);
struct logsegment *logsegment_ref(struct logsegment *segment);
void logsegment_unref(struct logsegment *segment);
DEFINE_AUTO(struct logsegment *, logsegment_unref);
/* Has rotation dropped it, or has its directory been removed? */
bool logsegment_is_gone(const struct logsegment *segment);

/* Its index is damaged: -EIO. */
int logsegment_refuse(const struct logsegment *segment, struct error *err);

/* What a view counts, up to and with this record. */
uint64_t logsegment_get_total(enum logview_kind kind, const struct log_record *record);
/* The last whole record, or the base. */
int logsegment_get_last(const struct logsegment *segment, struct log_record *ret,
			struct error *err);
/* Bytes of the log by their place in it. -ESTALE without a sentence: dropped. */
int logsegment_read(struct logsegment *segment, int dir_fd, void *buf, size_t len, uint64_t offset,
		    struct error *err);

/* The records, through one small block. Two reads of 48 bytes cost as much as one of 3 KiB. */
#define LOGSEGMENT_BLOCK 64U
struct logrecords {
	const struct logsegment *segment;
	uint64_t count;
	uint64_t block_first;
	uint64_t block_count;
	struct log_record block[LOGSEGMENT_BLOCK];
};
/* As many as there are now. */
int logrecords_init(struct logrecords *rs, const struct logsegment *segment, struct error *err);
/* *ret is valid until the next call. */
int logrecords_get(struct logrecords *rs, uint64_t i, const struct log_record **ret,
		   struct error *err);
/* First record from i on whose total is above offset; rs->count when none is. */
int logrecords_search(struct logrecords *rs, enum logview_kind kind, uint64_t offset, uint64_t i,
		      uint64_t *ret_i, struct error *err);

#endif
