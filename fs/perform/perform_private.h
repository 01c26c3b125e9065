/* What the parts of perform share. Private to perform*.c. */
#ifndef FS_PERFORM_PERFORM_PRIVATE_H
#define FS_PERFORM_PERFORM_PRIVATE_H

#include "fs/perform/perform.h"

#include <limits.h>

struct job {
	const struct perform_context *context;
	const struct command *command;
	struct strbuf *reply;
};

/* Each carries one kind of command out: 0, or -errno with a sentence without the command's word. */
int perform_create(const struct job *job, struct error *err); /* create, run */
int perform_commit(const struct job *job, struct error *err);
int perform_import(const struct job *job, struct error *err);
int perform_containers(const struct job *job,
		       struct error *err); /* all that take containers' names */
int perform_exec(const struct job *job, struct error *err);
int perform_rmi(const struct job *job, struct error *err);
int perform_tag(const struct job *job, struct error *err);
int perform_pull(const struct job *job, struct error *err);
int perform_push(const struct job *job, struct error *err);
int perform_login(const struct job *job, struct error *err);
int perform_logout(const struct job *job, struct error *err);
int perform_ps(const struct job *job, struct error *err);
int perform_images(const struct job *job, struct error *err);
int perform_diff(const struct job *job, struct error *err);
int perform_port(const struct job *job, struct error *err);
int perform_top(const struct job *job, struct error *err);
int perform_stats(const struct job *job, struct error *err);
int perform_prune(const struct job *job, struct error *err);
int perform_history(const struct job *job, struct error *err);
int perform_inspect(const struct job *job, struct error *err);
int perform_info(const struct job *job, struct error *err);
int perform_version(const struct job *job, struct error *err);

/* perform_source.c: an archive of the host. */
struct archive_source {
	int fd; /* -1: none */
	bool is_pipe;
	uint64_t size_bytes; /* 0: not known */
	char name[PATH_MAX]; /* for people; "-": a pipe of another process */
};
void archive_source_deinit(struct archive_source *source);
DEFINE_AUTO_DEINIT(struct archive_source, archive_source_deinit);
/* The command's source. -EIO: a pipe that an earlier engine has read of. */
int archive_source_open(const struct job *job, struct archive_source *ret, struct error *err);
/* The next bytes: their number, 0 at the end; -EINTR when the caller has gone. */
ssize_t archive_source_read(const struct job *job, const struct archive_source *source, char *buf,
			    size_t size, struct error *err);

/* perform_registry.c: fetch the image that create or run needs, as --pull says; its lines are shown and
 * taken back. Its id is *ret_id, "" when nothing was fetched. */
int perform_fetch_image(const struct job *job, struct error *err);

/* perform_registry.c: for is_cancelled of what takes long; arg is the job. */
bool perform_is_cancelled(void *arg);
/* Show lines behind what the reply holds already; they are taken away again. */
void perform_show_lines(void *job, const struct strbuf *lines);

/* Append a name to the reply when the command had several. */
void perform_append_name(const struct job *job, const char *name);
/* Has an earlier engine begun this command, and come as far as to note something? */
bool perform_was_begun(const struct job *job);

#endif
