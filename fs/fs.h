/* What the parts of the file system share. Private to fs/.
 *
 * Arrows inside this folder: server -> ops_* -> files (ctlfile, configfile, importfile, logfile, stream,
 * stdinfile) -> handle, tree, nodes, request, park, session -> slots, channel.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include "base/worker.h"
#include "fs/channel.h"
#include "fs/park.h"
#include "fs/server.h"
#include "fs/session.h"
#include "graph/graph.h"
#include "runtime/engine.h"

#include <stdatomic.h>

struct handles;
struct imports;
struct inputs;
struct invalidator;
struct kept;
struct logwatch;
struct nodes;
struct registries;
struct requests;
struct teller;
struct templinks;
struct volfs;

/* Everything is set before the first request is read and constant afterwards; what changes lies in
 * the parts, each with its own lock. Of these locks at most one is held at a time. */
struct fs {
	const struct server_options *options;
	const struct server_memory *memory;
	struct graph *graph;
	struct registries *registries;
	struct events *events;
	struct engine *engine;
	struct channel *channel;
	struct workers *workers;
	struct workers *
		exporters; /* a thread for each archive that is being read: they wait for readers */
	struct park *park;
	struct sessions *sessions;
	struct requests *requests; /* what changes something, recorded */
	struct handles *handles;   /* open files, recorded */
	struct nodes *nodes;       /* texts of nodes looked up */
	struct logwatch *logwatch; /* growth of logs that somebody waits for */
	struct inputs *inputs;     /* writers of stdin, in line */
	struct imports *imports;   /* images being written */
	struct templinks *templinks;
	struct teller *teller;
	struct invalidator *invalidator;
	struct volfs *volfs;  /* what lies in volumes, recorded */
	struct kept *kept;    /* names, for the next engine */
	atomic_bool is_whole; /* all of the above are there: who is called back may use them */
};

static inline struct fs *fs_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* Is there a failure to report: fill the session's error line, log it, answer. A lookup that finds nothing is
 * answered by fuse_reply_err() alone. */
void fs_reply_error(fuse_req_t req, const struct error *failure);
/* The same without answering, for who answers later or elsewhere. */
void fs_note_error(struct fs *fs, const struct caller *caller, const struct error *failure);
/* The caller of a request that is being dispatched. */
void fs_read_caller(fuse_req_t req, struct caller *ret);

#endif
