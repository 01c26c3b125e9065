/* Texts of files that are generated: made when a name is looked up, so that stat, fstat and
 * reads of that lookup agree, and kept until the kernel forgets the node.
 *
 * A node unknown here (given out by an engine that died) is made again when it is asked for.
 */
#ifndef FS_NODES_H
#define FS_NODES_H

#include "fs/fs.h"
#include "fs/node.h"
#include "runtime/log/logview.h"

#include <sys/stat.h>

/* Immutable after publication but for the count; logs grow by themselves. */
struct node_text {
	atomic_int refs;
	char *text; /* FILE_TEXT, FILE_REPORT, FILE_CONFIG, FILE_CTL; NUL-terminated */
	size_t len;
	/* FILE_CTL after a write: the text begins at this offset, newlines before it. */
	uint64_t pad;
	struct container *container; /* files of a container: keeps a removed one's log readable */
	struct image_tar *archive;   /* FILE_ARCHIVE; the text is its tags */
	struct logview *log;         /* FILE_LOG */
	atomic_ullong log_start;     /* of it: this file's size is counted from there */
};
struct node_text *node_text_ref(struct node_text *text);
void node_text_unref(struct node_text *text);
DEFINE_AUTO(struct node_text *, node_text_unref);

struct nodes *nodes_new(void);
void nodes_free(struct nodes *nodes);

/* Give a looked-up file (serial 0 in entry_node) a number of its own and make its text. *ret_node
 * has the serial. 0 or -errno with a sentence. */
int nodes_look_up(struct fs *fs, uint64_t entry_node, const struct caller *caller,
		  uint64_t *ret_node, struct error *err);
/* The text of a node, made anew for an unknown one (of a FILE_REPORT on worker threads only). A reference, or NULL with -errno in err. */
struct node_text *nodes_get(struct fs *fs, uint64_t node, const struct caller *caller,
			    struct error *err);
/* Give a control file's node its reply: `len` bytes that begin at offset `pad`. NULL: no memory. A reference. */
struct node_text *nodes_put_reply(struct nodes *nodes, uint64_t node, const void *bytes, size_t len,
				  uint64_t pad);
/* Is it a FILE_REPORT whose text is not there, so that nodes_get() would look at the disk? */
bool nodes_need_worker(struct nodes *nodes, uint64_t node);
/* A log: an open file counts its bytes from there. The size never shrinks; it is too large rather than too
 * small when its readers came to different gaps. */
void node_text_extend(struct node_text *text, uint64_t log_start);
/* As pread(2) of a text that is no log. */
size_t node_text_read(const struct node_text *text, uint64_t offset, void *buf, size_t len);
/* Attributes of any node. 0 or -errno. */
int nodes_stat(struct fs *fs, uint64_t node, const struct caller *caller, struct stat *ret,
	       struct error *err);
void nodes_forget(struct nodes *nodes, uint64_t node);
/* Let go of logs of removed containers that nobody has open: the kernel keeps a name that was in use when
 * its directory was invalidated, or was being looked up just then, until it wants the memory. */
void nodes_drop_removed(struct nodes *nodes);
/* The same for one node that was just looked up. */
void nodes_drop_if_removed(struct nodes *nodes, uint64_t node);
/* A number with a fresh serial and no text (streams, stdin, imports). */
uint64_t nodes_number(struct nodes *nodes, uint64_t entry_node);

#endif
