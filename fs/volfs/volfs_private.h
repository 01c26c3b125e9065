/* What the parts of the pass-through share.
 *
 * volfs.c        puts it together; the volumes themselves; forgetting
 * volfs_keeper.c the second descriptor table, and the process that keeps it
 * volfs_table.c  nodes, open files, and requests that must not be done twice
 * volfs_request.c requests on their way to a thread
 * volfs_look.c volfs_attr.c volfs_change.c volfs_file.c volfs_data.c volfs_dir.c  the operations
 *
 * A function that is said to be for volume threads uses numbers of their descriptor table; what is not
 * must not touch such a number.
 */
#ifndef FS_VOLFS_VOLFS_PRIVATE_H
#define FS_VOLFS_VOLFS_PRIVATE_H

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/worker.h"
#include "fs/fs.h"
#include "fs/slots.h"
#include "fs/volfs/volfs.h"

#include <stdio.h>
#include <sys/stat.h>

/* --- what outlives the engine --------------------------------------------------- */

/* One slot. The type is set last: a slot without one was being filled when an engine died. */
enum volfs_type { VOLFS_NOTHING, VOLFS_NODE, VOLFS_FILE, VOLFS_REQUEST };

/* Which descriptor in the table of which keeper: one word, so that it changes at once. */
static inline uint64_t volfs_make_ref(uint32_t keeper, int fd)
{
	return (uint64_t)keeper << 32 | (uint32_t)fd;
}

static inline int volfs_get_fd(uint64_t ref)
{
	return (int)(uint32_t)ref;
}

struct volfs_node {
	uint64_t ref;        /* O_PATH */
	uint64_t dev, ino;   /* identity: nobody else's while the descriptor is open */
	uint64_t lookups;    /* how often the kernel was given it */
	uint64_t shown_ino;  /* what stat shows; 0: ino */
	uint32_t mode;       /* S_IFMT never changes */
	uint32_t generation; /* in the node number */
	uint32_t volume;     /* the generation of the volume's own directory */
	uint32_t opens;      /* open files that the kernel reads and writes by itself, */
	int32_t backing;     /* and its number for that; 0: none */
	uint32_t is_plain;   /* it cannot, for this one */
};

struct volfs_file {
	uint64_t ref;
	uint64_t number; /* the request that opened it */
	uint64_t node;
	uint32_t flags;     /* O_* of the open */
	uint32_t is_passed; /* counted in the node's opens */
};

/* What the world was like before a request changed it: a later engine sees by that whether it did. */
struct volfs_deed {
	uint64_t number;
	int64_t began_ns;    /* CLOCK_REALTIME_COARSE, which file systems take times from */
	uint64_t dev, ino;   /* of what is to go, to move or to be linked; 0: none */
	uint64_t dev2, ino2; /* of what is in its place, to be exchanged */
	uint64_t node;       /* of the answer, when done */
	uint32_t file;       /* create: likewise */
	int32_t result;      /* when done: 0, a count, or -errno */
	uint32_t done;       /* is it? */
	uint32_t noted;      /* is what is above filled in? */
};

struct volfs_record {
	uint32_t type;
	uint32_t reserved;
	union {
		struct volfs_node node;
		struct volfs_file file;
		struct volfs_deed deed;
	};
};

/* --- in memory ------------------------------------------------------------------- */

struct volfs_entry {
	struct {
		uint64_t dev, ino;
	} id;
	uint32_t slot;
	UT_hash_handle hh;
};

struct volfs_keeper;
/* pid and number of keepers, in a memfd of the holder. */
int volfs_keeper_start(const struct server_memory *memory, int ready_fd, struct volfs_keeper **ret,
		       struct error *err);
void volfs_keeper_end(struct volfs_keeper *keeper);
uint32_t volfs_keeper_get_number(const struct volfs_keeper *keeper);
/* A number that was never taken from this memory. */
uint32_t volfs_keeper_count(struct volfs_keeper *keeper);
/* For base/worker.h: a thread with the other descriptor table. arg is the keeper. */
int volfs_keeper_make_thread(void *arg, pthread_t *ret, void *(*run)(void *), void *run_arg);
/* Volume threads: a descriptor that a keeper has; or -errno. */
int volfs_keeper_fetch(struct volfs_keeper *keeper, uint64_t ref);
/* All was fetched: end those of former engines. */
void volfs_keeper_end_former(struct volfs_keeper *keeper);

struct volfs {
	struct fs *fs;
	int fuse_fd; /* the same in both descriptor tables */
	struct volfs_keeper *keeper;
	struct workers *workers;
	struct slots *slots;
	pthread_mutex_t
		backing_lock; /* guards what nodes say of fs/volfs/volfs_backing.c; not taken together */
	pthread_mutex_t lock; /* guards the table and counts of lookups; held for no system call */
	struct volfs_entry *table;
};

/* --- volfs_table.c: volume threads, unless said otherwise ------------------------- */

int volfs_table_open(struct volfs *volfs, int memory_fd, struct error *err);
/* Fetch all, forget what cannot be fetched. */
void volfs_table_take_over(struct volfs *volfs);
void volfs_table_close(struct volfs *volfs);

/* Any thread. NULL: known no more. */
struct volfs_node *volfs_find_node(struct volfs *volfs, uint64_t number);
/* A borrowed descriptor, valid while the kernel knows the node, or -ESTALE. */
int volfs_get_node_fd(struct volfs *volfs, uint64_t number);
uint64_t volfs_get_node_number(struct volfs *volfs, const struct volfs_node *node);
/* A name's node, counted as looked up once more. volume 0: it is a volume's own directory. */
int volfs_look_up_at(struct volfs *volfs, int dir_fd, const char *name, uint32_t volume,
		     uint64_t shown_ino, uint64_t *ret_number, struct stat *ret_st);
