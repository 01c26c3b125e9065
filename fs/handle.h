/* Open files. What a later engine must know of one lies in its head (fs/slots.h) and is kept at
 * every step; the rest is made again from it.
 */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#include "fs/fs.h"
#include "fs/nodes.h"
#include "fs/tree.h"
#include "runtime/log/logreader.h"

/* A wake-up can be asked for once per handle: the kernel's number of the poll. */
struct handle_head {
	uint64_t node;
	uint64_t run; /* streams: the run that it belongs to */
	/* attach, events: where the next read begins; logs, follow: where the last one ended. */
	uint64_t cursor;
	uint64_t read_number;    /* attach, events: the last read that moved the cursor, ... */
	uint64_t read_from;      /* ... and from where: sent again, it gets the same bytes */
	uint64_t read_offset;    /* events: what the kernel calls that place, */
	uint64_t read_len;       /* and how far that read went */
	struct logreader reader; /* logs, follow, attach */
	uint64_t poll_kh;
	uint64_t open_number;  /* the request that opened it, set last: 0 is one half opened */
	uint64_t write_number; /* the last write whose effect on this head is complete */
	uint64_t write_owner;  /* lock owner of who wrote last */
	uint64_t reply_pad;    /* ctl: where the reply begins */
	uint32_t reply_len;    /* ctl: of the blob, first the reply, */
	uint32_t pending_len;  /* then the unfinished line (config: the unfinished object) */
	int32_t exit_code;     /* streams, once ended is set */
	uint32_t open_flags;   /* O_* of the open */
	uint8_t polled, ended, torn, written;
	uint8_t reserved[4];
};

struct handle {
	atomic_int refs;
	struct fs *fs;
	uint32_t slot;
	struct handle_head *head;
	const struct tree_row *row;
	struct container *container; /* files of a container; NULL when it has gone */
	struct node_text *text;      /* what reads give; replaced under lock (ctl) */
	struct logview *log;         /* follow, attach */
	atomic_bool
		at_work; /* a write or close is under way: pending, reply and import are its own */
	struct strbuf pending;     /* ctl, config */
	struct strbuf reply;       /* ctl: likewise; directories: the listing */
	struct import *import;     /* fs/importfile.h */
	char *import_path;         /* its full name */
	struct error import_error; /* why it failed */
	pid_t import_tid;          /* the thread that created it */
	struct export_job *export; /* fs/exportfile.h: the archive being made */
	bool has_archive;          /* image.tar: the text's archive is open for it */
	atomic_bool released;
	bool watching;        /* counted in fs->logwatch */
	pthread_mutex_t lock; /* guards text, import, and of head what reads and polls change */
	struct handle *next;  /* in the table's list */
};

struct handles;
/* Finds the files that a former engine had open. */
int handles_open(struct fs *fs, int memory_fd, struct handles **ret, struct error *err);
void handles_close(struct handles *handles);

/* A new open file. Its kind's own part is the caller's to fill before handles_publish(). */
int handle_new(struct fs *fs, uint64_t node, unsigned flags, const struct caller *caller,
	       struct handle **ret, struct error *err);
/* Now it is open: wake-ups reach it, and a later engine finds it. number: of the request. */
void handle_publish(struct handle *handle, uint64_t number);
/* The file that a former engine opened for this request, whose answer got lost: a reference, or NULL. */
struct handle *handle_find_opened(struct fs *fs, uint64_t number);
/* By fi->fh: a reference, NULL when it is unknown. */
struct handle *handle_get(struct fs *fs, uint64_t fh);
struct handle *handle_ref(struct handle *handle);
void handle_unref(struct handle *handle);
DEFINE_AUTO(struct handle *, handle_unref);
static inline uint64_t handle_get_fh(const struct handle *handle)
{
	return handle->slot;
}
/* RELEASE: forget it, here and for later engines. */
void handle_release(struct handle *handle);

/* Keep reply, pending line and write_number, all at once, for a later engine. */
void handle_save(struct handle *handle);
/* Likewise the name of an image being written. */
int handle_save_import_path(struct handle *handle, const char *path);
/* The text that reads give now: a reference. */
struct node_text *handle_get_text(struct handle *handle);
void handle_set_text(struct handle *handle, struct node_text *text); /* takes the reference */

/* Call fn for every open file of this key (of its node), without a lock held. */
void handles_visit(struct fs *fs, uint64_t key, void (*fn)(struct handle *handle));
/* The same for all. */
void handles_visit_all(struct fs *fs, void (*fn)(struct handle *handle));

#endif
