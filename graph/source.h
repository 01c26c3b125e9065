/* Where bytes come from, span by span: the stages of an import are stacked. */
#ifndef GRAPH_SOURCE_H
#define GRAPH_SOURCE_H

#include "base/error.h"

#include <sys/types.h>

struct source {
	/* The next bytes, valid until the next call. Count, 0 at the end (again and
	 * again), or a negative errno with a sentence. */
	ssize_t (*read)(void *arg, const void **ret_bytes, struct error *err);
	/* NULL where a read never waits for long; else, called by another thread: nothing more is
	 * wanted, a read under way fails soon. */
	void (*stop)(void *arg);
	void *arg;
};

#endif
