/* Carrying commands out: from struct command to the verbs of the engine and the
 * image store.
 *
 * Replies
 *   commit, create, run, import
 *                         the 64-digit id
 *   load                  the ids, one a line
 *   wait                  the exit codes, one a line, in the order of the names
 *   ps images history inspect info version
 *                         their text; inspect gives an array, as Docker does
 *   pull, push            lines as Docker's; with -q the id, the digest
 *   login                 "Login Succeeded"
 *   rmi                   "Untagged: NAME" and "Deleted: sha256:ID" lines
 *   all others            nothing for one name; for several the names done, one a
 *                         line
 *
 * Several names are resolved first: one unknown, and nothing is done. Then they are
 * done in turn; the first failure ends it, and the reply names what was done.
 */
#ifndef FS_PERFORM_PERFORM_H
#define FS_PERFORM_PERFORM_H

#include "fs/command/command.h"
#include "graph/graph.h"
#include "runtime/engine.h"

struct render_info;

struct perform_context {
	struct engine *engine;
	struct graph *graph;
	struct registries *registries;
	struct ticket *ticket;
	struct container *container; /* whose ctl it is; NULL: MNT/ctl */
	/* st_dev of the mount, 0 when unknown: sources under it are refused */
	uint64_t mount_device;
	/* Fills in what `info` shows. */
	void (*get_info)(void *arg, struct render_info *ret);
	/* A wait begins: what of the reply there is can be shown. May be NULL. */
	void (*show_progress)(void *arg);
	/* The reply so far outlives the engine: should this one die, it is there when the command is
	 * resumed. May be NULL. */
	void (*keep_reply)(void *arg);
	void *arg;
};

/* Do it; worker threads only. The reply of the command is appended to reply, also
 * when it fails half-way (names done). 0 or -errno with the sentence, which begins
 * with the command's word, once.
 *
 * With a resumed ticket: names that an earlier engine had done are not done again,
 * and one that has gone since counts as done. Changes ticket->resumed and
 * ticket->note. err must not be NULL. */
int perform(const struct perform_context *context, const struct command *command,
	    struct strbuf *reply, struct error *err);

#endif
