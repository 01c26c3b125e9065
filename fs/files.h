/* The classes of files, each in a .c of its own: what opening, reading, writing, polling and
 * closing one of them means. Called by fs/ops_file.c on the threads that receive requests: nothing here
 * waits, all of it answers or hands on.
 */
#ifndef FS_FILES_H
#define FS_FILES_H

#include "fs/handle.h"
#include "fs/work.h"

/* --- ctl (fs/ctlfile.c): commands in, reply out --- */
void ctlfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		   uint64_t offset, uint64_t owner);
/* Who wrote last has closed: the unfinished line is carried out. */
void ctlfile_flush(fuse_req_t req, struct handle *handle);

/* --- config (fs/configfile.c): a JSON object, merged in when it is complete --- */
void configfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		      uint64_t offset, uint64_t owner);
/* Who wrote last has closed: an object that is not complete is refused. */
void configfile_flush(fuse_req_t req, struct handle *handle);

/* --- images being written (fs/importfile.c) --- */
struct imports *imports_new(void);
void imports_free(struct imports *imports);
void importfile_create(fuse_req_t req, uint64_t parent, const char *name,
		       const struct fuse_file_info *fi);
void importfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		      uint64_t offset, uint64_t owner);
void importfile_truncate(fuse_req_t req, struct handle *handle, uint64_t size);
/* Who wrote last has closed: the image is judged. */
void importfile_flush(fuse_req_t req, struct handle *handle);
/* Has nothing been written to it, and is this its creator's thread? Then its close is answered by
 * importfile_flush_empty: -EINVAL when it was the last. */
bool importfile_is_untouched(struct handle *handle, pid_t tid);
void importfile_flush_empty(fuse_req_t req, struct handle *handle, uint64_t owner);
void importfile_release(struct handle *handle);

/* --- follow, attach, wait, events (fs/stream.c) --- */
/* Fill in a new handle. 0 or -errno with a sentence. */
int stream_open(struct handle *handle, struct error *err);
/* Make again what a former engine had of it. */
void stream_restore(struct handle *handle);
void stream_read(fuse_req_t req, struct handle *handle, size_t size, uint64_t offset,
		 bool nonblocking);
void stream_release(struct handle *handle);
/* Would a read be answered at once? Also for logs. */
bool stream_is_ready(struct handle *handle);
/* A container changed: keep the end of its run for the handle. */
void stream_note_change(struct handle *handle);

/* --- export.tar (fs/exportfile.c): an archive made while it is read --- */
/* What stat says: never too little. */
int64_t exportfile_estimate(struct fs *fs, uint64_t key);
void exportfile_read(fuse_req_t req, struct handle *handle, size_t size, uint64_t offset,
		     bool nonblocking);
/* Nobody reads any more: the work ends soon. Safe to repeat. */
void exportfile_release(struct handle *handle);

/* --- image.tar (fs/archivefile.c): an image's archive, of the store's blobs --- */
/* Its parts, for a text that is there. */
int archivefile_make(struct fs *fs, uint64_t node, struct node_text *text, struct error *err);
int archivefile_open(struct handle *handle, struct error *err);
void archivefile_restore(struct handle *handle);
void archivefile_read(fuse_req_t req, struct handle *handle, size_t size, uint64_t offset);
/* Safe to repeat. */
void archivefile_release(struct handle *handle);

/* --- texts that a worker makes (fs/reportfile.c) --- */
/* What the handlers of these names do, for a FILE_REPORT whose text is not there yet. */
void reportfile_look_up(fuse_req_t req, uint64_t parent, const char *name);
void reportfile_stat(fuse_req_t req, uint64_t node);
void reportfile_open(fuse_req_t req, uint64_t node, int flags);

/* --- stdin and attach, the writing side (fs/stdinfile.c) --- */
struct inputs *inputs_new(void);
void inputs_free(struct inputs *inputs);
void stdinfile_open(struct handle *handle);
void stdinfile_write(fuse_req_t req, struct handle *handle, const char *bytes, size_t len,
		     bool nonblocking);
void stdinfile_release(struct handle *handle);

/* --- growth of logs (fs/logwatch.c) --- */
/* Wakes fs->park by the container's key while somebody waits. */
int logwatch_new(struct fs *fs, struct logwatch **ret, struct error *err);
void logwatch_free(struct logwatch *watch);
/* Counted per container; the handle's `watching` says whether it counts. */
void logwatch_add(struct handle *handle);
void logwatch_remove(struct handle *handle);

#endif
