/* A request that changes something, or takes long: recorded, carried out on a worker thread, answered
 * once. Sent again to a later engine it is finished or answered from its record, never done twice.
 */
#ifndef FS_WORK_H
#define FS_WORK_H

#include "fs/fs.h"
#include "fs/handle.h"
#include "runtime/ticket.h"

struct requests;
/* memory_fd for fs/slots.h. */
int requests_open(int memory_fd, struct requests **ret, struct error *err);
void requests_close(struct requests *requests);
/* The mount has gone: nobody waits for what is under way; waits end as if interrupted. */
void requests_cancel_all(struct requests *requests);

/* What outlives the engine of one request. */
struct work_record {
	uint64_t number;
	uint32_t state;
	uint32_t deaths;             /* engines that died while it was at work */
	int32_t result;              /* when done: what is answered */
	uint32_t commands;           /* ctl: commands of this write that are done, */
	uint32_t reply_len;          /* and how long their replies are together */
	uint32_t note_command;       /* the command that the note is about */
	char note[TICKET_NOTE_SIZE]; /* the ticket's */
};

struct work {
	struct fs *fs;
	fuse_req_t req;
	struct caller caller;
	uint32_t slot;
	struct work_record *record;
	uint64_t number; /* of the request */
	struct ticket ticket;
	struct error err;
	struct work *prev, *next; /* those under way */
	bool resumed;             /* a former engine began it, */
	uint32_t first_command;   /* and was at this command */
	struct parked watch;      /* while a command that signals may end is under way */
	/* Do it, on a worker; ends with work_done(). */
	void (*run)(struct work *work);
	/* Send the answer; result >= 0. A negative one is answered by this module. */
	void (*answer)(struct work *work, int result);
	/* Free the embedding struct's own part; NULL: none. */
	void (*release)(struct work *work);

	/* for the users' convenience */
	struct handle *handle; /* a reference, or NULL */
	bool has_turn;         /* work.c's: the handle's at_work is ours */
	uint64_t parent;       /* node of the directory */
	char *name;            /* heap, or NULL */
	char *data;            /* heap, or NULL: bytes of a write */
	size_t len;
	uint64_t offset;
	uint64_t owner; /* lock owner of a write or flush */
};

/* size of the embedding struct, whose first member is the work. NULL: answered (ENOMEM). */
struct work *work_new(fuse_req_t req, size_t size, void (*run)(struct work *work),
		      void (*answer)(struct work *work, int result));
/* Copy what is borrowed from libfuse only for the handler's time. False: answered and freed. */
bool work_keep_name(struct work *work, const char *name);
bool work_keep_data(struct work *work, const void *bytes, size_t len);
/* Answer with work->err without having begun; frees. */
void work_refuse(struct work *work);
/* Record it and hand it to a worker, or answer it from the record. The work is not the caller's any more. */
void work_start(struct work *work);
/* All of that for a write (or, with bytes NULL, a flush or truncate) of an open file. */
void work_start_file(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		     uint64_t offset, uint64_t owner, void (*run)(struct work *work),
		     void (*answer)(struct work *work, int result));
/* The result: answers, ends the record, frees. Negative: work->err is set, unless it was answered by a former engine. */
void work_done(struct work *work, int result);
/* For an answer that another thread gives: the record goes with it, and whoever gives the answer ends the record
 * afterwards. SLOTS_NONE for the record: nothing. */
uint32_t work_give_record(struct work *work);
void work_end_record(struct fs *fs, uint32_t record);
/* Note the result for a later engine, before steps that must follow it; work_done() does it itself otherwise. */
void work_set_done(struct work *work, int result);
/* Between these two, a signal to the caller cancels the ticket. */
void work_allow_interrupt(struct work *work);
void work_end_interrupt(struct work *work);
/* A former engine finished it but did not answer: only what follows the result is left to do. */
bool work_was_done(const struct work *work);
/* The next command of the same write begins: its ticket is fresh, unless it is the one that was
 * interrupted by the engine's death. */
void work_begin_command(struct work *work, uint32_t command);

/* Answers for `answer`. */
void work_answer_ok(struct work *work, int result);    /* fuse_reply_err(0) */
void work_answer_write(struct work *work, int result); /* bytes written */

#endif