/* The same for a file that was just made and is open, whatever its name is by now. */
int volfs_look_up_open(struct volfs *volfs, int file_fd, uint32_t volume, uint64_t *ret_number,
		       struct stat *ret_st);
void volfs_forget_node(struct volfs *volfs, uint64_t number, uint64_t count);

/* An open file; takes fd, also on failure. -ENFILE. */
int volfs_add_file(struct volfs *volfs, uint64_t node, uint64_t request, int fd, int flags,
		   uint64_t *ret_fh);
/* Any thread. */
struct volfs_file *volfs_find_file(struct volfs *volfs, uint64_t fh);
/* The open file that a former engine made for this request: its fh, or UINT64_MAX. */
uint64_t volfs_find_opened(struct volfs *volfs, uint64_t request);
void volfs_remove_file(struct volfs *volfs, uint64_t fh);

/* The record of a request that must not be done twice: a former engine's if there is one. NULL: no room. */
struct volfs_deed *volfs_get_deed(struct volfs *volfs, uint64_t request, bool resent,
				  uint32_t *ret_slot);

/* --- volfs_backing.c: volume threads ------------------------------------------------- */

/* Let the kernel read and write this open file by itself, if it can. */
void volfs_pass_file(struct volfs *volfs, uint64_t fh);
/* It is being closed. */
void volfs_unpass_file(struct volfs *volfs, const struct volfs_file *file);
/* As fuse_reply_open() and fuse_reply_create(), which know nothing of that. */
int volfs_reply_open(fuse_req_t req, struct volfs *volfs, uint64_t fh);
int volfs_reply_create(fuse_req_t req, struct volfs *volfs, const struct fuse_entry_param *entry,
		       uint64_t fh);

/* --- volfs_request.c --------------------------------------------------------------- */

/* One request, for all operations; each uses the arguments it has. */
struct volfs_request {
	struct volfs *volfs;
	fuse_req_t req;
	void (*run)(struct volfs_request *r);
	uint64_t number;
	bool resent;
	uint64_t ino, new_ino; /* nodes; the latter of a second directory or file */
	struct fuse_file_info fi, out;
	bool has_fi;
	bool kills_bits; /* the caller may not keep set-id bits at this write or truncation */
	struct stat attr;
	mode_t mode;
	dev_t device;
	unsigned flags;
	off_t offset, out_offset;
	size_t size;
	const char *name, *new_name; /* point into bytes */
	char *bytes;                 /* copied arguments */
	size_t room;
	struct volfs_deed *deed;
	uint32_t deed_slot;
	uint32_t record; /* fs/work.h's, of the request that is answered with this */
};

/* NULL: answered (ENOMEM). */
struct volfs_request *volfs_new_request(fuse_req_t req, uint64_t ino,
					void (*run)(struct volfs_request *r));
/* The same with a name, or with two (NULL: none). */
struct volfs_request *volfs_new_named(fuse_req_t req, uint64_t ino, const char *name,
				      const char *new_name, void (*run)(struct volfs_request *r));
/* Copy an argument behind those there are; NULL: no memory. For one argument only. */
bool volfs_keep_bytes(struct volfs_request *r, const void *bytes, size_t len);
/* To a thread. It is not the caller's any more; run() ends with one of the volfs_answer_*(). */
void volfs_submit(struct volfs_request *r);

/* Answer and free. result: 0 or -errno. */
void volfs_answer(struct volfs_request *r, int result);
void volfs_answer_count(struct volfs_request *r, ssize_t count); /* of a write; or -errno */
void volfs_answer_bytes(struct volfs_request *r, const void *bytes, ssize_t len); /* or -errno */
void volfs_answer_attr(struct volfs_request *r, uint64_t node, int result);
/* The node was looked up for this answer; what is interrupted gives that back. */
void volfs_answer_entry(struct volfs_request *r, uint64_t node, const struct stat *st, int result);
/* Free without an answer, which was given. */
void volfs_end_request(struct volfs_request *r);

/* A buffer of this thread, of at least `size` bytes; NULL: no memory. */
void *volfs_get_buffer(size_t size);

static inline struct volfs *volfs_of(fuse_req_t req)
{
	return fs_of(req)->volfs;
}

/* --- shared by operations ----------------------------------------------------------- */

#define VOLFS_PROC_SIZE 48
/* The path of a descriptor of this thread: what is opened through it is that inode and no other. */
static inline void volfs_make_path(int fd, char ret[VOLFS_PROC_SIZE])
{
	snprintf(ret, VOLFS_PROC_SIZE, "/proc/thread-self/fd/%d", fd);
}

int volfs_stat_node(struct volfs *volfs, uint64_t node, struct stat *ret);
void volfs_fill_entry(struct volfs *volfs, uint64_t node, const struct stat *st,
		      struct fuse_entry_param *ret);
/* What is made between the two belongs to the caller. */
void volfs_become_caller(fuse_req_t req);
void volfs_become_root(void);
/* For a request that makes or removes something: finds its record, and answers what was done already (then
 * false). */
bool volfs_begin_deed(struct volfs_request *r);
/* Take the set-id bits of a file, as a write by who may not keep them does. */
void volfs_kill_bits(int fd);
/* Open the file of a node, for flags of open(2); descriptor or -errno. -ESTALE: not a regular file. */
int volfs_reopen(struct volfs *volfs, uint64_t node, int flags);

#endif
